"""/api/v2/threads on the wire: query, traces, statistics, sharing."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from langsmith.types.thread import Thread
from langsmith.types.thread_aggregate_stats_response import ThreadAggregateStatsResponse
from langsmith.types.thread_stats import ThreadStats
from langsmith.types.thread_trace import ThreadTrace

from observatory.api.v2 import threads
from observatory.feedback.models import Feedback
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


def turn(project, thread_id, minutes, **fields):
    """Store a turn of a conversation: a root of 2 s with an llm run that used 10 tokens."""
    start = NOON + timedelta(minutes=minutes)
    fields.setdefault("inputs", {"question": f"Q{minutes}"})
    fields.setdefault("outputs", {"answer": f"A{minutes}"})
    root = make_run(
        project,
        name=f"turn{minutes}",
        start_time=start,
        end_time=start + timedelta(seconds=2),
        metadata={"thread_id": thread_id},
        **fields,
    )
    make_run(
        project,
        parent=root,
        name="model",
        run_type="llm",
        start_time=start,
        prompt_tokens=6,
        completion_tokens=4,
        total_tokens=10,
        total_cost="0.5",
        first_token_time=start + timedelta(seconds=1),
        usage_details={
            "prompt_token_details": {"cache_read": 2},
            "completion_token_details": {"cache_read": 1, "reasoning": 3},
            "prompt_cost_details": {"cache_read": 0.25},
        },
    )
    return root


def ask(api, project, **body):
    return api.post(
        "/api/v2/threads/query",
        {"project_id": str(project.uuid), "min_start_time": LONG_AGO, **body},
    )


def found(api, project, **body) -> list[str]:
    answer = ask(api, project, **body)
    assert answer.status_code == 200, answer.json()
    return [thread["thread_id"] for thread in answer.json()["items"]]


def test_a_thread_has_the_totals_of_its_traces(api, project, django_assert_max_num_queries) -> None:
    first = turn(project, "a", 0)
    last = turn(project, "a", 5, error="It broke", outputs=None)
    turn(project, "b", 1)
    judge(first, "tone", 1.0)
    with django_assert_max_num_queries(15):
        answer = ask(api, project)
    told, other = answer.json()["items"]
    Thread.model_validate(told)
    assert (told["thread_id"], other["thread_id"]) == ("a", "b")
    assert (told["count"], told["num_errored_turns"]) == (2, 1)
    assert (told["total_tokens"], told["total_cost"]) == (20, 1.0)
    assert told["total_token_details"] == {"cache_read": 6, "reasoning": 6}
    assert told["total_cost_details"] == {"cache_read": 0.5}
    assert (told["latency_p50"], told["latency_p99"]) == (2.0, 2.0)
    assert (told["first_trace_id"], told["last_trace_id"]) == (str(first.id), str(last.id))
    assert (told["first_inputs"], told["last_outputs"]) == ("Q0", "A0")
    assert told["last_error"] == "It broke"
    assert datetime.fromisoformat(told["min_start_time"]) == NOON
    assert datetime.fromisoformat(told["max_start_time"]) == NOON + timedelta(minutes=5)
    assert told["feedback_stats"]["tone"]["avg"] == 1.0
    assert other["feedback_stats"] == {}


def test_threads_are_found_by_their_roots_and_by_any_of_their_runs(api, project) -> None:
    turn(project, "a", 0, error="no")
    turn(project, "a", 1)
    turn(project, "b", 2, tags=["gold"])
    make_run(project, name="alone")
    assert found(api, project) == ["b", "a"]
    assert found(api, project, filter='has(tags, "gold")') == ["b"]
    assert found(api, project, trace_filter='eq(status, "error")') == ["a"]
    [whole] = ask(api, project, trace_filter='eq(status, "error")').json()["items"]
    assert whole["count"] == 2  # one of its traces matches, all are returned
    [part] = ask(api, project, filter='eq(status, "error")').json()["items"]
    assert part["count"] == 1
    assert found(api, project, tree_filter='eq(name, "model")') == ["b", "a"]
    assert found(api, project, tree_filter='eq(name, "tool")') == []
    both = {"trace_filter": 'eq(status, "error")', "tree_filter": 'eq(name, "model")'}
    assert found(api, project, **both) == ["a"]
    after = (NOON + timedelta(minutes=2)).isoformat()
    assert found(api, project, max_start_time=after) == ["a"]
    assert found(api, project, min_start_time=after) == ["b"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("gt(count, 1)", ["a"]),
        ("eq(count, 1)", ["b"]),
        ("and(gte(num_errored_turns, 1), search(last_error, 'NO'))", ["a"]),
        ("eq(last_error, null)", ["b"]),
        ("not(eq(last_error, 'no'))", ["b"]),
        ("in(thread_id, ['b', 'c'])", ["b"]),
        ("like(thread_id, '%')", ["b", "a"]),
        ("gt(total_tokens, 15)", ["a"]),
        ("eq(total_tokens, 10)", ["b"]),
        ("gte(total_cost, 1)", ["a"]),
        ("or(lt(latency_p50, '1h'), gt(latency_p99, 3600))", ["b", "a"]),
        ("gt(latency_p50, '1h')", []),
    ],
)
def test_threads_are_filtered_by_their_totals(api, project, text, ids) -> None:
    for thread, minute, error in (("a", 0, "no"), ("a", 1, None), ("b", 2, None)):
        turn(project, thread, minute, error=error)
    assert found(api, project, thread_filter=text) == ids
    body = {"project_id": str(project.uuid), "thread_filter": text, "select": ["THREAD_COUNT"]}
    since = (NOON - timedelta(days=1)).isoformat()
    told = api.post("/api/v2/threads/stats", {**body, "min_start_time": since})
    assert told.json() == {"thread_count": len(ids)}


def test_a_thread_filter_goes_with_others_and_with_pages(api, project) -> None:
    for number in range(4):
        for _ in range(1 + number % 2):
            turn(project, f"t{number}", number, tags=["gold"] if number > 0 else [])
    both = {"filter": 'has(tags, "gold")', "thread_filter": "gt(count, 1)"}
    assert found(api, project, **both) == ["t3", "t1"]
    first = ask(api, project, page_size=1, **both).json()
    assert [one["thread_id"] for one in first["items"]] == ["t3"]
    rest = ask(api, project, page_size=1, cursor=first["next_cursor"], **both).json()
    assert ([one["thread_id"] for one in rest["items"]], rest["next_cursor"]) == (["t1"], None)


def test_pages_of_threads_neither_repeat_nor_skip(api, project) -> None:
    for number in range(5):
        turn(project, f"t{number}", number // 2)
    expected = ["t4", "t2", "t3", "t0", "t1"]
    assert found(api, project) == expected
    seen, cursor = [], None
    while True:
        page = ask(api, project, page_size=2, cursor=cursor).json()
        seen.append([thread["thread_id"] for thread in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
        turn(project, f"late{len(seen)}", 50 + len(seen))
    assert seen == [["t4", "t2"], ["t3", "t0"], ["t1"]]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"project_id": None}, 400, "project_id"),
        ({"project_id": str(uuid4())}, 404, "Project"),
        ({"page_size": 101}, 400, "page_size"),
        ({"filter": "("}, 400, "filter"),
        ({"cursor": "abc"}, 400, "cursor"),
        ({"thread_filter": "eq(name, 'x')"}, 400, "thread_filter: Unknown field 'name'; known are"),
        ({"thread_filter": "search('x')"}, 400, "thread_filter: search expects a field first"),
        ({"thread_filter": "gt(count, 'x')"}, 400, "thread_filter: count expects a number"),
        ({"ai_search": "angry"}, 501, "ai_search"),
    ],
)
def test_an_invalid_field_is_named(api, project, body, status, word) -> None:
    answer = ask(api, project, **body)
    assert answer.status_code == status
    assert word in answer.json()["detail"]


# The traces of one --------------------------------------------------------------------------------


def test_the_traces_of_a_thread_come_as_its_turns(
    api, project, django_assert_max_num_queries
) -> None:
    roots = [turn(project, "a/b?c", minutes) for minutes in (0, 1, 2)]
    turn(project, "other", 3)
    path, asked = "/api/v2/threads/a%2Fb%3Fc/traces", {"project_id": str(project.uuid)}
    assert api.get(path, **asked).json()["items"] == [{"trace_id": str(r.id)} for r in roots]
    with django_assert_max_num_queries(16):
        answer = api.get(path, selects=sorted(threads.TRACE_FIELDS), **asked)
    [told, *_] = answer.json()["items"]
    ThreadTrace.model_validate(told)
    assert (told["name"], told["thread_id"], told["turn_number"]) == ("turn0", "a/b?c", 1)
    assert (told["total_tokens"], told["total_cost"], told["latency"]) == (10, 0.5, 2.0)
    assert told["prompt_token_details"] == {"raw": {"cache_read": 2}}
    assert (told["inputs"], told["inputs_preview"]) == ({"question": "Q0"}, "Q0")
    filtered = api.get(path, filter='eq(name, "turn2")', selects=["TURN_NUMBER"], **asked)
    assert filtered.json()["items"] == [{"trace_id": str(roots[2].id), "turn_number": 3}]
    for name in ("trace_filter", "tree_filter"):
        answer = api.get(path, **{name: 'eq(name, "turn1")'}, **asked)
        assert answer.json()["items"] == [{"trace_id": str(roots[1].id)}]
    page = api.get(path, page_size="2", **asked).json()
    rest = api.get(path, page_size="2", cursor=page["next_cursor"], **asked).json()
    assert [len(page["items"]), len(rest["items"]), rest["next_cursor"]] == [2, 1, None]


def test_a_thread_is_called_by_its_whole_id(api, project) -> None:
    root = turn(project, "x" * 200, 0)
    answer = api.get(f"/api/v2/threads/{'x' * 200}/traces", project_id=str(project.uuid))
    assert answer.json()["items"] == [{"trace_id": str(root.id)}]
    answer = api.get(f"/api/v2/threads/{'x' * 201}/traces", project_id=str(project.uuid))
    assert answer.status_code == 404


@pytest.mark.parametrize("what", ["traces", "stats", "share"])
def test_an_impossible_thread_id_is_404(api, project, what) -> None:
    query = {"project_id": str(project.uuid), "session_id": str(project.uuid), "selects": "TURNS"}
    answer = api.get(f"/api/v2/threads/%00/{what}", **query)
    assert answer.status_code in ({400, 404} if what == "traces" else {404})


# Statistics ---------------------------------------------------------------------------------------


def test_one_threads_statistics_have_the_selected_figures(api, project) -> None:
    first = turn(project, "a", 0)
    second = turn(project, "a", 5)
    turn(project, "b", 1)
    judge(first, "tone", 1.0)
    judge(second, "tone", 0.0)
    path, asked = "/api/v2/threads/a/stats", {"session_id": str(project.uuid)}
    told = api.get(path, selects=list(threads.STATS), **asked).json()
    ThreadStats.model_validate(told)
    assert set(told) == set(threads.STATS.values())
    assert (told["turns"], told["latency_p50_seconds"]) == (2, 2.0)
    assert datetime.fromisoformat(told["last_end_time"]) == NOON + timedelta(minutes=5, seconds=2)
    assert (told["prompt_tokens"], told["total_tokens"], told["total_cost"]) == (12, 20, 1.0)
    assert told["completion_token_details"] == {"raw": {"cache_read": 2, "reasoning": 6}}
    assert told["completion_cost_details"] == {"raw": {}}
    assert (told["feedback_stats"]["tone"]["n"], told["feedback_stats"]["tone"]["avg"]) == (2, 0.5)
    narrowed = {"filter": f'eq(trace_id, "{first.id}")', "selects": ["TURNS", "FEEDBACK_STATS"]}
    told = api.get(path, **narrowed, **asked).json()
    assert (told["turns"], told["feedback_stats"]["tone"]["avg"]) == (1, 1.0)
    assert api.get(path, **asked).status_code == 400
    assert api.get(path, selects=["COUNT"], **asked).status_code == 400
    assert api.get(path, selects=["TURNS"]).status_code == 400
    assert api.get("/api/v2/threads/x/stats", selects=["TURNS"], **asked).status_code == 404


def test_threads_are_summed_up_together(api, project) -> None:
    first = turn(project, "a", 0, error="no")
    turn(project, "a", 5)
    turn(project, "b", 1, tags=["gold"])
    said = judge(first, "happy", 1.0)
    Feedback.objects.filter(pk=said.pk).update(feedback_thread_id="a")

    def told(**body):
        answer = api.post(
            "/api/v2/threads/stats",
            {
                "project_id": str(project.uuid),
                "select": list(threads.AGGREGATES),
                "min_start_time": LONG_AGO,
                **body,
            },
        )
        assert answer.status_code == 200, answer.json()
        return answer.json()

    whole = told()
    ThreadAggregateStatsResponse.model_validate(whole)
    assert set(whole) == set(threads.AGGREGATES.values())
    assert (whole["thread_count"], whole["trace_count"]) == (2, 3)
    assert (whole["total_tokens"], whole["median_tokens"], whole["total_cost"]) == (30, 10, 1.5)
    assert whole["error_rate"] == pytest.approx(1 / 3)
    assert (whole["streaming_rate"], whole["first_token_p50_seconds"]) == (1.0, 1.0)
    assert whole["prompt_token_details"] == {"cache_read": 6}
    assert whole["thread_feedback_stats"]["happy"]["n"] == 1
    part = told(filter='has(tags, "gold")')
    assert (part["thread_count"], part["trace_count"], part["error_rate"]) == (1, 1, 0.0)
    assert part["thread_feedback_stats"] == {}
    assert told(trace_filter='eq(status, "error")')["trace_count"] == 2
    none = told(filter='eq(name, "x")')
    assert (none["thread_count"], none["total_tokens"], none["latency_p50_seconds"]) == (0, 0, None)
    answer = api.post("/api/v2/threads/stats", {"project_id": str(project.uuid)})
    assert answer.status_code == 400
    assert "select" in answer.json()["detail"]


# Sharing ------------------------------------------------------------------------------------------


def test_a_thread_is_shared_read_without_a_key_and_unshared(api, client, project) -> None:
    first, second = turn(project, "a", 0), turn(project, "a", 1)
    other = turn(project, "b", 2)
    path, body = "/api/v2/threads/a/share", {"project_id": str(project.uuid)}
    assert api.get(path, **body).json() == {}
    token = api.post(path, body).json()["share_token"]
    assert api.post(path, body).json() == api.get(path, **body).json() == {"share_token": token}
    public = f"/api/v2/public/{token}"
    selects = {"selects": ["NAME", "PROJECT_ID"]}
    answer = client.post(f"{public}/runs/query", selects, content_type="application/json")
    names = [run["name"] for run in answer.json()["items"]]
    assert sorted(names) == ["model", "model", "turn0", "turn1"]
    assert {run["project_id"] for run in answer.json()["items"]} == {None}
    answer = client.get(f"{public}/run/{second.id}", {"selects": ["NAME"]})
    assert answer.json() == {"name": "turn1"}
    assert client.get(f"{public}/run/{other.id}").status_code == 404
    for _ in range(2):
        assert api.client.delete(f"{path}?project_id={project.uuid}").status_code == 204
    assert client.get(f"{public}/run/{first.id}").status_code == 404
    assert api.post("/api/v2/threads/none/share", body).status_code == 404
    assert api.post(path, {}).status_code == 400
