"""evaluate and what reads it back, parameter by parameter, by the unmodified Python SDK."""

from __future__ import annotations

from uuid import uuid4

import pytest
from langsmith import Client, evaluate, evaluate_existing
from langsmith.evaluation import evaluate_comparative
from langsmith.schemas import Example, Run

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def dataset(client: Client):
    dataset = client.create_dataset(f"golden-{uuid4().hex[:8]}")
    client.create_examples(
        dataset_id=dataset.id,
        examples=[
            {
                "inputs": {"n": n},
                "outputs": {"square": n * n},
                "split": "small" if n < 2 else "large",
                "attachments": {"note": ("text/plain", f"note {n}".encode())},
            }
            for n in range(4)
        ],
    )
    return dataset


def exact(outputs: dict, reference_outputs: dict) -> dict:
    return {"key": "exact", "score": int(outputs == reference_outputs), "comment": "compared"}


def square(inputs: dict) -> dict:
    return {"square": inputs["n"] ** 2}


def test_a_target_and_an_evaluator_read_the_files_of_the_examples(client, dataset) -> None:
    def reads(inputs: dict, attachments: dict) -> dict:
        return {"note": attachments["note"]["reader"].read().decode()}

    def right_file(inputs: dict, attachments: dict, outputs: dict) -> bool:
        return outputs["note"] == f"note {inputs['n']}" and "note" in attachments

    results = evaluate(
        reads,
        data=client.list_examples(dataset_id=dataset.id, include_attachments=True),
        evaluators=[right_file],
        client=client,
    )
    assert results.to_pandas()["feedback.right_file"].all()
    client.flush()
    project = client.read_project(project_name=results.experiment_name, include_stats=True)
    assert project.feedback_stats["right_file"]["avg"] == 1


def judged(run: Run) -> float:
    raise RuntimeError("the judge is away")


def broken(run: Run, example: Example) -> dict:
    return {"key": "broken", "score": judged(run)}


def test_a_failing_example_is_reported_and_costs_only_itself(client, dataset) -> None:
    def fragile(inputs: dict) -> dict:
        if inputs["n"] == 3:
            raise ValueError("three is too much")
        return square(inputs)

    def many(outputs: dict) -> dict:
        return {
            "results": [
                {"key": "long", "score": 0.5},
                {"key": "label", "value": "good", "comment": "c"},
            ]
        }

    logged = evaluate(
        fragile,
        data=dataset.name,
        evaluators=[exact, broken, many],
        client=client,
        max_concurrency=3,
        error_handling="log",
    )
    client.flush()
    project = client.read_project(project_name=logged.experiment_name, include_stats=True)
    assert (project.run_count, project.error_rate) == (4, 0.25)
    stats = project.feedback_stats
    assert stats["exact"]["avg"] == 0.75
    assert (stats["broken"]["avg"], stats["broken"]["errors"]) == (None, 4)
    assert stats["label"]["values"] == {"good": 4}
    [failed] = client.list_runs(project_name=logged.experiment_name, error=True)
    assert "three is too much" in failed.error

    ignored = evaluate(
        fragile, data=dataset.name, evaluators=[exact], client=client, error_handling="ignore"
    )
    client.flush()
    read = client.get_experiment_results(name=ignored.experiment_name)
    kept = {row.inputs["n"] for row in read["examples_with_runs"]}
    assert kept == {0, 1, 2}  # the SDK does not name the example of the run that failed


def test_upload_results_false_uploads_nothing(client, dataset) -> None:
    results = evaluate(
        square, data=dataset.name, evaluators=[exact], client=client, upload_results=False
    )
    assert results.to_pandas()["feedback.exact"].all()
    client.flush()
    assert client.read_dataset(dataset_id=dataset.id).session_count == 0


def test_an_experiment_is_continued_and_judged_again_later(client, dataset) -> None:
    def total(outputs: list[dict]) -> dict:
        return {"key": "total", "score": sum(one["square"] for one in outputs)}

    first = evaluate(
        square,
        data=client.list_examples(dataset_id=dataset.id, splits=["small"]),
        experiment_prefix="part",
        client=client,
    )
    client.flush()
    project = client.read_project(project_name=first.experiment_name)
    evaluate(
        square,
        data=client.list_examples(dataset_id=dataset.id, splits=["large"]),
        experiment=project,
        client=client,
    )
    client.flush()
    evaluate_existing(project.id, evaluators=[exact], summary_evaluators=[total], client=client)
    client.flush()
    after = client.read_project(project_id=project.id, include_stats=True)
    assert after.run_count == 4
    assert after.feedback_stats["exact"]["n"] == 4
    assert after.session_feedback_stats["total"]["avg"] == 0 + 1 + 4 + 9


def test_results_are_previewed_filtered_and_cut(client, dataset) -> None:
    def almost(inputs: dict) -> dict:
        return {"square": inputs["n"] ** 2 if inputs["n"] < 2 else -1, "text": "long " * 200}

    def small(outputs: dict, reference_outputs: dict) -> dict:
        return {"key": "exact", "score": outputs["square"] == reference_outputs["square"]}

    name = evaluate(almost, data=dataset.name, evaluators=[small], client=client).experiment_name
    client.flush()
    project = client.read_project(project_name=name)
    wrong = client.get_experiment_results(
        name=name,
        filters={project.id: ["and(eq(feedback_key, 'exact'), lt(feedback_score, 1))"]},
    )
    assert {row.inputs["n"] for row in wrong["examples_with_runs"]} == {2, 3}
    cut = client.get_experiment_results(project_id=project.id, limit=3)
    assert len(list(cut["examples_with_runs"])) == 3
    assert cut["run_stats"]["run_count"] == 4
    seen = list(client.get_experiment_results(name=name, preview=True)["examples_with_runs"])
    assert len(seen) == 4
    assert all(run.feedback_stats["exact"]["n"] == 1 for row in seen for run in row.runs)
    table = client.get_test_results(project_id=project.id)
    assert set(table["feedback.exact"]) == {0, 1}


def test_three_experiments_are_compared_in_any_order(client, dataset) -> None:
    names = [
        evaluate(target, data=dataset.name, client=client).experiment_name
        for target in (square, lambda inputs: {"square": 0}, lambda inputs: {"square": None})
    ]
    client.flush()

    def prefers_right(runs: list, example) -> list:
        return [int(run.outputs == example.outputs) for run in runs]

    compared = evaluate_comparative(
        names,
        evaluators=[prefers_right],
        randomize_order=True,
        experiment_prefix="three",
        max_concurrency=2,
        load_nested=True,
        client=client,
    )
    assert len(list(compared)) == 4
    client.flush()
    [told] = client.request_with_retries("GET", f"/datasets/{dataset.id}/comparative").json()
    assert [one["name"] for one in told["experiments_info"]] == names
    assert told["feedback_stats"]["prefers_right"]["n"] == 12
    ids = [one["id"] for one in told["experiments_info"]]
    own = client.create_comparative_experiment(
        "own", experiments=ids[::-1], description="d", metadata={"a": 1}, id=uuid4()
    )
    assert [str(one["id"]) for one in own.experiments_info] == ids[::-1]
    assert own.metadata == {"a": 1}


def test_projects_are_found_by_every_parameter(client, dataset) -> None:
    mark = uuid4().hex[:8]
    plain = client.create_project(
        f"plain-{mark}", description="d", metadata={"team": mark}, project_extra={"x": 1}
    )
    experiment = client.create_project(
        f"experiment-{mark}",
        reference_dataset_id=dataset.id,
        num_examples=2,
        num_repetitions=3,
        evaluator_keys=["exact"],
        metadata={"dataset_version": "2026-01-01T00:00:00+00:00", "deep": {"a": [1]}},
    )
    assert client.create_project(plain.name, upsert=True).id == plain.id

    def found(**asked) -> set[str]:
        listed = client.list_projects(name_contains=mark, **asked)
        return {project.name.partition("-")[0] for project in listed}

    assert found() == {"plain", "experiment"}
    assert found(reference_free=True) == {"plain"}
    assert found(reference_free=False) == {"experiment"}
    assert found(reference_dataset_name=dataset.name) == {"experiment"}
    assert found(reference_dataset_id=dataset.id, include_stats=True) == {"experiment"}
    assert found(metadata={"team": mark}) == {"plain"}
    assert found(metadata={"deep": {"a": [1]}}) == {"experiment"}
    assert found(dataset_version="2026-01-01T00:00:00+00:00") == {"experiment"}
    assert found(project_ids=[plain.id, experiment.id], limit=1) <= {"plain", "experiment"}
    assert {one.id for one in client.list_projects(name=plain.name)} == {plain.id}
    changed = client.update_project(
        plain.id, name=f"renamed-{mark}", description="new", metadata={"lead": "ada"}
    )
    assert (changed.name, changed.description) == (f"renamed-{mark}", "new")
    assert changed.metadata == {"lead": "ada"}
    assert client.has_project(f"renamed-{mark}")
    client.delete_project(project_name=f"renamed-{mark}")
    assert not client.has_project(f"renamed-{mark}")
