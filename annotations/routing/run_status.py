"""`annotation_status` of a run: its state in the queues, as an attribute of the run.

`filled` once it is reviewed and no queue waits for it any more, `empty` while a queue waits that
had been reviewed. The last write counts: a review completed or undone, or the application that sets
the attribute itself. Setting it by the API only changes the run: it neither closes an open item nor
opens a completed one. A run that waits for its first review keeps the status it was sent with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from observatory.feedback.attributes import EMPTY, FILLED, STATUS
from observatory.runs import amend
from observatory.workspaces.models import Workspace

_REVIEWED = """
SELECT i.run_id, bool_or(i.state IN ('open', 'gold')),
    greatest(max(i.completed_at), max(i.reopened_at), max(i.removed_at))
FROM annotations_queueitem i
WHERE i.workspace_id = %(workspace)s AND i.run_id = ANY(%(runs)s::uuid[])
GROUP BY i.run_id
HAVING bool_or(i.state <> 'removed' AND (i.completed_at IS NOT NULL OR i.reopened_at IS NOT NULL))
"""


def sync_annotation_status(workspace: Workspace, run_ids: Sequence[UUID], now: datetime) -> int:
    """Set the status of the reviewed runs among these; return how many changed.

    Writes no Change row: the caller is already handling one.
    """
    with connection.cursor() as cursor:
        scope: dict[str, Any] = {
            "workspace": workspace.pk,
            "runs": "{" + ",".join(map(str, run_ids)) + "}",
        }
        cursor.execute(_REVIEWED, scope)
        reviewed = cursor.fetchall()
    statuses = {
        run_id: (EMPTY if is_open else FILLED, as_of) for run_id, is_open, as_of in reviewed
    }
    return amend.set_metadata(workspace, STATUS, statuses, now=now)
