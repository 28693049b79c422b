"""The SDK's generated annotation queues (runs, items), unmodified, against a live server."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from langsmith import Client, evaluate
from langsmith.schemas import Example, Run

from tests.live import run_apart
from tests.sdk.test_python import project, traced_run  # noqa: F401

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]

CONDITION = {"join": "all", "rules": [{"key": "correct", "op": "is", "values": [0.0]}]}


def generated(client: Client, program: Callable[[Any], Awaitable[None]]) -> None:
    """Run a program on `client.annotation_queues` in an event loop of its own."""

    async def run() -> None:
        await program(client.annotation_queues)

    run_apart(run)


def stored(client: Client, project: str, n: int) -> list[Any]:  # noqa: F811
    ids = [traced_run(client, project) for _ in range(n)]
    client.flush()
    return [client.read_run(run_id) for run_id in ids]


def test_the_hand_written_client_keeps_and_fills_a_queue(client, project) -> None:  # noqa: F811
    name = f"plain-{uuid4().hex[:8]}"
    made = client.create_annotation_queue(name=name, description="d")
    first, second = stored(client, project, 2)
    client.add_runs_to_annotation_queue(made.id, run_ids=[first.id, second.id])
    assert client.get_run_from_annotation_queue(made.id, index=0).id == first.id
    assert client.get_run_from_annotation_queue(made.id, index=1).inputs == second.inputs
    client.update_annotation_queue(made.id, name=f"{name}-new", description="e")
    read = client.read_annotation_queue(made.id)
    assert (read.name, read.description) == (f"{name}-new", "e")
    client.delete_run_from_annotation_queue(made.id, run_id=first.id)
    assert client.get_run_from_annotation_queue(made.id, index=0).id == second.id
    assert [one.id for one in client.list_annotation_queues(name_contains=name)] == [made.id]
    client.delete_annotation_queue(made.id)
    assert list(client.list_annotation_queues(name_contains=name)) == []


def test_a_queue_of_every_field_is_made_read_and_changed(client) -> None:
    dataset = client.create_dataset(f"queue-{uuid4().hex[:8]}")

    async def program(queues: Any) -> None:
        sent: dict[str, Any] = {
            "id": str(uuid4()),
            "description": "where the model was not sure",
            "default_dataset": str(dataset.id),
            "enable_reservations": False,
            "metadata": {"team": "support"},
            "num_reviewers_per_item": 2,
            "reservation_minutes": 30,
            "reviewer_access_mode": "any",
        }
        rubric = [
            {"feedback_key": "correct", "is_required": True},
            {
                "feedback_key": "ticket",
                "feedback_config": {
                    "id": "ticket",
                    "feedback_key": "ticket",
                    "tenant_id": str(uuid4()),
                    "modified_at": datetime.now(UTC),
                    "feedback_config": {"type": "freeform"},
                },
                "visible_if": CONDITION,
                "required_if": CONDITION,
                "regex_validator": "^[A-Z]+",
            },
            {"feedback_key": "polite", "is_assertion": True},
        ]
        made = await queues.annotation_queues(
            name="Generated", rubric_items=rubric, rubric_instructions="Look.", **sent
        )
        read = await queues.retrieve(made.id)
        assert {name: getattr(read, name) for name in sent} == sent
        assert read.rubric_instructions == "Look."
        first, ticket, polite = read.rubric_items
        assert (first.is_required, polite.is_assertion) == (True, True)
        assert ticket.visible_if.rules[0].values == [0.0]
        assert ticket.required_if.join == "all"
        assert ticket.regex_validator == "^[A-Z]+"
        await queues.update(made.id, name="Renamed", num_reviewers_per_item=None)
        read = await queues.retrieve(made.id)
        assert (read.name, read.num_reviewers_per_item) == ("Renamed", None)
        page = await queues.retrieve_annotation_queues(ids=[made.id], queue_type="single")
        assert [(one.name, one.total_runs) for one in page.items] == [("Renamed", 0)]
        await queues.delete(made.id)

    generated(client, program)


def test_runs_are_added_read_held_completed_counted_exported_and_removed(
    client,
    project,  # noqa: F811
) -> None:
    runs = stored(client, project, 3)

    async def program(queues: Any) -> None:
        made = await queues.annotation_queues(
            name="Runs", rubric_items=[{"feedback_key": "correct", "is_required": True}]
        )
        added = await queues.runs.create(made.id, body=[str(runs[0].id)])
        keys = [
            {"run_id": str(run.id), "session_id": str(run.session_id), "start_time": run.start_time}
            for run in runs
        ]
        by_key = await queues.runs.create_by_key(made.id, body=keys)
        assert by_key[0].id == added[0].id
        first, second, third = (one.id for one in by_key)
        holding = await queues.retrieve_queues(str(runs[0].id))
        assert [queue.id for queue in holding] == [made.id]
        await queues.create_run_status(first, status="viewed")
        await asyncio.to_thread(
            client.create_feedback, runs[0].id, "correct", score=1, trace_id=runs[0].trace_id
        )
        await asyncio.to_thread(client.flush)
        told = await queues.items.create_status(first, status="completed")
        assert (told.status, told.is_archived) == ("completed", True)
        at = datetime.now(UTC)
        told = await queues.items.create_status(second, override_added_at=at.isoformat())
        assert told.override_added_at is not None
        listed = await queues.runs.list(made.id, status="needs_my_review", include_stats=True)
        assert [run.queue_run_id for run in listed] == [third, second]
        assert abs(listed[1].effective_added_at - at) < timedelta(milliseconds=1)
        done = await queues.runs.list(made.id, archived=True)
        assert [run.queue_run_id for run in done] == [first]
        assert len(done[0].completed_by) == 1
        sizes = (
            (await queues.retrieve_size(made.id, status="needs_my_review")).size,
            (await queues.retrieve_size(made.id)).size,
            (await queues.retrieve_total_size(made.id)).size,
            (
                await queues.retrieve_total_archived(made.id, start_time=at - timedelta(hours=1))
            ).size,
        )
        assert sizes == (2, 2, 3, 1)
        at_0 = await queues.retrieve_run("0", queue_id=made.id, include_extra=True)
        assert at_0.queue_run_id == third
        text = await queues.export(made.id, include_annotator_detail=True)
        (row,) = csv.DictReader(io.StringIO(text))
        assert row["run_id"] == str(runs[0].id)
        assert [value for name, value in row.items() if name.endswith(": correct")] == ["1"]
        await queues.runs.update(third, queue_id=made.id, added_at=at)
        await queues.runs.delete_all(made.id, run_ids=[str(runs[2].id)])
        await queues.runs.delete_queue(second, queue_id=made.id)
        assert (await queues.retrieve_total_size(made.id)).size == 1

    generated(client, program)


def test_items_are_paged_placed_counted_and_deleted(client, project) -> None:  # noqa: F811
    runs = stored(client, project, 5)

    async def program(queues: Any) -> None:
        made = await queues.annotation_queues(name="Items")
        items = [{"item_type": "RUN", "run_id": str(run.id)} for run in runs]
        thread = {"item_type": "THREAD", "thread_id": "t", "project_id": str(runs[0].session_id)}
        added = (await queues.items.create(made.id, items=[*items, thread])).items
        ids = [item.id for item in added]
        assert [item.item_type for item in added] == ["RUN"] * 5 + ["THREAD"]
        seen = [
            item.id
            async for item in queues.items.list(made.id, status="needs_my_review", page_size=2)
        ]
        assert seen == ids
        only = await queues.items.list(made.id, status="needs_my_review", item_type="THREAD")
        assert [(item.thread_id, item.run_id) for item in only.items] == [("t", None)]
        since = await queues.items.list(
            made.id, status="needs_my_review", min_start_time=runs[0].start_time
        )
        assert [item.id for item in since.items] == ids[:5]
        placed = await queues.items.retrieve_placement(ids[3], queue_id=made.id)
        assert (placed.section, placed.position) == ("needs_my_review", 3)
        page = await queues.items.list(
            made.id, status="needs_my_review", cursor=placed.cursor, direction="backward"
        )
        assert [item.id for item in page.items] == ids[:3]
        changed = await queues.items.update(ids[0], queue_id=made.id, added_at=runs[0].start_time)
        assert changed.added_at.startswith(runs[0].start_time.isoformat()[:19])
        await queues.items.delete_all(made.id, item_ids=ids[:2])
        assert (await queues.items.retrieve_count(made.id, status="all")).count == 4

    generated(client, program)


def test_a_queue_is_filled_from_experiments(client) -> None:
    dataset = client.create_dataset(f"pairs-{uuid4().hex[:8]}")
    client.create_examples(
        dataset_id=dataset.id, examples=[{"inputs": {"n": n}, "outputs": {"n": n}} for n in (1, 2)]
    )

    def correct(run: Run, example: Example) -> dict[str, Any]:
        return {"key": "correct", "score": run.outputs == example.outputs}

    sessions = []
    for shift in (0, 1):
        results = evaluate(
            lambda inputs, shift=shift: {"n": inputs["n"] + shift},
            data=dataset.name,
            evaluators=[correct],
            client=client,
        )
        sessions.append(str(client.read_project(project_name=results.experiment_name).id))
    client.flush()  # `evaluate` returns before its last runs have been sent

    async def program(queues: Any) -> None:
        single = await queues.annotation_queues(name="Singles")
        await queues.populate(queue_id=single.id, session_ids=sessions)
        assert (await queues.retrieve_total_size(single.id)).size == 4
        pairwise = await queues.annotation_queues(
            name="Pairs", session_ids=sessions, extra_body={"queue_type": "pairwise"}
        )
        assert pairwise.queue_type == "pairwise"
        assert (await queues.retrieve_total_size(pairwise.id)).size == 2
        listed = await queues.runs.list(pairwise.id)
        assert {run.reference_example_id for run in listed} == {
            str(example.id) for example in client.list_examples(dataset_id=dataset.id)
        }

    generated(client, program)
