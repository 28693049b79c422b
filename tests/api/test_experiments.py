"""Experiments on the wire: their progress, their runs by example, and comparisons of them."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from uuid import uuid4

import pytest

from datasets_app import examples
from datasets_app.examples import ExampleChange, ExampleInput
from tests.conftest import NOON
from tests.factories import DatasetFactory, judge, make_run
from tests.hostile import FORMULAS


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme, name="golden")


@pytest.fixture
def ids(dataset):
    given = [
        ExampleInput(inputs=f'{{"n":{n}}}', created_at=NOON - timedelta(minutes=n))
        for n in range(3)
    ]
    return examples.create(dataset, given, now=NOON).example_ids


def experiment(api, dataset, name="first", **body):
    answer = api.post(
        "/sessions", {"name": name, "reference_dataset_id": str(dataset.uuid), **body}
    )
    assert answer.status_code == 200, answer.content
    return dataset.workspace.projects.get(uuid=answer.json()["id"])


def ran(project, ids, **fields):
    return [
        make_run(project, reference_example_id=uuid, outputs=f'{{"n":{place}}}', **fields)
        for place, uuid in enumerate(ids)
    ]


def asked(api, dataset, *projects, query="", **body):
    return api.post(
        f"/datasets/{dataset.uuid}/runs{query}",
        {"session_ids": [str(project.uuid) for project in projects], **body},
    )


def test_an_experiment_reports_its_progress(api, dataset, ids) -> None:
    project = experiment(
        api, dataset, num_examples=3, num_repetitions=2, evaluator_keys=["exact", "tone"]
    )
    runs = ran(project, ids)
    judge(runs[0], "exact", 1.0)
    told = api.get(f"/sessions/{project.uuid}").json()
    assert told["test_run_number"] == 1
    assert told["experiment_progress"] == {
        "expected_run_count": 6,
        "run_progress": 0.5,
        "evaluator_progress": {"exact": pytest.approx(1 / 6), "tone": 0.0},
    }
    second = experiment(api, dataset, "second")
    [listed] = api.get("/sessions", name="second").json()
    assert (listed["test_run_number"], listed["experiment_progress"]) == (2, None)
    assert api.get(f"/datasets/{dataset.uuid}").json()["session_count"] == 2
    assert "test_run_number" not in api.post("/sessions", {"name": "plain"}).json()
    assert second.extra == {}


@pytest.mark.parametrize(
    "body", [{"num_examples": "3"}, {"num_repetitions": -1}, {"evaluator_keys": [1]}]
)
def test_what_an_experiment_announces_is_checked(api, dataset, body) -> None:
    answer = api.post("/sessions", {"name": "x", **body})
    assert answer.status_code == 422
    assert next(iter(body)) in answer.json()["detail"]


def test_runs_come_by_example_newest_first_in_exact_pages(
    api, dataset, ids, django_assert_num_queries
) -> None:
    first, second = experiment(api, dataset, "a"), experiment(api, dataset, "b")
    ran(first, ids)
    ran(second, ids[:2])
    make_run(first, reference_example_id=uuid4())  # an example of no dataset
    rows = asked(api, dataset, first, second).json()
    assert [row["id"] for row in rows] == [str(uuid) for uuid in ids]
    assert [len(row["runs"]) for row in rows] == [2, 2, 1]
    assert [run["session_id"] for run in rows[0]["runs"]] == [str(first.uuid), str(second.uuid)]
    assert rows[1]["inputs"] == {"n": 1}
    assert rows[1]["runs"][0]["outputs"] == {"n": 1}
    with django_assert_num_queries(17):  # savepoints and time limits too
        page = asked(api, dataset, first, second, limit=2, offset=1).json()
    assert page == rows[1:]
    assert asked(api, dataset, first, second, limit=2, offset=3).json() == []
    only = asked(api, dataset, first, example_ids=[str(ids[2])]).json()
    assert [row["id"] for row in only] == [str(ids[2])]


def test_runs_are_filtered_by_experiment_and_sorted_by_feedback(api, dataset, ids) -> None:
    first, second = experiment(api, dataset, "a"), experiment(api, dataset, "b")
    runs = ran(first, ids)
    ran(second, ids)
    for run, score in zip(runs, [0.5, 0.1, 0.9], strict=True):
        judge(run, "exact", score)

    def found(**body) -> list[int]:
        rows = asked(api, dataset, first, second, **body).json()
        return [row["inputs"]["n"] for row in rows]

    expression = 'and(eq(feedback_key, "exact"), gt(feedback_score, 0.3))'
    assert found(filters={str(first.uuid): [expression]}) == [0, 2]
    assert found(filters={str(second.uuid): [expression]}) == []
    assert found(sort_params={"sort_by": "feedback.exact"}) == [2, 0, 1]
    assert found(sort_params={"sort_by": "feedback.exact", "sort_order": "ASC"}) == [1, 0, 2]
    assert found(sort_params={"sort_by": "created_at", "sort_order": "ASC"}) == [2, 1, 0]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"session_ids": []}, "session_ids"),
        ({"session_ids": ["x"]}, "session_ids"),
        ({"limit": 101}, "limit"),
        ({"offset": -1}, "offset"),
        ({"sort_params": {"sort_by": "colour"}}, "sort_params.sort_by"),
        ({"filters": {"x": []}}, "filters"),
        ({"filters": {str(uuid4()): ["eq("]}}, "filters"),
        ({"example_ids": [7]}, "example_ids"),
    ],
)
def test_an_invalid_query_is_refused_by_name(api, dataset, body, word) -> None:
    answer = api.post(f"/datasets/{dataset.uuid}/runs", {"session_ids": [str(uuid4())], **body})
    assert answer.status_code == 422
    assert word in answer.json()["detail"]


def test_a_preview_is_truncated_and_csv_has_a_line_per_run(api, dataset, ids) -> None:
    project = experiment(api, dataset)
    [run] = ran(project, ids[:1])
    judge(run, "exact", 0.5)
    make_run(project, reference_example_id=ids[1], outputs=f'{{"long":"{"x" * 900}"}}')
    rows = asked(api, dataset, project, preview=True).json()
    assert rows[0]["inputs_preview"] == '{"n":0}'
    assert rows[0]["runs"][0]["outputs_preview"] == '{"n":0}'
    assert "outputs" not in rows[0]["runs"][0]
    assert len(rows[1]["runs"][0]["outputs_preview"]) == 303
    answer = asked(api, dataset, project, query="?format=csv")
    assert answer["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [line["example_id"] for line in lines] == [str(uuid) for uuid in ids[:2]]
    assert (lines[0]["feedback.exact"], lines[0]["outputs"]) == ("0.5", '{"n":0}')
    assert asked(api, dataset, project, query="?format=xml").status_code == 422


@pytest.mark.parametrize("formula", [text for text in FORMULAS if text.isprintable()])
def test_r2_no_cell_of_an_experiments_csv_is_a_formula(api, dataset, ids, formula) -> None:
    project = experiment(api, dataset)
    make_run(project, reference_example_id=ids[0], name=formula, error=formula)
    answer = asked(api, dataset, project, query="?format=csv")
    (line,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (line["run_name"], line["error"]) == (f"'{formula}", f"'{formula}")
    exact = asked(api, dataset, project, query="?format=csv&spreadsheet=false")
    (line,) = csv.DictReader(io.StringIO(exact.content.decode()))
    assert (line["run_name"], line["error"]) == (formula, formula)


def test_an_example_is_shown_as_it_was_for_the_experiment(api, dataset, ids) -> None:
    version = NOON.isoformat()
    project = experiment(api, dataset, extra={"metadata": {"dataset_version": version}})
    ran(project, ids)
    later = NOON + timedelta(minutes=1)
    examples.update(dataset, [ExampleChange(ids[0], inputs='{"n":99}')], now=later)
    examples.delete(dataset.workspace, [ids[1]], now=later)
    rows = asked(api, dataset, project).json()
    assert [row["inputs"]["n"] for row in rows] == [0, 1, 2]


def test_a_comparison_keeps_its_feedback_to_itself(api, dataset, ids, rival_api) -> None:
    projects = [experiment(api, dataset, name) for name in ("a", "b")]
    [run] = ran(projects[0], ids[:1])
    uuid = str(uuid4())
    body = {
        "id": uuid,
        "name": "a against b",
        "experiment_ids": [str(project.uuid) for project in projects],
        "reference_dataset_id": str(dataset.uuid),
        "description": None,
        "created_at": NOON.isoformat(),
        "extra": {"metadata": {"judge": "m"}},
    }
    made = api.post("/datasets/comparative", body).json()
    assert (made["id"], made["extra"]) == (uuid, body["extra"])
    assert [one["name"] for one in made["experiments_info"]] == ["a", "b"]
    other_way = {**body, "id": str(uuid4()), "experiment_ids": body["experiment_ids"][::-1]}
    turned = api.post("/datasets/comparative", other_way).json()
    assert [one["name"] for one in turned["experiments_info"]] == ["b", "a"]
    api.delete(f"/datasets/comparative/{turned['id']}")
    assert api.post("/datasets/comparative", body).status_code == 409
    sent = {"run_id": str(run.id), "key": "preferred", "score": 1}
    assert api.post("/feedback", {**sent, "comparative_experiment_id": uuid}).status_code == 200
    [listed] = api.get(f"/datasets/{dataset.uuid}/comparative").json()
    assert listed["feedback_stats"]["preferred"]["n"] == 1
    assert api.get(f"/runs/{run.id}").json()["feedback_stats"] == {}
    [row] = asked(api, dataset, projects[0], comparative_experiment_id=uuid).json()
    assert row["runs"][0]["feedback_stats"]["preferred"]["avg"] == 1.0
    assert rival_api.delete(f"/datasets/comparative/{uuid}").status_code == 404
    assert api.delete(f"/datasets/comparative/{uuid}").status_code == 200
    assert api.get(f"/datasets/{dataset.uuid}/comparative").json() == []
    assert api.get("/feedback", run=str(run.id)).json() == []


def test_only_experiments_of_the_dataset_are_compared(api, dataset) -> None:
    other = DatasetFactory(workspace=dataset.workspace, name="other")
    project = experiment(api, other)
    body = {"reference_dataset_id": str(dataset.uuid), "experiment_ids": [str(project.uuid)]}
    assert api.post("/datasets/comparative", body).status_code == 404
    missing = api.post("/datasets/comparative", {**body, "reference_dataset_id": str(uuid4())})
    assert missing.status_code == 404
    assert api.post("/datasets/comparative", {**body, "experiment_ids": []}).status_code == 422
