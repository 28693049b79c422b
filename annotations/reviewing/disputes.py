"""Arithmetic: on what the reviewers of one item differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from annotations.reviewing import corrections

CORRECTION = "correction"


class Reviewed(Protocol):
    """What this module reads of a review."""

    @property
    def scores(self) -> Mapping[str, Any]: ...
    @property
    def correction(self) -> Any: ...


def differing(reviews: Iterable[Reviewed]) -> list[str]:
    """Return the feedback keys whose answers differ, and CORRECTION if the corrections do.

    Only answers with a number count: two free texts are never the same, and a reviewer who
    cannot judge or was not asked gives no answer. One who corrects nothing does not say how to
    correct it either, so two corrections must differ.
    """
    given: dict[str, list[float]] = {}
    corrected: list[Any] = []
    for review in reviews:
        for key, answer in review.scores.items():
            score = answer.get("score") if isinstance(answer, Mapping) else None
            if isinstance(score, int | float):
                given.setdefault(key, []).append(score)
        if review.correction is not None:
            corrected.append(outputs_of(review.correction))
    found = [key for key, scores in given.items() if any(one != scores[0] for one in scores)]
    if any(corrections.differs(corrected[0], one) for one in corrected):
        found.append(CORRECTION)
    return found


def outputs_of(correction: Any) -> Any:
    """Return the corrected outputs: a correction is `{"outputs": ...}`."""
    return correction.get("outputs") if isinstance(correction, Mapping) else correction
