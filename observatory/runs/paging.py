"""Arithmetic: where a page of runs ends, and the cursor of the next."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

Key = TypeVar("Key")
Row = TypeVar("Row")

PAGE_BYTES: Final = 16 << 20  # of documents; the row that crosses it is the last of its page


class BadCursor(ValueError):
    """The cursor was not made by `cursor_of`."""


def read_page(
    keys: Sequence[Key],
    read: Callable[[Sequence[Key]], Mapping[Key, Row]],
    documents: Callable[[Row], tuple[Any, ...]],
) -> tuple[dict[Key, Row], int, int]:
    """Return the rows of a page, how many of `keys` it spans, and the characters of documents.

    `documents` returns the fields of a row, of which texts are counted. At least one key is
    spanned unless there is none.
    """
    rows: dict[Key, Row] = {}
    size = 0
    found = read(keys)
    for number, key in enumerate(keys, 1):
        if key not in found:
            continue
        rows[key] = found[key]
        size += sum(len(text) for text in documents(found[key]) if isinstance(text, str))
        if size > PAGE_BYTES:
            return rows, number, size
    return rows, len(keys), size


def cursor_of(at: datetime, run_id: UUID) -> str:
    text = f"{at.astimezone(UTC).isoformat()}/{run_id.hex}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
        at, _, run_id = text.partition("/")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment, UUID(run_id)
    except (binascii.Error, ValueError):
        raise BadCursor("cursor: invalid; send the cursor of an earlier answer") from None
