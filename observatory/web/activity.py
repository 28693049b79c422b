"""Extend a session while its user is active; a page's own polls do not count."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from observatory.workspaces import sessions


class ActivityMiddleware:
    """Records that a session was used, for its idle timeout."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not _is_poll(request):
            sessions.note_activity(request.session, timezone.now())
        return response


def _is_poll(request: HttpRequest) -> bool:
    """Return whether the request is an open page's poll for changes."""
    return "HX-Request" in request.headers and "seen" in request.GET
