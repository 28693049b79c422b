"""Prompts, by the unmodified Python SDK and langchain-core."""

from __future__ import annotations

from uuid import uuid4

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langsmith.utils import LangSmithConflictError, LangSmithNotFoundError

pytestmark = pytest.mark.sdk


def test_a_prompt_is_pushed_pulled_tagged_liked_and_deleted(client) -> None:
    name = f"greeting-{uuid4().hex}"
    first = ChatPromptTemplate.from_messages([("system", "Be kind"), ("user", "{question}")])
    second = ChatPromptTemplate.from_messages([("user", "Briefly: {question}")])
    url = client.push_prompt(
        name, object=first, description="d", readme="r", tags=["t"], commit_tags="prod"
    )
    short = url.split("/")[-1].split("?")[0]
    assert len(short) == 8
    client.push_prompt(name, object=second, commit_description="shorter")
    assert client.pull_prompt(name).messages == second.messages
    assert client.pull_prompt(f"{name}:{short}").messages == first.messages
    assert client.pull_prompt_commit(f"{name}:prod").commit_hash.startswith(short)
    with pytest.raises(LangSmithConflictError, match="Nothing to commit"):
        client.create_commit(name, second)
    with pytest.raises(LangSmithConflictError, match="Parent commit"):
        client.create_commit(name, first, parent_commit_hash=short)
    listed = list(client.list_prompt_commits(name))
    assert [one.description for one in listed] == ["shorter", None]
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
        client.pull_prompt(name, skip_cache=True)
