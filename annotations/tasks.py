"""Background tasks. The rows are the queue; a message only starts the work early."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutting_down
from django.db import OperationalError, close_old_connections, connection, transaction
from django.utils import timezone

from annotations.models import Backfill, BackTest
from annotations.quality import drift_watch
from annotations.queues.reviewer_count import follow_all
from annotations.routing import backfills, backtests
from annotations.routing.routing import BATCH, drain

log = logging.getLogger(__name__)

MIN_BATCH, MAX_BATCH = 25, 4_000  # Change rows per transaction
SLOW_S = 1.0  # a transaction should not hold its claims for longer
BUDGET_S = 45.0  # of a task; the next nudge or sweep continues
SWEEP_EVERY_S = 5.0
SWEEP_LOCK = 0x0B5E_0001  # pg_advisory lock: one sweep at a time, over all workers and beats


@shared_task(
    acks_late=True,
    ignore_result=True,
    autoretry_for=(OperationalError,),
    retry_backoff=True,
    max_retries=3,
)
def drain_changes() -> int:
    """Route all due changes; return how many there were.

    Running twice, late, or at the same time equals running once: changes are claimed with SKIP
    LOCKED and deleted in the transaction that acted on them, and (queue, run) is unique.
    """
    return _repeat(lambda limit: drain(limit, timezone.now()))


@shared_task(acks_late=True, ignore_result=True)
def sweep_changes() -> int:
    """Route changes whose nudge the broker lost. Returns how many changes.

    Running twice, or in two beats, equals running once: it is `drain_changes` under a lock, and
    a sweep that does not get the lock does nothing.
    """
    return sweep()


@shared_task(acks_late=True, ignore_result=True)
def watch_drift() -> int:
    """Look at the queues that are due for their weekly look; return how many alarms are new.

    Twice equals once: a look marks its queue first, and an alarm is unique in its week.
    """
    return drift_watch.look_at_due(timezone.now())


def sweep() -> int:
    """Run `sweep_changes` in this thread, without a broker.

    Also recounts queues that ask all reviewers: no signal reports members who join or leave.
    """
    follow_all(timezone.now())
    return _repeat(_sweep_once)


def _sweep_once(limit: int) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SWEEP_LOCK])
            (is_ours,) = cursor.fetchone() or (False,)
        return drain(limit, timezone.now()) if is_ours else 0


@shared_task(acks_late=True, ignore_result=True)
def continue_rule_work() -> None:
    """Take steps of unfinished back-tests and backfills until none is left or the time is up.

    Running twice, late, or at the same time equals running once: the row of a walk is its lock,
    and its cursor moves in the transaction of the step.
    """
    ends_at = time.monotonic() + BUDGET_S
    for model, step in ((Backfill, backfills.step), (BackTest, backtests.step)):
        waiting = model.objects.filter(state__in=("waiting", "running")).order_by("pk")
        for pk in list(waiting.values_list("pk", flat=True)):
            while time.monotonic() < ends_at and step(pk, timezone.now()):
                pass


def _repeat(step: Callable[[int], int]) -> int:
    """Process batches until none is due or the budget is spent; return the number of changes.

    A change names one run or a hundred, so the batch grows while it is quick and shrinks when it is
    slow: a backlog of small changes costs no more statements than one of large ones.
    """
    n_changes, limit = 0, BATCH
    ends_at = time.monotonic() + BUDGET_S
    while (begun_at := time.monotonic()) < ends_at:
        n = step(limit)
        n_changes += n
        if n == 0:
            break
        took_s = time.monotonic() - begun_at
        if took_s > SLOW_S:
            limit = max(limit // 2, MIN_BATCH)
        elif n == limit and took_s < SLOW_S / 4:
            limit = min(limit * 2, MAX_BATCH)
    return n_changes


# Every worker sweeps on its own as well, so that neither a single beat nor a broker is needed:
# also while it waits for a broker that is down, which is why this starts before the connection.

_is_stopping = threading.Event()


def _sweep_for_ever() -> None:
    while not _is_stopping.wait(SWEEP_EVERY_S):
        try:
            close_old_connections()
            sweep()
        except Exception:
            # Any failure: the next round retries, which a dead thread would not.
            log.exception("the sweep failed; the next one is in %s s", SWEEP_EVERY_S)
            connection.close()
    connection.close()


@worker_init.connect
def start_sweeping(**kwargs: Any) -> None:
    """Start the sweeper of this worker."""
    _is_stopping.clear()
    threading.Thread(target=_sweep_for_ever, name="sweeper", daemon=True).start()


@worker_shutting_down.connect
def stop_sweeping(**kwargs: Any) -> None:
    """Let the sweeper finish its batch and start no other."""
    _is_stopping.set()
