"""Answers that are no ratings: "can't judge", and feedback that no reviewer gave.

Like agreement itself this reads completed items of a blind queue only (`blindness`).
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from annotations.models import AnnotationQueue

_SETTLED = "i.state = 'completed' OR (i.state = 'open' AND NOT q.is_blind)"
_CANT_JUDGE = f"""
SELECT answer.key, count(*) FROM annotations_review v
JOIN annotations_queueitem i ON i.id = v.item_id
JOIN annotations_annotationqueue q ON q.id = i.queue_id
CROSS JOIN jsonb_each(v.scores) answer
WHERE v.queue_id = %(queue)s AND v.scores @? '$.*.cant_judge'
  AND v.retracted_at IS NULL AND v.is_counted AND ({_SETTLED})
  AND jsonb_typeof(answer.value) = 'object' AND jsonb_exists(answer.value, 'cant_judge')
  AND (%(since)s::timestamptz IS NULL OR v.submitted_at >= %(since)s)
GROUP BY answer.key
"""
_OF_NO_REVIEWER = f"""
SELECT f.key, count(*) FROM annotations_queueitem i
JOIN annotations_annotationqueue q ON q.id = i.queue_id
JOIN feedback_feedback f ON f.workspace_id = i.workspace_id AND f.run_id = i.run_id
WHERE i.queue_id = %(queue)s AND f.key = ANY(%(keys)s) AND f.review_uuid IS NULL
  AND NOT f.is_sealed AND NOT f.is_attribute AND ({_SETTLED})
  AND (%(since)s::timestamptz IS NULL OR f.created_at >= %(since)s)
GROUP BY f.key
"""


def cant_judge(queue: AnnotationQueue, since: datetime | None) -> dict[str, int]:
    """Return how many reviews say "can't judge", by key. An index has only such reviews."""
    return _counts(_CANT_JUDGE, queue, since, [])


def of_no_reviewer(
    queue: AnnotationQueue, keys: list[str], since: datetime | None
) -> dict[str, int]:
    """Return how much feedback under `keys` came from judges, API clients or end users.

    It is on the runs of the queue's items; the cost is one probe of an index per item.
    """
    return _counts(_OF_NO_REVIEWER, queue, since, keys)


def _counts(
    sql: str, queue: AnnotationQueue, since: datetime | None, keys: list[str]
) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"queue": queue.pk, "since": since, "keys": keys})
        return dict(cursor.fetchall())
