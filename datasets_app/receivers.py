"""Signals from lower rooms that start this room's tasks. Never waits for the broker."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from annotations.signals import item_completed, item_reopened
from datasets_app import tasks
from observatory.nudges import Nudger, is_backlogged


def _send() -> None:
    """Start the sweep now instead of within ten seconds."""
    if not is_backlogged():
        tasks.sweep_completed_items.apply_async(retry=False, expires=60, ignore_result=True)


nudger = Nudger(_send)


@receiver([item_completed, item_reopened])
def nudge(**_: Any) -> None:
    """Harvest or retract soon. Does not delay the response to the reviewer."""
    nudger.nudge()
