"""What this room hears from below, turned into tasks."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from annotations.signals import item_completed, item_reopened
from datasets_app import tasks


@receiver(item_completed)
def on_item_completed(item_ids: list[int], **_: Any) -> None:
    tasks.harvest_items.delay(list(item_ids))


@receiver(item_reopened)
def on_item_reopened(item_ids: list[int], **_: Any) -> None:
    tasks.retract_items.delay(list(item_ids))
