"""Tokens and costs of parents, summed on read from the llm runs below them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from observatory.db import prepared
from observatory.runs import sums
from observatory.runs.search import RunRow

_SUMS = sums.usage("r.")
# For a root: its whole trace. For any other run: the runs whose path leads through it.
_BELOW = f"""
SELECT r.trace_id, {_SUMS} FROM runs_run r
WHERE r.workspace_id = %(workspace)s AND r.trace_id = ANY(%(roots)s::uuid[]) AND r.run_type = 'llm'
    AND r.id <> r.trace_id
GROUP BY r.trace_id
UNION ALL
SELECT above.id::uuid, {_SUMS} FROM runs_run r, LATERAL (
    SELECT right(part, 36) AS id FROM unnest(string_to_array(r.dotted_order, '.')) part
    UNION SELECT r.parent_run_id::text
) above
WHERE r.workspace_id = %(workspace)s AND r.trace_id = ANY(%(traces)s::uuid[]) AND r.run_type = 'llm'
    AND above.id = ANY(%(parents)s::text[]) AND above.id <> r.id::text
GROUP BY above.id
"""


def _lacks(row: RunRow) -> bool:
    """Whether `row` needs a sum: a parent without tokens or cost of its own."""
    return row.run_type != "llm" and (row.total_tokens is None or row.total_cost is None)


def with_subtree_usage(
    workspace_id: int, rows: Iterable[RunRow], *, instead_of_own: bool = False
) -> list[RunRow]:
    """Return `rows` with the tokens and costs of parents: their own, or the sum of llm runs below.

    Tokens are counts, costs US dollars; each of the two is summed only where the run itself has
    none. An llm run has its own. Below a root are all runs of its trace; below any other run those
    that name it in `dotted_order` (or as their parent). One query, none when no row needs it.
    Details (cached tokens and so on) are not summed. With `instead_of_own` a sum replaces the run's
    own values.
    """
    listed = list(rows)
    lacking = [row for row in listed if _lacks(row) or (instead_of_own and row.run_type != "llm")]
    if not lacking:
        return listed
    inner = [row for row in lacking if row.trace_id != row.id]
    params: dict[str, Any] = {
        "workspace": workspace_id,
        "roots": prepared.uuid_array(row.id for row in lacking if row.trace_id == row.id),
        "traces": prepared.uuid_array({row.trace_id for row in inner}),
        "parents": [str(row.id) for row in inner],
    }
    with prepared.cursor() as cursor:
        cursor.execute(_BELOW, params)
        below = {row[0]: row[1:] for row in cursor.fetchall()}
    ids = {row.id for row in lacking} & below.keys()
    return [_with(row, below[row.id], instead_of_own) if row.id in ids else row for row in listed]


def _with(row: RunRow, below: tuple[Any, ...], instead_of_own: bool) -> RunRow:
    values = dict(zip(sums.USAGE, below, strict=True))
    changes: dict[str, Any] = {}
    for names, number in ((sums.TOKENS, int), (sums.COSTS, Decimal)):
        if all(getattr(row, name) is None for name in names) or (
            instead_of_own and any(values[name] is not None for name in names)
        ):
            changes |= {
                name: None if values[name] is None else number(values[name]) for name in names
            }
    return replace(row, **changes)
