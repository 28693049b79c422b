"""POST /runs/stats: figures of runs, together or by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs import schemas as shapes
from observatory.api.runs.query import query_errors, run_query
from observatory.feedback import summary
from observatory.runs import search, stats, totals
from observatory.runs.search import RunQuery
from observatory.runs.stats import Grouping

DETAILS: Final = (
    *("prompt_token_details", "completion_token_details"),
    *("prompt_cost_details", "completion_cost_details"),
)
BESIDE: Final = ("feedback_stats", "run_facets")
"""Returned beside the runs' own figures when nothing is selected."""
SELECTED_ALONE: Final = ("thread_feedback_stats", "session_feedback_stats", "group_count")
TOGETHER: Final = {
    "all_run_stats": (
        *("run_count", "latency_p50", "latency_p99", "latency_avg"),
        *("first_token_p50", "first_token_p99", "error_rate", "streaming_rate"),
        "last_run_start_time",
    ),
    "all_token_stats": tuple(name for name in stats.FIELDS if "tokens" in name or "cost" in name),
}
"""Selections that stand for several."""
SELECTABLE: Final = frozenset({*stats.FIELDS, *BESIDE, *SELECTED_ALONE, *DETAILS, *TOGETHER})
DEFAULT_GROUPS: Final = 5
"""The hosted service's default of `max_groups`."""


def selected(body: shapes.RunStatsQuery) -> list[str]:
    """Return the figures that the body selects, all but details if none. Raises ParseError."""
    details = DETAILS if body.include_details else ()
    if body.select is None:
        return [*stats.FIELDS, *BESIDE, *details]
    names: list[str] = []
    for name in body.select:
        if name not in SELECTABLE:
            raise ParseError(f"select: {name[:60]!r} is not a figure of runs")
        names += TOGETHER.get(name, (name,))
    return list(dict.fromkeys([*names, *details]))


def grouping_of(body: shapes.RunStatsQuery) -> Grouping | None:
    """Return how the body groups, None if it does not. Raises ParseError (400)."""
    group = body.group_by
    if group is None:
        if body.groups is not None:
            raise ParseError("groups: needs group_by")
        return None
    if group.attribute == "metadata" and not group.path:
        raise ParseError("group_by.path: is required for metadata: its key")
    limit = group.max_groups
    if limit is None:
        limit = DEFAULT_GROUPS if body.groups is None else len(body.groups)
    return Grouping(
        attribute=group.attribute, path=group.path or "", max_groups=limit, labels=body.groups
    )


class RunStats(WorkspaceView):
    """POST /runs/stats, as the SDK's get_run_stats sends it; with group_by a map of groups."""

    @endpoint(body=shapes.RunStatsQuery, answer=shapes.RunStats)
    def post(self, request: Request, body: shapes.RunStatsQuery) -> Response:
        query, names, grouping = run_query(body), selected(body), grouping_of(body)
        own_figures = [name for name in names if name in stats.FIELDS]
        with query_errors():
            if grouping is None:
                figures = stats.of_runs(self.workspace, query, own_figures)
                return Response(self._with_rest({None: figures}, query, names, None)[None])
            groups = stats.grouped(self.workspace, query, grouping, own_figures)
            if groups and set(names) - set(stats.FIELDS):
                same = Grouping(
                    attribute=grouping.attribute, path=grouping.path, labels=list(groups)
                )
                groups = self._with_rest(groups, query, names, same)
        return Response(
            {"null" if label is None else label: figures for label, figures in groups.items()}
        )

    def _with_rest(
        self,
        groups: dict[str | None, dict[str, Any]],
        query: RunQuery,
        names: list[str],
        grouping: Grouping | None,
    ) -> dict[str | None, dict[str, Any]]:
        """Return the groups with what is stored beside runs, in one query per kind."""
        by_label = self._by_label(query, names, grouping)
        of_all: dict[str, Any] = {}
        if "session_feedback_stats" in names:
            projects = search.project_ids(self.workspace, query)
            of_all["session_feedback_stats"] = summary.said_of_projects(self.workspace.pk, projects)
        return {
            label: {
                **figures,
                **{
                    name: values.get(label, [] if name == "run_facets" else {})
                    for name, values in by_label.items()
                },
                **of_all,
            }
            for label, figures in groups.items()
        }

    def _by_label(
        self, query: RunQuery, names: list[str], grouping: Grouping | None
    ) -> dict[str, Mapping[str | None, Any]]:
        """Return the selected feedback, facets and details: name -> label of the group -> value."""
        workspace = self.workspace
        chosen = stats.chosen(workspace, query, grouping)
        runs = chosen.rows()
        by_label: dict[str, Mapping[str | None, Any]] = {}
        if "feedback_stats" in names:
            by_label["feedback_stats"] = summary.stats_of_chosen(workspace.pk, runs)
        if "thread_feedback_stats" in names:
            by_label["thread_feedback_stats"] = summary.stats_of_chosen(
                workspace.pk, runs, level="thread"
            )
        if "run_facets" in names:
            by_label["run_facets"] = stats.facets(chosen)
        details = set(names) & set(DETAILS)
        if details:
            parts = totals.details_of_chosen(workspace.pk, runs, whole_traces=bool(query.is_root))
            for name in details:
                by_label[name] = {label: kinds.get(name, {}) for label, kinds in parts.items()}
        return by_label
