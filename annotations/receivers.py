"""What this room does when rooms below announce something: raise a flag, nothing more."""

from __future__ import annotations

from typing import Any

from annotations.nudges import nudger


def nudge(**kwargs: Any) -> None:
    """Have the changed runs routed soon. Never waits and never fails: the rows are stored."""
    nudger.nudge()
