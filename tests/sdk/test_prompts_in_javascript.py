"""Prompts through the unmodified JavaScript SDK, against a live server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.sdk import versions

pytestmark = pytest.mark.sdk


def test_a_prompt_is_pushed_pulled_liked_archived_and_deleted(run_node) -> None:
    told = run_node("prompts", uuid4().hex[:12])
    assert (told["before"], told["after"], told["missing"]) == (False, False, None)
    assert "you must create it first" in told["early"]["message"]
    assert len(told["short"]) == 8
    assert told["first"]["commit_hash"].startswith(told["short"])
    assert told["first"]["manifest"]["kwargs"]["template"] == "1 {q}"
    assert told["latest"]["manifest"]["kwargs"]["template"] == "2 {q}"
    assert (told["same"]["status"], told["stale"]["status"]) == (409, 409)
    assert "Nothing to commit" in told["same"]["message"]
    assert "Parent commit" in told["stale"]["message"]
    assert told["moved"]["manifest"]["kwargs"]["template"] == "3 {q}"
    assert told["moved"]["commit_hash"].startswith(told["third"].split("/")[-1].split("?")[0])
    assert told["updated"]["repo"]["description"] == "new"
    prompt = told["prompt"]
    assert (prompt["description"], prompt["readme"], prompt["tags"]) == ("new", "new r", ["a", "b"])
    assert (prompt["is_public"], prompt["is_archived"]) == (False, True)
    assert (prompt["num_commits"], prompt["num_likes"], prompt["liked_by_auth_user"]) == (
        3,
        1,
        True,
    )
    assert (told["liked"], told["unliked"]) == ({"likes": 1}, {"likes": 0})
    assert [one["id"] for one in told["archived"]] == [prompt["id"]]
    assert told["standing"] == []
    assert [one["parent_commit_hash"] for one in told["commits"]] == [
        told["commits"][1]["commit_hash"],
        told["commits"][2]["commit_hash"],
        None,
    ]
    assert told["again"]["status"] == 409
    assert told["gone"]["status"] == 404


# By the newest alone: with the SDK of a year ago a commit has no tags and no description.
@pytest.mark.parametrize("release", [versions.NEWEST])
def test_commits_have_descriptions_and_tags_that_move(run_node) -> None:
    told = run_node("prompt_tags", uuid4().hex[:12])
    assert (told["tagged"], told["moved"]) == ("1 {q}", ["3 {q}", "3 {q}"])
    assert told["descriptions"] == ["the third", None, "the first"]
