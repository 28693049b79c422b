"""Recognise exceptions that are outages, so that clients retry later."""

from __future__ import annotations

from typing import Final

from django.db import InterfaceError, OperationalError
from django.http import UnreadablePostError
from psycopg.errors import ReadOnlySqlTransaction

# The SDKs keep a batch on 503 with Retry-After and send it again; on a 500 they drop it.
RETRY_AFTER_S: Final = 20
_OF_THE_CLIENT = (UnreadablePostError, ConnectionError)


def reason_of_outage(exception: BaseException) -> str | None:
    """Return what is unavailable because of `exception`, or None if it is not an outage.

    The database is unreachable, full or read-only (a standby); or the disk is full, read-only or
    gone, also for the file in which the server keeps a request's body. An OSError of the connection
    to the client is not an outage.
    """
    cause = exception.__cause__
    if isinstance(exception, UnreadablePostError) and isinstance(cause, OSError) and cause.errno:
        exception = cause  # Django wraps what reading raised; a body cut short has no number
    if isinstance(exception, (OperationalError, InterfaceError)) or isinstance(
        cause, ReadOnlySqlTransaction
    ):
        return "The database is not available; try again"
    if isinstance(exception, OSError) and not isinstance(exception, _OF_THE_CLIENT):
        return "The server cannot write or read its files now; try again"
    return None
