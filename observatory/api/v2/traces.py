"""Traces: query them by their roots, and list the runs of one."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit import streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import query_errors
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.api.v2.bodies import project_or_404
from observatory.api.v2.runs import page_of
from observatory.api.v2.streaming import PageView
from observatory.runs import search, totals
from observatory.runs.search import RunQuery

PAGE = 20


class TraceQueries(PageView):
    """POST /api/v2/traces/query (client.traces.query): root runs, newest first, with totals."""

    @endpoint(body=shapes.TraceQuery, answer=shapes.TracePage, errors=(404, 501))
    def post(self, request: Request, body: shapes.TraceQuery) -> Response:
        selected = fields.selected(body.selects)
        aggregates = selected & fields.AGGREGATES
        of_root = (selected - fields.AGGREGATES) or frozenset({"ID"})
        query = RunQuery(
            projects=[project_or_404(self.workspace, body.project_id).uuid],
            ids=body.trace_ids,
            is_narrowed=True,
            is_root=True,
            started_from=body.since,
            started_before=body.max_start_time,
            trace_filter=body.trace_filter,
            tree_filter=body.tree_filter,
            judged=body.judged(body.trace_filter, body.tree_filter),
            limit=body.page_size or PAGE,
            cursor=body.cursor or None,
            payloads=fields.payloads(of_root),
        )
        page = page_of(self, query)
        roots = fields.runs_out(
            self.workspace, page.runs, of_root, request, grant=self.caller.grant
        )
        items: list[dict[str, Any]] = [{"root_run": root} for root in roots]
        if aggregates:
            roots_with_totals = totals.with_subtree_totals(self.workspace, page.runs)
            for item, row in zip(items, roots_with_totals, strict=True):
                item["trace_aggregates"] = {
                    name.lower(): getattr(row, name.lower()) for name in sorted(aggregates)
                }
        return Response({"items": items, "next_cursor": page.next_cursor})


class TraceRuns(WorkspaceView):
    """GET /api/v2/traces/{id}/runs (client.traces.list_runs): all runs of it, by their start."""

    @endpoint(query=shapes.TraceRunsQuery, answer=shapes.RunListV2)
    def get(
        self, request: Request, trace_id: str, query: shapes.TraceRunsQuery
    ) -> HttpResponseBase:
        selected = fields.selected(query.selects)
        whole_trace = RunQuery(
            projects=[project_or_404(self.workspace, query.project_id).uuid],
            trace_id=uuid_or_404(trace_id),
            filter=query.filter,
            started_from=query.min_start_time,
            started_to=query.max_start_time,
            order="asc",
        )
        with query_errors():
            ids = search.ids_of(self.workspace, whole_trace)
        pages = search.chunked(self.workspace, ids, payloads=fields.payloads(selected))
        grant = self.caller.grant
        items = (
            run
            for page in pages
            for run in fields.runs_out(self.workspace, page, selected, request, grant=grant)
        )
        return streamed.answer(streamed.members(items=items))
