"""Arithmetic: where a page of rows ends, how much to read at once, and the next page's cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from observatory import cursors
from observatory.cursors import BadCursor

Key = TypeVar("Key")

PAGE_BYTES: Final = 16 << 20  # of documents; the row that crosses it is the last of its page
CHUNK_BYTES: Final = 4 << 20  # of documents read at once by a response that has no limit in bytes
CHUNK_ROWS: Final = 1_000


def spanned(sizes: Iterable[int]) -> int:
    """Return how many rows a page holds whose documents have `sizes` bytes.

    At least one unless there are none: the row that crosses PAGE_BYTES is the last of its page.
    """
    n_rows = total = 0
    for size in sizes:
        n_rows += 1
        total += size
        if total > PAGE_BYTES:
            break
    return n_rows


def chunks(sized: Iterable[tuple[Key, int]]) -> Iterator[list[Key]]:
    """Yield keys in order, in groups whose documents have about CHUNK_BYTES, at least one each.

    `sized` gives each key with the bytes of its row's documents.
    """
    chunk: list[Key] = []
    total = 0
    for key, size in sized:
        if chunk and (total + size > CHUNK_BYTES or len(chunk) == CHUNK_ROWS):
            yield chunk
            chunk, total = [], 0
        chunk.append(key)
        total += size
    if chunk:
        yield chunk


def cursor_of(at: datetime, run_id: UUID) -> str:
    """Return the cursor of the run that a page ended with."""
    return cursors.encode(f"{at.astimezone(UTC).isoformat()}/{run_id.hex}".encode())


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Return when the run of a cursor started, and its id. Raises BadCursor."""
    try:
        at, _, run_id = cursors.decode(cursor).decode().partition("/")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment, UUID(run_id)
    except ValueError:
        raise BadCursor from None
