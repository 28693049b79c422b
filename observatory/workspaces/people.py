"""Authentication backend: session user and membership lookup with prepared statements.

Stored sessions name `people.Backend` by its path: moving it signs all users out.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from observatory.db import prepared
from observatory.db.columns import Columns
from observatory.workspaces.models import Membership, User, Workspace

_USER = Columns(User, "u")
_MEMBERSHIP = Columns(Membership, "m")
_WORKSPACE = Columns(Workspace, "w")
# One row per workspace of the user; a user without any gets one row without workspace.
_FIND_USER = f"""
SELECT {_USER.sql}, {_MEMBERSHIP.sql}, {_WORKSPACE.sql}
FROM workspaces_user u
LEFT JOIN workspaces_membership m ON m.user_id = u.id
LEFT JOIN workspaces_workspace w ON w.id = m.workspace_id
WHERE u.id = %s ORDER BY w.name, w.id
"""


def _rows(sql: str, parameters: list[Any]) -> list[list[Any]]:
    with prepared.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [list(row) for row in cursor.fetchall()]


class Backend(ModelBackend):
    """Django's backend, with a faster lookup of the session user."""

    def get_user(self, user_id: int) -> User | None:
        """Return the user with their memberships loaded for `memberships_of`."""
        rows = _rows(_FIND_USER, [user_id])
        if not rows:
            return None
        users: list[User] = [_USER.instance(_USER.take(row)) for row in rows]
        user = users[0]
        user.memberships_read = _memberships(user, rows)
        return user if self.user_can_authenticate(user) else None


def _memberships(user: User, rows: list[list[Any]]) -> list[Membership]:
    """Return the memberships of `user`, by workspace name; `rows` have no columns of the user."""
    memberships = []
    for row in rows:
        membership_values, workspace_values = _MEMBERSHIP.take(row), _WORKSPACE.take(row)
        if membership_values[0] is None:
            break
        membership: Membership = _MEMBERSHIP.instance(membership_values)
        membership.workspace = _WORKSPACE.instance(workspace_values)
        membership.user = user
        memberships.append(membership)
    return memberships
