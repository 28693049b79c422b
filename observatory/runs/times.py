"""Arithmetic: the wire's spellings of a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from observatory.runs.documents import BadItem

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(value: str | int | float) -> datetime:
    """Return a time of the wire in UTC: ISO 8601 (naive = UTC) or epoch milliseconds.

    `T` or a space between date and time; microseconds survive. Raises BadItem for what is no
    time or outside the years 1 to 9999.
    """
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value.strip())
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        return EPOCH + timedelta(milliseconds=value)
    except (ValueError, OverflowError):
        raise BadItem("invalid_time", f"Not a time: {str(value)[:80]!r}") from None
