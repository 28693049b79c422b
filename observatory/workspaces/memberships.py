"""Memberships of a user and the permissions that follow from them."""

from __future__ import annotations

from observatory.workspaces.models import Membership, User, Workspace
from observatory.workspaces.roles import Permission, allows


def memberships_of(user: User) -> list[Membership]:
    """Return the memberships of `user` with their workspaces, ordered by the workspaces' names.

    Those of the signed-in user were loaded with the user: see people.Backend.
    """
    if user.memberships_read is not None:
        return user.memberships_read
    memberships = Membership.objects.filter(user=user).select_related("workspace", "user")
    return list(memberships.order_by("workspace__name", "workspace_id"))


def membership_of(user: User, slug: str) -> Membership | None:
    """Return the membership of `user` in the workspace `slug`; None when there is none."""
    return next((each for each in memberships_of(user) if each.workspace.slug == slug), None)


def is_allowed(user: User, workspace: Workspace, permission: Permission) -> bool:
    """Return whether the role of `user` in `workspace` includes `permission`."""
    membership = membership_of(user, workspace.slug)
    return membership is not None and allows(membership.role, permission)
