"""POST /runs/query: find runs by the filter language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs import schemas as shapes
from observatory.api.runs.read import DEFAULT, REQUIRED, SELECTABLE, details_of, payloads, runs_out
from observatory.runs import search
from observatory.runs.search import MAX_LIMIT, RunQuery


class TooSlow(APIException):
    """400, not 503: the SDKs would send the same slow query three times more."""

    status_code = 400
    default_code = "too_slow"


@contextmanager
def query_errors() -> Iterator[None]:
    """Turn an invalid cursor and a query that takes too long into a 400."""
    try:
        yield
    except search.BadCursor as error:
        raise ParseError(str(error)) from None
    except search.TooSlow as error:
        raise TooSlow(str(error)) from None


def run_query(body: shapes.RunQueryFields) -> RunQuery:
    """Return the conditions of a body of /runs/query or /runs/stats; the page is left to it."""
    is_root = body.is_root
    if body.execution_order == 1 or body.data_source_type == "root_lite":
        is_root = True
    filters = [node for node in (body.filter, body.search_filter) if node is not None]
    return RunQuery(
        projects=body.session,
        reference_dataset_id=body.reference_dataset_id,
        ids=body.id,
        trace_id=body.trace,
        parent_run_id=body.parent_run,
        run_type=body.run_type or None,
        is_root=is_root,
        has_error=body.error,
        reference_examples=body.reference_example,
        started_from=body.start_time,
        started_to=body.end_time,
        filter=search.all_of(filters),
        trace_filter=body.trace_filter,
        tree_filter=body.tree_filter,
        text=body.query or None,
    )


def page_query(body: shapes.RunQuery) -> RunQuery:
    """Return the query of one page of runs."""
    return replace(
        run_query(body),
        order="asc" if body.order == "asc" else "desc",
        limit=page_size(body.limit),
        cursor=body.cursor or None,
        payloads=payloads(selected_fields(body)),
    )


def page_size(limit: int | None) -> int:
    """Return the number of rows of a page, at most MAX_LIMIT."""
    return MAX_LIMIT if limit is None else min(limit, MAX_LIMIT)


def selected(names: list[str] | None) -> frozenset[str]:
    """Return the fields of a run that a body selects, DEFAULT if it selects none.

    The required fields are always among them, and the details of selected tokens and costs: the
    SDKs read those of every run and select only the sums. Raises ParseError for an unknown name.
    """
    if names is None:
        return DEFAULT
    for name in names:
        if name not in SELECTABLE:
            raise ParseError(f"select: {name[:60]!r} is not a field of a run")
    return REQUIRED | frozenset(names) | details_of(names)


def selected_fields(body: shapes.RunQuery) -> frozenset[str]:
    """Return the fields of each run of a page. Raises ParseError for an unknown name."""
    fields = selected(body.select)
    return fields | {"messages"} if body.include_messages else fields


class RunQueries(WorkspaceView):
    """POST /runs/query, as both SDKs' list_runs sends it, page after page."""

    @endpoint(body=shapes.RunQuery, answer=shapes.Runs)
    def post(self, request: Request, body: shapes.RunQuery) -> Response:
        with query_errors():
            page = search.query(self.workspace, page_query(body))
        runs = runs_out(
            self.workspace, page.runs, selected_fields(body), request, grant=self.caller.grant
        )
        next_cursor = None if body.skip_pagination else page.next_cursor
        return Response({"runs": runs, "cursors": {"next": next_cursor, "prev": None}})
