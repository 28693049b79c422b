"""How often reviewers gave the expected answer on gold items, and which items most people miss.

An answer is right when it is the expected category, or on a continuous scale within a twentieth of
the scale from the expected number. All answers are judged by the newest version of what is
expected. "Can't judge" is neither right nor wrong. The intervals are Wilson's (1927), at 95 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from annotations.models import AnnotationQueue
from annotations.quality.proportions import Proportion
from observatory import exact

TARGET = 0.85
"""A reviewer is flagged when even the upper bound of their accuracy is below."""
MIN_ITEMS = 5
"""Gold items a reviewer has answered before they can be flagged: one miss proves nothing."""
MIN_ANSWERS = 3
"""Answers on a gold item before it is put under review itself."""
TOLERANCE = 0.05  # of a continuous scale


@dataclass(frozen=True, slots=True)
class ReviewerAccuracy:
    """A reviewer's accuracy on one question (`key`), or on whole items (`key` is None)."""

    reviewer_id: int
    username: str
    key: str | None
    right: Proportion

    @property
    def is_flagged(self) -> bool:
        """Whether even the upper bound is below the target."""
        return self.right.n >= MIN_ITEMS and self.right.high < TARGET


@dataclass(frozen=True, slots=True)
class GoldItem:
    """A gold item: its expected answers, and the share of reviewers who gave them all."""

    item_id: int
    uuid: UUID
    run_id: UUID
    version: int
    answers: dict[str, Any]
    reason: str
    right: Proportion

    @property
    def is_questionable(self) -> bool:
        """Whether more than half of the reviewers missed it, so that it may be wrong itself."""
        return self.right.n >= MIN_ANSWERS and 2 * self.right.k < self.right.n


@dataclass(frozen=True, slots=True)
class GoldReport:
    """The gold items of a queue, the most missed first, and each reviewer's accuracy on them."""

    items: list[GoldItem]
    reviewers: list[ReviewerAccuracy]  # on whole items, the least accurate first
    by_key: list[ReviewerAccuracy]


_EXPECTED = """
SELECT i.id, i.uuid, i.run_id, g.version, g.answers, g.reason
FROM annotations_queueitem i
JOIN LATERAL (SELECT e.version, e.answers, e.reason FROM annotations_goldanswer e
              WHERE e.item_id = i.id ORDER BY e.version DESC LIMIT 1) g ON true
WHERE i.queue_id = %(queue)s AND i.state = 'gold'
ORDER BY i.id
"""
# One row per gold item, reviewer and question that was answered on its scale.
_ANSWERS = f"""
WITH gold AS ({_EXPECTED}),
expected AS (
    SELECT gold.id AS item_id, e.key, (e.value ->> 'score')::float8 AS score,
        e.value ->> 'value' AS value,
        CASE WHEN q.kind = 'continuous'
             THEN %(tolerance)s * coalesce(q.maximum - q.minimum, 0) ELSE 0 END + 1e-9 AS reach
    FROM gold CROSS JOIN jsonb_each(gold.answers) e
    JOIN annotations_rubricitem q
        ON q.queue_id = %(queue)s AND q.feedback_key = e.key AND q.retired_at IS NULL
)
SELECT v.item_id, v.reviewer_id, u.username, x.key,
    CASE WHEN x.score IS NULL THEN v.scores -> x.key ->> 'value' = x.value
         ELSE abs((v.scores -> x.key ->> 'score')::float8 - x.score) <= x.reach END AS is_right
FROM annotations_review v
JOIN expected x ON x.item_id = v.item_id
JOIN workspaces_user u ON u.id = v.reviewer_id
WHERE v.queue_id = %(queue)s AND v.is_gold AND v.retracted_at IS NULL
ORDER BY v.id, x.key
"""


def report(queue: AnnotationQueue) -> GoldReport:
    """Return the accuracy of a queue's reviewers on its gold items. Two statements."""
    parameters = {"queue": queue.pk, "tolerance": TOLERANCE}
    with connection.cursor() as cursor:
        cursor.execute(_EXPECTED, parameters)
        expected = cursor.fetchall()
        cursor.execute(_ANSWERS, parameters)
        answers = [row for row in cursor.fetchall() if row[-1] is not None]
    names = {reviewer_id: name for _, reviewer_id, name, _, _ in answers}
    by_review: dict[tuple[int, int], bool] = {}
    by_key: dict[tuple[int, str], list[bool]] = defaultdict(list)
    for item_id, reviewer_id, _, key, is_right in answers:
        place = item_id, reviewer_id
        by_review[place] = by_review.get(place, True) and is_right
        by_key[reviewer_id, key].append(is_right)
    by_item: dict[int, list[bool]] = defaultdict(list)
    by_reviewer: dict[int, list[bool]] = defaultdict(list)
    for (item_id, reviewer_id), is_right in by_review.items():
        by_item[item_id].append(is_right)
        by_reviewer[reviewer_id].append(is_right)
    items = [
        GoldItem(
            item_id=item_id,
            uuid=uuid,
            run_id=run_id,
            version=version,
            answers=exact.loads(expected_answers),
            reason=reason,
            right=Proportion.of(by_item[item_id]),
        )
        for item_id, uuid, run_id, version, expected_answers, reason in expected
    ]
    return GoldReport(
        items=sorted(items, key=lambda item: (item.right.share, item.item_id)),
        reviewers=_ordered(
            ReviewerAccuracy(pk, names[pk], None, Proportion.of(outcomes))
            for pk, outcomes in by_reviewer.items()
        ),
        by_key=_ordered(
            ReviewerAccuracy(pk, names[pk], key, Proportion.of(outcomes))
            for (pk, key), outcomes in by_key.items()
        ),
    )


def _ordered(rows: Iterable[ReviewerAccuracy]) -> list[ReviewerAccuracy]:
    return sorted(rows, key=lambda row: (row.right.share, row.username, row.key or ""))
