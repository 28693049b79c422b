"""Reserve items: the next one or a given one, extend and release reservations.

Every verb of a reviewer in a queue first locks that reviewer's bookmark, so the steps of one
reviewer (two tabs, a double click) run one by one, while different reviewers never wait for each
other: a seat is claimed by one statement that skips seats others are claiming.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from annotations.models import AnnotationQueue, Deferral, QueueItem, Review, Seat
from annotations.queues.needs_review import needs_review_by
from annotations.reviewing.reviewer_sessions import (
    Reason,
    ReviewerSession,
    Unavailable,
    open_session,
)
from observatory.db import prepared
from observatory.db.columns import Columns
from observatory.workspaces.models import Role, User, Workspace
from observatory.workspaces.roles import Permission, allows

MAX_LENGTHS = 3  # a reservation lasts at most this many times the queue's reservation time
WIDE_SEARCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Nothing:
    """Why `reserve_next` returned nothing. `next_free_at`: when the first reservation expires."""

    reason: Reason
    n_reserved: int = 0
    next_free_at: datetime | None = None


# The next item ----------------------------------------------------------------------------------

# In the database (sql/reserve_next.sql): one call whose statements have their plans ready.
RESERVE_NEXT = """
SELECT * FROM annotations_reserve_next(
    %(queue)s, %(reviewer)s, %(now)s, %(lease)s, %(exclude)s::bigint[], %(roles)s::text[],
    %(max_lengths)s, %(search_every)s)
"""
_SEAT = Columns(Seat, "s")
_NEXT_SEAT = f"SELECT {_SEAT.sql} FROM ({RESERVE_NEXT}) s"
_REVIEWING_ROLES = [role for role in Role.values if allows(role, Permission.REVIEW)]


def reserve_next(
    queue: AnnotationQueue, reviewer: User, now: datetime, *, exclude: Collection[int] = ()
) -> Seat | None:
    """Return a seat for `reviewer`, held until `seat.expires_at`, or None (see `why_nothing`).

    First the oldest reservation they still hold, extended; else the free or lapsed seat with the
    highest priority, then the oldest item, of an item they neither reviewed nor skipped; last the
    items they requeued, in that order. Items in `exclude` (ids of QueueItem) are skipped: pass the
    current item to fetch the one after it. Two reviewers never get the same seat and one reviewer
    never two seats of an item, however many requests run at once. It is one statement, a
    transaction of its own unless one is open.

    In a queue with `is_reserving` off nothing is held: the seat comes without a lease.
    """
    with prepared.cursor() as cursor:
        cursor.execute(_NEXT_SEAT, reserve_parameters(queue, reviewer, now, exclude))
        row = cursor.fetchone()
    if row is None:
        return None
    seat: Seat = _SEAT.instance(_SEAT.take(list(row)))
    return seat


def reserve_parameters(
    queue: AnnotationQueue, reviewer: User, now: datetime, exclude: Collection[int]
) -> dict[str, Any]:
    """Return the parameters of RESERVE_NEXT, for a statement it is part of."""
    return {
        "queue": queue.pk,
        "reviewer": reviewer.pk,
        "now": now,
        "lease": uuid4(),
        "exclude": list(exclude),
        "roles": _REVIEWING_ROLES,
        "max_lengths": MAX_LENGTHS,
        "search_every": WIDE_SEARCH_EVERY,
    }


def _first(sql: str, parameters: dict[str, Any]) -> Seat | None:
    return next(iter(Seat.objects.raw(sql, parameters)), None)


def why_nothing(queue: AnnotationQueue, reviewer: User, now: datetime) -> Nothing:
    """Return why `reserve_next` returned None, for the page that has nothing to show."""
    with transaction.atomic():
        refusal = open_session(queue, reviewer).refusal
    if refusal is not None:
        return Nothing(refusal)
    held = (
        Seat.objects.filter(queue=queue, is_taken=False, expires_at__gt=now)
        .filter(needs_review_by(reviewer, "item"))
        .exclude(reviewer=reviewer)
        .order_by("expires_at")
        .values_list("expires_at", flat=True)
    )
    ends = list(held)
    if ends:
        return Nothing(Reason.ALL_RESERVED, len(ends), ends[0])
    return Nothing(Reason.NOTHING_LEFT)


# A given item -----------------------------------------------------------------------------------

_CLAIM = """
UPDATE annotations_seat SET reviewer_id = %(reviewer)s, lease = %(lease)s,
       reserved_at = %(now)s, expires_at = %(expires_at)s
WHERE id = ({choice} FOR UPDATE OF s)
RETURNING *
"""
_OFFER = "SELECT * FROM annotations_seat WHERE id = ({choice})"
# The reviewer's own seat first, even when it lapsed, unless another reviewer has claimed it.
OF_ITEM = """
SELECT s.id FROM annotations_seat s
WHERE s.item_id = %(item)s AND NOT s.is_taken
  AND (s.reviewer_id = %(reviewer)s OR s.expires_at IS NULL OR s.expires_at <= %(now)s)
ORDER BY (s.reviewer_id = %(reviewer)s) DESC NULLS LAST, s.number LIMIT 1
"""


@transaction.atomic
def reserve(item: QueueItem, reviewer: User, now: datetime) -> Seat:
    """Reserve `item` for `reviewer` ("take it again", a link to it), or raise Unavailable.

    A seat the reviewer holds already gets a new lease. A skip or requeue of the item is deleted.
    """
    session = open_session(item.queue, reviewer)
    if session.refusal is not None:
        raise Unavailable(session.refusal)
    locked = QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    if Review.objects.filter(item=item, reviewer=reviewer, retracted_at=None).exists():
        raise Unavailable(Reason.REVIEWED)
    if not locked.is_reviewable:
        raise Unavailable(Reason.CLOSED)
    locked.queue = item.queue
    seat = hold(session, locked, now)
    if seat is None:
        raise Unavailable(Reason.ALL_RESERVED)
    if Deferral.objects.filter(item=item, reviewer=reviewer).delete()[0]:
        mark_returned([item.pk])
        seat.is_returned = True
    return seat


def hold(session: ReviewerSession, item: QueueItem, now: datetime) -> Seat | None:
    """Claim the reviewer's own or a free seat of `item`, which is locked; None: there is none."""
    parameters = {
        "item": item.pk,
        "reviewer": session.reviewer.pk,
        "now": now,
        "lease": uuid4(),
        "expires_at": now + session.length,
    }
    if item.state == QueueItem.State.GOLD:
        return _hold_gold(session, item, now)
    if not session.queue.is_reserving:
        return _first(_OFFER.format(choice=OF_ITEM), parameters)
    # Waits for a claim in progress instead of skipping its seat.
    return _first(_CLAIM.format(choice=OF_ITEM), parameters)


def _hold_gold(session: ReviewerSession, item: QueueItem, now: datetime) -> Seat:
    """Return the reviewer's seat of a gold item, which is theirs alone; sql/reserve_next.sql."""
    Seat.objects.filter(item=item, reviewer=None).delete()  # released ones
    last = Seat.objects.filter(item=item).aggregate(number=Max("number"))["number"] or 0
    lease: dict[str, Any] = {"lease": None, "reserved_at": None, "expires_at": None}
    if session.queue.is_reserving:
        lease = {"lease": uuid4(), "reserved_at": now, "expires_at": now + session.length}
    seat, _ = Seat.objects.update_or_create(
        item=item,
        reviewer=session.reviewer,
        defaults=lease,
        create_defaults={
            **lease,
            "queue": session.queue,
            "number": last + 1,
            "priority": item.priority,
        },
    )
    return seat


def mark_returned(item_ids: Collection[int]) -> None:
    """Mark the open seats of these items, so that bookmarks do not hide them."""
    Seat.objects.filter(item_id__in=item_ids, is_taken=False, is_returned=False).update(
        is_returned=True
    )


# Extend and release -----------------------------------------------------------------------------


def extend(seat: Seat, reviewer: User, lease: UUID | None, now: datetime) -> Seat:
    """Extend `seat` by another length from `now`, at most MAX_LENGTHS in all; return it.

    Raises Unavailable(LOST) when the reservation with `lease` is over. Without a lease (a queue
    that does not reserve) the seat is returned unchanged.
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
    """Release `seat`; return whether `reviewer` held it by `lease`.

    An old tab that closes cannot end a newer reservation, which has another lease.
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


def held_by(workspace: Workspace, user: User, now: datetime) -> QuerySet[Seat]:
    """Return the live reservations of `user`, the first to expire first."""
    return (
        Seat.objects.filter(
            item__workspace=workspace, reviewer=user, is_taken=False, expires_at__gt=now
        )
        .select_related("item__queue")
        .order_by("expires_at")
    )
