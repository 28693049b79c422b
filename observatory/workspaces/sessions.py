"""Browser sessions. A session ends when it has been idle too long, is too old, or is ended.

SESSION_ENGINE names this module.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY as USER_ID
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.db import DatabaseError, models
from django.db.models.functions import Least
from django.utils.timezone import now as clock

from observatory.db import prepared
from observatory.workspaces.models import BrowserSession, User

LONGEST = timedelta(seconds=settings.SESSION_COOKIE_AGE)
NOTED_EVERY = timedelta(minutes=5)
"""Activity is written at most this often, so a session may end so much before its time."""
ABOUT = "signed_in_from"  # in the session: {"address": ..., "agent": ...}
_FIND = (
    "SELECT session_key, session_data, expire_date, seen_at FROM workspaces_browsersession"
    " WHERE session_key = %s AND expire_date > %s"
)
logger = logging.getLogger(__name__)


def idle_limit() -> timedelta:
    return timedelta(minutes=settings.SESSION_IDLE_MINUTES)


class SessionStore(DatabaseSessionStore):
    """Django's store, over rows with a user column, with a faster lookup for pages.

    `seen_at` is when the session was last active, None when it was not read from the database.
    """

    seen_at: datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        return BrowserSession

    def _get_session_from_db(self) -> BrowserSession | None:
        with prepared.cursor() as cursor:
            cursor.execute(_FIND, [self.session_key, clock()])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return None
        session_key, session_data, expire_date, self.seen_at = row
        return BrowserSession(
            session_key=session_key, session_data=session_data, expire_date=expire_date
        )

    def create_model_instance(self, data: dict[str, Any]) -> BrowserSession:
        about = data.get(ABOUT) or {}
        return BrowserSession(
            session_key=self._get_or_create_session_key(),  # type: ignore[attr-defined]
            session_data=self.encode(data),
            expire_date=clock() + min(idle_limit(), LONGEST),
            user_id=data.get(USER_ID),
            address=about.get("address", ""),
            agent=about.get("agent", ""),
        )


def describe(session: SessionBase, *, address: str, agent: str) -> None:
    """Store the address and browser of a sign-in, for the user's list of sessions."""
    session[ABOUT] = {"address": address[:64], "agent": agent[:300]}


def note_activity(session: SessionBase, now: datetime) -> None:
    """Extend the session from `now`, up to its maximum age. Writes every few minutes only.

    A read-only database does not fail the page.
    """
    seen_at = getattr(session, "seen_at", None)
    if seen_at is None or session.session_key is None or now - seen_at < NOTED_EVERY:
        return
    try:
        BrowserSession.objects.filter(session_key=session.session_key).update(
            seen_at=now,
            expire_date=Least(models.F("created_at") + LONGEST, now + idle_limit()),
            user_id=session.get(USER_ID),  # of rows older than this column
        )
    except DatabaseError as error:
        logger.warning("activity of a session was not noted: %s", error)


def live(user: User, now: datetime) -> models.QuerySet[BrowserSession]:
    """Return the live sessions of `user`, the last active first."""
    sessions = BrowserSession.objects.filter(user=user, expire_date__gt=now)
    return sessions.order_by("-seen_at", "session_key")


def forget_ended(now: datetime) -> None:
    """Delete the sessions that ended at `now` or before."""
    BrowserSession.objects.filter(expire_date__lte=now).delete()


def end(user: User, *, keep: str | None = None) -> int:
    """End the sessions of `user`, except the one with the key `keep`; return how many ended."""
    ended, _ = BrowserSession.objects.filter(user=user).exclude(session_key=keep or "").delete()
    return ended
