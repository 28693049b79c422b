"""POST /runs/query: find runs by the filter language. What its body and that of others asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs import schemas as shapes
from observatory.api.runs.read import DEFAULT, REQUIRED, SELECTABLE, details_of, payloads, runs_out
from observatory.runs import search
from observatory.runs.documents import BadItem
from observatory.runs.filters.fields import FIELDS, Field
from observatory.runs.filters.grammar import FilterError, Node, parse
from observatory.runs.search import MAX_LIMIT, RunQuery
from observatory.runs.times import parse_time

MAX_IDS = 1_000
MAX_TEXT = 10_240


class TooSlow(APIException):
    """400, not 503: the SDKs would send the same slow query three times more."""

    status_code = 400
    default_code = "too_slow"


def uuids_of(body: Mapping[str, Any], name: str) -> list[UUID] | None:
    """Return a list of UUIDs; a bare value stands for a list of one, null for "any"."""
    given = body.get(name)
    if given is None or given == "":
        return None
    values = given if isinstance(given, list) else [given]
    if len(values) > MAX_IDS:
        raise ParseError(f"{name}: at most {MAX_IDS} ids")
    try:
        return [UUID(str(value)) for value in values]
    except ValueError:
        raise ParseError(f"{name}: expects UUIDs") from None


def uuid_of(body: Mapping[str, Any], name: str) -> UUID | None:
    """Return a UUID of the body, None if absent. Raises ParseError (400)."""
    found = uuids_of(body, name)
    return found[0] if found else None


def flag_of(body: Mapping[str, Any], name: str) -> bool | None:
    """Return a boolean of the body, None if absent. Raises ParseError (400)."""
    given = body.get(name)
    if given is None or isinstance(given, bool):
        return given
    if given in (0, 1):  # JavaScript's isRoot: 1
        return bool(given)
    raise ParseError(f"{name}: expects true or false")


def moment_of(body: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time of the body (ISO 8601, epoch milliseconds). Raises ParseError (400)."""
    given = body.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        raise ParseError(f"{name}: expects a time")
    try:
        return parse_time(given)
    except BadItem as error:
        raise ParseError(f"{name}: {error.reason}") from None


def text_of(body: Mapping[str, Any], name: str) -> str | None:
    """Return a string of the body, None if absent or empty. Raises ParseError (400)."""
    given = body.get(name)
    if given is None or given == "":
        return None
    if not isinstance(given, str):
        raise ParseError(f"{name}: expects a string")
    if len(given) > MAX_TEXT:
        raise ParseError(f"{name}: at most {MAX_TEXT} characters")
    if "\x00" in given or any("\ud800" <= letter <= "\udfff" for letter in given):
        raise ParseError(f"{name}: holds a character that no text holds")
    return given


def filter_of(
    body: Mapping[str, Any], name: str, fields: Mapping[str, Field] = FIELDS
) -> Node | None:
    """Return a filter of the body, parsed. Raises ParseError (400) with the position."""
    text = text_of(body, name)
    if text is None:
        return None
    try:
        return parse(text, fields)
    except FilterError as error:
        raise ParseError(f"{name}: {error}") from None


def limit_of(body: Mapping[str, Any]) -> int:
    """Return the page's size, at most MAX_LIMIT. Raises ParseError (400)."""
    given = body.get("limit")
    if given is None:
        return MAX_LIMIT
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ParseError("limit: expects a whole number from 1")
    return min(given, MAX_LIMIT)


def _order(body: Mapping[str, Any]) -> Any:
    given = body.get("order") or "desc"
    if given not in ("asc", "desc"):
        raise ParseError("order: expects asc or desc")
    return given


SOURCES = ("current", "historical", "lite", "root_lite", "runs_feedbacks_rmt_wide")
"""The hosted service's tables. Here is one; of them `root_lite` alone holds other runs: roots."""


def _is_root(body: Mapping[str, Any]) -> bool | None:
    """Return whether roots are asked for, in any of the three ways. Raises ParseError (400)."""
    given, source = flag_of(body, "is_root"), body.get("data_source_type")
    order = body.get("execution_order")
    if order is not None and (isinstance(order, bool) or order != 1):
        raise ParseError("execution_order: expects 1, which means root runs")
    if source is not None and source not in SOURCES:
        raise ParseError(f"data_source_type: expects one of {', '.join(SOURCES)}")
    if order is None and source != "root_lite":
        return given
    return True


def query_in(body: Any) -> RunQuery:
    """Return what the body of /runs/query and /runs/stats asks. Raises ParseError (400)."""
    if not isinstance(body, dict):
        raise ParseError("The body must be a JSON object")
    is_root = _is_root(body)
    filters = [filter_of(body, name) for name in ("filter", "search_filter")]
    return RunQuery(
        projects=uuids_of(body, "session"),
        reference_dataset_id=uuid_of(body, "reference_dataset_id"),
        ids=uuids_of(body, "id"),
        trace_id=uuid_of(body, "trace"),
        parent_run_id=uuid_of(body, "parent_run"),
        run_type=text_of(body, "run_type"),
        is_root=is_root,
        has_error=flag_of(body, "error"),
        reference_examples=uuids_of(body, "reference_example"),
        started_from=moment_of(body, "start_time"),
        started_to=moment_of(body, "end_time"),
        filter=search.all_of([node for node in filters if node is not None]),
        trace_filter=filter_of(body, "trace_filter"),
        tree_filter=filter_of(body, "tree_filter"),
        text=text_of(body, "query"),
        order=_order(body),
        limit=limit_of(body),
        cursor=text_of(body, "cursor"),
    )


def selected(body: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that the body selects and those that go with them. Raises ParseError (400).

    That are the required ones and the details of tokens and costs: the SDKs read those of every
    run and select only the sums.
    """
    given = body.get("select")
    if not given:
        return DEFAULT
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ParseError("select: expects a list of field names")
    for name in given:
        if name not in SELECTABLE:
            raise ParseError(f"select: {name[:60]!r} is no field of a run")
    return REQUIRED | frozenset(given) | details_of(given)


class RunQueries(WorkspaceView):
    """POST /runs/query, as both SDKs' list_runs sends it, page after page."""

    @endpoint(body=shapes.RunQuery, answer=shapes.Runs)
    def post(self, request: Request) -> Response:
        body: Any = request.data
        wanted, fields = query_in(body), selected(body)
        if flag_of(body, "include_messages"):
            fields |= {"messages"}
        flag_of(body, "skip_prev_cursor")  # no cursor leads back here
        is_alone = flag_of(body, "skip_pagination") is True
        try:
            page = search.query(self.workspace, replace(wanted, payloads=payloads(fields)))
        except search.BadCursor as error:
            raise ParseError(f"cursor: {error}") from None
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        return Response(
            {
                "runs": runs_out(
                    self.workspace, page.runs, fields, request, grant=self.caller.grant
                ),
                "cursors": {"next": None if is_alone else page.next_cursor, "prev": None},
            }
        )
