"""Set `admin.site`. Separate from the site itself: this is imported before any model."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    default_site = "observatory.workspaces.admin_site.ConsoleSite"
