"""No list of whole documents is held in memory: each is asked for 40 rows of 2 MiB.

A list whose client stops at a short page is streamed; the others end early, with a cursor. A route
that answers with rows and is in no table fails.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from annotations.models import QueueItem
from datasets_app import examples
from datasets_app import sharing as dataset_sharing
from datasets_app.examples import ExampleInput
from observatory.api.kit import streamed
from observatory.prompts import commits
from observatory.prompts.models import PromptRepo
from observatory.runs import sharing, thread_sharing
from tests.api.test_budgets_of_lists import NO_ROWS, every_list
from tests.factories import (
    AnnotationQueueFactory,
    DatasetFactory,
    ProjectFactory,
    QueueItemFactory,
    judge,
    make_run,
)

pytestmark = pytest.mark.django_db
N = 40
ROW = 2 << 20
STREAMED = 56 << 20  # of memory, at most, for what reads 4 MiB at once
PAGED = 80 << 20  # for a page of 16 MiB: as read, as sent, and in the driver


@dataclass(frozen=True)
class Large:
    """How to ask for whole documents, and how much of each row's comes back: 1 if not said.

    `cursor` is where a page says how it goes on; the next is asked for with its `cursor`.
    """

    path: str
    body: dict[str, Any] | None = None
    cursor: tuple[str, ...] = ()
    rows: str = ""
    is_small: bool = False  # previews are returned, of whole documents


def _paged(path: str, body: dict[str, Any] | None, *cursor: str, rows: str = "items") -> Large:
    return Large(path, body, cursor, rows)


SELECTS = ["ID", "INPUTS", "OUTPUTS"]
LISTS = {
    "GET /examples": Large("/examples?dataset={dataset}&limit=100"),
    "GET /feedback": Large("/feedback?limit=100"),
    "GET /annotation-queues/{queue_id}/runs": Large("/annotation-queues/{queue}/runs?limit=100"),
    "GET /commits/{owner}/{repo_handle}": Large("/commits/-/{repo}?limit=100", rows="commits"),
    "GET /public/{token}/runs": Large("/public/{run_token}/runs"),
    "GET /public/{token}/examples": Large("/public/{dataset_token}/examples?limit=100"),
    "GET /public/{token}/feedbacks": Large("/public/{run_token}/feedbacks?limit=100"),
    "GET /public/{token}/datasets/feedback": Large(
        "/public/{dataset_token}/datasets/feedback?limit=100"
    ),
    "POST /datasets/{dataset_id}/runs": Large(
        "/datasets/{dataset}/runs", {"session_ids": ["{experiment}"], "limit": 100}
    ),
    "POST /runs/group": Large("/runs/group", {"session_id": "{experiment}"}, rows="groups"),
    "POST /runs/query": _paged(
        "/runs/query", {"session": ["{experiment}"]}, "cursors", "next", rows="runs"
    ),
    "POST /public/{token}/runs/query": _paged(
        "/public/{run_token}/runs/query", {}, "cursors", "next", rows="runs"
    ),
    "POST /api/v2/runs/query": _paged(
        "/api/v2/runs/query", {"project_ids": ["{experiment}"], "selects": SELECTS}, "next_cursor"
    ),
    "POST /api/v2/traces/query": _paged(
        "/api/v2/traces/query",
        {"project_id": "{experiment}", "selects": SELECTS, "page_size": 100},
        "next_cursor",
    ),
    "GET /api/v2/traces/{trace_id}/runs": Large(
        "/api/v2/traces/{trace}/runs?project_id={project}&selects=INPUTS&selects=OUTPUTS",
        rows="items",
    ),
    "POST /api/v2/threads/query": Large(
        "/api/v2/threads/query",
        {"project_id": "{experiment}", "page_size": 100},
        rows="items",
        is_small=True,
    ),
    "GET /api/v2/threads/{thread_id}/traces": _paged(
        "/api/v2/threads/one/traces?project_id={threads}&page_size=100&selects=INPUTS",
        None,
        "next_cursor",
    ),
    "POST /api/v2/datasets/{dataset_id}/experiment-runs": Large(
        "/api/v2/datasets/{dataset}/experiment-runs",
        {"experiment_ids": ["{experiment}"], "page_size": 100, "selects": SELECTS},
        rows="items",
    ),
    "POST /api/v2/public/{token}/runs/query": Large(
        "/api/v2/public/{thread_token}/runs/query", {"selects": SELECTS}, rows="items"
    ),
    "GET /api/v2/logs": Large("/v2/logs?projectId={experiment}", rows="data", is_small=True),
    "POST /api/v2/logs/traces": Large(
        "/v2/logs/traces", {"projectId": "{experiment}"}, rows="data", is_small=True
    ),
    "POST /api/v2/logs/spans": _paged(
        "/v2/logs/spans", {"projectId": "{project}"}, "pagination", "nextCursor", rows="data"
    ),
}
FILES = {
    "csv": Large("/datasets/{dataset}/csv"),
    "jsonl": Large("/datasets/{dataset}/jsonl"),
    "openai_ft": Large("/datasets/{dataset}/openai_ft"),
    "experiment": Large("/datasets/{dataset}/runs?format=csv", {"session_ids": ["{experiment}"]}),
    "queue": Large("/annotation-queues/{queue}/export", {}),
}
NO_DOCUMENTS = {  # what people name and describe: projects, datasets, queues, prompts, keys
    *("GET /sessions", "GET /api/v2/sessions", "GET /datasets", "GET /api/v2/datasets"),
    *("GET /public/{token}/datasets/sessions", "GET /public/datasets/sessions-bulk"),
    *("GET /datasets/{dataset_id}/comparative", "GET /public/{token}/datasets/comparative"),
    *("GET /datasets/{dataset_id}/versions", "GET /repos", "GET /annotation-queues"),
    *("GET /annotation-queues/{run_id}/queues", "GET /feedback-configs", "GET /feedback/tokens"),
    "GET /platform/annotation-queues/{queue_id}/items",
}


@dataclass
class World:
    """40 of everything, each with 2 MiB: an experiment, a trace, a thread, a queue, a prompt."""

    api: Any
    acme: Any
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        acme, now = self.acme, timezone.now()
        dataset = DatasetFactory(workspace=acme)
        experiment = ProjectFactory(workspace=acme, reference_dataset_id=dataset.uuid)
        project, conversation = ProjectFactory(workspace=acme), ProjectFactory(workspace=acme)
        queue = AnnotationQueueFactory(workspace=acme)
        given = ExampleInput(inputs=json.dumps({"q": "x" * ROW}), outputs='{"a": "!"}')
        root = None
        for number in range(N):
            [example_id] = examples.create(dataset, [given], now=timezone.now()).example_ids
            started = now - timedelta(minutes=N - number)
            run = make_run(
                experiment,
                start_time=started,
                reference_example_id=example_id,
                metadata={"thread_id": f"t{number}"},
            )
            judge(run, "tone", 1.0)
            QueueItemFactory(
                queue=queue, run_id=run.id, state=QueueItem.State.COMPLETED, completed_at=started
            )
            make_run(conversation, start_time=started, metadata={"thread_id": "one"})
            below = make_run(project, start_time=started, **({"parent": root} if root else {}))
            root = root or below
            judge(below, "tone", 1.0)
        assert root is not None
        repo = PromptRepo.objects.create(workspace=acme, handle="large")
        parent = None
        for number in range(N):
            parent = commits.push(repo, {"n": number}, parent=parent, description="").commit_hash
        self._fill()
        self.ids = {
            "dataset": str(dataset.uuid),
            "experiment": str(experiment.uuid),
            "project": str(project.uuid),
            "threads": str(conversation.uuid),
            "queue": str(queue.uuid),
            "repo": repo.handle,
            "trace": str(root.id),
            "run_token": str(sharing.share(acme, root.id).token),
            "thread_token": str(thread_sharing.share(conversation, "one").token),
            "dataset_token": str(dataset_sharing.share(dataset).token),
        }

    def _fill(self) -> None:
        document = "json_build_object('input', repeat('x', %s))"
        with connection.cursor() as cursor:
            for statement in (
                f"UPDATE runs_run SET inputs = {document}, outputs = '{{}}'",
                f"UPDATE feedback_feedback SET value = to_jsonb({document})",
                f"UPDATE prompts_commit SET manifest = {document}::text",
            ):
                cursor.execute(statement, [ROW])

    def filled(self, value: Any) -> Any:
        text = value if isinstance(value, str) else json.dumps(value)
        for name, found in self.ids.items():
            text = text.replace(f"{{{name}}}", found)
        return text

    def ask(self, large: Large, cursor: str | None = None) -> Any:
        client = Client() if "/public/" in large.path else self.api.client
        path = self.filled(large.path)
        if large.body is None:
            return client.get(path + (f"&cursor={cursor}" if cursor else ""))
        body = json.loads(self.filled(large.body)) | ({"cursor": cursor} if cursor else {})
        return client.post(path, json.dumps(body), content_type="application/json")


@pytest.fixture
def world(api, acme) -> World:
    return World(api, acme)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def growth() -> Iterator[list[int]]:
    """Give what the process's memory grew by at its peak: one number, there afterwards."""
    told: list[int] = []
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is kept of earlier work would hide what is taken now
    before = peak = _resident()
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.001):
            peak = max(peak, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield told
    finally:
        ended.set()
        watcher.join()
        told.append(max(peak, _resident()) - before)


def _read(answer: Any) -> tuple[int, bytes]:
    """Return how many bytes an answer has, and those bytes unless it is streamed."""
    if not answer.streaming:
        return len(answer.content), answer.content
    return sum(len(piece) for piece in answer), b""


def _asked(world: World, large: Large) -> tuple[int, int]:
    """Return how many bytes come, page after page, and the most memory that a page took."""
    n_bytes, most, cursor = 0, 0, None
    while True:
        with growth() as told:
            answer = world.ask(large, cursor)
            assert answer.status_code == 200, (large.path, answer.content[:500])
            size, content = _read(answer)
        n_bytes, most = n_bytes + size, max(most, *told)
        if not large.cursor:
            return n_bytes, most
        page = json.loads(content)
        assert 0 < len(page[large.rows]) < N, large.path
        del content
        for key in large.cursor:
            page = page[key]
        if page is None:
            return n_bytes, most
        cursor = page


def test_a_list_of_large_documents_takes_little_memory(world) -> None:
    lost, greedy = {}, {}
    for name, large in (LISTS | FILES).items():
        n_bytes, most = _asked(world, large)
        if n_bytes < (N - 1) * ROW and not large.is_small:
            lost[name] = n_bytes >> 20
        if most > (PAGED if large.cursor else STREAMED):
            greedy[name] = most >> 20
        print(f"{most >> 20:>5} MiB for {n_bytes >> 20} MiB: {name}")
    assert lost == greedy == {}


def test_a_short_answer_has_a_length_and_a_long_one_is_whole(api, acme, monkeypatch) -> None:
    dataset = DatasetFactory(workspace=acme)
    examples.create(dataset, [ExampleInput(inputs="{}")] * 3, now=timezone.now())
    path = f"/examples?dataset={dataset.uuid}&limit=3&select=metadata"
    short = api.client.get(path + "&exclude_default_fields=true")
    assert not short.streaming
    assert int(short.headers["Content-Length"]) == len(short.content)
    monkeypatch.setattr(streamed, "WHOLE_BYTES", 10)
    long = api.client.get(path + "&exclude_default_fields=true")
    assert long.streaming
    assert long.getvalue() == short.content


def test_no_list_is_left_out() -> None:
    assert every_list() - {*LISTS, *NO_DOCUMENTS, *NO_ROWS} == set()
