"""Threads: the conversations of a project, their traces, their figures, sharing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit import cursors
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.bodies import read
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import query_errors
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.api.v2.bodies import choices_of, project_or_404
from observatory.api.v2.runs import page_of
from observatory.api.v2.streaming import PageView
from observatory.feedback import summary
from observatory.runs import search, thread_sharing, threads, totals
from observatory.runs.filters.grammar import Term
from observatory.runs.models import Project
from observatory.runs.ops import MAX_THREAD_ID
from observatory.runs.previews import MAX_PREVIEW, preview
from observatory.runs.search import RunQuery
from observatory.runs.threads import Thread, ThreadQuery, Totals
from observatory.runs.totals import COUNTED, Details
from observatory.wire_values import is_storable

PAGE = 20
DETAILS = (
    *("prompt_token_details", "completion_token_details"),
    *("prompt_cost_details", "completion_cost_details"),
)


def _thread_id(text: str) -> str:
    """Return a thread's id. Raises NotFound for a text that cannot be one."""
    if len(text) > MAX_THREAD_ID or not is_storable(text):
        raise NotFound("Thread not found")
    return text


def _together(details: Details, kind: str) -> dict[str, Any]:
    """Return the categories of prompt and completion as one: `kind` is token or cost."""
    together: dict[str, Any] = {}
    for side in ("prompt", "completion"):
        for category, amount in details.get(f"{side}_{kind}_details", {}).items():
            together[category] = together.get(category, 0) + amount
    return together


def thread_out(
    thread: Thread,
    feedback: dict[str, Any],
    details: Details,
    first_inputs: str | None,
    last_outputs: str | None,
) -> dict[str, Any]:
    """Return a thread as the generated clients read it: langsmith.types.Thread."""
    return {
        "thread_id": thread.thread_id,
        "count": thread.count,
        "num_errored_turns": thread.n_errors,
        "start_time": thread.last_start,
        "min_start_time": thread.first_start,
        "max_start_time": thread.last_start,
        "latency_p50": thread.latency_p50,
        "latency_p99": thread.latency_p99,
        "total_tokens": thread.total_tokens,
        "total_cost": thread.total_cost,
        "total_token_details": _together(details, "token"),
        "total_cost_details": _together(details, "cost"),
        "first_trace_id": thread.first_trace_id,
        "last_trace_id": thread.last_trace_id,
        "trace_id": thread.last_trace_id,
        "first_inputs": preview(first_inputs) or "",
        "last_outputs": preview(last_outputs) or "",
        "last_error": thread.last_error and thread.last_error[:MAX_PREVIEW],
        "feedback_stats": feedback,
    }


class ThreadQueries(PageView):
    """POST /api/v2/threads/query (client.threads.query): threads, the most recently used first."""

    @endpoint(body=shapes.ThreadQueryV2, answer=shapes.ThreadPageV2, errors=(404, 501))
    def post(self, request: Request, body: shapes.ThreadQueryV2) -> Response:
        project, size = project_or_404(self.workspace, body.project_id), body.page_size or PAGE
        query = ThreadQuery(
            filter=body.filter,
            trace_filter=body.trace_filter,
            tree_filter=body.tree_filter,
            thread_filter=body.thread_filter,
            started_from=body.since,
            started_before=body.max_start_time,
            after=tuple(cursors.read(body.cursor, datetime, str)) if body.cursor else None,
        )
        with query_errors():
            rows = threads.listed(project, query, limit=size + 1).threads
        page = rows[:size]
        feedback = summary.thread_stats(project, [thread.thread_id for thread in page])
        details = threads.details(project.workspace_id, page)
        items = [
            thread_out(
                thread,
                feedback.get(thread.thread_id, {}),
                details.get(thread.thread_id, {}),
                *documents,
            )
            for thread, *documents in threads.with_documents(self.workspace, page)
        ]
        last = page[-1] if len(rows) > size else None
        cursor = None if last is None else cursors.written(last.last_start, last.thread_id)
        return Response({"items": items, "next_cursor": cursor})


# The traces of one thread -------------------------------------------------------------------------

_OF_A_RUN = {
    name: name
    for name in (
        *("THREAD_ID", "TRACE_ID", "START_TIME", "END_TIME", "FIRST_TOKEN_TIME", "NAME"),
        *("INPUTS", "OUTPUTS", "INPUTS_PREVIEW", "OUTPUTS_PREVIEW", "ERROR", "ERROR_PREVIEW"),
        *(name.upper() for name in (*COUNTED, *DETAILS)),
    )
} | {"LATENCY": "LATENCY_SECONDS"}
TRACE_FIELDS = frozenset({*_OF_A_RUN, "OP", "TURN_NUMBER"})
"""Fields of a trace that may be selected; `OP`, a code of the hosted service, is left out."""


class ThreadTraces(WorkspaceView):
    """GET /api/v2/threads/{id}/traces (client.threads.list_traces): its roots, oldest first."""

    @endpoint(query=shapes.ThreadTracesQuery, answer=shapes.ThreadTracePage)
    def get(self, request: Request, thread_id: str, query: shapes.ThreadTracesQuery) -> Response:
        project = project_or_404(self.workspace, query.project_id)
        chosen = {*choices_of("selects", query.selects, TRACE_FIELDS), "TRACE_ID"}
        selected = frozenset(_OF_A_RUN[name] for name in chosen if name in _OF_A_RUN)
        thread_id = _thread_id(thread_id)
        filters = [Term("eq", "thread_id", thread_id), *([query.filter] if query.filter else [])]
        page = page_of(
            self,
            RunQuery(
                projects=[project.uuid],
                is_root=True,
                filter=search.all_of(filters),
                trace_filter=query.trace_filter,
                tree_filter=query.tree_filter,
                order="asc",
                limit=query.page_size or PAGE,
                cursor=query.cursor,
                payloads=sorted({*fields.payloads(selected), "usage_details"}),
            ),
        )
        rows = page.runs
        if fields.has_usage(selected):
            details = fields.has_details(selected)
            rows = totals.with_subtree_totals(self.workspace, rows, details=details)
        items = fields.runs_out(self.workspace, rows, selected, request, grant=self.caller.grant)
        for item in items:
            if "latency_seconds" in item:
                item["latency"] = item.pop("latency_seconds")
        if "TURN_NUMBER" in chosen:
            numbers = threads.turns(project, thread_id, [row.id for row in rows])
            for item, row in zip(items, rows, strict=True):
                item["turn_number"] = numbers.get(row.id)
        return Response({"items": items, "next_cursor": page.next_cursor})


# Figures of threads -------------------------------------------------------------------------------

STATS = {
    "TURNS": "turns",
    "FIRST_START_TIME": "first_start_time",
    "LAST_START_TIME": "last_start_time",
    "LAST_END_TIME": "last_end_time",
    "LATENCY_P50": "latency_p50_seconds",
    "LATENCY_P99": "latency_p99_seconds",
    **{name.upper(): name for name in (*COUNTED, *DETAILS, "feedback_stats")},
}
AGGREGATES = {
    "THREAD_COUNT": "thread_count",
    "TRACE_COUNT": "trace_count",
    "ERROR_RATE": "error_rate",
    "STREAMING_RATE": "streaming_rate",
    "LATENCY_P50": "latency_p50_seconds",
    "LATENCY_P99": "latency_p99_seconds",
    "MEDIAN_TOKENS": "median_tokens",
    "FIRST_TOKEN_P50": "first_token_p50_seconds",
    "FIRST_TOKEN_P99": "first_token_p99_seconds",
    **{name.upper(): name for name in (*COUNTED, *DETAILS, "thread_feedback_stats")},
}


def _selected(name: str, words: list[str] | None, known: Mapping[str, str]) -> list[str]:
    """Return the figures that a client selects. Raises ParseError for none and unknown ones."""
    selected = choices_of(name, words, known)
    if not selected:
        raise ParseError(f"{name}: must name at least one of {', '.join(known)}")
    return selected


class ThreadStats(WorkspaceView):
    """GET /api/v2/threads/{id}/stats (client.threads.stats): figures of one thread."""

    @endpoint(query=shapes.ThreadStatsQuery, answer=shapes.ThreadStats)
    def get(self, request: Request, thread_id: str, query: shapes.ThreadStatsQuery) -> Response:
        project = project_or_404(self.workspace, query.session_id)
        selected = _selected("selects", query.selects, STATS)
        of_thread = ThreadQuery(thread_ids=[_thread_id(thread_id)], filter=query.filter)
        with query_errors():
            rows = threads.listed(project, of_thread, limit=1).threads
        if not rows:
            raise NotFound("The project has no such trace of this thread")
        figures = self._figures(rows[0], selected)
        return Response({STATS[name]: figures[STATS[name]] for name in selected})

    def _figures(self, thread: Thread, selected: list[str]) -> dict[str, Any]:
        figures: dict[str, Any] = {
            "turns": thread.count,
            "first_start_time": thread.first_start,
            "last_start_time": thread.last_start,
            "last_end_time": thread.last_end,
            "latency_p50_seconds": thread.latency_p50,
            "latency_p99_seconds": thread.latency_p99,
            **{name: getattr(thread, name) for name in COUNTED},
        }
        if any(name.lower() in DETAILS for name in selected):
            details = threads.details(self.workspace.pk, [thread]).get(thread.thread_id, {})
            figures |= {name: {"raw": details.get(name, {})} for name in DETAILS}
        if "FEEDBACK_STATS" in selected:
            figures["feedback_stats"] = summary.traces_stats(self.workspace.pk, thread.trace_ids)
        return figures


class ThreadAggregates(WorkspaceView):
    """POST /api/v2/threads/stats (client.threads.aggregate_stats): figures of threads together."""

    @endpoint(body=shapes.ThreadAggregateQuery, answer=shapes.ThreadAggregateStats, errors=(404,))
    def post(self, request: Request, body: shapes.ThreadAggregateQuery) -> Response:
        project = project_or_404(self.workspace, body.project_id)
        selected = _selected("select", body.select, AGGREGATES)
        query = ThreadQuery(
            filter=body.filter,
            trace_filter=body.trace_filter,
            tree_filter=body.tree_filter,
            thread_filter=body.thread_filter,
            started_from=body.since,
            started_before=body.max_start_time,
        )
        with query_errors():
            aggregates = threads.aggregated(project, query)
        figures = self._figures(project, aggregates, selected)
        return Response({AGGREGATES[name]: figures[AGGREGATES[name]] for name in selected})

    def _figures(self, project: Project, aggregates: Totals, selected: list[str]) -> dict[str, Any]:
        figures: dict[str, Any] = {
            "thread_count": aggregates.n_threads,
            "trace_count": aggregates.n_traces,
            "error_rate": aggregates.error_rate,
            "streaming_rate": aggregates.streaming_rate,
            "latency_p50_seconds": aggregates.latency_p50,
            "latency_p99_seconds": aggregates.latency_p99,
            "median_tokens": aggregates.median_tokens,
            "first_token_p50_seconds": aggregates.first_token_p50,
            "first_token_p99_seconds": aggregates.first_token_p99,
            **{name: getattr(aggregates, name) for name in COUNTED},
        }
        if any(name.lower() in DETAILS for name in selected):
            pairs = [("", trace) for trace in aggregates.trace_ids]
            details = totals.details_of_groups(self.workspace.pk, pairs).get("", {})
            figures |= {name: details.get(name, {}) for name in DETAILS}
        if "THREAD_FEEDBACK_STATS" in selected:
            figures["thread_feedback_stats"] = summary.said_of_threads(
                project, aggregates.thread_ids
            )
        return figures


# Sharing ------------------------------------------------------------------------------------------


class ThreadSharing(WorkspaceView):
    """POST, GET and DELETE /api/v2/threads/{id}/share (client.threads.share): all its traces."""

    @endpoint(body=shapes.ThreadShareCreate, answer=shapes.ShareToken)
    def post(self, request: Request, thread_id: str, body: shapes.ThreadShareCreate) -> Response:
        project = project_or_404(self.workspace, body.project_id)
        share = thread_sharing.share(project, _thread_id(thread_id))
        if share is None:
            raise NotFound("Thread not found")
        return Response({"share_token": share.token})

    @endpoint(query=shapes.OfProjectQuery, answer=shapes.MaybeShareToken)
    def get(self, request: Request, thread_id: str, query: shapes.OfProjectQuery) -> Response:
        project = project_or_404(self.workspace, query.project_id)
        share = thread_sharing.of_thread(project, _thread_id(thread_id))
        return Response({} if share is None else {"share_token": share.token})

    @endpoint(query=shapes.ThreadUnshareQuery, status=204)
    def delete(
        self, request: Request, thread_id: str, query: shapes.ThreadUnshareQuery
    ) -> Response:
        project_id = read(shapes.ThreadUnshare, request.data).project_id or query.project_id
        if project_id is None:
            raise ParseError("project_id: is required")
        project = project_or_404(self.workspace, project_id)
        thread_sharing.unshare(project, _thread_id(thread_id))
        return Response(status=204)
