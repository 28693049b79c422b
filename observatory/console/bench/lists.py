"""The lists that `observatory bench query` requests over the wire, with an API key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.utils import timezone

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import queue_items, queues
from datasets_app import catalogue, examples
from datasets_app.examples import ExampleInput
from datasets_app.models import Dataset
from observatory.console.bench.history import History
from observatory.workspaces import keys

BATCH = 5_000
RUNS_AN_EXAMPLE = 20  # a million runs, 50,000 examples
RUNS_AN_ITEM = 10  # a million runs, 100,000 items


@dataclass(frozen=True)
class Listed:
    """One list: its name, the path, and the same rows by hand-written SQL ("": none)."""

    name: str
    ask: Callable[[], Any]
    sql: str


@dataclass(frozen=True)
class Stored:
    """Rows listed beside the runs."""

    dataset: Dataset
    queue: AnnotationQueue
    secret: str


def store(written: History) -> Stored:
    """Create a dataset and a queue from the roots of `written`, and a key; update statistics."""
    workspace, now = written.workspace, timezone.now()
    _, secret = keys.mint(workspace, "bench")
    dataset = catalogue.create(workspace, name="bench", now=now)
    queue = queues.create_queue(workspace, "bench", now=now, reviewers_per_item=1)
    n_examples, n_items = written.n_runs // RUNS_AN_EXAMPLE, written.n_runs // RUNS_AN_ITEM
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "SELECT id, inputs::text, outputs::text FROM runs_run"
            " WHERE workspace_id = %s AND parent_run_id IS NULL ORDER BY start_time DESC LIMIT %s",
            [workspace.pk, max(n_examples, n_items)],
        )
        roots = cursor.fetchall()
        for begin in range(0, n_examples, BATCH):
            batch = roots[begin : min(begin + BATCH, n_examples)]
            inputs_of_batch = [
                ExampleInput(inputs=inputs, outputs=outputs) for _, inputs, outputs in batch
            ]
            examples.create(dataset, inputs_of_batch, now=timezone.now())
        for begin in range(0, n_items, BATCH):
            run_ids = [root[0] for root in roots[begin : min(begin + BATCH, n_items)]]
            queue_items.add_runs(queue, run_ids, source=QueueItem.Source.API, now=now)
        for table in ("datasets_example", "datasets_examplerevision"):
            cursor.execute(f"VACUUM ANALYZE {table}")
        for table in ("annotations_queueitem", "annotations_seat"):
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("RESET statement_timeout")
    return Stored(dataset, queue, secret)


_RUNS = """
SELECT r.*, r.inputs::text, r.outputs::text FROM runs_run r WHERE r.project_id = %(project)s
ORDER BY r.start_time DESC, r.id DESC LIMIT 100
"""
_PROJECTS = """
SELECT * FROM runs_project WHERE workspace_id = %(workspace)s ORDER BY start_time DESC LIMIT 100
"""
_COUNTED = """
SELECT p.id, count(*) FILTER (WHERE r.parent_run_id IS NULL),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.latency_s), sum(r.total_tokens)
FROM runs_project p JOIN runs_run r ON r.project_id = p.id
WHERE p.workspace_id = %(workspace)s GROUP BY p.id
"""
_FEEDBACK = """
SELECT f.*, p.uuid FROM feedback_feedback f LEFT JOIN runs_project p ON p.id = f.project_id
WHERE f.workspace_id = %(workspace)s AND {where}
ORDER BY f.created_at DESC, f.id DESC LIMIT 100
"""
_EXAMPLES = """
SELECT e.uuid, v.* FROM datasets_example e
JOIN datasets_examplerevision v ON v.example_id = e.id
WHERE e.dataset_id = %(dataset)s AND v.valid_to IS NULL
ORDER BY e.created_at DESC, e.id LIMIT 100 OFFSET {offset}
"""
_QUEUES = """
SELECT q.*, (SELECT count(*) FROM annotations_queueitem i
             WHERE i.queue_id = q.id AND i.state <> 'removed')
FROM annotations_annotationqueue q WHERE q.workspace_id = %(workspace)s
"""
_ITEMS = """
SELECT i.*, r.inputs::text, r.outputs::text FROM annotations_queueitem i
JOIN runs_run r ON r.workspace_id = i.workspace_id AND r.id = i.run_id
WHERE i.queue_id = %(queue)s AND i.state = 'open' ORDER BY i.priority DESC, i.id LIMIT 100
"""
_SIZE = "SELECT count(*) FROM annotations_queueitem WHERE queue_id = %(queue)s AND state = 'open'"


def questions(written: History, stored: Stored) -> Iterator[Listed]:
    """Yield the lists. Their SQL takes `workspace`, `project`, `dataset`, `queue` and `trace`."""
    client = Client(headers={"x-api-key": stored.secret, "host": "localhost"})

    def get(path: str, **query: Any) -> Callable[[], Any]:
        address = f"/{path}?{urlencode(query)}"

        def ask() -> Any:
            answer = client.get(address, secure=True)
            if answer.status_code != 200:
                raise RuntimeError(f"{address}: {answer.status_code} {answer.content[:200]!r}")
            return answer.content

        return ask

    def post(path: str, body: dict[str, Any]) -> Callable[[], Any]:
        def ask() -> Any:
            answer = client.post(f"/{path}", body, content_type="application/json", secure=True)
            if answer.status_code != 200:
                raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:200]!r}")
            return answer.content

        return ask

    project, dataset = str(written.project.uuid), str(stored.dataset.uuid)
    queue = f"annotation-queues/{stored.queue.uuid}"
    yield Listed("POST /runs/query", post("runs/query", {"session": [project]}), _RUNS)
    yield Listed("GET /sessions", get("sessions", limit=100), _PROJECTS)
    counted = get("sessions", limit=100, include_stats="true")
    yield Listed("GET /sessions, with stats", counted, _COUNTED)
    yield Listed("GET /feedback", get("feedback", limit=100), _FEEDBACK.format(where="TRUE"))
    of_key = "f.project_id = %(project)s AND f.key = 'correctness'"
    yield Listed(
        "GET /feedback of a project and key",
        get("feedback", session=project, key="correctness", limit=100),
        _FEEDBACK.format(where=of_key),
    )
    yield Listed(
        "GET /feedback of a run",
        get("feedback", run=str(written.trace), limit=100),
        _FEEDBACK.format(where="f.run_id = %(trace)s"),
    )
    for name, offset in (("GET /examples", 0), ("GET /examples, from the 40,000th", 40_000)):
        examples_path = get("examples", dataset=dataset, limit=100, offset=offset)
        yield Listed(name, examples_path, _EXAMPLES.format(offset=offset))
    yield Listed("GET /annotation-queues", get("annotation-queues", limit=100), _QUEUES)
    yield Listed("GET /annotation-queues/Q/runs", get(f"{queue}/runs", limit=100), _ITEMS)
    yield Listed("GET /annotation-queues/Q/size", get(f"{queue}/size"), _SIZE)
    yield Listed("GET /annotation-queues/Q/run/0", get(f"{queue}/run/0"), "")
