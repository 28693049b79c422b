"""/api/v2/runs on the wire: query, retrieve, the page's address, sharing, events."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import get_args, get_type_hints
from uuid import uuid4

import pytest
from django.utils import timezone
from langsmith.types.public.run_query_params import RunQueryParams
from langsmith.types.run import Run
from langsmith.types.run_select_field import RunSelectField

from annotations.models import QueueItem
from observatory.api.v2 import fields
from observatory.feedback.models import Feedback
from observatory.runs.models import Attachment
from tests.conftest import NOON
from tests.factories import (
    AnnotationQueueFactory,
    ProjectFactory,
    QueueItemFactory,
    judge,
    make_run,
)

pytestmark = pytest.mark.django_db
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


def ask(api, project, **body):
    return api.post(
        "/api/v2/runs/query",
        {"project_ids": [str(project.uuid)], "min_start_time": LONG_AGO, **body},
    )


def items(api, project, **body):
    answer = ask(api, project, **body)
    assert answer.status_code == 200, answer.json()
    return answer.json()["items"]


def names(api, project, **body) -> list[str]:
    return [run["name"] for run in items(api, project, selects=["NAME"], **body)]


# Selected fields----------------------------------------------------------------------------------


def test_only_the_id_is_returned_by_default(api, project) -> None:
    run = make_run(project, name="answer")
    assert items(api, project) == [{"id": str(run.id)}]
    assert items(api, project, selects=["NAME", "STATUS", "RUN_TYPE"]) == [
        {"name": "answer", "status": "SUCCESS", "run_type": "CHAIN"}
    ]


def test_every_field_that_the_client_knows_can_be_selected(api, acme, project) -> None:
    root = make_run(project, name="root", inputs={"question": "Why?"})
    run = make_run(
        project,
        parent=root,
        run_type="llm",
        inputs={"messages": [{"role": "user", "content": "Why  is\nthat?"}]},
        outputs='{"a": 1.50, "b": 123456789012345678901234567890}',
        events=[{"name": "new_token", "time": "2026-11-20T11:00:00Z", "kwargs": {"token": "x"}}],
        serialized={"name": "gpt"},
        extra={"runtime": {"sdk": "py"}},
        metadata={"tier": "gold", "thread_id": "t1"},
        tags=["a"],
        error="It broke",
        prompt_tokens=2,
        completion_tokens=3,
        total_tokens=5,
        total_cost="0.25",
        usage_details={
            "prompt_token_details": {"cache_read": 1, "audio": None},
            "prompt_cost_details": {"cache_read": 0.1},
        },
        first_token_time=NOON,
        reference_example_id=uuid4(),
    )
    judge(run, "correctness", 0.5, comment="so so")
    Attachment.objects.create(
        workspace=acme,
        run_id=run.id,
        name="photo",
        mime_type="image/png",
        size=1,
        sha256=b"x" * 32,
        path="x",
    )
    queue = AnnotationQueueFactory(workspace=acme)
    item = QueueItemFactory(queue=queue, run_id=run.id, added_at=NOON)
    answer = ask(api, project, selects=sorted(fields.FIELDS), is_root=False)
    assert b'{"a": 1.50, "b": 123456789012345678901234567890}' in answer.content
    [told] = answer.json()["items"]
    Run.model_validate(told)
    assert told["id"] == str(run.id)
    assert (told["status"], told["run_type"], told["is_root"]) == ("ERROR", "LLM", False)
    assert (told["error"], told["error_preview"]) == ("It broke", "It broke")
    assert told["project_id"] == str(project.uuid)
    assert told["parent_run_ids"] == [str(root.id)]
    assert told["trace_id"] == str(root.id)
    assert told["dotted_order"] == run.dotted_order
    assert told["inputs_preview"] == "Why is that?"
    assert told["outputs_preview"].startswith('{"a": 1.50')
    assert told["manifest"] == {"name": "gpt"}
    assert told["metadata"] == {"tier": "gold", "thread_id": "t1"}
    assert told["extra"] == {"runtime": {"sdk": "py"}, "metadata": told["metadata"]}
    assert (told["thread_id"], told["tags"]) == ("t1", ["a"])
    assert (told["prompt_tokens"], told["total_tokens"], told["total_cost"]) == (2, 5, 0.25)
    assert told["prompt_token_details"] == {"raw": {"cache_read": 1}}
    assert told["prompt_cost_details"] == {"raw": {"cache_read": 0.1}}
    assert told["completion_token_details"] is None
    assert told["latency_seconds"] == 1.0
    assert told["feedback_stats"]["correctness"]["avg"] == 0.5
    assert told["attachments"]["photo"].startswith("http://testserver/api/attachments/")
    assert told["app_path"].endswith(f"/r/{run.id}?trace_id={root.id}")
    assert told["is_in_dataset"] is False
    assert datetime.fromisoformat(told["last_queued_at"]) == NOON
    assert "share_url" not in told
    assert told["reference_dataset_id"] is None
    QueueItem.objects.filter(pk=item.pk).update(state=QueueItem.State.REMOVED)
    [told] = items(api, project, selects=["ID", "LAST_QUEUED_AT"], is_root=False)
    assert told == {"id": str(run.id)}


def test_the_fields_are_those_of_the_installed_client() -> None:
    assert set(get_args(RunSelectField)) == fields.FIELDS
    (public,) = get_args(get_type_hints(RunQueryParams)["selects"])
    assert set(get_args(public)) <= fields.PUBLIC


def test_a_run_of_a_dataset_names_it(api, acme) -> None:
    dataset = uuid4()
    experiment = ProjectFactory(workspace=acme, reference_dataset_id=dataset)
    make_run(experiment, name="one")
    [told] = items(api, experiment, selects=["REFERENCE_DATASET_ID"])
    assert told == {"reference_dataset_id": str(dataset)}
    answer = api.post(
        "/api/v2/runs/query", {"reference_dataset_id": str(dataset), "selects": ["NAME"]}
    )
    assert answer.json()["items"] == [{"name": "one"}]  # however old the experiment is


# What is found ------------------------------------------------------------------------------------


def test_without_a_start_the_last_day_is_searched(api, project) -> None:
    now = timezone.now()
    make_run(project, name="old", start_time=now - timedelta(hours=25))
    make_run(project, name="new", start_time=now - timedelta(hours=23))
    body = {"project_ids": [str(project.uuid)], "selects": ["NAME"]}
    assert api.post("/api/v2/runs/query", body).json()["items"] == [{"name": "new"}]
    assert names(api, project) == ["new", "old"]
    until = (now - timedelta(hours=24)).isoformat()
    assert names(api, project, max_start_time=until) == ["old"]


def test_ids_and_trace_narrow_like_every_other_filter(api, project) -> None:
    root = make_run(project, name="root")
    child = make_run(project, name="child", parent=root, run_type="llm")
    other = make_run(project, name="other", error="no", reference_example_id=uuid4())
    assert names(api, project, ids=[str(root.id), str(other.id)], has_error=True) == ["other"]
    assert names(api, project, ids=[str(root.id)], has_error=True) == []
    assert names(api, project, trace_id=str(root.id), run_type="LLM") == ["child"]
    assert names(api, project, trace_id=str(root.id), is_root=True) == ["root"]
    example = str(other.reference_example_id)
    assert names(api, project, reference_examples=[example]) == ["other"]
    assert names(api, project, filter='eq(name, "child")') == ["child"]
    assert names(api, project, trace_filter='eq(name, "root")', is_root=False) == ["child"]
    assert names(api, project, tree_filter='eq(run_type, "llm")', is_root=True) == ["root"]
    page = ask(api, project, trace_id=str(root.id), page_size=1, selects=["ID"]).json()
    assert len(page["items"]) == 1
    assert page["next_cursor"]
    assert child.trace_id == root.id


def test_feedback_is_bounded_by_when_it_last_changed(api, project) -> None:
    early, late = make_run(project, name="early"), make_run(project, name="late")
    for run, at in ((early, NOON), (late, NOON + timedelta(hours=1))):
        one = judge(run, "tone", 1.0)
        Feedback.objects.filter(pk=one.pk).update(modified_at=at)
    judged = {"filter": 'eq(feedback_key, "tone")'}
    assert set(names(api, project, **judged)) == {"early", "late"}
    border = (NOON + timedelta(hours=1)).isoformat()
    assert names(api, project, **judged, min_feedback_modified_at=border) == ["late"]
    assert names(api, project, **judged, max_feedback_modified_at=border) == ["early"]
    in_tree = {"tree_filter": 'eq(feedback_key, "tone")', "max_feedback_modified_at": border}
    assert names(api, project, **in_tree) == ["early"]
    answer = ask(api, project, filter='eq(name, "x")', min_feedback_modified_at=border)
    assert answer.status_code == 400
    assert "min_feedback_modified_at" in answer.json()["detail"]


def test_pages_are_exact_and_stable(api, project) -> None:
    for number in range(7):
        make_run(project, name=str(number), start_time=NOON - timedelta(minutes=number // 2))
    seen, cursor = [], None
    while True:
        page = ask(api, project, page_size=3, selects=["NAME"], cursor=cursor).json()
        seen.append([run["name"] for run in page["items"]])
        cursor = page["next_cursor"]
        make_run(project, name="later", start_time=NOON + timedelta(minutes=len(seen)))
        if cursor is None:
            break
    assert [len(page) for page in seen] == [3, 3, 1]
    assert sorted(name for page in seen for name in page) == list("0123456")


def test_a_page_of_a_thousand_costs_as_many_queries_as_one_of_one(
    api, project, django_assert_max_num_queries
) -> None:
    for _ in range(150):
        make_run(project)
    with django_assert_max_num_queries(16):
        answer = ask(api, project, selects=sorted(fields.FIELDS), page_size=1_000)
    assert len(answer.json()["items"]) == 150
    with django_assert_max_num_queries(16):
        ask(
            api,
            project,
            selects=["TOTAL_TOKENS", "PROMPT_TOKEN_DETAILS"],
            include_subtree_usage=True,
        )


def test_usage_of_the_subtree_counts_what_was_spent_below(api, project) -> None:
    root = make_run(project, name="root", total_tokens=1, first_token_time=None)
    step = make_run(project, name="step", parent=root)
    for number in (1, 2):
        make_run(
            project,
            name=f"llm{number}",
            parent=step,
            run_type="llm",
            total_tokens=10 * number,
            total_cost="0.5",
            first_token_time=NOON + timedelta(seconds=number),
            usage_details={"prompt_token_details": {"cache_read": number}},
        )
    quiet = make_run(project, name="quiet", total_tokens=7)
    fields_ = ["NAME", "TOTAL_TOKENS", "TOTAL_COST", "FIRST_TOKEN_TIME", "PROMPT_TOKEN_DETAILS"]

    def told(**body):
        return {run["name"]: run for run in items(api, project, selects=fields_, **body)}

    assert told()["root"]["total_tokens"] == 1
    found = told(include_subtree_usage=True, filter='neq(run_type, "llm")')
    for name in ("root", "step"):
        assert (found[name]["total_tokens"], found[name]["total_cost"]) == (30, 1.0)
        assert datetime.fromisoformat(found[name]["first_token_time"]) == NOON + timedelta(
            seconds=1
        )
        assert found[name]["prompt_token_details"] == {"raw": {"cache_read": 3}}
    assert found["quiet"]["total_tokens"] == quiet.total_tokens == 7


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"project_ids": None}, "project_ids"),
        ({"project_ids": ["x"]}, "project_ids"),
        ({"reference_dataset_id": str(uuid4())}, "exclude"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 1_001}, "page_size"),
        ({"page_size": True}, "page_size"),
        ({"selects": ["NAME", "SECRET"]}, "SECRET"),
        ({"selects": "NAME"}, "selects"),
        ({"filter": "eq(name"}, "filter"),
        ({"min_start_time": "yesterday"}, "min_start_time"),
        ({"cursor": "abc"}, "cursor"),
        ({"has_error": "perhaps"}, "has_error"),
        ({"trace_id": "x"}, "trace_id"),
    ],
)
def test_an_invalid_field_is_named(api, project, body, word) -> None:
    answer = ask(api, project, **body)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def test_search_by_meaning_is_refused_once_and_for_all(api, project) -> None:
    answer = ask(api, project, ai_search="angry customers")
    assert answer.status_code == 501
    assert "ai_search" in answer.json()["detail"]
    assert answer["x-should-retry"] == "false"


# One run ------------------------------------------------------------------------------------------


def test_one_run_is_read_by_its_project(api, acme, project) -> None:
    run = make_run(project, name="answer", inputs={"q": 1})
    path = f"/api/v2/runs/{run.id}"
    answer = api.get(path, project_id=str(project.uuid), selects=["NAME", "INPUTS"])
    assert answer.json() == {"name": "answer", "inputs": {"q": 1}}
    answer = api.get(path, project_id=str(project.uuid), start_time="2026-11-20T11:00:00Z")
    assert answer.json() == {"id": str(run.id)}
    elsewhere = ProjectFactory(workspace=acme)
    assert api.get(path, project_id=str(elsewhere.uuid)).status_code == 404
    assert api.get(f"/api/v2/runs/{uuid4()}", project_id=str(project.uuid)).status_code == 404
    answer = api.get(path)
    assert answer.status_code == 400
    assert "project_id" in answer.json()["detail"]


def test_the_page_of_a_run_has_an_address_before_it_has_arrived(api, acme, project) -> None:
    run_id, trace_id = uuid4(), uuid4()
    path = f"/api/v2/runs/{run_id}/url"
    answer = api.get(path, project_id=str(project.uuid), trace_id=str(trace_id))
    page = f"/o/{acme.uuid}/projects/p/{project.uuid}/r/{run_id}?trace_id={trace_id}"
    assert answer.json() == {"url": f"http://testserver{page}"}
    assert api.get(path, project_id=str(uuid4()), trace_id=str(trace_id)).status_code == 404
    assert api.get(path, project_id=str(project.uuid)).status_code == 400


# Sharing ------------------------------------------------------------------------------------------


def test_a_trace_is_shared_read_without_a_key_and_unshared(api, client, project) -> None:
    root = make_run(project, name="root", outputs={"a": 1})
    child = make_run(project, name="child", parent=root)
    body = {"session_id": str(project.uuid), "trace_id": str(root.id)}
    token = api.post(f"/api/v2/runs/{child.id}/share", body).json()["share_token"]
    assert api.post(f"/api/v2/runs/{root.id}/share", body).json() == {"share_token": token}
    told = {run["id"]: run for run in items(api, project, selects=["ID", "SHARE_URL"])}
    assert told[str(root.id)]["share_url"] == f"http://testserver/public/{token}/r"

    public = f"/api/v2/public/{token}"
    selects = {"selects": ["NAME", "IS_ROOT", "PARENT_RUN_ID", "TRACE_ID", "PROJECT_ID"]}
    answer = client.post(f"{public}/runs/query", selects, content_type="application/json")
    shown = {run["name"]: run for run in answer.json()["items"]}  # both started at one moment
    assert shown.keys() == {"root", "child"}
    assert shown["child"] == {
        "name": "child",
        "is_root": False,
        "parent_run_id": str(root.id),
        "trace_id": str(root.id),
        "project_id": None,
    }
    start = "2026-11-20T11:00:00Z"
    answer = client.get(
        f"{public}/run/{root.id}", {"selects": ["NAME", "OUTPUTS"], "start_time": start}
    )
    assert answer.json() == {"name": "root", "outputs": {"a": 1}}
    assert client.get(f"{public}/run/{root.id}", {"start_time": LONG_AGO}).status_code == 404
    assert client.get(f"{public}/run/{uuid4()}").status_code == 404
    answer = client.get(f"{public}/run/{root.id}", {"selects": ["SHARE_URL"]})
    assert answer.status_code == 400

    gone = {"session_id": str(project.uuid)}
    assert api.delete(f"/api/v2/runs/{root.id}/share", gone).status_code == 204
    assert api.delete(f"/api/v2/runs/{root.id}/share", gone).status_code == 204
    assert client.get(f"{public}/run/{root.id}").status_code == 404


def test_a_run_is_shared_only_as_what_it_is(api, acme, project) -> None:
    root, other = make_run(project), make_run(project)
    for run, session, trace in (
        (root, project.uuid, other.id),
        (root, ProjectFactory(workspace=acme).uuid, root.id),
        (other, project.uuid, uuid4()),
    ):
        body = {"session_id": str(session), "trace_id": str(trace)}
        assert api.post(f"/api/v2/runs/{run.id}/share", body).status_code == 404
    body = {"session_id": str(project.uuid)}
    assert api.post(f"/api/v2/runs/{root.id}/share", body).status_code == 400


# Events -------------------------------------------------------------------------------------------


def test_a_page_comes_as_events_when_asked_for(api, project) -> None:
    for number in range(3):
        make_run(project, name=str(number), start_time=NOON - timedelta(minutes=number))
    body = {
        "project_ids": [str(project.uuid)],
        "min_start_time": LONG_AGO,
        "page_size": 2,
        "selects": ["NAME"],
    }
    answer = api.send("POST", "/api/v2/runs/query", body, accept="text/event-stream")
    assert answer["content-type"] == "text/event-stream"
    blocks = answer.content.decode().strip().split("\n\n")
    kinds = [block.splitlines()[0] for block in blocks]
    assert kinds == ["event: data"] * 4 + ["event: end"]
    patches = [json.loads(block.splitlines()[1].removeprefix("data: ")) for block in blocks]
    assert patches[0][0]["value"]["items"] == []
    assert [patch[0]["value"] for patch in patches[1:3]] == [{"name": "0"}, {"name": "1"}]
    assert patches[3][0]["path"] == "/next_cursor"
    assert patches[3][0]["value"]
    wrong = api.send("POST", "/api/v2/runs/query", {}, accept="text/event-stream")
    assert wrong.status_code == 400
    assert wrong["content-type"] == "application/json"
    assert "project_ids" in wrong.json()["detail"]
