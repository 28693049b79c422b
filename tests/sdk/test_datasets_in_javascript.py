"""Datasets through the unmodified JavaScript SDK, against a live server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.sdk import versions

pytestmark = pytest.mark.sdk


def test_datasets_and_examples_are_written_read_and_versioned(run_node) -> None:
    told = run_node("datasets", f"javascript-{uuid4().hex[:8]}")
    assert (told["before"], told["after"]) == (False, True)
    assert told["dataset"]["metadata"]["team"] == "a"
    assert told["again"]["status"] == 409
    assert (told["one"]["inputs"], told["one"]["outputs"]) == ({"q": "Größe?"}, {"a": 1.5})
    assert told["one"]["metadata"] == {"m": [1], "dataset_split": ["train"]}
    assert [example["inputs"] for example in told["many"]] == [{"n": 1}, {"n": 2}, {"n": 3}]
    ids = {example["id"] for example in told["listed"]}
    assert ids == {told["one"]["id"], *(example["id"] for example in told["many"])}
    assert told["changed"]["outputs"] == {"a": 2}
    assert told["changed"]["inputs"] == {"q": "Größe?"}
    assert told["gone"]["status"] == 404
    assert [example["id"] for example in told["train"]] == [told["one"]["id"]]
    assert len(told["atProd"]) == 4
    assert len(told["now"]) == 3
    assert [dataset["id"] for dataset in told["datasets"]] == [told["dataset"]["id"]]
    assert told["splits"] == ["base", "train"]
    assert told["difference"] == {
        "examples_added": [],
        "examples_modified": [told["one"]["id"]],
        "examples_removed": [told["many"][0]["id"]],
    }


# By the newest alone: the SDK of a year ago has no deleteExamples.
@pytest.mark.parametrize("release", [versions.NEWEST])
def test_every_other_method_of_datasets_and_examples(run_node) -> None:
    mark = uuid4().hex[:8]
    told = run_node("dataset_methods", mark)
    assert (told["csv"]["name"], told["csv"]["example_count"]) == (f"from-{mark}.csv", 2)
    assert told["bad"]["status"] == 422
    assert "n: 'x' is not of type 'integer'" in told["bad"]["message"]
    assert told["legacy"]["created_at"].startswith("2026-01-02T03:04:05.678")
    assert told["legacy"]["metadata"] == {"a": 1, "dataset_split": ["train"]}
    assert told["fromRun"]["inputs"] == {"n": 7}
    assert told["fromRun"]["outputs"]["m"] == 7
    assert told["filed"]["attachments"]["note.txt"]["mime_type"] == "text/plain"
    assert told["content"] == "hi"
    assert told["changedFiles"]["count"] == 1
    assert told["files"] == ["more", "renamed"]
    assert told["updates"]["count"] == 2
    assert told["splits"] == ["hard", "test", "train"]
    assert told["inTest"] == [told["fromRun"]["id"]]
    assert told["filtered"] == [{"a": 2, "dataset_split": ["train", "hard"]}]
    assert (told["renamed"]["name"], told["renamed"]["description"]) == (f"renamed-{mark}", "new")
    assert (
        told["renamed"]["inputs_schema_definition"] == told["dataset"]["inputs_schema_definition"]
    )
    assert told["fineTuning"] == [
        {
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "hello"},
            ]
        }
    ]
    assert (told["llm"]["inputs"], told["llm"]["outputs"]) == (
        {"input": "why?"},
        {"output": "because"},
    )
    assert told["shared"]["id"] == told["csv"]["id"]
    assert told["sharedSchema"]["share_token"] == told["share"]["share_token"]
    assert told["chosen"]["id"] == told["sharedExamples"][1]["id"]
    assert sorted(one["inputs"]["question"] for one in told["cloned"]) == ["how?", "why?"]
    assert {one["outputs"]["answer"] for one in told["cloned"]} == {"so", "because"}
    assert told["closed"]["status"] == 404
    assert told["left"] == []
    assert len(told["byName"]) == 4
    assert told["gone"] is False
