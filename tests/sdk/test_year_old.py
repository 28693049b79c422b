"""The tests that call the Python SDK in their own process, again by the SDK of a year ago."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.live import ROOT
from tests.sdk import versions
from tests.sdk.conftest import Server, environment

pytestmark = pytest.mark.sdk
# What the SDK of a year ago cannot be asked, by test: it has no such method or parameter.
NOT_YET_IN_IT = {
    "test_python.py": {
        "test_scales_are_declared_and_enforced": "no create_feedback_config",
        "test_a_queue_is_made_filled_read_renamed_and_deleted": "no list_runs_from_annotation_queue",
    },
    "test_experiments.py": {
        "test_an_evaluation_is_an_experiment_with_its_scores": "no ExperimentResults.url",
    },
}


@pytest.mark.parametrize("file", NOT_YET_IN_IT)
def test_the_sdk_of_a_year_ago_passes_the_same_tests(server: Server, file: str) -> None:
    without = [f"--deselect=tests/sdk/{file}::{name}" for name in NOT_YET_IN_IT[file]]
    # Programs of their own are run by both releases already.
    words = ["-q", "-p", "no:randomly", "-k", "not newest and not year-old", *without]
    variables = environment(server, "year-old", SDK_TESTS_URL=server.url, SDK_TESTS_KEY=server.key)
    variables.pop("LANGSMITH_TRACING")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, f"tests/sdk/{file}"],
        cwd=ROOT,
        env=versions.with_python(versions.YEAR_OLD, variables),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    closing = told.strip().splitlines()[-1]
    assert re.search(r"\d+ passed", closing), told
    assert not re.search(r"skipped|failed|error", closing), told
