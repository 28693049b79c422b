"""What the server keeps for slow clients, when the disk is full or all its room is taken."""

from __future__ import annotations

import errno
import socket
import tempfile
import threading

import pytest

from observatory.server.spool import ANSWER_IN_MEMORY, BODY_IN_MEMORY, Body, NoRoom, Outbox, Room
from tests.live import live_server
from tests.server.test_worker import said_to

PIECE = b"x" * 65_536


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)


def fill(body: Body) -> None:
    for _ in range(BODY_IN_MEMORY // len(PIECE) + 1):
        body.add(PIECE)


def test_a_large_body_is_refused_on_a_full_disk_and_leaves_its_room_to_others(full_disk) -> None:
    room = Room(1 << 30)
    before = vars(room).copy()
    for _ in range(100):  # more than the memory of all
        body = Body(room)
        with pytest.raises(OSError, match="No space left"):
            fill(body)
        body.close()
    assert vars(room) == before


def test_bodies_past_the_room_of_a_worker_are_refused_until_others_are_done() -> None:
    room = Room(BODY_IN_MEMORY + len(PIECE))
    first, second = Body(room), Body(room)
    fill(first)
    with pytest.raises(NoRoom):
        fill(second)
    second.close()
    first.close()
    third = Body(room)
    fill(third)
    assert len(third.stream().read()) == third.size
    third.close()


@pytest.mark.parametrize("n_bytes", [ANSWER_IN_MEMORY // 2, ANSWER_IN_MEMORY * 8])
def test_an_answer_arrives_whole_though_the_disk_is_full(full_disk, n_bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    outbox = Outbox(ours, Room(1 << 30), has_pending=lambda: None)
    content = bytes(range(256)) * (n_bytes // 256)
    writer = threading.Thread(target=outbox.sendall, args=(content,))
    writer.start()
    arrived = bytearray()
    theirs.settimeout(0.05)
    while len(arrived) < len(content):  # a client that reads, and the event loop
        outbox.flush()
        try:
            arrived += theirs.recv(65_536)
        except TimeoutError:
            continue
    writer.join()
    assert arrived == content
    outbox.close()
    theirs.close()


def test_a_body_without_room_is_answered_503_and_the_next_small_one_is_taken() -> None:
    with live_server(OBSERVATORY_SPOOL_MAX_BYTES=str(1 << 20)) as live:
        n_bytes = BODY_IN_MEMORY + (2 << 20)
        head = b"POST /runs/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
        answer = said_to(live, head % n_bytes, b" " * n_bytes)
        assert answer.startswith(b"HTTP/1.1 503 "), answer[:200]
        assert b"\r\nRetry-After: 20\r\n" in answer
        little = b"POST /runs/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        answer = said_to(live, little + b"Content-Length: 2\r\n\r\n{}")
        assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]
