"""Respond 503 with Retry-After, never 500, while the database or a disk is unavailable."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import get_template
from django.views.defaults import server_error as django_server_error

from observatory.outages import RETRY_AFTER_S, reason_of_outage

logger = logging.getLogger(__name__)


class OutageMiddleware:
    """Responds for views whose database or disk was unavailable."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the 503 of an outage; None leaves any other exception to Django."""
        reason = reason_of_outage(exception)
        return unavailable(request, exception, reason) if reason else None


def unavailable(request: HttpRequest, exception: BaseException, reason: str) -> HttpResponse:
    """Return 503: a page for a browser, JSON for other clients. Does not use the database."""
    # One line: during an outage a traceback per request would fill the log.
    logger.error("%s %s: %s (%s)", request.method, request.path, reason, exception)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if "text/html" in request.headers.get("accept", ""):
        page = get_template("503.html").render({"retry_after_s": RETRY_AFTER_S})
        return without_a_log_line(HttpResponse(page, status=503, headers=headers))
    body = {"detail": reason, "code": "unavailable"}
    return without_a_log_line(JsonResponse(body, status=503, headers=headers))


def without_a_log_line(response: HttpResponse) -> HttpResponse:
    """Mark `response` so that Django does not log a second line."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond to errors outside views: an outage met in a middleware, else a plain 500."""
    exception = sys.exc_info()[1]
    if exception is not None and (reason := reason_of_outage(exception)):
        return unavailable(request, exception, reason)
    if "text/html" in request.headers.get("accept", ""):
        return django_server_error(request)
    return JsonResponse({"detail": "Internal server error", "code": "error"}, status=500)
