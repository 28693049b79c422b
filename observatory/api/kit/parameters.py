"""Query parameters as the SDKs send them: repeated keys, True and true, several kinds of time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from observatory.api.kit.errors import Unprocessable
from observatory.feedback.judgement import InvalidFeedback, parse_time

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
MAX_LISTED = 1_000


def without_nul(name: str, text: str) -> str:
    """Return a text that was sent. Raises 422 for a NUL character: PostgreSQL stores none.

    Left out silently it would make two names one.
    """
    if "\x00" in text:
        raise Unprocessable(f"{name}: must not contain a NUL character")
    return text


def listed(request: Request, name: str) -> list[str]:
    """Return every value of a repeated parameter. Raises 422 beyond MAX_LISTED."""
    values = [value for value in request.query_params.getlist(name) if value]
    if len(values) > MAX_LISTED:
        raise Unprocessable(f"{name}: more than {MAX_LISTED} values")
    return [without_nul(name, value) for value in values]


def one(request: Request, name: str) -> str | None:
    """Return the last value of a parameter, None if absent or empty."""
    return without_nul(name, request.query_params.get(name) or "") or None


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Unprocessable(f"{name}: {text[:60]!r} is not a UUID") from None


def uuids(request: Request, name: str) -> list[UUID]:
    """Return every value of a repeated parameter as UUIDs. Raises 422."""
    return [_uuid(name, text) for text in listed(request, name)]


def uuid(request: Request, name: str) -> UUID | None:
    """Return a parameter as a UUID, None if absent. Raises 422."""
    text = one(request, name)
    return None if text is None else _uuid(name, text)


def flag(request: Request, name: str) -> bool | None:
    """Return True for true, True or 1, False for false, False or 0, None if absent."""
    text = one(request, name)
    if text is None:
        return None
    if text.lower() in {"true", "1"}:
        return True
    if text.lower() in {"false", "0"}:
        return False
    raise Unprocessable(f"{name}: must be true or false")


def moment(request: Request, name: str) -> datetime | None:
    """Return a parameter as a time: ISO 8601, no zone is UTC. Raises 422."""
    text = one(request, name)
    if text is None:
        return None
    try:
        # "+" of a zone that was not percent-encoded arrives as a space.
        return parse_time(
            name, text if " " not in text[19:] else text[:19] + text[19:].replace(" ", "+")
        )
    except InvalidFeedback as error:
        raise Unprocessable(str(error)) from None


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a parameter as a whole number in [low, high]. Raises 422."""
    text = one(request, name)
    if text is None:
        return default
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 12:
        raise Unprocessable(f"{name}: must be a whole number")
    if not low <= int(text) <= high:
        raise Unprocessable(f"{name}: must be {low} to {high}")
    return int(text)


def window(request: Request) -> slice:
    """Return the rows that `limit` and `offset` ask for.

    A page is never shorter than asked while there are rows: the SDKs stop at a short one.
    """
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = number(request, "offset", 0, 0, 10_000_000)
    return slice(offset, offset + limit)


def sent_uuid(body: dict[str, Any], name: str) -> UUID | None:
    """Return a UUID of a JSON body, None if absent or null. Raises 422."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unprocessable(f"{name}: must be a UUID")
    return _uuid(name, value)
