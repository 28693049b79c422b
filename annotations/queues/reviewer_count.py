"""Change the number of reviews per item, even during reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from annotations import signals
from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import blindness
from annotations.queues.locks import lock_queue
from observatory.events import announce
from observatory.runs import changes
from observatory.runs.models import Change
from observatory.workspaces.models import Membership
from observatory.workspaces.roles import PERMISSIONS, Permission

MAX_REVIEWERS = 20

_COMPLETE = """
UPDATE annotations_queueitem SET state = 'completed', completed_at = %(now)s
WHERE queue_id = %(queue)s AND state = 'open' AND n_reviews >= %(n)s
RETURNING id, run_id
"""
# Live reservations keep their seats, the earliest first, while there are seats.
_DROP = """
DELETE FROM annotations_seat WHERE id IN (
    SELECT id FROM (
        SELECT id, is_taken, row_number() OVER (
            PARTITION BY item_id
            ORDER BY is_taken DESC, coalesce(expires_at > %(now)s, false) DESC, reserved_at, number
        ) AS place
        FROM annotations_seat WHERE queue_id = %(queue)s
    ) ranked
    WHERE place > %(n)s AND NOT is_taken)
RETURNING item_id
"""
# In two steps, because a number must be unique in its item at every moment.
_RENUMBER = (
    """
    UPDATE annotations_seat s SET number = -ranked.place FROM (
        SELECT id, row_number() OVER (PARTITION BY item_id ORDER BY number) AS place
        FROM annotations_seat WHERE item_id = ANY(%(items)s)
    ) ranked
    WHERE s.id = ranked.id
    """,
    "UPDATE annotations_seat SET number = -number WHERE item_id = ANY(%(items)s) AND number < 0",
)
_ADD = """
INSERT INTO annotations_seat (queue_id, item_id, number, priority, is_taken, is_returned)
SELECT i.queue_id, i.id, wanted, i.priority, false, false
FROM annotations_queueitem i CROSS JOIN generate_series(1, %(n)s) wanted
WHERE i.queue_id = %(queue)s AND i.state = 'open'
  AND NOT EXISTS (SELECT FROM annotations_seat s WHERE s.item_id = i.id AND s.number = wanted)
"""
_ADD_TO_ITEM = _ADD + " AND i.id = %(item)s"


@transaction.atomic
def set_reviewers_per_item(queue: AnnotationQueue, n: int, now: datetime) -> None:
    """Set the number of reviews (1 to 20) of every item that is still open to `n`.

    Fewer: an open item that has enough counted reviews completes (`item_completed`), and surplus
    seats are deleted, free ones first. A reviewer who held one may still submit; that review is
    kept, not counted. More: open items get seats; completed items stay completed. Counted reviews
    are never uncounted. Raises ValueError outside 1 to 20.
    """
    if not 1 <= n <= MAX_REVIEWERS:
        raise ValueError("an item needs 1 to 20 reviewers")
    locked = lock_queue(queue)  # also excludes `add_runs`, which shares a lock on the queue's row
    is_more = n > locked.reviewers_per_item
    locked.reviewers_per_item = queue.reviewers_per_item = n
    locked.save(update_fields=["reviewers_per_item", "updated_at"])
    parameters: dict[str, Any] = {"queue": queue.pk, "n": n, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, parameters)
        completed = cursor.fetchall()
        cursor.execute(_DROP, parameters)
        changed = sorted({row[0] for row in cursor.fetchall()})
        for statement in _RENUMBER:
            cursor.execute(statement, {"items": changed})
        if is_more:
            cursor.execute(_ADD, parameters)
            # The new seats belong to old items: all bookmarks start at the front again.
            cursor.execute(
                "UPDATE annotations_bookmark SET places = '{}' WHERE queue_id = %(queue)s",
                parameters,
            )
    if completed:
        blindness.follow(queue.workspace, [pk for pk, _ in completed])
        changes.note(queue.workspace, Change.Kind.RUN, [run_id for _, run_id in completed])
        announce(signals.item_completed, QueueItem, item_ids=[pk for pk, _ in completed])


def everybody(queue: AnnotationQueue) -> int:
    """Return the number behind "all", 1 to 20: assigned reviewers, else all who may review."""
    n_assigned = queue.assigned_reviewers.count()
    return _at_least_one(n_assigned or n_reviewers(queue.workspace_id))


def n_reviewers(workspace_id: int) -> int:
    """Return how many members of a workspace may review."""
    roles = [role for role, may in PERMISSIONS.items() if Permission.REVIEW in may]
    return Membership.objects.filter(workspace=workspace_id, role__in=roles).count()


def _at_least_one(n: int) -> int:
    return min(max(n, 1), MAX_REVIEWERS)


def follow_all(now: datetime) -> int:
    """Update every queue that asks all reviewers; return how many changed.

    Members and assignments change in other rooms, which do not know of seats, so the sweeper calls
    this.
    """
    n = 0
    for queue in AnnotationQueue.objects.filter(asks_everybody=True).order_by("pk"):
        if everybody(queue) != queue.reviewers_per_item:
            follow_everybody(queue, now)
            n += 1
    return n


@transaction.atomic
def follow_everybody(queue: AnnotationQueue, now: datetime) -> None:
    """Set the number of reviews in a queue that asks all reviewers to their current number."""
    if queue.asks_everybody and (n := everybody(queue)) != queue.reviewers_per_item:
        set_reviewers_per_item(queue, n, now)


def fill_up(item: QueueItem) -> None:
    """Add the missing seats of an open item.

    It was complete, and so left alone, when its queue began to ask for more reviews.
    """
    n = item.queue.reviewers_per_item
    with connection.cursor() as cursor:
        for statement in _RENUMBER:  # after earlier changes a number may be beyond `n`
            cursor.execute(statement, {"items": [item.pk]})
        cursor.execute(_ADD_TO_ITEM, {"queue": item.queue_id, "n": n, "item": item.pk})
