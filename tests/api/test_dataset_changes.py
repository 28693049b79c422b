"""Datasets that are changed: their schemas, transformations, baseline and examples at once."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client as Anybody

from datasets_app import examples
from datasets_app.examples import ExampleInput
from tests.conftest import NOON
from tests.factories import DatasetFactory, ProjectFactory, judge, make_run

PREBUILT = "https://api.smith.langchain.com/public/schemas/v1"
CHAT = {
    "type": "object",
    "properties": {
        "messages": {"type": "array", "items": {"$ref": f"{PREBUILT}/message.json"}},
        "tools": {"type": "array", "items": {"$ref": f"{PREBUILT}/tooldef.json"}},
    },
    "required": ["messages"],
}
STEPS = [
    {"path": ["inputs"], "transformation_type": "remove_extra_fields"},
    {"path": ["inputs", "messages"], "transformation_type": "convert_to_openai_message"},
    {"path": ["inputs", "messages"], "transformation_type": "remove_system_messages"},
    {"path": ["inputs", "tools"], "transformation_type": "convert_to_openai_tool"},
    {"path": ["outputs"], "transformation_type": "remove_extra_fields"},
]


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme, name="golden")


@pytest.fixture
def chat(api) -> str:
    body = {"name": "chat", "inputs_schema_definition": CHAT, "transformations": STEPS}
    answer = api.post("/datasets", body)
    assert answer.status_code == 200, answer.content
    assert answer.json()["transformations"] == STEPS
    return answer.json()["id"]


def test_a_run_becomes_an_example_as_the_datasets_transformations_make_it(api, acme, chat) -> None:
    weather = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    run = make_run(
        ProjectFactory(workspace=acme),
        run_type="llm",
        inputs={"messages": [[["system", "Be kind"], ["human", "Weather?"]]], "stop": None},
        outputs={"generations": []},
        extra={"invocation_params": {"model": "m1", "tools": [weather]}},
    )
    body = {"dataset_id": chat, "source_run_id": str(run.id), "use_source_run_io": True}
    sent = api.post("/examples", body).json()
    assert sent["inputs"] == {
        "messages": [{"role": "user", "content": "Weather?"}],
        "tools": [{"type": "function", "function": weather}],
    }
    assert sent["outputs"] == {"generations": []}  # outputs have no schema to be extra to
    changed = api.patch(
        f"/examples/{sent['id']}", {"inputs": {"messages": [["ai", "x"]], "extra": 1}}
    )
    assert changed.json()["inputs"] == {"messages": [{"role": "assistant", "content": "x"}]}


def test_what_fits_after_the_transformations_is_valid(api, chat) -> None:
    good = {"dataset_id": chat, "inputs": {"input": [{"type": "human", "content": "hi"}]}}
    assert api.post("/examples/validate", good).json() == {"valid": True}
    bad = {"dataset_id": chat, "inputs": {"messages": [{"role": "ghost", "content": "x"}]}}
    refused = api.post("/examples", bad)
    assert refused.status_code == 422
    assert "messages.0.role: 'ghost' is not one of" in refused.json()["detail"]


@pytest.mark.parametrize("name", ["message", "tooldef"])
def test_prebuilt_schemas_are_public(name) -> None:
    told = Anybody().get(f"/api/public/schemas/v1/{name}.json").json()
    assert told["type"] == "object"
    assert told["$id"].endswith(f"/public/schemas/v1/{name}.json")


def test_an_invalid_transformation_is_refused_by_position(api, dataset) -> None:
    step = {"path": ["inputs"], "transformation_type": "shout"}
    for answer in (
        api.post("/datasets", {"name": "x", "transformations": [step]}),
        api.patch(f"/datasets/{dataset.uuid}", {"transformations": [step]}),
    ):
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("transformations: [0].transformation_type")


def test_a_schema_and_its_examples_change_together_or_not_at_all(api, rival_api, dataset) -> None:
    [uuid] = examples.create(dataset, [ExampleInput(inputs='{"n":"1"}')], now=NOON).example_ids
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    path = f"/datasets/{dataset.uuid}"
    body = {"inputs_schema_definition": schema, "patch_examples": {str(uuid): {"inputs": {"n": 1}}}}
    bad = {**body, "name": "new", "patch_examples": {str(uuid): {"inputs": {"n": "one"}}}}
    assert api.patch(path, bad).status_code == 422
    told = api.get(path).json()
    assert (told["name"], told["inputs_schema_definition"]) == ("golden", None)
    assert rival_api.patch(path, body).status_code == 404
    assert api.patch(path, {"patch_examples": {str(uuid4()): {}}}).status_code == 404
    refused = api.patch(path, {"patch_examples": {"x": {}}})
    assert (refused.status_code, refused.json()["detail"][:17]) == (422, "patch_examples.x:")

    assert api.patch(path, body).json()["inputs_schema_definition"] == schema
    [row] = api.get("/examples", dataset=str(dataset.uuid)).json()
    assert row["inputs"] == {"n": 1}
    missing = {"__missing__": "__missing__"}
    assert api.patch(path, {"patch_examples": missing, "name": "b"}).json()["name"] == "b"


def test_a_baseline_is_an_experiment_of_the_dataset(api, dataset) -> None:
    path = f"/datasets/{dataset.uuid}"
    body = {"name": "e", "reference_dataset_id": str(dataset.uuid)}
    mine = api.post("/sessions", body).json()["id"]
    other = api.post("/sessions", {"name": "no experiment"}).json()["id"]
    assert api.patch(path, {"baseline_experiment_id": other}).status_code == 404
    told = api.patch(path, {"baseline_experiment_id": mine, "metadata": {"a": 1}}).json()
    assert (told["baseline_experiment_id"], told["metadata"]) == (mine, {"a": 1})
    assert api.patch(path, {"description": "d"}).json()["baseline_experiment_id"] == mine
    cleared = api.patch(path, {"baseline_experiment_id": None}).json()
    assert (cleared["baseline_experiment_id"], cleared["description"]) == (None, "d")


def test_fields_of_examples_are_selected(api, dataset) -> None:
    given = [ExampleInput(inputs='{"q":1}', outputs='{"a":2}', metadata={"m": 3})]
    examples.create(dataset, given, now=NOON)

    def fields(**query) -> set[str]:
        [row] = api.get("/examples", dataset=str(dataset.uuid), **query).json()
        return set(row)

    usual = {"id", "created_at", "modified_at", "name", "dataset_id", "inputs"}
    assert fields() == usual | {"outputs", "metadata", "source_run_id"}
    assert fields(select=["outputs"]) == usual | {"outputs"}
    assert fields(select=["outputs"], exclude_default_fields="True") == {"id", "outputs"}
    assert fields(exclude_default_fields="true") == {"id"}
    refused = api.get("/examples", dataset=str(dataset.uuid), select=["colour"])
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("select.0: must be attachment_urls, ")


def test_an_example_of_a_run_that_is_not_stored_is_refused(api, dataset) -> None:
    body = {"dataset_id": str(dataset.uuid), "use_source_run_io": True}
    for run in ({}, {"source_run_id": str(uuid4())}):
        answer = api.post("/examples", {**body, **run})
        assert answer.status_code == 404
        assert "source_run_id: the run is not stored" in answer.json()["detail"]
    assert api.get("/examples", dataset=str(dataset.uuid)).json() == []


def test_an_example_is_deleted_under_its_dataset_only(api, rival_api, dataset) -> None:
    [uuid] = examples.create(dataset, [ExampleInput(inputs="{}")], now=NOON).example_ids
    other = api.post("/datasets", {"name": "other"}).json()["id"]
    path = f"/api/v1/platform/datasets/{dataset.uuid}/examples/{uuid}"
    assert api.delete(path.replace(str(dataset.uuid), other)).status_code == 404
    assert rival_api.delete(path).status_code == 404
    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == 204  # deleted already: so it stays
    assert api.get(f"/examples/{uuid}").status_code == 404


def test_metadata_of_many_examples_changes_in_one_version(api, rival_api, dataset) -> None:
    given = [ExampleInput(inputs="{}", metadata={"keep": 1, "seen": "x"}) for _ in range(3)]
    ids = [str(uuid) for uuid in examples.create(dataset, given, now=NOON).example_ids]
    path = f"/api/v1/platform/datasets/{dataset.uuid}/examples/metadata"
    body = {
        "example_ids": [ids[1], str(uuid4()), ids[0]],
        "operations": [
            {"key": "model", "operation": "SET", "value": {"name": "m1"}},
            {"key": "seen", "operation": "ARRAY_ADD", "values": ["a", "b", "a"]},
            {"key": "seen", "operation": "array_remove", "values": ["b"]},
            {"key": "dataset_split", "operation": "ARRAY_ADD", "values": ["train"]},
        ],
    }
    answer = api.patch(path, body)
    assert answer.status_code == 207
    told = [one["status"] for one in answer.json()["statuses"]]
    assert told == ["UPDATED", "NOT_FOUND", "UPDATED"]
    for uuid in ids[:2]:
        assert api.get(f"/examples/{uuid}").json()["metadata"] == {
            "keep": 1,
            "model": {"name": "m1"},
            "seen": ["a"],
            "dataset_split": ["train"],  # as PUT .../splits does, which the SDK used before
        }
    assert api.get(f"/examples/{ids[2]}").json()["metadata"]["seen"] == "x"
    assert len(api.get(f"/datasets/{dataset.uuid}/versions").json()) == 2
    assert rival_api.patch(path, body).status_code == 404
    for wrong, words in (
        ({"example_ids": []}, "example_ids"),
        ({"operations": []}, "operations: must"),
        ({"operations": [{"key": "a", "operation": "GROW"}]}, "operations.0.operation"),
        ({"operations": [{"key": "a" * 256, "operation": "SET"}]}, "operations.0.key"),
        ({"operations": [{"key": "a", "operation": "ARRAY_ADD"}]}, "operations.0.values"),
        (
            {"operations": [{"key": "dataset_split", "operation": "SET", "value": 1}]},
            "it is a split",
        ),
        (
            {"operations": [{"key": "a", "operation": "ARRAY_ADD", "values": ["b"]}] * 11},
            "at most 10",
        ),
    ):
        refused = api.patch(path, {**body, **wrong})
        assert (refused.status_code, words in refused.json()["detail"]) == (422, True), words


@pytest.mark.parametrize("which", ["index", "search", "index/sync"])
def test_similarity_search_is_refused_in_words(api, dataset, which) -> None:
    answer = api.post(f"/datasets/{dataset.uuid}/{which}", {"inputs": {}, "limit": 3})
    assert answer.status_code == 404
    assert "not offered" in answer.json()["detail"]


def test_shared_experiments_come_with_their_feedback_and_by_many_tokens(api, dataset) -> None:
    project = ProjectFactory(workspace=dataset.workspace, reference_dataset_id=dataset.uuid)
    elsewhere = ProjectFactory(workspace=dataset.workspace)
    run = make_run(project)
    judge(run, "exact", 1.0)
    judge(run, "tone", 0.5)
    judge(make_run(elsewhere), "secret", 1.0)
    token = api.put(f"/datasets/{dataset.uuid}/share").json()["share_token"]

    def told(path: str):
        return Anybody().get(f"/api/v1/public/{path}")

    path = f"{token}/datasets/feedback"
    assert {one["key"] for one in told(path).json()} == {"exact", "tone"}
    assert [one["key"] for one in told(f"{path}?run={run.id}&key=tone").json()] == ["tone"]
    assert told(f"{path}?session={elsewhere.uuid}").json() == []
    bulk = told(f"datasets/sessions-bulk?share_tokens={token}&share_tokens={uuid4()}")
    assert [one["name"] for one in bulk.json()] == [project.name]
    assert told("datasets/sessions-bulk").status_code == 422
    api.put(f"/datasets/{dataset.uuid}/share?share_projects=false")
    assert told(path).status_code == 404
    assert told(f"datasets/sessions-bulk?share_tokens={token}").json() == []
