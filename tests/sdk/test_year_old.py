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
PATIENCE_S = 240
# What the SDK of a year ago cannot be asked, by test: it has no such method or parameter.
NOT_YET_IN_IT: dict[str, dict[str, str]] = {
    "test_python.py": {
        "test_scales_are_declared_and_enforced": "create_feedback_config",
        "test_a_queue_is_made_filled_read_renamed_and_deleted": "list_runs_from_annotation_queue",
    },
    "test_feedback.py": {
        "test_a_value_is_any_json_but_a_list": "its model reads numbers as texts",
        "test_every_keyword_of_create_feedback_is_kept": "Feedback.start_time",
        "test_a_scale_sent_with_feedback_is_declared": "list_feedback_configs",
        "test_a_scale_is_declared_listed_changed_enforced_and_withdrawn": "create_feedback_config",
        "test_categories_are_added_and_removed_of_a_scale_of_several": "create_feedback_config",
    },
    "test_runs.py": {
        "test_create_run_and_update_run_are_read_back": "read_run(project_id=)",
        "test_every_keyword_of_list_projects_narrows_the_list": "create_project(num_examples=)",
        "test_a_file_may_come_with_the_update_and_another_with_the_run": (
            "list_runs does not select s3_urls"
        ),
    },
    "test_sharing_and_threads.py": {
        "test_threads_are_listed_and_read": "list_threads",
    },
    "test_datasets.py": {
        "test_examples_are_deleted_softly_or_from_every_version": "delete_examples(hard_delete=)",
    },
    "test_experiments.py": {
        "test_an_evaluation_is_an_experiment_with_its_scores": "ExperimentResults.url",
    },
    "test_experiments_of_every_kind.py": {
        "test_projects_are_found_by_every_parameter": "create_project(num_examples=)",
    },
    "test_prompts.py": {
        "test_commits_are_found_by_prefixes_tags_and_in_pages": "push_prompt(commit_tags=)",
        "test_a_public_prompt_is_read_by_other_workspaces_and_changed_by_none": (
            "push_prompt(commit_tags=)"
        ),
    },
    "test_queues.py": {
        "test_a_queue_of_every_field_is_made_read_and_changed": "annotation_queues",
        "test_runs_are_added_read_held_completed_counted_exported_and_removed": "annotation_queues",
        "test_items_are_paged_placed_counted_and_deleted": "annotation_queues",
        "test_a_queue_is_filled_from_experiments": "annotation_queues",
    },
}


def test_the_sdk_of_a_year_ago_passes_the_same_tests(server: Server) -> None:
    without = [
        f"--deselect=tests/sdk/{file}::{name}"
        for file, names in NOT_YET_IN_IT.items()
        for name in names
    ]
    # Programs of their own are run by both releases already.
    words = ["-q", "-p", "no:randomly", "-k", "not newest and not year-old", *without]
    variables = environment(server, "year-old", SDK_TESTS_URL=server.url, SDK_TESTS_KEY=server.key)
    variables.pop("LANGSMITH_TRACING")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *(f"tests/sdk/{file}" for file in NOT_YET_IN_IT)],
        cwd=ROOT,
        env=versions.with_python(versions.YEAR_OLD, variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    closing = told.strip().splitlines()[-1]
    assert re.search(r"\d+ passed", closing), told
    assert not re.search(r"skipped|failed|error", closing), told
