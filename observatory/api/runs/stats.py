"""POST /runs/stats: what runs come to, together or by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs import schemas as shapes
from observatory.api.runs.query import TooSlow, flag_of, query_in, text_of
from observatory.feedback import summary
from observatory.runs import search, stats, totals
from observatory.runs.search import RunQuery
from observatory.runs.stats import Grouping

DETAILS: Final = (
    *("prompt_token_details", "completion_token_details"),
    *("prompt_cost_details", "completion_cost_details"),
)
BESIDE: Final = ("feedback_stats", "run_facets")
"""What is told beside the runs' own figures when nothing is selected."""
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
"""As many as the hosted service tells of, unless `max_groups` says otherwise."""


def selected(body: Mapping[str, Any]) -> list[str]:
    """Return the figures that the body selects, all but details if none. Raises ParseError."""
    given, details = body.get("select"), flag_of(body, "include_details")
    more = DETAILS if details else ()
    if not given:
        return [*stats.FIELDS, *BESIDE, *more]
    if not isinstance(given, list):
        raise ParseError("select: expects a list of figures")
    names: list[str] = []
    for name in given:
        if not isinstance(name, str) or name not in SELECTABLE:
            raise ParseError(f"select: {str(name)[:60]!r} is no figure of runs")
        names += TOGETHER.get(name, (name,))
    return list(dict.fromkeys([*names, *more]))


def grouping_in(body: Mapping[str, Any]) -> Grouping | None:
    """Return how the body groups, None if it does not. Raises ParseError (400)."""
    group, labels = body.get("group_by"), _labels(body)
    if group is None:
        if labels is not None:
            raise ParseError("groups: names groups of group_by, which is missing")
        return None
    if not isinstance(group, dict):
        raise ParseError("group_by: expects an object")
    attribute, path = group.get("attribute"), text_of(group, "path") or ""
    if attribute not in ("name", "run_type", "tag", "metadata"):
        raise ParseError("group_by.attribute: expects name, run_type, tag or metadata")
    if attribute == "metadata" and not path:
        raise ParseError("group_by.path: names the metadata key")
    most = group.get("max_groups")
    if most is None:
        most = DEFAULT_GROUPS if labels is None else len(labels)
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ParseError("group_by.max_groups: expects a whole number from 1")
    return Grouping(attribute=attribute, path=path, max_groups=most, labels=labels)


def _labels(body: Mapping[str, Any]) -> list[str | None] | None:
    given = body.get("groups")
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > stats.MAX_GROUPS:
        raise ParseError(f"groups: expects an array of at most {stats.MAX_GROUPS} groups")
    if not all(each is None or isinstance(each, str) for each in given):
        raise ParseError("groups: expects texts, or null for runs without the attribute")
    return [each if each is None else text_of({"groups": each}, "groups") or "" for each in given]


class RunStats(WorkspaceView):
    """POST /runs/stats, as the SDK's get_run_stats sends it; with group_by a map of groups."""

    @endpoint(body=shapes.RunStatsQuery, answer=shapes.RunStats)
    def post(self, request: Request) -> Response:
        body: Any = request.data
        wanted, names, grouping = query_in(body), selected(body), grouping_in(body)
        for hint in ("skip_pagination", "use_experimental_search"):
            flag_of(body, hint)  # there are no pages, and one search alone
        try:
            if grouping is None:
                figures = stats.of_runs(self.workspace, wanted, _figures(names))
                told = self._with_rest({None: figures}, wanted, names, None)[None]
                return Response(told)
            found = stats.grouped(self.workspace, wanted, grouping, _figures(names))
            if found and set(names) - set(stats.FIELDS):
                same = Grouping(
                    attribute=grouping.attribute, path=grouping.path, labels=list(found)
                )
                found = self._with_rest(found, wanted, names, same)
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        return Response({"null" if label is None else label: told for label, told in found.items()})

    def _with_rest(
        self,
        found: dict[str | None, dict[str, Any]],
        wanted: RunQuery,
        names: list[str],
        grouping: Grouping | None,
    ) -> dict[str | None, dict[str, Any]]:
        """Return the groups with what is stored beside runs, in one query a kind."""
        workspace = self.workspace
        by_label: dict[str, Mapping[str | None, Any]] = {}
        chosen = stats.chosen(workspace, wanted, grouping)
        runs = chosen.rows()
        for name, level in (("feedback_stats", "run"), ("thread_feedback_stats", "thread")):
            if name in names:
                by_label[name] = summary.stats_of_chosen(
                    workspace.pk, runs, level="run" if level == "run" else "thread"
                )
        if "run_facets" in names:
            by_label["run_facets"] = stats.facets(chosen)
        if set(names) & set(DETAILS):
            parts = totals.details_of_chosen(workspace.pk, runs, whole_traces=bool(wanted.is_root))
            for name in set(names) & set(DETAILS):
                by_label[name] = {label: kinds.get(name, {}) for label, kinds in parts.items()}
        same: dict[str, Any] = {}
        if "session_feedback_stats" in names:
            projects = search.project_ids(workspace, wanted)
            same["session_feedback_stats"] = summary.said_of_projects(workspace.pk, projects)
        return {
            label: {
                **figures,
                **{
                    name: of.get(label, [] if name == "run_facets" else {})
                    for name, of in by_label.items()
                },
                **same,
            }
            for label, figures in found.items()
        }


def _figures(names: list[str]) -> list[str]:
    return [name for name in names if name in stats.FIELDS]
