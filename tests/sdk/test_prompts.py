"""Prompts, by the unmodified Python SDK and langchain-core."""

from __future__ import annotations

import warnings
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.load import dumpd
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.prompts.structured import StructuredPrompt
from langchain_core.runnables import RunnableBinding, RunnableSequence
from langsmith import AsyncClient, Client
from langsmith.schemas import PromptSortField
from langsmith.utils import LangSmithConflictError, LangSmithNotFoundError

from tests.live import run_apart

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]


def hashes(client, name: str) -> list[str]:
    return [commit.commit_hash for commit in client.list_prompt_commits(name)]


def test_a_prompt_is_pushed_pulled_liked_and_deleted(client) -> None:
    name = f"greeting-{uuid4().hex}"
    first = ChatPromptTemplate.from_messages([("system", "Be kind"), ("user", "{question}")])
    second = ChatPromptTemplate.from_messages([("user", "Briefly: {question}")])
    url = client.push_prompt(name, object=first, description="d", readme="r", tags=["t"])
    short = url.split("/")[-1].split("?")[0]
    assert len(short) == 8
    client.push_prompt(name, object=second)
    assert client.pull_prompt(name).messages == second.messages
    assert client.pull_prompt(f"{name}:{short}").messages == first.messages
    assert client.pull_prompt_commit(f"{name}:{short}").commit_hash.startswith(short)
    with pytest.raises(LangSmithConflictError, match="Nothing to commit"):
        client.create_commit(name, second)
    with pytest.raises(LangSmithConflictError, match="Parent commit"):
        client.create_commit(name, first, parent_commit_hash=short)
    assert len(hashes(client, name)) == 2
    client.update_prompt(name, description="new", is_public=True)
    prompt = client.get_prompt(name)
    assert (prompt.description, prompt.readme, prompt.tags) == ("new", "r", ["t"])
    assert (prompt.num_commits, prompt.is_public) == (2, True)
    assert client.list_prompts(query=name).total == 1
    assert client.like_prompt(name) == {"likes": 1}
    assert client.unlike_prompt(name) == {"likes": 0}
    client.delete_prompt(name)
    assert client.get_prompt(name) is None
    with pytest.raises(LangSmithNotFoundError):
        client.pull_prompt(f"{name}:latest")


def test_prompts_of_every_kind_come_back_as_they_were_pushed(client) -> None:
    answer = {"title": "answer", "type": "object", "properties": {"n": {"type": "integer"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structured = StructuredPrompt([("user", "{q}")], answer)
    for prompt in (
        ChatPromptTemplate.from_messages([("system", "{{literal}} {a}"), ("placeholder", "{m}")]),
        ChatPromptTemplate.from_messages([("user", "{{a}}")], template_format="mustache"),
        PromptTemplate.from_template("Tell of {thing}"),
        structured,
    ):
        name = f"kind-{uuid4().hex}"
        client.push_prompt(name, object=prompt)
        pulled = client.pull_prompt(name)
        assert type(pulled) is type(prompt)
        assert pulled.metadata["lc_hub_commit_hash"] == hashes(client, name)[0]
        pulled.metadata = prompt.metadata
        assert dumpd(pulled) == dumpd(prompt)


def test_the_model_of_a_prompt_comes_only_when_asked_for(client) -> None:
    name = f"model-{uuid4().hex}"
    prompt = ChatPromptTemplate.from_messages([("user", "{q}")])
    model = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "chat_models", "openai", "ChatOpenAI"],
        "kwargs": {
            "model": "m1",
            "api_key": {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]},
        },
    }
    manifest = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "runnable", "RunnableSequence"],
        "kwargs": {"first": dumpd(prompt), "last": model},
    }
    client.create_prompt(name)
    client.create_commit(name, manifest)
    assert client.pull_prompt(name).messages == prompt.messages
    assert client.pull_prompt_commit(name).manifest == dumpd(prompt)
    assert client.pull_prompt_commit(name, include_model=True).manifest == manifest
    [listed] = client.list_prompt_commits(name, include_model=True)
    assert listed.commit_hash == client.pull_prompt_commit(name).commit_hash
    with pytest.raises(LangSmithConflictError, match="Nothing to commit"):
        client.create_commit(name, dict(reversed(manifest.items())))


def playground(**members: Any) -> dict[str, Any]:
    """Return a manifest as the hosted service's playground stores it."""
    path = ["langsmith", "playground", "PromptPlayground"]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": members}


def test_a_prompt_of_the_playground_is_loaded_as_a_sequence_or_as_its_prompt(client) -> None:
    prompt = ChatPromptTemplate.from_messages([("user", "{q}")])
    model = RunnableBinding(bound=StrOutputParser(), kwargs={}, config={"tags": ["a"]})
    name = f"playground-{uuid4().hex}"
    client.create_prompt(name)
    client.create_commit(
        name, playground(first=dumpd(prompt), last=dumpd(model), settings={"a": 1})
    )
    assert client.pull_prompt(name).messages == prompt.messages
    whole = client.pull_prompt(name, include_model=True)
    assert type(whole) is RunnableSequence
    assert whole.first.messages == prompt.messages
    assert (type(whole.last), whole.last.config) == (RunnableBinding, {"tags": ["a"]})
    for include_model in (False, True):
        [listed] = client.list_prompt_commits(name, include_model=include_model)
        pulled = client.pull_prompt_commit(name, include_model=include_model)
        assert listed.commit_hash == pulled.commit_hash
        assert "PromptPlayground" not in str(pulled.manifest)
    with pytest.raises(LangSmithConflictError, match="Nothing to commit"):
        client.create_commit(
            name, playground(first=dumpd(prompt), last=dumpd(model), settings={"a": 1})
        )


@pytest.mark.parametrize("include_model", [False, True])
def test_a_prompt_of_the_playground_without_a_model_is_its_prompt(client, include_model) -> None:
    prompt = StructuredPrompt.from_messages_and_schema(
        [("user", "{q}")], {"title": "t", "type": "object", "properties": {}}
    )
    name = f"playground-{uuid4().hex}"
    client.create_prompt(name)
    client.create_commit(name, playground(first=dumpd(prompt), last=None))
    pulled = client.pull_prompt(name, include_model=include_model)
    assert type(pulled) is StructuredPrompt
    assert pulled.messages == prompt.messages


def test_commits_are_found_by_prefixes_tags_and_in_pages(client) -> None:
    name = f"many-{uuid4().hex}"
    for n in range(5):
        prompt = PromptTemplate.from_template(f"{n} {{q}}")
        tags = ["even", "newest"] if n % 2 == 0 else "newest"
        client.push_prompt(name, object=prompt, commit_tags=tags, commit_description=f"the {n}")
    found = hashes(client, name)
    assert len(set(found)) == 5
    assert [one.description for one in client.list_prompt_commits(name, limit=2, offset=1)] == [
        "the 3",
        "the 2",
    ]
    for n, commit in enumerate(reversed(found)):
        for length in (8, 12, 64):
            assert client.pull_prompt(f"{name}:{commit[:length]}").template == f"{n} {{q}}"
    assert client.pull_prompt(f"{name}:even").template == "4 {q}"
    assert client.pull_prompt(f"{name}:newest").template == "4 {q}"
    for unknown in (found[0][:7], "0" * 8, "nobody"):
        with pytest.raises(LangSmithNotFoundError):
            client.pull_prompt(f"{name}:{unknown}")
    # The content of an older commit is a new commit, on top of the newest.
    client.push_prompt(name, object=PromptTemplate.from_template("0 {q}"))
    assert len(set(hashes(client, name))) == 6
    client.push_prompt(name, description="only the words change")
    assert len(hashes(client, name)) == 6


def test_prompts_are_listed_by_words_flags_and_figures(client) -> None:
    mark = uuid4().hex[:12]
    names = [f"{kind}-{mark}" for kind in ("alpha", "beta", "gamma")]
    for name in names:
        client.create_prompt(name, description=f"of {mark}", tags=["t"])
    client.update_prompt(names[0], is_archived=True)
    client.update_prompt(names[1], is_public=True, readme="r", tags=["a", "b"])
    client.like_prompt(names[2])

    def listed(**asked) -> list[str]:
        return [prompt.repo_handle for prompt in client.list_prompts(query=mark, **asked).repos]

    assert listed() == [names[1], names[2]]
    assert listed(sort_direction="asc") == [names[2], names[1]]
    assert listed(is_archived=True) == [names[0]]
    assert listed(is_public=True) == [names[1]]
    assert listed(is_public=False) == [names[2]]
    assert listed(sort_field=PromptSortField.num_likes) == [names[2], names[1]]
    with pytest.raises(LangSmithNotFoundError):
        client.pull_prompt_commit(names[1])
    page = client.list_prompts(query=mark, limit=1, offset=1)
    assert ([one.repo_handle for one in page.repos], page.total) == ([names[2]], 2)
    assert client.list_prompts(query=f"gamma-{mark[:5]}").total == 1  # words by their beginning
    assert client.list_prompts(query=mark[1:]).total == 0
    found = client.get_prompt(names[2])
    assert (found.num_likes, found.liked_by_auth_user) == (1, True)
    assert found.full_name == f"{found.owner}/{names[2]}"
    assert client.get_prompt(f"{found.owner}/{names[2]}").id == found.id
    with pytest.raises(LangSmithConflictError):
        client.create_prompt(names[2])
    client.update_prompt(names[0], is_archived=False)
    assert set(listed()) == set(names)


def test_a_public_prompt_is_read_by_other_workspaces_and_changed_by_none(client, server) -> None:
    name = f"public-{uuid4().hex}"
    slug = f"rival-{uuid4().hex[:8]}"
    prompt = PromptTemplate.from_template("Tell of {thing}")
    client.push_prompt(name, object=prompt, commit_tags="prod")
    owner = client.get_prompt(name).owner
    made = server.observatory("workspace", "create", slug)
    assert made.returncode == 0, made.stderr
    key = server.observatory("apikey", "create", "rival", "--workspace", slug).stdout.strip()
    rival = Client(api_url=server.endpoint, api_key=key)

    def pulled(reference: str):
        return rival.pull_prompt(reference, dangerously_pull_public_prompt=True, skip_cache=True)

    with pytest.raises(LangSmithNotFoundError):
        pulled(f"{owner}/{name}")
    client.update_prompt(name, is_public=True)
    assert pulled(f"{owner}/{name}:prod").template == prompt.template
    assert rival.get_prompt(f"{owner}/{name}").is_public
    assert rival.get_prompt(name) is None
    assert rival.list_prompts(query=name).total == 0
    with pytest.raises(LangSmithNotFoundError):
        rival.update_prompt(f"{owner}/{name}", description="mine now")
    with pytest.raises(LangSmithNotFoundError):
        rival.create_commit(f"{owner}/{name}", PromptTemplate.from_template("x"))
    client.update_prompt(name, is_public=False)
    with pytest.raises(LangSmithNotFoundError):
        pulled(f"{owner}/{name}")
    rival.close()


def test_the_asynchronous_client_pushes_and_pulls_too(server, client) -> None:
    name = f"async-{uuid4().hex}"
    prompt = PromptTemplate.from_template("Tell of {thing}")

    async def story() -> None:
        async with AsyncClient(api_url=server.endpoint, api_key=server.key) as own:
            url = await own.push_prompt(name, object=prompt, description="d", tags=["t"])
            assert f"/prompts/{name}/" in url
            assert (await own.pull_prompt(name)).template == prompt.template
            assert (await own.get_prompt(name)).num_commits == 1

    run_apart(story)


def test_the_seeds_versions_are_pinned_and_routed_by_user(run_python) -> None:
    told = run_python("prompt_hub", "prompts", PROMPT=f"support-{uuid4().hex[:8]}")
    assert len(set(told["versions"].values())) == 2
    assert told["said"] == {"control": ["Be kind."], "treatment": ["Be brief."]}
    assert set(told["variants"].values()) == {"control", "treatment"}
    assert told["pinned"] == "Be kind."
    assert told["latest"] == "Human: q"
