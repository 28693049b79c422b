"""Slowing down people who guess passwords, per user name and address.

The failures are rows, so that every web process and a restart see the same count. The answer is
the same for a name that does not exist.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from observatory.workspaces.models import SignInFailure

FAILURES_ALLOWED = 10
WINDOW = timedelta(minutes=15)


def _mark(username: str, address: str) -> bytes:
    return hashlib.sha256(f"{username.strip().casefold()}\n{address}".encode()).digest()


def wait_for(username: str, address: str, now: datetime) -> timedelta | None:
    """Return how long `address` must wait before it may try `username` again, or None: not at all.

    After FAILURES_ALLOWED failures within WINDOW, until the oldest of them has left the window.
    """
    failures = list(
        SignInFailure.objects.filter(mark=_mark(username, address), failed_at__gt=now - WINDOW)
        .order_by("-failed_at")
        .values_list("failed_at", flat=True)[:FAILURES_ALLOWED]
    )
    if len(failures) < FAILURES_ALLOWED:
        return None
    return failures[-1] + WINDOW - now


def note_failure(username: str, address: str, now: datetime) -> None:
    """Count a wrong password; failures that no longer matter are deleted."""
    SignInFailure.objects.filter(failed_at__lte=now - WINDOW).delete()
    SignInFailure.objects.create(mark=_mark(username, address), failed_at=now)


def forget(username: str, address: str) -> None:
    """Start counting anew, after a right password."""
    SignInFailure.objects.filter(mark=_mark(username, address)).delete()
