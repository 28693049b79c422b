"""Ingest through a real gunicorn: chunked bodies, slow senders, memory, and the Python SDK."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import pytest
import zstandard
from django.db import connection

from observatory.runs.models import Rejected, Run
from observatory.workspaces import keys
from tests.factories import WorkspaceFactory
from tests.multipart import multipart, run_parts

pytestmark = pytest.mark.django_db(transaction=True)
BOUNDARY = "b0undary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
GROWTH = 150 << 20


class Server:
    """One gunicorn worker with four threads on the test database."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], token: str) -> None:
        self.port, self.process, self.token = port, process, token

    @property
    def worker(self) -> psutil.Process:
        return psutil.Process(self.process.pid).children()[0]

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request("POST", path, body, {"x-api-key": self.token, "Content-Type": MULTIPART} | sent)  # fmt: skip
        answer = client.getresponse()
        content = answer.read()
        client.close()
        return answer.status, json.loads(content)


@pytest.fixture
def server(transactional_db, tmp_path) -> Iterator[Server]:
    workspace = WorkspaceFactory(slug="live")
    _, token = keys.mint(workspace, "live")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configured = connection.settings_dict
    from urllib.parse import quote, urlencode

    where = urlencode({"host": configured["HOST"], "port": configured["PORT"] or "5432"})
    who = f"{quote(configured['USER'])}:{quote(configured['PASSWORD'], safe='')}"
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{who}@/{configured['NAME']}?{where}",
        "SECRET_KEY": "a-key-of-the-live-ingest-tests-only-" + "0123456789abcdef" * 2,
        "CELERY_BROKER_URL": "filesystem://",
        "OBSERVATORY_DATA": str(tmp_path),
        "OBSERVATORY_BIND": f"127.0.0.1:{port}",
        "OBSERVATORY_WEB_WORKERS": "1",
        "DJANGO_SETTINGS_MODULE": "observatory.settings",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:observatory.gunicorn"], env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/info", timeout=5):
                    break
            except OSError:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.1)
        yield Server(port, process, token)
    finally:
        process.terminate()
        process.wait(30)


def _chunks(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _json_run(name: str) -> list[tuple]:
    """Return parts as the JavaScript SDK writes them: lengths in UTF-16 units, no Content-Length."""
    run_id = uuid4()
    return [
        (part, content, "application/json; length=3")
        for part, content in run_parts(run_id, name=name, inputs={"text": "\U0001f600 é"})
    ]


def test_chunked_bodies_without_a_length_arrive_whole(server) -> None:
    plain = multipart([p for n in range(40) for p in _json_run(f"plain{n}")], BOUNDARY)
    zipped = gzip.compress(
        multipart([p for n in range(40) for p in _json_run(f"zip{n}")], BOUNDARY)
    )
    squeezed = zstandard.compress(
        multipart([p for n in range(40) for p in _json_run(f"z{n}")], BOUNDARY)
    )
    assert server.post("/runs/multipart", _chunks(plain, 1_000))[0] == 202
    assert (
        server.post("/api/v1/runs/multipart", _chunks(zipped, 100), Content_Encoding="gzip")[0]
        == 202
    )
    assert server.post("/api/runs/multipart", squeezed, Content_Encoding="zstd")[0] == 202
    assert Run.objects.count() == 120
    cut = plain[: len(plain) // 2]
    assert server.post("/runs/multipart", _chunks(cut, 1_000))[0] == 400
    assert Run.objects.count() == 120


def test_a_sender_that_hangs_up_half_way_leaves_nothing(server) -> None:
    body = multipart([p for _ in range(40) for p in run_parts(uuid4())], BOUNDARY)
    head = (
        f"POST /runs/multipart HTTP/1.1\r\nHost: localhost\r\nx-api-key: {server.token}\r\n"
        f"Content-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.sendall(head.encode() + body[:-100])
    time.sleep(0.3)
    assert Run.objects.count() == 0
    assert server.post("/runs/multipart", body)[0] == 202


def _documents() -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield bodies that would take much memory if read carelessly, with their headers."""
    million = 1 << 20

    def body(*documents: bytes) -> bytes:
        run_id = uuid4()
        parts: list[tuple] = run_parts(run_id, inputs=None, outputs=None)
        names = ("inputs", "outputs", "events", "serialized")
        return multipart(
            parts + [(f"post.{run_id}.{n}", d) for n, d in zip(names, documents, strict=False)],
            BOUNDARY,
        )

    zstd = {"Content_Encoding": "zstd"}
    yield "objects", body(b'{"a":[' + b"{}," * (8 * million) + b"1]}"), {}
    yield "four documents", body(*[b'{"a":[' + b"0," * (12 * million) + b"0]}"] * 4), {}
    yield "nuls", body(b'{"a":"' + b"ab\\u0000" * (3 * million) + b'"}'), {}
    yield "deep", body(b"[" * (24 * million)), {}
    yield "digits", body(b'{"a":' + b"7" * (24 * million) + b"}"), {}
    yield "zstd bomb", zstandard.compress(bytes(256 * million)), zstd
    yield "zstd frames", zstandard.compress(bytes(10 * million)) * 200, zstd
    yield "gzip bomb", gzip.compress(bytes(300 * million), 1), {"Content_Encoding": "gzip"}
    yield "nested", zstandard.compress(zlib.compress(bytes(200 * million))), zstd
    run_id = uuid4()
    attachment = [*run_parts(run_id), (f"attachment.{run_id}.a", bytes(25 * million - 9))]
    yield "attachment", multipart(attachment, BOUNDARY), {}
    yield "parts", multipart([(f"x.{n}", b"") for n in range(6_000)], BOUNDARY), {}


def test_a5_a_worker_grows_by_at_most_150_mib_under_any_body(server) -> None:
    assert server.post("/runs/multipart", multipart(run_parts(uuid4()), BOUNDARY))[0] == 202
    worker = server.worker
    base = worker.memory_info().rss
    peak = {"now": base}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            peak["now"] = max(peak["now"], worker.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    grown = {}
    try:
        for name, content, headers in _documents():
            peak["now"] = worker.memory_info().rss
            try:
                status, answer = server.post("/runs/multipart", content, **headers)
            except OSError:  # refused while it was still sending: 413
                status, answer = 413, {"code": "too_large"}
            assert status in {202, 400, 413}, (name, status, answer)
            grown[name] = (peak["now"] - base) >> 20
    finally:
        stop.set()
        watcher.join()
    assert max(grown.values()) << 20 <= GROWTH, grown
    assert server.worker.pid == worker.pid
    assert server.post("/runs/multipart", multipart(run_parts(uuid4()), BOUNDARY))[0] == 202


def test_the_python_sdk_stores_runs_feedback_and_attachments(server, monkeypatch) -> None:
    from langsmith import Client
    from langsmith.schemas import Attachment

    client = Client(api_url=f"http://127.0.0.1:{server.port}/api", api_key=server.token)
    ids = [uuid4() for _ in range(30)]
    for number, run_id in enumerate(ids):
        trace = {"trace_id": run_id, "dotted_order": f"20260101T000000{number:06d}Z{run_id}"}  # fmt: skip
        client.create_run(
            "answer", {"q": "\ud800 why"}, "chain", project_name="sdk", id=run_id,
            attachments={"note": Attachment(mime_type="text/plain", data=b"hello")}, **trace,
        )  # fmt: skip
        client.update_run(
            run_id,
            outputs={"a": number},
            end_time=datetime(2036, 1, 1, 0, 0, number, tzinfo=UTC),
            **trace,
        )
        client.create_feedback(run_id, "thumb", score=1, trace_id=run_id)
    client.flush()
    deadline = time.monotonic() + 30
    while Run.objects.filter(status="success").count() < 30 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert Rejected.objects.count() == 0
    assert set(Run.objects.filter(status="success").values_list("id", flat=True)) == set(ids)
    run = client.read_run(ids[3])
    assert run.outputs == {"a": 3}
    assert run.attachments["note"]["reader"].read() == b"hello"
