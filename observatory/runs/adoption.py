"""Fill in the trace and project of runs that arrived before their parent or root."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from observatory.db import prepared
from observatory.workspaces.models import Workspace

# ORDER BY, so that the planner has to use the two partial indexes: for a plain EXISTS it
# expects to find such a run early and reads the whole table.
WAITING: Final = (
    "exists(SELECT FROM (SELECT 1 FROM runs_run r WHERE r.workspace_id = change.workspace_id"
    " AND r.trace_id = r.id AND r.parent_run_id IS NOT NULL"
    " ORDER BY r.workspace_id, r.parent_run_id LIMIT 1) waits_for_trace)",
    "exists(SELECT FROM (SELECT 1 FROM runs_run r WHERE r.workspace_id = change.workspace_id"
    " AND r.project_id IS NULL ORDER BY r.workspace_id, r.trace_id LIMIT 1) waits_for_project)",
    "exists(SELECT FROM runs_modelprice p WHERE p.workspace_id = change.workspace_id)",
)
"""For `changes.note`: whether any run waits for its trace, any for its project, and whether the
workspace has prices.
"""
_ADOPT_TRACE = (
    "UPDATE runs_run r SET trace_id = parent.trace_id FROM runs_run parent"
    " WHERE r.workspace_id = %s AND r.trace_id = r.id AND r.parent_run_id IS NOT NULL"
    " AND parent.workspace_id = r.workspace_id AND parent.id = r.parent_run_id"
    " AND parent.id <> r.id AND (r.parent_run_id = ANY(%s::uuid[]) OR r.id = ANY(%s::uuid[]))"
    " AND (parent.parent_run_id IS NULL OR parent.trace_id <> parent.id)"
    " RETURNING r.id"
)
_ADOPT_PROJECT = (
    "UPDATE runs_run r SET project_id = root.project_id, is_adopted = true FROM runs_run root"
    " WHERE r.workspace_id = %s AND r.project_id IS NULL"
    " AND (r.trace_id = ANY(%s::uuid[]) OR r.id = ANY(%s::uuid[]))"
    " AND root.workspace_id = r.workspace_id AND root.id = r.trace_id AND root.id <> r.id"
    " AND root.project_id IS NOT NULL AND NOT root.is_adopted"
    " RETURNING r.id"
)


def adopt(
    workspace: Workspace, run_ids: list[UUID], waits_for_trace: bool, waits_for_project: bool
) -> list[UUID]:
    """Copy the parent's trace and the trace's project to runs that were waiting for them.

    A patch need not name its project, nor a child its trace, and the parent may arrive later. Few
    runs ever wait, and two partial indexes hold exactly those. Return the ids of runs that got a
    project: they have changed, though no op named them.
    """
    adopted: list[UUID] = []
    changed = run_ids
    with prepared.cursor() as cursor:
        while waits_for_trace and changed:
            ids = prepared.uuid_array(changed)
            cursor.execute(_ADOPT_TRACE, [workspace.pk, ids, ids])
            changed = [row[0] for row in cursor.fetchall()]
            run_ids = run_ids + changed
        if waits_for_project:
            ids = prepared.uuid_array(run_ids)
            cursor.execute(_ADOPT_PROJECT, [workspace.pk, ids, ids])
            adopted = [row[0] for row in cursor.fetchall()]
    return adopted
