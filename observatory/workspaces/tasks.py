"""Periodic work on sessions."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from observatory.workspaces import sessions


@shared_task
def clear_sessions() -> None:
    """Delete sessions that have ended. Running twice equals running once."""
    sessions.forget_ended(timezone.now())
