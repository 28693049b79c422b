"""What bodies of the generated clients have in common. Bad input is a 400."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from django.utils import timezone
from msgspec import Meta
from rest_framework.exceptions import APIException, NotFound, ParseError

from observatory.api.runs.members import Instant, RunFilter, RunsBody, Text
from observatory.runs.filters.compile import EVER, Judged
from observatory.runs.filters.grammar import Node
from observatory.runs.filters.pairing import speaks_of
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace

RECENT: Final = timedelta(days=1)
"""How far back a query without min_start_time looks."""


class NotOffered(APIException):
    """501: the SDK may ask it of the hosted service, no self-hosted one has it."""

    status_code = 501
    default_code = "not_offered"


class BodyV2(RunsBody):
    """A body of version 2. Its page size may be a text of digits."""

    reads_digits = True


class WindowBody(BodyV2):
    """Conditions on traces, from `min_start_time` on: a day ago unless it is set.

    Without `max_start_time` there is no end, so that a run of a clock that is ahead is found.
    """

    min_start_time: Annotated[Instant, Meta(description="A day ago if absent")] | None = None
    max_start_time: Instant | None = None
    trace_filter: RunFilter | None = None
    tree_filter: RunFilter | None = None

    @property
    def since(self) -> datetime:
        return self.min_start_time or timezone.now() - RECENT


class SearchBody(WindowBody):
    """A query that could be a search by meaning, which is not offered here. Raises NotOffered."""

    ai_search: Annotated[Text, Meta(description="Not offered: answered with 501")] | None = None
    sem_filter: Annotated[Text, Meta(description="Not offered: answered with 501")] | None = None

    def __post_init__(self) -> None:
        for name in ("ai_search", "sem_filter"):
            if getattr(self, name):
                raise NotOffered(f"{name}: this server does not search by meaning; use filter")


class FeedbackWindowBody(SearchBody):
    """A query whose filters may see only the feedback that was changed within a window."""

    min_feedback_modified_at: Instant | None = None
    max_feedback_modified_at: Instant | None = None

    def judged(self, *filters: Node | None) -> Judged:
        """Return the bounds of the feedback that `filters` see.

        Raises ParseError when there are bounds, and no filter of feedback.
        """
        judged = Judged(since=self.min_feedback_modified_at, until=self.max_feedback_modified_at)
        if judged != EVER and not any(node and speaks_of(node, "feedback") for node in filters):
            raise ParseError(
                "min_feedback_modified_at and max_feedback_modified_at need a filter of feedback,"
                ' as in eq(feedback_key, "correctness")'
            )
        return judged


def project_or_404(workspace: Workspace, project_id: UUID) -> Project:
    """Return the project of the workspace. Raises NotFound."""
    project = Project.objects.filter(workspace=workspace, uuid=project_id).first()
    if project is None:
        raise NotFound("Project not found")
    return project


def choices_of(name: str, words: list[str] | None, known: Iterable[str]) -> list[str]:
    """Return `words` without repeats. Raises ParseError naming one that is not `known`."""
    choices = frozenset(known)
    for word in words or ():
        if word not in choices:
            raise ParseError(f"{name}: {word[:60]!r} is none of {', '.join(sorted(choices))}")
    return list(dict.fromkeys(words or ()))
