"""Look at each queue once a week: whose agreement with the rest, labels or pace have changed?

The newest four weeks are compared with the 22 weeks before, per reviewer and question; all
p-values of a queue are judged together (`drift.alarms`). Only settled, blind answers on the
question's present scale are read. The others' answer is the one most of them gave; items on which
they tie, and questions without categories, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import F, Q
from numpy.typing import NDArray

from annotations.models import AnnotationQueue, DriftAlarm, RubricItem
from annotations.quality import drift
from annotations.question_kinds import kind_of

LOOK_EVERY = timedelta(days=7)
RECENT = timedelta(weeks=4)
REFERENCE = timedelta(weeks=22)
SHOWN_FOR = timedelta(days=91)
LARGE_FALL = 0.05  # of the share of agreement with the rest
LARGE_PACE = 2 / 3  # of the median time per review

_RATINGS = """
SELECT r.item_id, r.reviewer_id, r.code, r.rated_at >= %(recent)s
FROM annotations_rating r
JOIN annotations_queueitem i ON i.id = r.item_id
JOIN annotations_rubricitem q ON q.id = r.rubric_item_id
WHERE r.rubric_item_id = %(question)s AND r.is_blind AND r.code BETWEEN 0 AND %(last)s
  AND r.rated_at >= %(since)s AND i.state = 'completed'
  AND r.rubric_version IN (
      SELECT v.version FROM annotations_rubricversion v
      CROSS JOIN jsonb_array_elements(v.items) e
      WHERE v.queue_id = q.queue_id AND (e ->> 'id')::bigint = q.id
        AND e ->> 'kind' = q.kind AND e -> 'categories' = q.categories)
ORDER BY r.rated_at, r.id
"""
_PACE = """
SELECT v.reviewer_id, v.dwell_ms, v.submitted_at >= %(recent)s
FROM annotations_review v
WHERE v.queue_id = %(queue)s AND v.retracted_at IS NULL AND v.dwell_ms > 0
  AND v.submitted_at >= %(since)s
ORDER BY v.submitted_at, v.id
"""


@dataclass(frozen=True, slots=True)
class _Tested:
    """One p-value, and the alarm it would be."""

    p_value: float
    alarm: DriftAlarm


def look_at_due(now: datetime) -> int:
    """Look at every queue whose last look is a week ago; return how many alarms are new."""
    due = Q(drift_checked_at=None) | Q(drift_checked_at__lte=now - LOOK_EVERY)
    queues = AnnotationQueue.objects.filter(due, archived_at=None)
    return sum(look(queue, now) for queue in queues.order_by("pk"))


@transaction.atomic
def look(queue: AnnotationQueue, now: datetime) -> int:
    """Compare a queue's reviewers with their past; return how many alarms are new.

    Does nothing when another look has begun since `queue` was read. At most one alarm is raised per
    reviewer, question, kind and ISO week.
    """
    begun = AnnotationQueue.objects.filter(
        pk=queue.pk, drift_checked_at=queue.drift_checked_at
    ).update(drift_checked_at=now)
    if not begun:
        return 0
    queue.drift_checked_at = now
    questions = [q for q in queue.rubric_items.all() if kind_of(q).labels(q)]
    tested = [*_of_pace(queue, now)]
    series = [rows for q in questions for rows in _series(q, now)]
    draws = drift.draws_for(2 * len(series) + len(tested))
    for answers in series:
        tested += answers.tested(queue, now, draws)
    flagged = drift.alarms([result.p_value for result in tested])
    raised = [
        result.alarm
        for result, is_alarm in zip(tested, flagged, strict=True)
        if is_alarm and _is_large(result.alarm)
    ]
    known = DriftAlarm.objects.filter(queue=queue).count()
    DriftAlarm.objects.bulk_create(raised, ignore_conflicts=True)
    return DriftAlarm.objects.filter(queue=queue).count() - known


def _is_large(alarm: DriftAlarm) -> bool:
    """Return whether the change matters: of very many answers the least one is significant."""
    if alarm.before is None or alarm.after is None:
        return True
    if alarm.kind == DriftAlarm.Kind.PACE:
        return alarm.after <= LARGE_PACE * alarm.before
    return alarm.before - alarm.after >= LARGE_FALL


def _window(now: datetime) -> dict[str, datetime]:
    return {"recent": now - RECENT, "since": now - RECENT - REFERENCE}


@dataclass(frozen=True, slots=True)
class _Series:
    """A reviewer's answers on a question, in order: codes, the others' answer (-1: none), when."""

    question: RubricItem
    reviewer_id: int
    codes: NDArray[np.int64]
    rest: NDArray[np.int64]
    is_recent: NDArray[np.bool_]
    others: tuple[NDArray[np.int64], NDArray[np.int64]]  # counts per label, before and after

    def tested(self, queue: AnnotationQueue, now: datetime, draws: int) -> Iterator[_Tested]:
        """Yield the p-values of the agreement with the rest and of the labels."""
        has_rest = self.rest >= 0
        before, after = has_rest & ~self.is_recent, has_rest & self.is_recent
        agrees = self.codes == self.rest
        value = drift.accuracy_p(
            agrees[before],
            self.rest[before],
            agrees[after],
            self.rest[after],
            draws=draws,
            seed=self.question.pk,
        )
        if value is not None:
            sizes = int(before.sum()), int(after.sum())
            alarm = self._alarm(queue, now, DriftAlarm.Kind.AGREEMENT, value, sizes)
            alarm.before, alarm.after = float(agrees[before].mean()), float(agrees[after].mean())
            yield _Tested(value, alarm)
        k = len(self.others[0])
        old = np.bincount(self.codes[~self.is_recent], minlength=k)
        new = np.bincount(self.codes[self.is_recent], minlength=k)
        value = drift.label_mix_p(old, new, self.others[0], self.others[1])
        if value is not None:
            sizes = int(old.sum()), int(new.sum())
            yield _Tested(value, self._alarm(queue, now, DriftAlarm.Kind.LABEL_MIX, value, sizes))

    def _alarm(
        self, queue: AnnotationQueue, now: datetime, kind: str, value: float, sizes: tuple[int, int]
    ) -> DriftAlarm:
        alarm = _alarm(self.reviewer_id, kind, value, sizes, queue=queue, now=now)
        alarm.rubric_item = self.question
        return alarm


def _series(question: RubricItem, now: datetime) -> Iterator[_Series]:
    k = len(kind_of(question).labels(question))
    with connection.cursor() as cursor:
        cursor.execute(_RATINGS, {**_window(now), "question": question.pk, "last": k - 1})
        rows = cursor.fetchall()
    if not rows:
        return
    items, people, codes = (np.array([row[n] for row in rows], np.int64) for n in range(3))
    is_recent = np.array([row[3] for row in rows], bool)
    rest = rest_of(np.unique(items, return_inverse=True)[1], codes, k)
    for reviewer_id in np.unique(people):
        is_mine = people == reviewer_id
        others = tuple(
            np.bincount(codes[~is_mine & (is_recent == when)], minlength=k)
            for when in (False, True)
        )
        yield _Series(
            question,
            int(reviewer_id),
            codes[is_mine],
            rest[is_mine],
            is_recent[is_mine],
            (others[0], others[1]),
        )


def rest_of(items: NDArray[np.int64], codes: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return, for each rating, the code that most other ratings of its item have; -1 for none.

    `items` are numbered from 0, `codes` from 0 to below `k`. A tie is none.
    """
    counts = np.zeros((items.max() + 1, k), np.int64)
    np.add.at(counts, (items, codes), 1)
    others = counts[items]
    others[np.arange(len(codes)), codes] -= 1
    most = others.max(axis=1)
    is_clear = (most > 0) & ((others == most[:, None]).sum(axis=1) == 1)
    rest: NDArray[np.int64] = np.where(is_clear, others.argmax(axis=1), -1)
    return rest


def _of_pace(queue: AnnotationQueue, now: datetime) -> Iterator[_Tested]:
    with connection.cursor() as cursor:
        cursor.execute(_PACE, {**_window(now), "queue": queue.pk})
        rows = cursor.fetchall()
    for reviewer_id in sorted({row[0] for row in rows}):
        before, after = (
            [dwell for person, dwell, recent in rows if person == reviewer_id and recent == when]
            for when in (False, True)
        )
        value = drift.pace_p(before, after)
        if value is not None:
            kind = DriftAlarm.Kind.PACE
            sizes = len(before), len(after)
            alarm = _alarm(reviewer_id, kind, value, sizes, queue=queue, now=now)
            alarm.before = float(np.median(before)) / 1000
            alarm.after = float(np.median(after)) / 1000
            yield _Tested(value, alarm)


def _alarm(
    reviewer_id: int,
    kind: str,
    p_value: float,
    sizes: tuple[int, int],
    *,
    queue: AnnotationQueue,
    now: datetime,
) -> DriftAlarm:
    return DriftAlarm(
        queue=queue,
        reviewer_id=reviewer_id,
        kind=kind,
        week=(now - timedelta(days=now.weekday())).date(),
        p_value=p_value,
        n_before=sizes[0],
        n_after=sizes[1],
        raised_at=now,
    )


def alarms_of(queue: AnnotationQueue, now: datetime) -> list[DriftAlarm]:
    """Return the alarms of the last quarter that were not noted, the newest first."""
    return list(
        DriftAlarm.objects.filter(queue=queue, noted_at=None, raised_at__gte=now - SHOWN_FOR)
        .select_related("reviewer", "rubric_item")
        .order_by(F("raised_at").desc(), "p_value", "pk")
    )


def note(queue: AnnotationQueue, alarm_id: int, person: Any, now: datetime) -> bool:
    """Mark an alarm as noted; return whether it was open."""
    open_alarms = DriftAlarm.objects.filter(queue=queue, pk=alarm_id, noted_at=None)
    return open_alarms.update(noted_at=now, noted_by=person) == 1
