"""The envelope of a multipart body: its boundary and its parts, found by slicing.

The contents are never parsed here. A part ends after its own Content-Length, or at the next
boundary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from django.conf import settings
from rest_framework.exceptions import ParseError

from observatory.api.kit.body import Content, forget
from observatory.api.kit.errors import TooLarge

MAX_HEADER: Final = 16_384
MAX_NAME: Final = 4_096
LARGE: Final = 1 << 20  # bytes: the memory of a longer part is given back once it was found
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="((?:[^"\\]|\\.)*)"')
# As both SDKs write it; any other order or spelling is read header by header.
_USUAL = re.compile(
    rb'\r\nContent-Disposition: form-data; name="([^"\\\r\n]{1,4096})"\r\n'
    rb"Content-Type: [^\r\n]{1,200}\r\n(?:Content-Length: ([0-9]{1,12})\r\n)?\r\n"
)
_LENGTH = re.compile(rb"content-length:[ \t]*([0-9]{1,12})[ \t]*(?:\r|$)", re.IGNORECASE)
_FILE_NAME = re.compile(rb'[;\s]filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TYPE = re.compile(rb"content-type:[ \t]*([^\r\n]*)", re.IGNORECASE)


class Part(NamedTuple):
    """Where the part `name` is: its headers from `head`, its content in body[start:end]."""

    name: str
    head: int
    start: int
    end: int


_new = tuple.__new__


def mime_type(body: Content, part: Part) -> str:
    """Return the content type without its parameters: JavaScript's `length` is not in bytes."""
    match = _TYPE.search(body[part.head : part.start])
    text = match.group(1).decode("latin-1") if match else ""
    return text.partition(";")[0].strip().lower() or "application/octet-stream"


def file_name(body: Content, part: Part) -> str | None:
    """Return the name of the sender's file, without folders; None if the part names none."""
    match = _FILE_NAME.search(body[part.head : part.start])
    text = match.group(1).decode(errors="replace") if match else ""
    return text.replace("\\", "/").rpartition("/")[2].replace("\x00", "").strip() or None


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a multipart Content-Type names. Raises ParseError."""
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or match is None:
        raise ParseError("Content-Type must be multipart/form-data with a boundary")
    return (match.group(1) or match.group(2)).encode("latin-1", "replace")


def split(body: Content, boundary: bytes, max_parts: int | None = None) -> Iterator[Part]:
    """Yield the parts of `body`. Raises ParseError unless it ends with the closing boundary.

    Raises TooLarge for more than `max_parts` (default: the ingest limit) or too long a part.
    """
    most = settings.INGEST_MAX_PARTS if max_parts is None else max_parts
    longest = settings.INGEST_MAX_PART_BYTES  # asked once: a body has hundreds of parts
    delimiter = b"\r\n--" + boundary
    width = len(delimiter)
    usual = _USUAL.match
    position = _first(body, delimiter)
    n_parts = 0
    while (after := body[position : position + 2]) == b"\r\n":
        part = usual(body, position)
        if part is None:
            name, start, length = _headers(body, position)
        else:
            name, length = part.groups()
            start = part.end()
        if length is None:
            end = body.find(delimiter, start)
            if end < 0:
                raise ParseError("The body is cut short: the closing boundary is missing")
        else:
            end = start + int(length)
            if body[end : end + width] != delimiter:
                raise ParseError(f"The part at byte {start} is not as long as it says")
        n_parts += 1
        if n_parts > most:
            raise TooLarge(f"A body may have {most} parts")
        if end - start > longest:
            raise TooLarge(f"A part may have {longest} bytes")
        if end - start > LARGE:
            forget(body)
        # The tuple is made directly: Part(...) takes as long as the rest of the loop.
        yield _new(Part, (name.decode(errors="replace"), position, start, end))
        position = end + width
    if after != b"--" or body[position + 2 : position + 4] not in {b"", b"\r\n"}:
        raise ParseError(f"The boundary at byte {position} is not followed by a line's end")


def _headers(body: Content, head: int) -> tuple[bytes, int, bytes | None]:
    """Return the name of the part whose headers are at `head`, where its content starts, and
    the digits of its length if the headers say it.
    """
    end = body.find(b"\r\n\r\n", head, head + MAX_HEADER)
    if end < 0:
        raise ParseError(f"The part at byte {head} has no headers, or is cut short")
    headers = body[head:end]
    named = _NAME.search(headers)
    if named is None or len(named.group(1)) > MAX_NAME:
        raise ParseError(f"The part at byte {head} has no name, or too long a one")
    length = _LENGTH.search(headers)
    return named.group(1), end + 4, None if length is None else length.group(1)


def _first(body: Content, delimiter: bytes) -> int:
    """Return where the first boundary ends."""
    position = len(delimiter) - 2
    if body[:position] == delimiter[2:]:
        return position
    position = body.find(delimiter)  # after a preamble, which no SDK sends
    if position < 0:
        raise ParseError("The body does not hold the boundary that Content-Type names")
    return position + len(delimiter)
