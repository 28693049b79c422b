"""Measure how soon a run with feedback is in its queue, with web server and worker running."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.db import connection
from django.utils import timezone

from annotations.models import RoutingRule
from annotations.queues import queues
from observatory.console.bench import crowd, scratch
from observatory.workspaces import keys
from observatory.workspaces.models import Workspace

RUNS_A_BATCH = 20
FEEDBACK_EVERY_S = 0.1
SETTLED_S = 1.0  # from sending a run to its feedback
PATIENCE_S = 10.0  # for the last ones


@dataclass
class Latency:
    """Seconds from the request of each feedback to its item, and how many never arrived."""

    seconds: list[float] = field(default_factory=list)
    n_missing: int = 0
    runs_per_s: float = 0.0


class _Load:
    """Sends runs, adds feedback to some of them, and records the times."""

    def __init__(self, address: tuple[str, int], token: str, runs_per_s: int) -> None:
        self.address = address
        self.headers = {"x-api-key": token, "Content-Type": "application/json"}
        self.every_s = RUNS_A_BATCH / runs_per_s
        self.sent: list[tuple[float, UUID]] = []
        self.judged: dict[UUID, float] = {}
        self.n_runs = 0

    def post(self, web: http.client.HTTPConnection, path: str, body: Any) -> None:
        web.request("POST", path, json.dumps(body), self.headers)
        answer = web.getresponse()
        content = answer.read()
        if answer.status not in (200, 202):
            raise RuntimeError(f"POST {path}: {answer.status} {content[:300]!r}")

    def send_runs(self, until: float) -> None:
        web = http.client.HTTPConnection(*self.address, timeout=30)
        due = time.monotonic()
        while due < until:
            time.sleep(max(0.0, due - time.monotonic()))
            runs = [_run() for _ in range(RUNS_A_BATCH)]
            self.post(web, "/runs/batch", {"post": runs, "patch": []})
            self.n_runs += len(runs)
            self.sent.append((time.monotonic(), UUID(runs[0]["id"])))
            due += self.every_s

    def judge(self, until: float) -> None:
        web = http.client.HTTPConnection(*self.address, timeout=30)
        position = 0
        while time.monotonic() < until:
            time.sleep(FEEDBACK_EVERY_S)
            if position < len(self.sent) and self.sent[position][0] < time.monotonic() - SETTLED_S:
                run_id = self.sent[position][1]
                position += 1
                self.judged[run_id] = time.perf_counter()
                feedback = {"run_id": str(run_id), "key": "user_rating", "score": 0.1}
                self.post(web, "/feedback", {"id": str(uuid4()), **feedback})


def _run() -> dict[str, Any]:
    run_id = str(uuid4())
    end = datetime.now(UTC)
    return {
        "id": run_id,
        "trace_id": run_id,
        "dotted_order": f"{end:%Y%m%dT%H%M%S%f}Z{run_id}",
        "name": "support-bot",
        "run_type": "chain",
        "session_name": "bench",
        "start_time": (end - timedelta(seconds=1)).isoformat(),
        "end_time": end.isoformat(),
        "inputs": {"question": "Why was I charged twice? " * 20},
        "outputs": {"answer": "The second charge is a reservation. " * 12},
    }


@contextlib.contextmanager
def _worker(environment: dict[str, str]) -> Iterator[None]:
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "observatory", "worker"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
    process = subprocess.Popen(  # noqa: S603 - Observatory's own program
        [*celery, "--pool=threads", "--concurrency=4", *quiet],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    try:
        time.sleep(4)  # until it listens; earlier messages wait for it
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(database: str, workspace: Workspace, runs_per_s: int, seconds: float) -> Latency:
    """Send `runs_per_s` for `seconds`, with bad feedback for some, and watch their queue."""
    queue = queues.create_queue(workspace, "routed", now=timezone.now(), rubric=crowd.RUBRIC)
    RoutingRule.objects.create(
        workspace=workspace,
        name="bad ratings",
        filter='and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
        queue=queue,
        is_enabled=True,
    )
    _, token = keys.mint(workspace, "bench")
    latency = Latency()
    with tempfile.TemporaryDirectory(prefix="observatory-bench-") as folder:
        # Its own broker: this installation's worker must not take the nudges.
        data = Path(folder)
        for part in ("messages", "control"):
            (data / "broker" / part).mkdir(parents=True)
        with (
            scratch.web(database, data) as web,
            _worker(scratch.environment(database, web.address[1], data)),
        ):
            load = _Load(web.address, token, runs_per_s)
            until = time.monotonic() + seconds
            threads = [
                threading.Thread(target=load.send_runs, args=(until,), daemon=True),
                threading.Thread(target=load.judge, args=(until,), daemon=True),
            ]
            for thread in threads:
                thread.start()
            _watch(queue.pk, load, latency, threads)
    latency.n_missing = len(load.judged) - len(latency.seconds)
    latency.runs_per_s = load.n_runs / seconds
    return latency


def _watch(queue_id: int, load: _Load, latency: Latency, threads: list[threading.Thread]) -> None:
    """Record when each run with feedback has its item, until all have or the time limit passes."""
    seen: set[UUID] = set()
    quiet_since: float | None = None
    conninfo = scratch.connection_string(str(connection.settings_dict["NAME"]))
    with psycopg.connect(conninfo, autocommit=True) as plain:
        while True:
            if quiet_since is None and not any(thread.is_alive() for thread in threads):
                quiet_since = time.monotonic()
            waiting = [run_id for run_id in list(load.judged) if run_id not in seen]
            is_late = quiet_since is not None and time.monotonic() > quiet_since + PATIENCE_S
            if is_late or (quiet_since is not None and not waiting):
                return
            rows = plain.execute(
                "SELECT run_id FROM annotations_queueitem WHERE queue_id = %s AND run_id = ANY(%s)",
                [queue_id, waiting],
            ).fetchall()
            at = time.perf_counter()
            for (run_id,) in rows:
                seen.add(run_id)
                latency.seconds.append(at - load.judged[run_id])
            time.sleep(0.005)
