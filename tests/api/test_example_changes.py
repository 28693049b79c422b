"""What a change of examples does to their files, their versions and their datasets."""

from __future__ import annotations

from uuid import uuid4

import pytest

from datasets_app import examples
from datasets_app.examples import ExampleInput
from datasets_app.models import Dataset
from tests.conftest import NOON
from tests.factories import DatasetFactory
from tests.multipart import multipart, run_parts


@pytest.fixture
def dataset(acme) -> Dataset:
    return DatasetFactory(workspace=acme, name="golden")


def sent(api, method: str, dataset: Dataset, parts):
    return api.client.generic(
        method,
        f"/v1/platform/datasets/{dataset.uuid}/examples",
        multipart(parts, "edge"),
        content_type="multipart/form-data; boundary=edge",
    )


def with_files(api, dataset: Dataset, **contents: bytes) -> str:
    uuid = str(uuid4())
    parts = [(uuid, {}), (f"{uuid}.inputs", {"q": 1})]
    parts += [(f"{uuid}.attachment.{name}", raw, "text/plain") for name, raw in contents.items()]
    assert sent(api, "POST", dataset, parts).status_code == 200
    return uuid


def names(api, uuid: str) -> set[str]:
    urls = api.get(f"/examples/{uuid}").json().get("attachment_urls") or {}
    return {name.removeprefix("attachment.") for name in urls}


def test_new_files_without_operations_take_the_place_of_the_old(api, dataset) -> None:
    uuid = with_files(api, dataset, a=b"1", b=b"2")
    added = (f"{uuid}.attachment.c", b"3", "text/plain")
    assert sent(api, "PATCH", dataset, [(uuid, {}), added]).status_code == 200
    assert names(api, uuid) == {"c"}
    assert (
        sent(api, "PATCH", dataset, [(uuid, {}), (f"{uuid}.outputs", {"x": 1})]).status_code == 200
    )
    assert names(api, uuid) == {"c"}
    kept = (f"{uuid}.attachments_operations", {"retain": ["c"]})
    added = (f"{uuid}.attachment.d", b"4", "text/plain")
    assert sent(api, "PATCH", dataset, [(uuid, {}), kept, added]).status_code == 200
    assert names(api, uuid) == {"c", "d"}


@pytest.mark.parametrize(
    "operations",
    [
        {"retain": ["b"], "rename": {"a": "b"}},
        {"retain": [], "rename": {"a": "c", "b": "c"}},
    ],
)
def test_two_files_cannot_have_one_name(api, dataset, operations) -> None:
    uuid = with_files(api, dataset, a=b"1", b=b"2")
    answer = sent(
        api, "PATCH", dataset, [(uuid, {}), (f"{uuid}.attachments_operations", operations)]
    )
    assert answer.status_code == 422
    assert answer.json()["detail"].split(".")[1].startswith("attachments_operations")
    assert names(api, uuid) == {"a", "b"}


def test_taking_inputs_and_outputs_of_a_run_takes_its_files(api, dataset) -> None:
    run = str(uuid4())
    parts = [*run_parts(run), (f"attachment.{run}.photo", b"png", "image/png")]
    parts += [(f"attachment.{run}.note", b"txt", "text/plain")]
    answer = api.client.post(
        "/runs/multipart",
        multipart(parts, "edge", with_length=True),
        content_type="multipart/form-data; boundary=edge",
    )
    assert answer.status_code == 202, answer.content
    body = {"dataset_id": str(dataset.uuid), "source_run_id": run, "use_source_run_io": True}
    assert names(api, api.post("/examples", body).json()["id"]) == {"photo", "note"}
    uuid = str(uuid4())
    some = {**body, "use_source_run_attachments": ["note"]}
    assert sent(api, "POST", dataset, [(uuid, some)]).status_code == 200
    assert names(api, uuid) == {"note"}


def test_an_update_that_changes_nothing_is_no_version_and_no_difference(api, dataset) -> None:
    written = examples.create(dataset, [ExampleInput(inputs='{"a": 1, "b": [1.50]}')], now=NOON)
    [uuid], first = written.example_ids, written.as_of.isoformat()
    same = '{"b":[1.50],"a":1}'
    path = f"/examples/{uuid}"
    for text in (same, '{ "a": 1, "b": [1.50] }'):
        answer = api.client.generic(
            "PATCH", path, f'{{"inputs": {text}}}', content_type="application/json"
        )
        assert answer.status_code == 200
    body = f'[{{"id": "{uuid}", "dataset_id": "{dataset.uuid}", "inputs": {same}}}]'
    api.client.generic("POST", "/examples/bulk", body, content_type="application/json")
    assert len(api.get(f"/datasets/{dataset.uuid}/versions").json()) == 1
    query = {"from_version": first, "to_version": "latest"}
    diff = f"/datasets/{dataset.uuid}/versions/diff"
    assert api.get(diff, **query).json()["examples_modified"] == []
    api.patch(path, {"inputs": {"a": 3}})
    assert api.get(diff, **query).json()["examples_modified"] == [str(uuid)]


def test_an_example_changed_and_changed_back_is_no_difference(api, dataset) -> None:
    written = examples.create(dataset, [ExampleInput(inputs='{"a":1}')], now=NOON)
    [uuid], first = written.example_ids, written.as_of.isoformat()
    for number in (2, 1):
        sent_text = f'{{"inputs":{{"a":{number}}}}}'
        api.client.generic("PATCH", f"/examples/{uuid}", sent_text, content_type="application/json")
    query = {"from_version": first, "to_version": "latest"}
    diff = api.get(f"/datasets/{dataset.uuid}/versions/diff", **query).json()
    assert diff == {"examples_added": [], "examples_modified": [], "examples_removed": []}


def test_examples_of_two_datasets_in_one_call_are_refused_and_nothing_changes(
    api, acme, dataset
) -> None:
    other = DatasetFactory(workspace=acme, name="other")
    ids = [
        str(examples.create(one, [ExampleInput(inputs="{}")], now=NOON).example_ids[0])
        for one in (dataset, other)
    ]
    bulk = [{"id": uuid, "inputs": {"new": 1}} for uuid in ids]
    assert api.patch("/examples/bulk", bulk).status_code == 409
    parts = [part for uuid in ids for part in ((uuid, {}), (f"{uuid}.inputs", {"new": 1}))]
    assert sent(api, "PATCH", dataset, parts).status_code == 409
    moved = [(ids[0], {"dataset_id": str(other.uuid)})]
    assert sent(api, "PATCH", dataset, moved).status_code == 409
    for uuid in ids:
        assert api.get(f"/examples/{uuid}").json()["inputs"] == {}
    assert sent(api, "PATCH", dataset, [(str(uuid4()), {})]).status_code == 404


def test_resource_tags_are_refused_and_nothing_has_one(api, dataset) -> None:
    tags = {"tag_value_ids": [str(uuid4())]}
    for answer in (
        api.post("/datasets", {"name": "new", **tags}),
        api.patch(f"/datasets/{dataset.uuid}", tags),
        api.post("/repos", {"repo_handle": "greeting", "is_public": False, **tags}),
    ):
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("tag_value_ids")
    assert api.get("/datasets", tag_value_id=str(uuid4())).json() == []
    assert api.get("/repos", tag_value_id=str(uuid4())).json()["repos"] == []
