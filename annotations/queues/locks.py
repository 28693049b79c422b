"""The lock on a queue for changes of its questions and settings."""

from __future__ import annotations

from django.db import connection

from annotations.models import AnnotationQueue


def lock_queue(queue: AnnotationQueue) -> AnnotationQueue:
    """Lock `queue` against every reviewer until the transaction ends; return its current row.

    For changes of its questions and settings. Waits for reviewers' transactions in progress; later
    ones wait for this lock (the shared side is `reviewer_sessions.open_session`).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(1, (%s %% 2147483647)::integer)", [queue.pk])
    return AnnotationQueue.objects.select_for_update(no_key=True).get(pk=queue.pk)
