"""Every error is JSON: {"detail": text, "code": a stable word}."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException

from observatory.exact import dumps
from observatory.outages import RETRY_AFTER_S


class Conflict(APIException):
    status_code = 409
    default_code = "conflict"
    default_detail = "It exists already"


class Unprocessable(APIException):
    status_code = 422
    default_code = "invalid"
    default_detail = "Not valid"


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = "Too large"


def unavailable(reason: str) -> HttpResponse:
    """Return 503 with Retry-After: the SDKs keep the batch and try again, never on a 500."""
    body = {"detail": reason, "code": "unavailable"}
    return HttpResponse(
        dumps(body),
        status=503,
        content_type="application/json",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    """Answer an API path that does not exist."""
    return HttpResponse(
        dumps({"detail": "Not found", "code": "not_found"}),
        status=404,
        content_type="application/json",
    )
