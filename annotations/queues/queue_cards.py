"""The list of queues for a member, in a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from annotations.models import AnnotationQueue, QueueItem, Review
from annotations.queues import access
from annotations.queues.queue_progress import progress_of
from observatory.workspaces.memberships import is_allowed
from observatory.workspaces.models import User, Workspace
from observatory.workspaces.roles import Permission


@dataclass(frozen=True, slots=True)
class QueueCard:
    """One queue in a member's list.

    Counts are of items, except `n_done_today`: the member's reviews.
    """

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
        """Return the completed items in percent of all."""
        return 100 * self.n_completed / self.n_items if self.n_items else 0.0


def queue_cards(workspace: Workspace, user: User, now: datetime) -> list[QueueCard]:
    """Return the queues `user` may open, without archived ones, in a fixed number of queries.

    Nothing waits for members who may not review: a viewer, or a member who is not assigned to a
    queue of assigned reviewers.
    """
    queues = list(
        access.visible_to(workspace, user).filter(archived_at=None).order_by("name", "pk")
    )
    ids = [queue.pk for queue in queues]
    invited = set(
        AnnotationQueue.objects.filter(access.is_invited(user), pk__in=ids).values_list(
            "pk", flat=True
        )
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
    is_reviewer = is_allowed(user, workspace, Permission.REVIEW)
    cards = []
    for queue in queues:
        count = counts[queue.pk]
        cards.append(
            QueueCard(
                queue=queue,
                n_open=count.open,
                n_completed=count.completed,
                n_for_me=count.needs_mine if is_reviewer and queue.pk in invited else 0,
                oldest_at=oldest.get(queue.pk),
                n_done_today=done.get(queue.pk, 0),
            )
        )
    return cards
