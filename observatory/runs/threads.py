"""Threads: the traces of one conversation, by the thread id in their roots' metadata.

A run's `thread_id` is its metadata's `session_id`, `thread_id` or `conversation_id`, the first
that is there; ingestion refuses one of more than 200 characters. A thread belongs to one project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from observatory.runs import sizes, sums, totals
from observatory.runs.durations import LATENCY
from observatory.runs.filters import compile
from observatory.runs.filters.compile import SQL, where, where_in_trace
from observatory.runs.filters.grammar import Node
from observatory.runs.models import Project
from observatory.runs.paging import chunks
from observatory.runs.search import bounded, by_ids, check_cost
from observatory.workspaces.models import Workspace

MAX_LISTED = 1_000


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Tokens (counts) and costs (US dollars, None when unknown) of the llm runs of traces."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_cost: Decimal | None
    completion_cost: Decimal | None
    total_cost: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Thread(Spent):
    """One conversation: its traces (root runs) counted; latencies in seconds, costs in dollars.

    Tokens and costs are those of the llm runs of its traces. `last_outputs_id` is the newest root
    that has outputs, `last_error` the newest root's that has one. `trace_ids` are the counted
    traces, in no order.
    """

    thread_id: str
    count: int
    first_start: datetime
    last_start: datetime
    last_end: datetime | None
    n_errors: int
    trace_ids: list[UUID]
    latency_p50: float | None
    latency_p99: float | None
    first_trace_id: UUID
    last_trace_id: UUID
    last_outputs_id: UUID | None
    last_error: str | None

    @property
    def filter(self) -> str:
        """The filter that matches the runs of the thread."""
        return filter_of(self.thread_id)


@dataclass(frozen=True, kw_only=True)
class ThreadQuery:
    """Which threads to find. None means "any".

    `filter` and the window select root runs: a thread is computed from those, and left out without
    any. `trace_filter` must hold for one of them, `tree_filter` for a run of one of their traces.
    `started_from` and `started_to` are inclusive, `started_before` is not. `thread_filter` (of
    fields.THREAD_FIELDS) must hold for the computed thread. `after` is (last_start, thread_id) of
    the last thread of the previous page.
    """

    filter: Node | None = None
    trace_filter: Node | None = None
    tree_filter: Node | None = None
    thread_filter: Node | None = None
    thread_ids: Sequence[str] | None = None
    started_from: datetime | None = None
    started_to: datetime | None = None
    started_before: datetime | None = None
    after: tuple[datetime, str] | None = None


@dataclass(frozen=True)
class Threads:
    """A page of threads and their total number."""

    threads: list[Thread]
    total: int


@dataclass(frozen=True, kw_only=True)
class Totals(Spent):
    """All threads together. Latencies and first tokens in seconds, rates in [0, 1].

    Latency and errors are of root runs; first tokens of the llm runs of each trace.
    """

    n_threads: int
    n_traces: int
    latency_p50: float | None
    latency_p99: float | None
    first_token_p50: float | None
    first_token_p99: float | None
    median_tokens: int | None
    error_rate: float | None
    streaming_rate: float | None
    trace_ids: list[UUID]
    thread_ids: list[str]


def filter_of(thread_id: str) -> str:
    """Return the filter that matches the runs of a thread, as both SDKs' read_thread writes it."""
    return f"eq(thread_id, {json.dumps(thread_id, ensure_ascii=False)})"


# The roots of a query; {hits}: whether each satisfies the filters that one of them must.
_ROOTS = """
WITH roots AS MATERIALIZED (
    SELECT r.id, r.thread_id, r.start_time, r.end_time,
        {latency} AS latency_s, r.error{hits} FROM runs_run r
    WHERE r.workspace_id = %(workspace)s AND r.project_id = %(project)s
        AND r.parent_run_id IS NULL AND r.thread_id IS NOT NULL AND r.start_time IS NOT NULL
        {condition}
)"""
# A field of a thread -> its SQL over the thread's roots.
_OF_A_GROUP = {
    "thread_id": "thread_id",
    "count": "count(*)",
    "num_errored_turns": "count(error)",
    "start_time": "max(start_time)",
    "min_start_time": "min(start_time)",
    "max_start_time": "max(start_time)",
    "latency_p50": "percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_s)",
    "latency_p99": "percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_s)",
    "last_error": (
        "(array_agg(error ORDER BY start_time DESC, id DESC) FILTER (WHERE error IS NOT NULL))[1]"
    ),
} | {
    f"{part}_{kind}": (
        f"(SELECT {'coalesce(' if kind == 'tokens' else ''}sum(used.{part}_{kind})"
        f"{', 0)' if kind == 'tokens' else ''} FROM runs_run used"
        " WHERE used.workspace_id = %(workspace)s AND used.run_type = 'llm'"
        " AND used.trace_id = ANY(array_agg(roots.id)))"
    )
    for kind in ("tokens", "cost")
    for part in ("prompt", "completion", "total")
}
_PAGE = f""", threads AS (
    SELECT thread_id, count(*) AS n, min(start_time) AS first_start, max(start_time) AS last_start,
        max(end_time) AS last_end, count(error) AS n_errors,
        percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY latency_s) AS latency,
        (array_agg(id ORDER BY start_time, id))[1] AS first_id,
        (array_agg(id ORDER BY start_time DESC, id DESC))[1] AS last_id,
        (array_agg(error ORDER BY start_time DESC, id DESC) FILTER (WHERE error IS NOT NULL))[1]
            AS last_error,
        array_agg(id) AS ids
    FROM roots GROUP BY thread_id{{having}}
), page AS (
    SELECT *, count(*) OVER () AS total FROM threads
    ORDER BY last_start DESC, thread_id LIMIT %(limit)s OFFSET %(offset)s
)
SELECT page.thread_id, n AS count, first_start, last_start, last_end, n_errors, ids AS trace_ids,
    latency[1] AS latency_p50, latency[2] AS latency_p99, used.*,
    first_id AS first_trace_id, last_id AS last_trace_id,
    (SELECT r.id FROM runs_run r WHERE r.workspace_id = %(workspace)s
        AND r.id = ANY(page.ids) AND r.outputs IS NOT NULL
        ORDER BY r.start_time DESC, r.id DESC LIMIT 1) AS last_outputs_id,
    last_error, total
FROM page, LATERAL (
    SELECT {sums.usage(or_zero=True)}
    FROM runs_run WHERE workspace_id = %(workspace)s AND trace_id = ANY(page.ids)
        AND run_type = 'llm'
) used
ORDER BY last_start DESC, page.thread_id
"""
_COUNT = """, threads AS (SELECT thread_id FROM roots GROUP BY thread_id{having})
SELECT count(*) FROM threads
"""
_TOTALS = f""", threads AS (SELECT thread_id FROM roots GROUP BY thread_id{{having}}
), traces AS (
    SELECT roots.*, used.*,
        CASE WHEN used.first_token_time >= start_time
            THEN extract(epoch from (used.first_token_time - start_time))::float8
        END AS first_token_s
    FROM roots JOIN threads USING (thread_id), LATERAL (
        SELECT {sums.usage()},
            min(first_token_time) AS first_token_time
        FROM runs_run WHERE workspace_id = %(workspace)s AND trace_id = roots.id
            AND run_type = 'llm'
    ) used
)
SELECT count(DISTINCT thread_id) AS n_threads, count(*) AS n_traces,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_s) AS latency_p50,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_s) AS latency_p99,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY first_token_s) AS first_token_p50,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY first_token_s) AS first_token_p99,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY total_tokens) AS median_tokens,
    avg((error IS NOT NULL)::int)::float8 AS error_rate,
    avg((first_token_time IS NOT NULL)::int) FILTER (WHERE end_time IS NOT NULL)::float8
        AS streaming_rate,
    {sums.usage(or_zero=True)},
    coalesce(array_agg(id), '{{{{}}}}') AS trace_ids,
    coalesce(array_agg(DISTINCT thread_id), '{{{{}}}}') AS thread_ids
FROM traces
"""
_TURNS = """
SELECT id, number FROM (
    SELECT id, row_number() OVER (ORDER BY start_time, id) AS number FROM runs_run
    WHERE workspace_id = %s AND project_id = %s AND thread_id = %s AND parent_run_id IS NULL
        AND start_time IS NOT NULL
) turns WHERE id = ANY(%s)
"""


def listed(
    project: Project,
    thread_query: ThreadQuery = ThreadQuery(),
    *,
    limit: int = MAX_LISTED,
    offset: int = 0,
) -> Threads:
    """Return the threads of `project`, the most recently used first (then by thread id).

    At most MAX_LISTED a page; `total` counts those from `after` on. One statement, a second one
    when the page is empty. Raises search.TooSlow.
    """
    chosen = _Chosen(project, thread_query)
    chosen.params |= {"limit": max(0, min(limit, MAX_LISTED)), "offset": max(0, offset)}
    with bounded(), connection.cursor() as cursor:
        cursor.execute(chosen.sql(_PAGE), chosen.params)
        rows = _named_rows(cursor)
        if rows:
            totals_of_rows = [row.pop("total") for row in rows]
            return Threads([Thread(**row) for row in rows], totals_of_rows[0])
        cursor.execute(chosen.sql(_COUNT), chosen.params)
        counted = cursor.fetchone()
        assert counted is not None
        return Threads([], counted[0])


def with_documents(
    workspace: Workspace, threads: Sequence[Thread]
) -> Iterator[tuple[Thread, str | None, str | None]]:
    """Yield each thread with the inputs of its first root and its last outputs: JSON text."""
    first = sizes.of_runs(workspace.pk, [thread.first_trace_id for thread in threads], ("inputs",))
    last = dict(
        sizes.of_runs(
            workspace.pk,
            [thread.last_outputs_id for thread in threads if thread.last_outputs_id],
            ("outputs",),
        )
    )
    sized = (
        (thread, size + (last[thread.last_outputs_id] if thread.last_outputs_id else 0))
        for thread, (_, size) in zip(threads, first, strict=True)
    )
    for chunk in chunks(sized):
        begun = by_ids(workspace, [thread.first_trace_id for thread in chunk], payloads=("inputs",))
        ended = by_ids(
            workspace,
            [thread.last_outputs_id for thread in chunk if thread.last_outputs_id],
            payloads=("outputs",),
        )
        for thread in chunk:
            opening = begun.get(thread.first_trace_id)
            closing = ended.get(thread.last_outputs_id) if thread.last_outputs_id else None
            yield (
                thread,
                None if opening is None else opening.inputs,
                None if closing is None else closing.outputs,
            )


def aggregated(project: Project, thread_query: ThreadQuery) -> Totals:
    """Return the totals of the threads that match `thread_query`. Raises search.TooSlow."""
    chosen = _Chosen(project, thread_query)
    with bounded(), connection.cursor() as cursor:
        cursor.execute(chosen.sql(_TOTALS), chosen.params)
        (row,) = _named_rows(cursor)
    return Totals(**row)


def turns(project: Project, thread_id: str, trace_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the position of each trace in its whole thread, from 1, by start. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_TURNS, [project.workspace_id, project.pk, thread_id, list(trace_ids)])
        return dict(cursor.fetchall())


def details(workspace_id: int, threads: Sequence[Thread]) -> dict[str, totals.Details]:
    """Return by thread the tokens and costs of its traces by category. One query."""
    pairs = [(thread.thread_id, trace) for thread in threads for trace in thread.trace_ids]
    return totals.details_of_groups(workspace_id, pairs)


class _Chosen:
    """The SQL of a ThreadQuery, with its parameters by name."""

    def __init__(self, project: Project, thread_query: ThreadQuery) -> None:
        check_cost(thread_query.filter, thread_query.trace_filter, thread_query.tree_filter)
        self.params: dict[str, Any] = {"workspace": project.workspace_id, "project": project.pk}
        self._condition = self._conditions(thread_query)
        hits = [
            self._named(compiled)
            for compiled in (
                where(thread_query.trace_filter) if thread_query.trace_filter else None,
                where_in_trace(thread_query.tree_filter, root_only=False)
                if thread_query.tree_filter
                else None,
            )
            if compiled is not None
        ]
        self._hits = "".join(f", ({sql}) IS TRUE AS hit_{n}" for n, sql in enumerate(hits))
        having = [f"bool_or(hit_{number})" for number in range(len(hits))]
        if thread_query.after is not None:
            self.params |= {"after": thread_query.after[0], "after_id": thread_query.after[1]}
            having.append(
                "(max(start_time) < %(after)s"
                " OR (max(start_time) = %(after)s AND thread_id > %(after_id)s))"
            )
        if thread_query.thread_filter is not None:
            having.append(
                f"({self._named(compile.having(thread_query.thread_filter, _OF_A_GROUP))})"
            )
        self._having = f" HAVING {' AND '.join(having)}" if having else ""

    def sql(self, rest: str) -> str:
        """Return the statement that selects the roots and continues with `rest`."""
        roots = _ROOTS.format(
            latency=LATENCY.format(r="r"), hits=self._hits, condition=self._condition
        )
        return roots + rest.format(having=self._having)

    def _conditions(self, thread_query: ThreadQuery) -> str:
        parts = (
            [] if thread_query.filter is None else [f"({self._named(where(thread_query.filter))})"]
        )
        ids = None if thread_query.thread_ids is None else list(thread_query.thread_ids)
        narrowed: list[tuple[str, str, Any]] = [
            ("r.start_time >= %(started_from)s", "started_from", thread_query.started_from),
            ("r.start_time <= %(started_to)s", "started_to", thread_query.started_to),
            ("r.start_time < %(started_before)s", "started_before", thread_query.started_before),
            ("r.thread_id = ANY(%(thread_ids)s)", "thread_ids", ids),
        ]
        for sql, name, value in narrowed:
            if value is not None:
                parts.append(sql)
                self.params[name] = value
        return "".join(f" AND {part}" for part in parts)

    def _named(self, compiled: SQL) -> str:
        """Return the SQL with named parameters, which are added to `params`."""
        sql, values = compiled
        names = [f"p{len(self.params) + number}" for number in range(len(values))]
        self.params |= dict(zip(names, values, strict=True))
        # %(workspace)s is named already.
        pieces = sql.split("%s")
        placeholders = (*(f"%({name})s" for name in names), "")
        return "".join(piece + name for piece, name in zip(pieces, placeholders, strict=True))


def _named_rows(cursor: CursorWrapper) -> list[dict[str, Any]]:
    """Return the fetched rows as dictionaries by column name."""
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
