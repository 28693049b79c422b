"""What the shipped proxy passes on, and what it refuses."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.proxy import shipped_proxy
from tests.live import open_directory

SPOOFED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
}


class Recorder(BaseHTTPRequestHandler):
    """An application that keeps the headers of each request."""

    seen: list[HTTPMessage]

    def do_GET(self) -> None:
        self.seen.append(self.headers)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Write no line."""


@contextlib.contextmanager
def application() -> Iterator[tuple[int, list[HTTPMessage]]]:
    seen: list[HTTPMessage] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Seen", (Recorder,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def proxy():
    """The port of a proxy that answers, and the headers that reached the application behind it."""
    with (
        open_directory() as place,
        application() as (upstream, seen),
        shipped_proxy(place, upstream) as port,
    ):
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                status(port, "GET", "/")
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        seen.clear()
        yield port, seen


def status(port: int, method: str, path: str, **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_forged_forwarding_headers_are_removed(proxy, spelling) -> None:
    port, seen = proxy
    headers = {spelling(name): value for name, value in SPOOFED.items()}
    assert status(port, "GET", "/", **headers) == 200
    [passed] = seen
    assert passed.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert passed.get_all("X-Forwarded-Proto") == ["http"]
    assert passed.get_all("X-Forwarded-Host") is None


def test_a_flood_of_sign_ins_is_slowed_and_nothing_else_of_the_address(proxy) -> None:
    port, _ = proxy
    answers = [status(port, "POST", "/accounts/login/") for _ in range(60)]
    assert set(answers) == {200, 429}
    assert answers[:20] == [200] * 20
    assert {status(port, "POST", "/runs/multipart") for _ in range(60)} == {200}
    assert status(port, "GET", "/accounts/login/") == 200
