"""Lists of whole documents: read by chunks, and sent while they are read.

A short answer goes out whole, with its length. The SDKs stop at a page that is shorter than they
asked for, so such a list never ends early by its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse, StreamingHttpResponse

from observatory.exact import dumps
from observatory.runs import sizes
from observatory.runs.paging import CHUNK_ROWS, chunks

WHOLE_BYTES: Final = 1 << 20  # an answer up to this size is not streamed
Row = TypeVar("Row", bound=Model)


def answer(
    pieces: Iterable[bytes], content_type: str = "application/json"
) -> HttpResponse | StreamingHttpResponse:
    """Return the answer that `pieces` make together; it is streamed beyond WHOLE_BYTES.

    What is raised before that many bytes is raised here; later it cuts the connection.
    """
    waiting = iter(pieces)
    begun: list[bytes] = []
    n_bytes = 0
    for piece in waiting:
        begun.append(piece)
        n_bytes += len(piece)
        if n_bytes > WHOLE_BYTES:
            return StreamingHttpResponse(chain(begun, waiting), content_type=content_type)
    return HttpResponse(b"".join(begun), content_type=content_type)


def array(items: Iterable[Any]) -> Iterator[bytes]:
    """Yield a JSON array, item by item."""
    separator = b"["
    for item in items:
        yield separator + dumps(item)
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


def members(**values: Any) -> Iterator[bytes]:
    """Yield a JSON object; a member that is an iterator becomes an array, item by item."""
    separator = b"{"
    for name, value in values.items():
        yield separator + dumps(name) + b":"
        if isinstance(value, Iterator):
            yield from array(value)
        else:
            yield dumps(value)
        separator = b","
    yield b"}"


def rows_of(
    selected: QuerySet[Row], window: slice, documents: Iterable[str], read: QuerySet[Row]
) -> Iterator[list[Row]]:
    """Yield the rows of a window of `selected` in order, by chunks of their `documents` (columns).

    `read` reads them by primary key. Where rows of the window are deleted meanwhile, as many that
    follow it take their place: a client that goes on at the end of the window misses none.
    """
    n_gone = 0
    sized = sizes.sized(selected, documents)[window]
    for keys in chunks(sized.iterator(CHUNK_ROWS) if window.stop is None else list(sized)):
        rows = read.in_bulk(keys)
        n_gone += len(keys) - len(rows)
        yield [rows[key] for key in keys if key in rows]
    if n_gone and window.stop is not None:
        yield list(selected[window.stop - n_gone : window.stop])
