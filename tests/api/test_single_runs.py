"""POST /runs and PATCH /runs/{id}: a run is stored under an id, or the answer says why not."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from observatory.runs.models import Run

pytestmark = pytest.mark.django_db
START = "2026-11-20T12:00:00Z"
RUN = {"name": "n", "run_type": "chain", "session_name": "p", "start_time": START}


def test_a_run_without_an_id_gets_one_and_the_answer_says_it(api) -> None:
    answer = api.post("/runs", RUN)
    assert answer.status_code == 202
    run = Run.objects.get()
    assert UUID(answer.json()["id"]) == run.id == run.trace_id
    assert api.get(f"/runs/{run.id}").json()["name"] == "n"


def test_a_run_without_an_id_takes_the_one_its_dotted_order_ends_in(api) -> None:
    run_id = uuid4()
    answer = api.post("/runs", RUN | {"dotted_order": f"20261120T120000000000Z{run_id}"})
    assert answer.json()["id"] == str(run_id)


def test_a_batch_keeps_its_runs_without_an_id_and_sets_a_patch_without_one_aside(api) -> None:
    answer = api.post("/runs/batch", {"post": [RUN, RUN], "patch": [{"outputs": {"a": 1}}]})
    assert answer.status_code == 202
    assert [each["code"] for each in answer.json()["rejected"]] == ["missing_id"]
    assert Run.objects.count() == 2


BAD = [
    ({"id": "x"}, "id"),
    ({"id": 5}, "id"),
    ({"trace_id": "x"}, "trace_id"),
    ({"parent_run_id": "{}"}, "parent_run_id"),
    ({"name": 5}, "name"),
    ({"run_type": "robot"}, "run_type"),
    ({"start_time": "yesterday"}, "start_time"),
    ({"end_time": 1e30}, "end_time"),
    ({"dotted_order": "x"}, "dotted_order"),
    ({"session_id": "11111111-2222-4333-8444-555555555555"}, "session_id"),
    ({"session_name": "x" * 513}, "session_name"),
    ({"inputs": "text"}, "inputs"),
    ({"outputs": [1]}, "outputs"),
    ({"events": {}}, "events"),
    ({"extra": {"metadata": 5}}, "extra"),
    ({"tags": "x"}, "tags"),
]


@pytest.mark.parametrize(("wrong", "field"), BAD, ids=lambda value: str(value)[:30])
def test_a_single_run_that_cannot_be_kept_is_a_4xx_that_names_the_field(api, wrong, field) -> None:
    answer = api.post("/runs", RUN | {"id": str(uuid4())} | wrong)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert not Run.objects.exists()
    run_id = uuid4()
    if field != "id":
        api.post("/runs", RUN | {"id": str(run_id)})
        if field not in {"run_type"}:  # a patch may say what no create has
            answer = api.patch(f"/runs/{run_id}", wrong)
            assert answer.status_code == 422
            assert field in answer.json()["detail"]


def test_a_batch_keeps_a_run_of_a_type_that_the_wire_does_not_know(api) -> None:
    answer = api.post("/runs/batch", {"post": [RUN | {"id": str(uuid4()), "run_type": "robot"}]})
    assert "rejected" not in answer.json()
    assert Run.objects.get().run_type == "robot"
