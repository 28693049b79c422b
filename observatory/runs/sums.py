"""Sums and means in SQL that do not fail on any stored number.

PostgreSQL aborts a statement whose sum exceeds the column's type, or whose mean has a square that
is no double. One odd row must not cost the figures of all others.
"""

from __future__ import annotations

from typing import Final

MAX_TOKENS: Final = (1 << 63) - 1
"""A sum of tokens is at most this: more than was ever spent, and what the wire can say."""
MAX_AVERAGED: Final = 1e140
"""Beyond it (in absolute value) a set has no mean and no deviation: their squares overflow."""


def tokens(column: str, *, where: str = "TRUE") -> str:
    """Return the SQL of the sum of a column of tokens; null where no row has any."""
    total = f"sum({column}) FILTER (WHERE {where})"
    return f"(CASE WHEN {total} > {MAX_TOKENS} THEN {MAX_TOKENS} ELSE {total} END)::bigint"


def mean(column: str, *, aggregate: str = "avg") -> str:
    """Return the SQL of the mean of a double; null without a value or beyond MAX_AVERAGED.

    `aggregate` may be stddev_pop.
    """
    return (
        f"(CASE WHEN max(abs({column})) <= {MAX_AVERAGED!r}"
        f" THEN {aggregate}({column}) FILTER (WHERE abs({column}) <= {MAX_AVERAGED!r}) END)"
    )
