"""Datasets that are shared, and datasets as files."""

from __future__ import annotations

import csv
import io
import json
from functools import reduce
from uuid import uuid4

import pytest
from django.test import Client

from datasets_app import examples
from datasets_app.examples import ExampleInput
from tests.conftest import NOON
from tests.factories import DatasetFactory


@pytest.fixture
def dataset(acme):
    dataset = DatasetFactory(workspace=acme, name="golden")
    given = [
        ExampleInput(inputs='{"question":"why?"}', outputs='{"answer":"=1+1"}', splits=["train"]),
        ExampleInput(inputs='{"question":"how?"}', outputs='{"answer":"so"}'),
    ]
    examples.create(dataset, given, now=NOON)
    return dataset


@pytest.fixture
def anybody() -> Client:
    return Client(raise_request_exception=False)


def test_a_token_opens_one_dataset_until_it_is_not_shared_any_more(
    api, rival_api, dataset, anybody
) -> None:
    path = f"/datasets/{dataset.uuid}/share"
    assert api.get(path).status_code == 404
    share = api.put(path, {"dataset_id": str(dataset.uuid)}).json()
    assert share["dataset_id"] == str(dataset.uuid)
    assert api.put(path).json() == share == api.get(path).json()
    assert rival_api.get(path).status_code == rival_api.put(path).status_code == 404
    token = share["share_token"]
    api.post("/sessions", {"name": "e", "reference_dataset_id": str(dataset.uuid)})
    api.post("/sessions", {"name": "not of the dataset"})

    def opened(what: str):
        return anybody.get(f"/api/v1/public/{token}/{what}")

    assert opened("datasets").json()["name"] == "golden"
    assert len(opened("examples").json()) == opened("examples/count").json() == 2
    assert len(opened("examples?limit=1&offset=1").json()) == 1
    assert [one["name"] for one in opened("datasets/sessions").json()] == ["e"]
    assert opened("datasets/comparative").json() == []
    assert anybody.get(f"/public/{uuid4()}/datasets").status_code == 404
    assert anybody.post(f"/public/{token}/examples").status_code == 405

    api.put(f"{path}?share_projects=false")
    assert opened("datasets/sessions").status_code == 404
    assert opened("examples").status_code == 200
    assert api.delete(path).status_code == 200
    assert opened("datasets").status_code == opened("examples").status_code == 404
    assert api.put(path).json()["share_token"] != token


def test_a_dataset_is_downloaded_as_it_was(api, rival_api, dataset) -> None:
    examples.create(dataset, [ExampleInput(inputs='{"late":1}')], now=NOON.replace(hour=13))
    base, then = f"/datasets/{dataset.uuid}", NOON.isoformat()
    answer = api.get(f"{base}/jsonl", as_of=then)
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert [line["inputs"]["question"] for line in lines] == ["why?", "how?"]
    assert lines[0]["metadata"] == {"dataset_split": ["train"]}
    text = b"".join(api.get(f"{base}/csv", as_of=then).streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["input_question"] == "why?"
    assert rows[0]["output_answer"] == "=1+1"
    guarded = api.get(f"{base}/csv", as_of=then, spreadsheet="true")
    assert b"'=1+1" in b"".join(guarded.streaming_content)  # no formula for a spreadsheet
    assert len(b"".join(api.get(f"{base}/jsonl").streaming_content).splitlines()) == 3
    chats = [json.loads(line) for line in api.get(f"{base}/openai_ft").content.splitlines()]
    assert chats[1]["messages"] == [
        {"role": "user", "content": "how?"},
        {"role": "assistant", "content": "so"},
    ]
    assert rival_api.get(f"{base}/csv").status_code == 404
    empty = DatasetFactory(workspace=dataset.workspace, name="empty")
    assert api.get(f"/datasets/{empty.uuid}/openai_ft").status_code == 422


def test_examples_are_cloned_under_ids_of_their_own(api, rival_api, dataset) -> None:
    target = DatasetFactory(workspace=dataset.workspace, name="copy")
    body = {"source_dataset_id": str(dataset.uuid), "target_dataset_id": str(target.uuid)}
    [copied] = api.post("/datasets/clone", {**body, "split": "train"}).json()
    assert (copied["inputs"], copied["dataset_id"]) == ({"question": "why?"}, str(target.uuid))
    assert len(api.post("/datasets/clone", body).json()) == 2
    assert rival_api.post("/datasets/clone", body).status_code == 404
    assert api.post("/datasets/clone", {}).status_code == 422


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def test_an_example_that_breaks_the_schema_is_refused_by_path(api) -> None:
    made = api.post("/datasets", {"name": "s", "inputs_schema_definition": SCHEMA}).json()
    good, bad = (
        {"dataset_id": made["id"], "id": str(uuid4()), "inputs": {"n": n}} for n in (1, "x")
    )
    answer = api.post("/examples/bulk", [good, bad])
    assert answer.status_code == 422
    assert bad["id"] in answer.json()["detail"]
    assert "inputs" in answer.json()["detail"]
    assert "n: 'x' is not of type 'integer'" in answer.json()["detail"]
    assert api.get("/examples", dataset=made["id"]).json() == []  # nothing of it was stored
    assert api.post("/examples/validate", bad).status_code == 422
    assert api.post("/examples/validate/bulk", [good]).json() == [{"valid": True}]
    assert api.post("/examples", good).status_code == 200
    changed = api.patch(f"/examples/{good['id']}", {"inputs": {"n": None}})
    assert changed.status_code == 422
    assert api.patch(f"/examples/{good['id']}", {"outputs": {"any": "thing"}}).status_code == 200


def test_a_schema_must_be_valid_and_fetches_nothing(api) -> None:
    answer = api.post("/datasets", {"name": "s", "inputs_schema_definition": {"type": "colour"}})
    assert answer.status_code == 422
    assert "inputs_schema_definition" in answer.json()["detail"]
    remote = {"$ref": "http://127.0.0.1:9/schema.json"}
    made = api.post("/datasets", {"name": "s", "inputs_schema_definition": remote}).json()
    sent = api.post("/examples", {"dataset_id": made["id"], "inputs": {}})
    assert sent.status_code == 422
    assert "has a reference without a target" in sent.json()["detail"]


ODD_SCHEMAS = [
    ({"pattern": "["}, "pattern"),
    ({"properties": {"q": {"pattern": "(" * 400}}}, "properties.q.pattern"),
    ({"$ref": "#"}, "refers to itself"),
    (reduce(lambda inner, _: {"not": inner}, range(150), {}), "deeper than"),
    ({"$schema": []}, "$schema"),
]


@pytest.mark.parametrize(("schema", "reason"), ODD_SCHEMAS)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_schema_that_cannot_be_run_is_refused_when_it_is_set(api, schema, reason, side) -> None:
    name = f"{side}_schema_definition"
    for answer in (
        api.post("/datasets", {"name": "s", name: schema}),
        api.patch(
            f"/datasets/{api.post('/datasets', {'name': 'kept'}).json()['id']}", {name: schema}
        ),
    ):
        assert answer.status_code == 422, answer.content
        assert answer.json()["detail"].startswith(name)
        assert reason in answer.json()["detail"]


@pytest.mark.parametrize(
    "schema", [{"pattern": "^(a+)+$"}, {"$ref": "#/properties/q"}, {"$id": 5}, {"pattern": "["}]
)
def test_a_schema_from_before_it_was_checked_answers_422_to_examples(api, acme, schema) -> None:
    held = {"properties": {"q": schema}}
    dataset = DatasetFactory(workspace=acme, inputs_schema_definition=held)
    sent = {"dataset_id": str(dataset.uuid), "inputs": {"q": "a" * 34 + "b"}}
    for path in ("/examples", "/examples/validate"):
        assert api.post(path, sent).status_code == 422
