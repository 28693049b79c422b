"""POST /api/v2/datasets/{id}/experiment-runs and /sessions/resolutions."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from langsmith.types.datasets.experiment_run_query_response import ExperimentRunQueryResponse

from datasets_app import examples
from datasets_app.examples import ExampleInput
from observatory.api.v2 import fields
from observatory.feedback.models import Feedback
from tests.api.test_experiments import experiment, ran
from tests.conftest import NOON
from tests.factories import DatasetFactory, ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db


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


def ask(api, dataset, *projects, **body):
    return api.post(
        f"/api/v2/datasets/{dataset.uuid}/experiment-runs",
        {"experiment_ids": [str(project.uuid) for project in projects], **body},
    )


def found(api, dataset, *projects, **body) -> list[int]:
    answer = ask(api, dataset, *projects, **body)
    assert answer.status_code == 200, answer.json()
    return [row["inputs"]["n"] for row in answer.json()["items"]]


def test_examples_come_with_the_selected_fields_of_their_runs(
    api,
    dataset,
    ids,
    django_assert_max_num_queries,
) -> None:
    first, second = experiment(api, dataset, "a"), experiment(api, dataset, "b")
    [run, *_] = ran(first, ids)
    ran(second, ids[:1])
    judge(run, "exact", 1.0)
    [row, *rest] = ask(api, dataset, first, second).json()["items"]
    assert row["runs"][0] == {"id": str(run.id)}
    assert [len(one["runs"]) for one in (row, *rest)] == [2, 1, 1]
    with django_assert_max_num_queries(24):
        answer = ask(api, dataset, first, second, selects=sorted(fields.FIELDS))
    [row, *_] = answer.json()["items"]
    ExperimentRunQueryResponse.model_validate(row)
    assert row["id"] == str(ids[0])
    assert row["dataset_id"] == str(dataset.uuid)
    assert row["inputs"] == {"n": 0}
    assert row["attachment_urls"] == {}
    told = row["runs"][0]
    assert told["outputs"] == {"n": 0}
    assert told["feedback_stats"]["exact"]["avg"] == 1.0
    assert told["reference_dataset_id"] == str(dataset.uuid)
    assert told["project_id"] == str(first.uuid)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6]),
        ({"by": "exact"}, [1, 2, 3, 6, 0, 4, 5]),  # without a score: last
        ({"by": "feedback.exact", "order": "ASC"}, [0, 6, 2, 3, 1, 4, 5]),
    ],
)
def test_pages_neither_repeat_nor_skip_while_the_experiment_goes_on(
    api,
    dataset,
    sort,
    expected,
) -> None:
    given = [ExampleInput(inputs=f'{{"n":{n}}}') for n in range(7)]
    uuids = examples.create(dataset, given, now=NOON).example_ids
    project = experiment(api, dataset, "a")
    runs = ran(project, uuids)
    for run, score in zip(runs, [0.1, 0.9, 0.5, 0.5, None, None, 0.3], strict=True):
        if score is not None:
            judge(run, "exact", score)
    body = {} if sort is None else {"sort": sort}
    whole = found(api, dataset, project, **body)
    assert whole == expected
    seen, cursor = [], None
    while True:
        page = ask(api, dataset, project, page_size=3, cursor=cursor, **body).json()
        seen.append([row["inputs"]["n"] for row in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
        late = examples.create(dataset, [ExampleInput(inputs='{"n":99}')], now=NOON)
        run = make_run(project, reference_example_id=late.example_ids[0])
        judge(run, "exact", 0.0 if expected[0] == 0 else 1.0)
    assert [len(page) for page in seen][:2] == [3, 3]
    assert [n for page in seen for n in page if n != 99] == whole


def test_runs_are_filtered_by_experiment_and_narrowed_to_examples(api, dataset, ids) -> None:
    first, second = experiment(api, dataset, "a"), experiment(api, dataset, "b")
    runs = ran(first, ids)
    ran(second, ids)
    for run, score in zip(runs, [0.5, 0.1, 0.9], strict=True):
        judge(run, "exact", score)
    expression = 'and(eq(feedback_key, "exact"), gt(feedback_score, 0.3))'
    assert found(api, dataset, first, second, filters={str(first.uuid): [expression]}) == [0, 2]
    assert found(api, dataset, first, second, filters={str(second.uuid): [expression]}) == []
    assert found(api, dataset, first, example_ids=[str(ids[2])]) == [2]


def test_comparative_feedback_is_separate_from_the_runs_own(api, dataset, ids) -> None:
    first, second = experiment(api, dataset, "a"), experiment(api, dataset, "b")
    [run, *_] = ran(first, ids)
    made = api.post(
        "/datasets/comparative",
        {
            "experiment_ids": [str(first.uuid), str(second.uuid)],
            "reference_dataset_id": str(dataset.uuid),
        },
    ).json()
    judge(run, "exact", 1.0)
    preferred = judge(run, "preferred", 1.0)
    Feedback.objects.filter(pk=preferred.pk).update(comparative_experiment_id=made["id"])
    body = {"selects": ["FEEDBACK_STATS"]}
    [row, *_] = ask(api, dataset, first, **body).json()["items"]
    assert set(row["runs"][0]["feedback_stats"]) == {"exact"}
    body["comparative_experiment_id"] = made["id"]
    [row, *_] = ask(api, dataset, first, **body).json()["items"]
    assert set(row["runs"][0]["feedback_stats"]) == {"exact", "preferred"}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"experiment_ids": []}, "experiment_ids"),
        ({"experiment_ids": ["x"]}, "experiment_ids"),
        ({"experiment_ids": [str(uuid4()) for _ in range(21)]}, "experiment_ids"),
        ({"page_size": 101}, "page_size"),
        ({"selects": ["X"]}, "selects"),
        ({"filters": []}, "filters"),
        ({"filters": {"x": []}}, "filters"),
        ({"filters": {str(uuid4()): ["eq("]}}, "filters"),
        ({"sort": "x"}, "sort"),
        ({"sort": {"by": "exact", "order": "UP"}}, "sort.order"),
        ({"sort": {"by": "e"}, "experiment_ids": [str(uuid4()), str(uuid4())]}, "sort"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": "WzEsMiwzXQ=="}, "cursor"),
    ],
)
def test_an_invalid_field_is_named(api, dataset, body, word) -> None:
    answer = ask(api, dataset, ProjectFactory(workspace=dataset.workspace), **body)
    assert answer.status_code == 400, answer.json()
    assert word in answer.json()["detail"]


def test_an_unknown_dataset_is_404_and_a_project_of_another_one_has_no_runs(api, acme) -> None:
    unknown = DatasetFactory.build(uuid=uuid4())
    project = ProjectFactory(workspace=acme)
    assert ask(api, unknown, project).status_code == 404
    answer = ask(api, DatasetFactory(workspace=acme), project)
    assert answer.json() == {"items": [], "next_cursor": None}


# Addresses ----------------------------------------------------------------------------------------


def test_an_address_is_resolved_to_its_project(api, acme) -> None:
    experiment = ProjectFactory(workspace=acme, reference_dataset_id=uuid4())
    plain = ProjectFactory(workspace=acme)
    path = "/api/v1/sessions/resolutions"
    answer = api.get(path, kind="EXPERIMENT", id=str(experiment.uuid))
    assert answer.json() == {"session_id": str(experiment.uuid)}
    assert api.get(path, kind="EXPERIMENT", id=str(plain.uuid)).status_code == 404
    assert api.get(path, kind="EVALUATOR").status_code == 404
    evaluators = ProjectFactory(workspace=acme, name="evaluators")
    assert api.get(path, kind="EVALUATOR").json() == {"session_id": str(evaluators.uuid)}
    agent = api.get(path, kind="AGENT", id="helper", environment="PRODUCTION")
    assert agent.status_code == 404
    assert "no agents" in agent.json()["detail"]
    for wrong in ({}, {"kind": "THING"}, {"kind": "EXPERIMENT"}):
        assert api.get(path, **wrong).status_code == 422
