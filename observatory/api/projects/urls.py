"""The URLs of this wing; see observatory/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.kit.paths import at
from observatory.api.projects import sessions

v1: list[URLPattern | URLResolver] = [
    at("sessions", sessions.Sessions, "sessions"),
    at("sessions/resolutions", sessions.SessionResolution, "session-resolution"),
    at("sessions/(?P<session_id>[^/]+)", sessions.SessionDetail, "session"),
]
