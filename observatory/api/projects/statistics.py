"""Statistics of projects: which are selected, reading them, sorting projects by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.exceptions import ParseError

from observatory.api.kit.errors import Unprocessable
from observatory.api.projects import schemas as shapes
from observatory.api.runs.members import filter_in
from observatory.api.runs.query import query_errors
from observatory.feedback import summary
from observatory.runs import stats
from observatory.runs.filters.grammar import Node
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace

SORTED_BY_COLUMN: Final = ("name", "start_time")
SORTED_BY_STATS: Final = ("last_run_start_time", "latency_p50", "latency_p99", "error_rate")
LIVE: Final = "last_run_start_time_live"
STATS: Final = frozenset(
    {*stats.OF_A_PROJECT, LIVE, "run_facets", "feedback_stats", "session_feedback_stats"}
)
"""What `stats_select` may name."""


@dataclass(frozen=True)
class Selection:
    """Statistics of projects, and the runs they are of: from `since` on, those of `filter`.

    `names` None means all; `has_facets` adds `run_facets`, which cost a query.
    """

    since: datetime | None = None
    filter: Node | None = None
    names: frozenset[str] | None = None
    has_facets: bool = False

    def includes(self, name: str) -> bool:
        return self.names is None or name in self.names


def selection_of(query: shapes.StatsQuery, *, has_facets: bool) -> Selection:
    """Return the statistics that a query selects.

    Raises Unprocessable for an unknown name, ParseError for a malformed filter.
    """
    for name in query.stats_select or ():
        if name not in STATS:
            raise Unprocessable(f"stats_select: {name[:60]!r} is not a statistic of a project")
    try:
        node = filter_in(query.stats_filter or "")
    except ValueError as error:
        raise ParseError(f"stats_filter: {error}") from None
    return Selection(
        since=query.stats_start_time,
        filter=node,
        names=frozenset(query.stats_select or ()) or None,
        has_facets=has_facets,
    )


def statistics_of(
    workspace: Workspace, projects: Sequence[Project], selection: Selection
) -> dict[int, dict[str, Any]]:
    """Return the statistics of each project by its internal id, in a constant number of queries.

    Raises TooSlow (400).
    """
    ids = [project.pk for project in projects]
    figures_of, feedback_of_runs, feedback_of_project, facets = {}, {}, {}, {}
    since, node = selection.since, selection.filter
    chosen = stats.chosen_of_projects(workspace.pk, ids, since=since, only=node)
    with query_errors():
        if any(selection.includes(name) for name in (*stats.OF_A_PROJECT, LIVE)):
            figures_of = stats.of_projects(workspace.pk, ids, since=since, only=node)
        if selection.includes("feedback_stats"):
            feedback_of_runs = _feedback_of_runs(workspace, ids, selection, chosen)
        if selection.has_facets and selection.includes("run_facets") and ids:
            facets = stats.facets(chosen)
    if selection.includes("session_feedback_stats"):
        feedback_of_project = summary.project_stats(workspace.pk, ids, level="session")
    statistics = {}
    for project_id in ids:
        figures = figures_of.get(project_id, stats.NOTHING)
        every = {
            **figures,
            LIVE: figures["last_run_start_time"],
            "run_facets": facets.get(str(project_id), []),
            "feedback_stats": feedback_of_runs.get(project_id, {}),
            "session_feedback_stats": feedback_of_project.get(project_id, {}),
        }
        statistics[project_id] = {
            name: value for name, value in every.items() if selection.includes(name)
        }
    return statistics


def _feedback_of_runs(
    workspace: Workspace, ids: list[int], selection: Selection, chosen: stats.Chosen
) -> dict[int, Any]:
    if selection.since is None and selection.filter is None:
        return summary.project_stats(workspace.pk, ids, level="run")
    if not ids:
        return {}
    by_label = summary.stats_of_chosen(workspace.pk, chosen.rows())
    return {int(label): feedback for label, feedback in by_label.items() if label is not None}


def ordered(
    workspace: Workspace,
    projects: QuerySet[Project],
    sort_by: str,
    selection: Selection,
    *,
    is_descending: bool,
    feedback_key: str = "",
    feedback_level: str = "feedback_stats",
) -> QuerySet[Project] | list[Project]:
    """Return projects by a column, or all of them by a statistic; those without it last.

    `feedback_level` is `feedback_stats` or `session_feedback_stats`. Raises Unprocessable.
    """
    if sort_by in SORTED_BY_COLUMN:
        sign = "-" if is_descending else ""
        return projects.order_by(f"{sign}{sort_by}", f"{sign}id")
    if sort_by not in (*SORTED_BY_STATS, "feedback"):
        known = ", ".join((*SORTED_BY_COLUMN, *SORTED_BY_STATS))
        raise Unprocessable(f"sort_by: must be {known} or feedback")
    name = feedback_level if sort_by == "feedback" else sort_by
    listed = list(projects)
    only = Selection(selection.since, selection.filter, frozenset({name}))
    ranks: dict[int, Any] = {
        project_id: statistics[name]
        for project_id, statistics in statistics_of(workspace, listed, only).items()
    }
    if sort_by == "feedback":
        ranks = {
            project_id: by_key.get(feedback_key, {}).get("avg")
            for project_id, by_key in ranks.items()
        }
    ranked = [project for project in listed if ranks[project.pk] is not None]
    ranked.sort(key=lambda project: ranks[project.pk], reverse=is_descending)
    return ranked + [project for project in listed if ranks[project.pk] is None]
