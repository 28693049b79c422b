"""The direct children of runs."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from observatory.runs.search import RunRow


def children_of(workspace_id: int, rows: Iterable[RunRow]) -> dict[UUID, list[UUID]]:
    """Return the direct children of each run, in execution order, in one query."""
    listed = list(rows)
    children: dict[UUID, list[UUID]] = {row.id: [] for row in listed}
    if not listed:
        return children
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT parent_run_id, id FROM runs_run WHERE workspace_id = %s"
            " AND trace_id = ANY(%s) AND parent_run_id = ANY(%s)"
            " ORDER BY dotted_order, start_time, id",
            [workspace_id, list({row.trace_id for row in listed}), list(children)],
        )
        for parent, child in cursor.fetchall():
            children[parent].append(child)
    return children
