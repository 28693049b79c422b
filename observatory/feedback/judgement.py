"""Arithmetic: what may be stored as feedback. Its members are checked and cleaned here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from observatory import exact, wire_values
from observatory.feedback import scales
from observatory.wire_values import InvalidField, clean_text

MAX_KEY = 180  # characters
MAX_TEXT = 1_000  # characters of a name that feedback refers to
MAX_COMMENT = 65_536  # bytes of UTF-8
MAX_DOCUMENT = 1_048_576  # bytes of a value, correction, extra or source metadata
MAX_DEPTH = 200
MAX_SCORE = 1e308
SOURCES = frozenset({"api", "model", "app", "auto_eval"})


class InvalidFeedback(InvalidField):
    """Feedback that cannot be stored: `field` and `reason` name what is wrong and the limit."""


@dataclass(frozen=True, kw_only=True)
class FeedbackInput:
    """One judgement to store. `session_id` is the uuid of a project; `score` is finite.

    With `run_id` it judges that run, known or not; without, the project of `session_id`. `scale`
    is the scale it was given on where the caller knows it, `review` the uuid of the review that
    writes it, and `is_sealed` whether only its author may read it yet: no client can send these.
    """

    key: str
    id: UUID | None = None
    run_id: UUID | None = None
    trace_id: UUID | None = None
    session_id: UUID | None = None
    score: float | None = None
    value: Any = None
    comment: str | None = None
    correction: Any = None
    source_type: str = "api"
    source_metadata: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    scale: dict[str, Any] | None = None
    is_error: bool = False
    comparative_experiment_id: UUID | None = None
    feedback_group_id: UUID | None = None
    feedback_thread_id: str | None = None
    extra: dict[str, Any] | None = None
    created_at: datetime | None = None
    review: UUID | None = None
    is_sealed: bool = False


class OfAReview(InvalidFeedback):
    """The feedback of a review: only the review itself changes it."""

    def __init__(self) -> None:
        super().__init__("id", "is feedback of a review; take the review back to change it")


def storable_document(document: Any) -> Any:
    """Return a copy of a JSON document that jsonb can hold.

    Raises ValueError when it is nested deeper than MAX_DEPTH, is larger than MAX_DOCUMENT bytes
    or holds a number that is not finite.
    """

    def walk(node: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if isinstance(node, str):
            return clean_text(node)
        if isinstance(node, float) and not math.isfinite(node):
            raise ValueError("holds a number that is not finite")
        if isinstance(node, Mapping):
            return {clean_text(str(key)): walk(child, depth + 1) for key, child in node.items()}
        if isinstance(node, (list, tuple)):
            return [walk(child, depth + 1) for child in node]
        return node

    cleaned = walk(document, 0)
    if len(exact.dumps(cleaned)) > MAX_DOCUMENT:
        raise ValueError(f"larger than {MAX_DOCUMENT} bytes")
    return cleaned


def clean_document(field: str, document: Any) -> Any:
    """Return `document` as `storable_document` does. Raises InvalidFeedback that names `field`."""
    try:
        return storable_document(document)
    except ValueError as error:
        raise InvalidFeedback(field, str(error)) from None


def parse_time(field: str, raw: Any) -> datetime | None:
    """Return ISO 8601 text (no zone: UTC) or epoch milliseconds as an aware time, None for null.

    Raises InvalidFeedback for anything else and for years outside 1970 to 9998.
    """
    if raw is None:
        return None
    try:
        moment = wire_values.parse_time(raw)
    except ValueError as error:
        raise InvalidFeedback(field, str(error)) from None
    if not 1970 <= moment.year <= 9998:
        raise InvalidFeedback(field, "is outside the years 1970 to 9998")
    return moment


# What members of feedback may be. Each raises ValueError with the reason alone; who reads a body
# adds the field.


def parse_score(raw: Any) -> float:
    """Return a number or boolean as a score; true is 1. Raises ValueError."""
    if not isinstance(raw, (bool, int, float)):
        raise ValueError("must be a number, true, false or null")
    score = exact.double(raw)
    if abs(score) > MAX_SCORE:
        raise ValueError(f"must be finite and within {MAX_SCORE:g}")
    return score


def parse_value(raw: Any) -> Any:
    """Return a number, boolean, text or object, cleaned. Raises ValueError.

    The SDKs cannot read lists.
    """
    if isinstance(raw, (list, tuple)):
        raise ValueError("must be a number, boolean, text or object, not a list")
    return storable_document(raw)


def parse_correction(raw: Any) -> Any:
    """Return an object or a text, cleaned. Raises ValueError."""
    if not isinstance(raw, (str, Mapping)):
        raise ValueError("must be an object or a text")
    return storable_document(raw)


def parse_comment(raw: Any) -> str:
    """Return a text of at most MAX_COMMENT bytes, cleaned. Raises ValueError."""
    if not isinstance(raw, str):
        raise ValueError("must be a text")
    comment = clean_text(raw)
    if len(comment.encode()) > MAX_COMMENT:
        raise ValueError(f"longer than {MAX_COMMENT} bytes")
    return comment


def parse_document(raw: Any) -> dict[str, Any]:
    """Return an object, cleaned. Raises ValueError."""
    if not isinstance(raw, Mapping):
        raise ValueError("must be an object")
    cleaned: dict[str, Any] = storable_document(raw)
    return cleaned


def parse_scale(raw: Any) -> dict[str, Any]:
    """Return a feedback_config as `scales.parse` does. Raises ValueError."""
    return scales.parse(storable_document(raw))


def parse_source(raw: Any) -> str:
    """Return a type of feedback source, `api` for an empty one. Raises ValueError."""
    kind = raw or "api"
    if not isinstance(kind, str) or kind not in SOURCES:
        raise ValueError(f"must be one of {', '.join(sorted(SOURCES))}")
    return kind
