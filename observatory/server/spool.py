"""Buffers of a connection: a body until it is complete, a response until it is read.

Little is kept in memory, the rest in an unnamed file of the temporary folder.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from io import BytesIO
from socket import socket
from typing import IO, Final

BODY_IN_MEMORY: Final = 2 << 20  # a longer body goes to a file
ANSWER_IN_MEMORY: Final = 256 << 10
ANSWER_IN_FILE: Final = 256 << 20  # of a longer one the thread waits for the client
AT_LEAST: Final = 64 << 10  # of a response, kept even when there is no room
MEMORY: Final = 32 << 20  # of all waiting bodies and responses of one worker
FLUSH_AT_MOST: Final = 4 << 20  # to one client before the next has its turn


class NoRoom(OSError):
    """The files of this worker have reached their limit, or the disk is full."""


class Room:
    """What all connections of one worker buffer, in memory and in files. Thread-safe."""

    def __init__(self, in_files: int) -> None:
        self._lock = threading.Lock()
        self._memory, self._files = MEMORY, in_files

    def take_memory(self, n_bytes: int) -> bool:
        """Return whether `n_bytes` more may be kept in memory, and count them if so."""
        with self._lock:
            if n_bytes > self._memory:
                return False
            self._memory -= n_bytes
            return True

    def take_file(self, n_bytes: int) -> None:
        """Count `n_bytes` more in files. Raises NoRoom."""
        with self._lock:
            if n_bytes > self._files:
                raise NoRoom("too many large bodies and answers are waiting")
            self._files -= n_bytes

    def give(self, *, memory: int = 0, files: int = 0) -> None:
        """Count what is kept no longer."""
        with self._lock:
            self._memory += memory
            self._files += files


class Body:
    """The body of a request while it arrives."""

    def __init__(self, room: Room) -> None:
        self.size = 0
        self._room = room
        self._in_memory = self._in_file = 0
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None

    def add(self, piece: bytes) -> None:
        """Keep `piece`. Raises OSError when there is no room for it."""
        self.size += len(piece)
        if self._file is None:
            if self.size <= BODY_IN_MEMORY and self._room.take_memory(len(piece)):
                self._in_memory += len(piece)
                self._pieces.append(piece)
                return
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
            for earlier in self._pieces:
                self._write(earlier)
            self._pieces.clear()
            self._room.give(memory=self._in_memory)
            self._in_memory = 0
        self._write(piece)

    def _write(self, piece: bytes) -> None:
        assert self._file is not None
        self._room.take_file(len(piece))
        self._in_file += len(piece)
        waiting = memoryview(piece)
        while waiting:
            waiting = waiting[self._file.write(waiting) :]

    def stream(self) -> IO[bytes]:
        """Return the whole body, to be read from its start."""
        if self._file is None:
            return BytesIO(self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces))
        self._file.seek(0)
        return self._file

    @property
    def descriptor(self) -> int | None:
        """The file that holds the body, or None for one in memory."""
        return None if self._file is None else self._file.fileno()

    def close(self) -> None:
        """Forget the body."""
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
        self._room.give(memory=self._in_memory, files=self._in_file)
        self._in_memory = self._in_file = 0


class _Kept:
    """A part of a response that the client has not read: bytes, or a range of a file."""

    __slots__ = ("at", "content", "descriptor", "end")

    def __init__(self, content: bytes = b"", *, descriptor: int = -1, at: int = 0, end: int = 0):
        self.content, self.descriptor = content, descriptor
        self.at, self.end = at, end or len(content)

    def send(self, connection: socket, at_most: int) -> int:
        """Send what the client takes now. Raises BlockingIOError when that is nothing."""
        n_bytes = min(self.end - self.at, at_most)
        if self.descriptor < 0:
            n_sent = connection.send(memoryview(self.content)[self.at : self.at + n_bytes])
        else:
            n_sent = os.sendfile(connection.fileno(), self.descriptor, self.at, n_bytes)
            if not n_sent:
                raise OSError("the file of an answer has become shorter")
        self.at += n_sent
        return n_sent


class Outbox:
    """The responses of one connection. Threads write; the event loop sends what did not go at once.

    It has the methods of a socket that gunicorn's Response calls.
    """

    def __init__(self, connection: socket, room: Room, has_pending: Callable[[], None]) -> None:
        self._connection = connection
        self._room = room
        self._has_pending = has_pending
        self._changed = threading.Condition()
        self._kept: deque[_Kept] = deque()
        self._in_memory = self._in_file = 0
        self._file: IO[bytes] | None = None
        self._is_announced = False
        self.is_closed = False

    @property
    def is_pending(self) -> bool:
        return bool(self._kept)

    def gettimeout(self) -> float:
        return 0.0

    def send(self, content: bytes) -> int:
        self.sendall(content)
        return len(content)

    def sendall(self, content: bytes) -> None:
        """Send `content`, or keep what the client does not take now.

        Waits for the client only where there is no room to keep it. Raises OSError when the
        client is gone.
        """
        with self._changed:
            waiting = memoryview(content)
            while waiting:
                self._check_open()
                if not self._kept:
                    waiting = waiting[self._send_now(waiting) :]
                if not waiting or self._keep(waiting):
                    break
                if self._kept:
                    self._announce()
                    self._changed.wait()
                else:
                    self._room.give(memory=-len(waiting[:AT_LEAST]))
                    self._keep_in_memory(waiting[:AT_LEAST])
                    waiting = waiting[AT_LEAST:]
            self._announce()

    def sendfile(self, file: IO[bytes], *, offset: int, count: int) -> None:
        """Send a part of `file`, which may be closed at once."""
        with self._changed:
            self._check_open()
            self._kept.append(
                _Kept(descriptor=os.dup(file.fileno()), at=offset, end=offset + count)
            )
            self._announce()

    def flush(self) -> int:
        """Send what the client takes now; return how many bytes. Raises OSError if it is gone."""
        n_sent = 0
        with self._changed:
            while self._kept and n_sent < FLUSH_AT_MOST:
                first = self._kept[0]
                try:
                    n_sent += first.send(self._connection, FLUSH_AT_MOST)
                except BlockingIOError:
                    break
                if first.at == first.end:
                    self._forget(self._kept.popleft())
            if not self._kept:
                self._forget_file()
                self._is_announced = False
            self._changed.notify_all()
        return n_sent

    def abandon(self) -> None:
        """Drop what is kept and accept no more: the event loop is about to close the connection."""
        with self._changed:
            self.is_closed = True
            while self._kept:
                self._forget(self._kept.popleft())
            self._forget_file()
            self._changed.notify_all()

    def close(self) -> None:
        """Abandon, and close the connection; a thread that writes meets an OSError."""
        with self._changed:
            self.abandon()
            self._connection.close()

    def _announce(self) -> None:
        if self._kept and not self._is_announced:
            self._is_announced = True
            self._has_pending()

    def _check_open(self) -> None:
        if self.is_closed:
            raise BrokenPipeError("the client is gone")

    def _send_now(self, content: memoryview) -> int:
        try:
            return self._connection.send(content)
        except BlockingIOError:
            return 0

    def _keep(self, content: memoryview) -> bool:
        """Keep `content` and return True, or False when there is no room."""
        size = len(content)
        is_little = self._in_memory + size <= ANSWER_IN_MEMORY and self._file is None
        if is_little and self._room.take_memory(size):
            self._keep_in_memory(content)
            return True
        if self._in_file + size > ANSWER_IN_FILE:
            return False
        try:
            self._keep_in_file(content)
        except OSError:  # the disk is full: the thread waits for the client
            return False
        return True

    def _keep_in_memory(self, content: memoryview) -> None:
        self._in_memory += len(content)
        self._kept.append(_Kept(bytes(content)))

    def _keep_in_file(self, content: memoryview) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when sent
        start = self._in_file
        self._room.take_file(len(content))
        self._in_file += len(content)
        at = start
        while content:
            n_written = os.pwrite(self._file.fileno(), content, at)
            content, at = content[n_written:], at + n_written
        last = self._kept[-1] if self._kept else None
        if last is not None and last.descriptor == self._file.fileno() and last.end == start:
            last.end = at
        else:
            self._kept.append(_Kept(descriptor=self._file.fileno(), at=start, end=at))

    def _forget(self, kept: _Kept) -> None:
        if kept.descriptor < 0:
            self._room.give(memory=len(kept.content))
            self._in_memory -= len(kept.content)
        elif self._file is None or kept.descriptor != self._file.fileno():
            os.close(kept.descriptor)

    def _forget_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._room.give(files=self._in_file)
            self._in_file = 0
