"""Tasks of this room. Each takes ids, may run twice or late, and says why that is harmless."""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from datasets_app import harvest


@shared_task(acks_late=True, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=5)
def harvest_items(item_ids: list[int]) -> None:
    """Make examples of completed items. Twice equals once: a harvested item is not waiting."""
    harvest.harvest(item_ids, now=timezone.now())


@shared_task(acks_late=True, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=5)
def retract_items(item_ids: list[int]) -> None:
    """Take back the examples of reopened items. Twice equals once: the state decides."""
    harvest.retract(item_ids, now=timezone.now())


@shared_task(acks_late=True)
def sweep_completed_items() -> None:
    """Do what a lost nudge left undone. Two sweeps at once wait for each other at the dataset."""
    now = timezone.now()
    lost = list(harvest.waiting().order_by("pk").values_list("pk", flat=True)[: harvest.BATCH])
    if lost:
        harvest.harvest(lost, now=now)
    stale = list(harvest.reopened().values_list("item_id", flat=True)[: harvest.BATCH])
    if stale:
        harvest.retract(stale, now=now)
