"""One connection in the event loop of its worker."""

from __future__ import annotations

import enum
import selectors
import time
from collections.abc import Callable
from functools import partial
from socket import socket
from typing import Any, Final

from observatory import settings
from observatory.proxies import is_trusted
from observatory.server.framing import Framing
from observatory.server.spool import Body, Outbox, Room

PROGRESS: Final = 64 << 10  # bytes of a body or a response that must move within STALL_TIMEOUT_S


class State(enum.IntEnum):
    """The phase of a connection; the first are evicted first when one address has too many."""

    LINGERING = 0  # its last response is sent: input is dropped until the client closes
    READING_HEAD = 1
    READING_BODY = 2
    CLOSING = 3  # its last response is being sent
    WORKING = 4  # a thread has its request, or it waits for one


class Connection:
    """A client's connection. Only the event loop touches it, except for its outbox."""

    def __init__(
        self,
        connection: socket,
        peer: Any,
        server: Any,
        room: Room,
        has_pending: Callable[[Connection], None],
    ) -> None:
        self.socket = connection
        self.peer, self.server = peer, server
        self.is_local = not isinstance(peer, tuple)  # over a Unix socket
        self.peer_name = "local" if self.is_local else str(peer[0])
        self.is_from_proxy = is_trusted(
            "" if self.is_local else self.peer_name, settings.TRUSTED_PROXIES
        )
        self.client = self.peer_name  # behind a trusted proxy: the address in its header
        self.outbox = Outbox(connection, room, partial(has_pending, self))
        self.state = State.READING_HEAD
        self.since = time.monotonic()
        self.deadline = float("inf")
        self.mask = 0
        self.received = bytearray()
        self.n_searched = 0  # bytes of `received` already searched for the end of the head
        self.n_requests = 0
        self.n_moved = 0  # bytes since the deadline was last extended
        self.request: Any = None
        self.framing: Framing | None = None
        self.body: Body | None = None
        self.body_limit = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has arrived."""
        return self.state is State.READING_HEAD and not self.received

    @property
    def is_leaving(self) -> bool:
        return self.state in {State.CLOSING, State.LINGERING}

    def wanted_events(self) -> int:
        """Return the events for the selector."""
        if self.outbox.is_pending:
            return selectors.EVENT_WRITE  # a client must read its response before the next request
        return 0 if self.state in {State.WORKING, State.CLOSING} else selectors.EVENT_READ

    def moved(self, n_bytes: int) -> None:
        """Extend the deadline after every PROGRESS bytes in or out."""
        self.n_moved += n_bytes
        if self.n_moved >= PROGRESS:
            self.n_moved = 0
            self.deadline = time.monotonic() + settings.STALL_TIMEOUT_S

    def forget_request(self) -> None:
        """Release the request's memory and files."""
        self.request = self.framing = None
        if self.body is not None:
            self.body.close()
            self.body = None
