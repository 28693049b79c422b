"""Annotation queues: the hand-written client's calls, and the generated client's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.sdk.probes import NOON, World, ids, refused_calls, works

ITEM = {"feedback_key": "correctness", "description": "Is it right?"}


@works(
    "create_annotation_queue",
    "read_annotation_queue",
    "list_annotation_queues",
    "update_annotation_queue",
    "delete_annotation_queue",
)
def a_queue_is_made_read_changed_and_deleted(w: World) -> None:
    name = w.name("queue")
    made = w.client.create_annotation_queue(
        name=name, description="d", rubric_instructions="look", rubric_items=[ITEM]
    )
    w.client.update_annotation_queue(made.id, name=f"{name}-new", description="e")
    read = w.client.read_annotation_queue(made.id)
    assert (read.name, read.description, read.rubric_instructions) == (f"{name}-new", "e", "look")
    assert [item["feedback_key"] for item in read.rubric_items] == ["correctness"]
    assert list(ids(w.client.list_annotation_queues(name_contains=name))) == [str(made.id)]
    w.client.delete_annotation_queue(made.id)
    assert list(w.client.list_annotation_queues(queue_ids=[made.id])) == []


@works(
    "add_runs_to_annotation_queue",
    "list_runs_from_annotation_queue",
    "get_run_from_annotation_queue",
    "delete_run_from_annotation_queue",
)
def runs_are_queued_listed_fetched_and_removed(w: World) -> None:
    queue, first, second = w.queue(), w.run(), w.run()
    w.client.add_runs_to_annotation_queue(queue.id, run_ids=[first.id])
    key = {"run_id": second.id, "session_id": second.session_id, "start_time": NOON}
    w.client.add_runs_to_annotation_queue(queue.id, runs=[key])
    listed = w.client.list_runs_from_annotation_queue(queue.id, status="needs_my_review")
    assert list(ids(listed)) == [str(first.id), str(second.id)]
    assert w.client.get_run_from_annotation_queue(queue.id, index=1).id == second.id
    w.client.delete_run_from_annotation_queue(queue.id, run_id=first.id)
    assert list(ids(w.client.list_runs_from_annotation_queue(queue.id))) == [str(second.id)]


# The generated client ----------------------------------------------------------------------------


@works(
    "annotation_queues.annotation_queues",
    "annotation_queues.retrieve",
    "annotation_queues.update",
    "annotation_queues.delete",
    "annotation_queues.retrieve_annotation_queues",
)
def the_generated_client_keeps_queues(w: World) -> None:
    queues, name = w.client.annotation_queues, w.name("queue")
    made = queues.annotation_queues(name=name, num_reviewers_per_item=2, rubric_items=[ITEM])
    queues.update(made.id, description="changed", reservation_minutes=5)
    read = queues.retrieve(made.id)
    assert (read.name, read.description, read.num_reviewers_per_item) == (name, "changed", 2)
    listed = queues.retrieve_annotation_queues(name_contains=name, limit=10)
    assert list(ids(listed)) == [made.id]
    queues.delete(made.id)
    assert list(queues.retrieve_annotation_queues(ids=[made.id])) == []


@works(
    "annotation_queues.runs.create",
    "annotation_queues.runs.create_by_key",
    "annotation_queues.runs.list",
    "annotation_queues.runs.delete_queue",
)
def the_generated_client_queues_runs(w: World) -> None:
    runs, queue, first, second = w.client.annotation_queues.runs, w.queue(), w.run(), w.run()
    (item,) = runs.create(str(queue.id), body=[str(first.id)])
    assert item.run_id == str(first.id)
    (other,) = runs.create_by_key(
        str(queue.id),
        body=[
            {
                "run_id": str(second.id),
                "session_id": str(second.session_id),
                "start_time": NOON.isoformat(),
            }
        ],
    )
    assert [run.id for run in listed(runs.list(str(queue.id)))] == [str(first.id), str(second.id)]
    runs.delete_queue(item.id, queue_id=str(queue.id))
    assert [run.id for run in listed(runs.list(str(queue.id)))] == [other.run_id]


@works("annotation_queues.runs.update", "annotation_queues.runs.delete_all")
def the_generated_client_changes_and_removes_items(w: World) -> None:
    queue_id, run_id = queue_of(w)
    runs, item_id = w.client.annotation_queues.runs, w.item_of(queue_id)
    runs.update(item_id, queue_id=queue_id, last_reviewed_time=NOON)
    runs.delete_all(queue_id, run_ids=[str(run_id)])
    assert list(w.plain.list_runs_from_annotation_queue(queue_id)) == []


def listed(page: Any) -> list[Any]:
    """Return the things of an answer: some generated calls answer one list, some pages."""
    return list(getattr(page, "items", page))


def queue_of(w: World) -> tuple[str, UUID]:
    run = w.run()
    return str(w.queue(run.id).id), run.id


@works("annotation_queues.create_run_status")
def a_run_of_a_queue_is_marked_completed(w: World) -> None:
    queue_id, run_id = queue_of(w)
    (run,) = w.plain.list_runs_from_annotation_queue(queue_id)
    assert run.id == run_id
    item_id = w.item_of(queue_id)
    w.client.annotation_queues.create_run_status(item_id, status="completed")
    assert list(w.plain.list_runs_from_annotation_queue(queue_id, status="needs_my_review")) == []


@works("annotation_queues.export")
def a_queue_is_exported(w: World) -> None:
    queue_id, run_id = queue_of(w)
    w.client.annotation_queues.create_run_status(w.item_of(queue_id), status="completed")
    answer = w.client.annotation_queues.export(queue_id, include_annotator_detail=True)
    assert str(run_id) in str(answer)


@works("annotation_queues.populate")
def a_queue_is_filled_from_an_experiment(w: World) -> None:
    queue = w.queue()
    experiment, _, _ = w.experiment()
    w.client.annotation_queues.populate(queue_id=str(queue.id), session_ids=[str(experiment.id)])
    assert len(list(w.plain.list_runs_from_annotation_queue(queue.id))) == 3


@works("annotation_queues.retrieve_queues")
def the_queues_of_a_run_are_found(w: World) -> None:
    queue_id, run_id = queue_of(w)
    assert [queue.id for queue in w.client.annotation_queues.retrieve_queues(str(run_id))] == [
        queue_id
    ]


@works("annotation_queues.retrieve_run")
def the_first_run_of_a_queue_is_read(w: World) -> None:
    queue_id, run_id = queue_of(w)
    run = w.client.annotation_queues.retrieve_run(0, queue_id=queue_id)
    assert run.id == str(run_id)


@works(
    "annotation_queues.retrieve_size",
    "annotation_queues.retrieve_total_size",
    "annotation_queues.retrieve_total_archived",
)
def the_items_of_a_queue_are_counted(w: World) -> None:
    queue_id, _ = queue_of(w)
    queues = w.client.annotation_queues
    assert queues.retrieve_size(queue_id).size == 1
    assert queues.retrieve_total_size(queue_id).size == 1
    assert queues.retrieve_total_archived(queue_id).size == 0


@works(
    "annotation_queues.items.create",
    "annotation_queues.items.list",
    "annotation_queues.items.update",
    "annotation_queues.items.retrieve_count",
    "annotation_queues.items.retrieve_placement",
)
def items_are_added_listed_and_placed(w: World) -> None:
    items, queue, run = w.client.annotation_queues.items, w.queue(), w.run()
    queue_id = str(queue.id)
    made = items.create(
        queue_id,
        items=[
            {
                "item_type": "RUN",
                "run_id": str(run.id),
                "project_id": str(run.session_id),
                "start_time": NOON.isoformat(),
            }
        ],
    )
    assert made is not None
    (item,) = items.list(queue_id, status="needs_my_review")
    assert (item.run_id, item.queue_id) == (str(run.id), queue_id)
    assert items.retrieve_count(queue_id, status="needs_my_review").count == 1
    placed = items.retrieve_placement(item.id, queue_id=queue_id)
    assert (placed.section, placed.position) == ("needs_my_review", 0)
    items.update(item.id, queue_id=queue_id, last_reviewed_time=NOON)


@works("annotation_queues.items.create_status", "annotation_queues.items.delete_all")
def an_item_is_marked_completed_and_removed(w: World) -> None:
    queue_id, _ = queue_of(w)
    items, item_id = w.client.annotation_queues.items, w.item_of(queue_id)
    answer = items.create_status(item_id, status="completed")
    assert (answer.queue_item_id, answer.status) == (item_id, "completed")
    items.delete_all(queue_id, item_ids=[item_id])
    assert list(w.plain.list_runs_from_annotation_queue(queue_id)) == []


def item_of_a_queue(w: World) -> dict[str, str]:
    queue_id, _ = queue_of(w)
    return {"queue_id": queue_id, "item_id": w.item_of(queue_id)}


refused_calls(
    {
        "annotation_queues.items.set_final": lambda w: w.client.annotation_queues.items.set_final(
            "correctness", **item_of_a_queue(w), score=1
        ),
        "annotation_queues.items.clear_final": (
            lambda w: w.client.annotation_queues.items.clear_final(
                "correctness", **item_of_a_queue(w)
            )
        ),
    },
    seen="NotFoundError 404",
    why="the last word on an item is the reviews that stand; no final answers are kept",
)
