"""One suite, run by the SDK's Jest plugin and by its Vitest plugin, against a live server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from langsmith import Client

from tests.live import Live
from tests.sdk import versions
from tests.sdk.conftest import environment

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]
COMMANDS = {
    "jest": ("jest/bin/jest.js", "--config", "suites/jest.config.cjs"),
    "vitest": ("vitest/vitest.mjs", "run", "--config", "suites/vitest.config.mjs"),
}


def directory_of(version: str) -> Path:
    """Return where the suite finds the SDK of `version` beside itself."""
    if version == versions.NEWEST:
        return versions.JS
    # A copy: what a linked file imports is looked for where it really is.
    shutil.copytree(versions.JS / "suites", versions.JS_OLD / "suites", dirs_exist_ok=True)
    return versions.JS_OLD


@pytest.mark.parametrize("version", [versions.NEWEST, versions.YEAR_OLD])
@pytest.mark.parametrize("plugin", COMMANDS)
def test_a_suite_is_a_dataset_and_each_time_it_runs_an_experiment(
    client: Client, server: Live, node: str, plugin: str, version: str
) -> None:
    suite = f"{plugin}-{uuid4().hex[:8]}"
    program, *options = COMMANDS[plugin]
    directory = directory_of(version)
    for _ in range(2):
        done = subprocess.run(
            [node, str(directory / "node_modules" / program), *options],
            cwd=directory,
            env=environment(server, "suite", SUITE=suite, CI="true"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told = done.stdout + done.stderr
        assert done.returncode == 1, told  # the last case fails, as intended
        assert told.count("Passed") == 2, told
        assert told.count("Failed") >= 2, told

    dataset = client.read_dataset(dataset_name=suite)
    assert dataset.metadata["__ls_runner"] == plugin
    assert (dataset.example_count, dataset.session_count) == (3, 2)
    examples = {one.inputs["n"]: one for one in client.list_examples(dataset_id=dataset.id)}
    assert examples[2].outputs == {"square": 4}
    assert examples[2].metadata == {"kind": "even", "dataset_split": ["small"]}
    projects = list(client.list_projects(reference_dataset_id=dataset.id, include_stats=True))
    assert [project.metadata["model"] for project in projects] == ["m1", "m1"]
    for project in projects:
        assert project.run_count == 4
        stats = project.feedback_stats
        assert (stats["pass"]["n"], stats["pass"]["avg"]) == (4, 0.5)
        assert (stats["distance"]["n"], stats["distance"]["avg"]) == (1, 0.25)
        assert (stats["exact"]["n"], stats["exact"]["avg"]) == (1, 1.0)
    # The SDK of a year ago drops what a failing case has logged.
    of_a_failure = {"square": 15} if version == versions.NEWEST else None
    read = client.get_experiment_results(project_id=projects[0].id)
    runs = {row.inputs["n"]: row.runs for row in read["examples_with_runs"]}
    assert {n: [run.outputs for run in found] for n, found in runs.items()} == {
        2: [{"square": 4}],
        3: [{"square": 9}],
        4: [of_a_failure] * 2,
    }
    assert {
        n: {run.feedback_stats["pass"]["avg"] for run in found} for n, found in runs.items()
    } == {
        2: {1.0},
        3: {1.0},
        4: {0.0},
    }
    assert {n: {bool(run.error) for run in found} for n, found in runs.items()} == {
        2: {False},
        3: {False},
        4: {True},
    }
