"""Datasets through the unmodified JavaScript SDK, against a live server."""

from __future__ import annotations

from uuid import uuid4

import pytest

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
