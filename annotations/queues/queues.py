"""Create, change, archive and unarchive a queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from django.db import transaction

from annotations.models import AnnotationQueue
from annotations.queues import blindness, reviewer_count, rubric_editing
from observatory.workspaces.models import User, Workspace


class QueueChanges(TypedDict, total=False):
    """The fields that `change` may set, each with its values; absent fields stay."""

    name: str
    description: str
    instructions: str
    metadata: dict[str, Any]
    access: str
    is_reserving: bool
    reservation_minutes: int
    is_paused: bool
    is_blind: bool
    gold_rate: float  # 0 to 1
    asks_everybody: bool
    reviewers_per_item: int  # 1 to 20
    assigned_reviewers: Iterable[User]
    gate_statistic: str
    gate_target: float  # from 0 to below 1
    rubric: Sequence[Mapping[str, Any]]  # see `create_queue`


# Stored directly; the other changes have their own verbs.
_SETTINGS = frozenset(
    {
        *("name", "description", "instructions", "metadata", "access", "is_reserving"),
        *("reservation_minutes", "is_paused", "asks_everybody", "gold_rate"),
        *("gate_statistic", "gate_target"),
    }
)


@transaction.atomic
def create_queue(
    workspace: Workspace,
    name: str,
    *,
    now: datetime,
    rubric: Sequence[Mapping[str, Any]] = (),
    assigned_reviewers: Iterable[User] = (),
    **settings: Any,
) -> AnnotationQueue:
    """Create a queue with its rubric at version 1.

    `rubric` holds one mapping per question, in order, with the fields of `RubricItem`; `settings`
    are fields of `AnnotationQueue` (uuid, instructions, reviewers_per_item ...). Raises
    IntegrityError when the uuid is taken in the workspace.
    """
    queue = AnnotationQueue.objects.create(
        workspace=workspace, name=name, created_at=now, **settings
    )
    queue.assigned_reviewers.set(assigned_reviewers)
    rubric_editing.write_first(queue, rubric, now=now)
    reviewer_count.follow_everybody(queue, now)
    return queue


@transaction.atomic
def change(queue: AnnotationQueue, changes: QueueChanges, *, now: datetime) -> None:
    """Change a queue, even during reviews; all of `changes` or nothing.

    `queue` must be as it is stored, and is up to date afterwards. Open items follow a new number of
    reviewers (`reviewer_count`), answers a new blindness (`blindness`), questions a new rubric
    (`rubric_editing`). A queue that no longer asks all reviewers, without a number, asks for one
    review per item. Raises ValueError for a number outside 1 to 20, and for a statistic or target
    of the gate that does not exist.
    """
    _check_gate(changes)
    stops_asking = queue.asks_everybody and changes.get("asks_everybody") is False
    number = changes.get("reviewers_per_item", 1 if stops_asking else None)
    settings = {name: value for name, value in changes.items() if name in _SETTINGS}
    for name, value in settings.items():
        setattr(queue, name, value)
    queue.save(update_fields=[*settings, "updated_at"])
    if "assigned_reviewers" in changes:
        queue.assigned_reviewers.set(changes["assigned_reviewers"])
        queue.refresh_from_db(fields=["reviewers_per_item"])
    if "is_blind" in changes and changes["is_blind"] != queue.is_blind:
        blindness.set_blind(queue, changes["is_blind"], now=now)
    if "rubric" in changes:
        rubric_editing.set_rubric(queue, changes["rubric"], now=now)
    if number is not None and number != queue.reviewers_per_item:
        reviewer_count.set_reviewers_per_item(queue, number, now)
    reviewer_count.follow_everybody(queue, now)


def _check_gate(changes: QueueChanges) -> None:
    statistics = AnnotationQueue.GateStatistic.values
    if changes.get("gate_statistic", statistics[0]) not in statistics:
        raise ValueError(f"gate_statistic must be one of {', '.join(statistics)}")
    if not 0 <= changes.get("gate_target", 0.0) < 1:
        raise ValueError("gate_target must be from 0 to below 1")


def archive(queue: AnnotationQueue, *, now: datetime) -> None:
    """Archive the queue: rules no longer feed it and no item is handed out."""
    AnnotationQueue.objects.filter(pk=queue.pk, archived_at=None).update(archived_at=now)
    queue.refresh_from_db(fields=["archived_at"])


def unarchive(queue: AnnotationQueue) -> None:
    """Restore an archived queue, with its items unchanged."""
    AnnotationQueue.objects.filter(pk=queue.pk).update(archived_at=None)
    queue.archived_at = None
