"""The guide to a first trace, shown on every empty page."""

from __future__ import annotations

from typing import Any

from observatory.web.http import WebRequest, can
from observatory.workspaces.roles import Permission


def first_steps(request: WebRequest, project: str = "") -> dict[str, Any]:
    """Return the context of `_first_steps.html`; `project` receives the traces."""
    return {
        "endpoint": request.build_absolute_uri("/api"),
        "can_manage_keys": can(request, Permission.MANAGE_KEYS),
        "project_name": project,
    }
