"""B1, B6: a nudge never costs the caller anything, and a lost one has no effect."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from annotations import tasks
from observatory.celery import app
from observatory.runs import changes
from observatory.runs.models import Change
from tests.annotations.routing_world import make_rule, make_run
from tests.factories import AnnotationQueueFactory
from tests.waiting import wait_until


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme)


@pytest.mark.django_db(transaction=True)
def test_b1_a_change_that_is_committed_nudges_and_one_rolled_back_does_not(
    acme, monkeypatch
) -> None:
    from annotations import receivers

    nudged = []
    monkeypatch.setattr(receivers.nudger, "nudge", lambda: nudged.append(1))
    make_run(acme)
    assert len(nudged) == 1
    with transaction.atomic():
        make_run(acme)
        transaction.set_rollback(True)
    assert len(nudged) == 1


@pytest.mark.django_db(transaction=True)
def test_b1_the_sweep_routes_changes_without_a_message(acme, queue) -> None:
    make_rule(queue, "eq(is_root, true)")
    runs = {make_run(acme).id for _ in range(3)}
    assert tasks.sweep_changes() == 3
    assert set(queue.items.values_list("run_id", flat=True)) == runs
    assert tasks.sweep_changes() == 0


@pytest.mark.django_db(transaction=True)
def test_the_drain_task_empties_the_outbox_in_bounded_batches(acme, queue, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "BATCH", 2)
    make_rule(queue, "eq(is_root, true)")
    for _ in range(5):
        make_run(acme)
    assert tasks.drain_changes() == 5
    assert queue.items.count() == 5


@pytest.mark.django_db(transaction=True)
def test_b6_of_two_sweeps_at_once_one_has_nothing_to_do(acme, queue) -> None:
    make_rule(queue, "eq(is_root, true)")
    make_run(acme)
    taken: list[int] = []

    def sweep() -> None:
        taken.append(tasks.sweep())
        connection.close()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [tasks.SWEEP_LOCK])
        other = threading.Thread(target=sweep)
        other.start()
        other.join()
    assert taken == [0]
    assert Change.objects.count() == 1
    assert tasks.sweep() == 1


@pytest.mark.django_db(transaction=True)
def test_every_worker_sweeps_by_itself_and_goes_on_after_a_failure(
    acme, queue, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(tasks, "SWEEP_EVERY_S", 0.05)
    failures = [RuntimeError("a bad moment")]
    honest = tasks.sweep

    def sweep() -> int:
        if failures:
            raise failures.pop()
        return honest()

    monkeypatch.setattr(tasks, "sweep", sweep)
    make_rule(queue, "eq(is_root, true)")
    run = make_run(acme)
    tasks.start_sweeping()
    try:
        wait_until(lambda: queue.items.filter(run_id=run.id).exists())
    finally:
        tasks.stop_sweeping()
        for thread in threading.enumerate():
            if thread.name == "sweeper":
                thread.join()
    assert "the sweep failed" in caplog.text


def test_b6_beat_sweeps_every_5_seconds() -> None:
    entry = app.conf.beat_schedule["sweep-changes"]
    assert (entry["task"], entry["schedule"]) == (tasks.sweep_changes.name, 5.0)


@pytest.mark.django_db(transaction=True)
def test_b1_runs_are_stored_without_a_broker(acme, settings, tmp_path) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": str(tmp_path / "absent")}
    changes.note(acme, Change.Kind.RUN, [make_run(acme, is_noted=False).id])
    assert Change.objects.count() == 1
