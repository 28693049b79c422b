"""Datasets, their versions and examples; files in, files out; shares of them."""

from __future__ import annotations

import io
from uuid import UUID, uuid4

import pytest
from langsmith import schemas
from langsmith.utils import LangSmithNotFoundError

from tests.sdk.probes import World, ids, works

SYNC, ASYNC = ("Client",), ("AsyncClient",)


@works("create_dataset", "read_dataset", "list_datasets", "delete_dataset")
def a_dataset_is_made_read_listed_and_deleted(w: World) -> None:
    name = w.name("dataset")
    made = w.client.create_dataset(name, description="d", metadata={"team": "a"})
    read = w.client.read_dataset(dataset_name=name)
    assert (read.id, read.description, read.metadata["team"]) == (made.id, "d", "a")
    assert str(made.id) in ids(w.client.list_datasets())
    w.client.delete_dataset(dataset_id=made.id)
    assert not w.plain.has_dataset(dataset_id=made.id)


@works("create_example", "read_example", "list_examples")
def an_example_is_made_read_and_listed(w: World) -> None:
    dataset_id, _ = w.dataset()
    made = w.client.create_example(inputs={"x": 9}, outputs={"y": 81}, dataset_id=dataset_id)
    id_ = made.id
    read = w.client.read_example(id_)
    assert (read.inputs, read.outputs) == ({"x": 9}, {"y": 81})
    assert str(id_) in ids(w.client.list_examples(dataset_id=dataset_id))


@works("has_dataset", of=SYNC)
def a_dataset_is_known_or_not(w: World) -> None:
    dataset_id, _ = w.dataset()
    assert w.client.has_dataset(dataset_id=dataset_id)
    assert not w.client.has_dataset(dataset_name=w.name())


@works("create_examples", "update_examples", "delete_examples", "delete_example", of=SYNC)
def examples_are_made_changed_and_deleted_together(w: World) -> None:
    dataset_id = w.plain.create_dataset(w.name("dataset")).id
    made = w.client.create_examples(
        dataset_id=dataset_id,
        examples=[
            {
                "inputs": {"x": n},
                "outputs": {"y": n},
                "attachments": {"note": ("text/plain", b"hi")},
            }
            for n in range(4)
        ],
    )
    first, second, third, fourth = [UUID(str(id_)) for id_ in dict(made)["example_ids"]]
    w.client.update_examples(
        dataset_id=dataset_id, updates=[{"id": first, "outputs": {"y": "changed"}}]
    )
    assert w.plain.read_example(first).outputs == {"y": "changed"}
    w.client.delete_example(second)
    w.client.delete_examples([third], hard_delete=True)
    (left, other) = w.plain.list_examples(dataset_id=dataset_id, include_attachments=True)
    assert {left.id, other.id} == {first, fourth}
    assert left.attachments["note"]["reader"].read() == b"hi"


@works("update_example", of=SYNC)
def an_example_is_changed(w: World) -> None:
    _, (first, *_) = w.dataset()
    w.client.update_example(first, outputs={"y": "new"}, metadata={"seen": 1}, split="other")
    read = w.plain.read_example(first)
    assert (read.outputs, read.metadata["seen"]) == ({"y": "new"}, 1)


@works("create_chat_example", "create_llm_example", "create_example_from_run", of=SYNC)
def examples_of_every_kind_are_made(w: World) -> None:
    chat = w.plain.create_dataset(w.name("chat"), data_type=schemas.DataType.chat)
    words = [{"type": "human", "data": {"content": "hi"}}]
    w.client.create_chat_example(
        words, {"type": "ai", "data": {"content": "hello"}}, dataset_id=chat.id
    )
    llm = w.plain.create_dataset(w.name("llm"), data_type=schemas.DataType.llm)
    w.client.create_llm_example("hi", "hello", dataset_id=llm.id)
    kv, run = w.plain.create_dataset(w.name("kv")), w.run()
    w.client.create_example_from_run(run, dataset_id=kv.id)
    (example,) = w.plain.list_examples(dataset_id=chat.id)
    assert example.inputs["input"][0]["data"]["content"] == "hi"
    (example,) = w.plain.list_examples(dataset_id=llm.id)
    assert (example.inputs, example.outputs) == ({"input": "hi"}, {"output": "hello"})
    (example,) = w.plain.list_examples(dataset_id=kv.id)
    assert (example.inputs, example.outputs) == (run.inputs, run.outputs)


@works(
    "upload_examples_multipart",
    "update_examples_multipart",
    of=SYNC,
)
def examples_are_sent_in_parts(w: World) -> None:
    dataset_id, id_ = w.plain.create_dataset(w.name("dataset")).id, uuid4()
    w.client.upload_examples_multipart(
        dataset_id=dataset_id,
        uploads=[schemas.ExampleCreate(id=id_, inputs={"x": 1}, outputs={"y": 1})],
    )
    w.client.update_examples_multipart(
        dataset_id=dataset_id, updates=[schemas.ExampleUpdate(id=id_, outputs={"y": 2})]
    )
    assert w.plain.read_example(id_).outputs == {"y": 2}


@works("upsert_examples_multipart", of=SYNC)
def examples_are_made_or_changed_in_parts(w: World) -> None:
    dataset_id, id_ = w.plain.create_dataset(w.name("dataset")).id, uuid4()
    for y in (1, 2):
        w.client.upsert_examples_multipart(
            upserts=[
                schemas.ExampleUpsertWithAttachments(
                    id=id_, dataset_id=dataset_id, inputs={"x": 1}, outputs={"y": y}
                )
            ]
        )
    assert w.plain.read_example(id_).outputs == {"y": 2}


@works("upload_csv", "upload_dataframe", of=SYNC)
def a_dataset_is_made_of_a_file(w: World) -> None:
    text = b"question,answer\nwhy?,because\nhow?,so\n"
    made = w.client.upload_csv(
        ("rows.csv", io.BytesIO(text)), ["question"], ["answer"], name=w.name("csv")
    )
    assert {e.inputs["question"] for e in w.plain.list_examples(dataset_id=made.id)} == {
        "why?",
        "how?",
    }

    class Frame:
        """As much of a data frame as the SDK touches."""

        def to_csv(self, file: io.BytesIO, index: bool) -> None:
            assert not index
            file.write(text)

    made = w.client.upload_dataframe(Frame(), w.name("frame"), ["question"], ["answer"])
    assert len(list(w.plain.list_examples(dataset_id=made.id))) == 2


@works(
    "list_dataset_versions",
    "read_dataset_version",
    "update_dataset_tag",
    "diff_dataset_versions",
    of=SYNC,
)
def versions_are_listed_tagged_and_compared(w: World) -> None:
    dataset_id, (first, *_) = w.dataset()
    (before, *_) = w.client.list_dataset_versions(dataset_id=dataset_id)
    w.client.update_dataset_tag(dataset_id=dataset_id, as_of=before.as_of, tag="prod")
    w.plain.update_example(first, outputs={"y": "new"})
    assert w.client.read_dataset_version(dataset_id=dataset_id, tag="prod").as_of == before.as_of
    diff = w.client.diff_dataset_versions(dataset_id, from_version="prod", to_version="latest")
    assert [str(id_) for id_ in diff.examples_modified] == [str(first)]


@works("list_dataset_splits", "update_dataset_splits", of=SYNC)
def splits_are_listed_and_changed(w: World) -> None:
    dataset_id, (first, *_) = w.dataset()
    w.client.update_dataset_splits(
        dataset_id=dataset_id, split_name="hard", example_ids=[str(first)]
    )
    assert {"hard", "train", "test"} <= set(w.client.list_dataset_splits(dataset_id=dataset_id))
    (example,) = w.plain.list_examples(dataset_id=dataset_id, splits=["hard"])
    assert example.id == first


@works("read_dataset_openai_finetuning", of=SYNC)
def a_dataset_is_exported_for_finetuning(w: World) -> None:
    dataset_id, _ = w.dataset(
        {
            "inputs": {"messages": [{"role": "user", "content": "hi"}]},
            "outputs": {"messages": [{"role": "assistant", "content": "hello"}]},
        }
    )
    (line,) = w.client.read_dataset_openai_finetuning(dataset_id)
    assert [message["role"] for message in line["messages"]] == ["user", "assistant"]


@works(
    "share_dataset",
    "read_dataset_shared_schema",
    "read_shared_dataset",
    "list_shared_examples",
    "list_shared_projects",
    "unshare_dataset",
    of=SYNC,
)
def a_dataset_is_shared_and_read_by_its_token(w: World) -> None:
    experiment, dataset_id, example_ids = w.experiment()
    token = str(w.client.share_dataset(dataset_id)["share_token"])
    assert str(w.client.read_dataset_shared_schema(dataset_id)["share_token"]) == token
    assert w.client.read_shared_dataset(token).id == dataset_id
    assert {e.id for e in w.client.list_shared_examples(token)} == set(example_ids)
    shared = w.client.list_shared_projects(dataset_share_token=token)
    assert list(ids(shared)) == [str(experiment.id)]
    w.client.unshare_dataset(dataset_id)
    with pytest.raises(LangSmithNotFoundError):
        w.plain.read_shared_dataset(token)


@works("clone_public_dataset", of=SYNC)
def a_shared_dataset_is_copied(w: World) -> None:
    dataset_id, _ = w.dataset()
    token = str(w.plain.share_dataset(dataset_id)["share_token"])
    copy = w.client.clone_public_dataset(token, dataset_name=w.name("copy"))
    assert copy.id != dataset_id
    assert len(list(w.plain.list_examples(dataset_id=copy.id))) == 3


# Experiments -------------------------------------------------------------------------------------


def right(outputs: dict, reference_outputs: dict) -> dict:
    return {"key": "right", "score": outputs == reference_outputs}


def square(inputs: dict) -> dict:
    return {"y": inputs["x"] ** 2}


@works("evaluate", "get_experiment_results", of=SYNC)
def an_experiment_is_run_and_read(w: World) -> None:
    dataset_id, _ = w.dataset()
    results = w.client.evaluate(
        square, data=dataset_id, evaluators=[right], experiment_prefix=w.name("experiment")
    )
    assert len(list(results)) == 3
    w.client.flush()
    read = w.client.get_experiment_results(name=results.experiment_name)
    assert read["feedback_stats"]["right"]["avg"] == 1
    assert len(list(read["examples_with_runs"])) == 3


@works("aevaluate", of=SYNC)
def an_experiment_is_run_asynchronously(w: World) -> None:
    dataset_id, _ = w.dataset()

    async def squared(inputs: dict) -> dict:
        return square(inputs)

    results = w.client.aevaluate(
        squared, data=dataset_id, evaluators=[right], experiment_prefix=w.name("experiment")
    )
    assert len(results) == 3
    assert all(row["evaluation_results"]["results"][0].score for row in results)


@works("evaluate_run", "aevaluate_run", of=SYNC)
def one_run_is_judged(w: World) -> None:
    from langsmith.evaluation import run_evaluator

    @run_evaluator
    def long_enough(run, example):
        return {"key": "long", "score": len(run.outputs["answer"]) > 3}

    run = w.run()
    w.client.evaluate_run(run.id, long_enough)
    w.client.aevaluate_run(run.id, long_enough)
    w.client.flush()
    given = list(w.plain.list_feedback(run_ids=[run.id]))
    assert [(f.key, f.score) for f in given] == [("long", 1), ("long", 1)]


@works("create_comparative_experiment", of=SYNC)
def two_experiments_are_compared(w: World) -> None:
    dataset_id, _ = w.dataset()
    made = [
        w.plain.evaluate(square, data=dataset_id, experiment_prefix=w.name("experiment"))
        for _ in range(2)
    ]
    projects = [w.plain.read_project(project_name=results.experiment_name) for results in made]
    compared = w.client.create_comparative_experiment(
        w.name("comparison"), [project.id for project in projects], reference_dataset=dataset_id
    )
    assert compared.reference_dataset_id == dataset_id


@works("get_test_results", of=SYNC, why="needs pandas, as the SDK says")
def the_rows_of_an_experiment_are_a_data_frame(w: World) -> None:
    experiment, _, _ = w.experiment()
    table = w.client.get_test_results(project_name=experiment.name)
    assert len(table) == 3
    assert table["feedback.right"].mean() == 1


# The generated client ----------------------------------------------------------------------------


@works("datasets.examples.delete", "datasets.examples.update_metadata")
def the_generated_client_changes_examples(w: World) -> None:
    dataset_id, (first, second, third) = w.dataset()
    examples = w.client.datasets.examples
    examples.update_metadata(
        str(dataset_id),
        example_ids=[str(second)],
        operations=[{"operation": "SET", "key": "seen", "value": 1}],
    )
    assert w.plain.read_example(second).metadata["seen"] == 1
    examples.delete(str(first), dataset_id=str(dataset_id))
    assert {e.id for e in w.plain.list_examples(dataset_id=dataset_id)} == {second, third}


@works("datasets.experiment_runs.query")
def the_runs_of_experiments_are_read_by_example(w: World) -> None:
    experiment, dataset_id, example_ids = w.experiment()
    rows = w.client.datasets.experiment_runs.query(
        str(dataset_id), experiment_ids=[str(experiment.id)], page_size=2
    )
    assert {row.id for row in rows} == {str(id_) for id_ in example_ids}


@works("datasets.list_v2")
def datasets_are_listed_by_cursor(w: World) -> None:
    made = {str(w.dataset()[0]) for _ in range(3)}
    found = list(w.client.datasets.list_v2(id=list(made), page_size=1, sort_by="example_count"))
    assert set(ids(found)) == made
    assert [dataset.example_count for dataset in found] == [3, 3, 3]
