"""Runs: query, retrieve, the address of their page, sharing."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView, base_url, uuid_or_404
from observatory.api.kit.bodies import read
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import query_errors
from observatory.api.runs.read import app_path
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.api.v2.bodies import project_or_404
from observatory.api.v2.streaming import PageView
from observatory.runs import search, sharing, totals
from observatory.runs.search import Page, RunQuery, RunRow

PAGE = 100


def page_of(view: WorkspaceView, query: RunQuery) -> Page:
    """Return the page. Raises a 400 for an invalid cursor and for a query that takes too long."""
    with query_errors():
        return search.query(view.workspace, query)


def run_query(body: shapes.RunQueryV2) -> RunQuery:
    """Return the query of a body. Raises ParseError (400)."""
    is_of_dataset = body.reference_dataset_id is not None  # as far back as its experiments go
    return RunQuery(
        projects=body.project_ids,
        reference_dataset_id=body.reference_dataset_id,
        ids=body.ids,
        trace_id=body.trace_id,
        is_narrowed=True,
        run_type=body.run_type.lower() if body.run_type else None,
        is_root=body.is_root,
        has_error=body.has_error,
        reference_examples=body.reference_examples,
        started_from=body.min_start_time if is_of_dataset else body.since,
        started_to=body.max_start_time,
        filter=body.filter,
        trace_filter=body.trace_filter,
        tree_filter=body.tree_filter,
        judged=body.judged(body.filter, body.trace_filter, body.tree_filter),
        limit=body.page_size or PAGE,
        cursor=body.cursor or None,
    )


class RunQueriesV2(PageView):
    """POST /api/v2/runs/query (client.runs.query, .streaming.query_v2): a page, newest first."""

    @endpoint(body=shapes.RunQueryV2, answer=shapes.RunPageV2, errors=(501,))
    def post(self, request: Request, body: shapes.RunQueryV2) -> Response:
        query, selected = run_query(body), fields.selected(body.selects)
        with_subtree = body.include_subtree_usage is True
        details = with_subtree and fields.has_details(selected)
        columns = {*fields.payloads(selected), *(("usage_details",) if details else ())}
        page = page_of(self, replace(query, payloads=sorted(columns)))
        rows = page.runs
        if with_subtree and fields.has_usage(selected):
            rows = totals.with_subtree_totals(self.workspace, rows, details=details)
        items = fields.runs_out(self.workspace, rows, selected, request, grant=self.caller.grant)
        return Response({"items": items, "next_cursor": page.next_cursor})


class RunDetailV2(WorkspaceView):
    """GET /api/v2/runs/{id} (client.runs.retrieve): one run of a project, the selected fields."""

    @endpoint(query=shapes.RunReadQueryV2, answer=shapes.RunV2)
    def get(self, request: Request, run_id: str, query: shapes.RunReadQueryV2) -> Response:
        selected = fields.selected(query.selects)
        row = self._row(uuid_or_404(run_id), query.project_id, fields.payloads(selected))
        (run,) = fields.runs_out(self.workspace, [row], selected, request, grant=self.caller.grant)
        return Response(run)

    def _row(self, run_id: UUID, project: UUID, payloads: list[str]) -> RunRow:
        row = search.by_ids(self.workspace, [run_id], payloads=payloads).get(run_id)
        if row is None or row.project != project:
            raise NotFound("Run not found")
        return row


class RunAddress(WorkspaceView):
    """GET /api/v2/runs/{id}/url (client.runs.get_url): the address of its page.

    The client names its project and trace, so the run need not have arrived yet.
    """

    @endpoint(query=shapes.RunAddressQuery, answer=shapes.Address)
    def get(self, request: Request, run_id: str, query: shapes.RunAddressQuery) -> Response:
        project = project_or_404(self.workspace, query.project_id)
        path = app_path(self.workspace, project.uuid, uuid_or_404(run_id), query.trace_id)
        return Response({"url": f"{base_url(request)}{path}"})


class RunSharingV2(WorkspaceView):
    """POST and DELETE /api/v2/runs/{id}/share (client.runs.share): the whole trace, by a token."""

    @endpoint(body=shapes.RunShareV2, answer=shapes.ShareToken)
    def post(self, request: Request, run_id: str, body: shapes.RunShareV2) -> Response:
        run, trace, project = uuid_or_404(run_id), body.trace_id, body.session_id
        rows_by_id = search.by_ids(self.workspace, [run, trace], payloads=())
        rows = [rows_by_id.get(run), rows_by_id.get(trace)]
        if any(row is None or (row.project, row.trace_id) != (project, trace) for row in rows):
            raise NotFound("Run not found")
        share = sharing.share(self.workspace, trace)
        if share is None:  # deleted meanwhile
            raise NotFound("Run not found")
        return Response({"share_token": share.token})

    @endpoint(status=204)
    def delete(self, request: Request, run_id: str) -> Response:
        body, trace = read(shapes.RunUnshareV2, request.data), uuid_or_404(run_id)
        row = search.by_ids(self.workspace, [trace], payloads=()).get(trace)
        if row is not None and row.project == body.session_id:
            sharing.unshare(self.workspace, trace)
        return Response(status=204)
