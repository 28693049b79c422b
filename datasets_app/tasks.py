"""The task of this room. It is safe to run twice or late."""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from datasets_app import harvest


@shared_task(acks_late=True, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=5)
def sweep_completed_items() -> None:
    """Make examples of completed items, and take back those of reopened ones.

    Runs when an item is completed or reopened, and from the beat in case a nudge was lost. Twice
    equals once: a harvested item is not waiting, and two at once wait for each other at the
    dataset.
    """
    now = timezone.now()
    lost = list(harvest.waiting().order_by("pk").values_list("pk", flat=True)[: harvest.BATCH])
    if lost:
        harvest.harvest(lost, now=now)
    stale = list(harvest.reopened().values_list("item_id", flat=True)[: harvest.BATCH])
    if stale:
        harvest.retract(stale, now=now)
