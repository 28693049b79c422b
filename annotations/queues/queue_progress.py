"""Progress of a queue: counts of its items, in total and per reviewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, Max, Q

from annotations.models import AnnotationQueue, Deferral, Review
from annotations.queues import blindness
from annotations.queues.needs_review import KEEPS_FROM_REVIEWER
from observatory.workspaces.models import User


@dataclass(frozen=True)
class ReviewerProgress:
    """A reviewer's standing reviews and skips of open items in a queue."""

    user_id: int
    username: str
    n_reviews: int = 0
    n_skipped: int = 0


@dataclass(frozen=True)
class Progress:
    """Counts of a queue's items for one member (None: `needs_mine` counts all open items).

    The first four add up to the items that were not removed.
    """

    needs_mine: int = 0
    needs_others: int = 0  # open, and the member has reviewed it
    skipped: int = 0  # open, and the member has skipped it
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
_SKIPS = f"""
SELECT i.queue_id, d.reviewer_id, u.username, count(*)
FROM annotations_deferral d
JOIN annotations_queueitem i ON i.id = d.item_id
JOIN workspaces_user u ON u.id = d.reviewer_id
WHERE i.queue_id = ANY(%s) AND {KEEPS_FROM_REVIEWER}
GROUP BY i.queue_id, d.reviewer_id, u.username
"""


def progress(queue: AnnotationQueue, user: User | None = None) -> Progress:
    """Count the items of `queue` for `user`, with every reviewer's part."""
    return progress_of([queue.pk], user)[queue.pk]


def progress_of(queue_ids: Sequence[int], user: User | None = None) -> dict[int, Progress]:
    """Return `progress` of several queues in three statements."""
    ids = list(queue_ids)
    states: dict[int, dict[str, int]] = {queue_id: {} for queue_id in ids}
    mine: dict[int, tuple[int, int]] = {}  # queue -> open items reviewed, skipped by `user`
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
            needs_mine=states[queue_id].get("open", 0) - reviewed - skipped,  # as N_NEEDING_MINE
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


@dataclass(frozen=True, slots=True)
class ReviewerRow:
    """A reviewer's work in a queue; `mean_dwell_s` is null until a dwell was measured.

    Corrections are counted on settled items only: a count would reveal the answer of a single
    review.
    """

    user: User
    n_reviews: int
    n_corrections: int
    n_skipped: int
    mean_dwell_s: float | None
    last_at: datetime | None


def reviewers_of(queue: AnnotationQueue) -> list[ReviewerRow]:
    """Return who has reviewed, skipped or is assigned in `queue`, the most active first."""
    reviews = {
        row["reviewer_id"]: row
        for row in Review.objects.filter(queue=queue, retracted_at=None)
        .values("reviewer_id")
        .annotate(
            n=Count("pk"),
            n_corrections=Count("pk", filter=Q(correction__isnull=False) & blindness.settled()),
            dwell=Avg("dwell_ms"),
            last_at=Max("submitted_at"),
        )
    }
    skips = dict(
        Deferral.objects.filter(item__queue=queue, kind=Deferral.Kind.SKIP)
        .values_list("reviewer_id")
        .annotate(n=Count("pk"))
    )
    assigned = set(queue.assigned_reviewers.values_list("pk", flat=True))
    people = User.objects.in_bulk([*reviews, *skips, *assigned])
    rows = []
    for pk, user in people.items():
        row: Mapping[str, Any] = reviews.get(pk, {})
        dwell = row.get("dwell")
        rows.append(
            ReviewerRow(
                user=user,
                n_reviews=row.get("n", 0),
                n_corrections=row.get("n_corrections", 0),
                n_skipped=skips.get(pk, 0),
                mean_dwell_s=None if dwell is None else float(dwell) / 1000,
                last_at=row.get("last_at"),
            )
        )
    return sorted(rows, key=lambda row: (-row.n_reviews, row.user.username))
