"""Django's admin for operators and managers, with the common login page and roles."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from observatory.workspaces.models import Membership, User
from observatory.workspaces.roles import PERMISSIONS, Permission


def roles_with(permission: Permission) -> list[str]:
    """Return the roles that include `permission`."""
    return [role for role, granted in PERMISSIONS.items() if permission in granted]


class ConsoleSite(AdminSite):
    """Open to operators (superusers) and to managers of a workspace, checked per request."""

    site_title = "Observatory admin"
    site_header = "Observatory"
    index_title = "Administration"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not isinstance(user, User) or not user.is_active:
            return False
        return (
            user.is_superuser
            or Membership.objects.filter(
                user=user, role__in=roles_with(Permission.MANAGE_QUEUES)
            ).exists()
        )

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the login page; a signed-in user without access gets an error."""
        if request.user.is_authenticated:
            raise PermissionDenied("The admin is for managers and owners of a workspace")
        return redirect_to_login(request.GET.get("next") or "/admin/")
