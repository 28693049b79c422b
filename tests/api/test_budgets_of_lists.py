"""What a list costs in queries: as many for many rows as for few, and no more than its budget.

Lists by GET are in test_promises_of_lists.py; here are those by body, by cursor and by token. A
route that answers with rows and is in no table fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from datasets_app import comparisons, examples
from datasets_app import sharing as dataset_sharing
from datasets_app.examples import ExampleInput
from observatory.api.kit import openapi as schema
from observatory.runs import sharing, thread_sharing
from tests.api import test_promises_of_lists as by_get
from tests.factories import (
    AnnotationQueueFactory,
    DatasetFactory,
    ProjectFactory,
    QueueItemFactory,
    judge,
    make_run,
)

pytestmark = pytest.mark.django_db
FEW, MANY = 2, 12


@dataclass
class World:
    """A conversation of many traces, an experiment over a dataset, a queue, and what opens them."""

    api: Any
    acme: Any
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project = ProjectFactory(workspace=self.acme)
        self.dataset = DatasetFactory(workspace=self.acme)
        self.experiment = ProjectFactory(
            workspace=self.acme, reference_dataset_id=self.dataset.uuid
        )
        self.queue = AnnotationQueueFactory(workspace=self.acme)
        self.root = self._turn()
        self.ids = {
            "project": str(self.project.uuid),
            "dataset": str(self.dataset.uuid),
            "experiment": str(self.experiment.uuid),
            "queue": str(self.queue.uuid),
            "trace": str(self.root.id),
            "run_token": str(sharing.share(self.acme, self.root.id).token),
            "thread_token": str(thread_sharing.share(self.project, "t").token),
            "dataset_token": str(dataset_sharing.share(self.dataset).token),
        }

    def _turn(self) -> Any:
        root = make_run(
            self.project,
            start_time=timezone.now() - timedelta(minutes=1),
            inputs={"question": "why?"},
            metadata={"thread_id": "t"},
        )
        make_run(self.project, parent=root, run_type="llm", total_tokens=1)
        judge(root, "tone", 1.0)
        return root

    def grow(self, n: int) -> None:
        """Add n of everything that a list lists."""
        for number in range(n):
            self._turn()
            make_run(
                self.project,
                start_time=timezone.now() - timedelta(minutes=1),
                metadata={"thread_id": uuid4().hex},
            )
            below = make_run(
                self.project, parent=self.root, run_type="llm", total_tokens=1, tags=[str(number)]
            )
            judge(below, "tone", 0.5)
            run_id = uuid4()
            written = examples.create(
                self.dataset, [ExampleInput(inputs="{}", outputs="{}")], now=timezone.now()
            )
            comparisons.create(
                self.dataset, [self.experiment.uuid], now=timezone.now(), name=str(run_id)
            )
            of_example = make_run(
                self.experiment,
                id=run_id,
                reference_example_id=written.example_ids[0],
                start_time=timezone.now(),
            )
            judge(of_example, "exact", 1.0)
            ProjectFactory(workspace=self.acme, reference_dataset_id=self.dataset.uuid)
            DatasetFactory(workspace=self.acme)
            QueueItemFactory(queue=self.queue, run_id=self._turn().id)


@dataclass(frozen=True)
class Listed:
    """How to ask: a path with ids in braces, and a body if it is a POST."""

    path: str
    budget: int
    body: str = ""
    rows: Callable[[Any], list[Any]] = lambda answer: answer


def _of(name: str) -> Callable[[Any], list[Any]]:
    return lambda answer: answer[name]


LISTS = {
    "POST /runs/query": Listed("/runs/query", 12, '{"session": ["{project}"]}', _of("runs")),
    "POST /runs/group": Listed("/runs/group", 10, '{"session_id": "{project}"}', _of("groups")),
    "POST /datasets/{dataset_id}/runs": Listed(
        "/datasets/{dataset}/runs", 18, '{"session_ids": ["{experiment}"], "limit": 100}'
    ),
    "GET /platform/annotation-queues/{queue_id}/items": Listed(
        "/v1/platform/annotation-queues/{queue}/items?status=needs_my_review", 7, "", _of("items")
    ),
    "POST /public/{token}/runs/query": Listed(
        "/public/{run_token}/runs/query", 13, "{}", _of("runs")
    ),
    "GET /public/{token}/runs": Listed("/public/{run_token}/runs", 13),
    "GET /public/{token}/feedbacks": Listed("/public/{run_token}/feedbacks", 5),
    "GET /public/{token}/examples": Listed("/public/{dataset_token}/examples", 3),
    "GET /public/{token}/datasets/sessions": Listed("/public/{dataset_token}/datasets/sessions", 8),
    "GET /public/{token}/datasets/comparative": Listed(
        "/public/{dataset_token}/datasets/comparative", 4
    ),
    "GET /public/{token}/datasets/feedback": Listed("/public/{dataset_token}/datasets/feedback", 3),
    "GET /public/datasets/sessions-bulk": Listed(
        "/public/datasets/sessions-bulk?share_tokens={dataset_token}", 8
    ),
    "POST /api/v2/runs/query": Listed(
        "/api/v2/runs/query",
        14,
        '{"project_ids": ["{project}"], "selects": ["ID", "NAME", "TOTAL_TOKENS",'
        ' "FEEDBACK_STATS", "ATTACHMENTS", "SHARE_URL", "LAST_QUEUED_AT", "IS_IN_DATASET"],'
        ' "include_subtree_usage": true}',
        _of("items"),
    ),
    "POST /api/v2/traces/query": Listed(
        "/api/v2/traces/query", 8, '{"project_id": "{project}"}', _of("items")
    ),
    "GET /api/v2/traces/{trace_id}/runs": Listed(
        "/api/v2/traces/{trace}/runs?project_id={project}&selects=NAME", 8, "", _of("items")
    ),
    "POST /api/v2/threads/query": Listed(
        "/api/v2/threads/query", 11, '{"project_id": "{project}", "page_size": 100}', _of("items")
    ),
    "GET /api/v2/threads/{thread_id}/traces": Listed(
        "/api/v2/threads/t/traces?project_id={project}&page_size=100&selects=NAME",
        9,
        "",
        _of("items"),
    ),
    "GET /api/v2/datasets": Listed("/api/v2/datasets", 6, "", _of("items")),
    "GET /api/v2/sessions": Listed(
        "/api/v2/sessions?include_stats=true&include_facets=true", 14, "", _of("items")
    ),
    "POST /api/v2/datasets/{dataset_id}/experiment-runs": Listed(
        "/api/v2/datasets/{dataset}/experiment-runs",
        15,
        '{"experiment_ids": ["{experiment}"], "page_size": 100,'
        ' "selects": ["ID", "NAME", "FEEDBACK_STATS"]}',
        _of("items"),
    ),
    "POST /api/v2/public/{token}/runs/query": Listed(
        "/api/v2/public/{thread_token}/runs/query", 9, '{"selects": ["ID"]}', _of("items")
    ),
}


def _ask(world: World, listed: Listed) -> list[Any]:
    path = listed.path
    body = listed.body
    for name, value in world.ids.items():
        path, body = path.replace(f"{{{name}}}", value), body.replace(f"{{{name}}}", value)
    if "/public/" in path:
        client: Any = Client()
        answer = (
            client.post(path, body, content_type="application/json") if body else client.get(path)
        )
    elif body:
        answer = world.api.post(path, json.loads(body))
    else:
        answer = world.api.client.get(path)
    assert answer.status_code == 200, answer.content
    return listed.rows(answer.json())


@pytest.mark.parametrize("name", list(LISTS))
def test_a_list_costs_the_same_number_of_queries_however_long(name, api, acme) -> None:
    world, listed = World(api, acme), LISTS[name]
    world.grow(FEW)
    n_few = len(_ask(world, listed))
    costs = []
    for n_more in (0, MANY):
        world.grow(n_more)
        with CaptureQueriesContext(connection) as asked:
            rows = _ask(world, listed)
        costs.append(len(asked))
    assert len(rows) > n_few > 0
    assert costs[0] == costs[1] <= listed.budget, [one["sql"] for one in asked]


def test_no_list_is_left_out() -> None:
    """A route that answers an array, or a page of one, has its budget here or by GET."""
    known = {*LISTS, *(f"GET {name}" for name in by_get.LISTS), *ELSEWHERE, *NO_ROWS}
    assert every_list() - known == set()


def every_list() -> set[str]:
    """Return method and path of each route that answers an array, or a page of one."""
    found = set()
    for route in schema.routes():
        for method in ("get", "post"):
            operation = route.operation(method)
            if operation is not None and _is_list(operation):
                found.add(f"{method.upper()} {route.path.removeprefix('/api/v1')}")
    return found


ELSEWHERE = {  # tests/api/test_adaline_logs.py
    *("GET /api/v2/logs", "POST /api/v2/logs/traces", "POST /api/v2/logs/spans"),
}
NO_ROWS = {"GET /public/{token}/examples/count"}


def _is_list(operation: Any) -> bool:
    names = by_get._names(operation.query)
    body = getattr(operation.body, "__struct_fields__", ()) or getattr(
        operation.body, "__annotations__", {}
    )
    paged = {"limit", "cursor", "page_size"}
    return bool(paged & (set(names) | set(body)))
