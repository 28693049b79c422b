"""Clients that hold on to a server: idle, slow, and ones that do not read their answers.

`python -m tests.faults.clients` opens them against a running installation, asks beside them, and
prints how many requests were answered and the memory of the web processes before and after.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import psutil

from tests.faults.storm import programs
from tests.live import Live, live_server
from tests.multipart import multipart, run_parts

THEIR_ADDRESS = "127.0.0.2"  # the whole of 127.0.0.0/8 is this machine
BOUNDARY = "b0undary"
PATIENCE_S = 15.0  # of the clients whose requests must be answered
SLOW_TARGETS = ["/accounts/login/", "/runs/multipart", "/api/v1/feedback/tokens/x", "/nowhere"]


@dataclass(frozen=True)
class Crowd:
    """How many clients of each kind hold on to the server at the same time."""

    idle: int = 200
    slow_heads: int = 50
    slow_bodies: int = 50
    non_readers: int = 50


@dataclass
class Figures:
    """What was seen beside a crowd."""

    asked: int
    answered: int
    slowest_s: float
    memory_before_mib: int
    memory_after_mib: int


def _connect(live: Live, address: str) -> socket.socket:
    url = urlsplit(live.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.bind((address, 0))
    client.settimeout(PATIENCE_S)
    client.connect((url.hostname, url.port))
    return client


def _first_words(crowd: Crowd) -> Iterator[tuple[bytes, bool]]:
    """Yield what each client says first, and whether it then trickles."""
    for _ in range(crowd.idle):
        yield b"", False
    for _ in range(crowd.slow_heads):
        yield b"GET / HTTP/1.1\r\nHost: localhost\r\n", True
    for number in range(crowd.slow_bodies):
        path = SLOW_TARGETS[number % len(SLOW_TARGETS)]
        yield (
            (
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
            ).encode(),
            True,
        )
    for _ in range(crowd.non_readers):
        yield b"GET /api/schema HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20, False


@contextlib.contextmanager
def holding_on(live: Live, crowd: Crowd, address: str = THEIR_ADDRESS) -> Iterator[None]:
    """Keep the clients of `crowd` connected; those that are cut off come back."""
    words = list(_first_words(crowd))
    clients: list[socket.socket | None] = [None] * len(words)
    is_over = threading.Event()

    def trickle() -> None:
        while not is_over.is_set():
            for number, (first, is_slow) in enumerate(words):
                client = clients[number]
                try:
                    if client is None:
                        clients[number] = client = _connect(live, address)
                        client.sendall(first)
                    elif is_slow:
                        client.sendall(b"x")
                    elif not first and not _is_open(client):
                        client.close()
                        clients[number] = None
                except OSError:
                    if client is not None:
                        client.close()
                    clients[number] = None
            is_begun.set()
            is_over.wait(0.5)

    is_begun = threading.Event()
    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    is_begun.wait()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        for client in clients:
            if client is not None:
                client.close()


def _is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    finally:
        client.settimeout(PATIENCE_S)


def ask(live: Live, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> int:  # fmt: skip
    """Return the status of one request on a new connection; 0 when nothing answers in time."""
    url = urlsplit(live.url)
    client = http.client.HTTPConnection(url.hostname or "", url.port, timeout=PATIENCE_S)
    try:
        client.request(method, path, body, headers)
        answer = client.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        client.close()


def send_run(live: Live) -> int:
    """Store one run, and return the status."""
    headers = {"x-api-key": live.key, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    body = multipart(run_parts(uuid4()), BOUNDARY)
    return ask(live, "/runs/multipart", method="POST", body=body, **headers)


def memory_mib(live: Live) -> int:
    """Return the resident memory of the web server's processes."""
    total = 0
    for process in programs(live, "gunicorn"):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total >> 20


def look(live: Live, crowd: Crowd, *, rounds: int = 20) -> Figures:
    """Ask `rounds` times four things beside `crowd`."""
    before = memory_mib(live)
    took: list[float] = []
    statuses: list[int] = []
    with holding_on(live, crowd):
        for _ in range(rounds):
            begun_at = time.monotonic()
            statuses += [ask(live, "/livez"), ask(live, "/accounts/login/"), ask(live, "/info")]
            statuses.append(send_run(live))
            took.append(time.monotonic() - begun_at)
    answered = sum(status in {200, 202} for status in statuses)
    return Figures(len(statuses), answered, round(max(took), 3), before, memory_mib(live))


def main() -> int:
    """Print the figures of each kind of client, and of all together."""
    n = 200
    kinds = {
        "nobody": Crowd(0, 0, 0, 0),
        "idle": Crowd(n, 0, 0, 0),
        "slow heads": Crowd(0, n, 0, 0),
        "slow bodies": Crowd(0, 0, n, 0),
        "non-readers": Crowd(0, 0, 0, n),
        "all together": Crowd(),
    }
    is_right = True
    with live_server() as live:
        for name, crowd in kinds.items():
            figures = look(live, crowd)
            is_right = is_right and figures.answered == figures.asked
            print(f"{name}: {json.dumps(asdict(figures))}", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
