"""`annotation_status` of a run: what became of it in the queues, as an attribute of the run.

`filled` once it is reviewed and no queue waits for it any more, `empty` while one waits that
had been reviewed. Whoever spoke last is right: a review completed or taken back, or the
application that sets the attribute itself. Setting it from outside is a statement about the run
only: it neither closes an open item nor opens a completed one. A run that waits for its first
review has no status but the one it was sent with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from observatory.feedback.attributes import EMPTY, FILLED, STATUS
from observatory.runs import merge
from observatory.workspaces.models import Workspace

_TOLD = """
SELECT i.run_id, bool_or(i.state = 'open'),
    greatest(max(i.completed_at), max(i.reopened_at), max(i.removed_at))
FROM annotations_queueitem i
WHERE i.workspace_id = %(workspace)s AND i.run_id = ANY(%(runs)s::uuid[])
GROUP BY i.run_id
HAVING bool_or(i.state <> 'removed' AND (i.completed_at IS NOT NULL OR i.reopened_at IS NOT NULL))
"""
# An equal rank is our own: the same moment, told again.
_SET = """
WITH wanted AS (
    SELECT r.workspace_id, r.id, v.status, v.rank
    FROM unnest(%(runs)s::uuid[], %(statuses)s::text[], %(ranks)s::text[]) v(id, status, rank)
    JOIN runs_run r ON r.workspace_id = %(workspace)s AND r.id = v.id
    WHERE r.metadata ->> %(name)s IS DISTINCT FROM v.status
      AND coalesce(r.clock ->> %(member)s, '') COLLATE "C" <= v.rank COLLATE "C"
    ORDER BY r.id FOR NO KEY UPDATE OF r
)
UPDATE runs_run r SET
    metadata = r.metadata || jsonb_build_object(%(name)s::text, w.status),
    clock = coalesce(r.clock, '{}'::jsonb) || jsonb_build_object(%(member)s::text, w.rank),
    modified_at = %(now)s
FROM wanted w WHERE r.workspace_id = w.workspace_id AND r.id = w.id
"""


def sync_annotation_status(workspace: Workspace, run_ids: Sequence[UUID], now: datetime) -> int:
    """Set the status of those of these runs that were reviewed; return how many changed.

    Notes no Change: the caller is acting on one.
    """
    with connection.cursor() as cursor:
        scope: dict[str, Any] = {
            "workspace": workspace.pk,
            "runs": "{" + ",".join(map(str, run_ids)) + "}",
        }
        cursor.execute(_TOLD, scope)
        found = sorted(cursor.fetchall())
        if not found:
            return 0
        cursor.execute(
            _SET,
            {
                "workspace": workspace.pk,
                "name": STATUS,
                "member": merge.METADATA + STATUS,
                "runs": [run_id for run_id, _, _ in found],
                "statuses": [EMPTY if is_open else FILLED for _, is_open, _ in found],
                "ranks": [merge.stamp(at.astimezone(UTC)) for _, _, at in found],
                "now": now,
            },
        )
        n_changed: int = cursor.rowcount
    return n_changed
