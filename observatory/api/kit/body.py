"""Read an upload: decompressed as a stream, under caps, in memory or in a file, never half.

Django's own reading is not used: it does not know Content-Encoding and takes a truncated body
for a whole one. Slow senders never get here: observatory/server waits for them.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

import zstandard
from django.conf import settings
from django.http import HttpRequest, UnreadablePostError
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType

from observatory.api.kit.errors import TooLarge
from observatory.outages import reason_of_outage

Content = bytes | mmap.mmap
PIECE: Final = 65_536
IN_MEMORY: Final = 2 << 20  # a longer body goes to a file, and one such is parsed at a time
MAX_WINDOW: Final = 8 << 20
LARGE_WAIT_S: Final = 8.0

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_one_large_at_a_time = threading.BoundedSemaphore(1)


class Busy(APIException):
    status_code = 503
    default_code = "busy"
    default_detail = "Another large upload is being read; try again"
    wait = 20  # becomes Retry-After


class _Mapped(mmap.mmap):
    """A map that knows its file."""

    descriptor: int


def take(content: Content, start: int, end: int) -> bytes:
    """Return content[start:end]; of a map without drawing its pages into memory as well."""
    if isinstance(content, _Mapped):
        return os.pread(content.descriptor, end - start, start)
    return content[start:end]


def _pieces(request: HttpRequest, limit: int) -> Iterator[bytes]:
    """Yield the body as it was sent. Raises when it is over `limit` bytes or cut short."""
    declared = int(request.META.get("CONTENT_LENGTH") or 0)
    is_chunked = declared >= 1 << 60  # the WSGI shim's length of a chunked body
    if not is_chunked and declared > limit:
        raise TooLarge(f"The body may have {limit} bytes, this one has {declared}")
    total = 0
    try:
        while is_chunked or total < declared:
            piece = request.read(PIECE)
            if not piece:
                break
            total += len(piece)
            if total > limit:
                raise TooLarge(f"The body may have {limit} bytes")
            yield piece
    except (UnreadablePostError, OSError, ValueError) as error:
        if reason_of_outage(error):
            raise
        raise ParseError(f"The body ended early: {error}") from None
    if not is_chunked and total != declared:
        raise ParseError(f"The body has {total} bytes, Content-Length said {declared}")


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what gzip members, one after the other, hold: at most PIECE bytes at a time."""
    unzip = zlib.decompressobj(wbits=31)
    is_begun = False
    try:
        for piece in pieces:
            waiting = piece
            while waiting:
                if unzip.eof:
                    if not waiting.strip(b"\x00"):
                        break  # padding after the last member
                    unzip, is_begun = zlib.decompressobj(wbits=31), False
                yield unzip.decompress(waiting, PIECE)
                is_begun = True
                waiting = unzip.unconsumed_tail or (unzip.unused_data if unzip.eof else b"")
        while not unzip.eof and (rest := unzip.decompress(b"", PIECE)):
            yield rest  # what a full output buffer held back
        if is_begun and not unzip.eof:
            raise ParseError("The gzip body is cut short")
    except zlib.error as error:
        raise ParseError(f"The body is not gzip: {error}") from None


def _unzstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what zstd frames, one after the other, hold; their window is capped."""
    decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    frame = decoder.decompressobj()
    is_begun = False
    try:
        for piece in pieces:
            # decompressobj has no output cap: feed it little, so that it gives little. A block
            # of zstd holds 128 KiB at most and takes 4 bytes, so a slice gives 8 MiB at most.
            for start in range(0, len(piece), 256):
                waiting = piece[start : start + 256]
                while waiting:
                    if frame.eof:
                        frame, is_begun = decoder.decompressobj(), False
                    yield frame.decompress(waiting)
                    is_begun = True
                    waiting = frame.unused_data if frame.eof else b""
        if is_begun and not frame.eof:
            raise ParseError("The zstd body is cut short")
    except zstandard.ZstdError as error:
        raise ParseError(f"The body is not zstd: {error}") from None


def _encoding(request: HttpRequest) -> str:
    return str(request.headers.get("content-encoding", "")).strip().lower()


def _decoded(request: HttpRequest) -> Iterator[bytes]:
    encoding = _encoding(request)
    limit = settings.INGEST_MAX_DECODED_BYTES
    if encoding in {"", "identity"}:
        yield from _pieces(request, limit)
        return
    pieces = _pieces(request, settings.INGEST_MAX_BODY_BYTES)
    if encoding == "zstd":
        decoder = _unzstd(pieces)
    elif encoding in {"gzip", "x-gzip"}:
        decoder = _inflated(pieces)
    else:
        raise UnsupportedMediaType(encoding, "Content-Encoding must be zstd, gzip or identity")
    total = 0
    for piece in decoder:
        total += len(piece)
        if total > limit:
            raise TooLarge(f"The body may have {limit} bytes when decompressed")
        yield piece


@contextmanager
def received(request: HttpRequest) -> Iterator[Content]:
    """Yield the whole decoded body of `request`: bytes, or a map of a file when it is large.

    Raises before the block: 400 when it is cut short or not what Content-Encoding says, 413
    over the limits, 415 for an unknown encoding, 503 when too many large ones arrive at once,
    OSError when the temporary folder takes no file.
    """
    arrived = _arrived_file(request)
    if arrived is not None:
        with _mapped(arrived) as content:
            yield content
        return
    small: list[bytes] = []
    size = 0
    file: IO[bytes] | None = None
    try:
        for piece in _decoded(request):
            size += len(piece)
            if file is not None:
                file.write(piece)
                continue
            small.append(piece)
            if size > IN_MEMORY:
                file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
                file.writelines(small)
                small.clear()
        if file is None:
            yield b"".join(small)
            return
        file.flush()
        with _mapped(file.fileno()) as content:
            yield content
    finally:
        if file is not None:
            file.close()


def _arrived_file(request: HttpRequest) -> int | None:
    """Return the file in which the server keeps a large plain body, if it does."""
    descriptor: int | None = request.META.get("observatory.body_file")
    if descriptor is None or _encoding(request) not in {"", "identity"}:
        return None
    size, limit = os.fstat(descriptor).st_size, settings.INGEST_MAX_DECODED_BYTES
    if size > limit:
        raise TooLarge(f"The body may have {limit} bytes, this one has {size}")
    return descriptor


@contextmanager
def _mapped(descriptor: int) -> Iterator[Content]:
    """Map a file, one at a time in this process."""
    if not _one_large_at_a_time.acquire(timeout=LARGE_WAIT_S):
        raise Busy
    try:
        with _Mapped(descriptor, 0, access=mmap.ACCESS_READ) as content:
            content.descriptor = descriptor
            yield content
    finally:
        _give_back()
        _one_large_at_a_time.release()


def _give_back() -> None:
    """Return freed memory to the system: the C library keeps it, for a body that may never come."""
    if _libc is not None and hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


def forget(content: Content) -> None:
    """Give the memory of a mapped body back; its file still holds it."""
    if isinstance(content, mmap.mmap):
        content.madvise(mmap.MADV_DONTNEED)
