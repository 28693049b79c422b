"""Who judged: a person or a program. The source of a feedback decides, never its key alone.

An evaluator is usually run with the API key of the person who wrote it, so the key says who
sent a judgement and not who made it. A judgement is a person's when its source is `api` or
`app`, no run made it, and it is no evaluator's failure.
"""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from observatory.feedback.models import Feedback

MADE_BY: Final = "__run"
"""The key of the source's metadata under which the SDKs name the evaluator's run."""


def of_people() -> Q:
    """Return the condition on Feedback of judgements that a person made."""
    return Q(source_type__in=(Feedback.Source.API, Feedback.Source.APP), is_error=False) & (
        Q(source_metadata=None) | ~Q(source_metadata__has_key=MADE_BY)
    )
