"""A gunicorn worker in which a slow client holds a socket and never a thread.

The event loop of each worker reads heads and bodies under deadlines and sends what a client does
not read at once; a request gets a thread only once it has arrived completely, and the thread is
free again when the response is written here. Parsing and responding are gunicorn's.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.base import Worker

from observatory import settings
from observatory.outages import RETRY_AFTER_S
from observatory.proxies import client_of
from observatory.server.answering import answer
from observatory.server.connection import Connection, State
from observatory.server.fair_queue import FairQueue
from observatory.server.framing import BadFraming, Chunked, Counted
from observatory.server.spool import Body, Room

RECEIVE: Final = 1 << 20
MAX_HEAD: Final = 64 << 10
LINGER_S: Final = 5.0  # how long a refused body is read and dropped, so that the response arrives
LINGER_BYTES: Final = 32 << 20
LAST_REQUEST_S: Final = 2.0  # of an idle connection when the worker stops
REASONS: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class BufferedWorker(Worker):  # type: ignore[misc]
    """Reads requests and writes responses in an event loop, and runs the application in threads."""

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        if cfg.is_ssl:
            raise RuntimeError("TLS ends at a proxy: this worker serves plain HTTP")

    def init_process(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._connections: dict[Connection, None] = {}
        self._n_of_peer: Counter[str] = Counter()
        self._room = Room(settings.SPOOL_MAX_BYTES)
        self._deferred: deque[Callable[[], None]] = deque()
        self._buffer = memoryview(bytearray(RECEIVE))
        self._look_at = 0.0
        # One more than one client may hold, so that others find a thread.
        self._jobs: FairQueue[Connection] = FairQueue(self.cfg.threads)
        for number in range(self.cfg.threads + 1):
            threading.Thread(target=self._serve, name=f"request-{number}", daemon=True).start()
        super().init_process()

    # The event loop -------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until a stop signal arrives, then finish the requests in hand."""
        self._selector.register(self.PIPE[0], selectors.EVENT_READ, self._woken)
        for listener in self.sockets:
            listener.setblocking(False)
        self._listen(True)
        self.alive: bool
        while self.alive and self.ppid == os.getppid():
            self._turn()
        self.alive = False
        self._listen(False)
        ends_at = time.monotonic() + self.cfg.graceful_timeout
        last_request = time.monotonic() + LAST_REQUEST_S
        while self._connections and time.monotonic() < ends_at:
            for connection in list(self._connections):
                if connection.is_idle:
                    connection.deadline = min(connection.deadline, last_request)
            self._turn(0.2)

    def _turn(self, timeout_s: float = 1.0) -> None:
        self.notify()
        for key, events in self._selector.select(timeout_s):
            key.data(key.fileobj, events)
        while self._deferred:
            self._deferred.popleft()()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + min(1.0, timeout_s)
            for connection in [c for c in self._connections if c.deadline <= now]:
                self._expire(connection)
            self._listen(self.alive)

    def _defer(self, call: Callable[[], None]) -> None:
        """Have the event loop call `call`; for threads."""
        self._deferred.append(call)
        try:
            os.write(self.PIPE[1], b"\0")
        except BlockingIOError:
            return  # the pipe is full: the loop is about to wake up

    def _woken(self, pipe: int, events: int) -> None:
        try:
            os.read(pipe, 4096)
        except BlockingIOError:
            return

    def _listen(self, is_wanted: bool) -> None:
        for listener in self.sockets:
            is_registered = listener.fileno() in self._selector.get_map()
            if is_wanted and not is_registered:
                self._selector.register(listener, selectors.EVENT_READ, self._accept)
            elif is_registered and not is_wanted:
                self._selector.unregister(listener)

    def _accept(self, listener: Any, events: int) -> None:
        try:  # one at a time, so that other workers get their share
            accepted, peer = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                raise
            self.log.warning("No connection can be accepted: %s", error)
            if not self._evict(self._connections):
                self._listen(False)  # until the next look at the deadlines
            return
        self._admit(accepted, peer, listener.getsockname())

    def _admit(self, accepted: socket.socket, peer: Any, server: Any) -> None:
        """Accept a connection; evict the slowest of its address when there are too many."""
        accepted.setblocking(False)
        connection = Connection(accepted, peer, server, self._room, self._has_pending)
        name = connection.peer_name
        if not connection.is_from_proxy and self._n_of_peer[name] >= (
            settings.CONNECTIONS_PER_ADDRESS
        ):
            has_place = self._evict([c for c in self._connections if c.peer_name == name])
        else:
            has_place = len(self._connections) < self.cfg.worker_connections or self._evict(
                self._connections
            )
        if not has_place:
            connection.outbox.close()
            return
        self._connections[connection] = None
        self._n_of_peer[name] += 1
        connection.deadline = time.monotonic() + settings.HEADER_TIMEOUT_S
        self._listen_to(connection)

    def _evict(self, candidates: Any) -> bool:
        """Close the one of `candidates` that has waited longest for its client."""
        waiting = [c for c in candidates if c.state is not State.WORKING]
        if not waiting:
            return False
        self._drop(min(waiting, key=lambda c: (c.state, c.since)))
        return True

    def _drop(self, connection: Connection) -> None:
        """Close `connection`; a thread that responds gets an error from its outbox."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        self._n_of_peer[connection.peer_name] -= 1
        if not self._n_of_peer[connection.peer_name]:
            del self._n_of_peer[connection.peer_name]
        if connection.mask:
            self._selector.unregister(connection.socket)
            connection.mask = 0
        connection.outbox.close()
        if connection.state is not State.WORKING:
            connection.forget_request()

    def _listen_to(self, connection: Connection) -> None:
        """Have the selector report what `connection` waits for."""
        mask = connection.wanted_events()
        if mask == connection.mask:
            return
        if not connection.mask:
            self._selector.register(connection.socket, mask, partial(self._happened, connection))
        elif not mask:
            self._selector.unregister(connection.socket)
        else:
            self._selector.modify(connection.socket, mask, partial(self._happened, connection))
        connection.mask = mask

    def _happened(self, connection: Connection, _: Any, events: int) -> None:
        if connection not in self._connections:
            return  # dropped earlier in this turn
        try:
            if events & selectors.EVENT_WRITE:
                self._send(connection)
            elif events & selectors.EVENT_READ:
                self._receive(connection)
        except OSError as error:
            self.log.debug("Connection of %s: %s", connection.peer_name, error)
            self._drop(connection)
        else:
            if connection in self._connections:
                self._listen_to(connection)

    # Sending --------------------------------------------------------------------------------

    def _has_pending(self, connection: Connection) -> None:
        self._defer(partial(self._begin_to_send, connection))

    def _begin_to_send(self, connection: Connection) -> None:
        if connection in self._connections and connection.outbox.is_pending:
            connection.deadline = time.monotonic() + settings.STALL_TIMEOUT_S
            connection.n_moved = 0
            self._listen_to(connection)

    def _send(self, connection: Connection) -> None:
        connection.moved(connection.outbox.flush())
        if connection.outbox.is_pending:
            return
        if connection.state is State.WORKING:
            connection.deadline = float("inf")
        else:
            self._after_answer(connection)

    def _after_answer(self, connection: Connection) -> None:
        """Continue after a response has been sent: with the next request, or close."""
        now = time.monotonic()
        connection.since = now
        if connection.state is State.CLOSING:
            connection.socket.shutdown(socket.SHUT_WR)
            connection.state = State.LINGERING
            connection.n_moved = 0
            connection.deadline = now + LINGER_S
            return
        connection.deadline = now + self.cfg.keepalive
        if connection.received:
            self._read_head(connection)

    def _expire(self, connection: Connection) -> None:
        if connection.outbox.is_pending or connection.is_idle or connection.is_leaving:
            self._drop(connection)  # it does not read its response, or is idle
            return
        if connection.state is State.WORKING:
            connection.deadline = float("inf")
            return
        what = "head" if connection.state is State.READING_HEAD else "body"
        try:
            self._refuse(connection, 408, "timeout", f"The {what} of the request came too slowly")
            self._listen_to(connection)
        except OSError:
            self._drop(connection)

    def _refuse(self, connection: Connection, status: int, code: str, detail: str) -> None:
        """Respond to a request without the application, and close the connection."""
        content = json.dumps({"detail": detail, "code": code}).encode()
        retry = f"Retry-After: {RETRY_AFTER_S}\r\n" if status == 503 else ""
        head = (
            f"HTTP/1.1 {status} {REASONS[status]}\r\nConnection: close\r\n{retry}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._close_after(connection, head.encode() + content)

    def _close_after(self, connection: Connection, last_words: bytes = b"") -> None:
        connection.forget_request()
        connection.received.clear()
        connection.state = State.CLOSING
        connection.deadline = time.monotonic() + settings.STALL_TIMEOUT_S
        if last_words:
            connection.outbox.sendall(last_words)
        if not connection.outbox.is_pending:
            self._after_answer(connection)

    # Receiving ------------------------------------------------------------------------------

    def _receive(self, connection: Connection) -> None:
        try:
            n_bytes = connection.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        received = bytes(self._buffer[:n_bytes])
        if connection.state is State.LINGERING:
            connection.n_moved += len(received)
            if not received or connection.n_moved > LINGER_BYTES:
                self._drop(connection)
        elif connection.state is State.READING_BODY:
            if received:
                self._read_body(connection, received)
            else:
                self._refuse(connection, 400, "invalid", "The body ended early")
        elif not received:
            self._drop(connection)
        else:
            if connection.is_idle:
                connection.since = time.monotonic()
                connection.deadline = connection.since + settings.HEADER_TIMEOUT_S
            connection.received += received
            self._read_head(connection)

    def _read_head(self, connection: Connection) -> None:
        received = connection.received
        while received[:2] == b"\r\n":
            del received[:2]
        end = received.find(b"\r\n\r\n", max(0, connection.n_searched - 3)) + 4
        if end < 4 or end > MAX_HEAD:
            connection.n_searched = len(received)
            if len(received) > MAX_HEAD:
                self._refuse(connection, 431, "too_large", "The head of the request is too long")
            return
        head, rest = bytes(received[:end]), bytes(received[end:])
        received.clear()
        connection.n_searched = 0
        connection.n_requests += 1
        try:
            request = Request(
                self.cfg, IterUnreader([head]), connection.peer, connection.n_requests
            )
        except (StopIteration, NoMoreData):
            self._refuse(connection, 400, "invalid", "The head of the request is not HTTP")
            return
        except Exception as error:
            self.handle_error(None, connection.outbox, connection.peer, error)
            self._close_after(connection)
            return
        connection.request = request
        if self._has_allowed_body(connection, request):
            self._read_body(connection, rest)

    def _has_allowed_body(self, connection: Connection, request: Any) -> bool:
        reader = request.body.reader
        length = reader.length if isinstance(reader, LengthReader) else 0
        headers = dict(request.headers)
        connection.client = client_of(
            connection.peer_name if not connection.is_local else "",
            headers.get("X-FORWARDED-FOR", ""),
            settings.TRUSTED_PROXIES,
        )
        is_plain = headers.get("CONTENT-ENCODING", "identity").lower() in {"", "identity"}
        limit = settings.INGEST_MAX_DECODED_BYTES if is_plain else settings.INGEST_MAX_BODY_BYTES
        if length > limit:
            detail = f"The body may have {limit} bytes, this one has {length}"
            self._refuse(connection, 413, "too_large", detail)
            return False
        connection.body_limit = limit
        connection.framing = Chunked() if isinstance(reader, ChunkedReader) else Counted(length)
        connection.body = Body(self._room)
        connection.state = State.READING_BODY
        connection.n_moved = 0
        connection.since = time.monotonic()
        connection.deadline = connection.since + settings.STALL_TIMEOUT_S
        if request._expected_100_continue:
            request._expected_100_continue = False  # or gunicorn would send it again, later
            if not connection.framing.is_complete:
                connection.outbox.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _read_body(self, connection: Connection, received: bytes) -> None:
        framing, body = connection.framing, connection.body
        assert framing is not None
        assert body is not None
        try:
            piece, rest = framing.feed(received)
            if piece:
                body.add(piece)
        except BadFraming as error:
            self._refuse(connection, 400, "invalid", f"The body is not chunked right: {error}")
            return
        except OSError as error:
            self.log.error("No room for a body: %s", error)
            detail = "The server has no room for a body as large as this now; try again"
            self._refuse(connection, 503, "unavailable", detail)
            return
        if body.size > connection.body_limit:
            detail = f"The body may have {connection.body_limit} bytes"
            self._refuse(connection, 413, "too_large", detail)
            return
        connection.moved(len(received))
        if framing.is_complete:
            connection.received += rest
            connection.state = State.WORKING
            connection.deadline = float("inf")
            self._jobs.put(connection.client, connection)

    # Answering, in threads --------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            client, connection = self._jobs.get()
            try:
                may_continue = answer(self, connection)
            finally:
                self._jobs.done(client)
            self._defer(partial(self._answered, connection, may_continue))

    def _answered(self, connection: Connection, may_continue: bool) -> None:
        connection.forget_request()
        if connection not in self._connections:
            return
        connection.state = State.READING_HEAD if may_continue else State.CLOSING
        if connection.outbox.is_closed:
            self._drop(connection)
            return
        try:
            if connection.outbox.is_pending:
                connection.deadline = time.monotonic() + settings.STALL_TIMEOUT_S
            else:
                self._after_answer(connection)
            self._listen_to(connection)
        except OSError:
            self._drop(connection)
