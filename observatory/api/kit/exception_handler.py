"""Turn the exceptions of API views into JSON answers.

Apart from `errors`, because REST framework's views import the renderers, which raise those.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import DataError
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from observatory.api.kit.errors import Unprocessable, unavailable
from observatory.outages import reason_of_outage

logger = logging.getLogger(__name__)


def _flat(detail: Any, path: str = "") -> str:
    """Return a DRF error detail as one sentence that names the field."""
    if isinstance(detail, dict):
        return "; ".join(
            _flat(value, f"{path}.{key}" if path else str(key)) for key, value in detail.items()
        )
    if isinstance(detail, list):
        return "; ".join(_flat(value, path) for value in detail)
    return f"{path}: {detail}" if path and path != "non_field_errors" else str(detail)


def _code(exception: Exception, status: int) -> str:
    codes = exception.get_codes() if isinstance(exception, APIException) else None
    return (
        codes
        if isinstance(codes, str)
        else {404: "not_found", 403: "forbidden"}.get(status, "invalid")
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]


def handle(exception: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """Turn an exception of an API view into its JSON answer; an outage is 503, not 500."""
    if reason := reason_of_outage(exception):
        set_rollback()
        logger.error("%s (%s)", reason, exception)
        return unavailable(reason)
    if isinstance(exception, DataError):
        set_rollback()
        logger.warning("The database refused what was sent: %s", exception)
        exception = Unprocessable(f"A value cannot be stored or compared: {_first_line(exception)}")
    response = exception_handler(exception, context)
    if response is None:
        return None
    response.data = {
        "detail": _flat(getattr(exception, "detail", str(exception) or "Not found")),
        "code": _code(exception, response.status_code),
    }
    if isinstance(exception, AuthenticationFailed):
        response["WWW-Authenticate"] = "x-api-key"  # plain views have no authenticator
    if isinstance(exception, (Http404, DjangoPermissionDenied)):
        response.data["detail"] = "Not found" if isinstance(exception, Http404) else "Forbidden"
    return response
