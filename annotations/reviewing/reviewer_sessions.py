"""A reviewer's session in a queue: the lock of their verbs, and their bookmark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection

from annotations.models import AnnotationQueue, QueueItem
from observatory import exact
from observatory.db import prepared, stored_functions
from observatory.workspaces.models import User
from observatory.workspaces.roles import Permission, allows

MIN_ITEM_AGE = timedelta(minutes=5)  # age of items a bookmark may pass: see `move_bookmark`


class Reason(StrEnum):
    """Why there is no item, or not this one."""

    PAUSED = "paused"
    ARCHIVED = "archived"
    NO_ACCESS = "no_access"  # not a reviewer of the workspace, or not assigned to the queue
    ALL_RESERVED = "all_reserved"  # other reviewers hold all items that need this reviewer
    NOTHING_LEFT = "nothing_left"
    REVIEWED = "reviewed"  # the reviewer has a standing review of it: undo that one
    CLOSED = "closed"  # completed or removed
    LOST = "lost"  # the reservation ran out or was released


class Unavailable(Exception):
    """The item is unavailable now; `reason` has the cause."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass
class ReviewerSession:
    """A reviewer at work in a queue, their bookmark locked until the transaction ends."""

    queue: AnnotationQueue
    reviewer: User
    bookmark_id: int
    places: dict[str, int]
    searched_at: datetime | None
    refusal: Reason | None  # why nothing may be reserved; None: reserving is allowed

    @property
    def length(self) -> timedelta:
        return timedelta(minutes=self.queue.reservation_minutes)


_FRESH = (
    "archived_at",
    "is_paused",
    "is_reserving",
    "reservation_minutes",
    "reviewers_per_item",
    "rubric_version",
    "is_blind",
)


def open_session(queue: AnnotationQueue, reviewer: User) -> ReviewerSession:
    """Lock `reviewer`'s bookmark in `queue` until the transaction ends, and refresh the queue.

    Must be called first in every transaction of a reviewer: bookmark, then item, then seats is the
    order of locks everywhere, so that no two verbs deadlock. `queue` is refreshed in the fields
    that decide about reviewing, which stay locked.
    """
    with prepared.cursor() as cursor:  # sql/open_session.sql
        cursor.execute("SELECT * FROM annotations_open_session(%s, %s)", [queue.pk, reviewer.pk])
        row = cursor.fetchone()
    (bookmark_id, places, searched_at), (is_invited, role) = row[:3], row[-2:]
    for name, fresh in zip(_FRESH, row[3:-2], strict=True):
        setattr(queue, name, fresh)
    refusal = None
    if role is None or not allows(role, Permission.REVIEW) or not is_invited:
        refusal = Reason.NO_ACCESS
    elif queue.archived_at is not None:
        refusal = Reason.ARCHIVED
    elif queue.is_paused:
        refusal = Reason.PAUSED
    return ReviewerSession(queue, reviewer, bookmark_id, exact.loads(places), searched_at, refusal)


# Of a seat `s`. Scalar subqueries, not EXISTS: the planner cannot turn these into a hash of all
# reviews of a reviewer, so each seat it looks at costs a few index probes and the first that
# fits ends the search.
_NEEDS_REVIEW, _IS_UNDEFERRED = (
    stored_functions.condition("annotations", name, {"p_reviewer": "%(reviewer)s"})
    for name in ("needs_review", "is_undeferred")
)

# `done` is an item that counts as done although the statement cannot see it yet.
MOVE_BOOKMARK = f"""
UPDATE annotations_bookmark b SET places = jsonb_set(b.places, %(path)s, to_jsonb(greatest(
    %(place)s,
    coalesce(
        (SELECT s.item_id - 1 FROM annotations_seat s
         WHERE s.queue_id = %(queue)s AND NOT s.is_taken AND s.priority = %(priority)s
           AND s.item_id > %(place)s
           AND ((SELECT i.added_at FROM annotations_queueitem i WHERE i.id = s.item_id) > %(young)s
                OR (s.item_id <> %(done)s AND {_NEEDS_REVIEW} AND {_IS_UNDEFERRED}))
         ORDER BY s.item_id LIMIT 1),
        (SELECT s.item_id FROM annotations_seat s
         WHERE s.queue_id = %(queue)s AND NOT s.is_taken AND s.priority = %(priority)s
         ORDER BY s.item_id DESC LIMIT 1),
        0))))
WHERE b.id = %(bookmark)s
"""


def move_bookmark(session: ReviewerSession, item: QueueItem, now: datetime) -> None:
    """Move the bookmark over the items at its front that `reviewer` has done, including `item`.

    It only walks over items done since the last time. An item another reviewer holds stops it,
    since the hold may lapse. So does an item younger than `MIN_ITEM_AGE`: another transaction may
    have a smaller id and not be committed yet.
    """
    with connection.cursor() as cursor:
        cursor.execute(MOVE_BOOKMARK, bookmark_parameters(session, item, now))


def bookmark_parameters(session: ReviewerSession, item: QueueItem, now: datetime) -> dict[str, Any]:
    """Return the parameters of MOVE_BOOKMARK, for a statement it is part of."""
    return {
        "path": [str(item.priority)],
        "place": session.places.get(str(item.priority), 0),
        "queue": session.queue.pk,
        "reviewer": session.reviewer.pk,
        "priority": item.priority,
        "young": now - MIN_ITEM_AGE,
        "bookmark": session.bookmark_id,
        "done": item.pk,
    }
