"""Query runs: filter, window, cursor, select. A constant number of queries for any page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from observatory.cursors import BadCursor as BadCursor
from observatory.db import prepared
from observatory.runs import judgements, sizes, sums, tree
from observatory.runs.durations import LATENCY
from observatory.runs.filters.compile import (
    EVER,
    SQL,
    Judged,
    judged_by,
    reads_documents,
    where,
    where_in_trace,
)
from observatory.runs.filters.grammar import MAX_SEARCHES, And, Node, Term, comparisons
from observatory.runs.paging import chunks, cursor_of, read_cursor, spanned
from observatory.workspaces.models import Workspace

MAX_LIMIT = 100
TEXT_WINDOW = 20_000
"""Runs of a project that one page of a search for text reads; no index helps it."""


class TooSlow(Exception):
    """The query exceeded the statement timeout, or would: see `check_cost`."""


@dataclass(frozen=True)
class RunRow:
    """One run as stored. JSON columns (inputs .. extra) are JSON text, unparsed.

    None: not selected or missing. `project` is the uuid.
    """

    id: UUID
    trace_id: UUID
    parent_run_id: UUID | None = None
    project_id: int | None = None
    project: UUID | None = None
    project_name: str | None = None
    reference_dataset_id: UUID | None = None
    dotted_order: str | None = None
    name: str | None = None
    run_type: str | None = None
    status: str = "pending"
    start_time: datetime | None = None
    end_time: datetime | None = None
    first_token_time: datetime | None = None
    latency_s: float | None = None
    received_at: datetime | None = None
    thread_id: str | None = None
    reference_example_id: UUID | None = None
    tags: list[str] | None = None
    error: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_cost: Decimal | None = None
    completion_cost: Decimal | None = None
    total_cost: Decimal | None = None
    usage_details: str | None = None
    inputs: str | None = None
    outputs: str | None = None
    events: str | None = None
    serialized: str | None = None
    extra: str | None = None
    metadata: str | None = None

    @property
    def is_root(self) -> bool:
        return self.parent_run_id is None


_SMALL = {
    name: f"r.{name}"
    for name in (
        *("id", "trace_id", "parent_run_id", "project_id", "dotted_order", "name", "run_type"),
        *("status", "start_time", "end_time", "first_token_time", "received_at"),
        *("thread_id", "reference_example_id", "tags", "error"),
        *sums.USAGE,
    )
} | {
    "latency_s": LATENCY.format(r="r"),
    "project": "p.uuid",
    "project_name": "p.name",
    "reference_dataset_id": "p.reference_dataset_id",
}
PAYLOADS = ("inputs", "outputs", "events", "serialized", "extra", "metadata", "usage_details")
"""Columns that are read only when they are selected."""
_COLUMNS = tuple(each.name for each in fields(RunRow))


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """Which runs to find. All conditions must hold; None means "any".

    With `ids` no other condition applies but the page. `trace_id`: all runs of the trace, without
    pages. With `is_narrowed` both are conditions like any other. `started_from` and `started_to`
    are inclusive, `started_before` is not. `judged` bounds the feedback that the filters see.
    `payloads` names the JSON columns to read. `timeout_s` bounds a statement; None:
    STATEMENT_TIMEOUT_S of the settings.
    """

    projects: Sequence[UUID] | None = None
    reference_dataset_id: UUID | None = None
    ids: Sequence[UUID] | None = None
    trace_id: UUID | None = None
    is_narrowed: bool = False
    parent_run_id: UUID | None = None
    run_type: str | None = None
    is_root: bool | None = None
    has_error: bool | None = None
    reference_examples: Sequence[UUID] | None = None
    started_from: datetime | None = None
    started_to: datetime | None = None
    started_before: datetime | None = None
    filter: Node | None = None
    trace_filter: Node | None = None
    tree_filter: Node | None = None
    judged: Judged = EVER
    text: str | None = None
    order: Literal["asc", "desc"] = "desc"
    limit: int = MAX_LIMIT
    cursor: str | None = None
    payloads: Sequence[str] = field(default=PAYLOADS)
    timeout_s: float | None = None


@dataclass(frozen=True)
class Page:
    """`searched_to`: where a text search stopped, after TEXT_WINDOW runs of a project."""

    runs: list[RunRow]
    next_cursor: str | None = None
    searched_to: datetime | None = None


def query(workspace: Workspace, run_query: RunQuery) -> Page:
    """Return a page of the runs of `workspace` that match `run_query`, newest first by default.

    Order: (start_time, id), which later runs do not disturb, so no page repeats or skips a stored
    run. Runs without a start time are only found by `ids` and `trace_id`. A text search reads no
    more than TEXT_WINDOW runs of a project per page, which may then hold fewer than `limit` and
    still have a next one, as after paging.PAGE_BYTES. Raises BadCursor and TooSlow.
    """
    edge: Key | None = None
    with bounded(run_query.timeout_s):
        is_named = run_query.ids is not None or run_query.trace_id is not None
        if is_named and not run_query.is_narrowed:
            keys = _keys_of_named(workspace, run_query)
        else:
            keys, edge = _keys_of_projects(workspace, run_query)
        is_paged = run_query.trace_id is None or run_query.ids is not None or run_query.is_narrowed
        page = keys[: run_query.limit] if is_paged else keys
        ids = [run_id for _, run_id in page]
        if is_paged and run_query.payloads and len(ids) > 1:
            sized = sizes.of_runs(workspace.pk, ids, run_query.payloads)
            ids = ids[: spanned(size for _, size in sized)]
        rows = _rows(workspace.pk, ids, run_query.payloads)
    runs = [rows[run_id] for run_id in ids if run_id in rows]
    if is_paged and len(keys) > len(ids):
        return Page(runs, cursor_of(*page[len(ids) - 1]) if page else None)
    if edge is None:
        return Page(runs)
    return Page(runs, cursor_of(*edge), edge[0])


def get(workspace: Workspace, run_id: UUID) -> RunRow | None:
    """Return the run with all its fields, or None if it is not in this workspace."""
    return _rows(workspace.pk, [run_id], PAYLOADS).get(run_id)


def by_ids(
    workspace: Workspace, run_ids: Sequence[UUID], *, payloads: Sequence[str] = PAYLOADS
) -> dict[UUID, RunRow]:
    """Return the runs of this workspace among `run_ids`, in one query."""
    return _rows(workspace.pk, run_ids, payloads)


def chunked(
    workspace: Workspace, run_ids: Sequence[UUID], *, payloads: Sequence[str] = PAYLOADS
) -> Iterator[list[RunRow]]:
    """Yield the runs of this workspace among `run_ids` in order, paging.CHUNK_BYTES at a time."""
    for ids in chunks(sizes.of_runs(workspace.pk, run_ids, payloads)):
        rows = _rows(workspace.pk, ids, payloads)
        yield [rows[run_id] for run_id in ids if run_id in rows]


def ids_of(workspace: Workspace, run_query: RunQuery) -> list[UUID]:
    """Return the ids of the runs that match `run_query`, in order, up to its limit.

    With a trace or `ids`: all of them. Raises TooSlow.
    """
    with bounded(run_query.timeout_s):
        if run_query.trace_id is not None or run_query.ids is not None:
            run_query = replace(run_query, limit=len(run_query.ids or ()))
            return [run_id for _, run_id in _keys_of_named(workspace, run_query)]
        keys, _ = _keys_of_projects(workspace, run_query)
    return [run_id for _, run_id in keys[: run_query.limit]]


def trace(
    workspace: Workspace, trace_id: UUID, *, payloads: Sequence[str] = ()
) -> list[tree.Branch[RunRow]]:
    """Return the tree of a trace (see tree.assemble); empty for an unknown one."""
    run_query = RunQuery(trace_id=trace_id, payloads=payloads)
    return tree.assemble(query(workspace, run_query).runs)


def all_of(nodes: Sequence[Node]) -> Node | None:
    """Return the filter that holds when each of `nodes` does, without pairing them."""
    if len(nodes) < 2:
        return nodes[0] if nodes else None
    return And(tuple(And((node,)) for node in nodes))


@contextmanager
def bounded(seconds: float | None = None) -> Iterator[None]:
    """Run the block in a transaction whose statements end within `seconds`. Raises TooSlow."""
    limit_s = settings.STATEMENT_TIMEOUT_S if seconds is None else seconds
    try:
        with transaction.atomic():
            with prepared.cursor() as cursor:
                # No parallel plans: a page stops at its limit, so starting workers costs more
                # than they save, and a person's query must not take every core.
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true),"
                    " set_config('max_parallel_workers_per_gather', '0', true)",
                    [f"{int(limit_s * 1000)}ms"],
                )
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooSlow(f"The query took longer than {limit_s:g} s; narrow it down") from error
        raise


# Which runs ----------------------------------------------------------------------------------

Key = tuple[datetime, UUID]


def project_ids(workspace: Workspace, run_query: RunQuery) -> list[int]:
    """Return the internal ids of the projects that `run_query` covers."""
    params: list[Any] = [workspace.pk]
    parts = ["workspace_id = %s"]
    if run_query.projects is not None:
        parts.append("uuid = ANY(%s::uuid[])")
        params.append(prepared.uuid_array(run_query.projects))
    if run_query.reference_dataset_id is not None:
        parts.append("reference_dataset_id = %s")
        params.append(run_query.reference_dataset_id)
    with prepared.cursor() as cursor:
        cursor.execute(f"SELECT id FROM runs_project WHERE {' AND '.join(parts)}", params)
        return [row[0] for row in cursor.fetchall()]


def conditions(workspace: Workspace, run_query: RunQuery) -> SQL:
    """Return the WHERE of `run_query` over `runs_run r`, without projects, ids and cursor.

    Raises TooSlow, as `check_cost` does.
    """
    check_cost(run_query.filter, run_query.trace_filter, run_query.tree_filter, text=run_query.text)
    parts: list[SQL] = [("r.workspace_id = %s", [workspace.pk])]
    if run_query.parent_run_id is not None:
        parts.append(_children_of(workspace, run_query.parent_run_id))
    for sql, value in (
        ("r.trace_id = %s", run_query.trace_id),
        ("r.run_type = %s", run_query.run_type),
        ("r.start_time >= %s", run_query.started_from),
        ("r.start_time <= %s", run_query.started_to),
        ("r.start_time < %s", run_query.started_before),
    ):
        if value is not None:
            parts.append((sql, [value]))
    for sql, flag in (
        ("r.parent_run_id IS {}NULL", run_query.is_root),
        ("r.error IS {}NULL", None if run_query.has_error is None else not run_query.has_error),
    ):
        if flag is not None:
            parts.append((sql.format("" if flag else "NOT "), []))
    if run_query.is_narrowed and run_query.ids is not None:
        parts.append(("r.id = ANY(%s)", [list(run_query.ids)]))
    if run_query.reference_examples is not None:
        parts.append(("r.reference_example_id = ANY(%s)", [list(run_query.reference_examples)]))
    if run_query.text:
        parts.append(where(Term("search", None, run_query.text)))
    if run_query.filter is not None:
        parts.append(where(run_query.filter, judged=run_query.judged))
    for node, root_only in ((run_query.trace_filter, True), (run_query.tree_filter, False)):
        if node is not None:
            parts.append(where_in_trace(node, root_only=root_only, judged=run_query.judged))
    return (
        " AND ".join(sql for sql, _ in parts),
        [param for _, params in parts for param in params],
    )


def check_cost(*filters: Node | None, text: str | None = None) -> None:
    """Raise TooSlow when the filters of one query together search documents too often."""
    searches = sum(term.reads_documents for node in filters if node for term in comparisons(node))
    if searches + bool(text) > MAX_SEARCHES:
        raise TooSlow(
            f"At most {MAX_SEARCHES} searches of inputs and outputs in the filters of one query"
        )


def _children_of(workspace: Workspace, parent: UUID) -> SQL:
    """Return the condition of a parent's children; its trace, if known, makes it an index scan."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trace_id FROM runs_run WHERE workspace_id = %s AND id = %s",
            [workspace.pk, parent],
        )
        row = cursor.fetchone()
    if row is None:
        return "r.parent_run_id = %s", [parent]
    return "r.parent_run_id = %s AND r.trace_id = %s", [parent, row[0]]


def _keys_of_projects(workspace: Workspace, run_query: RunQuery) -> tuple[list[Key], Key | None]:
    """Return the page's keys and one more, of runs in projects, by each project's index.

    Also the key up to which a text search has read, if more runs follow.
    """
    projects = project_ids(workspace, run_query)
    if not projects:
        return [], None
    project = "%s" if len(projects) == 1 else "project.id"
    named = projects if len(projects) == 1 else []
    edge = _edge(run_query, projects) if _looks_for_text(run_query) else None
    page, params = _page(workspace, run_query, (project, named), edge)
    if len(projects) == 1:
        return _fetch(page, params), edge
    direction = "ASC" if run_query.order == "asc" else "DESC"
    keys = _fetch(
        "SELECT page.start_time, page.id FROM unnest(%s::int[]) AS project(id),"
        f" LATERAL ({page}) page"
        f" ORDER BY page.start_time {direction}, page.id {direction} LIMIT %s",
        [projects, *params, run_query.limit + 1],
    )
    return keys, edge


def _looks_for_text(run_query: RunQuery) -> bool:
    filters = (run_query.filter, run_query.trace_filter, run_query.tree_filter)
    return bool(run_query.text) or any(reads_documents(each) for each in filters if each)


def _edge(run_query: RunQuery, projects: list[int]) -> Key | None:
    """Return the key of the run that ends the window of a text search; None for all runs."""
    direction = "ASC" if run_query.order == "asc" else "DESC"
    after, params = _after(run_query, "r.start_time")
    for sql, value in (
        (" AND r.start_time >= %s", run_query.started_from),
        (" AND r.start_time <= %s", run_query.started_to),
    ):
        if value is not None:
            after, params = after + sql, [*params, value]
    if run_query.is_root:
        after += " AND r.parent_run_id IS NULL"
    rows = _fetch(
        "SELECT last.start_time, last.id FROM unnest(%s::int[]) AS project(id), LATERAL ("
        " SELECT r.start_time, r.id FROM runs_run r WHERE r.project_id = project.id"
        f" AND r.start_time IS NOT NULL{after}"
        f" ORDER BY r.start_time {direction}, r.id {direction} OFFSET %s LIMIT 1) last"
        f" ORDER BY last.start_time {direction}, last.id {direction} LIMIT 1",
        [projects, *params, TEXT_WINDOW - 1],
    )
    return rows[0] if rows else None


def _page(workspace: Workspace, run_query: RunQuery, project: SQL, edge: Key | None) -> SQL:
    """Return the statement of one project's keys, in order, one more than the page holds.

    A filter that names a feedback key starts from the feedback with that key, which an index holds
    in the order of its runs: few of a project's runs may have it.
    """
    direction = "ASC" if run_query.order == "asc" else "DESC"
    is_ever = run_query.judged == EVER  # the shortcut cannot limit when feedback was modified
    judged = judged_by(run_query.filter) if run_query.filter and edge is None and is_ever else None
    if judged is None:
        condition, params = conditions(workspace, run_query)
        after, after_params = _after(run_query, "r.start_time")
        if edge is not None:
            sign = "<=" if run_query.order == "asc" else ">="
            after += f" AND (r.start_time, r.id) {sign} (%s, %s)"
            after_params = [*after_params, *edge]
        return (
            f"SELECT r.start_time, r.id FROM runs_run r WHERE r.project_id = {project[0]}"
            f" AND {condition} AND r.start_time IS NOT NULL{after}"
            f" ORDER BY r.start_time {direction}, r.id {direction} LIMIT %s",
            [*project[1], *params, *after_params, run_query.limit + 1],
        )
    start, start_params = _of_feedback(run_query, project, judged[0], direction)
    condition, params = conditions(workspace, replace(run_query, filter=None))
    rest, rest_params = judged[1]
    return (
        f"SELECT r.start_time, r.id FROM ({start}) judged"
        " JOIN runs_run r ON r.workspace_id = %s AND r.id = judged.run_id"
        f" WHERE r.project_id = {project[0]} AND {condition} AND {rest}"
        " AND r.start_time IS NOT NULL"
        f" ORDER BY judged.run_start_time {direction}, judged.run_id {direction} LIMIT %s",
        [*start_params, workspace.pk, *project[1], *params, *rest_params, run_query.limit + 1],
    )


def _of_feedback(run_query: RunQuery, project: SQL, judged: SQL, direction: str) -> SQL:
    """Return the statement of the runs with matching feedback, in order."""
    at = "judged.run_start_time"
    parts: list[SQL] = [(f"judged.project_id = {project[0]}", project[1]), judged]
    for sql, value in (
        (f"{at} >= %s", run_query.started_from),
        (f"{at} <= %s", run_query.started_to),
    ):
        if value is not None:
            parts.append((sql, [value]))
    after, after_params = _after(run_query, at, "judged.run_id")
    return (
        f"SELECT DISTINCT {at}, judged.run_id FROM {judgements.RELATION.get().name} judged"
        f" WHERE {' AND '.join(sql for sql, _ in parts)} AND {at} IS NOT NULL{after}"
        f" ORDER BY {at} {direction}, judged.run_id {direction}",
        [*(param for _, params in parts for param in params), *after_params],
    )


def _keys_of_named(workspace: Workspace, run_query: RunQuery) -> list[Key]:
    """Return the keys of runs by id (other filters do not apply), or of one trace."""
    at = "coalesce(r.start_time, r.received_at)"
    if run_query.ids is not None:
        condition, params = (
            "r.workspace_id = %s AND r.id = ANY(%s)",
            [workspace.pk, list(run_query.ids)],
        )
    else:
        condition, params = conditions(workspace, run_query)
        if run_query.projects is not None:
            condition += " AND r.project_id = ANY(%s)"
            params = [*params, project_ids(workspace, run_query)]
    after, after_params = _after(run_query, at) if run_query.ids is not None else ("", [])
    direction = "ASC" if run_query.order == "asc" else "DESC"
    limit = f" LIMIT {int(run_query.limit) + 1}" if run_query.ids is not None else ""
    return _fetch(
        f"SELECT {at}, r.id FROM runs_run r WHERE {condition}{after}"
        f" ORDER BY 1 {direction}, 2 {direction}{limit}",
        [*params, *after_params],
    )


def _after(run_query: RunQuery, at: str, run_id: str = "r.id") -> SQL:
    if run_query.cursor is None:
        return "", []
    sign = ">" if run_query.order == "asc" else "<"
    return f" AND ({at}, {run_id}) {sign} (%s, %s)", list(read_cursor(run_query.cursor))


def _fetch(sql: str, params: Sequence[Any]) -> list[Key]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [(row[0], row[1]) for row in cursor.fetchall()]


# What is returned of them ---------------------------------------------------------------------


def _rows(
    workspace_id: int, run_ids: Sequence[UUID], payloads: Sequence[str]
) -> dict[UUID, RunRow]:
    if not run_ids:
        return {}
    columns = ", ".join(
        _SMALL.get(name) or (f"r.{name}::text" if name in payloads else "NULL::text")
        for name in _COLUMNS
    )
    with prepared.cursor(is_binary=True) as cursor:
        cursor.execute(
            f"SELECT {columns} FROM runs_run r LEFT JOIN runs_project p ON p.id = r.project_id"
            " WHERE r.workspace_id = %s AND r.id = ANY(%s::uuid[])",
            [workspace_id, prepared.uuid_array(run_ids)],
        )
        return {row[0]: RunRow(*row) for row in cursor.fetchall()}
