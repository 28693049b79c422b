"""Datasets through the unmodified Python SDK, against a live server."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from langsmith import Client
from langsmith.utils import LangSmithConflictError, LangSmithNotFoundError

from observatory.runs.models import Run
from tests.factories import WireClient, WorkspaceFactory

pytestmark = [pytest.mark.sdk, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def workspace(db):
    return WorkspaceFactory(slug="acme")


@pytest.fixture
def sdk(live_server, workspace):
    client = Client(api_url=f"{live_server.url}/api", api_key=WireClient(workspace).token)
    yield client
    client.close()


def test_datasets_are_created_found_listed_and_deleted(sdk) -> None:
    made = sdk.create_dataset("golden", description="d", metadata={"team": "a"})
    assert sdk.read_dataset(dataset_name="golden").id == made.id
    assert sdk.read_dataset(dataset_id=made.id).description == "d"
    assert sdk.has_dataset(dataset_name="golden")
    assert not sdk.has_dataset(dataset_name="silver")
    assert not sdk.has_dataset(dataset_id=uuid4())
    assert [one.name for one in sdk.list_datasets(dataset_name_contains="old")] == ["golden"]
    assert [one.id for one in sdk.list_datasets(metadata={"team": "a"})] == [made.id]
    assert [one.id for one in sdk.list_datasets(dataset_ids=[made.id])] == [made.id]
    with pytest.raises(LangSmithConflictError):
        sdk.create_dataset("golden")
    sdk.delete_dataset(dataset_id=made.id)
    with pytest.raises(LangSmithNotFoundError):
        sdk.read_dataset(dataset_name="golden")


def test_examples_are_created_read_changed_and_deleted(sdk) -> None:
    dataset = sdk.create_dataset("golden")
    uuid = uuid4()
    one = sdk.create_example(
        {"q": "Größe? \u2028"},
        dataset_id=dataset.id,
        outputs={"a": 1.5},
        metadata={"m": [1]},
        split=["train", "hard"],
        example_id=uuid,
    )
    assert one.id == uuid
    assert (one.inputs, one.outputs) == ({"q": "Größe? \u2028"}, {"a": 1.5})
    assert one.metadata == {"m": [1], "dataset_split": ["train", "hard"]}
    written = sdk.create_examples(
        dataset_id=dataset.id,
        examples=[{"inputs": {"n": n}, "outputs": {"n": n}} for n in range(120)],
    )
    assert written["count"] == 120
    listed = list(sdk.list_examples(dataset_name="golden"))
    assert len(listed) == 121
    assert len({row.id for row in listed}) == 121
    assert len(list(sdk.list_examples(dataset_id=dataset.id, limit=7, offset=118))) == 3
    assert [row.id for row in sdk.list_examples(example_ids=[uuid])] == [uuid]
    assert [row.id for row in sdk.list_examples(dataset_id=dataset.id, splits=["hard"])] == [uuid]
    assert [row.id for row in sdk.list_examples(dataset_id=dataset.id, metadata={"m": [1]})] == [
        uuid
    ]
    sdk.update_example(uuid, outputs={"a": 2}, metadata={"m": 2}, split="test")
    changed = sdk.read_example(uuid)
    assert (changed.inputs, changed.outputs) == ({"q": "Größe? \u2028"}, {"a": 2})
    assert changed.metadata == {"m": 2, "dataset_split": ["test"]}
    sdk.update_examples(dataset_id=dataset.id, updates=[{"id": uuid, "inputs": {"q": 3}}])
    assert sdk.read_example(uuid).inputs == {"q": 3}
    sdk.delete_example(uuid)
    with pytest.raises(LangSmithNotFoundError):
        sdk.read_example(uuid)
    sdk.delete_examples([row.id for row in listed if row.id != uuid])
    assert list(sdk.list_examples(dataset_id=dataset.id)) == []
    sdk.delete_examples([uuid], hard_delete=True)


def test_versions_tags_and_splits(sdk) -> None:
    dataset = sdk.create_dataset("golden")
    first = sdk.create_example({"q": 1}, dataset_id=dataset.id)
    before = sdk.read_dataset_version(dataset_id=dataset.id, tag="latest")
    second = sdk.create_example({"q": 2}, dataset_id=dataset.id)
    sdk.update_example(first.id, inputs={"q": 3})
    sdk.update_dataset_tag(dataset_id=dataset.id, as_of=before.as_of, tag="prod")
    newest = sdk.read_dataset_version(dataset_id=dataset.id, as_of=datetime.now(UTC))
    assert newest.tags == ["latest"]
    assert sdk.read_dataset_version(dataset_id=dataset.id, tag="prod").as_of == before.as_of
    assert len(list(sdk.list_dataset_versions(dataset_id=dataset.id))) == 3
    at_prod = list(sdk.list_examples(dataset_id=dataset.id, as_of="prod"))
    assert [row.inputs for row in at_prod] == [{"q": 1}]
    at_time = list(sdk.list_examples(dataset_id=dataset.id, as_of=at_prod[0].modified_at))
    assert [row.inputs for row in at_time] == [{"q": 1}]
    difference = sdk.diff_dataset_versions(dataset.id, from_version="prod", to_version="latest")
    assert difference.examples_added == [second.id]
    assert difference.examples_modified == [first.id]
    sdk.update_dataset_splits(dataset_id=dataset.id, split_name="train", example_ids=[first.id])
    assert sdk.list_dataset_splits(dataset_id=dataset.id) == ["base", "train"]


def test_an_example_uses_its_runs_inputs_and_outputs(sdk, workspace) -> None:
    run = Run.objects.create(
        workspace=workspace, id=uuid4(), trace_id=uuid4(), inputs='{"q": 1}', outputs='{"a": 2}'
    )
    dataset = sdk.create_dataset("golden")
    made = sdk.create_example(dataset_id=dataset.id, source_run_id=run.id, use_source_run_io=True)
    assert (made.inputs, made.outputs, made.source_run_id) == ({"q": 1}, {"a": 2}, run.id)


def test_the_same_upload_twice_is_one_example(sdk) -> None:
    dataset = sdk.create_dataset("golden")
    uuid = uuid4()
    for _ in range(2):
        sdk.create_examples(dataset_id=dataset.id, examples=[{"id": uuid, "inputs": {"q": 1}}])
    assert len(list(sdk.list_dataset_versions(dataset_id=dataset.id))) == 1


def test_a_bad_upload_stores_nothing(sdk) -> None:
    dataset = sdk.create_dataset("golden")
    with pytest.raises(Exception, match="must be a file name of 1 to"):
        sdk.create_examples(
            dataset_id=dataset.id,
            examples=[
                {"inputs": {"q": 1}},
                {"inputs": {"q": 2}, "attachments": {"a" * 1_001: ("text/plain", b"x")}},
            ],
        )
    assert list(sdk.list_examples(dataset_id=dataset.id)) == []


def test_files_of_examples_are_read_renamed_and_evaluated_with(sdk) -> None:
    dataset = sdk.create_dataset("golden")
    uuid = uuid4()
    sdk.create_examples(
        dataset_id=dataset.id,
        examples=[
            {
                "id": uuid,
                "inputs": {"q": 1},
                "attachments": {"note": ("text/plain", b"hi"), "old": ("text/plain", b"x")},
            }
        ],
    )
    read = sdk.read_example(uuid)
    assert read.attachments["note"]["reader"].read() == b"hi"
    assert read.attachments["note"]["mime_type"] == "text/plain"
    sdk.update_example(
        uuid,
        attachments={"new": ("text/plain", b"new")},
        attachments_operations={"rename": {"note": "remark"}, "retain": []},
    )
    [listed] = sdk.list_examples(dataset_id=dataset.id, include_attachments=True)
    found = {name: one["reader"].read() for name, one in listed.attachments.items()}
    assert found == {"remark": b"hi", "new": b"new"}
    assert listed.inputs == {"q": 1}


def test_a_csv_file_becomes_a_dataset_and_a_shared_one_is_cloned(sdk) -> None:
    lines = b"question,answer,note\nwhy?,because,a\nhow?,so,\xc3\xa4\n"
    made = sdk.upload_csv(
        ("golden.csv", io.BytesIO(lines)),
        input_keys=["question"],
        output_keys=["answer"],
        name="from csv",
        description="d",
        data_type="kv",
    )
    assert (made.name, made.description, made.example_count) == ("from csv", "d", 2)
    given = {e.inputs["question"]: e.outputs for e in sdk.list_examples(dataset_id=made.id)}
    assert given == {"why?": {"answer": "because"}, "how?": {"answer": "so"}}
    with pytest.raises(Exception, match="the file has no column"):
        sdk.upload_csv(
            ("x.csv", io.BytesIO(lines)), input_keys=["colour"], output_keys=[], name="x"
        )
    [first, _] = sdk.read_dataset_openai_finetuning(dataset_id=made.id)
    assert [message["role"] for message in first["messages"]] == ["user", "assistant"]

    share = sdk.share_dataset(made.id)
    assert sdk.read_dataset_shared_schema(made.id)["share_token"] == share["share_token"]
    assert sdk.read_shared_dataset(share["share_token"]).id == made.id
    assert len(list(sdk.list_shared_examples(share["share_token"]))) == 2
    assert list(sdk.list_shared_projects(dataset_share_token=share["share_token"])) == []
    cloned = sdk.clone_public_dataset(share["share_token"], dataset_name="mine")
    assert cloned.id != made.id
    assert len(list(sdk.list_examples(dataset_id=cloned.id))) == 2
    sdk.unshare_dataset(made.id)
    with pytest.raises(Exception, match="404"):
        sdk.read_shared_dataset(share["share_token"])


def test_a_batch_is_cut_by_its_bytes_however_many_examples_that_is(sdk) -> None:
    dataset = sdk.create_dataset("golden")
    written = sdk.create_examples(
        dataset_id=dataset.id,
        examples=[{"inputs": {"n": n}, "outputs": {"n": n}} for n in range(3_000)],
    )
    assert written["count"] == 3_000
    assert sdk.read_dataset(dataset_id=dataset.id).example_count == 3_000
    assert len(list(sdk.list_dataset_versions(dataset_id=dataset.id))) == 1
