"""What this room does when rooms below announce something: raise a flag, nothing more."""

from __future__ import annotations

from typing import Any

from annotations import tasks
from observatory.nudges import Nudger, is_backlogged


def _send() -> None:
    """Have the changes routed now: what the sweep would find in five seconds."""
    if not is_backlogged():
        # A message older than this says nothing that the sweeper has not found.
        tasks.drain_changes.apply_async(retry=False, expires=60, ignore_result=True)


nudger = Nudger(_send)


def nudge(**_: Any) -> None:
    """Have the changed runs routed soon. Never waits and never fails: the rows are stored."""
    nudger.nudge()
