"""Admin of items and reviews: their state, reasons and holders."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from annotations.models import AnnotationQueue, QueueItem, Review, RoutingDecision, Seat
from annotations.models.queues import REVIEWABLE
from annotations.queues import blindness, queue_items
from annotations.routing import reasons
from observatory.feedback.admin import READABLE
from observatory.workspaces.admin import ScopedFilter, WorkspaceAdmin, WorkspaceInline
from observatory.workspaces.models import Membership, User
from observatory.workspaces.roles import Permission

MANAGE = Permission.MANAGE_QUEUES


class DecisionInline(WorkspaceInline):
    """The stored routing decisions of the item."""

    model = RoutingDecision
    workspace_path = "item__workspace"
    verbose_name_plural = "why it is here"
    fields = readonly_fields = (
        "rule_name",
        "rule_version",
        "filter",
        "clauses",
        "draw",
        "sampling_rate",
        "inclusion_probability",
        "decided_at",
    )


class SeatInline(WorkspaceInline):
    model = Seat
    workspace_path = "item__workspace"
    fields = readonly_fields = ("number", "reviewer", "is_taken", "reserved_at", "expires_at")
    ordering = ("number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("reviewer")


class StateFilter(admin.SimpleListFilter):
    """By the state as reviewers see it: a list of the gold items would give them away."""

    title, parameter_name = "state", "state"
    states = (QueueItem.State.OPEN, QueueItem.State.COMPLETED, QueueItem.State.REMOVED)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(state), state.label) for state in self.states]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.states:
            return queryset
        is_open = self.value() == QueueItem.State.OPEN
        return queryset.filter(state__in=REVIEWABLE if is_open else [self.value()])


@admin.register(QueueItem)
class QueueItemAdmin(WorkspaceAdmin):
    """Items with their state, reasons and holders."""

    may_change = MANAGE  # for the actions; all fields are read-only
    list_display = (
        "about",
        "queue",
        "shown_state",
        "priority",
        "source",
        "why",
        "held_by",
        "n_reviews",
        "added_at",
        "completed_at",
    )
    list_filter = (StateFilter, "source", ("queue", ScopedFilter), "added_at")
    list_select_related = ("queue",)
    search_fields = ("=run_id", "=first_run_id", "=second_run_id", "=thread_id", "=uuid")
    ordering = ("-pk",)
    fields = readonly_fields = (
        "queue",
        "about",
        "item_type",
        "example_id",
        "comparison_id",
        "is_swapped",
        "uuid",
        "shown_state",
        "source",
        "priority",
        "added_at",
        "added_by",
        "n_reviews",
        "last_reviewed_at",
        "completed_at",
        "removed_at",
    )
    inlines = (DecisionInline, SeatInline)
    actions = ("release", "requeue", "remove")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.prefetch_related("decisions", "seats__reviewer")

    @admin.display(description="about", ordering="run_id")
    def about(self, item: QueueItem) -> str:
        return str(item)

    @admin.display(description="state")
    def shown_state(self, item: QueueItem) -> str:
        return item.shown_state

    @admin.display(description="why")
    def why(self, item: QueueItem) -> str:
        """Return the rules that added it, as `Low confidence: confidence 63 %, below 70 %`."""
        lines = [
            f"{decision.rule_name}: {reasons.said(decision.clauses)}".rstrip(": ")[:200]
            for decision in item.decisions.all()
        ]
        if not lines:
            return "added by hand" if item.source == "person" else "added by the API"
        return " | ".join(lines)

    @admin.display(description="held by")
    def held_by(self, item: QueueItem) -> str:
        now = timezone.now()
        return ", ".join(
            f"{seat.reviewer} until {seat.expires_at:%H:%M}"
            for seat in item.seats.all()
            if seat.reviewer and not seat.is_taken and seat.expires_at and seat.expires_at > now
        )

    @admin.action(description="Release: end the live reservations", permissions=["change"])
    def release(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        n = sum(queue_items.release(item) for item in queryset)
        self.message_user(request, f"{n} reservations ended", messages.SUCCESS)

    @admin.action(description="Requeue: offer to every reviewer again", permissions=["change"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        n = 0
        for item in queryset:
            queue_items.requeue_for_all(item, timezone.now())
            n += 1
        self.message_user(request, f"{n} items offered again", messages.SUCCESS)

    @admin.action(description="Remove from the queue for good", permissions=["change"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        by_queue: dict[AnnotationQueue, list[int]] = defaultdict(list)
        for item in queryset:
            by_queue[item.queue].append(item.pk)
        n = sum(
            queue_items.remove_many(queue, ids, now=timezone.now())
            for queue, ids in by_queue.items()
        )
        self.message_user(request, f"{n} items removed", messages.SUCCESS)


def _visible_reviews(request: HttpRequest) -> QuerySet[Review]:
    """Return the reviews whose answers the visitor may read now.

    Operators are no exception: a user who is not a member of a workspace sees none of its answers,
    and a possible next reviewer of a blind item does not see the others' before.
    """
    user = request.user
    assert isinstance(user, User)
    condition = Q(pk__in=[])
    for workspace_id in Membership.objects.filter(user=user).values_list("workspace", flat=True):
        condition |= Q(pk__in=blindness.reviews_visible_to(user, workspace_id).values("pk"))
    return Review.objects.filter(condition)


@admin.register(Review)
class ReviewAdmin(WorkspaceAdmin):
    """Reviews, read-only and blind-safe."""

    list_display = (
        "submitted_at",
        "queue",
        "run",
        "reviewer",
        "rubric_version",
        "is_counted",
        "is_blind",
        "retracted_at",
    )
    list_filter = ("is_counted", "is_blind", ("queue", ScopedFilter))
    list_select_related = ("queue", "item", "reviewer")
    search_fields = ("=uuid", "reviewer__username")
    ordering = ("-submitted_at", "-pk")
    exclude = ("submission_id", "is_gold")

    @admin.display(description="run")
    def run(self, review: Review) -> str:
        return str(review.item)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(pk__in=_visible_reviews(request).values("pk"))


def _readable_feedback(request: HttpRequest) -> Q:
    """Return the condition of the feedback that the visitor may read now."""
    reviews = _visible_reviews(request)
    return Q(is_sealed=False) | Q(review_uuid__in=reviews.values("uuid"))


READABLE.add(_readable_feedback)
