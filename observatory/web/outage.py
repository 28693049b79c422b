"""A database that does not answer is 503 with Retry-After everywhere, never 500.

The SDKs keep a batch on 503 and try again; on a 500 they hammer and then drop it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import get_template
from django.views.defaults import server_error as django_server_error
from psycopg.errors import ReadOnlySqlTransaction

RETRY_AFTER_S = 20
OUTAGES = (OperationalError, InterfaceError)


def is_outage(exception: BaseException) -> bool:
    """Return whether the database is away, or takes no writes (a standby)."""
    return isinstance(exception, OUTAGES) or isinstance(
        getattr(exception, "__cause__", None), ReadOnlySqlTransaction
    )


logger = logging.getLogger(__name__)


class OutageMiddleware:
    """Answers for views whose database was away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the 503 of an outage; None leaves any other exception to Django."""
        return unavailable(request, exception) if is_outage(exception) else None


def unavailable(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """Return 503: a page for a browser, JSON for everything else. Touches no database."""
    # One line: during an outage a traceback a request would fill the log.
    logger.error("%s %s: database not available: %s", request.method, request.path, exception)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if "text/html" in request.headers.get("accept", ""):
        page = get_template("503.html").render({"retry_after_s": RETRY_AFTER_S})
        return without_a_log_line(HttpResponse(page, status=503, headers=headers))
    body = {"detail": "The database is not available; try again", "code": "unavailable"}
    return without_a_log_line(JsonResponse(body, status=503, headers=headers))


def without_a_log_line(response: HttpResponse) -> HttpResponse:
    """Return `response`, for which Django shall not log a second line."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what no view answered: an outage met in a middleware, else a plain 500."""
    exception = sys.exc_info()[1]
    if exception is not None and is_outage(exception):
        return unavailable(request, exception)
    if "text/html" in request.headers.get("accept", ""):
        return django_server_error(request)
    return JsonResponse({"detail": "Internal server error", "code": "error"}, status=500)
