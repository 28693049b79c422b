"""Admin of ingested rows: projects, prices, the quarantine and the outbox.

Runs have a composite key, which the admin cannot show; they have pages of their own.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from observatory.runs import changes
from observatory.runs.models import Change, ModelPrice, Project, Rejected
from observatory.workspaces.admin import ScopedFilter, WorkspaceAdmin
from observatory.workspaces.roles import Permission

RAW_SHOWN = 4_000  # bytes


@admin.register(Project)
class ProjectAdmin(WorkspaceAdmin):
    """Edit the description of a project. Ingestion creates projects."""

    may_change = Permission.MANAGE_QUEUES
    list_display = ("name", "workspace", "description", "reference_dataset_id", "created_at")
    list_filter = (("workspace", ScopedFilter),)
    list_select_related = ("workspace",)
    search_fields = ("name",)
    ordering = ("name", "pk")
    fields = ("workspace", "name", "description", "uuid", "reference_dataset_id", "created_at")
    readonly_fields = ("workspace", "name", "uuid", "reference_dataset_id", "created_at")


@admin.register(ModelPrice)
class ModelPriceAdmin(WorkspaceAdmin):
    """The price table. Changes apply to new runs; `observatory prices apply` to stored ones."""

    may_add = may_change = may_delete = Permission.MANAGE_QUEUES
    list_display = (
        *("model", "provider", "workspace", "prompt_price", "completion_price", "valid_from"),
    )
    list_filter = (("workspace", ScopedFilter),)
    list_select_related = ("workspace",)
    search_fields = ("model", "provider")
    ordering = ("model", "provider", "-valid_from", "pk")
    fields = ("workspace", "provider", "model", "prompt_price", "completion_price", "valid_from")


@admin.register(Rejected)
class RejectedAdmin(WorkspaceAdmin):
    """The quarantine, read-only: items that could not be stored, with the reason."""

    list_display = ("received_at", "workspace", "kind", "item_id", "code", "reason")
    list_filter = (("workspace", ScopedFilter), "kind", "code")
    list_select_related = ("workspace",)
    search_fields = ("item_id", "reason")
    ordering = ("-received_at", "-pk")
    fields = ("workspace", "received_at", "kind", "item_id", "code", "reason", "sent")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("raw")  # up to 1 MiB a row

    @admin.display(description="what was sent (its beginning)")
    def sent(self, rejected: Rejected) -> str:
        raw = bytes(rejected.raw)
        text = (
            raw[:RAW_SHOWN].decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
        )
        return text if len(raw) <= RAW_SHOWN else f"{text}... ({len(raw):,} bytes in all)"


@admin.register(Change)
class ChangeAdmin(WorkspaceAdmin):
    """The outbox. A row that stays is unfinished work; a dead one has failed five times."""

    may_change = Permission.MANAGE_QUEUES
    list_display = (
        "pk",
        "workspace",
        "kind",
        "n_runs",
        "created_at",
        "attempts",
        "due_at",
        "is_dead",
        "last_error",
    )
    list_filter = ("is_dead", "kind", ("workspace", ScopedFilter))
    list_select_related = ("workspace",)
    ordering = ("-is_dead", "due_at", "pk")
    fields = readonly_fields = (
        "workspace",
        "kind",
        "run_ids",
        "created_at",
        "attempts",
        "due_at",
        "is_dead",
        "last_error",
    )
    actions = ("redrive",)

    @admin.display(description="runs")
    def n_runs(self, change: Change) -> int:
        return len(change.run_ids)

    @admin.action(description="Redrive the selected dead changes", permissions=["change"])
    def redrive(self, request: HttpRequest, queryset: QuerySet[Change]) -> None:
        n = changes.revive(timezone.now(), queryset)
        self.message_user(request, f"{n} changes will be tried again", messages.SUCCESS)
