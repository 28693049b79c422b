"""Queues with their rubric and reviewers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone

from annotations.admin.rubric import RubricItemInline
from annotations.models import AnnotationQueue, QueueItem, RoutingRule
from annotations.queues import item_subjects, queues, reviewer_count, rubric_editing
from annotations.routing import presets
from observatory.extensions import Additions
from observatory.workspaces.admin import ScopedFilter, WorkspaceAdmin, WorkspaceInline
from observatory.workspaces.models import Membership, User
from observatory.workspaces.roles import Permission

if TYPE_CHECKING:  # it cannot be subscripted at run time
    QueueModelForm = forms.ModelForm[AnnotationQueue]
else:
    QueueModelForm = forms.ModelForm

MANAGE = Permission.MANAGE_QUEUES
QUEUE_INLINES: Final = Additions[type[WorkspaceInline]]()
"""Shown on a queue's page below its rubric: rooms above add theirs, the harvest for one."""


class QueueForm(QueueModelForm):
    class Meta:
        model = AnnotationQueue
        fields = (
            "workspace",
            "name",
            "description",
            "instructions",
            "queue_type",
            "reviewers_per_item",
            "asks_everybody",
            "access",
            "assigned_reviewers",
            "is_reserving",
            "reservation_minutes",
            "is_blind",
            "is_paused",
            "gold_rate",
            "gate_statistic",
            "gate_target",
        )
        labels = {
            "asks_everybody": "Every reviewer reviews each item",
            "is_reserving": "Reserve items",
            "is_blind": "Blind",
            "is_paused": "Paused",
            "gold_rate": "Share of gold items",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "gold_rate" in self.fields:  # not for those who may only look
            self.fields["gold_rate"].required = False

    def clean_gold_rate(self) -> float:
        """Keep the present share where none is sent."""
        rate = self.cleaned_data.get("gold_rate")
        return self.instance.gold_rate if rate is None else float(rate)

    def clean(self) -> dict[str, Any]:
        """Reject reviewers who are not members of the queue's workspace."""
        cleaned = super().clean() or {}
        workspace = cleaned.get("workspace") or getattr(self.instance, "workspace", None)
        if workspace is None:  # the field's own error says that it is required
            return cleaned
        reviewers = cleaned.get("assigned_reviewers") or []
        members = set(
            Membership.objects.filter(workspace=workspace, user__in=reviewers).values_list(
                "user_id", flat=True
            )
        )
        strangers = [str(user) for user in reviewers if user.pk not in members]
        if strangers:
            raise ValidationError(
                {"assigned_reviewers": f"Not in {workspace}: {', '.join(strangers)}"}
            )
        return cleaned


def _count_of(state: str) -> Coalesce:
    rows = QueueItem.objects.filter(queue=OuterRef("pk"), state=state).order_by().values("queue")
    return Coalesce(
        Subquery(rows.annotate(n=Count("pk")).values("n")), 0, output_field=IntegerField()
    )


@admin.register(AnnotationQueue)
class AnnotationQueueAdmin(WorkspaceAdmin):
    """Queues with their rubric and reviewers; rules have a list of their own."""

    may_add = may_change = MANAGE
    form = QueueForm
    list_display = (
        "name",
        "workspace",
        "n_open",
        "n_completed",
        "n_rules",
        "queue_type",
        "reviewers_per_item",
        "rubric_version",
        "is_blind",
        "is_paused",
        "archived_at",
    )
    list_filter = (
        "is_paused",
        ("archived_at", admin.EmptyFieldListFilter),
        ("workspace", ScopedFilter),
    )
    list_select_related = ("workspace",)
    search_fields = ("name",)
    ordering = ("name", "pk")
    filter_horizontal = ("assigned_reviewers",)
    inlines = (RubricItemInline,)
    actions = ("install_presets", "archive", "unarchive")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rules = RoutingRule.objects.filter(queue=OuterRef("pk"), is_enabled=True)
        rows: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(
                open_count=_count_of(QueueItem.State.OPEN),
                completed_count=_count_of(QueueItem.State.COMPLETED),
                rule_count=Coalesce(
                    Subquery(rules.order_by().values("queue").annotate(n=Count("pk")).values("n")),
                    0,
                ),
            )
        )
        return rows

    @admin.display(description="open", ordering="open_count")
    def n_open(self, queue: Any) -> int:
        return int(queue.open_count)

    @admin.display(description="completed", ordering="completed_count")
    def n_completed(self, queue: Any) -> int:
        return int(queue.completed_count)

    @admin.display(description="rules on", ordering="rule_count")
    def n_rules(self, queue: Any) -> int:
        return int(queue.rule_count)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [*super().get_inlines(request, obj), *QUEUE_INLINES]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("workspace", "queue_type")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Create the queue, or pass the changed fields to the verb."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changes: Any = {
            name: form.cleaned_data[name]
            for name in form.changed_data
            if name in queues.QueueChanges.__annotations__
        }
        stored = AnnotationQueue.objects.get(pk=obj.pk)
        queues.change(stored, changes, now=timezone.now())
        obj.refresh_from_db()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        queue, now = form.instance, timezone.now()
        if queue.queue_type == AnnotationQueue.QueueType.PAIRWISE:
            rubric_editing.set_rubric(
                queue, item_subjects.preferences(rubric_editing.snapshot(queue)), now=now
            )
        rubric_editing.keep_rubric_version(queue, now=now)
        reviewer_count.follow_everybody(queue, now)

    @admin.action(description="Install the rule presets, switched on", permissions=["change"])
    def install_presets(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for queue in queryset.filter(queue_type=AnnotationQueue.QueueType.SINGLE):
            assert isinstance(request.user, User)
            presets.install_presets(queue.workspace, queue, now=timezone.now(), by=request.user)
        self.message_user(request, "The presets are installed", messages.SUCCESS)

    @admin.action(description="Archive the selected queues", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for queue in queryset:
            queues.archive(queue, now=timezone.now())
        self.message_user(request, "Archived: no item is handed out", messages.SUCCESS)

    @admin.action(description="Bring the selected queues back", permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for queue in queryset:
            queues.unarchive(queue)
        self.message_user(request, "The queues are back", messages.SUCCESS)
