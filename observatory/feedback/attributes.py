"""Arithmetic: feedback in the attributes of a run.

An application may report its user's feedback as attributes of the run itself, its metadata and
tags, instead of as feedback. The names are fixed: see NAMES and THUMBS. Each attribute of a run is
one feedback on it; `reflection` keeps the rows in step.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from observatory.feedback import judgement
from observatory.feedback.judgement import MAX_COMMENT, InvalidFeedback
from observatory.wire_values import clean_text

FEEDBACK: Final = "user_feedback"
RATING: Final = "user_feedback_rating"
COMMENT: Final = "user_feedback_comment"
CATEGORY: Final = "user_feedback_category"
TIMESTAMP: Final = "user_feedback_timestamp"
REASON: Final = "feedback_reason"
STATUS: Final = "annotation_status"
NAMES: Final = (FEEDBACK, RATING, COMMENT, CATEGORY, TIMESTAMP, REASON, STATUS)
TAXONOMIES: Final = (REASON, CATEGORY)
"""Attributes whose words a workspace may control: see `taxonomies`."""
THUMBS: Final = "thumbs"
UP: Final = ("thumbs-up", "thumbs_up")
DOWN: Final = ("thumbs-down", "thumbs_down")
TAGS: Final = (*UP, *DOWN)
EMPTY, FILLED = "empty", "filled"

MAX_VALUE = 1_000  # characters of a word; the run keeps the whole
_SPACE = UUID("6f62736e-6174-8472-a962-757465730000")


def _words(**labels: float) -> dict[str, Any]:
    categories = [{"value": value, "label": label} for label, value in labels.items()]
    return {"type": "categorical", "min": None, "max": None, "categories": categories}


SCALES: Final[dict[str, dict[str, Any]]] = {
    FEEDBACK: _words(negative=0, positive=1),
    RATING: {"type": "continuous", "min": 1, "max": 5, "categories": None},
    STATUS: _words(empty=0, filled=1),
    THUMBS: {"type": "continuous", "min": 0, "max": 1, "categories": None},
}
"""What each says by itself; a scale that the workspace declares for the key goes first."""
_SCORES = {"positive": 1.0, "negative": 0.0}


@dataclass(frozen=True, kw_only=True)
class AttributeFeedback:
    """One feedback in a run's attributes, under `key`.

    `is_odd`: the value is of the wrong kind (a rating that is a word, an invalid time). `given_at`
    is when the user gave it, if the run has the time.
    """

    key: str
    score: float | None = None
    value: Any = None
    comment: str | None = None
    given_at: datetime | None = None
    is_odd: bool = False


def feedback_id(workspace: UUID, run_id: UUID, key: str) -> UUID:
    """Return the id of the feedback row of the attribute `key` of a run."""
    return uuid5(_SPACE, f"{workspace}/{run_id}/{key}")


def feedback_in(metadata: Mapping[str, Any], tags: Collection[str]) -> list[AttributeFeedback]:
    """Return the feedback in a run's attributes, one per key.

    Null and "" are ignored. A run with both a thumbs-up and a thumbs-down tag is judged down:
    it should not be overlooked.
    """
    given_at = _moment(metadata.get(TIMESTAMP))
    ratings = [
        _one(name, metadata[name], given_at)
        for name in NAMES
        if metadata.get(name) is not None and metadata[name] != ""
    ]
    if any(tag in DOWN for tag in tags):
        ratings.append(AttributeFeedback(key=THUMBS, score=0.0, given_at=given_at))
    elif any(tag in UP for tag in tags):
        ratings.append(AttributeFeedback(key=THUMBS, score=1.0, given_at=given_at))
    return ratings


def _one(name: str, raw: Any, given_at: datetime | None) -> AttributeFeedback:
    if name == RATING:
        score = _number(raw)
        if score is None:
            return AttributeFeedback(key=name, value=_word(raw), given_at=given_at, is_odd=True)
        return AttributeFeedback(key=name, score=score, given_at=given_at)
    if name == COMMENT:
        text = raw if isinstance(raw, str) else str(_word(raw))
        return AttributeFeedback(key=name, comment=_cut(text), given_at=given_at)
    word = _word(raw)
    if name == FEEDBACK:
        score = _SCORES.get(word.strip().lower()) if isinstance(word, str) else None
        return AttributeFeedback(key=name, score=score, value=word, given_at=given_at)
    if name == TIMESTAMP:
        return AttributeFeedback(key=name, value=word, given_at=given_at, is_odd=given_at is None)
    return AttributeFeedback(
        key=name, value=str(word), given_at=None if name == STATUS else given_at
    )


def _word(raw: Any) -> Any:
    """Return a value as feedback stores it; the SDKs cannot read lists."""
    if isinstance(raw, (dict, list)):
        return clean_text(str(raw))[:MAX_VALUE]
    return clean_text(raw)[:MAX_VALUE] if isinstance(raw, str) else raw


def _number(raw: Any) -> float | None:
    """Return a rating, also one sent as text, or None if it is not a finite number."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        return None
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= judgement.MAX_SCORE else None


def _moment(raw: Any) -> datetime | None:
    try:
        return judgement.parse_time(TIMESTAMP, raw)
    except InvalidFeedback:
        return None


def _cut(text: str) -> str:
    """Return `text` cut at MAX_COMMENT bytes of UTF-8, between two characters."""
    return clean_text(text).encode()[:MAX_COMMENT].decode(errors="ignore")


def words_of(attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, word) of the attributes whose words a workspace may restrict."""
    for name in TAXONOMIES:
        if attributes.get(name) not in (None, ""):
            yield name, str(_word(attributes[name]))
