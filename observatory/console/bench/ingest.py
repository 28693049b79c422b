"""Benchmark ingestion over HTTP against COPY of the same rows into one table, in runs per second.

The load is raw, pre-built multipart bodies of 100 finished runs (1.6 KB inputs, 1.1 KB outputs)
over 1, 4 and 16 persistent connections. The limit is psycopg's COPY of the same rows, 100 per
transaction, into one table with two jsonb columns, a uuid primary key and three btree indexes,
prepared as text beforehand. `--stored` measures twice, the second time with a history in the table,
and prints the remaining throughput.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import random
import statistics
import threading
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.core.management.base import OutputWrapper
from django.db import connection

from observatory.console.bench import history, scratch
from observatory.runs.models import Run
from observatory.workspaces import keys
from observatory.workspaces.models import Workspace

RUNS_A_BATCH = 100
BOUNDARY = "6d3f2a9e1c"
# (Bound, goal): share of COPY's rate by connections, processor seconds per 1,000 runs, seconds to
# the acknowledgement, bytes of all web processes.
TARGETS = {
    "ratio": {1: (0.35, 0.55), 4: (0.25, 0.50), 16: (0.25, 0.50)},
    "cpu_s": (0.27, 0.16),
    "p99_s": (0.200, 0.080),
    "rss": (300 << 20, 200 << 20),
}
WORDS = [
    "refund",
    "order",
    "invoice",
    "shipping",
    "account",
    "customer",
    "support",
    "answer",
    "policy",
    "question",
    "delivery",
    "please",
    "thanks",
    "return",
    "window",
    "business",
    "days",
    "confirm",
    "address",
    "payment",
    "card",
    "warranty",
    "agent",
    "escalate",
]


@dataclass
class Batch:
    """One request body, and the same runs as the text of a COPY."""

    body: bytes
    rows: bytes
    run_ids: list[UUID]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=20_000, help="runs a measurement (20000)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeat", type=int, default=1, help="interleaved repetitions (1)")
    parser.add_argument(
        "--stored", type=int, default=0, help="measure again with so many runs stored (0: do not)"
    )


def _text(rng: random.Random, n_bytes: int) -> str:
    words: list[str] = []
    size = 0
    while size < n_bytes:
        words.append(rng.choice(WORDS) + (str(rng.randrange(1000)) if rng.random() < 0.2 else ""))
        size += len(words[-1]) + 1
    return " ".join(words)[:n_bytes]


def make_batch(rng: random.Random, number: int) -> Batch:
    """Return 100 runs, 20 traces of 5, as the Python SDK posts them."""
    parts: list[bytes] = []
    lines: list[bytes] = []
    run_ids: list[UUID] = []
    trace, root_order = "", ""
    for index in range(RUNS_A_BATCH):
        run_id = UUID(int=rng.getrandbits(128), version=4)
        second = (number * RUNS_A_BATCH + index) % 86_400
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        own_order = f"20261101T{clock.replace(':', '')}{index:06d}Z{run_id}"
        is_root = index % 5 == 0
        if is_root:
            trace, root_order = str(run_id), own_order
        main = {
            "id": str(run_id),
            "trace_id": trace,
            "dotted_order": own_order if is_root else f"{root_order}.{own_order}",
            "parent_run_id": None if is_root else trace,
            "name": "answer" if is_root else rng.choice(["retrieve", "rank", "generate", "check"]),
            "run_type": "chain" if is_root else rng.choice(["llm", "tool", "retriever"]),
            "start_time": f"2026-11-01T{clock}.{index:06d}+00:00",
            "end_time": f"2026-11-01T{clock}.{index + 900_000:06d}+00:00",
            "session_name": "bench",
            "tags": ["bench"],
        }
        history = [
            {"role": rng.choice(["user", "assistant"]), "content": _text(rng, 340)}
            for _ in range(4)
        ]
        inputs = orjson.dumps({"messages": history, "temperature": 0.2})
        outputs = orjson.dumps({"answer": _text(rng, 1_000), "confidence": rng.randrange(100)})
        extra = orjson.dumps(
            {"metadata": {"tier": "pro", "revision": "a1b2c3"}, "runtime": {"sdk": "langsmith-py"}}
        )
        for name, content in (
            ("", orjson.dumps(main)),
            (".inputs", inputs),
            (".outputs", outputs),
            (".extra", extra),
        ):
            parts.append(
                (
                    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="post.{run_id}{name}"'
                    f"\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
                ).encode()
                + content
                + b"\r\n"
            )
        fields = [str(run_id), trace, "1", str(main["name"]), str(main["run_type"])]
        fields += [str(main["start_time"]), str(main["end_time"])]
        lines.append(b"\t".join([*(field.encode() for field in fields), inputs, outputs]) + b"\n")
        run_ids.append(run_id)
    parts.append(f"--{BOUNDARY}--\r\n".encode())
    return Batch(b"".join(parts), b"".join(lines), run_ids)


@dataclass
class Sent:
    """One measurement: seconds in total, and of each response."""

    elapsed_s: float
    acks_s: list[float]

    def percentile(self, share: float) -> float:
        return sorted(self.acks_s)[min(len(self.acks_s) - 1, int(share * len(self.acks_s)))]


def _in_threads(n_threads: int, work: Any) -> float:
    """Run work(start) in threads that start together; return the seconds. Raises their errors."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(n_threads + 1)

    def guarded() -> None:
        try:
            work(barrier.wait)
        except BaseException as error:  # raised below
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=guarded) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        barrier.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - started


def send(web: scratch.Web, token: str, batches: list[Batch], n_connections: int) -> Sent:
    """Send every batch once over `n_connections`. Raises unless each gets a 202."""
    queue = iter(batches)
    lock = threading.Lock()
    acks: list[float] = []
    headers = {"x-api-key": token, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    def work(start: Any) -> None:
        client = http.client.HTTPConnection(*web.address, timeout=60)
        client.connect()
        start()
        while True:
            with lock:
                batch = next(queue, None)
            if batch is None:
                client.close()
                return
            began = time.perf_counter()
            client.request("POST", "/runs/multipart", batch.body, headers)
            answer = client.getresponse()
            content = answer.read()
            if answer.status != 202:
                raise RuntimeError(f"answered {answer.status}: {content[:300]!r}")
            acks.append(time.perf_counter() - began)

    return Sent(_in_threads(n_connections, work), acks)


def copy_limit(database: str, batches: list[Batch], n_connections: int) -> float:
    """Return the runs per second that COPY stores, 100 runs per transaction."""
    address = scratch.connection_string(database)
    with psycopg.connect(address, autocommit=True) as server:
        server.execute("DROP TABLE IF EXISTS copied")
        server.execute(
            "CREATE TABLE copied (id uuid PRIMARY KEY, trace_id uuid, project_id int, name text,"
            " run_type text, start_time timestamptz, end_time timestamptz, inputs jsonb,"
            " outputs jsonb)"
        )
        server.execute("CREATE INDEX ON copied (project_id, start_time DESC, id DESC)")
        server.execute("CREATE INDEX ON copied (trace_id)")
        server.execute("CREATE INDEX ON copied (name, start_time)")
    # COPY's text format escapes the backslash. Prepared: only the server is measured.
    queue = iter([batch.rows.replace(b"\\", b"\\\\") for batch in batches])
    lock = threading.Lock()

    def work(start: Any) -> None:
        with psycopg.connect(address, autocommit=True) as client, client.cursor() as cursor:
            start()
            while True:
                with lock:
                    rows = next(queue, None)
                if rows is None:
                    return
                with cursor.copy("COPY copied FROM STDIN") as copy:
                    copy.write(rows)

    elapsed_s = _in_threads(n_connections, work)
    return len(batches) * RUNS_A_BATCH / elapsed_s


def _read_back(web: scratch.Web, token: str, batches: list[Batch], rng: random.Random) -> int:
    """Return how many of the runs are stored, after reading 20 of them over HTTP."""
    client = http.client.HTTPConnection(*web.address, timeout=60)
    for batch in rng.sample(batches, k=min(20, len(batches))):
        run_id = rng.choice(batch.run_ids)
        client.request("GET", f"/runs/{run_id}", headers={"x-api-key": token})
        answer = client.getresponse()
        content = answer.read()
        if answer.status != 200 or orjson.loads(content)["id"] != str(run_id):
            raise RuntimeError(f"run {run_id} was acknowledged and is not readable")
    client.close()
    run_ids = list(itertools.chain.from_iterable(batch.run_ids for batch in batches))
    n_stored: int = Run.objects.filter(id__in=run_ids).count()
    return n_stored


HEADING = [
    *("connections", "stored/s", "COPY/s", "ratio", "floor", "goal", "ack p50 ms", "p99 ms"),
    *("web s/1000", "db s/1000", "COPY s/1000", "RSS MB", "PSS MB"),
]


def run(options: dict[str, Any], out: OutputWrapper) -> None:
    """Measure and print the figures with their targets."""
    rng = random.Random(20_261_101)  # noqa: S311 - made-up data
    n_batches = max(4, options["runs"] // RUNS_A_BATCH)
    numbers = itertools.count()
    with scratch.database() as name, scratch.web(name) as web:
        workspace = Workspace.objects.create(slug="bench", name="Benchmark")
        _, token = keys.mint(workspace, "bench")
        send(web, token, [make_batch(rng, next(numbers)) for _ in range(24)], 8)  # warm

        def rates() -> dict[int, float]:
            """Measure each number of connections, print it, and return the medians of runs/s."""
            rows: list[list[Any]] = [HEADING]
            rates_by_connections: dict[int, list[float]] = {}
            for n_connections in options["connections"] * options["repeat"]:
                batches = [make_batch(rng, next(numbers)) for _ in range(n_batches)]
                rate, row = _measured(name, web, token, batches, n_connections, rng)
                rates_by_connections.setdefault(n_connections, []).append(rate)
                rows.append([n_connections, *row])
                out.write(scratch.table([rows[0], rows[-1]]))
            out.write("\n" + scratch.table(rows))
            return {count: statistics.median(each) for count, each in rates_by_connections.items()}

        empty = rates()
        out.write(_bytes_a_run())
        if options["stored"]:
            out.write(f"storing {options['stored']} runs")
            history.write(workspace, options["stored"])
            for n_connections, rate in rates().items():
                left = rate / empty[n_connections]
                out.write(
                    f"with {options['stored']} runs stored, {n_connections} connections:"
                    f" {left:.2f} of the empty table's throughput (floor 0.7, goal 0.9)"
                )
        out.write(
            "floor / goal: processor (web + db) 0.27 / 0.16 s per 1000 runs, ack p99 at 4"
            " connections 200 / 80 ms, memory of the web's workers 300 / 200 MB"
        )


def _measured(
    name: str,
    web: scratch.Web,
    token: str,
    batches: list[Batch],
    n_connections: int,
    rng: random.Random,
) -> tuple[float, list[Any]]:
    """Return the runs per second, and the cells of HEADING after the first."""
    before_s = web.database_cpu_s()
    limit = copy_limit(name, batches, n_connections)
    _settle()
    limit_cpu_s = web.database_cpu_s() - before_s
    with web.measured() as usage:
        measurement = send(web, token, batches, n_connections)
    n_runs = len(batches) * RUNS_A_BATCH
    n_found = _read_back(web, token, batches, rng)
    if n_found != n_runs:
        raise RuntimeError(f"{n_runs} runs were acknowledged and {n_found} are stored")
    stored = n_runs / measurement.elapsed_s
    floor, goal = TARGETS["ratio"].get(n_connections, ("-", "-"))  # type: ignore[attr-defined]
    return stored, [
        *(round(stored), round(limit), f"{stored / limit:.2f}", floor, goal),
        *(f"{measurement.percentile(share) * 1000:.0f}" for share in (0.50, 0.99)),
        *(f"{s * 1000 / n_runs:.3f}" for s in (usage.web_s, usage.database_s, limit_cpu_s)),
        *(usage.peak_rss >> 20, usage.peak_pss >> 20),
    ]


def _settle() -> None:
    """Let the database finish the limit's writes, so that neither side pays for both."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def _bytes_a_run() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_table_size('runs_run'), pg_indexes_size('runs_run'),"
            " (SELECT count(*) FROM runs_run)"
        )
        table, indexes, n_runs = cursor.fetchone()
    return f"stored bytes a run: table {table // n_runs}, indexes {indexes // n_runs}"
