"""Traces: query them by their roots, and list the runs of one."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit import streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import TooSlow, filter_of, moment_of, text_of, uuids_of
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.api.v2.bodies import (
    body_of,
    judged_of,
    project_of,
    query_of,
    recent_of,
    refuse_ai,
    whole_number,
)
from observatory.api.v2.runs import page_of
from observatory.api.v2.streaming import PageView
from observatory.runs import search, totals
from observatory.runs.search import RunQuery

MAX_PAGE = 100
PAGE = 20


class TraceQueries(PageView):
    """POST /api/v2/traces/query (client.traces.query): root runs, newest first, with totals."""

    @endpoint(body=shapes.TraceQuery, answer=shapes.TracePage, errors=(404, 501))
    def post(self, request: Request) -> Response:
        body = body_of(request)
        refuse_ai(body)
        selected = fields.selected(body)
        aggregates = selected & fields.AGGREGATES
        of_root = (selected - fields.AGGREGATES) or frozenset({"ID"})
        filters = {name: filter_of(body, name) for name in ("trace_filter", "tree_filter")}
        since, before = recent_of(body)
        page = page_of(
            self,
            RunQuery(
                projects=[project_of(self.workspace, body).uuid],
                ids=uuids_of(body, "trace_ids"),
                is_narrowed=True,
                is_root=True,
                started_from=since,
                started_before=before,
                trace_filter=filters["trace_filter"],
                tree_filter=filters["tree_filter"],
                judged=judged_of(body, filters.values()),
                limit=whole_number(body, "page_size", PAGE, 1, MAX_PAGE),
                cursor=text_of(body, "cursor"),
                payloads=fields.payloads(of_root),
            ),
        )
        roots = fields.runs_out(
            self.workspace, page.runs, of_root, request, grant=self.caller.grant
        )
        items: list[dict[str, Any]] = [{"root_run": root} for root in roots]
        if aggregates:
            whole = totals.with_subtree_totals(self.workspace, page.runs)
            for item, row in zip(items, whole, strict=True):
                item["trace_aggregates"] = {
                    name.lower(): getattr(row, name.lower()) for name in sorted(aggregates)
                }
        return Response({"items": items, "next_cursor": page.next_cursor})


class TraceRuns(WorkspaceView):
    """GET /api/v2/traces/{id}/runs (client.traces.list_runs): all runs of it, by their start."""

    @endpoint(query=shapes.TraceRunsQuery, answer=shapes.RunListV2)
    def get(self, request: Request, trace_id: str) -> HttpResponseBase:
        asked = query_of(request, "selects")
        selected = fields.selected(asked)
        since, until = moment_of(asked, "min_start_time"), moment_of(asked, "max_start_time")
        if (since is None) != (until is None):
            raise ParseError("min_start_time and max_start_time: give both or neither")
        wanted = RunQuery(
            projects=[project_of(self.workspace, asked).uuid],
            trace_id=uuid_or_404(trace_id),
            filter=filter_of(asked, "filter"),
            started_from=since,
            started_to=until,
            order="asc",
        )
        try:
            ids = search.ids_of(self.workspace, wanted)
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        pages = search.chunked(self.workspace, ids, payloads=fields.payloads(selected))
        grant = self.caller.grant
        items = (
            run
            for page in pages
            for run in fields.runs_out(self.workspace, page, selected, request, grant=grant)
        )
        return streamed.answer(streamed.members(items=items))
