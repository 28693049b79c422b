"""Push a commit, find one by hash, tag or `latest`, and move tags."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction
from django.utils import timezone

from observatory import exact
from observatory.prompts import manifests
from observatory.prompts.models import Commit, PromptRepo, Tag

LATEST = "latest"
_PREFIX = re.compile(r"[0-9a-f]{8,64}")


class StaleParent(Exception):
    """The parent is not the newest commit."""


class Unchanged(Exception):
    """The newest commit has the same manifest."""


def latest(repo: PromptRepo) -> Commit | None:
    return repo.commits.order_by("-pk").first()


def resolve(repo: PromptRepo, reference: str) -> Commit | None:
    """Return the commit of a tag, `latest`, or a unique hash prefix of at least 8 digits."""
    if reference == LATEST:
        return latest(repo)
    tagged = repo.commits.filter(tags__name=reference).first()
    if tagged is not None or not _PREFIX.fullmatch(reference):
        return tagged
    commits = list(repo.commits.filter(commit_hash__startswith=reference)[:2])
    return commits[0] if len(commits) == 1 else None


@transaction.atomic
def push(
    repo: PromptRepo, manifest: dict[str, Any], *, parent: str | None, description: str = ""
) -> Commit:
    """Add a commit on top of `parent` (None: the first). Raises StaleParent or Unchanged."""
    repo = PromptRepo.objects.select_for_update().get(pk=repo.pk)
    newest = latest(repo)
    if (newest is None) != (parent is None):
        raise StaleParent
    if newest is not None and parent != LATEST and resolve(repo, parent or "") != newest:
        raise StaleParent
    digest = manifests.digest(manifest)
    if newest is not None and newest.digest == digest:
        raise Unchanged
    prompt = manifests.without_model(manifest)
    commit = Commit.objects.create(
        repo=repo,
        parent=newest,
        commit_hash=manifests.commit_hash(digest, newest.commit_hash if newest else None),
        digest=digest,
        manifest=exact.dumps(manifests.loadable(manifest)).decode(),
        prompt=None if prompt is None else exact.dumps(prompt).decode(),
        description=description,
        created_at=timezone.now(),
    )
    repo.updated_at = timezone.now()
    repo.save(update_fields=["updated_at"])
    return commit


def tag(commit: Commit, name: str) -> Tag:
    """Point a tag at `commit`, moving it if it exists."""
    moved, _ = Tag.objects.update_or_create(
        repo_id=commit.repo_id, name=name, defaults={"commit": commit}
    )
    return moved
