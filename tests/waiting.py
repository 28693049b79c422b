"""Wait for what another thread or process does."""

from __future__ import annotations

import time


def wait_until(is_so, seconds: float = 10.0) -> None:
    """Poll until `is_so()`; fail after `seconds`."""
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come about"
        time.sleep(0.01)
