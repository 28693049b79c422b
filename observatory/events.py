"""Signals from lower rooms to the rooms above: which rows changed."""

from __future__ import annotations

import functools
from typing import Any

from django.db import transaction
from django.dispatch import Signal


def announce(signal: Signal, sender: type, **ids: Any) -> None:
    """Send `signal` with `ids` after the current transaction commits.

    Outside a transaction it is sent at once. A receiver that fails (a dead broker, say) is
    logged and never fails the caller: the rows are stored, and a sweeper finds them. Nothing
    is sent when the transaction rolls back. `ids` are identifiers only, never objects.
    """

    # A named function, not functools.partial: Django logs a failed robust callback by its
    # __qualname__, which a partial lacks, and would then raise after all.
    @functools.wraps(announce)
    def send() -> None:
        signal.send(sender=sender, **ids)

    transaction.on_commit(send, robust=True)
