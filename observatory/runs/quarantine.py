"""Retention of the quarantine: rejected items are kept for 30 days, and up to a total size."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from observatory.runs.models import Rejected

KEPT_FOR: Final = timedelta(days=30)
KEPT_BYTES: Final = 256 << 20  # of one workspace, the newest


def sweep(now: datetime) -> int:
    """Delete items that are too old or beyond the size limit; return how many."""
    n_old, _ = Rejected.objects.filter(received_at__lt=now - KEPT_FOR).delete()
    with connection.cursor() as cursor:
        cursor.execute(_SURPLUS, [KEPT_BYTES])
        return int(n_old + cursor.rowcount)


_SURPLUS = """
DELETE FROM runs_rejected WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(length(raw)) OVER (
            PARTITION BY workspace_id ORDER BY received_at DESC, id DESC
        ) AS up_to_here FROM runs_rejected
    ) each WHERE up_to_here > %s
)
"""
