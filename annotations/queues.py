"""Queues and what is in them: create, fill, empty, count.

An item and its seats are one statement, so no reader ever sees an item without seats. A
removed item stays as a tombstone: nothing but a person who adds it again brings it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet

from annotations import blindness, questions
from annotations.models import (
    AnnotationQueue,
    Deferral,
    QueueItem,
    Seat,
)
from annotations.seats import set_reviewers_per_item
from observatory.runs import changes
from observatory.runs.models import Change
from observatory.workspaces.models import Membership, User, Workspace
from observatory.workspaces.roles import Permission, allows

# Queues ---------------------------------------------------------------------------------------


@transaction.atomic
def create_queue(
    workspace: Workspace,
    name: str,
    *,
    now: datetime,
    rubric: Sequence[Mapping[str, Any]] = (),
    assigned_reviewers: Iterable[User] = (),
    **settings: Any,
) -> AnnotationQueue:
    """Create a queue with its rubric at version 1.

    `rubric` holds one mapping a question, in order, with the fields of `RubricItem`; `settings`
    are fields of `AnnotationQueue` (uuid, instructions, reviewers_per_item ...). Raises
    IntegrityError when the uuid is taken in the workspace.
    """
    queue = AnnotationQueue.objects.create(
        workspace=workspace, name=name, created_at=now, **settings
    )
    queue.assigned_reviewers.set(assigned_reviewers)
    questions.write_first(queue, rubric, now=now)
    return queue


def resize(queue: AnnotationQueue, reviewers_per_item: int, *, now: datetime) -> None:
    """Ask for another number of reviews an item, for open items too.

    Missing seats are added and surplus free ones dropped. An open item that already has enough
    counted reviews is completed. Completed items stay as they are.
    """
    set_reviewers_per_item(queue, reviewers_per_item, now)


def archive(queue: AnnotationQueue, *, now: datetime) -> None:
    """Take the queue out of the way: rules no longer feed it and no item is handed out."""
    AnnotationQueue.objects.filter(pk=queue.pk, archived_at=None).update(archived_at=now)
    queue.refresh_from_db(fields=["archived_at"])


def unarchive(queue: AnnotationQueue) -> None:
    """Bring an archived queue back, with its items as they were."""
    AnnotationQueue.objects.filter(pk=queue.pk).update(archived_at=None)
    queue.archived_at = None


def visible(workspace: Workspace, user: User) -> QuerySet[AnnotationQueue]:
    """Return the queues of `workspace` that `user` may open, archived ones included.

    Whoever manages queues sees all; others those open to any reviewer and those they are
    assigned to. Someone who is not a member sees none.
    """
    queues = AnnotationQueue.objects.filter(workspace=workspace)
    role = (
        Membership.objects.filter(workspace=workspace, user=user)
        .values_list("role", flat=True)
        .first()
    )
    if role is None:
        return queues.none()
    if allows(role, Permission.MANAGE_QUEUES):
        return queues
    assigned = AnnotationQueue.assigned_reviewers.through.objects.filter(user_id=user.pk)
    return queues.filter(
        Q(access=AnnotationQueue.Access.ANY) | Q(pk__in=assigned.values("annotationqueue_id"))
    )


# Items ----------------------------------------------------------------------------------------

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

# For items that came back or whose queue asks for more reviews: reviewers may have passed them.
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
    """Put runs into a queue, each once, and return the items of all of them in that order.

    A run need not be stored yet. One that is in the queue already keeps its item as it is. A
    removed item comes back only when `source` is a person: rules and the API leave a person's
    removal standing, and the returned item then says state `removed`.
    """
    wanted = list(dict.fromkeys(run_ids))
    if not wanted:
        return []
    parameters: dict[str, Any] = {
        "queue": queue.pk,
        "queues": [queue.pk],
        "source": source,
        "priority": priority,
        "now": now,
        "added_by": added_by.pk if added_by else None,
        "runs": wanted,
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
    found = {item.run_id: item for item in QueueItem.objects.filter(queue=queue, run_id__in=wanted)}
    return [found[run_id] for run_id in wanted]


def _reseat(workspace: Workspace, cursor: Any, item_ids: list[int], now: datetime) -> None:
    """Give items that came back the seats they lack; one with enough reviews is complete."""
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
    """Offer `item` to everybody again: skips and postponements are forgotten.

    A removed item comes back, too: this is a person's wish. Reviews stand; whoever has judged
    the item is not asked again.
    """
    QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    Deferral.objects.filter(item=item).delete()
    release(item)
    Seat.objects.filter(item=item, is_taken=False).update(is_returned=True)
    restore(item, now)


@transaction.atomic
def restore(item: QueueItem, now: datetime) -> bool:
    """Undo `remove`: the item is open again, or completed if it has its reviews.

    Return False when it was not removed. Skips and postponements stand.
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
        changes.note(item.queue.workspace, Change.Kind.RUN, [item.run_id])  # see statuses.py
    item.refresh_from_db()
    return bool(restored)


def release(item: QueueItem) -> int:
    """End every live reservation of `item`; return how many. What was typed stays a draft."""
    return Seat.objects.filter(item=item, is_taken=False, reviewer__isnull=False).update(
        reviewer=None, lease=None, reserved_at=None, expires_at=None
    )


# Progress -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReviewerProgress:
    """What one reviewer did in a queue: standing reviews, skips of items still open."""

    user_id: int
    username: str
    n_reviews: int = 0
    n_skipped: int = 0


@dataclass(frozen=True)
class Progress:
    """How far a queue is, in items, for one person (or for nobody: `needs_mine` is all open).

    The first four add up to the items that were not removed.
    """

    needs_mine: int = 0
    needs_others: int = 0  # open, and I have reviewed it
    skipped: int = 0  # open, and I have skipped it
    completed: int = 0
    removed: int = 0
    reviewers: list[ReviewerProgress] = field(default_factory=list)

    @property
    def open(self) -> int:
        return self.needs_mine + self.needs_others + self.skipped

    @property
    def total(self) -> int:
        return self.open + self.completed


_STATES = """
SELECT queue_id, state, count(*) FROM annotations_queueitem
WHERE queue_id = ANY(%s) GROUP BY queue_id, state
"""
_REVIEWS = """
SELECT r.queue_id, r.reviewer_id, u.username, count(*),
       count(*) FILTER (WHERE i.state = 'open')
FROM annotations_review r
JOIN annotations_queueitem i ON i.id = r.item_id
JOIN workspaces_user u ON u.id = r.reviewer_id
WHERE r.queue_id = ANY(%s) AND r.retracted_at IS NULL
GROUP BY r.queue_id, r.reviewer_id, u.username
"""
_SKIPS = """
SELECT i.queue_id, d.reviewer_id, u.username, count(*)
FROM annotations_deferral d
JOIN annotations_queueitem i ON i.id = d.item_id
JOIN workspaces_user u ON u.id = d.reviewer_id
WHERE i.queue_id = ANY(%s) AND i.state = 'open' AND d.kind = 'skip'
  AND NOT EXISTS (SELECT FROM annotations_review r WHERE r.item_id = i.id
                  AND r.reviewer_id = d.reviewer_id AND r.retracted_at IS NULL)
GROUP BY i.queue_id, d.reviewer_id, u.username
"""


def progress(queue: AnnotationQueue, user: User | None = None) -> Progress:
    """Count the items of `queue` as `user` sees them, with every reviewer's share."""
    return progress_of([queue.pk], user)[queue.pk]


def progress_of(queue_ids: Sequence[int], user: User | None = None) -> dict[int, Progress]:
    """Return `progress` of several queues in three statements."""
    ids = list(queue_ids)
    states: dict[int, dict[str, int]] = {queue_id: {} for queue_id in ids}
    mine: dict[int, tuple[int, int]] = {}  # queue -> open items I reviewed, skipped
    people: dict[int, dict[int, ReviewerProgress]] = {queue_id: {} for queue_id in ids}
    me = user.pk if user else None
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [ids])
        for queue_id, state, count in cursor.fetchall():
            states[queue_id][state] = count
        cursor.execute(_REVIEWS, [ids])
        for queue_id, user_id, name, count, n_open in cursor.fetchall():
            people[queue_id][user_id] = ReviewerProgress(user_id, name, n_reviews=count)
            if user_id == me:
                mine[queue_id] = (n_open, 0)
        cursor.execute(_SKIPS, [ids])
        for queue_id, user_id, name, count in cursor.fetchall():
            n_reviews = getattr(people[queue_id].get(user_id), "n_reviews", 0)
            people[queue_id][user_id] = ReviewerProgress(user_id, name, n_reviews, count)
            if user_id == me:
                mine[queue_id] = (mine.get(queue_id, (0, 0))[0], count)
    counted = {}
    for queue_id in ids:
        reviewed, skipped = mine.get(queue_id, (0, 0))
        counted[queue_id] = Progress(
            needs_mine=states[queue_id].get("open", 0) - reviewed - skipped,
            needs_others=reviewed,
            skipped=skipped,
            completed=states[queue_id].get("completed", 0),
            removed=states[queue_id].get("removed", 0),
            reviewers=sorted(
                people[queue_id].values(), key=lambda person: (-person.n_reviews, person.username)
            ),
        )
    return counted


# Of a reviewer `%(me)s`; `{queue}` is the id of the queue.
DONE_BY_ME = """
(SELECT count(*) FROM annotations_review r
 WHERE r.queue_id = {queue} AND r.reviewer_id = %(me)s AND r.retracted_at IS NULL)
"""
LEFT_FOR_ME = """
((SELECT count(*) FROM annotations_queueitem WHERE queue_id = {queue} AND state = 'open')
 - (SELECT count(*) FROM annotations_review r JOIN annotations_queueitem i ON i.id = r.item_id
    WHERE r.queue_id = {queue} AND r.reviewer_id = %(me)s AND r.retracted_at IS NULL
      AND i.state = 'open')
 - (SELECT count(*) FROM annotations_deferral d JOIN annotations_queueitem i ON i.id = d.item_id
    WHERE d.reviewer_id = %(me)s AND d.kind = 'skip' AND i.queue_id = {queue} AND i.state = 'open'
      AND NOT EXISTS (SELECT FROM annotations_review r WHERE r.item_id = i.id
                      AND r.reviewer_id = %(me)s AND r.retracted_at IS NULL)))
"""
_MINE = f"SELECT {DONE_BY_ME}, {LEFT_FOR_ME}".format(queue="%(queue)s")


def my_progress(queue: AnnotationQueue, user: User) -> tuple[int, int]:
    """Return how many standing reviews `user` has in `queue`, and how many items need theirs.

    What `progress` says of one person, without reading everybody's reviews: the workbench asks
    with every item.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MINE, {"queue": queue.pk, "me": user.pk})
        n_done, n_left = cursor.fetchone()
    return n_done, n_left


def last_added(workspace: Workspace, run_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when each of `run_ids` was last put in a queue that still holds it. One query."""
    held = QueueItem.objects.filter(workspace=workspace, run_id__in=run_ids).exclude(
        state=QueueItem.State.REMOVED
    )
    return dict(held.values_list("run_id").annotate(Max("added_at")).order_by())
