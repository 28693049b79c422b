"""Adaline's log API as its documents describe it: traces, spans, attributes, search."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from annotations.routing.presets import install_presets
from observatory.feedback import taxonomies
from observatory.feedback.models import Feedback
from observatory.runs.models import Change, Project, Run
from tests.annotations.routing_world import drain_all
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory

START = int(NOON.timestamp() * 1000)
TRACE = {
    "name": "answer",
    "status": "success",
    "startedAt": START,
    "endedAt": START + 1500,
    "referenceId": "trace_001",
    "sessionId": "chat-7",
    "attributes": {"tier": "gold", "attempt": 2, "cached": False},
    "tags": ["beta"],
}
MODEL = {
    "type": "Model",
    "provider": "openai",
    "model": "gpt-4o",
    "input": json.dumps({"messages": [{"role": "user", "content": "Hi"}]}),
    "output": json.dumps({"text": "Hello", "usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
    "cost": 0.25,
}
SPAN = {
    "name": "model",
    "status": "success",
    "startedAt": START + 100,
    "endedAt": START + 900,
    "content": MODEL,
    "referenceId": "span_001",
}


def post(api, path="trace", **body):
    return api.post(f"/v2/logs/{path}", {"projectId": "support", **body})


def patch(api, path="trace", **body):
    return api.patch(f"/v2/logs/{path}", {"projectId": "support", **body})


def set_(**attributes):
    return [{"operation": "create", "key": k, "value": v} for k, v in attributes.items()]


def search(api, what="traces", **body):
    answer = post(api, what, **body)
    assert answer.status_code == 200, answer.content
    return answer.json()[what]


def test_a_trace_is_a_root_run_and_its_spans_are_runs_below_it(api, acme) -> None:
    child = SPAN | {"name": "lookup", "referenceId": "span_002", "content": {"type": "Tool"}}
    child["parentReferenceId"] = "span_001"
    answer = post(api, trace=TRACE, spans=[child, SPAN])
    assert answer.status_code == 200, answer.content
    told = answer.json()
    root = Run.objects.get(workspace=acme, id=UUID(told["traceId"]))
    assert (root.name, root.run_type, root.status, root.latency_s) == (
        *("answer", "chain", "success"),
        1.5,
    )
    assert root.project.name == "support"
    assert (root.thread_id, root.tags) == ("chat-7", ["beta"])
    assert root.metadata == {
        **TRACE["attributes"],
        "log_status": "success",
        "reference_id": "trace_001",
        "session_id": "chat-7",
    }
    tool, model = (Run.objects.get(workspace=acme, id=UUID(one)) for one in told["spanIds"])
    assert (model.parent_run_id, tool.parent_run_id) == (root.id, model.id)
    assert model.dotted_order.startswith(root.dotted_order + ".")
    assert tool.dotted_order.startswith(model.dotted_order + ".")
    assert (model.run_type, tool.run_type) == ("llm", "tool")
    assert json.loads(model.inputs)["messages"][0]["content"] == "Hi"
    assert (model.prompt_tokens, model.completion_tokens, float(model.total_cost)) == (3, 1, 0.25)
    assert model.metadata["ls_model_name"] == "gpt-4o"


def test_a_span_may_arrive_before_its_trace(api, acme) -> None:
    span = post(api, "span", span=SPAN | {"traceReferenceId": "trace_001"}).json()["spanId"]
    trace = post(api, trace=TRACE).json()["traceId"]
    assert Run.objects.get(workspace=acme, id=UUID(span)).trace_id == UUID(trace)


def test_a_trace_sent_again_is_the_same_and_another_of_its_reference_is_refused(api) -> None:
    first = post(api, trace=TRACE).json()
    assert post(api, trace=TRACE).json() == first
    answer = post(api, trace=TRACE | {"name": "another"})
    assert answer.status_code == 409
    assert answer.json() == {"error": "referenceId: 'trace_001' is another trace's"}
    elsewhere = api.post("/v2/logs/trace", {"projectId": "other", "trace": TRACE}).json()
    assert elsewhere["traceId"] != first["traceId"]


@pytest.mark.parametrize("path", ["trace", "update-log"])
@pytest.mark.parametrize("by", ["traceId", "referenceId"])
def test_feedback_arrives_as_attributes_of_a_trace_that_has_ended(api, acme, path, by) -> None:
    trace_id = post(api, trace=TRACE).json()["traceId"]
    named = {by: trace_id if by == "traceId" else "trace_001"}
    log = {
        "attributes": [
            *set_(user_feedback="negative", user_feedback_rating=2),
            {"operation": "delete", "key": "tier"},
        ],
        "tags": [{"operation": "create", "tag": "thumbs-down"}],
    }
    answer = patch(api, path, logTrace=log, **named)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    drain_all()
    read = api.get(f"/runs/{trace_id}").json()
    assert read["extra"]["metadata"]["user_feedback"] == "negative"
    assert "tier" not in read["extra"]["metadata"]
    assert read["tags"] == ["beta", "thumbs-down"]
    assert read["feedback_stats"]["user_feedback"]["avg"] == 0.0
    assert read["feedback_stats"]["thumbs"]["sources"] == ["app"]
    patch(
        api,
        path,
        logTrace={
            "attributes": [
                *set_(user_feedback="positive"),
                {"operation": "delete", "key": "user_feedback_rating"},
            ],
            "tags": [{"operation": "delete", "tag": "thumbs-down"}],
        },
        **named,
    )
    drain_all()
    listed = api.get("/feedback", run=trace_id).json()
    assert [(one["key"], one["score"]) for one in listed] == [("user_feedback", 1.0)]


def test_a_patch_with_negative_feedback_fires_the_preset_and_can_be_filtered_for(api, acme) -> None:
    queue = AnnotationQueueFactory(workspace=acme)
    install_presets(acme, queue, ["negative-feedback"], now=NOON)
    trace_id = post(api, trace=TRACE).json()["traceId"]
    post(api, trace=TRACE | {"referenceId": "happy", "attributes": {"user_feedback": "positive"}})
    drain_all()
    assert not queue.items.exists()
    patch(api, referenceId="trace_001", logTrace={"attributes": set_(user_feedback="negative")})
    drain_all()
    assert [str(item.run_id) for item in queue.items.all()] == [trace_id]
    project = str(Project.objects.get(name="support").uuid)
    for text in (
        'and(eq(metadata_key, "user_feedback"), eq(metadata_value, "negative"))',
        'and(eq(feedback_key, "user_feedback"), eq(feedback_value, "negative"))',
        'and(eq(feedback_key, "user_feedback"), lt(feedback_score, 0.5))',
    ):
        found = api.post("/runs/query", {"session": [project], "filter": text}).json()["runs"]
        assert [run["id"] for run in found] == [trace_id], text


def test_status_and_end_can_be_patched_late(api, acme) -> None:
    log = {name: value for name, value in TRACE.items() if name != "endedAt"}
    trace_id = UUID(post(api, trace=log | {"status": "pending"}).json()["traceId"])
    run = Run.objects.get(workspace=acme, id=trace_id)
    assert run.status == "pending"
    patch(api, traceId=str(trace_id), logTrace={"status": "failure", "endedAt": START + 2000})
    run.refresh_from_db()
    assert (run.status, run.error, run.latency_s) == ("error", "failure", 2.0)
    patch(api, traceId=str(trace_id), logTrace={"status": "success"})
    run.refresh_from_db()
    assert (run.status, run.metadata["log_status"]) == ("success", "success")


def test_a_span_is_patched_as_a_trace_is(api, acme) -> None:
    post(api, trace=TRACE, spans=[SPAN])
    span_id = search(api, "spans")[0]["id"]
    log = {"attributes": set_(user_feedback="negative")}
    assert patch(api, "span", spanId=span_id, logSpan=log).status_code == 200
    by_reference = {"referenceId": "span_001", "traceReferenceId": "trace_001"}
    log = {"tags": [{"operation": "create", "tag": "seen"}]}
    assert patch(api, "span", logSpan=log, **by_reference).status_code == 200
    run = Run.objects.get(workspace=acme, id=UUID(span_id))
    assert (run.metadata["user_feedback"], run.tags) == ("negative", ["seen"])
    assert patch(api, "span", spanId=str(run.trace_id), logSpan=log).status_code == 404
    assert patch(api, traceId=span_id, logTrace=log).status_code == 404


def test_an_enforced_taxonomy_refuses_a_word_and_lists_what_is_allowed(api, acme) -> None:
    words = ["wrong_policy", "hallucination"]
    taxonomies.set_words(acme, "feedback_reason", words, is_enforced=True, now=NOON)
    post(api, trace=TRACE)
    log = {"attributes": set_(feedback_reason="bad mood", user_feedback="negative")}
    answer = patch(api, referenceId="trace_001", logTrace=log)
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "feedback_reason: 'bad mood' is not allowed; "
        "use one of: wrong_policy, hallucination"
    }
    drain_all()
    assert not Feedback.objects.exists()
    assert post(api, trace=TRACE | {"attributes": {"feedback_reason": "x"}}).status_code == 400
    taxonomies.set_words(acme, "feedback_reason", words, is_enforced=False, now=NOON)
    assert patch(api, referenceId="trace_001", logTrace=log).status_code == 200
    drain_all()
    assert Feedback.objects.get(key="feedback_reason").is_off_scale


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("post", "trace", {}, 400, "projectId"),
        ("post", "trace", {"projectId": "p"}, 400, "trace"),
        ("post", "trace", {"projectId": "p", "trace": TRACE | {"name": ""}}, 400, "trace.name"),
        ("post", "trace", {"projectId": "p", "trace": TRACE | {"status": "ok"}}, 400, "status"),
        (
            "post",
            "trace",
            {"projectId": "p", "trace": TRACE | {"startedAt": "x"}},
            400,
            "startedAt",
        ),
        ("post", "trace", {"projectId": "p", "trace": TRACE | {"tags": [1]}}, 400, "tags"),
        (
            "post",
            "trace",
            {"projectId": "p", "trace": TRACE | {"attributes": {"a": [1]}}},
            400,
            "attributes",
        ),
        ("post", "trace", {"projectId": str(UUID(int=5)), "trace": TRACE}, 404, "projectId"),
        ("post", "trace", [1], 400, "object"),
        ("post", "span", {"projectId": "support", "span": SPAN}, 400, "traceReferenceId"),
        (
            "post",
            "span",
            {"projectId": "support", "span": SPAN | {"traceId": str(UUID(int=5))}},
            404,
            "traceId",
        ),
        ("patch", "trace", {"projectId": "support", "logTrace": {}}, 400, "referenceId"),
        (
            "patch",
            "trace",
            {"projectId": "nope", "logTrace": {}, "referenceId": "x"},
            404,
            "project",
        ),
        (
            "patch",
            "trace",
            {"projectId": "support", "logTrace": {}, "referenceId": "x"},
            404,
            "trace",
        ),
        (
            "patch",
            "trace",
            {
                "projectId": "support",
                "referenceId": "trace_001",
                "logTrace": {"attributes": [{"operation": "create", "key": "k"}]},
            },
            400,
            "'k'",
        ),
        ("post", "traces", {"projectId": "support", "cursor": "zz"}, 400, "cursor"),
        ("post", "traces", {"projectId": "support", "limit": 201}, 400, "limit"),
        (
            "post",
            "traces",
            {
                "projectId": "support",
                "filters": [
                    {"type": "number", "column": "latency", "operator": "like", "value": 1}
                ],
            },
            400,
            "filters[0]",
        ),
    ],
)
def test_an_error_is_one_text_that_names_what_is_wrong(
    api, method, path, body, status, word
) -> None:
    post(api, trace=TRACE)
    answer = getattr(api, method)(f"/v2/logs/{path}", body)
    assert answer.status_code == status, answer.content
    assert set(answer.json()) == {"error"}
    assert word in answer.json()["error"]


def test_a_circle_of_spans_is_refused_whole(api) -> None:
    one = SPAN | {"referenceId": "a", "parentReferenceId": "b"}
    other = SPAN | {"referenceId": "b", "parentReferenceId": "a"}
    answer = post(api, trace=TRACE, spans=[one, other])
    assert (answer.status_code, Run.objects.count()) == (400, 0)
    assert not Change.objects.exists()


def test_no_key_is_an_error_in_their_shape(client, db) -> None:
    answer = client.post("/v2/logs/trace", {}, content_type="application/json")
    assert (answer.status_code, set(answer.json())) == (401, {"error"})


@pytest.fixture
def five(api):
    """Five traces, a second apart, the newest last."""
    for n in range(5):
        log = TRACE | {
            "referenceId": f"trace_{n}",
            "name": f"Answer {n}",
            "status": "failure" if n == 3 else "success",
            "startedAt": START + n * 1000,
            "endedAt": START + n * 1000 + n * 100,
            "attributes": {"user_feedback": "negative" if n % 2 else "positive", "stars": n},
            "tags": [f"t{n}"],
        }
        post(api, trace=log, spans=[SPAN | {"referenceId": f"s{n}"}])
    return api


def test_traces_are_found_page_by_page_newest_first(five) -> None:
    seen, cursor = [], None
    while True:
        answer = post(five, "traces", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [row["referenceId"] for row in answer["traces"]]
        assert answer["data"] == answer["traces"]
        assert answer["pagination"]["returned"] == len(answer["traces"])
        cursor = answer["pagination"]["nextCursor"]
        assert answer["pagination"]["hasMore"] is (cursor is not None)
        if cursor is None:
            break
    assert seen == [f"trace_{n}" for n in (4, 3, 2, 1, 0)]
    oldest = search(five, sort="startedAt:asc", limit=1)
    assert [row["referenceId"] for row in oldest] == ["trace_0"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"status": "failure"}, [3]),
        ({"name": "answer 2"}, [2]),
        ({"referenceId": "trace_1"}, [1]),
        ({"sessionId": "chat-7", "startedAfter": START + 3000}, [4, 3]),
        ({"startedBefore": START + 1000}, [1, 0]),
        ({"filters": [("string", "attributes.user_feedback", "eq", "negative")]}, [3, 1]),
        ({"filters": [("number", "attributes.stars", "gte", 3)]}, [4, 3]),
        ({"filters": [("arrayContains", "tags", "contains", "t2")]}, [2]),
        ({"filters": [("number", "latency", "gt", 250)]}, [4, 3]),
        ({"filters": [("datetime", "startedAt", "lt", START + 1000)]}, [0]),
        ({"filters": [("status", "status", "equals", "failure")]}, [3]),
        ({"filters": [("string", "weather", "eq", "fine")]}, [4, 3, 2, 1, 0]),
    ],
)
def test_every_column_filters(five, asked, found) -> None:
    if "filters" in asked:
        names = ("type", "column", "operator", "value")
        asked = {"filters": [dict(zip(names, one, strict=True)) for one in asked["filters"]]}
    assert [row["referenceId"] for row in search(five, **asked)] == [f"trace_{n}" for n in found]


def test_a_row_shows_what_their_models_need(five) -> None:
    row = search(five, limit=1)[0]
    assert row["attributes"] == {"user_feedback": "positive", "stars": "4"}
    assert (row["status"], row["latency"], row["totalCost"]) == ("success", 400.0, 0.25)
    assert (row["totalInputTokens"], row["totalOutputTokens"]) == (3, 1)
    assert (row["startedAt"], row["endedAt"]) == (START + 4000, START + 4400)
    assert len(row["spanIds"]) == 1
    listed = five.get("/v2/logs", projectId="support", limit="1", filters="[]").json()["traces"]
    assert listed == [row]
    spans = search(five, "spans", model="GPT", provider="openai")
    (span,) = [one for one in spans if one["id"] in row["spanIds"]]
    assert (span["contentType"], span["logTraceId"]) == ("Model", row["id"])
    assert json.loads(span["content"])["model"] == "gpt-4o"
    assert search(five, "spans", model="claude") == []


def test_a_page_costs_the_same_however_many_rows(five, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(9):
        assert len(search(five)) == 5


def test_another_workspace_sees_and_changes_nothing(five, rival_api, acme, rival) -> None:
    project = str(Project.objects.get(workspace=acme).uuid)
    trace_id = search(five, limit=1)[0]["id"]
    body = {"projectId": project, "logTrace": {"status": "failure"}, "traceId": trace_id}
    assert rival_api.patch("/v2/logs/trace", body).status_code == 404
    assert rival_api.post("/v2/logs/traces", {"projectId": project}).status_code == 404
    mine = {"projectId": "support", "trace": TRACE}
    assert rival_api.post("/v2/logs/trace", mine).status_code == 200
    body["projectId"] = "support"
    assert rival_api.patch("/v2/logs/trace", body).status_code == 404
    assert Run.objects.filter(workspace=rival).count() == 1
