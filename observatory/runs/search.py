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

from observatory.db import prepared
from observatory.runs import judgements, sizes, tree
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
from observatory.runs.paging import BadCursor as BadCursor
from observatory.runs.paging import chunks, cursor_of, read_cursor, spanned
from observatory.workspaces.models import Workspace

MAX_LIMIT = 100
TEXT_WINDOW = 20_000
"""Runs of a project that one page of a search for text reads; no index helps it."""


class TooSlow(Exception):
    """The query did not end within the statement timeout, or would not: see `check_cost`."""


@dataclass(frozen=True)
class RunRow:
    """One run as stored. JSON columns (inputs .. extra) are JSON text, unparsed.

    A column that was not selected is None, like one that is missing. `project` is the uuid.
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
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        *("prompt_cost", "completion_cost", "total_cost"),
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
    """What to look for. Everything given must hold; None means "any".

    `ids` given: nothing else counts but the page. `trace_id` given: all runs of the trace, no
    pages. With `is_narrowed` both are conditions like any other. `started_from` and `started_to`
    are inclusive, `started_before` is not. `judged` bounds the feedback that the filters see.
    `payloads` names the JSON columns to read. A statement ends within `timeout_s`, None: within
    the STATEMENT_TIMEOUT_S of the settings.
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
    """`searched_to`: the page is not full, for a search for text has read TEXT_WINDOW runs of a
    project, those from then on; `next_cursor` searches on from there.
    """

    runs: list[RunRow]
    next_cursor: str | None = None
    searched_to: datetime | None = None


def query(workspace: Workspace, wanted: RunQuery) -> Page:
    """Return the runs of `workspace` that `wanted` describes, newest first unless said otherwise.

    Order: (start_time, id), which later runs do not disturb, so no page repeats or skips a run
    that was there. Runs that have not said when they started are found by `ids` and `trace_id`
    alone. A search for text reads no more than TEXT_WINDOW runs of a project a page, which may
    then hold fewer than `limit` and still have a next one, as after paging.PAGE_BYTES.
    Raises BadCursor, and TooSlow after the statement timeout.
    """
    edge: Key | None = None
    with bounded(wanted.timeout_s):
        is_named = wanted.ids is not None or wanted.trace_id is not None
        if is_named and not wanted.is_narrowed:
            keys = _keys_of_named(workspace, wanted)
        else:
            keys, edge = _keys_of_projects(workspace, wanted)
        is_paged = wanted.trace_id is None or wanted.ids is not None or wanted.is_narrowed
        page = keys[: wanted.limit] if is_paged else keys
        ids = [run_id for _, run_id in page]
        if is_paged and wanted.payloads and len(ids) > 1:
            sized = sizes.of_runs(workspace.pk, ids, wanted.payloads)
            ids = ids[: spanned(size for _, size in sized)]
        rows = _rows(workspace.pk, ids, wanted.payloads)
    runs = [rows[run_id] for run_id in ids if run_id in rows]
    if is_paged and len(keys) > len(ids):
        return Page(runs, cursor_of(*page[len(ids) - 1]) if page else None)
    if edge is None:
        return Page(runs)
    return Page(runs, cursor_of(*edge), edge[0])


def get(workspace: Workspace, run_id: UUID) -> RunRow | None:
    """Return the run, whole, or None if this workspace has none of that id."""
    return _rows(workspace.pk, [run_id], PAYLOADS).get(run_id)


def by_ids(
    workspace: Workspace, run_ids: Sequence[UUID], *, payloads: Sequence[str] = PAYLOADS
) -> dict[UUID, RunRow]:
    """Return those of `run_ids` that this workspace has, in one query."""
    return _rows(workspace.pk, run_ids, payloads)


def chunked(
    workspace: Workspace, run_ids: Sequence[UUID], *, payloads: Sequence[str] = PAYLOADS
) -> Iterator[list[RunRow]]:
    """Yield those of `run_ids` that this workspace has, in order, by the paging.CHUNK_BYTES."""
    for ids in chunks(sizes.of_runs(workspace.pk, run_ids, payloads)):
        rows = _rows(workspace.pk, ids, payloads)
        yield [rows[run_id] for run_id in ids if run_id in rows]


def ids_of(workspace: Workspace, wanted: RunQuery) -> list[UUID]:
    """Return the ids of the runs that `wanted` describes, in order, up to its limit.

    Of a trace, or of `ids`: all of them.

    Raises TooSlow after the statement timeout.
    """
    with bounded(wanted.timeout_s):
        if wanted.trace_id is not None or wanted.ids is not None:
            wanted = replace(wanted, limit=len(wanted.ids or ()))
            return [run_id for _, run_id in _keys_of_named(workspace, wanted)]
        keys, _ = _keys_of_projects(workspace, wanted)
    return [run_id for _, run_id in keys[: wanted.limit]]


def trace(
    workspace: Workspace, trace_id: UUID, *, payloads: Sequence[str] = ()
) -> list[tree.Branch[RunRow]]:
    """Return the tree of a trace (see tree.assemble); empty when nothing is known of it."""
    wanted = RunQuery(trace_id=trace_id, payloads=payloads)
    return tree.assemble(query(workspace, wanted).runs)


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


def project_ids(workspace: Workspace, wanted: RunQuery) -> list[int]:
    """Return the internal ids of the projects that `wanted` looks in."""
    params: list[Any] = [workspace.pk]
    parts = ["workspace_id = %s"]
    if wanted.projects is not None:
        parts.append("uuid = ANY(%s::uuid[])")
        params.append(prepared.uuid_array(wanted.projects))
    if wanted.reference_dataset_id is not None:
        parts.append("reference_dataset_id = %s")
        params.append(wanted.reference_dataset_id)
    with prepared.cursor() as cursor:
        cursor.execute(f"SELECT id FROM runs_project WHERE {' AND '.join(parts)}", params)
        return [row[0] for row in cursor.fetchall()]


def conditions(workspace: Workspace, wanted: RunQuery) -> SQL:
    """Return the WHERE of `wanted` over `runs_run r`, projects, ids and cursor aside.

    Raises TooSlow, as `check_cost` does.
    """
    check_cost(wanted.filter, wanted.trace_filter, wanted.tree_filter, text=wanted.text)
    parts: list[SQL] = [("r.workspace_id = %s", [workspace.pk])]
    if wanted.parent_run_id is not None:
        parts.append(_children_of(workspace, wanted.parent_run_id))
    for sql, value in (
        ("r.trace_id = %s", wanted.trace_id),
        ("r.run_type = %s", wanted.run_type),
        ("r.start_time >= %s", wanted.started_from),
        ("r.start_time <= %s", wanted.started_to),
        ("r.start_time < %s", wanted.started_before),
    ):
        if value is not None:
            parts.append((sql, [value]))
    for sql, flag in (
        ("r.parent_run_id IS {}NULL", wanted.is_root),
        ("r.error IS {}NULL", None if wanted.has_error is None else not wanted.has_error),
    ):
        if flag is not None:
            parts.append((sql.format("" if flag else "NOT "), []))
    if wanted.is_narrowed and wanted.ids is not None:
        parts.append(("r.id = ANY(%s)", [list(wanted.ids)]))
    if wanted.reference_examples is not None:
        parts.append(("r.reference_example_id = ANY(%s)", [list(wanted.reference_examples)]))
    if wanted.text:
        parts.append(where(Term("search", None, wanted.text)))
    if wanted.filter is not None:
        parts.append(where(wanted.filter, judged=wanted.judged))
    for node, root_only in ((wanted.trace_filter, True), (wanted.tree_filter, False)):
        if node is not None:
            parts.append(where_in_trace(node, root_only=root_only, judged=wanted.judged))
    return (
        " AND ".join(sql for sql, _ in parts),
        [param for _, params in parts for param in params],
    )


def check_cost(*filters: Node | None, text: str | None = None) -> None:
    """Raise TooSlow when the filters of one query search documents too often together."""
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
        found = cursor.fetchone()
    if found is None:
        return "r.parent_run_id = %s", [parent]
    return "r.parent_run_id = %s AND r.trace_id = %s", [parent, found[0]]


def _keys_of_projects(workspace: Workspace, wanted: RunQuery) -> tuple[list[Key], Key | None]:
    """Return one key more than the page, of runs in projects, by each project's index.

    And the key up to which a search for text has looked, if there is more beyond.
    """
    projects = project_ids(workspace, wanted)
    if not projects:
        return [], None
    project = "%s" if len(projects) == 1 else "project.id"
    given = projects if len(projects) == 1 else []
    edge = _edge(wanted, projects) if _looks_for_text(wanted) else None
    page, params = _page(workspace, wanted, (project, given), edge)
    if len(projects) == 1:
        return _fetch(page, params), edge
    direction = "ASC" if wanted.order == "asc" else "DESC"
    keys = _fetch(
        "SELECT page.start_time, page.id FROM unnest(%s::int[]) AS project(id),"
        f" LATERAL ({page}) page"
        f" ORDER BY page.start_time {direction}, page.id {direction} LIMIT %s",
        [projects, *params, wanted.limit + 1],
    )
    return keys, edge


def _looks_for_text(wanted: RunQuery) -> bool:
    filters = (wanted.filter, wanted.trace_filter, wanted.tree_filter)
    return bool(wanted.text) or any(reads_documents(each) for each in filters if each)


def _edge(wanted: RunQuery, projects: list[int]) -> Key | None:
    """Return the key of the run that ends the window of a search for text; None: of all runs."""
    direction = "ASC" if wanted.order == "asc" else "DESC"
    after, params = _after(wanted, "r.start_time")
    for sql, value in (
        (" AND r.start_time >= %s", wanted.started_from),
        (" AND r.start_time <= %s", wanted.started_to),
    ):
        if value is not None:
            after, params = after + sql, [*params, value]
    if wanted.is_root:
        after += " AND r.parent_run_id IS NULL"
    found = _fetch(
        "SELECT last.start_time, last.id FROM unnest(%s::int[]) AS project(id), LATERAL ("
        " SELECT r.start_time, r.id FROM runs_run r WHERE r.project_id = project.id"
        f" AND r.start_time IS NOT NULL{after}"
        f" ORDER BY r.start_time {direction}, r.id {direction} OFFSET %s LIMIT 1) last"
        f" ORDER BY last.start_time {direction}, last.id {direction} LIMIT 1",
        [projects, *params, TEXT_WINDOW - 1],
    )
    return found[0] if found else None


def _page(workspace: Workspace, wanted: RunQuery, project: SQL, edge: Key | None) -> SQL:
    """Return the statement of one project's keys, in order, one more than the page holds.

    A filter that names a feedback's key starts from the feedback of that key, which an index
    holds in the order of its runs: few of a project's runs may be judged so.
    """
    direction = "ASC" if wanted.order == "asc" else "DESC"
    is_ever = wanted.judged == EVER  # the shortcut knows no bounds of when it was judged
    judged = judged_by(wanted.filter) if wanted.filter and edge is None and is_ever else None
    if judged is None:
        condition, params = conditions(workspace, wanted)
        after, after_params = _after(wanted, "r.start_time")
        if edge is not None:
            sign = "<=" if wanted.order == "asc" else ">="
            after += f" AND (r.start_time, r.id) {sign} (%s, %s)"
            after_params = [*after_params, *edge]
        return (
            f"SELECT r.start_time, r.id FROM runs_run r WHERE r.project_id = {project[0]}"
            f" AND {condition} AND r.start_time IS NOT NULL{after}"
            f" ORDER BY r.start_time {direction}, r.id {direction} LIMIT %s",
            [*project[1], *params, *after_params, wanted.limit + 1],
        )
    start, start_params = _of_feedback(wanted, project, judged[0], direction)
    condition, params = conditions(workspace, replace(wanted, filter=None))
    rest, rest_params = judged[1]
    return (
        f"SELECT r.start_time, r.id FROM ({start}) judged"
        " JOIN runs_run r ON r.workspace_id = %s AND r.id = judged.run_id"
        f" WHERE r.project_id = {project[0]} AND {condition} AND {rest}"
        " AND r.start_time IS NOT NULL"
        f" ORDER BY judged.run_start_time {direction}, judged.run_id {direction} LIMIT %s",
        [*start_params, workspace.pk, *project[1], *params, *rest_params, wanted.limit + 1],
    )


def _of_feedback(wanted: RunQuery, project: SQL, judged: SQL, direction: str) -> SQL:
    """Return the statement of the runs that some feedback judges so, in order."""
    at = "judged.run_start_time"
    parts: list[SQL] = [(f"judged.project_id = {project[0]}", project[1]), judged]
    for sql, value in ((f"{at} >= %s", wanted.started_from), (f"{at} <= %s", wanted.started_to)):
        if value is not None:
            parts.append((sql, [value]))
    after, after_params = _after(wanted, at, "judged.run_id")
    return (
        f"SELECT DISTINCT {at}, judged.run_id FROM {judgements.RELATION.get().name} judged"
        f" WHERE {' AND '.join(sql for sql, _ in parts)} AND {at} IS NOT NULL{after}"
        f" ORDER BY {at} {direction}, judged.run_id {direction}",
        [*(param for _, params in parts for param in params), *after_params],
    )


def _keys_of_named(workspace: Workspace, wanted: RunQuery) -> list[Key]:
    """Return the keys of runs by id (other filters do not count), or of one trace."""
    at = "coalesce(r.start_time, r.received_at)"
    if wanted.ids is not None:
        condition, params = (
            "r.workspace_id = %s AND r.id = ANY(%s)",
            [workspace.pk, list(wanted.ids)],
        )
    else:
        condition, params = conditions(workspace, wanted)
        if wanted.projects is not None:
            condition += " AND r.project_id = ANY(%s)"
            params = [*params, project_ids(workspace, wanted)]
    after, after_params = _after(wanted, at) if wanted.ids is not None else ("", [])
    direction = "ASC" if wanted.order == "asc" else "DESC"
    limit = f" LIMIT {int(wanted.limit) + 1}" if wanted.ids is not None else ""
    return _fetch(
        f"SELECT {at}, r.id FROM runs_run r WHERE {condition}{after}"
        f" ORDER BY 1 {direction}, 2 {direction}{limit}",
        [*params, *after_params],
    )


def _after(wanted: RunQuery, at: str, run_id: str = "r.id") -> SQL:
    if wanted.cursor is None:
        return "", []
    sign = ">" if wanted.order == "asc" else "<"
    return f" AND ({at}, {run_id}) {sign} (%s, %s)", list(read_cursor(wanted.cursor))


def _fetch(sql: str, params: Sequence[Any]) -> list[Key]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [(row[0], row[1]) for row in cursor.fetchall()]


# What is told of them ------------------------------------------------------------------------


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
