"""Rate limits: counted in PostgreSQL, one count for all processes."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import connection

WINDOW = timedelta(minutes=1)
PRUNED_AT_ONCE = 20


def subject_of(kind: str, name: str) -> bytes:
    """Return the digest under which `name` is counted; addresses and tokens are not stored."""
    return hashlib.sha256(f"{kind}\x00{name}".encode("utf-8", "replace")).digest()


def seconds_to_wait(subject: bytes, limit: int, now: datetime) -> int:
    """Count one request of `subject`. Return 0 while at most `limit` are in its current minute.

    Otherwise return the whole seconds until the next one opens, at least 1. A minute begins with
    the first request after the last one ended. Each new minute removes some that ended an hour ago,
    so the table stays as small as the traffic of an hour.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO feedback_ratewindow AS w (subject, started_at, n_hits)
            VALUES (%(subject)s, %(now)s, 1)
            ON CONFLICT (subject) DO UPDATE SET
                n_hits = CASE WHEN w.started_at <= %(ended)s THEN 1 ELSE w.n_hits + 1 END,
                started_at = CASE WHEN w.started_at <= %(ended)s THEN %(now)s ELSE w.started_at END
            RETURNING started_at, n_hits
            """,
            {"subject": subject, "now": now, "ended": now - WINDOW},
        )
        started_at, n_hits = cursor.fetchone()
        if n_hits == 1:
            cursor.execute(
                """
                DELETE FROM feedback_ratewindow WHERE subject IN (
                    SELECT subject FROM feedback_ratewindow WHERE started_at < %s
                    ORDER BY started_at LIMIT %s FOR UPDATE SKIP LOCKED)
                """,
                [now - timedelta(hours=1), PRUNED_AT_ONCE],
            )
    if n_hits <= limit:
        return 0
    return max(1, int((started_at + WINDOW - now).total_seconds()) + 1)
