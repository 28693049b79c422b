"""Walk over stored runs, newest first, in steps that can be resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from annotations.models import RuleWork
from annotations.routing.matching import ActiveRule
from observatory.runs.models import Project
from observatory.runs.projects import EVALUATORS

STEP = 5_000  # runs

# Each project by its own index; runs without a project are in the same index, under null.
_NEXT = """
SELECT page.start_time, page.id FROM unnest(%(projects)s::int[]) AS project(id),
LATERAL (
    SELECT r.start_time, r.id FROM runs_run r
    WHERE r.project_id = project.id AND {condition}
    ORDER BY r.start_time DESC, r.id DESC LIMIT %(step)s
) page
{without_project}
ORDER BY 1 DESC, 2 DESC LIMIT %(step)s
"""
_WITHOUT_PROJECT = """
UNION ALL (
    SELECT r.start_time, r.id FROM runs_run r
    WHERE r.project_id IS NULL AND {condition}
    ORDER BY r.start_time DESC, r.id DESC LIMIT %(step)s
)
"""
_CONDITION = (
    "r.workspace_id = %(workspace)s AND r.start_time >= %(since)s AND r.start_time < %(before)s"
)


@dataclass(frozen=True)
class Step:
    """The next runs of a walk, with their start times; none at its end."""

    runs: Sequence[tuple[datetime, UUID]]

    @property
    def cursor(self) -> dict[str, Any]:
        """Where the walk goes on after this step."""
        start_time, run_id = self.runs[-1]
        return {"start_time": start_time.isoformat(), "run": str(run_id)}


def next_step(workspace_id: int, rule: ActiveRule, work: RuleWork) -> Step:
    """Return the next runs of `work` in the projects of `rule`, only roots if it asks for roots."""
    condition = _CONDITION + (" AND r.parent_run_id IS NULL" if rule.is_of_roots else "")
    parameters: dict[str, Any] = {
        "projects": _applications(workspace_id) if rule.projects is None else rule.projects,
        "workspace": workspace_id,
        "since": work.started_from,
        "before": work.started_before,
        "step": STEP,
    }
    if work.cursor is not None:
        condition += " AND (r.start_time, r.id) < (%(cursor_time)s, %(cursor_run)s::uuid)"
        parameters["cursor_time"] = datetime.fromisoformat(work.cursor["start_time"])
        parameters["cursor_run"] = work.cursor["run"]
    without = _WITHOUT_PROJECT.format(condition=condition) if rule.projects is None else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)",
            [f"{int(settings.STATEMENT_TIMEOUT_S * 1000)}ms"],
        )
        cursor.execute(_NEXT.format(condition=condition, without_project=without), parameters)
        return Step(cursor.fetchall())


def _applications(workspace_id: int) -> list[int]:
    projects = Project.objects.filter(workspace=workspace_id, reference_dataset_id=None)
    return list(projects.exclude(name=EVALUATORS).values_list("pk", flat=True))
