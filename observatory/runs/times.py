"""Arithmetic: the wire's spellings of a time."""

from __future__ import annotations

from datetime import datetime

from observatory import wire_values
from observatory.runs.documents import BadItem


def parse_time(value: str | int | float) -> datetime:
    """Return a time of the wire in UTC: ISO 8601 (naive = UTC) or epoch milliseconds.

    White space around it is ignored. Raises BadItem for anything else and outside the years 1 to
    9999.
    """
    try:
        return wire_values.parse_time(value.strip() if isinstance(value, str) else value)
    except ValueError:
        raise BadItem("invalid_time", f"Not a time: {str(value)[:80]!r}") from None
