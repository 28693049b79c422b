"""What the pages ask about queues, each in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, Max, Min, Q, QuerySet, TextField
from django.db.models.functions import Cast, Left

from annotations import blindness
from annotations.models import (
    AnnotationQueue,
    Deferral,
    QueueItem,
    Review,
    ReviewDraft,
    RoutingRule,
    Seat,
)
from annotations.queues import progress_of, visible
from observatory.runs.models import Run
from observatory.workspaces import people
from observatory.workspaces.models import User, Workspace
from observatory.workspaces.roles import Permission


@dataclass(frozen=True, slots=True)
class QueueCard:
    """One queue as a list shows it. Counts are of items, except `n_done_today`: my reviews."""

    queue: AnnotationQueue
    n_open: int
    n_completed: int
    n_for_me: int
    oldest_at: datetime | None
    n_done_today: int

    @property
    def n_items(self) -> int:
        return self.n_open + self.n_completed

    @property
    def share_completed(self) -> float:
        """Return completed of all, in percent."""
        return 100 * self.n_completed / self.n_items if self.n_items else 0.0


def queue_cards(workspace: Workspace, user: User, now: datetime) -> list[QueueCard]:
    """Return the queues `user` may open, archived ones left out, in a fixed number of queries.

    Nothing waits for someone who may not review: a viewer, or a person who is not assigned to a
    queue of assigned reviewers.
    """
    queues = list(visible(workspace, user).filter(archived_at=None).order_by("name", "pk"))
    ids = [queue.pk for queue in queues]
    assigned = set(
        AnnotationQueue.assigned_reviewers.through.objects.filter(
            user_id=user.pk, annotationqueue_id__in=ids
        ).values_list("annotationqueue_id", flat=True)
    )
    oldest = dict(
        QueueItem.objects.filter(queue__in=ids, state=QueueItem.State.OPEN)
        .values_list("queue_id")
        .annotate(at=Min("added_at"))
    )
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    done = dict(
        Review.objects.filter(
            queue__in=ids, reviewer=user, retracted_at=None, submitted_at__gte=midnight
        )
        .values_list("queue_id")
        .annotate(n=Count("pk"))
    )
    counts = progress_of(ids, user)
    is_reviewer = people.is_allowed(user, workspace, Permission.REVIEW)
    cards = []
    for queue in queues:
        count = counts[queue.pk]
        is_open_to_all = queue.access == AnnotationQueue.Access.ANY
        is_mine = is_reviewer and (is_open_to_all or queue.pk in assigned)
        cards.append(
            QueueCard(
                queue=queue,
                n_open=count.open,
                n_completed=count.completed,
                n_for_me=count.needs_mine if is_mine else 0,
                oldest_at=oldest.get(queue.pk),
                n_done_today=done.get(queue.pk, 0),
            )
        )
    return cards


def drafts_of(workspace: Workspace, user: User) -> QuerySet[ReviewDraft]:
    """Return what `user` typed and did not submit on items that are still open, newest first."""
    return (
        ReviewDraft.objects.filter(
            reviewer=user, item__workspace=workspace, item__state=QueueItem.State.OPEN
        )
        .select_related("item__queue")
        .order_by("-saved_at")
    )


def held_by(workspace: Workspace, user: User, now: datetime) -> QuerySet[Seat]:
    """Return the live reservations of `user`, the one that ends first ahead."""
    return (
        Seat.objects.filter(
            item__workspace=workspace, reviewer=user, is_taken=False, expires_at__gt=now
        )
        .select_related("item__queue")
        .order_by("expires_at")
    )


@dataclass(frozen=True, slots=True)
class ReviewerRow:
    """One reviewer's share in a queue; `mean_dwell_s` is null until a dwell was measured.

    Corrections are counted on settled items only: a count tells the answer of a single review.
    """

    user: User
    n_reviews: int
    n_corrections: int
    n_skipped: int
    mean_dwell_s: float | None
    last_at: datetime | None


def reviewers_of(queue: AnnotationQueue) -> list[ReviewerRow]:
    """Return who reviewed, skipped or is assigned in `queue`, the most active first."""
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


def items_of(queue: AnnotationQueue, state: str = "") -> QuerySet[QueueItem]:
    """Return the items of `queue` as a manager reads them, their reasons and holders loaded."""
    items = QueueItem.objects.filter(queue=queue)
    if state in QueueItem.State.values:
        items = items.filter(state=state)
    else:
        items = items.exclude(state=QueueItem.State.REMOVED)
    return items.prefetch_related("decisions", "seats__reviewer").order_by("-priority", "pk")


def rules_of(queue: AnnotationQueue) -> QuerySet[RoutingRule]:
    return RoutingRule.objects.filter(queue=queue).order_by("-is_enabled", "name")


def items_by_run(workspace: Workspace, run_ids: Iterable[object]) -> QuerySet[QueueItem]:
    """Return the standing items of `run_ids`, their queues loaded; pairs with one of them, too."""
    wanted = list(run_ids)
    return (
        QueueItem.objects.filter(
            Q(run_id__in=wanted) | Q(first_run_id__in=wanted) | Q(second_run_id__in=wanted),
            workspace=workspace,
        )
        .exclude(state=QueueItem.State.REMOVED)
        .select_related("queue")
        .order_by("queue__name", "pk")  # else the order would follow who judged last
    )


def openings_of(
    workspace: Workspace, run_ids: Iterable[UUID], n_chars: int
) -> dict[UUID, tuple[str | None, str | None]]:
    """Return (name, the first `n_chars` characters of the inputs) of the runs that are stored."""
    rows = Run.objects.filter(workspace=workspace, id__in=list(run_ids)).annotate(
        opening=Left(Cast("inputs", TextField()), n_chars)
    )
    return {row[0]: (row[1], row[2]) for row in rows.values_list("id", "name", "opening")}
