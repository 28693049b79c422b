"""B1, B6: a nudge never costs the caller anything, and a lost one costs nobody anything."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, transaction

from annotations import nudges, tasks
from annotations.nudges import Nudger
from observatory.celery import app
from observatory.runs import changes
from observatory.runs.models import Change
from tests.annotations.routing_world import make_rule, make_run
from tests.factories import AnnotationQueueFactory


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(nudges, "PAUSE_S", 0.01)
    monkeypatch.setattr(nudges, "SPACING_S", 0.01)


def test_b1_a_broker_that_hangs_does_not_hold_up_the_caller() -> None:
    is_free, has_begun = threading.Event(), threading.Event()
    sent = []

    def hang() -> None:
        has_begun.set()
        is_free.wait()
        sent.append(1)

    nudger = Nudger(hang)
    nudger.nudge()
    has_begun.wait()
    for _ in range(1_000):  # would be a thousand hangs in the caller
        nudger.nudge()
    assert sent == []
    is_free.set()
    wait_until(lambda: len(sent) == 2)
    time.sleep(0.1)
    assert len(sent) == 2  # all of the thousand were one more message


def test_b1_a_broker_that_fails_is_tried_again_at_the_next_nudge(caplog) -> None:
    answers = [ConnectionError("no broker"), ConnectionError("no broker"), None]
    tried = []

    def publish() -> None:
        answer = answers[len(tried)]
        tried.append(answer)
        if answer is not None:
            raise answer

    nudger = Nudger(publish)
    for n in range(1, 4):
        nudger.nudge()
        wait_until(lambda n=n: len(tried) == n)
        time.sleep(0.03)
    wait_until(lambda: "takes nudges again" in caplog.text)
    assert caplog.text.count("takes no nudge") == 1


def test_a_forked_process_gets_a_thread_of_its_own(monkeypatch) -> None:
    sent = []
    nudger = Nudger(lambda: sent.append(threading.current_thread()))
    nudger.nudge()
    wait_until(lambda: len(sent) == 1)
    monkeypatch.setattr(nudges.os, "getpid", lambda: -1)  # what a fork looks like from inside
    nudger.nudge()
    wait_until(lambda: len(sent) == 2)
    assert nudger._pid == -1


def test_messages_do_not_pile_up_in_the_folder_of_the_filesystem_broker(tmp_path, settings) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": str(tmp_path)}
    assert not nudges.is_backlogged()
    for number in range(nudges.MAX_UNREAD_FILES + 1):
        (tmp_path / f"{number}.observatory.msg").touch()
    assert nudges.is_backlogged()
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300}
    assert not nudges.is_backlogged()


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
def test_b1_the_sweep_routes_what_no_message_told_of(acme, queue) -> None:
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
def test_b1_storing_runs_with_no_broker_at_all_is_no_error(acme, settings, tmp_path) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": str(tmp_path / "absent")}
    changes.note(acme, Change.Kind.RUN, [make_run(acme, is_noted=False).id])
    assert Change.objects.count() == 1


def wait_until(is_so, seconds: float = 10.0) -> None:
    """Poll until `is_so()`; fail after `seconds`."""
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come about"
        time.sleep(0.01)
