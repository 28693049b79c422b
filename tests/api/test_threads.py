"""POST /runs/group and the calls of list_threads and read_thread."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from observatory.runs import threads
from observatory.runs.filters.grammar import parse
from observatory.runs.threads import ThreadQuery
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


def turn(project, thread: str, minute: int, *, key: str = "thread_id", **fields):
    """Store one trace of a conversation: a root and an llm run below it."""
    start = NOON - timedelta(hours=1) + timedelta(minutes=minute)
    fields.setdefault("end_time", start + timedelta(seconds=minute + 1))
    root = make_run(
        project, start_time=start, metadata={key: thread}, name=f"{thread} {minute}", **fields
    )
    make_run(
        project,
        parent=root,
        start_time=start,
        run_type="llm",
        metadata={key: thread},
        prompt_tokens=2,
        completion_tokens=3,
        total_tokens=5,
        total_cost="0.25",
    )
    return root


def group(api, project, **body):
    body = {"session_id": str(project.uuid), "group_by": "conversation", **body}
    answer = api.post("/runs/group", body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_traces_are_grouped_by_conversation_the_newest_first(api, project) -> None:
    first = turn(project, "a", 0, inputs={"q": 1}, outputs={"a": 1}, key="session_id")
    turn(project, "b", 1, key="conversation_id")
    last = turn(project, "a", 2, inputs={"q": 2}, error="broke", key="session_id")
    make_run(project, name="no thread")
    judge(first, "rating", 1)
    judge(last, "rating", 0)
    found = group(api, project)
    assert found["total"] == 2
    a, b = found["groups"]
    assert (a["group_key"], a["count"], a["total_tokens"], a["total_cost"]) == ("a", 2, 10, 0.5)
    assert (json.loads(a["first_inputs"]), json.loads(a["last_outputs"])) == ({"q": 1}, {"a": 1})
    assert a["last_error"] == "broke"
    assert a["min_start_time"] < b["min_start_time"] < a["max_start_time"]
    assert (a["latency_p50"], b["latency_p50"]) == (2.0, 2.0)
    assert a["feedback_stats"]["rating"]["n"] == 2
    assert (b["feedback_stats"], b["last_error"], b["first_inputs"]) == ({}, None, "")
    ids = {run.id for run in (first, last)}
    listed = api.post(
        "/runs/query",
        {"session": [str(project.uuid)], "filter": a["filter"], "is_root": True},
    ).json()["runs"]
    assert {run["id"] for run in listed} == {str(run_id) for run_id in ids}
    assert {run["thread_id"] for run in listed} == {"a"}


def test_pages_of_threads_are_full_and_none_repeats(api, project) -> None:
    for number in range(5):
        turn(project, f"t{number}", number)
    seen = []
    for offset in (0, 2, 4):
        page = group(api, project, limit=2, offset=offset)
        assert page["total"] == 5
        seen += [thread["group_key"] for thread in page["groups"]]
    assert seen == ["t4", "t3", "t2", "t1", "t0"]
    assert group(api, project, offset=9) == {"groups": [], "total": 5}


def test_threads_are_narrowed_by_filter_and_time(api, project) -> None:
    turn(project, "a", 0, tags=["x"])
    turn(project, "b", 30)
    assert group(api, project, filter='has(tags, "x")')["total"] == 1
    assert group(api, project, filter='like(name, "b%")')["groups"][0]["group_key"] == "b"
    late = (NOON - timedelta(minutes=45)).isoformat()
    assert [t["group_key"] for t in group(api, project, start_time=late)["groups"]] == ["b"]
    assert [t["group_key"] for t in group(api, project, end_time=late)["groups"]] == ["a"]
    assert threads.listed(project, ThreadQuery(filter=parse('eq(thread_id, "a")'))).total == 1
    assert [
        t.thread_id for t in threads.listed(project, ThreadQuery(thread_ids=["b"])).threads
    ] == ["b"]


def test_a_thread_id_may_hold_anything(api, project) -> None:
    odd = 'é "quoted" \\ 100% {x}'
    turn(project, odd, 0)
    (thread,) = group(api, project)["groups"]
    assert thread["group_key"] == odd
    assert group(api, project, filter=thread["filter"])["total"] == 1


def test_an_unknown_grouping_is_refused(api, rival_api, project) -> None:
    for body, field in (
        ({"session_id": None}, "session_id"),
        ({"session_id": "x"}, "session_id"),
        ({"group_by": "name"}, "group_by"),
        ({"filter": "eq("}, "filter"),
        ({"offset": -1}, "offset"),
        ({"limit": 0}, "limit"),
        ({"start_time": "x"}, "start_time"),
    ):
        answer = api.post("/runs/group", {"session_id": str(project.uuid), **body})
        assert (answer.status_code, field in answer.json()["detail"]) == (400, True), body
    theirs = rival_api.post("/runs/group", {"session_id": str(project.uuid)})
    unknown = rival_api.post("/runs/group", {"session_id": str(uuid4())})
    assert (theirs.status_code, theirs.content) == (404, unknown.content)


def test_threads_take_the_same_number_of_statements_however_many_there_are(
    api, project, django_assert_max_num_queries
) -> None:
    for number in range(12):
        turn(project, f"t{number}", number)
    with django_assert_max_num_queries(11):
        assert len(group(api, project)["groups"]) == 12


# What was said in a thread -------------------------------------------------------------------------


def said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


HELLO, HI = said("user", "hello"), said("assistant", "hi")
MORE, DONE = said("user", "more"), said("assistant", "done")


def preview(api, project, thread: str, select: str = "all_messages"):
    """Ask as langsmith-fetch does."""
    return api.client.get(
        f"/runs/threads/{thread}", {"select": select, "session_id": str(project.uuid)}
    )


@pytest.mark.parametrize(
    "documents",
    [
        # Each turn with what is new in it, with all that was said before, or (as LangGraph
        # traces it) with the whole state as its outputs.
        [([HELLO], [HI]), ([MORE], [DONE])],
        [([HELLO], [HI]), ([HELLO, HI, MORE], [DONE])],
        [([HELLO], [HELLO, HI]), ([MORE], [HELLO, HI, MORE, DONE])],
    ],
)
def test_the_messages_of_a_thread_are_listed_once_and_in_order(api, project, documents) -> None:
    for minute, (inputs, outputs) in enumerate(documents):
        turn(project, "t/1", minute, inputs={"messages": inputs}, outputs={"messages": outputs})
    turn(project, "other", 0, inputs={"messages": [said("user", "elsewhere")]})
    answer = preview(api, project, "t/1")
    assert answer.status_code == 200, answer.content
    lines = answer.json()["previews"]["all_messages"].split("\n\n")
    assert [json.loads(line) for line in lines] == [HELLO, HI, MORE, DONE]


def test_a_thread_without_root_messages_uses_its_model_calls(api, project) -> None:
    for minute, (question, answer) in enumerate([(HELLO, HI), (MORE, DONE)]):
        root = make_run(
            project,
            start_time=NOON + timedelta(minutes=minute),
            metadata={"thread_id": "t1"},
            inputs={"question": 1},
        )
        make_run(
            project,
            parent=root,
            run_type="llm",
            start_time=NOON + timedelta(minutes=minute),
            inputs={"messages": [question]},
            outputs={"choices": [{"message": answer}]},
        )
    lines = preview(api, project, "t1").json()["previews"]["all_messages"].split("\n\n")
    assert [json.loads(line) for line in lines] == [HELLO, HI, MORE, DONE]


def test_an_unknown_thread_or_invalid_query_is_refused(api, project) -> None:
    turn(project, "t1", 0)
    assert preview(api, project, "t2").status_code == 404
    assert preview(api, ProjectFactory(name="foreign"), "t1").status_code == 404
    assert preview(api, project, "t1", "everything").status_code == 400
    assert api.client.get("/runs/threads/t1").status_code == 400
    assert preview(api, project, "t1").json() == {"previews": {"all_messages": ""}}
