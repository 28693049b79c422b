"""A completed item becomes an example exactly once, and knows where it came from."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from annotations.models import QueueItem, Review, RoutingDecision
from annotations.signals import item_completed, item_reopened
from datasets_app import harvest, receivers, tasks
from datasets_app.models import DatasetVersion, Example, ExampleRevision, HarvestedItem
from observatory.events import announce
from observatory.runs.models import Run
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, DatasetFactory, QueueItemFactory

INPUTS = '{"question": "When do refunds arrive?", "n": 1.50}'
OUTPUTS = '{"answer": "Never"}'


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, name="Refunds", reviewers_per_item=2)


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme)


def completed_item(queue, *, has_run: bool = True) -> QueueItem:
    item = QueueItemFactory(queue=queue, state=QueueItem.State.COMPLETED, completed_at=NOON)
    if has_run:
        Run.objects.create(
            workspace=queue.workspace,
            id=item.run_id,
            trace_id=item.run_id,
            inputs=INPUTS,
            outputs=OUTPUTS,
        )
    return item


def review(item, reviewer, correction=None, *, minutes: int = 0, **fields) -> Review:
    return Review.objects.create(
        workspace=item.workspace,
        submission_id=uuid4(),
        queue=item.queue,
        item=item,
        reviewer=reviewer,
        rubric_version=3,
        scores={},
        correction=correction,
        submitted_at=NOON + timedelta(minutes=minutes),
        **fields,
    )


def current(dataset) -> list[ExampleRevision]:
    return list(ExampleRevision.objects.at(None).filter(dataset=dataset).select_related("example"))


def test_a_corrected_item_becomes_an_example_with_its_provenance(
    queue, dataset, ada, grace
) -> None:
    harvest.connect(queue, dataset, accepts_disputed=True)
    item = completed_item(queue)
    RoutingDecision.objects.create(
        item=item,
        rule_uuid=uuid4(),
        rule_name="Low confidence",
        rule_version=4,
        filter="",
        clauses=[],
        draw=0.1,
        sampling_rate=1,
        inclusion_probability=1,
    )
    first = review(item, ada, {"outputs": {"answer": "In 3 days"}})
    second = review(item, grace, {"outputs": {"answer": "In 5 days"}}, minutes=1)
    assert harvest.harvest([item.pk], now=NOON) == 1
    [revision] = current(dataset)
    assert revision.inputs == INPUTS
    assert json.loads(revision.outputs) == {"answer": "In 5 days"}
    assert revision.example.source_run_id == item.run_id
    assert revision.example.origin == f"harvest:{item.uuid}"
    assert revision.splits == ["base"]
    found = revision.metadata
    assert found["run_id"] == str(item.run_id)
    assert found["reviewers"] == ["ada", "grace"]
    assert found["review_ids"] == [str(first.uuid), str(second.uuid)]
    assert found["rules"][0]["name"] == "Low confidence"
    assert found["rules"][0]["version"] == 4
    assert found["rubric_version"] == 3
    assert found["queue_name"] == "Refunds"
    assert found["disputed"] is True


def test_agreeing_corrections_are_not_disputed(queue, dataset, ada, grace) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue)
    for reviewer in (ada, grace):
        review(item, reviewer, {"outputs": {"answer": "In 3 days"}})
    harvest.harvest([item.pk], now=NOON)
    assert current(dataset)[0].metadata["disputed"] is False


def test_a_late_or_retracted_correction_does_not_count(queue, dataset, ada, grace, alan) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue)
    review(item, ada, {"outputs": {"answer": "counted"}})
    review(item, grace, {"outputs": {"answer": "late"}}, minutes=1, is_counted=False)
    review(item, alan, {"outputs": {"answer": "retracted"}}, minutes=2, retracted_at=NOON)
    harvest.harvest([item.pk], now=NOON)
    assert json.loads(current(dataset)[0].outputs) == {"answer": "counted"}


def test_an_unchanged_item_is_harvested_only_if_the_queue_accepts_it(queue, dataset, ada) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue)
    review(item, ada)
    assert harvest.harvest([item.pk], now=NOON) == 0
    assert HarvestedItem.objects.get().outcome == "unchanged"
    assert not harvest.waiting().exists()
    harvest.connect(queue, dataset, accepts_unchanged=True)
    tasks.sweep_completed_items()
    [revision] = current(dataset)
    assert revision.outputs == OUTPUTS
    assert revision.metadata["corrected"] is False


def test_twice_is_once(queue, dataset, ada) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue)
    review(item, ada, {"outputs": {"answer": "x"}})
    assert harvest.harvest([item.pk], now=NOON) == 1
    assert harvest.harvest([item.pk, item.pk], now=NOON) == 0
    tasks.sweep_completed_items()
    assert Example.objects.count() == DatasetVersion.objects.count() == 1


def test_the_sweeper_finds_items_without_a_nudge(queue, dataset, ada) -> None:
    item = completed_item(queue)
    review(item, ada, {"outputs": {"answer": "x"}})
    tasks.sweep_completed_items()
    assert current(dataset) == []
    harvest.connect(queue, dataset)
    tasks.sweep_completed_items()
    assert len(current(dataset)) == 1


def test_a_reopened_item_leaves_in_a_new_version_and_may_come_back(queue, dataset, ada) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue)
    given = review(item, ada, {"outputs": {"answer": "x"}})
    harvest.harvest([item.pk], now=NOON)
    assert harvest.retract([item.pk], now=NOON) == 0, "it is still completed"
    QueueItem.objects.filter(pk=item.pk).update(state=QueueItem.State.OPEN)
    Review.objects.filter(pk=given.pk).update(retracted_at=NOON)
    assert harvest.retract([item.pk], now=NOON + timedelta(minutes=1)) == 1
    assert harvest.retract([item.pk], now=NOON + timedelta(minutes=1)) == 0
    assert current(dataset) == []
    assert ExampleRevision.objects.at(NOON).filter(dataset=dataset).count() == 1
    review(item, ada, {"outputs": {"answer": "y"}}, minutes=3)
    QueueItem.objects.filter(pk=item.pk).update(state=QueueItem.State.COMPLETED)
    assert harvest.harvest([item.pk], now=NOON + timedelta(minutes=4)) == 1
    assert json.loads(current(dataset)[0].outputs) == {"answer": "y"}
    assert Example.objects.count() == 1
    assert DatasetVersion.objects.count() == 3


def test_the_sweeper_retracts_items_without_a_nudge(queue, dataset, ada) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue)
    review(item, ada, {"outputs": {"answer": "x"}})
    harvest.harvest([item.pk], now=NOON)
    QueueItem.objects.filter(pk=item.pk).update(state=QueueItem.State.OPEN)
    tasks.sweep_completed_items()
    assert current(dataset) == []
    assert HarvestedItem.objects.get().outcome == "retracted"


def test_an_item_without_a_run_is_noted_and_not_asked_for_again(queue, dataset, ada) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue, has_run=False)
    review(item, ada, {"outputs": {"answer": "x"}})
    assert harvest.harvest([item.pk], now=NOON) == 0
    assert HarvestedItem.objects.get().outcome == "no_run"
    assert not harvest.waiting().exists()


def test_outputs_that_are_not_an_object_are_wrapped(queue, dataset, ada) -> None:
    harvest.connect(queue, dataset)
    item = completed_item(queue)
    review(item, ada, {"outputs": "Straße \u2028 done"})
    harvest.harvest([item.pk], now=NOON)
    assert json.loads(current(dataset)[0].outputs) == {"output": "Straße \u2028 done"}


def test_a_queue_never_fills_the_dataset_of_another_workspace(queue, rival) -> None:
    with pytest.raises(ValueError):
        harvest.connect(queue, DatasetFactory(workspace=rival))


def test_a_batch_costs_a_flat_number_of_queries(
    queue, dataset, ada, django_assert_max_num_queries
) -> None:
    harvest.connect(queue, dataset)
    items = [completed_item(queue) for _ in range(30)]
    for item in items:
        review(item, ada, {"outputs": {"answer": "x"}})
    with django_assert_max_num_queries(22):
        assert harvest.harvest([item.pk for item in items], now=NOON) == 30
    assert DatasetVersion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signal", [item_completed, item_reopened])
def test_completing_an_item_does_not_wait_for_the_broker(acme, monkeypatch, signal) -> None:
    nudged: list[int] = []
    monkeypatch.setattr(receivers.nudger, "nudge", lambda: nudged.append(1))
    monkeypatch.setattr(tasks.sweep_completed_items, "apply_async", pytest.fail)
    announce(signal, QueueItem, item_ids=[1])
    assert nudged == [1]


@pytest.mark.django_db(transaction=True)
def test_tasks_at_once_make_one_example_an_item(acme, ada) -> None:
    queue, dataset = AnnotationQueueFactory(workspace=acme), DatasetFactory(workspace=acme)
    harvest.connect(queue, dataset)
    items = [completed_item(queue) for _ in range(20)]
    for item in items:
        review(item, ada, {"outputs": {"answer": str(item.pk)}})
    ids = [item.pk for item in items]
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            for start in range(0, 20, 5):
                harvest.harvest(ids[start : start + 10], now=NOON)
            tasks.sweep_completed_items()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Example.objects.filter(dataset=dataset).count() == 20
    assert ExampleRevision.objects.filter(dataset=dataset).count() == 20
    assert HarvestedItem.objects.filter(outcome="example").count() == 20
