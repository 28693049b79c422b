"""Periodic work on people's sessions."""

from __future__ import annotations

from celery import shared_task

from observatory.workspaces.sessions import SessionStore


@shared_task
def clear_sessions() -> None:
    """Delete sessions that have ended. Running twice equals running once."""
    SessionStore.clear_expired()
