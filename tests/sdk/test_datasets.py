"""Datasets and examples, method by method, by the unmodified Python SDK against a live server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pandas as pd
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langsmith import Client, traceable
from langsmith.run_helpers import get_current_run_tree, tracing_context
from langsmith.schemas import DataType, ExampleUpsertWithAttachments
from langsmith.utils import LangSmithError, LangSmithNotFoundError

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def name() -> str:
    return f"golden-{uuid4().hex[:10]}"


def traced(client: Client, inputs: dict, outputs: dict, **extra):
    """Trace one run and return it as the SDK reads it."""

    @traceable(client=client, **{"run_type": "llm", **extra})
    def answer(**_) -> dict:
        told["id"] = get_current_run_tree().id
        return outputs

    told: dict = {}
    with tracing_context(enabled=True):
        answer(**inputs)
    client.flush()
    return client.read_run(told["id"])


MESSAGES = {
    "type": "object",
    "properties": {
        "messages": {
            "type": "array",
            "items": {
                "$ref": "https://api.smith.langchain.com/public/schemas/v1/message.json",
            },
        }
    },
    "required": ["messages"],
}


def test_a_chat_models_run_is_transformed_into_an_example(client, name) -> None:
    steps = [
        {"path": ["inputs", "messages"], "transformation_type": "convert_to_openai_message"},
        {"path": ["inputs", "messages"], "transformation_type": "remove_system_messages"},
        {"path": ["inputs"], "transformation_type": "remove_extra_fields"},
    ]
    dataset = client.create_dataset(name, inputs_schema=MESSAGES, transformations=steps)
    assert client.read_dataset(dataset_id=dataset.id).transformations == steps
    run = traced(
        client,
        {
            "messages": [[["system", "Be kind"], ["human", "hi"]]],
            "temperature": 0,
        },
        {"generations": [[{"text": "hello"}]]},
    )
    made = client.create_example_from_run(run, dataset_id=dataset.id)
    assert made.inputs == {"messages": [{"role": "user", "content": "hi"}]}
    assert made.outputs == run.outputs
    taken = client.create_example(
        dataset_id=dataset.id, source_run_id=run.id, use_source_run_io=True
    )
    assert (taken.inputs, taken.source_run_id) == (made.inputs, run.id)
    with pytest.raises(LangSmithError, match="inputs do not fit the schema: messages: 4"):
        client.create_example({"messages": 4}, dataset_id=dataset.id)
    with pytest.raises(LangSmithNotFoundError, match="the run is not stored"):
        client.create_example(dataset_id=dataset.id, source_run_id=uuid4(), use_source_run_io=True)


def test_chat_and_llm_examples_are_written_and_given_to_fine_tuning(client, name) -> None:
    chat = client.create_dataset(f"{name}-chat", data_type=DataType.chat)
    said = client.create_chat_example(
        [HumanMessage("hi"), {"type": "ai", "data": {"content": "yes?"}}],
        AIMessage("hello"),
        dataset_id=chat.id,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert said.created_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert said.inputs["input"][0]["data"]["content"] == "hi"
    [line] = client.read_dataset_openai_finetuning(dataset_name=chat.name)
    assert [message["role"] for message in line["messages"]] == ["user", "assistant", "assistant"]
    run = traced(
        client,
        {"messages": [{"role": "user", "content": "q"}]},
        {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
    )
    plain = client.create_dataset(f"{name}-kv")
    client.create_example_from_run(run, dataset_name=plain.name)
    [line] = client.read_dataset_openai_finetuning(dataset_id=plain.id)
    assert line["messages"][-1] == {"role": "assistant", "content": "a"}
    llm = client.create_dataset(f"{name}-llm", data_type=DataType.llm)
    asked = client.create_llm_example("why?", "because", dataset_name=llm.name)
    assert (asked.inputs, asked.outputs) == ({"input": "why?"}, {"output": "because"})
    with pytest.raises(ValueError, match="not supported for dataset of type"):
        client.create_example_from_run(
            traced(client, {"q": 1}, {"a": 1}, run_type="chain"), dataset_id=llm.id
        )
    assert {d.name for d in client.list_datasets(data_type="llm", dataset_name=llm.name)} == {
        llm.name
    }


def test_examples_are_listed_by_every_parameter(client, name) -> None:
    dataset = client.create_dataset(name, metadata={"team": name})
    client.create_examples(
        dataset_id=dataset.id,
        examples=[
            {
                "inputs": {"n": n, "word": "needle" if n == 3 else "hay"},
                "outputs": {"n": n},
                "metadata": {"even": n % 2 == 0},
                "split": ["train", "hard"] if n == 1 else "train",
            }
            for n in range(5)
        ],
    )

    def listed(**asked) -> list[int]:
        found = client.list_examples(dataset_name=name, **asked)
        return [example.inputs["n"] for example in found]

    assert sorted(listed(full_text_contains=["needle"])) == [3]
    assert sorted(listed(metadata={"even": True})) == [0, 2, 4]
    assert sorted(listed(filter="not(has(metadata, '{\"even\": true}'))")) == [1, 3]
    assert listed(splits=["hard"]) == [1]
    mixed = listed(order="random", random_seed=7)
    assert sorted(mixed) == [0, 1, 2, 3, 4]
    assert mixed == listed(order="random", random_seed=7)
    assert any(mixed != listed(order="random", random_seed=seed) for seed in range(20))
    assert mixed[3:] == listed(order="random", random_seed=7, offset=3)
    assert len(listed(limit=2)) == 2
    [one] = client.list_examples(
        dataset_id=dataset.id, select=["outputs"], exclude_default_fields=True, limit=1
    )
    assert one.outputs is not None
    assert (one.inputs, one.metadata, one.modified_at) == (None, None, None)
    [one] = client.list_examples(dataset_id=dataset.id, select=["metadata"], limit=1)
    assert one.outputs is None
    assert (one.inputs, one.metadata) != (None, None)
    assert [d.id for d in client.list_datasets(metadata={"team": name})] == [dataset.id]
    assert [d.id for d in client.list_datasets(dataset_ids=[dataset.id], limit=1)] == [dataset.id]
    assert next(client.list_datasets(dataset_name_contains=name[3:])).id == dataset.id


def test_versions_are_read_to_the_microsecond(client, name) -> None:
    dataset = client.create_dataset(name)
    one = client.create_example({"n": 1}, dataset_id=dataset.id, split="train")
    client.update_example(one.id, inputs={"n": 2}, split=["test"])
    [second, first] = client.list_dataset_versions(dataset_name=name)
    assert first.as_of == one.modified_at
    client.update_dataset_tag(dataset_name=name, as_of=first.as_of, tag="prod")
    just_before = second.as_of - timedelta(microseconds=1)
    for as_of, n in ((first.as_of, 1), (just_before, 1), (second.as_of, 2), ("prod", 1)):
        [row] = client.list_examples(dataset_id=dataset.id, as_of=as_of)
        assert row.inputs == {"n": n}
    assert client.read_example(one.id, as_of=first.as_of).inputs == {"n": 1}
    assert client.read_dataset_version(dataset_name=name, as_of=just_before).tags == ["prod"]
    assert client.list_dataset_splits(dataset_name=name, as_of="prod") == ["train"]
    assert client.list_dataset_splits(dataset_id=dataset.id) == ["test"]
    [tagged] = client.list_dataset_versions(dataset_id=dataset.id, search="pro", limit=1)
    assert tagged.as_of == first.as_of
    told = client.diff_dataset_versions(
        dataset_name=name, from_version=first.as_of, to_version=second.as_of
    )
    assert (told.examples_modified, told.examples_added) == ([one.id], [])
    with pytest.raises(LangSmithNotFoundError):
        client.read_dataset_version(dataset_id=dataset.id, tag="nobody")
    with pytest.raises(LangSmithNotFoundError):
        client.read_dataset_version(
            dataset_id=dataset.id, as_of=first.as_of - timedelta(microseconds=1)
        )


def test_splits_and_metadata_of_many_examples_change(client, name) -> None:
    dataset = client.create_dataset(name)
    ids = client.create_examples(
        dataset_id=dataset.id, examples=[{"inputs": {"n": n}} for n in range(3)]
    )["example_ids"]
    client.update_dataset_splits(dataset_name=name, split_name="train", example_ids=ids[:2])
    assert client.list_dataset_splits(dataset_id=dataset.id) == ["base", "train"]
    assert len(list(client.list_examples(dataset_id=dataset.id, splits=["train"]))) == 2
    client.update_dataset_splits(
        dataset_id=dataset.id, split_name="train", example_ids=ids[:1], remove=True
    )
    [left] = client.list_examples(dataset_id=dataset.id, splits=["train"])
    assert str(left.id) == ids[1]
    told = client.update_examples(
        example_ids=ids[:2],
        dataset_ids=[dataset.id] * 2,
        inputs=[{"n": 10}, None],
        outputs=[None, {"m": 11}],
        metadata=[{"a": 1}, None],
        splits=["x", ["y", "z"]],
    )
    assert told["message"] == "2 examples updated"
    first, second = (client.read_example(uuid) for uuid in ids[:2])
    assert (first.inputs, first.metadata) == ({"n": 10}, {"a": 1, "dataset_split": ["x"]})
    assert (second.inputs, second.outputs) == ({"n": 1}, {"m": 11})
    assert second.metadata["dataset_split"] == ["y", "z"]


def test_files_come_from_runs_and_are_upserted(client, name) -> None:
    dataset = client.create_dataset(name)
    run_id = uuid4()
    client.create_run(
        name="filed",
        id=run_id,
        trace_id=run_id,
        dotted_order=f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}{run_id}",
        run_type="chain",
        inputs={"q": 1},
        outputs={"a": 1},
        attachments={"note": ("text/plain", b"hi"), "other": ("text/plain", b"yo")},
    )
    client.flush()
    made = client.create_example(
        dataset_id=dataset.id,
        source_run_id=run_id,
        use_source_run_io=True,
        use_source_run_attachments=["note"],
    )
    read = client.read_example(made.id)
    assert {key: one["reader"].read() for key, one in read.attachments.items()} == {"note": b"hi"}
    client.upsert_examples_multipart(
        upserts=[
            ExampleUpsertWithAttachments(
                id=made.id,
                dataset_id=dataset.id,
                inputs={"q": 2},
                attachments={"more": ("text/plain", b"more")},
            )
        ]
    )
    again = client.read_example(made.id)
    assert again.inputs == {"q": 2}
    assert again.attachments["more"]["reader"].read() == b"more"


def test_tables_are_uploaded_and_shared_datasets_cloned(client, name) -> None:
    table = pd.DataFrame({"question": ["why?", "how?"], "answer": ["because", "so"]})
    dataset = client.upload_dataframe(
        table, name=name, input_keys=["question"], output_keys=["answer"], description="d"
    )
    assert (dataset.example_count, dataset.description) == (2, "d")
    share = client.share_dataset(dataset_name=name)
    token = share["share_token"]
    assert client.share_dataset(dataset.id)["share_token"] == token
    assert client.read_dataset_shared_schema(dataset_name=name)["url"].endswith(
        f"/public/{token}/d"
    )
    examples = list(client.list_shared_examples(token, limit=1))
    assert len(examples) == 1
    [chosen] = client.list_shared_examples(token, example_ids=[examples[0].id])
    assert chosen.inputs == examples[0].inputs
    cloned = client.clone_public_dataset(share["url"], source_api_url=client.api_url)
    assert cloned.id == dataset.id  # a dataset of that name is there already: the SDK skips it
    mine = client.clone_public_dataset(token, dataset_name=f"{name}-clone")
    assert {e.outputs["answer"] for e in client.list_examples(dataset_id=mine.id)} == {
        "because",
        "so",
    }
    client.unshare_dataset(dataset.id)
    with pytest.raises(LangSmithNotFoundError):
        client.read_shared_dataset(token)


def test_examples_are_deleted_softly_or_from_every_version(client, name) -> None:
    dataset = client.create_dataset(name)
    ids = [client.create_example({"n": n}, dataset_id=dataset.id).id for n in range(4)]
    version = client.read_dataset_version(dataset_id=dataset.id, tag="latest").as_of
    client.delete_example(ids[0])
    client.delete_examples(ids[1:2])
    client.delete_examples(ids[2:3], hard_delete=True)

    def deleted() -> None:
        own = Client(api_url=client.api_url, api_key=client.api_key)

        async def story() -> None:
            await own.datasets.examples.delete(str(ids[3]), dataset_id=str(dataset.id))

        asyncio.run(story())
        own.close()

    with ThreadPoolExecutor(1) as pool:  # the browser tests leave a running loop in this thread
        pool.submit(deleted).result()
    assert list(client.list_examples(dataset_id=dataset.id)) == []
    before = client.list_examples(dataset_id=dataset.id, as_of=version)
    assert {row.id for row in before} == {ids[0], ids[1], ids[3]}
    client.delete_dataset(dataset_name=name)
    assert not client.has_dataset(dataset_id=dataset.id)
