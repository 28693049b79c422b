"""Every create honours the client's id, every list pages exactly, every error names the field.

One row per collection; a collection that is in no table fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from observatory.api.kit import openapi as schema
from tests.conftest import NOON
from tests.factories import (
    AnnotationQueueFactory,
    DatasetFactory,
    ProjectFactory,
    QueueItemFactory,
    judge,
    make_run,
)

pytestmark = pytest.mark.django_db
N = 7


@dataclass
class World:
    """A workspace with one of everything that others hang below."""

    api: Any
    project: Any
    run: Any
    dataset: Any
    queue: Any
    experiments: list[Any] = field(default_factory=list)

    @property
    def ids(self) -> dict[str, str]:
        return {
            "run": str(self.run.id),
            "project": str(self.project.uuid),
            "dataset": str(self.dataset.uuid),
            "queue": str(self.queue.uuid),
            "experiment": str(self.experiments[0].uuid),
        }


@pytest.fixture
def world(api, acme) -> World:
    project = ProjectFactory(workspace=acme, name="the project")
    dataset = DatasetFactory(workspace=acme, name="the dataset")
    experiments = [ProjectFactory(workspace=acme, reference_dataset_id=dataset.uuid)]
    return World(
        api,
        project,
        make_run(project),
        dataset,
        AnnotationQueueFactory(workspace=acme, name="the queue"),
        experiments,
    )


# Creates ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Create:
    """A body that `path` takes; `found` returns the id of what was made from the answer."""

    path: str
    body: Callable[[World], dict[str, Any]]
    read: str | None = None  # where it is read back
    found: Callable[[Any], Any] = lambda answer: answer["id"]
    wrong: dict[str, Any] = field(default_factory=dict)  # field -> a value it cannot have
    is_many: bool = False


TEXT = {"a": "text"}
CREATES = {
    "/sessions": Create(
        "/sessions",
        lambda w: {"name": uuid4().hex},
        "/sessions/{id}",
        wrong={"name": 7, "extra": [], "start_time": "soon", "id": "x", "description": 7},
    ),
    "/feedback": Create(
        "/feedback",
        lambda w: {"key": "k", "run_id": w.ids["run"], "score": 1},
        "/feedback/{id}",
        wrong={
            "key": "",
            "score": "high",
            "run_id": "x",
            "id": "x",
            "comment": 7,
            "created_at": "soon",
        },
    ),
    "/feedback/tokens": Create(
        "/feedback/tokens",
        lambda w: {"run_id": w.ids["run"], "feedback_key": uuid4().hex},
        wrong={"run_id": "x", "feedback_key": "", "expires_at": "soon", "id": "x"},
    ),
    "/annotation-queues": Create(
        "/annotation-queues",
        lambda w: {"name": uuid4().hex},
        "/annotation-queues/{id}",
        wrong={
            "name": 7,
            "id": "x",
            "rubric_items": 7,
            "default_dataset": str(uuid4()),
            "metadata": 7,
        },
    ),
    "/datasets": Create(
        "/datasets",
        lambda w: {"name": uuid4().hex},
        "/datasets/{id}",
        wrong={
            "name": 7,
            "id": "x",
            "data_type": "odd",
            "metadata": [],
            "inputs_schema_definition": 7,
        },
    ),
    "/examples": Create(
        "/examples",
        lambda w: {"dataset_id": w.ids["dataset"], "inputs": TEXT},
        "/examples/{id}",
        wrong={
            "dataset_id": "x",
            "inputs": 7,
            "outputs": [],
            "metadata": [],
            "id": "x",
            "created_at": "soon",
        },
    ),
    "/datasets/comparative": Create(
        "/datasets/comparative",
        lambda w: {
            "reference_dataset_id": w.ids["dataset"],
            "experiment_ids": [w.ids["experiment"]],
        },
        wrong={
            "reference_dataset_id": "x",
            "experiment_ids": [],
            "id": "x",
            "name": 7,
            "extra": [],
        },
    ),
    "/feedback-configs": Create(
        "/feedback-configs",
        lambda w: {"feedback_key": uuid4().hex, "feedback_config": {"type": "freeform"}},
        wrong={"feedback_key": "", "feedback_config": {"type": "odd"}},
    ),
    "/repos": Create(
        "/repos",
        lambda w: {"repo_handle": uuid4().hex},
        found=lambda answer: answer["repo"]["repo_handle"],
        wrong={"repo_handle": "a b", "description": 7, "tags": 7, "is_public": "yes"},
    ),
}
BY_ID = [
    path for path in CREATES if path not in {"/feedback-configs", "/repos"}
]  # those have a key


@pytest.mark.parametrize("path", BY_ID)
def test_a_create_honours_the_client_s_id(path, world) -> None:
    create, wanted = CREATES[path], str(uuid4())
    answer = world.api.post(create.path, {**create.body(world), "id": wanted})
    assert answer.status_code < 300, answer.content
    assert create.found(answer.json()) == wanted
    if create.read is not None:
        assert world.api.get(create.read.format(id=wanted)).json()["id"] == wanted


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path, create in CREATES.items() for name in create.wrong],
)
def test_an_error_names_the_field(path, name, world) -> None:
    create = CREATES[path]
    answer = world.api.post(create.path, {**create.body(world), name: create.wrong[name]})
    assert answer.status_code in {400, 422}, answer.content
    assert name in answer.json()["detail"]
    assert set(answer.json()) == {"detail", "code"}


@pytest.mark.parametrize("path", list(CREATES))
def test_a_create_ignores_fields_it_does_not_know(path, world) -> None:
    create = CREATES[path]
    body = {**create.body(world), "execution_order": 1, "of_next_year": {"a": [1]}}
    assert world.api.post(create.path, body).status_code < 300


@pytest.mark.parametrize("path", list(CREATES))
@pytest.mark.parametrize("body", [[1], "text", 7, None], ids=str)
def test_a_body_of_another_kind_is_refused(path, body, world) -> None:
    answer = world.api.post(CREATES[path].path, body)
    assert answer.status_code in {400, 422}, answer.content
    assert answer.json()["detail"]


# Lists --------------------------------------------------------------------------------------------


def _make(path: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        create = CREATES[path]
        assert world.api.post(create.path, create.body(world)).status_code < 300

    return make


def _feedback(world: World) -> None:
    judge(world.run, uuid4().hex, 1)


def _item(world: World) -> None:
    run = make_run(world.project)
    QueueItemFactory(queue=world.queue, run_id=run.id)


def _queue_of_run(world: World) -> None:
    queue = AnnotationQueueFactory(workspace=world.project.workspace)
    QueueItemFactory(queue=queue, run_id=world.run.id)


def _commit(world: World) -> None:
    world.api.post("/repos", {"repo_handle": "p"})
    latest = world.api.get("/commits/-/p").json()["commits"][:1]
    parent = latest[0]["commit_hash"] if latest else None
    body = {"manifest": {"n": uuid4().hex}, "parent_commit": parent}
    assert world.api.post("/commits/-/p", body).status_code == 200


@dataclass(frozen=True)
class Listed:
    """A list: how to make one more of it, and where the rows and their ids are."""

    path: str
    make: Callable[[World], None]
    rows: Callable[[Any], list[Any]] = lambda answer: answer
    key: str = "id"
    budget: int = 4  # queries: the key, its last use, the rows and their related fields
    more: dict[str, str] = field(default_factory=dict)  # what makes it tell the most


LISTS = {
    "/sessions": Listed(
        "/sessions", _make("/sessions"), budget=12, more={"include_stats": "true", "facets": "true"}
    ),
    "/feedback": Listed("/feedback", _feedback),
    "/feedback/tokens": Listed("/feedback/tokens", _make("/feedback/tokens")),
    "/feedback-configs": Listed(
        "/feedback-configs", _make("/feedback-configs"), key="feedback_key"
    ),
    "/annotation-queues": Listed("/annotation-queues", _make("/annotation-queues")),
    "/annotation-queues/{queue_id}/runs": Listed(
        "/annotation-queues/{queue}/runs", _item, budget=10
    ),
    "/annotation-queues/{run_id}/queues": Listed("/annotation-queues/{run}/queues", _queue_of_run),
    "/datasets": Listed("/datasets", _make("/datasets")),
    "/datasets/{dataset_id}/versions": Listed(
        "/datasets/{dataset}/versions", _make("/examples"), key="as_of"
    ),
    "/datasets/{dataset_id}/comparative": Listed(
        "/datasets/{dataset}/comparative", _make("/datasets/comparative"), budget=5
    ),
    "/examples": Listed("/examples?dataset={dataset}", _make("/examples")),
    "/repos": Listed("/repos", _make("/repos"), rows=lambda answer: answer["repos"]),
    "/commits/{owner}/{repo_handle}": Listed(
        "/commits/-/p", _commit, rows=lambda answer: answer["commits"]
    ),
}


@pytest.mark.parametrize("name", list(LISTS))
@pytest.mark.parametrize("limit", [1, 2, 3, N, 100])
def test_a_list_pages_exactly(name, limit, world) -> None:
    listed = LISTS[name]
    for _ in range(N):
        listed.make(world)
    path = listed.path.format(**world.ids)
    whole = [row[listed.key] for row in listed.rows(_get(world, path, limit=100))]
    assert len(whole) == len(set(whole)) >= N
    seen: list[Any] = []
    while True:
        page = listed.rows(_get(world, path, limit=limit, offset=len(seen)))
        seen += [row[listed.key] for row in page]
        if len(page) < limit:
            break
    assert seen == whole  # full pages, none twice, none left out, in one order


def _get(world: World, path: str, **query: Any) -> Any:
    path, _, given = path.partition("?")
    extra = dict([given.split("=")]) if given else {}
    answer = world.api.get(path, **extra, **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.mark.parametrize("name", list(LISTS))
def test_a_list_costs_the_same_number_of_queries_however_long(name, world) -> None:
    listed = LISTS[name]
    listed.make(world)
    path = listed.path.format(**world.ids)
    _get(world, path)  # what is cached from then on
    costs = []
    for n_more in (1, 2 * N):
        for _ in range(n_more):
            listed.make(world)
        with CaptureQueriesContext(connection) as asked:
            rows = listed.rows(_get(world, path, limit=100, **listed.more))
        costs.append(len(asked))
    assert len(rows) > 2 * N
    assert costs[0] == costs[1] <= listed.budget, [one["sql"] for one in asked]


@pytest.mark.parametrize("name", list(LISTS))
@pytest.mark.parametrize(
    ("field", "value"), [("limit", "x"), ("limit", "0"), ("offset", "-1"), ("offset", "x")]
)
def test_a_list_s_error_names_the_parameter(name, field, value, world) -> None:
    LISTS[name].make(world)
    path, _, given = LISTS[name].path.format(**world.ids).partition("?")
    query = dict([given.split("=")]) if given else {}
    answer = world.api.get(path, **{**query, field: value})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(field)


def test_runs_page_exactly_by_cursor(world) -> None:
    for _ in range(N):
        make_run(world.project, start_time=NOON)  # all at once: the id decides
    whole = {str(run_id) for run_id in world.project.runs.values_list("id", flat=True)}
    seen: list[str] = []
    body = {"session": [world.ids["project"]], "limit": 3}
    while True:
        answer = world.api.post("/runs/query", body).json()
        seen += [run["id"] for run in answer["runs"]]
        if not answer["cursors"]["next"]:
            break
        assert len(answer["runs"]) == 3
        body["cursor"] = answer["cursors"]["next"]
    assert len(seen) == len(set(seen))
    assert set(seen) == whole


# Whole ------------------------------------------------------------------------------------------


PUBLIC_LISTS = "/public/"  # what is shared: tests/api/test_shared_*.py page through them


def test_no_list_is_left_out() -> None:
    """A GET with `limit` and `offset` is a list: it is in the table above."""
    found = set()
    for route in schema.routes():
        operation = route.operation("get")
        if operation is not None and {"limit", "offset"} <= _names(operation.query):
            found.add(route.path.removeprefix("/api/v1"))
    ours = {path for path in found if not path.startswith(PUBLIC_LISTS)}
    assert ours - set(LISTS) == set()


def _names(query: Any) -> frozenset[str]:
    """Return the names of a query or body, described by a TypedDict or a Struct."""
    if hasattr(query, "__struct_fields__"):
        return frozenset(query.__struct_fields__)
    return frozenset() if query is None else query.__required_keys__ | query.__optional_keys__
