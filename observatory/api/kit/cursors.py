"""Opaque cursors: where in an order a page ended, as base64 of a JSON array."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework.exceptions import ParseError

from observatory import cursors, exact


def written(*parts: Any) -> str:
    """Return the cursor of `parts`: texts, numbers, None and times."""
    return cursors.encode(exact.dumps(parts))


def read(cursor: str, *kinds: type) -> list[Any]:
    """Return the parts of a cursor; the kinds are str, int, float (or None) and datetime.

    Raises ParseError for one that `written` did not give out.
    """
    try:
        parts = exact.loads(cursors.decode(cursor))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError("other parts")
        return [_part(kind, part) for kind, part in zip(kinds, parts, strict=True)]
    except ValueError:
        raise ParseError(str(cursors.BadCursor())) from None


def _part(kind: type, part: Any) -> Any:
    if kind is datetime and isinstance(part, str):
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment
    if kind is float and (part is None or type(part) in (int, float)):
        return part
    if kind is int and type(part) is int and part.bit_length() < 63:
        return part
    if kind is str and isinstance(part, str) and "\x00" not in part:
        return part
    raise ValueError("another kind")
