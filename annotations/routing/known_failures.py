"""Which runs are known failures: the user was dissatisfied, or reviewers called the answer wrong.

Reads reviews of completed items only: no reviewer still has to judge these, so a count of them
shows no answer too early.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

# An answer is on the bad side when it is below the middle of its scale, or above it where the key
# says that lower is better. A question of named categories without an order has no bad side.
_REVIEWED = """
SELECT i.run_id, avg(review.is_wrong::int) >= 0.5
FROM annotations_queueitem i
CROSS JOIN LATERAL (
    SELECT v.correction IS NOT NULL OR EXISTS (
        SELECT FROM annotations_rating g
        JOIN annotations_rubricitem q ON q.id = g.rubric_item_id
        LEFT JOIN feedback_feedbackconfig c
            ON c.workspace_id = i.workspace_id AND c.key = q.feedback_key
        CROSS JOIN LATERAL (SELECT CASE
            WHEN q.kind = 'boolean' THEN g.code::float8
            WHEN g.code IS NOT NULL AND q.level IN ('ordinal', 'interval')
                THEN g.code::float8 / nullif(jsonb_array_length(q.categories) - 1, 0)
            WHEN g.number IS NOT NULL
                THEN (g.number - q.minimum) / nullif(q.maximum - q.minimum, 0)
            END) scale(place)
        WHERE g.review_id = v.id
          AND CASE WHEN coalesce(c.is_lower_score_better, false)
              THEN scale.place > 0.5 ELSE scale.place < 0.5 END
    ) AS is_wrong
    FROM annotations_review v
    WHERE v.item_id = i.id AND v.is_counted AND v.retracted_at IS NULL
) review
WHERE i.workspace_id = %s AND i.run_id = ANY(%s::uuid[]) AND i.state = 'completed'
GROUP BY i.run_id
"""


def reviewed(workspace_id: int, run_ids: Sequence[UUID]) -> dict[UUID, bool]:
    """Return the completely reviewed runs among these, and whether half their reviews say wrong.

    A review says wrong with a correction, or with an answer on the bad side of its scale.
    """
    if not run_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_REVIEWED, [workspace_id, list(run_ids)])
        return dict(cursor.fetchall())
