"""Admin of feedback: read-only, since it is a record of what people and models sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from observatory.extensions import Additions
from observatory.feedback.models import Feedback, FeedbackConfig, PresignedToken
from observatory.workspaces.admin import ScopedFilter, WorkspaceAdmin

READABLE: Final = Additions[Callable[[HttpRequest], Q]]()
"""Conditions that each row a visitor sees must meet: rooms above hide answers given blind."""


@admin.register(Feedback)
class FeedbackAdmin(WorkspaceAdmin):
    list_display = (
        "created_at",
        "workspace",
        "project",
        "key",
        "score",
        "value",
        "source_type",
        "user",
        "run_id",
    )
    list_filter = ("source_type", ("workspace", ScopedFilter))
    list_select_related = ("workspace", "project", "user")
    search_fields = ("=key", "=run_id")
    ordering = ("-created_at", "-pk")
    exclude = ("api_key",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        for condition in READABLE:
            rows = rows.filter(condition(request))
        return rows


@admin.register(FeedbackConfig)
class FeedbackConfigAdmin(WorkspaceAdmin):
    list_display = ("key", "workspace", "config", "is_lower_score_better", "modified_at")
    list_filter = (("workspace", ScopedFilter),)
    list_select_related = ("workspace",)
    search_fields = ("key",)
    ordering = ("key", "pk")


@admin.register(PresignedToken)
class PresignedTokenAdmin(WorkspaceAdmin):
    """Presigned tokens, without their digest."""

    list_display = (
        "created_at",
        "workspace",
        "key",
        "run_id",
        "expires_at",
        "revoked_at",
        "n_uses",
    )
    list_filter = (("workspace", ScopedFilter),)
    list_select_related = ("workspace",)
    search_fields = ("=run_id", "key")
    ordering = ("-created_at", "-pk")
    exclude = ("digest",)
