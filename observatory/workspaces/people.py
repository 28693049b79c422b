"""Who is signed in: each page asks this first, so it is asked in few and ready-made statements."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from observatory.workspaces.columns import Columns
from observatory.workspaces.models import Membership, User, Workspace

_USER = Columns(User, "u")
_MEMBERSHIP = Columns(Membership, "m")
_WORKSPACE = Columns(Workspace, "w")
_FIND_USER = f"SELECT {_USER.sql} FROM workspaces_user u WHERE u.id = %s"
_FIND_MEMBERSHIP = f"""
SELECT {_MEMBERSHIP.sql}, {_WORKSPACE.sql}
FROM workspaces_membership m JOIN workspaces_workspace w ON w.id = m.workspace_id
WHERE m.user_id = %s AND w.slug = %s
"""
_FIND_SESSION = (
    "SELECT session_key, session_data, expire_date FROM django_session"
    " WHERE session_key = %s AND expire_date > %s"
)


def _one(sql: str, parameters: list[Any]) -> list[Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    return None if row is None else list(row)


class Backend(ModelBackend):
    """Django's own, with the lookup that every page of a signed-in person makes."""

    def get_user(self, user_id: int) -> User | None:
        row = _one(_FIND_USER, [user_id])
        if row is None:
            return None
        user: User = _USER.instance(_USER.take(row))
        return user if self.user_can_authenticate(user) else None


class SessionStore(DatabaseSessionStore):
    """Django's own, with the lookup that every page makes."""

    def _get_session_from_db(self) -> Session | None:
        row = _one(_FIND_SESSION, [self.session_key, timezone.now()])
        if row is None:
            self._session_key = None
            return None
        session_key, session_data, expire_date = row
        return Session(session_key=session_key, session_data=session_data, expire_date=expire_date)


def membership_of(user: User, slug: str) -> Membership | None:
    """Return what `user` is in the workspace `slug`, which comes with it; None: no member."""
    row = _one(_FIND_MEMBERSHIP, [user.pk, slug])
    if row is None:
        return None
    membership: Membership = _MEMBERSHIP.instance(_MEMBERSHIP.take(row))
    membership.workspace = _WORKSPACE.instance(_WORKSPACE.take(row))
    membership.user = user
    return membership
