"""Arithmetic: texts and times as every dialect of the wire writes them.

Each function raises ValueError with the reason alone; the caller adds the name of the field, as
InvalidField does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


class InvalidField(ValueError):
    """A field of what a client sent is not valid. `reason` names the rule, and its limit."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store `text`: without NUL and lone surrogates."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def clean_text(text: str) -> str:
    """Return `text` with NUL and lone surrogates replaced by U+FFFD, as PostgreSQL can store it."""
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(REPLACEMENT if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def parse_time(value: Any) -> datetime:
    """Return ISO 8601 text (no zone: UTC) or epoch milliseconds as a time in UTC.

    `T` or a space between date and time; microseconds survive. Raises ValueError for anything
    else and outside the years 1 to 9999.
    """
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return EPOCH + timedelta(milliseconds=value)
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("is not a time (ISO 8601 or epoch milliseconds)") from None
