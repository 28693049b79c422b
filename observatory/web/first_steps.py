"""What the guide to a first trace shows, on every page that has nothing else to show yet."""

from __future__ import annotations

from typing import Any

from observatory.web.http import WebRequest, can
from observatory.workspaces.roles import Permission


def first_steps(request: WebRequest, project: str = "") -> dict[str, Any]:
    """Return what `_first_steps.html` draws; `project` is where the traces shall go."""
    return {
        "endpoint": request.build_absolute_uri("/api"),
        "can_manage_keys": can(request, Permission.MANAGE_KEYS),
        "project_name": project,
    }
