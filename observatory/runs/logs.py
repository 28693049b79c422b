"""Find traces and spans by typed columns: the queries of a log API of flat rows.

The filter language can express more, see filters/. This module adds what a log has beside a run:
its own word for the status and its reference. Those are metadata of the run: see LOG_STATUS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from django.db import connection

from observatory.runs import search, sizes, sums
from observatory.runs.durations import LATENCY
from observatory.runs.models import Project
from observatory.runs.paging import spanned
from observatory.workspaces.models import Workspace

LOG_STATUS: Final = "log_status"
REFERENCE: Final = "reference_id"
_STATUS = (
    f"coalesce(r.metadata ->> '{LOG_STATUS}',"
    " CASE r.status WHEN 'error' THEN 'failure' ELSE r.status END)"
)
_IS_LLM: Final = "run_type = 'llm'"
TEXTS: Final = {
    "name": "r.name",
    "status": _STATUS,
    "reference_id": f"r.metadata ->> '{REFERENCE}'",
    "session_id": "r.thread_id",
    "prompt_id": "r.metadata ->> 'prompt_id'",
    "model": "r.metadata ->> 'ls_model_name'",
    "provider": "r.metadata ->> 'ls_provider'",
}
NUMBERS: Final = {
    "latency_ms": f"{LATENCY.format(r='r')} * 1000",
    "total_cost": "r.total_cost::double precision",
    "prompt_tokens": "r.prompt_tokens",
    "completion_tokens": "r.completion_tokens",
    "total_tokens": "r.total_tokens",
}
TIMES: Final = {"started_at": "r.start_time", "ended_at": "r.end_time"}
COMPARISONS: Final = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True)
class Condition:
    """`column` is a name of TEXTS, NUMBERS or TIMES, "tags", or a metadata key if `is_member`.

    `operator`: of COMPARISONS, or contains (a part of a text in any case, a member of the tags).
    """

    column: str
    operator: str
    value: Any
    is_member: bool = False


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """Which rows of a project to list: its traces, or (`is_span`) everything below them."""

    project: Project
    is_span: bool = False
    conditions: Sequence[Condition] = field(default_factory=tuple)
    order: Literal["asc", "desc"] = "desc"
    limit: int = 50
    after: tuple[datetime, UUID] | None = None


@dataclass(frozen=True)
class Totals:
    """Of a trace: the cost of its model calls (None: unknown) and its number of spans."""

    cost: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    span_ids: tuple[UUID, ...] = ()


def _sql(condition: Condition) -> tuple[str, list[Any]]:
    name, operator, value = condition.column, condition.operator, condition.value
    if condition.is_member:
        if isinstance(value, str) and operator in {"eq", "contains"}:
            return _text("r.metadata ->> %s", [name], operator, value)
        number = (
            "CASE WHEN jsonb_typeof(r.metadata -> %s) = 'number'"
            " THEN (r.metadata ->> %s)::double precision END"
        )
        return f"{number} {COMPARISONS[operator]} %s::double precision", [name, name, value]
    if name == "tags":
        return "r.tags @> %s::text[]", [[value]]
    if name in TEXTS:
        return _text(TEXTS[name], [], operator, value)
    expression, kind = (
        (NUMBERS[name], "double precision") if name in NUMBERS else (TIMES[name], "timestamptz")
    )
    return f"{expression} {COMPARISONS[operator]} %s::{kind}", [value]


def _text(expression: str, params: list[Any], operator: str, value: str) -> tuple[str, list[Any]]:
    if operator == "contains":
        return f"strpos(lower({expression}), lower(%s)) > 0", [*params, value]
    return f"{expression} = %s", [*params, value]


def find(workspace: Workspace, log_query: LogQuery) -> tuple[list[search.RunRow], bool]:
    """Return up to `limit` rows and whether there are more.

    Order: (start, id). Fewer where their documents are large: a response repeats them four times.
    Raises search.TooSlow.
    """
    sign, direction = (">", "ASC") if log_query.order == "asc" else ("<", "DESC")
    parts = [
        "r.project_id = %s",
        "r.workspace_id = %s",
        "r.start_time IS NOT NULL",
        f"r.parent_run_id IS {'NOT ' if log_query.is_span else ''}NULL",
    ]
    params: list[Any] = [log_query.project.pk, workspace.pk]
    for condition in log_query.conditions:
        sql, values = _sql(condition)
        parts.append(sql)
        params += values
    if log_query.after is not None:
        parts.append(f"(r.start_time, r.id) {sign} (%s, %s)")
        params += log_query.after
    with search.bounded():
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT r.id FROM runs_run r WHERE {' AND '.join(parts)}"
                f" ORDER BY r.start_time {direction}, r.id {direction} LIMIT %s",
                [*params, log_query.limit + 1],
            )
            matching = [row[0] for row in cursor.fetchall()]
        payloads = ("extra", "metadata", *(("inputs", "outputs") if log_query.is_span else ()))
        ids = matching[: log_query.limit]
        ids = ids[: spanned(4 * size for _, size in sizes.of_runs(workspace.pk, ids, payloads))]
        rows = search.by_ids(workspace, ids, payloads=payloads)
    return [rows[run_id] for run_id in ids if run_id in rows], len(matching) > len(ids)


def totals_of(workspace: Workspace, trace_ids: Sequence[UUID]) -> dict[UUID, Totals]:
    """Return the totals of these traces, in one query. Model calls count, their parents do not."""
    if not trace_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT trace_id, sum(total_cost) FILTER (WHERE {_IS_LLM})::double precision,"
            f" {sums.tokens('prompt_tokens', where=_IS_LLM)},"
            f" {sums.tokens('completion_tokens', where=_IS_LLM)},"
            " array_agg(id ORDER BY start_time, id) FILTER (WHERE id <> trace_id)"
            " FROM runs_run WHERE workspace_id = %s AND trace_id = ANY(%s) GROUP BY trace_id",
            [workspace.pk, list(trace_ids)],
        )
        return {
            trace_id: Totals(cost, prompt, completion, tuple(span_ids or ()))
            for trace_id, cost, prompt, completion, span_ids in cursor.fetchall()
        }
