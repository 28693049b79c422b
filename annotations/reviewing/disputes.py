"""Arithmetic: the answers in which the reviewers of one item differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from annotations.reviewing import corrections

CORRECTION = "correction"


class Reviewed(Protocol):
    """The fields of a review that this module reads."""

    @property
    def scores(self) -> Mapping[str, Any]: ...
    @property
    def correction(self) -> Any: ...


def differing(reviews: Iterable[Reviewed]) -> list[str]:
    """Return the feedback keys whose answers differ, and CORRECTION if the corrections do.

    Only answers with a number count: two free texts are never the same, and a reviewer who cannot
    judge or did not see the question gives no answer. A review without a correction does not
    disagree with one, so two corrections must differ.
    """
    scores_by_key: dict[str, list[float]] = {}
    corrected: list[Any] = []
    for review in reviews:
        for key, answer in review.scores.items():
            score = answer.get("score") if isinstance(answer, Mapping) else None
            if isinstance(score, int | float):
                scores_by_key.setdefault(key, []).append(score)
        if review.correction is not None:
            corrected.append(outputs_of(review.correction))
    keys = [
        key
        for key, scores in scores_by_key.items()
        if any(other_score != scores[0] for other_score in scores)
    ]
    if any(corrections.differs(corrected[0], other_score) for other_score in corrected):
        keys.append(CORRECTION)
    return keys


def outputs_of(correction: Any) -> Any:
    """Return the corrected outputs: a correction is `{"outputs": ...}`."""
    return correction.get("outputs") if isinstance(correction, Mapping) else correction
