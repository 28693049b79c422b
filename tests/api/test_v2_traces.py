"""/api/v2/traces on the wire: root runs with what their whole trace used, and its runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from langsmith.types.trace import Trace

from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


def ask(api, project, **body):
    return api.post(
        "/api/v2/traces/query",
        {"project_id": str(project.uuid), "min_start_time": LONG_AGO, **body},
    )


def names(api, project, **body) -> list[str]:
    answer = ask(api, project, selects=["NAME"], **body)
    assert answer.status_code == 200, answer.json()
    return [item["root_run"]["name"] for item in answer.json()["items"]]


def test_a_trace_is_its_root_with_the_totals_of_its_runs(
    api, project, django_assert_max_num_queries
) -> None:
    root = make_run(project, name="root", total_tokens=1)
    for number in (1, 2):
        make_run(
            project,
            parent=root,
            run_type="llm",
            total_tokens=number,
            total_cost="0.25",
            first_token_time=NOON + timedelta(seconds=number),
        )
    make_run(project, name="quiet", start_time=NOON - timedelta(hours=2))
    assert ask(api, project).json()["items"][0] == {"root_run": {"id": str(root.id)}}
    with django_assert_max_num_queries(14):
        answer = ask(
            api,
            project,
            selects=["NAME", "TOTAL_TOKENS", "TOTAL_COST", "FIRST_TOKEN_TIME", "PROMPT_TOKENS"],
        )
    first, second = answer.json()["items"]
    Trace.model_validate(first)
    assert first["root_run"] == {"name": "root", "prompt_tokens": None}
    told = first["trace_aggregates"]
    assert (told["total_tokens"], told["total_cost"]) == (3, 0.5)
    assert datetime.fromisoformat(told["first_token_time"]) == NOON + timedelta(seconds=1)
    assert second["trace_aggregates"]["total_tokens"] is None


def test_traces_are_found_by_their_root_by_any_of_their_runs_and_by_id(api, project) -> None:
    good, bad = make_run(project, name="good"), make_run(project, name="bad", error="no")
    make_run(project, name="tool", parent=good, run_type="tool")
    judge(bad, "tone", 0.0)
    assert set(names(api, project)) == {"good", "bad"}
    assert names(api, project, trace_filter='eq(status, "error")') == ["bad"]
    assert names(api, project, tree_filter='eq(run_type, "tool")') == ["good"]
    assert names(api, project, trace_ids=[str(good.id)]) == ["good"]
    assert names(api, project, trace_ids=[str(good.id)], trace_filter='eq(name, "bad")') == []
    judged = {"trace_filter": 'eq(feedback_key, "tone")'}
    assert names(api, project, **judged, min_feedback_modified_at=LONG_AGO) == ["bad"]
    assert names(api, project, **judged, max_feedback_modified_at=LONG_AGO) == []


def test_the_end_of_the_window_is_outside(api, project) -> None:
    start = NOON - timedelta(hours=1)
    make_run(project, name="one", start_time=start)
    assert names(api, project, max_start_time=start.isoformat()) == []
    later = start + timedelta(microseconds=1)
    assert names(api, project, max_start_time=later.isoformat()) == ["one"]
    assert names(api, project, min_start_time=start.isoformat()) == ["one"]


def test_traces_come_in_exact_pages(api, project) -> None:
    for number in range(5):
        make_run(project, name=str(number), start_time=NOON - timedelta(minutes=number))
    page = ask(api, project, selects=["NAME"], page_size=3).json()
    assert [item["root_run"]["name"] for item in page["items"]] == ["0", "1", "2"]
    rest = ask(api, project, selects=["NAME"], page_size=3, cursor=page["next_cursor"]).json()
    assert [item["root_run"]["name"] for item in rest["items"]] == ["3", "4"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"project_id": None}, 400, "project_id"),
        ({"project_id": str(uuid4())}, 404, "Project"),
        ({"page_size": 101}, 400, "page_size"),
        ({"selects": ["X"]}, 400, "selects"),
        ({"trace_filter": "("}, 400, "trace_filter"),
        ({"trace_ids": ["x"]}, 400, "trace_ids"),
        ({"sem_filter": "angry"}, 501, "sem_filter"),
    ],
)
def test_an_invalid_field_is_named(api, project, body, status, word) -> None:
    answer = ask(api, project, **body)
    assert answer.status_code == status
    assert word in answer.json()["detail"]


def test_the_runs_of_a_trace_come_in_the_order_of_their_start(api, acme, project) -> None:
    root = make_run(project, name="root", start_time=NOON)
    for number in (2, 1):
        make_run(
            project,
            name=f"step{number}",
            parent=root,
            run_type="llm" if number == 1 else "tool",
            start_time=NOON + timedelta(seconds=number),
        )
    path, asked = f"/api/v2/traces/{root.id}/runs", {"project_id": str(project.uuid)}

    def found(**query) -> list[str]:
        answer = api.get(path, selects=["NAME"], **asked, **query)
        assert answer.status_code == 200, answer.json()
        return [run["name"] for run in answer.json()["items"]]

    assert found() == ["root", "step1", "step2"]
    assert found(filter='eq(run_type, "llm")') == ["step1"]
    second = (NOON + timedelta(seconds=1)).isoformat()
    assert found(min_start_time=second, max_start_time=second) == ["step1"]
    assert api.get(path, **asked).json()["items"][0] == {"id": str(root.id)}
    assert api.get(path, min_start_time=second, **asked).status_code == 400
    assert api.get(path).status_code == 400
    elsewhere = ProjectFactory(workspace=acme)
    assert api.get(path, project_id=str(elsewhere.uuid)).json() == {"items": []}
    assert api.get(f"/api/v2/traces/{uuid4()}/runs", **asked).json() == {"items": []}
