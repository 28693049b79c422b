"""Numbers and times at the edge of what can be stored break no figure and no page.

One workspace holds them all: runs that end before they start, years 1 and 9999, token counts and
costs as large as the columns take, scores from the smallest double to the largest. Then every path
of the wire and every page is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from annotations.models import AnnotationQueue
from annotations.queues import queue_items
from datasets_app import experiments
from datasets_app.models import Dataset
from observatory.api.v2.threads import AGGREGATES, STATS
from observatory.feedback import scales
from observatory.runs.models import Project, Run
from tests import routes, scenes, tenancy
from tests.conftest import NOON
from tests.tenancy import Client, Side
from tests.test_tenancy import SCOPED

MOST = 2**63 - 1
SMALLEST, LARGEST = 5e-324, 1.7976931348623157e308
WIDEST = 1e308
TIMES = [
    ("2026-11-20T11:04:00Z", "2026-11-20T11:00:00Z"),  # ends before it starts
    ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
    ("9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"),
    ("9999-12-31T23:59:59Z", None),
    ("0001-01-01T00:00:00Z", None),
    ("2026-11-20T11:00:00Z", "2026-11-20T11:00:00Z"),
]
SCORES = [SMALLEST, -SMALLEST, 1e-310, 1e150, -1e150, 1e307, -1e307, 0.1, 0]
SCALES: dict[str, dict[str, Any]] = {
    "none": {},
    "narrow": {"type": "continuous", "min": 0, "max": SMALLEST},
    "wide": {"type": "continuous", "min": -WIDEST, "max": WIDEST},
    "huge": {"type": "continuous", "min": 0, "max": WIDEST},
    "odd": {
        "type": "categorical",
        "categories": [
            {"value": value, "label": str(value)} for value in SCORES if abs(value) <= WIDEST
        ],
    },
}
DURATION = re.compile(r"^(latency|first_token|duration)")


def runs_of(project: str, example: str) -> Iterator[dict[str, Any]]:
    """Yield traces: a root that says no tokens and two model calls that say the most."""
    for place, (start, end) in enumerate(TIMES):
        root = str(uuid4())
        common = {"session_id": project, "trace_id": root, "start_time": start, "end_time": end}
        yield {
            **common,
            "id": root,
            "name": "root",
            "run_type": "chain",
            "inputs": {"n": place},
            "reference_example_id": example,
            "extra": {"metadata": {"thread_id": f"thread {place % 2}"}},
        }
        for name in ("first", "second"):
            yield {
                **common,
                "id": str(uuid4()),
                "parent_run_id": root,
                "name": name,
                "run_type": "llm",
                "events": [{"name": "new_token", "time": "2020-01-01T00:00:00Z"}],
                "outputs": {
                    "usage_metadata": {
                        "input_tokens": MOST,
                        "output_tokens": MOST,
                        "total_tokens": MOST,
                        "input_cost": 999_999_999_999,
                        "total_cost": "999999999999.999999999999",
                        "input_token_details": {"cache_read": MOST},
                        "input_cost_details": {"cache_read": 1e-12},
                    }
                },
            }


@pytest.fixture
def side(acme, ada) -> Side:
    return tenancy.furnish(acme, ada, "extreme")


@pytest.fixture
def client(side) -> Client:
    return Client(headers={"x-api-key": side.token}, raise_request_exception=False)


@pytest.fixture
def comparison() -> str:
    return str(uuid4())


@pytest.fixture
def filled(side, client, comparison) -> Side:
    """Put the extremes into the workspace, through the wire."""

    def post(path: str, body: Any) -> None:
        answer = client.post(path, body, content_type="application/json")
        assert answer.status_code < 300, (path, body, answer.content)

    project, dataset = side.ids["project"], side.ids["dataset"]
    Project.objects.filter(uuid=project).update(reference_dataset_id=dataset)
    experiments.plan(Project.objects.get(uuid=project), {"n_examples": MOST >> 33})
    runs = list(runs_of(project, side.ids["example"]))
    post("/runs/batch", {"post": runs})
    assert Run.objects.filter(name="second", prompt_tokens=MOST).count() == len(TIMES)
    post(
        "/datasets/comparative",
        {
            "id": comparison,
            "name": "pair",
            "experiment_ids": [project],
            "reference_dataset_id": dataset,
        },
    )
    roots = [run["id"] for run in runs if run["name"] == "root"]
    for (key, config), score in product(SCALES.items(), SCORES):
        if config:
            post("/feedback-configs", {"feedback_key": key, "feedback_config": config})
        for number, run in enumerate(roots):
            told = {"key": key, "run_id": run, "score": score, "session_id": project}
            post("/feedback", told | {"feedback_thread_id": "thread 0"} if number else told)
            post("/feedback", told | {"comparative_experiment_id": comparison})
        post("/feedback", {"key": key, "score": score, "session_id": project})
    return side


def negative(value: Any, path: str = "") -> Iterator[str]:
    """Yield where a JSON answer tells a duration below zero."""
    if isinstance(value, dict):
        for name, member in value.items():
            is_number = isinstance(member, (int, float)) and not isinstance(member, bool)
            if DURATION.match(name.lower()) and is_number and member < 0:
                yield f"{path}.{name} = {member}"
            yield from negative(member, f"{path}.{name}")
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from negative(member, f"{path}[{place}]")


def hold(asked: str, answer: Any) -> None:
    assert answer.status_code < 500, f"{asked}: {answer.content[:400]!r}"
    if answer.get("content-type", "").startswith("application/json"):
        assert list(negative(answer.json())) == [], asked


def queries(side: Side, comparison: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the reads that are a POST, with a body for every figure that they can tell."""
    project, dataset = side.ids["project"], side.ids["dataset"]
    of_project: dict[str, Any] = {"session": [project]}
    yield "/runs/query", of_project
    for clause in ("gt(latency, 1)", "lt(latency, 0)", "lt(first_token_latency, 1e300)"):
        yield "/runs/query", of_project | {"filter": clause}
    for clause in ("gt(feedback_score, 1e-320)", f"eq(total_tokens, {MOST})", "gt(total_cost, 1)"):
        for is_root in (True, False):
            yield "/runs/query", of_project | {"filter": clause, "is_root": is_root}
    for is_root in (True, None):
        yield "/runs/stats", of_project | {"is_root": is_root}
        for attribute in ("name", "run_type", "tag"):
            yield (
                "/runs/stats",
                of_project | {"is_root": is_root, "group_by": {"attribute": attribute}},
            )
    yield "/runs/group", {"session_id": project, "group_by": "conversation"}
    since = {"min_start_time": "0001-01-01T00:00:00Z"}
    yield "/api/v2/runs/query", since | {"project_ids": [project]}
    yield "/api/v2/traces/query", since | {"project_id": project}
    yield "/api/v2/threads/query", since | {"project_id": project}
    for name in ("latency_p50", "total_tokens", "total_cost"):
        asked = {"project_id": project, "thread_filter": f"gt({name}, 1)"}
        yield "/api/v2/threads/query", since | asked
    yield "/api/v2/threads/stats", since | {"project_id": project, "select": list(AGGREGATES)}
    ranks = [*experiments.RANKS, *(f"feedback.{key}" for key in SCALES)]
    for rank in [None, *ranks]:
        sort = {"sort_params": {"sort_by": rank}} if rank else {}
        yield f"/datasets/{dataset}/runs", {"session_ids": [project], **sort}
        yield f"/datasets/{dataset}/runs?format=csv", {"session_ids": [project], **sort}
    yield (
        f"/datasets/{dataset}/runs",
        {"session_ids": [project], "comparative_experiment_id": comparison},
    )
    yield f"/api/v2/datasets/{dataset}/experiment-runs", {"experiment_ids": [project]}
    yield "/v2/logs/trace/search", {"projectId": project}


@pytest.mark.django_db
def test_no_endpoint_fails_or_returns_a_negative_duration(filled, client, comparison) -> None:
    for route in SCOPED:
        if route.takes("GET"):
            for values in tenancy.combinations(route, filled, filled):
                path = route.path(**values)
                hold(f"GET {path}", client.get(path))
    project = filled.ids["project"]
    sessions = [f"/sessions/{project}?include_stats=true", "/sessions?include_stats=true"]
    orders = ("latency_p50", "latency_p99", "error_rate", "last_run_start_time", "start_time")
    sessions += [f"/sessions?include_stats=true&sort_by={order}" for order in orders]
    sessions += [f"/sessions?sort_by=feedback&sort_by_feedback_key={key}" for key in SCALES]
    for path in sessions:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.content)
        hold(path, answer)
    selects = "&".join(f"selects={name}" for name in STATS)
    hold("thread", client.get(f"/api/v2/threads/thread 0/stats?session_id={project}&{selects}"))
    n_answered = 0
    for path, body in queries(filled, comparison):
        answer = client.post(path, body, content_type="application/json")
        hold(f"POST {path} {body}", answer)
        n_answered += answer.status_code == 200
        assert answer.status_code in {200, 404}, (path, body, answer.content)
    assert n_answered > 30


@pytest.mark.django_db
def test_sums_of_tokens_stay_a_number_of_the_wire(filled, client) -> None:
    project = filled.ids["project"]
    told = client.get(f"/sessions/{project}?include_stats=true").json()
    assert told["total_tokens"] == MOST
    assert told["latency_p50"] >= 0
    body = {"session": [project], "filter": "eq(name, 'root')", "limit": 100}
    found = client.post("/runs/query", body, content_type="application/json").json()["runs"]
    assert {run["total_tokens"] for run in found} == {MOST}
    latencies = [run.latency_s for run in Run.objects.filter(name="root")]
    assert sorted(each for each in latencies if each is not None)[0] == 0
    assert latencies.count(None) == 4


@pytest.mark.django_db
def test_no_page_fails_or_shows_a_negative_duration(filled, ada) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    dataset = Dataset.objects.get(uuid=filled.ids["dataset"])
    queue = AnnotationQueue.objects.get(uuid=filled.ids["queue"])
    backwards = Run.objects.filter(name="root", end_time__lt=timezone.now()).order_by("id")
    odd = [run for run in backwards if run.latency_s is None]
    assert odd
    items = queue_items.add_runs(queue, [run.id for run in odd], source="manual", now=NOON)
    scene = scenes.Scene(
        workspace=filled.workspace,
        project=Project.objects.get(uuid=filled.ids["project"]),
        queue=queue,
        dataset=dataset,
        runs=odd,
        items=items,
        rule=queue.rules.get(),
    )
    values = routes.fill(scene, ada)
    shown = 0
    for route in routes.of_pages():
        if not set(route.parameters) <= set(values):
            continue
        address = routes.address(route, values)
        addresses = [address]
        if route.name in {"run-list", "trends"} or address.endswith(("trends/", "trends")):
            addresses += [f"{address}?{query}" for query in page_queries()]
        for each in addresses:
            answer = client.get(each)
            assert answer.status_code < 500, f"{each}: {answer.content[-400:]!r}"
            text = re.sub(r"<[^>]*>", " ", answer.content.decode(errors="replace"))
            found = re.search(r"(?<![\w.])-\d[\d.]* ?(ms|s|min|h)\b", text)
            assert found is None, (each, found)
            shown += answer.status_code == 200
    assert shown > 20


def page_queries() -> list[str]:
    return [
        "all=1",
        "filter=gt(latency, 1)",
        *(f"key={key}&days=90" for key in SCALES),
    ]


@pytest.mark.parametrize("score", [*SCORES, LARGEST, -LARGEST])
def test_a_score_has_a_place_on_every_scale_or_none(score: float) -> None:
    for config in SCALES.values():
        place = scales.normalise(config or None, score)
        assert place is None or 0 <= place <= 1


def test_the_ends_of_a_scale_of_one_step_are_its_ends() -> None:
    assert scales.normalise(SCALES["narrow"], SMALLEST) == 1
    assert scales.normalise(SCALES["narrow"], 0) == 0
