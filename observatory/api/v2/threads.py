"""Threads: the conversations of a project, their traces, what they came to, sharing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit import cursors
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import TooSlow, filter_of, text_of
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.api.v2.bodies import (
    body_of,
    choices_of,
    project_of,
    query_of,
    recent_of,
    refuse_ai,
    whole_number,
)
from observatory.api.v2.runs import page_of
from observatory.api.v2.streaming import PageView
from observatory.feedback import summary
from observatory.runs import search, thread_sharing, threads, totals
from observatory.runs.filters.fields import THREAD_FIELDS
from observatory.runs.filters.grammar import Term
from observatory.runs.models import Project
from observatory.runs.ops import MAX_THREAD_ID
from observatory.runs.previews import MAX_PREVIEW, preview
from observatory.runs.search import RunQuery
from observatory.runs.threads import Thread, ThreadQuery, Totals
from observatory.runs.totals import COUNTED, Details

MAX_PAGE = 100
PAGE = 20
DETAILS = (
    *("prompt_token_details", "completion_token_details"),
    *("prompt_cost_details", "completion_cost_details"),
)


def _query_in(body: Mapping[str, Any]) -> ThreadQuery:
    """Return which threads the body asks for. Raises ParseError."""
    since, before = recent_of(body)
    cursor = text_of(body, "cursor")
    return ThreadQuery(
        filter=filter_of(body, "filter"),
        trace_filter=filter_of(body, "trace_filter"),
        tree_filter=filter_of(body, "tree_filter"),
        thread_filter=filter_of(body, "thread_filter", THREAD_FIELDS),
        started_from=since,
        started_before=before,
        after=None if cursor is None else tuple(cursors.read(cursor, datetime, str)),
    )


def _thread_id(text: str) -> str:
    """Return a thread's id. Raises NotFound for what no thread can be called."""
    if (
        len(text) > MAX_THREAD_ID
        or "\x00" in text
        or any("\ud800" <= letter <= "\udfff" for letter in text)
    ):
        raise NotFound("Thread not found")
    return text


def _listed(project: Project, asked: ThreadQuery, limit: int) -> list[Thread]:
    try:
        return threads.listed(project, asked, limit=limit).threads
    except search.TooSlow as error:
        raise TooSlow(str(error)) from None


def _together(details: Details, kind: str) -> dict[str, Any]:
    """Return the categories of prompt and completion as one: `kind` is token or cost."""
    together: dict[str, Any] = {}
    for side in ("prompt", "completion"):
        for category, amount in details.get(f"{side}_{kind}_details", {}).items():
            together[category] = together.get(category, 0) + amount
    return together


def thread_out(
    thread: Thread,
    judged: dict[str, Any],
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
        "feedback_stats": judged,
    }


class ThreadQueries(PageView):
    """POST /api/v2/threads/query (client.threads.query): threads, the most recently used first."""

    @endpoint(body=shapes.ThreadQueryV2, answer=shapes.ThreadPageV2, errors=(404, 501))
    def post(self, request: Request) -> Response:
        body = body_of(request)
        refuse_ai(body)
        project, asked = project_of(self.workspace, body), _query_in(body)
        size = whole_number(body, "page_size", PAGE, 1, MAX_PAGE)
        found = _listed(project, asked, size + 1)
        page = found[:size]
        judged = summary.thread_stats(project, [thread.thread_id for thread in page])
        details = threads.details(project.workspace_id, page)
        items = [
            thread_out(
                one, judged.get(one.thread_id, {}), details.get(one.thread_id, {}), *documents
            )
            for one, *documents in threads.with_documents(self.workspace, page)
        ]
        last = page[-1] if len(found) > size else None
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
"""What a trace of a thread may be selected by; `OP`, a code of the hosted service, is left out."""


class ThreadTraces(WorkspaceView):
    """GET /api/v2/threads/{id}/traces (client.threads.list_traces): its roots, oldest first."""

    @endpoint(query=shapes.ThreadTracesQuery, answer=shapes.ThreadTracePage)
    def get(self, request: Request, thread_id: str) -> Response:
        asked = query_of(request, "selects")
        project = project_of(self.workspace, asked)
        chosen = {*choices_of(asked, "selects", TRACE_FIELDS), "TRACE_ID"}
        selected = frozenset(_OF_A_RUN[name] for name in chosen if name in _OF_A_RUN)
        thread_id = _thread_id(thread_id)
        in_thread = Term("eq", "thread_id", thread_id)
        given = filter_of(asked, "filter")
        page = page_of(
            self,
            RunQuery(
                projects=[project.uuid],
                is_root=True,
                filter=in_thread if given is None else search.all_of([in_thread, given]),
                trace_filter=filter_of(asked, "trace_filter"),
                tree_filter=filter_of(asked, "tree_filter"),
                order="asc",
                limit=whole_number(asked, "page_size", PAGE, 1, MAX_PAGE),
                cursor=text_of(asked, "cursor"),
                payloads=sorted({*fields.payloads(selected), "usage_details"}),
            ),
        )
        rows = page.runs
        if fields.tells_usage(selected):
            details = fields.tells_details(selected)
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


# What threads came to -----------------------------------------------------------------------------

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


def _wanted(body: Mapping[str, Any], name: str, known: Mapping[str, str]) -> list[str]:
    wanted = choices_of(body, name, known)
    if not wanted:
        raise ParseError(f"{name}: names at least one of {', '.join(known)}")
    return wanted


class ThreadStats(WorkspaceView):
    """GET /api/v2/threads/{id}/stats (client.threads.stats): what one thread came to."""

    @endpoint(query=shapes.ThreadStatsQuery, answer=shapes.ThreadStats)
    def get(self, request: Request, thread_id: str) -> Response:
        asked = query_of(request, "selects")
        project = project_of(self.workspace, asked, "session_id")
        wanted = _wanted(asked, "selects", STATS)
        query = ThreadQuery(thread_ids=[_thread_id(thread_id)], filter=filter_of(asked, "filter"))
        found = _listed(project, query, 1)
        if not found:
            raise NotFound("The project has no such trace of this thread")
        told = self._told(found[0], wanted)
        return Response({STATS[name]: told[STATS[name]] for name in wanted})

    def _told(self, thread: Thread, wanted: list[str]) -> dict[str, Any]:
        told: dict[str, Any] = {
            "turns": thread.count,
            "first_start_time": thread.first_start,
            "last_start_time": thread.last_start,
            "last_end_time": thread.last_end,
            "latency_p50_seconds": thread.latency_p50,
            "latency_p99_seconds": thread.latency_p99,
            **{name: getattr(thread, name) for name in COUNTED},
        }
        if any(name.lower() in DETAILS for name in wanted):
            details = threads.details(self.workspace.pk, [thread]).get(thread.thread_id, {})
            told |= {name: {"raw": details.get(name, {})} for name in DETAILS}
        if "FEEDBACK_STATS" in wanted:
            told["feedback_stats"] = summary.traces_stats(self.workspace.pk, thread.trace_ids)
        return told


class ThreadAggregates(WorkspaceView):
    """POST /api/v2/threads/stats (client.threads.aggregate_stats): threads taken together."""

    @endpoint(body=shapes.ThreadAggregateQuery, answer=shapes.ThreadAggregateStats, errors=(404,))
    def post(self, request: Request) -> Response:
        body = body_of(request)
        project, wanted = project_of(self.workspace, body), _wanted(body, "select", AGGREGATES)
        try:
            found = threads.aggregated(project, _query_in(body))
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        told = self._told(project, found, wanted)
        return Response({AGGREGATES[name]: told[AGGREGATES[name]] for name in wanted})

    def _told(self, project: Project, found: Totals, wanted: list[str]) -> dict[str, Any]:
        told: dict[str, Any] = {
            "thread_count": found.n_threads,
            "trace_count": found.n_traces,
            "error_rate": found.error_rate,
            "streaming_rate": found.streaming_rate,
            "latency_p50_seconds": found.latency_p50,
            "latency_p99_seconds": found.latency_p99,
            "median_tokens": found.median_tokens,
            "first_token_p50_seconds": found.first_token_p50,
            "first_token_p99_seconds": found.first_token_p99,
            **{name: getattr(found, name) for name in COUNTED},
        }
        if any(name.lower() in DETAILS for name in wanted):
            pairs = [("", trace) for trace in found.trace_ids]
            details = totals.details_of_groups(self.workspace.pk, pairs).get("", {})
            told |= {name: details.get(name, {}) for name in DETAILS}
        if "THREAD_FEEDBACK_STATS" in wanted:
            told["thread_feedback_stats"] = summary.said_of_threads(project, found.thread_ids)
        return told


# Sharing ------------------------------------------------------------------------------------------


class ThreadSharing(WorkspaceView):
    """POST, GET and DELETE /api/v2/threads/{id}/share (client.threads.share): all its traces."""

    @endpoint(body=shapes.ThreadShareCreate, answer=shapes.ShareToken)
    def post(self, request: Request, thread_id: str) -> Response:
        project = project_of(self.workspace, body_of(request))
        found = thread_sharing.share(project, _thread_id(thread_id))
        if found is None:
            raise NotFound("Thread not found")
        return Response({"share_token": found.token})

    @endpoint(query=shapes.ThreadShareQuery, answer=shapes.MaybeShareToken)
    def get(self, request: Request, thread_id: str) -> Response:
        project = project_of(self.workspace, query_of(request))
        found = thread_sharing.of_thread(project, _thread_id(thread_id))
        return Response({} if found is None else {"share_token": found.token})

    @endpoint(query=shapes.ThreadShareQuery, status=204)
    def delete(self, request: Request, thread_id: str) -> Response:
        asked = {**query_of(request), **body_of(request)}
        thread_sharing.unshare(project_of(self.workspace, asked), _thread_id(thread_id))
        return Response(status=204)
