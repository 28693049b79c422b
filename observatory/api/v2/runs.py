"""Runs: query, retrieve, the address of their page, sharing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView, base_url, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import (
    TooSlow,
    filter_of,
    flag_of,
    moment_of,
    text_of,
    uuid_of,
    uuids_of,
)
from observatory.api.runs.read import app_path
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.api.v2.bodies import (
    body_of,
    judged_of,
    project_of,
    query_of,
    recent_of,
    refuse_ai,
    required_uuid,
    whole_number,
)
from observatory.api.v2.streaming import PageView
from observatory.runs import search, sharing, totals
from observatory.runs.search import Page, RunQuery, RunRow

MAX_PAGE = 1_000
PAGE = 100


def page_of(view: WorkspaceView, wanted: RunQuery) -> Page:
    """Return the page. Raises ParseError for a cursor of somebody else's, TooSlow (400)."""
    try:
        return search.query(view.workspace, wanted)
    except search.BadCursor as error:
        raise ParseError(f"cursor: {error}") from None
    except search.TooSlow as error:
        raise TooSlow(str(error)) from None


def query_in(body: dict[str, Any]) -> RunQuery:
    """Return what the body of a run query asks. Raises ParseError (400)."""
    refuse_ai(body)
    projects, dataset = uuids_of(body, "project_ids"), uuid_of(body, "reference_dataset_id")
    if projects is None and dataset is None:
        raise ParseError("project_ids: is required unless reference_dataset_id is set")
    if projects is not None and dataset is not None:
        raise ParseError("project_ids and reference_dataset_id exclude each other")
    since, until = recent_of(body)
    if dataset is not None and body.get("min_start_time") is None:
        since = None  # as far back as its experiments go
    run_type = text_of(body, "run_type")
    filters = {name: filter_of(body, name) for name in ("filter", "trace_filter", "tree_filter")}
    return RunQuery(
        projects=projects,
        reference_dataset_id=dataset,
        ids=uuids_of(body, "ids"),
        trace_id=uuid_of(body, "trace_id"),
        is_narrowed=True,
        run_type=None if run_type is None else run_type.lower(),
        is_root=flag_of(body, "is_root"),
        has_error=flag_of(body, "has_error"),
        reference_examples=uuids_of(body, "reference_examples"),
        started_from=since,
        started_to=until,
        filter=filters["filter"],
        trace_filter=filters["trace_filter"],
        tree_filter=filters["tree_filter"],
        judged=judged_of(body, filters.values()),
        limit=whole_number(body, "page_size", PAGE, 1, MAX_PAGE),
        cursor=text_of(body, "cursor"),
    )


class RunQueriesV2(PageView):
    """POST /api/v2/runs/query (client.runs.query, .streaming.query_v2): a page, newest first."""

    @endpoint(body=shapes.RunQueryV2, answer=shapes.RunPageV2, errors=(501,))
    def post(self, request: Request) -> Response:
        body = body_of(request)
        wanted, selected = query_in(body), fields.selected(body)
        with_subtree = flag_of(body, "include_subtree_usage") is True
        details = with_subtree and fields.tells_details(selected)
        columns = {*fields.payloads(selected), *(("usage_details",) if details else ())}
        page = page_of(self, replace(wanted, payloads=sorted(columns)))
        rows = page.runs
        if with_subtree and fields.tells_usage(selected):
            rows = totals.with_subtree_totals(self.workspace, rows, details=details)
        items = fields.runs_out(self.workspace, rows, selected, request, grant=self.caller.grant)
        return Response({"items": items, "next_cursor": page.next_cursor})


class RunDetailV2(WorkspaceView):
    """GET /api/v2/runs/{id} (client.runs.retrieve): one run of a project, the selected fields."""

    @endpoint(query=shapes.RunReadQueryV2, answer=shapes.RunV2)
    def get(self, request: Request, run_id: str) -> Response:
        asked = query_of(request, "selects")
        project, selected = required_uuid(asked, "project_id"), fields.selected(asked)
        moment_of(asked, "start_time")  # a hint where the run is stored: only its form counts
        row = self._row(uuid_or_404(run_id), project, fields.payloads(selected))
        (run,) = fields.runs_out(self.workspace, [row], selected, request, grant=self.caller.grant)
        return Response(run)

    def _row(self, run_id: UUID, project: UUID, payloads: list[str]) -> RunRow:
        row = search.by_ids(self.workspace, [run_id], payloads=payloads).get(run_id)
        if row is None or row.project != project:
            raise NotFound("Run not found")
        return row


class RunAddress(WorkspaceView):
    """GET /api/v2/runs/{id}/url (client.runs.get_url): where a person reads the run.

    The caller says which project and trace it is of, so the run need not have arrived yet.
    """

    @endpoint(query=shapes.RunAddressQuery, answer=shapes.Address)
    def get(self, request: Request, run_id: str) -> Response:
        asked = query_of(request)
        project, trace = project_of(self.workspace, asked), required_uuid(asked, "trace_id")
        path = app_path(self.workspace, project.uuid, uuid_or_404(run_id), trace)
        return Response({"url": f"{base_url(request)}{path}"})


class RunSharingV2(WorkspaceView):
    """POST and DELETE /api/v2/runs/{id}/share (client.runs.share): the whole trace, by a token."""

    @endpoint(body=shapes.RunShareV2, answer=shapes.ShareToken)
    def post(self, request: Request, run_id: str) -> Response:
        body = body_of(request)
        project, trace = required_uuid(body, "session_id"), required_uuid(body, "trace_id")
        wanted = uuid_or_404(run_id)
        found = search.by_ids(self.workspace, [wanted, trace], payloads=())
        rows = [found.get(wanted), found.get(trace)]
        if any(row is None or (row.project, row.trace_id) != (project, trace) for row in rows):
            raise NotFound("Run not found")
        share = sharing.share(self.workspace, trace)
        if share is None:  # deleted meanwhile
            raise NotFound("Run not found")
        return Response({"share_token": share.token})

    @endpoint(status=204)
    def delete(self, request: Request, run_id: str) -> Response:
        project = required_uuid(body_of(request), "session_id")
        trace = uuid_or_404(run_id)
        row = search.by_ids(self.workspace, [trace], payloads=()).get(trace)
        if row is not None and row.project == project:
            sharing.unshare(self.workspace, trace)
        return Response(status=204)
