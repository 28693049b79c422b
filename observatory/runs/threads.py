"""Threads: the traces of one conversation, by the thread id in their roots' metadata.

A run's `thread_id` is its metadata's `session_id`, `thread_id` or `conversation_id`, the first
that is there (cut at 200 characters). A thread belongs to one project.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from observatory.runs.filters.compile import where
from observatory.runs.filters.grammar import Node
from observatory.runs.models import Project
from observatory.runs.search import bounded

MAX_LISTED = 1_000


@dataclass(frozen=True)
class Thread:
    """One conversation: its traces (root runs) counted; latencies in seconds, costs in dollars.

    Tokens and costs are those of the llm runs of its traces. `first_inputs` are the inputs of
    the earliest root, `last_outputs` and `last_error` the newest root's that has some: JSON
    text, unparsed.
    """

    thread_id: str
    count: int
    first_start: datetime
    last_start: datetime
    latency_p50: float | None
    latency_p99: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_cost: Decimal | None
    completion_cost: Decimal | None
    total_cost: Decimal | None
    first_trace_id: UUID
    last_trace_id: UUID
    first_inputs: str | None
    last_outputs: str | None
    last_error: str | None

    @property
    def filter(self) -> str:
        """The filter that finds the runs of the thread."""
        return filter_of(self.thread_id)


@dataclass(frozen=True)
class Threads:
    """A page of threads and how many there are in all."""

    threads: list[Thread]
    total: int


def filter_of(thread_id: str) -> str:
    """Return the filter that finds the runs of a thread, as both SDKs' read_thread writes it."""
    return f"eq(thread_id, {json.dumps(thread_id, ensure_ascii=False)})"


_ROOTS = """
WITH roots AS MATERIALIZED (
    SELECT r.id, r.thread_id, r.start_time, r.latency_s, r.error FROM runs_run r
    WHERE r.workspace_id = %(workspace)s AND r.project_id = %(project)s
        AND r.parent_run_id IS NULL AND r.thread_id IS NOT NULL AND r.start_time IS NOT NULL
        {condition}
), threads AS (
    SELECT thread_id, count(*) AS n, min(start_time) AS first_start, max(start_time) AS last_start,
        percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY latency_s) AS latency,
        (array_agg(id ORDER BY start_time, id))[1] AS first_id,
        (array_agg(id ORDER BY start_time DESC, id DESC))[1] AS last_id,
        (array_agg(error ORDER BY start_time DESC, id DESC) FILTER (WHERE error IS NOT NULL))[1]
            AS last_error,
        array_agg(id) AS ids
    FROM roots GROUP BY thread_id
), page AS (
    SELECT *, count(*) OVER () AS total FROM threads
    ORDER BY last_start DESC, thread_id LIMIT %(limit)s OFFSET %(offset)s
)
SELECT page.thread_id, n, first_start, last_start, latency, used.*,
    first_id, last_id,
    (SELECT inputs::text FROM runs_run WHERE workspace_id = %(workspace)s AND id = first_id),
    (SELECT r.outputs::text FROM runs_run r WHERE r.workspace_id = %(workspace)s
        AND r.id = ANY(page.ids) AND r.outputs IS NOT NULL
        ORDER BY r.start_time DESC, r.id DESC LIMIT 1),
    last_error, total
FROM page, LATERAL (
    SELECT coalesce(sum(prompt_tokens), 0)::bigint, coalesce(sum(completion_tokens), 0)::bigint,
        coalesce(sum(total_tokens), 0)::bigint, sum(prompt_cost), sum(completion_cost),
        sum(total_cost)
    FROM runs_run WHERE workspace_id = %(workspace)s AND trace_id = ANY(page.ids)
        AND run_type = 'llm'
) used
ORDER BY last_start DESC, page.thread_id
"""
_COUNT = """
SELECT count(DISTINCT r.thread_id) FROM runs_run r
WHERE r.workspace_id = %(workspace)s AND r.project_id = %(project)s
    AND r.parent_run_id IS NULL AND r.thread_id IS NOT NULL AND r.start_time IS NOT NULL
    {condition}
"""


def listed(
    project: Project,
    *,
    filter: Node | None = None,
    thread_ids: Sequence[str] | None = None,
    started_from: datetime | None = None,
    started_to: datetime | None = None,
    limit: int = MAX_LISTED,
    offset: int = 0,
) -> Threads:
    """Return the threads of `project`, the most recently used first (then by thread id).

    `filter`, `started_from` and `started_to` (inclusive) choose among the root runs; a thread
    is told of those it keeps. At most MAX_LISTED a page. One statement, a second one when the
    page is empty. Raises search.TooSlow.
    """
    params: dict[str, Any] = {
        "workspace": project.workspace_id,
        "project": project.pk,
        "limit": max(0, min(limit, MAX_LISTED)),
        "offset": max(0, offset),
    }
    parts = []
    if filter is not None:
        sql, values = where(filter)
        names = [f"filter_{number}" for number in range(len(values))]
        parts.append(f"({sql % tuple(f'%({name})s' for name in names)})")
        params |= dict(zip(names, values, strict=True))
    narrowed: list[tuple[str, str, Any]] = [
        ("r.start_time >= %(started_from)s", "started_from", started_from),
        ("r.start_time <= %(started_to)s", "started_to", started_to),
        ("r.thread_id = ANY(%(thread_ids)s)", "thread_ids", thread_ids and list(thread_ids)),
    ]
    for sql, name, value in narrowed:
        if value is not None:
            parts.append(sql)
            params[name] = value
    condition = "".join(f" AND {part}" for part in parts)
    with bounded(), connection.cursor() as cursor:
        cursor.execute(_ROOTS.format(condition=condition), params)
        rows = cursor.fetchall()
        if rows:
            return Threads([_thread(row) for row in rows], rows[0][-1])
        cursor.execute(_COUNT.format(condition=condition), params)
        counted = cursor.fetchone()
        assert counted is not None
        return Threads([], counted[0])


def _thread(row: tuple[Any, ...]) -> Thread:
    thread_id, n, first_start, last_start, latency, *rest, _ = row
    p50, p99 = latency or (None, None)
    return Thread(thread_id, n, first_start, last_start, p50, p99, *rest)
