"""Admin of prompts: read-only, since commits are history."""

from __future__ import annotations

from django.contrib import admin

from observatory.prompts.models import PromptRepo
from observatory.workspaces.admin import ScopedFilter, WorkspaceAdmin


@admin.register(PromptRepo)
class PromptRepoAdmin(WorkspaceAdmin):
    list_display = ("handle", "workspace", "is_public", "is_archived", "updated_at")
    list_filter = (("workspace", ScopedFilter),)
    list_select_related = ("workspace",)
    search_fields = ("handle",)
    ordering = ("handle", "pk")
