"""Prompts and their commits as the generated classes `Langsmith` and `AsyncLangsmith` ask for them."""

from __future__ import annotations

from typing import Any

from langchain_core.load import dumpd

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


@works("commits.create", "commits.retrieve", "commits.list", of=GENERATED)
def a_prompt_is_committed_and_read(w: World) -> None:
    commits, name = w.client.commits, w.name("prompt")
    w.plain.create_prompt(name)
    first = commits.create(name, owner=OWNER, manifest=manifest()).commit
    second = commits.create(
        name,
        owner=OWNER,
        manifest=manifest("Briefly: {question}"),
        parent_commit=first.commit_hash,
    ).commit
    read = commits.retrieve(first.commit_hash, owner=OWNER, repo=name)
    assert (read.commit_hash, read.manifest) == (first.commit_hash, manifest())
    latest = commits.retrieve("latest", owner=OWNER, repo=name)
    assert latest.commit_hash == second.commit_hash
    listed = [
        (commit.commit_hash, commit.parent_commit_hash)
        for commit in commits.list(name, owner=OWNER)
    ]
    assert listed == [(second.commit_hash, first.commit_hash), (first.commit_hash, None)]


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
