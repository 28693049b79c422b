"""A user's suite, marked for the SDK's pytest plugin, run against a live server."""

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import pytest

from tests.sdk import versions
from tests.sdk.conftest import environment

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]
SUITE = """
import pytest
from langsmith import testing as t


@pytest.mark.langsmith
@pytest.mark.parametrize("n", [2, 3])
def test_square(n):
    t.log_inputs({"n": n})
    t.log_reference_outputs({"square": n * n})
    answer = n * n
    t.log_outputs({"square": answer})
    t.log_feedback(key="exact", score=1.0)
    assert answer == n * n


@pytest.mark.langsmith
def test_wrong():
    t.log_inputs({"n": 4})
    t.log_outputs({"square": 15})
    assert 15 == 16
"""


@pytest.mark.parametrize("version", [versions.NEWEST, versions.YEAR_OLD])
def test_a_marked_suite_is_a_dataset_and_an_experiment(client, server, tmp_path, version) -> None:
    suite = f"suite-{uuid4().hex[:8]}"
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for expected in (1, 2):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:django", "."],
            cwd=tmp_path,
            env=versions.with_python(
                version, environment(server, "suite", LANGSMITH_TEST_SUITE=suite)
            ),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
        dataset = client.read_dataset(dataset_name=suite)
        assert dataset.session_count == expected
    examples = list(client.list_examples(dataset_id=dataset.id))
    assert sorted(example.inputs["n"] for example in examples) == [2, 3, 4]
    projects = list(client.list_projects(reference_dataset_id=dataset.id, include_stats=True))
    for project in projects:
        assert project.run_count == 3
        assert project.feedback_stats["pass"]["avg"] == pytest.approx(2 / 3)
        assert project.feedback_stats["exact"]["n"] == 2
