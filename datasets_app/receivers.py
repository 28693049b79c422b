"""What this room hears from below, turned into tasks. It never waits for the broker."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from annotations.signals import item_completed, item_reopened
from datasets_app import tasks
from observatory.nudges import Nudger, is_backlogged


def _send() -> None:
    """Have the sweep run now: what it would find in ten seconds, it finds at once."""
    if not is_backlogged():
        tasks.sweep_completed_items.apply_async(retry=False, expires=60, ignore_result=True)


nudger = Nudger(_send)


@receiver([item_completed, item_reopened])
def nudge(**_: Any) -> None:
    """Harvest or retract soon. The reviewer's answer is on its way and does not wait for this."""
    nudger.nudge()
