"""Arithmetic: where the body of an HTTP/1.1 request ends, fed piece by piece as it arrives.

Source: RFC 9112, sections 6 and 7.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

MAX_SIZE_LINE: Final = 1024
MAX_TRAILERS: Final = 16 * 1024
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,15}")


class BadFraming(ValueError):
    """The body's framing does not match its head; its end is unknown."""


class Framing(Protocol):
    """Takes bytes from the connection until the body is complete."""

    @property
    def is_complete(self) -> bool: ...

    def feed(self, received: bytes) -> tuple[bytes, bytes]:
        """Return the bytes of the body in `received`, and what follows the body.

        Raises BadFraming.
        """


class Counted:
    """A body with a Content-Length, in bytes."""

    def __init__(self, length: int) -> None:
        self.missing = length

    @property
    def is_complete(self) -> bool:
        return self.missing == 0

    def feed(self, received: bytes) -> tuple[bytes, bytes]:
        if len(received) <= self.missing:
            self.missing -= len(received)
            return received, b""
        piece, rest = received[: self.missing], received[self.missing :]
        self.missing = 0
        return piece, rest


class Chunked:
    """A chunked body. Extensions and trailers are dropped."""

    def __init__(self) -> None:
        self.is_complete = False
        self._missing = 0  # of the current chunk
        self._line = b""  # the start of a line whose end has not arrived
        self._expects = self._size_line
        self._n_trailer_bytes = 0

    def feed(self, received: bytes) -> tuple[bytes, bytes]:
        pieces: list[bytes] = []
        at = 0
        while at < len(received) and not self.is_complete:
            if self._missing:
                piece = received[at : at + self._missing]
                pieces.append(piece)
                self._missing -= len(piece)
                at += len(piece)
                continue
            end = received.find(b"\n", at) + 1
            self._line += received[at : end or len(received)]
            if len(self._line) > MAX_SIZE_LINE:
                raise BadFraming("a line between two chunks is too long")
            if not end:
                break
            at = end
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                raise BadFraming("a line between two chunks does not end with CR LF")
            self._expects(line[:-2])
        rest = received[at:] if self.is_complete else b""
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), rest

    def _size_line(self, line: bytes) -> None:
        size, semicolon, _ = line.partition(b";")
        if semicolon:
            size = size.rstrip(b" \t")
        if not _SIZE.fullmatch(size):
            raise BadFraming("the size of a chunk must be a hexadecimal number")
        self._missing = int(size, 16)
        self._expects = self._end_of_chunk if self._missing else self._trailer

    def _end_of_chunk(self, line: bytes) -> None:
        if line:
            raise BadFraming("a chunk is longer than its size")
        self._expects = self._size_line

    def _trailer(self, line: bytes) -> None:
        self._n_trailer_bytes += len(line)
        if self._n_trailer_bytes > MAX_TRAILERS:
            raise BadFraming("the trailers are too long")
        self.is_complete = not line
