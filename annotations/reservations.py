"""Who holds which item: the next one, a certain one, longer, no longer.

Every verb of a reviewer in a queue first locks that reviewer's bookmark, so the steps of one
person (two tabs, a double click) come one by one, while different people never wait for each
other: a seat is claimed by one statement that skips what others are claiming.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q

from annotations.bookmarks import (
    IS_OPEN,
    UNDEFERRED,
    UNREVIEWED,
    Desk,
    Reason,
    Unavailable,
    sit_down,
)
from annotations.models import AnnotationQueue, Deferral, QueueItem, Review, Seat
from observatory.workspaces.models import User

MAX_LENGTHS = 3  # a reservation lasts at most this many times the queue's reservation time
WIDE_SEARCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Nothing:
    """Why `reserve_next` had nothing. `next_free_at`: when the first reservation runs out."""

    reason: Reason
    n_reserved: int = 0
    next_free_at: datetime | None = None


# The next item ----------------------------------------------------------------------------------

_CLAIMABLE = f"""
s.queue_id = %(queue)s AND NOT s.is_taken
AND (s.expires_at IS NULL OR s.expires_at <= %(now)s)
AND s.item_id <> ALL(%(exclude)s::bigint[])
AND (SELECT 1 FROM annotations_seat o WHERE o.item_id = s.item_id
     AND o.reviewer_id = %(reviewer)s AND o.id <> s.id LIMIT 1) IS NULL
AND {UNREVIEWED} AND {IS_OPEN}
"""
_ORDER = "ORDER BY s.item_id, s.number LIMIT 1"
_AHEAD = f"""
SELECT s.id FROM annotations_seat s
WHERE s.priority = %(priority)s AND s.item_id > %(place)s AND {_CLAIMABLE} AND {UNDEFERRED}
{_ORDER}
"""
_RETURNED = f"""
SELECT s.id FROM annotations_seat s
WHERE s.priority = %(priority)s AND s.item_id <= %(place)s AND s.is_returned
  AND {_CLAIMABLE} AND {UNDEFERRED}
{_ORDER}
"""
_REQUEUED = f"""
SELECT s.id FROM annotations_deferral d JOIN annotations_seat s ON s.item_id = d.item_id
WHERE d.reviewer_id = %(reviewer)s AND d.kind = 'requeue' AND {_CLAIMABLE}
ORDER BY d.created_at, s.item_id, s.number LIMIT 1
"""
# The one statement that claims. SKIP LOCKED passes over seats that others are claiming right
# now; a seat claimed since the snapshot was taken is looked at again after its lock is had, and
# fails `expires_at`. The lock is on the seat itself, so there is nothing to count elsewhere.
_CLAIM = """
UPDATE annotations_seat SET reviewer_id = %(reviewer)s, lease = %(lease)s,
       reserved_at = %(now)s, expires_at = %(expires_at)s
WHERE id = ({choice} FOR UPDATE OF s SKIP LOCKED)
RETURNING *
"""
_OFFER = "SELECT * FROM annotations_seat WHERE id = ({choice})"

# One probe a priority; there are few.
_PRIORITIES = """
WITH RECURSIVE level (priority) AS (
    (SELECT s.priority FROM annotations_seat s WHERE s.queue_id = %(queue)s AND NOT s.is_taken
     ORDER BY s.priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT s.priority FROM annotations_seat s
            WHERE s.queue_id = %(queue)s AND NOT s.is_taken AND s.priority < level.priority
            ORDER BY s.priority DESC LIMIT 1)
    FROM level WHERE level.priority IS NOT NULL
)
SELECT level.priority,
       EXISTS (SELECT FROM annotations_seat s WHERE s.queue_id = %(queue)s AND NOT s.is_taken
               AND s.is_returned AND s.priority = level.priority)
FROM level WHERE level.priority IS NOT NULL
"""


@transaction.atomic
def reserve_next(
    queue: AnnotationQueue, reviewer: User, now: datetime, *, exclude: Collection[int] = ()
) -> Seat | None:
    """Return a seat for `reviewer`, held until `seat.expires_at`, or None (see `why_nothing`).

    First the oldest reservation they still hold, made longer; else the free or lapsed seat with
    the highest priority, then the oldest item, of an item they neither reviewed nor skipped;
    last the items they requeued, in that order. Items in `exclude` (ids of QueueItem) are
    passed over: give the item on the screen to fetch the one after it. Two people never get the
    same seat and one person never two seats of an item, however many ask at once.

    In a queue with `is_reserving` off nothing is held: the seat comes without a lease.
    """
    desk = sit_down(queue, reviewer)
    if desk.refusal is not None:
        return None
    passed = list(exclude)
    return (
        _resume(desk, now, passed)
        or _search(desk, now, passed, desk.places)
        or _search_wide(desk, now, passed)
    )


def _resume(desk: Desk, now: datetime, exclude: list[int]) -> Seat | None:
    return _first(
        """
        UPDATE annotations_seat s SET expires_at =
            greatest(s.expires_at, least(%(now)s + %(length)s, s.reserved_at + %(limit)s))
        WHERE s.id = (
            SELECT h.id FROM annotations_seat h JOIN annotations_queueitem i ON i.id = h.item_id
            WHERE h.reviewer_id = %(reviewer)s AND h.queue_id = %(queue)s AND NOT h.is_taken
              AND h.expires_at > %(now)s AND h.item_id <> ALL(%(exclude)s::bigint[])
              AND i.state = 'open'
            ORDER BY h.reserved_at, h.item_id LIMIT 1)
        RETURNING s.*
        """,
        {
            "now": now,
            "length": desk.length,
            "limit": MAX_LENGTHS * desk.length,
            "reviewer": desk.reviewer.pk,
            "queue": desk.queue.pk,
            "exclude": exclude,
        },
    )


def _search(desk: Desk, now: datetime, exclude: list[int], places: dict[str, int]) -> Seat | None:
    """Claim the first seat in my order, beginning at `places`."""
    parameters: dict[str, Any] = {
        "queue": desk.queue.pk,
        "reviewer": desk.reviewer.pk,
        "now": now,
        "lease": uuid4(),
        "expires_at": now + desk.length,
        "exclude": exclude,
    }
    claim = _CLAIM if desk.queue.is_reserving else _OFFER
    with connection.cursor() as cursor:
        cursor.execute(_PRIORITIES, parameters)
        levels = cursor.fetchall()
    for priority, has_returned in levels:
        place = places.get(str(priority), 0)
        level = parameters | {"priority": priority, "place": place}
        seat = None
        if has_returned and place:  # all of them come before `place`, so they are first
            seat = _first(claim.format(choice=_RETURNED), level)
        seat = seat or _first(claim.format(choice=_AHEAD), level)
        if seat is not None:
            return seat
    return _first(claim.format(choice=_REQUEUED), parameters) if levels else None


def _search_wide(desk: Desk, now: datetime, exclude: list[int]) -> Seat | None:
    """Search from the very beginning, at most once a minute: a bookmark is never trusted alone.

    It finds what no rule could foresee, such as an item whose priority somebody changed.
    """
    if not desk.places:
        return None
    if desk.searched_at is not None and now - desk.searched_at < WIDE_SEARCH_EVERY:
        return None
    seat = _search(desk, now, exclude, {})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE annotations_bookmark SET searched_at = %s,"
            " places = CASE WHEN %s THEN '{}' ELSE places END WHERE id = %s",
            [now, seat is not None, desk.bookmark_id],
        )
    return seat


def _first(sql: str, parameters: dict[str, Any]) -> Seat | None:
    return next(iter(Seat.objects.raw(sql, parameters)), None)


def why_nothing(queue: AnnotationQueue, reviewer: User, now: datetime) -> Nothing:
    """Say why `reserve_next` returned None, for the page that then has nothing to show."""
    with transaction.atomic():
        refusal = sit_down(queue, reviewer).refusal
    if refusal is not None:
        return Nothing(refusal)
    mine = Review.objects.filter(reviewer=reviewer, queue=queue, retracted_at=None)
    deferred = Deferral.objects.filter(reviewer=reviewer, item__queue=queue)
    held = (
        Seat.objects.filter(queue=queue, is_taken=False, expires_at__gt=now)
        .exclude(reviewer=reviewer)
        .exclude(item__in=mine.values("item"))
        .exclude(item__in=deferred.filter(kind=Deferral.Kind.SKIP).values("item"))
        .order_by("expires_at")
        .values_list("expires_at", flat=True)
    )
    ends = list(held)
    if ends:
        return Nothing(Reason.ALL_RESERVED, len(ends), ends[0])
    return Nothing(Reason.NOTHING_LEFT)


# A certain item ---------------------------------------------------------------------------------

_OF_ITEM = """
SELECT s.id FROM annotations_seat s
WHERE s.item_id = %(item)s AND NOT s.is_taken
  AND (s.reviewer_id = %(reviewer)s OR s.expires_at IS NULL OR s.expires_at <= %(now)s)
ORDER BY (s.reviewer_id = %(reviewer)s) DESC NULLS LAST, s.number LIMIT 1
"""


@transaction.atomic
def reserve(item: QueueItem, reviewer: User, now: datetime) -> Seat:
    """Hold `item` for `reviewer` ("take it again", a link to it), or raise Unavailable.

    What I hold already is held anew, with a new lease. An item I skipped or requeued counts as
    wanted again.
    """
    desk = sit_down(item.queue, reviewer)
    if desk.refusal is not None:
        raise Unavailable(desk.refusal)
    state = QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk).state
    if Review.objects.filter(item=item, reviewer=reviewer, retracted_at=None).exists():
        raise Unavailable(Reason.REVIEWED)
    if state != QueueItem.State.OPEN:
        raise Unavailable(Reason.CLOSED)
    seat = hold(desk, item, now)
    if seat is None:
        raise Unavailable(Reason.ALL_RESERVED)
    if Deferral.objects.filter(item=item, reviewer=reviewer).delete()[0]:
        mark_returned([item.pk])
        seat.is_returned = True
    return seat


def hold(desk: Desk, item: QueueItem, now: datetime) -> Seat | None:
    """Claim a seat of `item`, mine or a free one; None if there is none. `item` is locked."""
    parameters = {
        "item": item.pk,
        "reviewer": desk.reviewer.pk,
        "now": now,
        "lease": uuid4(),
        "expires_at": now + desk.length,
    }
    if not desk.queue.is_reserving:
        return _first(_OFFER.format(choice=_OF_ITEM), parameters)
    # Waits for a claim in progress instead of skipping it: then it knows.
    claim = _CLAIM.replace("SKIP LOCKED", "")
    return _first(claim.format(choice=_OF_ITEM), parameters)


def take(item: QueueItem, reviewer: User, now: datetime) -> Seat | None:
    """Fill a seat of `item` with `reviewer`'s counted review; None if all are taken or held.

    My own seat first, even when its time ran out, as long as nobody else has claimed it; else
    a free or lapsed one. To be called with the item locked. The seat's `held_by_lease` is the
    lease it was still held by until now, if any.
    """
    return _first(
        f"""
        WITH chosen AS (SELECT id, lease, expires_at FROM annotations_seat
                        WHERE id = ({_OF_ITEM} FOR UPDATE))
        UPDATE annotations_seat t SET reviewer_id = %(reviewer)s, is_taken = true,
               lease = NULL, reserved_at = NULL, expires_at = NULL
        FROM chosen WHERE t.id = chosen.id
        RETURNING t.*, CASE WHEN chosen.expires_at > %(now)s THEN chosen.lease END AS held_by_lease
        """,
        {"item": item.pk, "reviewer": reviewer.pk, "now": now},
    )


def mark_returned(item_ids: Collection[int]) -> None:
    """Let bookmarks no longer hide the open seats of these items."""
    Seat.objects.filter(item_id__in=item_ids, is_taken=False, is_returned=False).update(
        is_returned=True
    )


# Longer, no longer ------------------------------------------------------------------------------


def extend(seat: Seat, reviewer: User, lease: UUID | None, now: datetime) -> Seat:
    """Hold `seat` for another length from `now`, at most MAX_LENGTHS in all. Returns it as it is.

    Raises Unavailable(LOST) when the reservation that `lease` names is over. Without a lease
    (a queue that does not reserve) there is nothing to extend and the seat comes back as it was.
    """
    if lease is None and not seat.queue.is_reserving:
        return seat
    length = timedelta(minutes=seat.queue.reservation_minutes)
    extended = _first(
        """
        UPDATE annotations_seat SET expires_at =
            greatest(expires_at, least(%(now)s + %(length)s, reserved_at + %(limit)s))
        WHERE id = %(seat)s AND reviewer_id = %(reviewer)s AND lease = %(lease)s
          AND NOT is_taken AND expires_at > %(now)s
        RETURNING *
        """,
        {
            "now": now,
            "length": length,
            "limit": MAX_LENGTHS * length,
            "seat": seat.pk,
            "reviewer": reviewer.pk,
            "lease": lease,
        },
    )
    if extended is None:
        raise Unavailable(Reason.LOST)
    return extended


def release(seat: Seat, reviewer: User, lease: UUID | None) -> bool:
    """Give `seat` back; return whether `reviewer` held it by `lease`.

    An old tab that closes cannot end a newer reservation: that has another lease.
    """
    held = Q(pk=seat.pk, reviewer=reviewer, lease=lease, is_taken=False)
    freed = (
        Seat.objects.filter(held)
        .exclude(lease=None)
        .update(reviewer=None, lease=None, reserved_at=None, expires_at=None)
    )
    return freed == 1


def release_mine(item: QueueItem, reviewer: User) -> None:
    """Free the seat of `item` that `reviewer` holds or held, if any."""
    Seat.objects.filter(item=item, reviewer=reviewer, is_taken=False).update(
        reviewer=None, lease=None, reserved_at=None, expires_at=None
    )
