"""Whether a person or a program judged. The source of feedback decides, never its key alone.

An evaluator is usually run with the API key of the developer who wrote it, so the key identifies
the sender and not the judge. Feedback is a person's when its source is `api` or `app`, no run made
it, and it is not an evaluator's failure.
"""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from observatory.feedback.models import Feedback

MADE_BY: Final = "__run"
"""The key of the source's metadata under which the SDKs name the evaluator's run."""


def of_people() -> Q:
    """Return the condition on Feedback for feedback of people."""
    return Q(source_type__in=(Feedback.Source.API, Feedback.Source.APP), is_error=False) & (
        Q(source_metadata=None) | ~Q(source_metadata__has_key=MADE_BY)
    )


BY_HAND: Final = """
(f.review_uuid IS NOT NULL OR (f.api_key_id IS NULL AND f.user_id IS NULL AND NOT f.is_attribute
    AND EXISTS (SELECT FROM feedback_presignedtoken t WHERE t.workspace_id = f.workspace_id
                AND t.run_id = f.run_id AND t.key = f.key)))
"""
"""The condition, in SQL, of feedback `f` that a person gave themselves: by a review or by a
presigned link. What a program sends may call itself `app`, and is counted with the API's."""


def given_by(source: str) -> str:
    """Return the condition, in SQL, of feedback `f` from a source; `app` means people."""
    if source == Feedback.Source.APP:
        return BY_HAND
    if source == Feedback.Source.API:
        return f"(f.source_type IN ('api', 'app') AND NOT {BY_HAND})"
    return "f.source_type = %(source)s"
