"""The questions of a queue: change, rename and retire them, and keep each version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from annotations.models import AnnotationQueue, RubricItem, RubricVersion
from annotations.queues.locks import lock_queue

RUBRIC_FIELDS = (
    "feedback_key",
    "title",
    "description",
    "kind",
    "level",
    "weights",
    "categories",
    "minimum",
    "maximum",
    "is_required",
    "extra",
)


def write_first(
    queue: AnnotationQueue, rubric: Sequence[Mapping[str, Any]], *, now: datetime
) -> None:
    """Write the rubric of a queue that was just created, as its first version."""
    _write(queue, rubric, now)
    _keep_version(queue, now)


@transaction.atomic
def set_rubric(
    queue: AnnotationQueue, rubric: Sequence[Mapping[str, Any]], *, now: datetime
) -> bool:
    """Make `rubric` the queue's rubric; return whether it differs from the previous one.

    A question keeps its row, and so its ratings, while its feedback key stays and when it is only
    renamed (see `renamed`). One that is left out is retired: its ratings are kept, and it is
    restored with them when its key returns. A change bumps `rubric_version`; earlier reviews still
    name the version they answered.
    """
    locked = lock_queue(queue)  # no review may mix two rubrics
    before = snapshot(locked)
    _write(locked, rubric, now)
    if snapshot(locked) == before:
        return False
    locked.rubric_version += 1
    locked.save(update_fields=["rubric_version", "updated_at"])
    _keep_version(locked, now)
    queue.rubric_version = locked.rubric_version
    return True


def snapshot(queue: AnnotationQueue) -> list[dict[str, Any]]:
    """Return the rubric as plain values, in order, for `RubricVersion.items`."""
    return [
        {"id": item.pk, **{name: getattr(item, name) for name in RUBRIC_FIELDS}}
        for item in RubricItem.objects.filter(queue=queue)
    ]


@transaction.atomic
def keep_rubric_version(queue: AnnotationQueue, *, now: datetime) -> bool:
    """Write a rubric version if the rubric's rows differ from the newest one kept.

    For callers that edit the rows themselves (the admin's inline). Returns whether it did.
    """
    locked = lock_queue(queue)
    newest = RubricVersion.objects.filter(queue=locked).order_by("-version").first()
    if newest is not None:
        if _without_ids(newest.items) == _without_ids(snapshot(locked)):
            return False
        locked.rubric_version = newest.version + 1
        locked.save(update_fields=["rubric_version", "updated_at"])
    _keep_version(locked, now)
    queue.rubric_version = locked.rubric_version
    return True


def _without_ids(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the fields of each question; one that a version lacks has its default."""
    blank = RubricItem()
    return [
        {name: item.get(name, getattr(blank, name)) for name in RUBRIC_FIELDS} for item in items
    ]


def renamed(
    questions: Iterable[RubricItem], rubric: Sequence[Mapping[str, Any]]
) -> dict[str, RubricItem]:
    """Return the questions of which `rubric` only changes the key, by their new key.

    The wire names a question by its key alone, so it must be at the same position, with the same
    description and the same scale. A question without a description cannot be recognised.
    """
    old = list(questions)
    known = {question.feedback_key for question in old}
    kept = {question["feedback_key"] for question in rubric}
    renamed_questions: dict[str, RubricItem] = {}
    for before, after in zip(old, rubric, strict=False):
        is_new = before.feedback_key not in kept and after["feedback_key"] not in known
        is_same = before.description and all(
            getattr(before, name) == after.get(name, getattr(RubricItem(), name))
            for name in ("description", "kind", "categories", "minimum", "maximum")
        )
        if is_new and is_same:
            renamed_questions[after["feedback_key"]] = before
    return renamed_questions


def _write(queue: AnnotationQueue, rubric: Sequence[Mapping[str, Any]], now: datetime) -> None:
    questions = list(queue.rubric_items.all())
    rows = {question.feedback_key: question for question in questions} | renamed(questions, rubric)
    keys = {question["feedback_key"] for question in rubric}
    kept = [rows[key].pk for key in keys & rows.keys()]
    queue.rubric_items.exclude(pk__in=kept).update(retired_at=now)
    blank = RubricItem()
    for position, question in enumerate(rubric):
        key = question["feedback_key"]
        row = rows.get(key) or retired(queue, key) or RubricItem(queue=queue)
        row.position, row.retired_at = position, None
        for name in RUBRIC_FIELDS:
            # Absent resets to the default: an edit without a bound removes it.
            setattr(row, name, question.get(name, getattr(blank, name)))
        row.save()


def retired(queue: AnnotationQueue, feedback_key: str) -> RubricItem | None:
    """Return the retired question that last had this key."""
    rows = RubricItem.every.filter(queue=queue, feedback_key=feedback_key)
    return rows.exclude(retired_at=None).order_by("-retired_at", "-pk").first()


def _keep_version(queue: AnnotationQueue, now: datetime) -> None:
    RubricVersion.objects.create(
        queue=queue, version=queue.rubric_version, items=snapshot(queue), created_at=now
    )
