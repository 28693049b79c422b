"""Signals from lower rooms: they only start this room's tasks early."""

from __future__ import annotations

from typing import Any

from annotations import tasks
from observatory.nudges import Nudger, is_backlogged


def _send() -> None:
    """Route the changes now instead of within five seconds."""
    if not is_backlogged():
        # The sweeper has already found the changes of an older message.
        tasks.drain_changes.apply_async(retry=False, expires=60, ignore_result=True)


nudger = Nudger(_send)


def nudge(**_: Any) -> None:
    """Route the changed runs soon. Never waits and never fails: the rows are stored."""
    nudger.nudge()
