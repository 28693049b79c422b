"""The declared scale of a key: create, change, remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from observatory.feedback import scales
from observatory.feedback.judgement import InvalidFeedback
from observatory.feedback.models import FeedbackConfig
from observatory.workspaces.models import Workspace

FLAGS = ("is_lower_score_better", "is_enforced")


def id_of(workspace: Workspace, key: str) -> UUID:
    """Return the id of the scale of `key`, by which a rubric item may reference it."""
    return uuid5(workspace.uuid, key)


class ConfigConflict(Exception):
    """The key has another scale already; `is_enforced`: an enforced one was requested."""

    def __init__(self, *, is_enforced: bool = False) -> None:
        super().__init__("The key has another scale")
        self.is_enforced = is_enforced


def declare(
    workspace: Workspace,
    key: str,
    config: dict[str, Any],
    flags: Mapping[str, bool],
    *,
    now: datetime,
) -> FeedbackConfig:
    """Declare the scale of `key`; repeating it returns the same one. Raises ConfigConflict.

    `flags` holds any of FLAGS; an absent one is False on creation and not compared after, nor is an
    `is_enforced` of False, which the Python SDK always sends.
    """
    declared, is_new = FeedbackConfig.objects.get_or_create(
        workspace=workspace,
        key=key,
        defaults={"config": config, "created_at": now, "modified_at": now, **flags},
    )
    differs = declared.config != config or any(
        getattr(declared, flag) != requested
        for flag, requested in flags.items()
        if requested or flag != "is_enforced"
    )
    if not is_new and differs:
        raise ConfigConflict(is_enforced=declared.is_enforced and flags.get("is_enforced") is True)
    return declared


@transaction.atomic
def change(
    workspace: Workspace,
    key: str,
    changed: Mapping[str, Any],
    *,
    now: datetime,
    added: Sequence[Any] = (),
    removed: Sequence[Any] = (),
) -> FeedbackConfig:
    """Change `config` or the FLAGS of a declared key. Raises FeedbackConfig.DoesNotExist.

    `added` are categories to append to its scale, `removed` values to remove from it. Earlier
    feedback keeps its score: a scale applies to later feedback. Raises InvalidFeedback for invalid
    categories.
    """
    declared = FeedbackConfig.objects.select_for_update().get(workspace=workspace, key=key)
    if added or removed:
        config = changed.get("config", declared.config)
        try:
            config = scales.recategorised(config, added, removed)
        except ValueError as error:
            field, _, reason = str(error).partition(": ")
            raise InvalidFeedback(field, reason) from None
        changed = {**changed, "config": config}
    for name, value in changed.items():
        setattr(declared, name, value)
    declared.modified_at = now
    declared.save(update_fields=[*changed, "modified_at"])
    return declared


def key_of(workspace: Workspace, config_id: UUID) -> str | None:
    """Return the key whose scale has this id, None if the workspace has none. One query."""
    keys = FeedbackConfig.objects.filter(workspace=workspace).values_list("key", flat=True)
    return next((key for key in keys if id_of(workspace, key) == config_id), None)


def withdraw(workspace: Workspace, key: str) -> bool:
    """Delete the scale of `key`; its feedback stays. Return False if there was none."""
    n_deleted, _ = FeedbackConfig.objects.filter(workspace=workspace, key=key).delete()
    return bool(n_deleted)
