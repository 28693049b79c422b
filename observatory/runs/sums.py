"""Sums and means in SQL that do not fail on any stored number.

PostgreSQL aborts a statement whose sum exceeds the column's type, or whose mean has a square that
is no double. One odd row must not cost the figures of all others.
"""

from __future__ import annotations

from typing import Final

TOKENS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
COSTS: Final = ("prompt_cost", "completion_cost", "total_cost")
USAGE: Final = (*TOKENS, *COSTS)
"""Columns of what a run used: tokens are counts, costs US dollars."""
MAX_TOKENS: Final = (1 << 63) - 1
"""A sum of tokens is at most this: more than was ever spent, and what the wire can say."""
MAX_AVERAGED: Final = 1e140
"""Beyond it (in absolute value) a set has no mean and no deviation: their squares overflow."""


def tokens(column: str, *, where: str = "TRUE") -> str:
    """Return the SQL of the sum of a column of tokens; null where no row has any."""
    total = f"sum({column}) FILTER (WHERE {where})"
    return f"(CASE WHEN {total} > {MAX_TOKENS} THEN {MAX_TOKENS} ELSE {total} END)::bigint"


def usage(table: str = "", *, suffix: str = "", or_zero: bool = False) -> str:
    """Return the SELECT list of the sums of USAGE, each under its own name and `suffix`.

    `table` is an alias with its dot. Null where no row says any; with `or_zero`, tokens are 0.
    """
    sums = {name: tokens(f"{table}{name}") for name in TOKENS}
    if or_zero:
        sums = {name: f"coalesce({sql}, 0)" for name, sql in sums.items()}
    sums |= {name: f"sum({table}{name})" for name in COSTS}
    return ", ".join(f"{sql} AS {name}{suffix}" for name, sql in sums.items())


def mean(column: str, *, aggregate: str = "avg") -> str:
    """Return the SQL of the mean of a double; null without a value or beyond MAX_AVERAGED.

    `aggregate` may be stddev_pop.
    """
    return (
        f"(CASE WHEN max(abs({column})) <= {MAX_AVERAGED!r}"
        f" THEN {aggregate}({column}) FILTER (WHERE abs({column}) <= {MAX_AVERAGED!r}) END)"
    )
