"""evaluate of the unmodified JavaScript SDK, against a live server."""

from __future__ import annotations

from uuid import uuid4

import pytest

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
