"""Arithmetic: what was sent as feedback, checked and cleaned, before it meets the database."""

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


def clean_document(field: str, document: Any) -> Any:
    """Return a copy of a JSON document that jsonb can hold.

    Raises InvalidFeedback when it is nested deeper than MAX_DEPTH, is larger than MAX_DOCUMENT
    bytes or holds a number that is not finite.
    """

    def walk(node: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise InvalidFeedback(field, f"nested deeper than {MAX_DEPTH}")
        if isinstance(node, str):
            return clean_text(node)
        if isinstance(node, float) and not math.isfinite(node):
            raise InvalidFeedback(field, "holds a number that is not finite")
        if isinstance(node, Mapping):
            return {clean_text(str(key)): walk(child, depth + 1) for key, child in node.items()}
        if isinstance(node, (list, tuple)):
            return [walk(child, depth + 1) for child in node]
        return node

    cleaned = walk(document, 0)
    if len(exact.dumps(cleaned)) > MAX_DOCUMENT:
        raise InvalidFeedback(field, f"larger than {MAX_DOCUMENT} bytes")
    return cleaned


def parse_uuid(field: str, raw: Any) -> UUID | None:
    """Return `raw` as a UUID, None for null. Raises InvalidFeedback."""
    try:
        return wire_values.parse_uuid(raw)
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


def parse_score(raw: Any) -> float | None:
    """Return a number or boolean as a score (true is 1), None for null. Raises InvalidFeedback."""
    if raw is None:
        return None
    if not isinstance(raw, (bool, int, float)):
        raise InvalidFeedback("score", "must be a number, true, false or null")
    try:
        score = exact.double(raw)
    except ValueError as error:
        raise InvalidFeedback("score", str(error)) from None
    if abs(score) > MAX_SCORE:
        raise InvalidFeedback("score", f"must be finite and within {MAX_SCORE:g}")
    return score


def parse_value(raw: Any) -> Any:
    """Return a value cleaned: number, boolean, text, object or null. The SDKs cannot read lists."""
    if isinstance(raw, (list, tuple)):
        raise InvalidFeedback("value", "must be a number, boolean, text or object, not a list")
    return clean_document("value", raw)


def parse_correction(raw: Any) -> Any:
    """Return a correction cleaned: an object, a text or null."""
    if raw is not None and not isinstance(raw, (str, Mapping)):
        raise InvalidFeedback("correction", "must be an object or a text")
    return clean_document("correction", raw)


def parse_comment(raw: Any) -> str | None:
    """Return a comment of at most MAX_COMMENT bytes."""
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise InvalidFeedback("comment", "must be a text")
    comment = clean_text(raw)
    if len(comment.encode()) > MAX_COMMENT:
        raise InvalidFeedback("comment", f"longer than {MAX_COMMENT} bytes")
    return comment


def parse_key(raw: Any, field: str = "key") -> str:
    """Return a feedback key: 1 to MAX_KEY characters."""
    if not isinstance(raw, str) or not raw:
        raise InvalidFeedback(field, "is missing")
    if len(raw) > MAX_KEY:
        raise InvalidFeedback(field, f"longer than {MAX_KEY} characters")
    return clean_text(raw)


def parse_config(raw: Any) -> dict[str, Any] | None:
    """Return a feedback_config as `scales.parse` does, None for null."""
    if raw is None:
        return None
    try:
        return scales.parse(clean_document("feedback_config", raw))
    except InvalidFeedback:
        raise
    except ValueError as error:
        raise InvalidFeedback("feedback_config", str(error)) from None


def parse_object(field: str, raw: Any) -> dict[str, Any] | None:
    """Return a JSON object cleaned, None for null."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise InvalidFeedback(field, "must be an object")
    cleaned: dict[str, Any] = clean_document(field, raw)
    return cleaned


def _source(raw: Any) -> tuple[str, dict[str, Any] | None]:
    """Return the type and metadata of a `feedback_source`; its user fields are never believed."""
    source = parse_object("feedback_source", raw)
    if source is None:
        return "api", None
    kind = source.get("type") or "api"
    if not isinstance(kind, str) or kind not in SOURCES:
        known = ", ".join(sorted(SOURCES))
        raise InvalidFeedback("feedback_source.type", f"must be one of {known}")
    return kind, parse_object("feedback_source.metadata", source.get("metadata"))


def _text(field: str, raw: Any) -> str | None:
    if raw is None:
        return None
    if not isinstance(raw, str) or len(raw) > 1_000:
        raise InvalidFeedback(field, "must be a text of at most 1000 characters")
    return clean_text(raw)


def parse(body: Any) -> FeedbackInput:
    """Return the feedback that a wire object describes. Raises InvalidFeedback.

    Unknown fields are ignored, and so are those that say who is asking. Both `feedback_config`
    and the JavaScript SDK's `feedbackConfig` are read. `trace_id` alone judges the root.
    """
    if not isinstance(body, Mapping):
        raise InvalidFeedback("feedback", "must be an object")
    source_type, source_metadata = _source(body.get("feedback_source"))
    config = body.get("feedback_config")
    trace_id = parse_uuid("trace_id", body.get("trace_id"))
    run_id = parse_uuid("run_id", body.get("run_id")) or trace_id
    session_id = parse_uuid("session_id", body.get("session_id"))
    if run_id is None and session_id is None:
        raise InvalidFeedback("run_id", "either run_id or session_id is needed")
    return FeedbackInput(
        key=parse_key(body.get("key")),
        id=parse_uuid("id", body.get("id")),
        run_id=run_id,
        trace_id=trace_id,
        session_id=session_id,
        score=parse_score(body.get("score")),
        value=parse_value(body.get("value")),
        comment=parse_comment(body.get("comment")),
        correction=parse_correction(body.get("correction")),
        source_type=source_type,
        source_metadata=source_metadata,
        config=parse_config(body.get("feedbackConfig") if config is None else config),
        is_error=body.get("error") is True,
        comparative_experiment_id=parse_uuid(
            "comparative_experiment_id", body.get("comparative_experiment_id")
        ),
        feedback_group_id=parse_uuid("feedback_group_id", body.get("feedback_group_id")),
        feedback_thread_id=_text("feedback_thread_id", body.get("feedback_thread_id")),
        extra=parse_object("extra", body.get("extra")),
        created_at=parse_time("created_at", body.get("created_at")),
    )


CHANGEABLE = ("score", "value", "correction", "comment", "config")


def parse_changes(body: Any) -> dict[str, Any]:
    """Return what a PATCH body changes, by the names of CHANGEABLE; null means keep."""
    if not isinstance(body, Mapping):
        raise InvalidFeedback("feedback", "must be an object")
    config = body.get("feedback_config")
    changes = {
        "score": parse_score(body.get("score")),
        "value": parse_value(body.get("value")),
        "correction": parse_correction(body.get("correction")),
        "comment": parse_comment(body.get("comment")),
        "config": parse_config(body.get("feedbackConfig") if config is None else config),
    }
    return {name: change for name, change in changes.items() if change is not None}
