"""Totals of a run with all runs below it: usage, its details, the first token's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from observatory import exact
from observatory.runs import spending, sums
from observatory.runs.filters.compile import SQL
from observatory.runs.search import RunRow, bounded
from observatory.workspaces.models import Workspace

Details = dict[str, dict[str, Any]]
"""`prompt_token_details` and its like -> category -> tokens (int) or US dollars (float)."""
COUNTED = sums.USAGE
# Every pair of a requested run and a run that is it or is below it.
_BELOW = """runs_run top JOIN runs_run below ON below.workspace_id = top.workspace_id
    AND below.trace_id = top.trace_id
    AND (below.id = top.id OR top.parent_run_id IS NULL
         OR starts_with(below.dotted_order, top.dotted_order || '.'))"""
_FIRST_TOKENS = (
    f"SELECT top.id, min(below.first_token_time) FROM {_BELOW}"
    " WHERE top.workspace_id = %s AND top.id = ANY(%s) AND below.first_token_time IS NOT NULL"
    " GROUP BY top.id"
)
_DETAILS = """
SELECT {subject}, part.key, member.key, sum(member.value::numeric)
FROM {source}, LATERAL jsonb_each(below.usage_details) part, LATERAL jsonb_each_text(
    CASE WHEN jsonb_typeof(part.value) = 'object' THEN part.value END) member
WHERE {condition} AND below.run_type = 'llm' AND jsonb_typeof(below.usage_details) = 'object'
    AND member.value IS NOT NULL
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def with_subtree_totals(
    workspace: Workspace, rows: Sequence[RunRow], *, details: bool = False
) -> list[RunRow]:
    """Return `rows` with the tokens, costs and first token of the whole tree below each.

    The sum of the llm runs below replaces a parent's own values; a run without any keeps its own.
    Runs below count regardless of the page's filter or window. `details` also sums `usage_details`.
    Two queries, three with `details`.
    """
    ids = [row.id for row in rows]
    if not ids:
        return []
    params: list[Any] = [workspace.pk, ids]
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_TOKENS, params)
        first_tokens = dict(cursor.fetchall())
    parts: dict[UUID, Details] = {}
    if details:
        parts = _details("top.id", _BELOW, "top.workspace_id = %s AND top.id = ANY(%s)", params)
    summed = spending.with_subtree_usage(workspace.pk, rows, instead_of_own=True)
    return [_with(row, first_tokens.get(row.id), parts.get(row.id)) for row in summed]


def with_details(workspace_id: int, rows: Sequence[RunRow]) -> list[RunRow]:
    """Return `rows` with the details of the llm runs below each parent without any. One query."""
    ids = [row.id for row in rows if row.run_type != "llm" and row.usage_details is None]
    if not ids:
        return list(rows)
    condition = "top.workspace_id = %s AND top.id = ANY(%s)"
    parts = _details("top.id", _BELOW, condition, [workspace_id, ids])
    return [_with(row, None, parts.get(row.id)) for row in rows]


def details_of_groups(workspace_id: int, pairs: Sequence[tuple[str, UUID]]) -> dict[str, Details]:
    """Return by group the details of the llm runs of its traces, in one query.

    `pairs` are (group, trace).
    """
    if not pairs:
        return {}
    names, traces = zip(*pairs, strict=True)
    source = (
        "unnest(%s::text[], %s::uuid[]) AS asked(name, trace_id)"
        " JOIN runs_run below ON below.workspace_id = %s AND below.trace_id = asked.trace_id"
    )
    return _details("asked.name", source, "TRUE", [list(names), list(traces), workspace_id])


def details_of_chosen(
    workspace_id: int, chosen: SQL, *, whole_traces: bool
) -> dict[str | None, Details]:
    """Return by label the details of the llm runs that a statement selects, in one query.

    `chosen` is one of stats.Chosen.rows. With `whole_traces` it selects roots, and the llm runs of
    their traces count. Raises search.TooSlow.
    """
    sql, params = chosen
    link = "below.trace_id = chosen_id" if whole_traces else "below.id = chosen_id"
    source = f"({sql}) chosen JOIN runs_run below ON below.workspace_id = %s AND {link}"
    with bounded():
        return _details("chosen_label", source, "TRUE", [*params, workspace_id])


def _with(row: RunRow, first_token: Any, details: Details | None) -> RunRow:
    changes: dict[str, Any] = {}
    if first_token is not None:
        changes["first_token_time"] = first_token
    if details is not None:
        changes["usage_details"] = exact.dumps(details).decode()
    return replace(row, **changes)


def _details(subject: str, source: str, condition: str, params: list[Any]) -> dict[Any, Details]:
    sql = _DETAILS.format(subject=subject, source=source, condition=condition)
    details: dict[Any, Details] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for of, part, category, amount in cursor.fetchall():
            details.setdefault(of, {}).setdefault(part, {})[category] = _number(part, amount)
    return details


def _number(part: str, amount: Decimal) -> int | float:
    return min(int(amount), sums.MAX_TOKENS) if part.endswith("token_details") else float(amount)
