"""Slow down password guessing: per user name and address, per address, and in total.

Attempts are rows, so that every web process and a restart see the same count. An attempt is counted
before its password is checked, one attempt at a time, so that concurrent attempts cannot exceed the
limit. The response is the same for a name that does not exist.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from django.db import connection, transaction

from observatory.workspaces.models import SignInFailure

WINDOW: Final = timedelta(minutes=15)
PER_NAME_AND_ADDRESS: Final = 10
PER_ADDRESS: Final = 50
IN_ALL: Final = 1_000
_LOCK: Final = 0x5369676E  # of pg_advisory_xact_lock: attempts are counted one at a time


def _digest(*words: str) -> bytes:
    return hashlib.sha256("\n".join(words).encode()).digest()


def _mark(username: str, address: str) -> bytes:
    return _digest(username.strip().casefold(), address)


def _limits(username: str, address: str) -> dict[bytes, int]:
    """Return the number of failures allowed per mark."""
    return {
        _mark(username, address): PER_NAME_AND_ADDRESS,
        _digest("address", _network(address)): PER_ADDRESS,
        _digest("in all"): IN_ALL,
    }


def _network(address: str) -> str:
    """Return the network of one client: an IPv4 address, or the first half of an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else address


@transaction.atomic
def begin(username: str, address: str, now: datetime) -> timedelta | None:
    """Count an attempt as a failure, until `succeed` clears it.

    Return None when the password may be checked, else how long to wait; then nothing is counted.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    SignInFailure.objects.filter(failed_at__lte=now - WINDOW).delete()
    limits = _limits(username, address)
    waits = [_wait(mark, limit, now) for mark, limit in limits.items()]
    longest = max((wait for wait in waits if wait is not None), default=None)
    if longest is None:
        SignInFailure.objects.bulk_create(
            SignInFailure(mark=mark, failed_at=now) for mark in limits
        )
    return longest


def _wait(mark: bytes, limit: int, now: datetime) -> timedelta | None:
    """Return how long until fewer than `limit` failures of the window are left."""
    failures = SignInFailure.objects.filter(mark=mark, failed_at__gt=now - WINDOW)
    oldest_that_counts = failures.order_by("-failed_at").values_list("failed_at", flat=True)[
        limit - 1 : limit
    ]
    for failed_at in oldest_that_counts:
        return failed_at + WINDOW - now
    return None


@transaction.atomic
def succeed(username: str, address: str, now: datetime) -> None:
    """Clear the failures of the name at this address, after a right password."""
    pair, *others = _limits(username, address)
    SignInFailure.objects.filter(mark=pair).delete()
    for mark in others:
        own = SignInFailure.objects.filter(mark=mark, failed_at=now).values("pk")[:1]
        SignInFailure.objects.filter(pk__in=own).delete()


def reset() -> int:
    """Clear all failures; return how many there were."""
    return SignInFailure.objects.all().delete()[0]
