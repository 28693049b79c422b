"""/sessions on the wire: projects and experiments."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from langsmith import schemas

from observatory.feedback.models import Feedback
from observatory.runs.models import Attachment, Project, Run
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db


def _names(api, **query) -> list[str]:
    answer = api.get("/sessions", **query)
    assert answer.status_code == 200, answer.json()
    return [session["name"] for session in answer.json()]


def test_a_project_keeps_the_id_and_the_fields_it_was_made_with(api, acme) -> None:
    body = {
        "id": str(uuid4()),
        "name": "exp-1",
        "description": "first",
        "extra": {"metadata": {"model": "m"}},
        "reference_dataset_id": str(uuid4()),
        "start_time": "2026-11-20T10:00:00",
        "num_examples": 5,
    }
    made = api.post("/sessions", body).json()
    read = api.get(f"/sessions/{body['id']}").json()
    assert made == read
    assert {key: read[key] for key in body if key not in {"num_examples", "start_time"}} == {
        key: value for key, value in body.items() if key not in {"num_examples", "start_time"}
    }
    assert read["start_time"] == "2026-11-20T10:00:00.000000Z"
    assert read["tenant_id"] == str(acme.uuid)
    schemas.TracerSessionResult(**read)


def test_reference_dataset_id_is_there_when_null(api) -> None:
    assert api.post("/sessions", {"name": "plain"}).json()["reference_dataset_id"] is None


def test_a_taken_name_is_409_unless_it_is_an_upsert(api) -> None:
    first = api.post("/sessions", {"name": "p", "extra": {"a": 1}}).json()
    again = api.post("/sessions", {"id": str(uuid4()), "name": "p"})
    assert again.status_code == 409
    assert "'p' already exists" in again.json()["detail"]
    upserted = api.post(
        "/sessions?upsert=True", {"id": str(uuid4()), "name": "p", "description": "new"}
    ).json()
    assert upserted["id"] == first["id"]
    assert (upserted["description"], upserted["extra"]) == ("new", {"a": 1})
    taken = api.post("/sessions?upsert=true", {"id": first["id"], "name": "other"})
    assert taken.status_code == 409
    assert Project.objects.count() == 1


def test_null_keeps_and_a_value_replaces(api) -> None:
    made = api.post("/sessions", {"name": "p", "extra": {"a": 1}}).json()
    path = f"/sessions/{made['id']}"
    changed = api.patch(
        path, {"name": None, "extra": {"b": 2}, "end_time": 1_795_000_000_000}
    ).json()
    assert (changed["name"], changed["extra"]) == ("p", {"b": 2})
    assert changed["end_time"].startswith("2026-11-")
    api.post("/sessions", {"name": "q"})
    assert api.patch(path, {"name": "q"}).status_code == 409
    assert api.get(path).json()["name"] == "p"


def test_an_unknown_name_is_an_empty_list(api) -> None:
    assert _names(api, name="nobody") == []


def test_a_workspace_without_projects_gets_a_default_one(api, acme) -> None:
    (session,) = api.get("/sessions", limit=1).json()
    assert (session["name"], session["tenant_id"]) == ("default", str(acme.uuid))
    assert _names(api) == ["default"]


def test_each_restriction_narrows_the_list(api, acme, rival) -> None:
    dataset = uuid4()
    plain = ProjectFactory(workspace=acme, name="Support bot", start_time=NOON)
    ProjectFactory(
        workspace=acme,
        name="exp",
        reference_dataset_id=dataset,
        extra={"metadata": {"model": "m", "dataset_version": "v1", "n": 2}},
        start_time=NOON + timedelta(hours=1),
    )
    ProjectFactory(workspace=rival, name="theirs", reference_dataset_id=dataset)
    assert _names(api) == ["exp", "Support bot"]
    assert _names(api, id=[str(plain.uuid), str(uuid4())]) == ["Support bot"]
    assert _names(api, name="exp") == ["exp"]
    assert _names(api, name_contains="BOT") == ["Support bot"]
    assert _names(api, name_contains="%") == []
    assert _names(api, reference_dataset=str(dataset)) == ["exp"]
    assert _names(api, reference_free="True") == ["Support bot"]
    assert _names(api, reference_free="false") == ["exp"]
    assert _names(api, metadata=json.dumps({"model": "m"})) == ["exp"]
    assert _names(api, metadata=json.dumps({"model": "x"})) == []
    assert _names(api, dataset_version="v1") == ["exp"]
    assert _names(api, sort_by="name", sort_by_desc="false") == ["Support bot", "exp"]


def test_pages_are_exact(api, acme) -> None:
    for number in range(25):
        ProjectFactory(workspace=acme, name=f"p{number:02}", start_time=NOON)
    pages = [_names(api, limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert len({name for page in pages for name in page}) == 25


def _measured(acme) -> Project:
    project = ProjectFactory(workspace=acme, name="measured")
    for number in range(1, 4):
        start = NOON + timedelta(minutes=number)
        root = make_run(
            project,
            start_time=start,
            end_time=start + timedelta(seconds=number),
            error="boom" if number == 1 else None,
        )
        make_run(
            project,
            parent=root,
            run_type="llm",
            start_time=start,
            total_tokens=10,
            total_cost="0.1",
        )
        judge(root, "score", number)
    Feedback.objects.create(workspace=acme, project=project, key="summary", score=0.5)
    return project


def test_statistics_count_traces_and_what_llm_runs_spent(api, acme) -> None:
    project = _measured(acme)
    (session,) = api.get("/sessions", name="measured", include_stats="True").json()
    assert session["run_count"] == 3
    assert session["latency_p50"] == 2.0
    assert (session["total_tokens"], session["total_cost"]) == (30, 0.3)
    assert session["error_rate"] == pytest.approx(1 / 3)
    assert session["feedback_stats"]["score"]["avg"] == 2
    assert "summary" not in session["feedback_stats"]
    assert session["session_feedback_stats"]["summary"]["avg"] == 0.5
    assert session["last_run_start_time"] == "2026-11-20T12:03:00.000000Z"
    schemas.TracerSessionResult(**session)
    single = api.get(f"/sessions/{project.uuid}", include_stats="true").json()
    assert single == session
    assert "run_count" not in api.get(f"/sessions/{project.uuid}").json()


def test_statistics_are_of_the_runs_and_the_names_that_are_asked_for(api, acme) -> None:
    project = _measured(acme)
    asked = {
        "include_stats": "true",
        "stats_select": ["run_count", "feedback_stats"],
        "stats_filter": "gt(latency, 1.5)",
    }
    (session,) = api.get("/sessions", id=str(project.uuid), **asked).json()
    assert (session["run_count"], session["feedback_stats"]["score"]["avg"]) == (2, 2.5)
    assert not {"latency_p50", "run_facets", "session_feedback_stats"} & session.keys()
    assert session == api.get(f"/sessions/{project.uuid}", **asked).json()
    later = {"include_stats": "true", "stats_start_time": "2026-11-20T12:03:00Z"}
    assert api.get(f"/sessions/{project.uuid}", **later).json()["feedback_stats"]["score"]["n"] == 1
    faceted = {"include_stats": "true", "facets": "true", "stats_filter": "eq(is_root, true)"}
    facets = api.get(f"/sessions/{project.uuid}", **faceted).json()["run_facets"]
    assert facets[0] == {"key": "name", "value": "answer", "n": 3, "query": 'eq(name, "answer")'}
    for name, value in (("stats_select", "x"), ("facets", "x"), ("stats_start_time", "x")):
        refused = api.get("/sessions", **{name: value})
        assert (refused.status_code, refused.json()["detail"][: len(name)]) == (422, name)
    assert api.get("/sessions", stats_filter="eq(").status_code == 400


def test_resource_tags_are_refused_and_find_nothing(api, acme) -> None:
    tag = str(uuid4())
    refused = api.post("/sessions", {"name": "tagged", "tag_value_ids": [tag]})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("tag_value_ids")
    assert api.post("/sessions", {"name": "plain", "tag_value_ids": []}).status_code == 200
    assert _names(api, tag_value_id=tag) == []


def test_projects_are_ranked_by_a_statistic_those_without_it_last(api, acme) -> None:
    _measured(acme)
    ProjectFactory(workspace=acme, name="empty")
    fast = ProjectFactory(workspace=acme, name="fast")
    judge(make_run(fast, start_time=NOON + timedelta(hours=1)), "score", 9)
    assert _names(api, sort_by="latency_p50") == ["measured", "fast", "empty"]
    assert _names(api, sort_by="latency_p50", sort_by_desc="false") == ["fast", "measured", "empty"]
    assert _names(api, sort_by="last_run_start_time") == ["fast", "measured", "empty"]
    ranked = _names(api, sort_by="feedback", sort_by_feedback_key="score")
    assert ranked == ["fast", "measured", "empty"]
    assert api.get("/sessions", sort_by="password").status_code == 422


def test_a_list_with_statistics_costs_the_same_queries_however_long(
    api, acme, django_assert_max_num_queries
) -> None:
    for number in range(20):
        project = ProjectFactory(workspace=acme, name=f"p{number}")
        judge(make_run(project), "k", 1)
    with django_assert_max_num_queries(7):
        assert len(_names(api, include_stats="true")) == 20


def test_deleting_a_project_deletes_its_runs_and_their_feedback_and_nothing_else(
    api, acme, rival, django_capture_on_commit_callbacks
) -> None:
    path = storages["attachments"].save("file", ContentFile(b"x"))
    gone, kept = ProjectFactory(workspace=acme), ProjectFactory(workspace=acme)
    run, other = make_run(gone), make_run(kept)
    theirs = make_run(ProjectFactory(workspace=rival), id=run.id)
    for judged in (run, other, theirs):
        judge(judged, "k", 1)
        Attachment.objects.create(
            workspace_id=judged.workspace_id,
            run_id=judged.id,
            name="a",
            mime_type="text/plain",
            size=1,
            sha256=b"x" * 32,
            path=path if judged is run else "elsewhere",
        )
    Feedback.objects.filter(run_id=run.id, workspace=acme).update(project=None)
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"/sessions/{gone.uuid}").status_code == 200
    assert not storages["attachments"].exists(path)
    assert api.get(f"/sessions/{gone.uuid}").status_code == 404
    assert sorted(Run.objects.values_list("workspace_id", "id")) == sorted(
        [(acme.pk, other.id), (rival.pk, run.id)]
    )
    assert Feedback.objects.count() == 2
    assert Attachment.objects.count() == 2
    assert api.delete(f"/sessions/{gone.uuid}").status_code == 404


def test_another_workspaces_project_looks_unknown(rival_api, acme) -> None:
    path = f"/sessions/{ProjectFactory(workspace=acme, name='p').uuid}"
    unknown = rival_api.get(f"/sessions/{uuid4()}")
    for answer in (
        rival_api.get(path),
        rival_api.patch(path, {"name": "x"}),
        rival_api.delete(path),
    ):
        assert (answer.status_code, answer.content) == (404, unknown.content)
    assert _names(rival_api, name="p") == []
    assert Project.objects.get(workspace=acme).name == "p"
    assert rival_api.post("/sessions", {"name": "p"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "name: "),
        ({"name": " "}, "name: "),
        ({"name": "x" * 513}, "name: "),
        ({"name": "a\x00b"}, "name: "),
        ({"name": 5}, "name: "),
        ({"name": "p", "id": "x"}, "id: "),
        ({"name": "p", "extra": []}, "extra: "),
        ({"name": "p", "extra": {"a": "\x00"}}, "extra: "),
        ({"name": "p", "end_time": "soon"}, "end_time: "),
        ({"name": "p", "reference_dataset_id": 7}, "reference_dataset_id: "),
        ([], "body: must be an object"),
    ],
)
def test_a_wrong_body_is_422_and_names_the_field(api, body, said) -> None:
    answer = api.post("/sessions", body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert Project.objects.count() == 0
