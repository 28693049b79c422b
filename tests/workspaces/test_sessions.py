"""Rows of browser sessions: kept while they last, deleted after."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from observatory.celery import app
from observatory.workspaces.models import BrowserSession

pytestmark = pytest.mark.django_db


def test_the_schedule_deletes_ended_sessions_and_keeps_the_others(client, grace) -> None:
    for _ in range(3):
        client.force_login(grace)
        client.cookies.clear()
    ended, lasting, other = BrowserSession.objects.order_by("session_key")
    ended.expire_date = timezone.now() - timedelta(seconds=1)
    ended.save()
    [name] = [
        entry["task"]
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if entry["task"].endswith("clear_sessions")
    ]
    app.loader.import_default_modules()
    for _ in range(2):  # it may run twice
        app.tasks[name].apply(throw=True)
        assert set(BrowserSession.objects.all()) == {lasting, other}
