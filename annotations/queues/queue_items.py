"""The items of a queue: add runs, remove, restore, read.

An item and its seats are one statement, so no reader ever sees an item without seats. A removed
item stays as a tombstone: it only comes back when a user adds it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet

from annotations.models import AnnotationQueue, Deferral, QueueItem, Seat
from annotations.models.queues import REVIEWABLE
from annotations.queues import blindness
from observatory.runs import changes
from observatory.runs.models import Change
from observatory.workspaces.models import User, Workspace

# `wanted` (queue_id, run_id, priority, ord) is the caller's. FOR SHARE: see `resize`. Foreign
# keys are checked at the end of the transaction, so seats may refer to rows of the same statement.
ADD_ITEMS = """
queue AS (
    SELECT id, workspace_id, reviewers_per_item FROM annotations_annotationqueue
    WHERE id = ANY(%(queues)s) ORDER BY id FOR SHARE
),
added AS (
    INSERT INTO annotations_queueitem
        (workspace_id, uuid, queue_id, run_id, state, source, priority, added_at, added_by_id,
         n_reviews)
    SELECT queue.workspace_id, gen_random_uuid(), queue.id, wanted.run_id, 'open', %(source)s,
           wanted.priority, %(now)s, %(added_by)s, 0
    FROM wanted JOIN queue ON queue.id = wanted.queue_id
    ORDER BY wanted.ord
    ON CONFLICT (queue_id, run_id) DO NOTHING
    RETURNING id, queue_id, run_id, priority
),
seated AS (
    INSERT INTO annotations_seat (queue_id, item_id, number, priority, is_taken)
    SELECT added.queue_id, added.id, number, added.priority, false
    FROM added JOIN queue ON queue.id = added.queue_id
    CROSS JOIN generate_series(1, queue.reviewers_per_item) number
    ORDER BY added.id, number
)
"""

# For restored items or a raised number of reviews: bookmarks may be past them.
_MISSING_SEATS = """
INSERT INTO annotations_seat (queue_id, item_id, number, priority, is_taken, is_returned)
SELECT i.queue_id, i.id, number, i.priority, false, true
FROM annotations_queueitem i
JOIN annotations_annotationqueue q ON q.id = i.queue_id
CROSS JOIN LATERAL generate_series(1, q.reviewers_per_item) number
WHERE i.state = 'open'
  AND NOT EXISTS (
      SELECT FROM annotations_seat s WHERE s.item_id = i.id AND s.number = number.number)
"""


@transaction.atomic
def add_runs(
    queue: AnnotationQueue,
    run_ids: Iterable[UUID],
    *,
    source: str,
    now: datetime,
    added_by: User | None = None,
    priority: int = 0,
) -> list[QueueItem]:
    """Add runs to a queue, each once, and return all their items in that order.

    A run need not be stored yet. One that is in the queue already keeps its item as it is. A
    removed item comes back only when `source` is a user: rules and the API leave a user's removal
    in place, and the returned item then has the state `removed`.
    """
    ids = list(dict.fromkeys(run_ids))
    if not ids:
        return []
    parameters: dict[str, Any] = {
        "queue": queue.pk,
        "queues": [queue.pk],
        "source": source,
        "priority": priority,
        "now": now,
        "added_by": added_by.pk if added_by else None,
        "runs": ids,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH wanted AS (SELECT %(queue)s AS queue_id, run_id, %(priority)s AS priority, ord"
            " FROM unnest(%(runs)s::uuid[]) WITH ORDINALITY w(run_id, ord)),"
            f" {ADD_ITEMS} SELECT count(*) FROM added",
            parameters,
        )
        if source == QueueItem.Source.PERSON:
            cursor.execute(
                "UPDATE annotations_queueitem SET state = 'open', removed_at = NULL,"
                " source = %(source)s, priority = %(priority)s, added_at = %(now)s,"
                " added_by_id = %(added_by)s"
                " WHERE queue_id = %(queue)s AND run_id = ANY(%(runs)s::uuid[])"
                " AND state = 'removed' RETURNING id",
                parameters,
            )
            revived = [row[0] for row in cursor.fetchall()]
            _reseat(queue.workspace, cursor, revived, now)
    items = {item.run_id: item for item in QueueItem.objects.filter(queue=queue, run_id__in=ids)}
    return [items[run_id] for run_id in ids]


def _reseat(workspace: Workspace, cursor: Any, item_ids: list[int], now: datetime) -> None:
    """Add the missing seats of restored items; one with enough reviews is complete."""
    if not item_ids:
        return
    cursor.execute(
        "UPDATE annotations_queueitem i SET state = 'completed',"
        " completed_at = coalesce(i.completed_at, %s)"
        " FROM annotations_annotationqueue q WHERE q.id = i.queue_id AND i.id = ANY(%s)"
        " AND i.n_reviews >= q.reviewers_per_item",
        [now, item_ids],
    )
    cursor.execute(_MISSING_SEATS + " AND i.id = ANY(%s)", [item_ids])
    blindness.reopen(workspace, item_ids, now)


def remove(item: QueueItem, now: datetime) -> bool:
    """Take `item` out of its queue for good; return False when it was out already.

    The item stays as a tombstone with its reviews, so that no rule adds the run again.
    """
    return remove_many(item.queue, [item.pk], now=now) == 1


@transaction.atomic
def remove_many(queue: AnnotationQueue, item_ids: Sequence[int], *, now: datetime) -> int:
    """Remove these items of `queue`; return how many were not removed before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE annotations_queueitem SET state = 'removed', removed_at = %s"
            " WHERE queue_id = %s AND id = ANY(%s) AND state <> 'removed' RETURNING id, run_id",
            [now, queue.pk, list(item_ids)],
        )
        removed = cursor.fetchall()
    Seat.objects.filter(item_id__in=[pk for pk, _ in removed], is_taken=False).delete()
    changes.note(queue.workspace, Change.Kind.RUN, [run_id for _, run_id in removed])
    return len(removed)


@transaction.atomic
def requeue_for_all(item: QueueItem, now: datetime) -> None:
    """Offer `item` to all reviewers again: skips and requeues are deleted.

    A removed item is restored, too, since a user requested it. Reviews stand; their reviewers do
    not get it again.
    """
    QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    Deferral.objects.filter(item=item).delete()
    release(item)
    Seat.objects.filter(item=item, is_taken=False).update(is_returned=True)
    restore(item, now)


@transaction.atomic
def restore(item: QueueItem, now: datetime) -> bool:
    """Undo `remove`: the item is open again, or completed if it has its reviews.

    Return False when it was not removed. Skips and requeues stand.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE annotations_queueitem SET state = 'open', removed_at = NULL"
            " WHERE id = %s AND state = 'removed' RETURNING id",
            [item.pk],
        )
        restored = [row[0] for row in cursor.fetchall()]
        _reseat(item.queue.workspace, cursor, restored, now)
    if restored:
        changes.note(item.queue.workspace, Change.Kind.RUN, [item.run_id])  # see run_status.py
    item.refresh_from_db()
    return bool(restored)


def release(item: QueueItem) -> int:
    """End every live reservation of `item`; return how many. Unsubmitted input stays a draft."""
    return Seat.objects.filter(item=item, is_taken=False, reviewer__isnull=False).update(
        reviewer=None, lease=None, reserved_at=None, expires_at=None
    )


def items_of(queue: AnnotationQueue, state: str = "") -> QuerySet[QueueItem]:
    """Return the items of `queue` with reasons and holders; gold items are among the open ones."""
    items = QueueItem.objects.filter(queue=queue)
    if state == QueueItem.State.OPEN:
        items = items.filter(state__in=REVIEWABLE)
    elif state in (QueueItem.State.COMPLETED, QueueItem.State.REMOVED):
        items = items.filter(state=state)
    else:
        items = items.exclude(state=QueueItem.State.REMOVED)
    items = items.select_related("queue").prefetch_related("decisions", "seats__reviewer")
    return items.order_by("-priority", "pk")


def items_by_run(workspace: Workspace, run_ids: Iterable[object]) -> QuerySet[QueueItem]:
    """Return the standing items of `run_ids`, including pairs with one of them, queues loaded."""
    ids = list(run_ids)
    return (
        QueueItem.objects.filter(
            Q(run_id__in=ids) | Q(first_run_id__in=ids) | Q(second_run_id__in=ids),
            workspace=workspace,
        )
        .exclude(state=QueueItem.State.REMOVED)
        .select_related("queue")
        .order_by("queue__name", "pk")  # else the order would follow the latest feedback
    )


def last_added(workspace: Workspace, run_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when each of `run_ids` was last added to a queue that still holds it. One query."""
    held = QueueItem.objects.filter(workspace=workspace, run_id__in=run_ids).exclude(
        state=QueueItem.State.REMOVED
    )
    return dict(held.values_list("run_id").annotate(Max("added_at")).order_by())
