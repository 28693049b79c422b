"""The second seed's prompts/prompt_hub.py: push a version, pin it, A/B two of them.

As written there but for one thing: the SDK takes a commit as `name:commit`, not `commit_hash=`,
and refuses `owner/name` of one's own.
"""

import inspect
import json
import os
import sys

from langchain_core.prompts import ChatPromptTemplate
from langsmith import Client

ls_client = Client()
# The SDK of a year ago kept nothing of what it pulled, and asked each time.
HAS_CACHE = "skip_cache" in inspect.signature(Client.pull_prompt).parameters


# ── Reading prompts ───────────────────────────────────────────────────────────
# UNSAFE: floats on latest - any prompt change hits production immediately
def get_latest_prompt(name: str) -> str:
    return ls_client.pull_prompt(name)


def get_production_prompt(name: str, commit: str) -> str:
    """
    Always pin commit_hash in production.
    Update SUPPORT_PROMPT_COMMIT only after testing the new version.
    """
    return ls_client.pull_prompt(f"{name}:{commit}")


# ── Writing prompts ───────────────────────────────────────────────────────────
def push_new_prompt_version(
    name: str,
    system_template: str,
    description: str,
) -> str:
    """
    Push a new prompt version and return its commit hash.
    Use the commit hash to pin in production after testing.
    """
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", system_template),
            ("human", "{query}"),
        ]
    )
    ls_client.push_prompt(
        name,
        object=prompt,
        description=description,
        is_public=False,
    )
    # Retrieve the commit hash of the just-pushed version
    pushed = ls_client.pull_prompt(name, include_model=False)
    print(f"Pushed '{name}'. Pin with commit_hash in your constants.")
    return pushed


# ── A/B testing prompt versions ───────────────────────────────────────────────
PROMPT_VERSIONS = {}


def get_ab_prompt(name: str, user_id: str) -> tuple[str, str]:
    """
    A/B test two prompt versions using user_id for stable assignment.
    Returns (prompt_text, variant_name).
    """
    # Stable assignment: hash user_id to always route same user to same variant
    import hashlib

    hash_val = int(hashlib.md5(user_id.encode()).hexdigest(), 16)
    variant = "treatment" if hash_val % 100 < 20 else "control"  # 20% treatment
    commit = PROMPT_VERSIONS[variant]
    prompt = ls_client.pull_prompt(f"{name}:{commit}")
    return prompt, variant


def said(prompt: ChatPromptTemplate) -> str:
    return prompt.invoke({"query": "hi"}).to_messages()[0].content


name = os.environ["PROMPT"]
for variant, template in (("control", "Be kind."), ("treatment", "Be brief.")):
    push_new_prompt_version(name, template, f"the {variant}")
    # What the function returns comes from the SDK's cache, which a push does not refresh.
    newest = next(ls_client.list_prompt_commits(name))
    PROMPT_VERSIONS[variant] = newest.commit_hash[:12]
ls_client.push_prompt(name, object=ChatPromptTemplate.from_messages([("human", "{query}")]))
assigned = {user: get_ab_prompt(name, user) for user in (f"user-{n}" for n in range(40))}
sys.stdout.write(
    json.dumps(
        {
            "versions": PROMPT_VERSIONS,
            "said": {
                variant: sorted({said(p) for p, v in assigned.values() if v == variant})
                for variant in PROMPT_VERSIONS
            },
            "variants": {user: variant for user, (_, variant) in assigned.items()},
            "pinned": said(get_production_prompt(name, PROMPT_VERSIONS["control"])),
            "first_pulled": said(get_latest_prompt(name)),
            "latest": ls_client.pull_prompt(name, **({"skip_cache": True} if HAS_CACHE else {}))
            .invoke({"query": "q"})
            .to_string(),
        }
    )
    + "\n"
)
