"""evaluate of the unmodified JavaScript SDK, against a live server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.sdk import versions

pytestmark = pytest.mark.sdk


def test_an_evaluation_is_an_experiment_with_its_scores(run_node) -> None:
    told = run_node("experiments", f"javascript-{uuid4().hex[:8]}")
    project = told["project"]
    assert told["n"] == 4
    assert project["name"] == told["experiment"]
    assert project["reference_dataset_id"] is not None
    assert project["run_count"] == 4
    assert (project["feedback_stats"]["exact"]["n"], project["test_run_number"]) == (4, 1)
    assert project["feedback_stats"]["exact"]["avg"] == 0.75
    assert project["session_feedback_stats"]["n_runs"]["avg"] == 4
    assert project["extra"]["metadata"]["model"] == "m1"
    assert all(run["reference_example_id"] for run in told["runs"])


def test_three_experiments_are_compared_and_projects_managed(run_node, client, release) -> None:
    mark = uuid4().hex[:8]
    told = run_node("projects", mark)
    exact = [project["feedback_stats"]["exact"] for project in told["projects"]]
    assert [project["run_count"] for project in told["projects"]] == [4, 4, 4]
    assert [stats["avg"] for stats in exact] == [1, 0, 0.5]
    assert [project["error_rate"] for project in told["projects"]] == [0, 0, 0.5]
    assert [project["test_run_number"] for project in told["projects"]] == [1, 2, 3]
    assert told["compared"] == 2
    listed = client.request_with_retries("GET", f"/datasets/{told['dataset']}/comparative").json()
    three = next(one for one in listed if one["name"].startswith("three"))
    assert [one["name"] for one in three["experiments_info"]] == told["names"]
    assert three["extra"]["metadata"]["judge"] == "equality"
    assert three["feedback_stats"]["preferred"]["n"] == 12  # three times two, each twice
    assert told["nested"] == 2
    by, not_by = ("/api/v2", "/api") if release == versions.NEWEST else ("/api", "/api/v2")
    assert f"POST {by}/runs/query" in told["asked"]
    assert f"POST {not_by}/runs/query" not in told["asked"]
    nested = next(one for one in listed if one["name"].startswith("nested"))
    assert nested["feedback_stats"]["shallow"]["n"] == 8  # two times two, each twice
    for name in told["names"]:  # what compares is no opinion of the runs themselves
        read = client.read_project(project_name=name, include_stats=True)
        assert not {"preferred", "shallow"} & read.feedback_stats.keys()
    assert [one["id"] for one in told["own"]["experiments_info"]] == [
        told["projects"][1]["id"],
        told["projects"][0]["id"],
    ]
    assert told["made"]["extra"] == {"any": "thing", "metadata": {"team": mark}}
    assert (told["taken"]["name"], told["taken"]["status"]) == ("LangSmithConflictError", 409)
    assert told["upserted"] is True
    assert told["updated"]["name"] == f"renamed-{mark}"
    assert told["updated"]["end_time"].startswith("2026-11-20T12:00:00")
    assert told["updated"]["extra"]["metadata"] == {"team": mark, "lead": "ada"}
    assert told["found"] == [f"renamed-{mark}"] == told["free"]
    assert sorted(told["experiments"]) == sorted(told["names"])
    assert (told["byIds"], told["has"], told["hasNot"], told["after"]) == (1, True, False, False)
    assert told["made"]["id"] in told["url"]
    assert told["dataset"] in told["datasetUrl"]
