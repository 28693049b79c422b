"""Queries of the pages about projects and traces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from observatory.runs import sums
from observatory.runs.durations import LATENCY
from observatory.runs.models import Project, Run
from observatory.workspaces.models import Workspace

PAGE = 50
WINDOW = timedelta(days=7)
TRACE_ROWS = 500


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project and its root runs that started within WINDOW; latencies in seconds.

    Tokens are those of its llm runs: a root may report none itself.
    """

    project: Project
    run_count: int = 0
    error_rate: float | None = None
    latency_p50: float | None = None
    latency_p99: float | None = None
    total_tokens: int | None = None
    last_at: datetime | None = None


_ROWS = f"""
SELECT p.id, coalesce(s.n, 0), s.errors, s.p50, s.p99, t.tokens, l.at
FROM runs_project p
LEFT JOIN LATERAL (
    SELECT count(*) AS n,
        count(*) FILTER (WHERE r.error IS NOT NULL)::float8 / nullif(count(*), 0) AS errors,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY {LATENCY.format(r="r")}) AS p50,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY {LATENCY.format(r="r")}) AS p99
    FROM runs_run r
    WHERE r.project_id = p.id AND r.parent_run_id IS NULL AND r.start_time >= %(since)s
) s ON true
LEFT JOIN LATERAL (
    SELECT {sums.tokens("r.total_tokens")} AS tokens FROM runs_run r
    WHERE r.project_id = p.id AND r.run_type = 'llm' AND r.start_time >= %(since)s
) t ON true
LEFT JOIN LATERAL (
    SELECT r.start_time AS at FROM runs_run r
    WHERE r.project_id = p.id AND r.start_time IS NOT NULL
    ORDER BY r.start_time DESC, r.id DESC LIMIT 1
) l ON true
WHERE p.workspace_id = %(workspace)s
ORDER BY l.at DESC NULLS LAST, p.name
"""


def project_rows(workspace: Workspace, *, now: datetime) -> list[ProjectRow]:
    """Return every project, the most recently used first, with figures of the last WINDOW."""
    projects = {project.pk: project for project in Project.objects.filter(workspace=workspace)}
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"since": now - WINDOW, "workspace": workspace.pk})
        return [ProjectRow(projects[row[0]], *row[1:]) for row in cursor if row[0] in projects]


def steps_of(workspace: Workspace, trace_id: UUID) -> QuerySet[Run]:
    """Return the runs of a trace without their payloads, by start."""
    return (
        Run.objects.filter(workspace=workspace, trace_id=trace_id)
        .only(
            "id",
            "workspace_id",
            "parent_run_id",
            "name",
            "run_type",
            "status",
            "start_time",
            "end_time",
            "elapsed_s",
            "dotted_order",
        )
        .order_by("start_time", "id")
    )


def stored(workspace: Workspace, run_id: UUID) -> Run | None:
    """Return the run with all its fields, or None if unknown or in another workspace."""
    return Run.objects.filter(workspace=workspace, id=run_id).select_related("project").first()
