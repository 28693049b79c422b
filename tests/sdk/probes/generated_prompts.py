"""Prompts and their commits as the generated classes `Langsmith` and `AsyncLangsmith` ask for them."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.load import dumpd
from langsmith._exceptions import ConflictError

from tests.sdk.probes import World, refused_calls, works
from tests.sdk.probes.prompts import HUB, files, template
from tests.sdk.surface import GENERATED

OWNER = "-"


def manifest(text: str = "Answer {question}") -> dict[str, Any]:
    """Return a prompt as LangChain writes it."""
    return dict(dumpd(template(text)))


@works("info.list", of=GENERATED)
def the_server_says_what_it_is(w: World) -> None:
    info = w.client.info.list()
    assert info.version == w.plain.info.version
    assert info.batch_ingest_config.use_multipart_endpoint


@works(
    "repos.create",
    "repos.retrieve",
    "repos.update",
    "repos.list",
    "repos.delete",
    of=GENERATED,
)
def a_prompt_is_made_read_changed_listed_and_deleted(w: World) -> None:
    repos, name = w.client.repos, w.name("prompt")
    made = repos.create(repo_handle=name, is_public=False, description="d", tags=["t"]).repo
    assert (made.repo_handle, made.description, made.tags) == (name, "d", ["t"])
    repos.update(name, owner=OWNER, readme="r", is_archived=False)
    read = repos.retrieve(name, owner=OWNER).repo
    assert (read.id, read.readme, read.repo_type) == (made.id, "r", "prompt")
    (listed,) = repos.list(query=name, has_commits=False)
    assert (listed.id, listed.num_commits) == (made.id, 0)
    repos.delete(name, owner=OWNER)
    assert list(repos.list(query=name)) == []


def pushed(w: World) -> tuple[str, list[str]]:
    """Return the name of a new prompt and the hashes of its two commits, the first before the last."""
    name = w.name("prompt")
    w.plain.create_prompt(name)
    first = w.client.commits.create(name, owner=OWNER, manifest=manifest()).commit
    second = w.client.commits.create(
        name,
        owner=OWNER,
        manifest=manifest("Briefly: {question}"),
        parent_commit=first.commit_hash,
    ).commit
    return name, [first.commit_hash, second.commit_hash]


@works(
    "commits.create",
    of=GENERATED,
    why="a commit after the first names the newest one as `parent_commit`, or is refused with 409",
)
def a_prompt_is_committed_on_top_of_its_newest_version(w: World) -> None:
    name, hashes = pushed(w)
    with pytest.raises(ConflictError):
        w.client.commits.create(name, owner=OWNER, manifest=manifest("Shout: {question}"))
    assert w.plain.pull_prompt_commit(name, skip_cache=True).commit_hash == hashes[-1]


@works("commits.retrieve", "commits.list", of=GENERATED)
def the_commits_of_a_prompt_are_read(w: World) -> None:
    commits = w.client.commits
    name, (first, second) = pushed(w)
    read = commits.retrieve(first, owner=OWNER, repo=name)
    assert (read.commit_hash, read.manifest) == (first, manifest())
    assert commits.retrieve("latest", owner=OWNER, repo=name).commit_hash == second
    listed = commits.list(name, owner=OWNER)
    assert [(commit.commit_hash, commit.parent_commit_hash) for commit in listed] == [
        (second, first),
        (first, None),
    ]


refused_calls(
    {
        "repos.directories.list": lambda w: w.client.repos.directories.list("helper", owner=OWNER),
        "repos.directories.commit": lambda w: w.client.repos.directories.commit(
            "helper", owner=OWNER, files=files()
        ),
        "repos.directories.delete": lambda w: w.client.repos.directories.delete(
            "helper", owner=OWNER
        ),
    },
    seen="NotFoundError 404",
    why=HUB,
    of=GENERATED,
)
