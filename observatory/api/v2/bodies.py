"""What a request of the generated clients asks, in a body or in a query. Bad input is a 400."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request

from observatory.api.kit import parameters
from observatory.api.runs.query import moment_of, text_of, uuid_of
from observatory.runs.filters.compile import EVER, Judged
from observatory.runs.filters.grammar import Node
from observatory.runs.filters.pairing import speaks_of
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace

RECENT = timedelta(days=1)
"""How far back a query looks that does not say."""


class NotOffered(APIException):
    """501: the SDK may ask it of the hosted service, no self-hosted one has it."""

    status_code = 501
    default_code = "not_offered"


def body_of(request: Request) -> dict[str, Any]:
    """Return the body, which must be a JSON object; an empty one is {}. Raises ParseError."""
    body: Any = request.data
    if not isinstance(body, dict):
        raise ParseError("The body must be a JSON object")
    return body


def query_of(request: Request, *lists: str) -> dict[str, Any]:
    """Return the query as a body would say it; the parameters in `lists` may be repeated."""
    given = request.query_params
    return {
        name: given.getlist(name) if name in lists else parameters.without_nul(name, given[name])
        for name in given
    }


def refuse_ai(body: Mapping[str, Any]) -> None:
    """Raise NotOffered when the body asks for a search by meaning: nothing here can answer it."""
    for name in ("ai_search", "sem_filter"):
        if text_of(body, name) is not None:
            raise NotOffered(f"{name}: this server does not search by meaning; use filter")


def whole_number(body: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number in [low, high], `default` if absent. Raises ParseError."""
    given = body.get(name)
    if given is None or given == "":
        return default
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 12:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise ParseError(f"{name}: must be a whole number from {low} to {high}")
    return given


def required_uuid(body: Mapping[str, Any], name: str) -> UUID:
    """Return a UUID that must be there. Raises ParseError."""
    found = uuid_of(body, name)
    if found is None:
        raise ParseError(f"{name}: is required")
    return found


def project_of(workspace: Workspace, body: Mapping[str, Any], name: str = "project_id") -> Project:
    """Return the project that must be named. Raises ParseError, and NotFound for an unknown one."""
    wanted = required_uuid(body, name)
    found = Project.objects.filter(workspace=workspace, uuid=wanted).first()
    if found is None:
        raise NotFound("Project not found")
    return found


def recent_of(body: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Return min_start_time (a day ago if absent) and max_start_time. Raises ParseError.

    Without max_start_time there is no end, so that a run of a clock that is ahead is found.
    """
    since = moment_of(body, "min_start_time")
    return since or timezone.now() - RECENT, moment_of(body, "max_start_time")


def judged_of(body: Mapping[str, Any], filters: Iterable[Node | None]) -> Judged:
    """Return the bounds of the feedback that `filters` see. Raises ParseError without any."""
    judged = Judged(
        since=moment_of(body, "min_feedback_modified_at"),
        until=moment_of(body, "max_feedback_modified_at"),
    )
    if judged != EVER and not any(
        node is not None and speaks_of(node, "feedback") for node in filters
    ):
        raise ParseError(
            "min_feedback_modified_at and max_feedback_modified_at need a filter of feedback,"
            ' as in eq(feedback_key, "correctness")'
        )
    return judged


def choices_of(body: Mapping[str, Any], name: str, known: Iterable[str]) -> list[str]:
    """Return the words of a list, each one of `known`. Raises ParseError naming the other."""
    given = body.get(name)
    if given is None:
        return []
    if not isinstance(given, list):
        raise ParseError(f"{name}: expects a list of field names")
    words = frozenset(known)
    for word in given:
        if not isinstance(word, str) or word not in words:
            raise ParseError(f"{name}: {str(word)[:60]!r} is none of {', '.join(sorted(words))}")
    return list(dict.fromkeys(given))
