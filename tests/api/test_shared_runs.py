"""Sharing a run by a token, and what the token opens without a key."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from langsmith import schemas

from observatory.runs.models import RunShare
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


@pytest.fixture
def anybody() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def tree(project):
    """root > middle > leaf, root > beside, and a trace of its own."""
    root = make_run(project, name="root")
    later = {"start_time": root.start_time + timedelta(seconds=1), "end_time": None}
    middle = make_run(project, name="middle", parent=root, metadata={"thread_id": "t"})
    leaf = make_run(project, name="leaf", parent=middle, outputs={"answer": "b"}, **later)
    beside = make_run(project, name="beside", parent=root)
    other = make_run(project, name="other")
    return {run.name: run for run in (root, middle, leaf, beside, other)}


def share(api, run, token: UUID | None = None) -> str:
    body = {"run_id": str(run.id), "share_token": str(token or uuid4())}
    answer = api.put(f"/runs/{run.id}/share", body)
    assert answer.status_code == 200, answer.content
    return answer.json()["share_token"]


def names(anybody, token: str, **body) -> list[str]:
    path = f"/api/v1/public/{token}/runs/query"
    answer = anybody.post(path, json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.content
    return [run["name"] for run in answer.json()["runs"]]


def test_the_clients_token_opens_the_run_until_it_is_not_shared_any_more(
    api, rival_api, tree, anybody
) -> None:
    run, token = tree["root"], uuid4()
    path = f"/runs/{run.id}/share"
    assert api.get(path).json() is None
    assert share(api, run, token) == str(token)
    assert share(api, run, uuid4()) == str(token)  # shared already: the link stays
    assert api.get(path).json() == {"run_id": str(run.id), "share_token": str(token)}
    for answer in (rival_api.get(path), rival_api.put(path, {}), rival_api.delete(path)):
        assert answer.status_code == 404
    assert rival_api.get(path).content == rival_api.get(f"/runs/{uuid4()}/share").content
    assert anybody.get(f"/public/{token}/run").json()["name"] == "root"
    assert anybody.get(f"/public/{token.hex}/run").status_code == 200
    assert api.delete(path).status_code == api.delete(path).status_code == 200
    for what in ("run", "runs", "feedbacks", f"run/{run.id}"):
        assert anybody.get(f"/public/{token}/{what}").status_code == 404
    assert api.get(path).json() is None
    assert share(api, run, token) == str(token)


def test_the_body_of_a_share_is_json_whatever_its_type_says(api, tree) -> None:
    """The JavaScript SDK sends it as text/plain."""
    run, token = tree["root"], str(uuid4())
    answer = api.client.generic(
        "PUT",
        f"/runs/{run.id}/share",
        json.dumps({"run_id": str(run.id), "share_token": token}),
        content_type="text/plain;charset=UTF-8",
    )
    assert answer.json()["share_token"] == token


def test_a_guessable_token_is_refused_and_a_taken_one_replaced(api, rival_api, rival, tree) -> None:
    run = tree["root"]
    for bad in ("x", str(UUID(int=7)), "11111111-1111-1111-1111-111111111111", 5):
        answer = api.put(f"/runs/{run.id}/share", {"share_token": bad})
        assert (answer.status_code, "share_token" in answer.json()["detail"]) == (422, True)
    assert api.put(f"/runs/{run.id}/share", ["x"]).status_code == 422
    assert not RunShare.objects.exists()
    token = share(api, run)
    theirs = make_run(ProjectFactory(workspace=rival))
    other = share(rival_api, theirs, UUID(token))
    assert other != token
    assert UUID(other).version == 4


def test_a_share_opens_the_run_and_what_ran_below_it_and_nothing_else(api, tree, anybody) -> None:
    token = share(api, tree["middle"])
    assert names(anybody, token) == ["middle", "leaf"]
    assert names(anybody, token, id=[str(run.id) for run in tree.values()]) == ["middle", "leaf"]
    for name in ("root", "beside", "other"):
        assert anybody.get(f"/public/{token}/run/{tree[name].id}").status_code == 404
        assert names(anybody, token, id=[str(tree[name].id)]) == []
    body = anybody.get(f"/public/{token}/run").content
    assert str(tree["root"].id).encode() not in body
    top = schemas.Run(**json.loads(body))
    assert (top.parent_run_id, top.trace_id) == (None, tree["middle"].id)
    assert top.dotted_order.endswith(str(top.id))
    assert "." not in top.dotted_order
    leaf = schemas.Run(**anybody.get(f"/public/{token}/run/{tree['leaf'].id}").json())
    assert leaf.outputs == {"answer": "b"}
    assert leaf.dotted_order.startswith(top.dotted_order + ".")
    assert (leaf.parent_run_id, leaf.parent_run_ids) == (top.id, [top.id])
    assert leaf.app_path == f"/public/{token}/r/{leaf.id}"
    assert leaf.session_id is None
    whole = share(api, tree["root"])
    assert set(names(anybody, whole)) == {"root", "middle", "leaf", "beside"}


def test_orphan_run_is_shared_with_its_trace(api, project, anybody) -> None:
    root = make_run(project, name="root")
    missing = make_run(project, name="missing", parent=root)
    make_run(project, name="lost", parent=missing)
    without_order = make_run(project, name="plain", parent=root)
    project.runs.filter(id=missing.id).delete()
    project.runs.filter(id=without_order.id).update(dotted_order=None)
    assert set(names(anybody, share(api, root))) == {"root", "lost", "plain"}


def test_shared_runs_come_in_pages_and_selected(api, project, anybody) -> None:
    root = make_run(project, name="root")
    for number in range(4):
        make_run(project, name=f"step {number}", parent=root)
    token, seen, cursor = share(api, root), [], None
    while True:
        answer = anybody.post(
            f"/public/{token}/runs/query",
            json.dumps({"limit": 2, "cursor": cursor, "select": ["name"]}),
            content_type="application/json",
        ).json()
        seen += [run["name"] for run in answer["runs"]]
        assert all("outputs" not in run for run in answer["runs"])
        cursor = answer["cursors"]["next"]
        if cursor is None:
            break
        assert len(answer["runs"]) == 2
    assert sorted(seen) == ["root", "step 0", "step 1", "step 2", "step 3"]
    for body in ({"cursor": "x"}, {"id": ["x"]}, {"limit": 0}, [1]):
        answer = anybody.post(
            f"/public/{token}/runs/query", json.dumps(body), content_type="application/json"
        )
        assert answer.status_code == 400, body


def test_the_javascript_sdks_list_without_a_question_mark_is_an_array(api, tree, anybody) -> None:
    token = share(api, tree["middle"])
    path = f"/public/{token}/runsshare_token={token}"
    assert [run["name"] for run in anybody.get(path).json()] == ["middle", "leaf"]
    ids = f"&id={tree['leaf'].id}&id={tree['root'].id}"
    assert [run["name"] for run in anybody.get(path + ids).json()] == ["leaf"]
    mended = anybody.get(f"/public/{token}/runs?share_token={token}{ids}")
    assert [run["name"] for run in mended.json()] == ["leaf"]
    # The token in the path decides
    assert anybody.get(f"/public/{uuid4()}/runsshare_token={token}").status_code == 404


def test_feedback_of_shared_runs_is_shown(api, tree, anybody) -> None:
    judge(tree["middle"], "rating", 1, comment="good")
    judge(tree["leaf"], "rating", 0)
    judge(tree["root"], "rating", 0.5)
    token = share(api, tree["middle"])
    run = anybody.get(f"/public/{token}/run").json()
    assert run["feedback_stats"]["rating"]["avg"] == 1
    listed = anybody.get(f"/public/{token}/feedbacks").json()
    assert [one["score"] for one in listed] == [0, 1]
    assert {one["session_id"] for one in listed} == {None}
    only = anybody.get(f"/public/{token}/feedbacks?run={tree['middle'].id}&key=rating").json()
    assert [one["comment"] for one in only] == ["good"]
    assert anybody.get(f"/public/{token}/feedbacks?run={tree['root'].id}").json() == []


def test_a_share_ends_with_its_run(api, project, tree, anybody) -> None:
    token = share(api, tree["root"])
    assert api.delete(f"/sessions/{project.uuid}").status_code == 200
    assert anybody.get(f"/public/{token}/run").status_code == 404
    assert not RunShare.objects.exists()


def test_a_page_of_shared_runs_takes_the_same_number_of_statements(
    api, project, anybody, django_assert_max_num_queries
) -> None:
    root = make_run(project, name="root")
    for _ in range(12):
        make_run(project, parent=root)
    token = share(api, root)
    with django_assert_max_num_queries(13):
        assert len(names(anybody, token)) == 13
