"""What only the generated classes offer, and Observatory does not: 404, and a reason."""

from __future__ import annotations

from tests.sdk.probes import refused_calls
from tests.sdk.probes.absent import ID, JUDGES
from tests.sdk.surface import GENERATED

MISSING = "NotFoundError 404"
PAYLOAD = {
    "commit_hash": "0" * 40,
    "created_at": "2026-01-01T00:00:00Z",
    "created_by": "ada",
    "event": "commit",
    "manifest": {},
    "prompt_id": ID,
    "prompt_name": "p",
}
HOOK = {"url": "https://hooks.example"}

refused_calls(
    {
        "online_evaluators.create": lambda w: w.client.online_evaluators.create(
            name="e", type="code"
        ),
        "online_evaluators.retrieve": lambda w: w.client.online_evaluators.retrieve(ID),
        "online_evaluators.update": lambda w: w.client.online_evaluators.update(ID, name="e"),
        "online_evaluators.list": lambda w: w.client.online_evaluators.list(),
        "online_evaluators.delete": lambda w: w.client.online_evaluators.delete(ID),
        "online_evaluators.bulk_delete": lambda w: w.client.online_evaluators.bulk_delete(
            evaluator_ids=[ID]
        ),
        "online_evaluators.spend": lambda w: w.client.online_evaluators.spend(
            period_start="2026-01-01"
        ),
        "evaluators.create_decision_model": lambda w: w.client.evaluators.create_decision_model(
            display_name="d", prompt=[["user", "Right?"]], questions={}
        ),
        "evaluators.list_v2": lambda w: w.client.evaluators.list_v2(),
    },
    seen=MISSING,
    why=JUDGES,
    of=GENERATED,
)

refused_calls(
    {
        "workspace_tags.list": lambda w: w.client.workspace_tags.list(),
        "workspace_tags.keys.create": lambda w: w.client.workspace_tags.keys.create(key="team"),
        "workspace_tags.keys.retrieve": lambda w: w.client.workspace_tags.keys.retrieve(ID),
        "workspace_tags.keys.update": lambda w: w.client.workspace_tags.keys.update(ID, key="t"),
        "workspace_tags.keys.list": lambda w: w.client.workspace_tags.keys.list(),
        "workspace_tags.keys.delete": lambda w: w.client.workspace_tags.keys.delete(ID),
        "workspace_tags.keys.values.create": lambda w: w.client.workspace_tags.keys.values.create(
            ID, value="search"
        ),
        "workspace_tags.keys.values.retrieve": lambda w: (
            w.client.workspace_tags.keys.values.retrieve(ID, tag_key_id=ID)
        ),
        "workspace_tags.keys.values.update": lambda w: w.client.workspace_tags.keys.values.update(
            ID, tag_key_id=ID, value="search"
        ),
        "workspace_tags.keys.values.list": lambda w: w.client.workspace_tags.keys.values.list(ID),
        "workspace_tags.keys.values.delete": lambda w: w.client.workspace_tags.keys.values.delete(
            ID, tag_key_id=ID
        ),
    },
    seen=MISSING,
    why="tags of resources are not kept; runs, prompts and dataset versions have tags of their own",
    of=GENERATED,
)

refused_calls(
    {
        "prompt_webhooks.create": lambda w: w.client.prompt_webhooks.create(**HOOK),
        "prompt_webhooks.retrieve": lambda w: w.client.prompt_webhooks.retrieve(ID),
        "prompt_webhooks.update": lambda w: w.client.prompt_webhooks.update(ID, **HOOK),
        "prompt_webhooks.list": lambda w: w.client.prompt_webhooks.list(),
        "prompt_webhooks.delete": lambda w: w.client.prompt_webhooks.delete(ID),
        "prompt_webhooks.test": lambda w: w.client.prompt_webhooks.test(
            payload=PAYLOAD, webhook=HOOK
        ),
    },
    seen=MISSING,
    why="Observatory sends nothing to other servers when a prompt changes",
    of=GENERATED,
)

refused_calls(
    {
        "workspace_secrets.list": lambda w: w.client.workspace_secrets.list(),
        "workspace_secrets.upsert": lambda w: w.client.workspace_secrets.upsert(
            "OPENAI_API_KEY", value="none"
        ),
        "workspace_secrets.delete": lambda w: w.client.workspace_secrets.delete("OPENAI_API_KEY"),
    },
    seen=MISSING,
    why="Observatory calls no model and keeps no keys of model providers",
    of=GENERATED,
)

refused_calls(
    {
        "issues.list": lambda w: w.client.issues.list(),
        "issues.retrieve": lambda w: w.client.issues.retrieve(ID),
    },
    seen=MISSING,
    why="issues found by the vendor's agents are no part of Observatory",
    of=GENERATED,
)

refused_calls(
    {
        "product_feedback.create": lambda w: w.client.product_feedback.create(
            category="BUG", message="m", source="LANGSMITH_CLI"
        ),
        "product_feedback.retrieve": lambda w: w.client.product_feedback.retrieve(ID),
    },
    seen=MISSING,
    why="these are words for the vendor about the vendor's product",
    of=GENERATED,
)

refused_calls(
    {
        "ai_search.parse": lambda w: w.client.ai_search.parse(
            ai_search="slow runs", project_ids=[ID]
        )
    },
    seen=MISSING,
    why="a question in words needs a model; runs are asked for with `filter`",
    of=GENERATED,
)

refused_calls(
    {
        "sql.query": lambda w: w.client.sql.query(project_ids=[ID], query="select 1"),
    },
    seen=MISSING,
    why="SQL from outside is not run; runs are asked for with `filter`, and exported",
    of=GENERATED,
)

refused_calls(
    {
        "fleet.threads.activate_sandbox": lambda w: w.client.fleet.threads.activate_sandbox(ID),
    },
    seen=MISSING,
    why="sandboxes that run code are no part of Observatory",
    of=GENERATED,
)
