"""Admin of gold answers and drift alarms: read-only, for those who manage queues."""

from __future__ import annotations

from django.contrib import admin

from annotations.models import DriftAlarm, GoldAnswer
from observatory.workspaces.admin import ScopedFilter, WorkspaceAdmin


@admin.register(GoldAnswer)
class GoldAnswerAdmin(WorkspaceAdmin):
    """Versions of the expected answers of gold items."""

    workspace_path = "item__workspace"
    list_display = ("item", "version", "answers", "reason", "created_by", "created_at")
    list_filter = (("item__queue", ScopedFilter),)
    list_select_related = ("item", "created_by")
    fields = readonly_fields = ("item", *list_display[1:])
    ordering = ("-pk",)


@admin.register(DriftAlarm)
class DriftAlarmAdmin(WorkspaceAdmin):
    """Changes of reviewers against their own past."""

    workspace_path = "queue__workspace"
    list_display = ("raised_at", "queue", "reviewer", "rubric_item", "kind", "before", "after")
    list_filter = ("kind", ("queue", ScopedFilter))
    list_select_related = ("queue", "reviewer", "rubric_item")
    fields = readonly_fields = (
        *list_display,
        "n_before",
        "n_after",
        "p_value",
        "noted_at",
        "noted_by",
    )
    ordering = ("-raised_at", "-pk")
