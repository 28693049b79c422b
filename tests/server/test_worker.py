"""A real server and clients that are slow, wrong or gone: each gets its answer or its end."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.faults.clients import Crowd, ask, holding_on, look, send_run
from tests.live import Live, live_server

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    limits = {"OBSERVATORY_HEADER_TIMEOUT_S": "2", "OBSERVATORY_STALL_TIMEOUT_S": "2"}
    with live_server(**limits) as server:
        yield server


@contextlib.contextmanager
def connected(live: Live) -> Iterator[socket.socket]:
    url = urlsplit(live.url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as client:
        yield client


def said_to(live: Live, *words: bytes) -> bytes:
    """Return everything the server says to a client that says `words`, up to the close."""
    with connected(live) as client:
        for word in words:
            client.sendall(word)
        said = b""
        while piece := client.recv(65_536):
            said += piece
        return said


def test_slow_and_greedy_clients_do_not_delay_other_addresses(live) -> None:
    figures = look(live, Crowd(), rounds=5)
    assert figures.answered == figures.asked


def test_slow_and_greedy_clients_do_not_delay_their_own_address(live) -> None:
    with holding_on(live, Crowd(), address="127.0.0.1"):
        assert [ask(live, "/livez") for _ in range(5)] == [200] * 5
        assert [send_run(live) for _ in range(5)] == [202] * 5


def test_the_oldest_waiting_connection_is_evicted_when_an_address_has_too_many() -> None:
    with (
        live_server(OBSERVATORY_CONNECTIONS_PER_ADDRESS="3", OBSERVATORY_WEB_WORKERS="1") as live,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(connected(live)) for _ in range(5)]
        assert ask(live, "/livez") == 200
        assert [clients[n].recv(1) for n in range(3)] == [b""] * 3
        clients[4].sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert clients[4].recv(12) == b"HTTP/1.1 200"


def test_a_head_that_does_not_end_is_answered_408(live) -> None:
    said = said_to(live, b"GET /livez HTTP/1.1\r\nHost: local")
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in said


def test_a_silent_connection_is_closed(live) -> None:
    assert said_to(live) == b""


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/runs/multipart", "/nowhere", "/feedback/tokens/x"]
)
def test_a5_a_body_that_does_not_end_is_answered_408_at_every_url(live, path) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    assert said_to(live, head.encode() + b"half").startswith(b"HTTP/1.1 408 ")


def test_a_body_over_the_limit_is_refused_before_it_is_sent(live) -> None:
    head = b"POST /datasets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n"
    said = said_to(live, head + b"x" * 1_000_000)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in said


@pytest.mark.parametrize("size", [b"-5", b"zz", b"0x3", b"", b"f" * 40, b"3;a=\x00\n"])
def test_a_chunk_size_that_is_not_a_number_is_400_at_every_url(live, size) -> None:
    for path in (b"/runs/multipart", b"/accounts/login/", b"/otel/v1/traces", b"/nowhere"):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        said = said_to(live, head + b"\r\n" + size + b"\r\nabc\r\n0\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 400 "), (path, said[:100])


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", b"404"), ("/runs/multipart", b"401"), ("/datasets", b"401")]
)
def test_a_connection_goes_on_after_an_answer_that_needed_no_body(live, path, status) -> None:
    body = b"x" * 3_000_000
    with connected(live) as client:
        for _ in range(2):
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            answer = client.recv(65_536)
            assert answer.split()[1] == status
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(answer.split(b"\r\n\r\n", 1)[1]) < length:
                answer += client.recv(65_536)


def test_requests_sent_at_once_are_answered_in_order(live) -> None:
    request = b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    said = said_to(
        live,
        request % (b"/livez", b"")
        + request % (b"/nowhere", b"")
        + request % (b"/livez", b"Connection: close\r\n"),
    )
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"404", b"200"]


def test_a_client_that_expects_100_continue_gets_it(live) -> None:
    head = b"POST /runs/multipart HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    with connected(live) as client:
        client.sendall(head + b"Connection: close\r\nContent-Length: 3\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert client.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_large_answer_arrives_whole_at_a_client_that_reads_it_late(live) -> None:
    with connected(live) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        request = b"GET /api/schema HTTP/1.1\r\nHost: localhost\r\n"
        client.sendall((request + b"\r\n") * 2 + request + b"Connection: close\r\n\r\n")
        assert ask(live, "/livez") == 200
        said = b""
        while piece := client.recv(65_536):
            said += piece
    head, rest = said.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert said.count(rest[:length]) == 3
