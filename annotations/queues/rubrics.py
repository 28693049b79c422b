"""Arithmetic: are these answers complete and on their scales, and what are they in numbers.

An answer is an object under its question's feedback key:

- categorical: `score` (the category's number) or `value` (its label), or both if they agree;
- boolean: `score` 0 or 1, or `value` true or false;
- continuous: `score`, a finite number within the bounds;
- freeform: `value`, a text;
- any of them: `comment`, and instead of an answer `cant_judge` (true, or the reason as text):
  an explicit null, which satisfies a required question and counts as missing in agreement.

A bare number, text or boolean stands for the answer itself. Null, and an object that answers
nothing, is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from annotations.queues import question_conditions
from observatory.exact import digits_of

MAX_TEXT = 20_000  # characters of a free answer, a comment or a reason


class Question(Protocol):
    """What this module reads of a rubric item."""

    @property
    def feedback_key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def categories(self) -> Any: ...
    @property
    def minimum(self) -> float | None: ...
    @property
    def maximum(self) -> float | None: ...
    @property
    def is_required(self) -> bool: ...
    @property
    def extra(self) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True)
class Rated:
    """An answer in numbers: place on the declared scale (0-based), or a number."""

    code: int | None = None
    number: float | None = None


class _Complaint(ValueError):
    """Why an answer cannot be taken, for the person who gave it."""


def check(questions: Iterable[Question], scores: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with `scores`, by feedback key; empty when they can be submitted."""
    return settle(questions, scores)[1]


def settle(
    questions: Iterable[Question], scores: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the answers in one canonical form, in the order of the questions, and complaints.

    Canonical: categorical `{"score": number, "value": label}`, boolean `{"score": 0.0 | 1.0}`,
    continuous `{"score": number}`, freeform `{"value": text}`, can't judge `{"score": None,
    "value": None, "cant_judge": reason}`; each with `comment` if there is one. Settling
    canonical answers again changes nothing. A question that its condition hides is not asked:
    what was sent for it is dropped, and no complaint.
    """
    answers: dict[str, dict[str, Any]] = {}
    complaints: dict[str, str] = {}
    rubric = {question.feedback_key: question for question in questions}
    for key, question in rubric.items():
        try:
            answer = _settle_one(question, scores.get(key))
        except _Complaint as complaint:
            complaints[key] = str(complaint)
            continue
        if answer is not None:
            answers[key] = answer
    visible, required = question_conditions.asked(rubric.values(), answers)
    for key in rubric.keys() - visible:
        answers.pop(key, None)
        complaints.pop(key, None)
    for key in rubric:
        if key in required and key not in answers and key not in complaints:
            complaints[key] = "An answer is needed."
    for key in scores:
        if key not in rubric:
            complaints[key] = "This question is not in the rubric."
    return answers, complaints


def rate(question: Question, answer: Mapping[str, Any]) -> Rated | None:
    """Return a canonical answer in numbers; None if it has none (free text, can't judge)."""
    score = answer.get("score")
    if score is None:
        return None
    if question.kind == "continuous":
        return Rated(number=score)
    if question.kind == "boolean":
        return Rated(code=int(score))
    if question.kind == "categorical":
        places = [number for number, _ in _categories(question)]
        return Rated(code=places.index(score)) if score in places else None
    return None


def scale_of(question: Question) -> dict[str, Any]:
    """Return the scale of a question as a feedback config, with its level of measurement."""
    if question.kind == "freeform":
        return {"type": "freeform"}
    if question.kind == "continuous":
        bounds = {"min": question.minimum, "max": question.maximum}
        return {"type": "continuous", **bounds, "level": question.level}
    pairs: list[tuple[float, str | None]] = _categories(question)
    if question.kind == "boolean":
        labels = [label for _, label in pairs] if len(pairs) == 2 else ["No", "Yes"]
        pairs = list(zip((0.0, 1.0), labels, strict=True))
    return {
        "type": "categorical",
        "categories": [{"value": number, "label": label} for number, label in pairs],
        "level": question.level,
    }


def _settle_one(question: Question, sent: Any) -> dict[str, Any] | None:
    given = _as_object(sent)
    comment = _text(given.get("comment"), "The comment")
    extra = {"comment": comment} if comment else {}
    if given.get("cant_judge") not in (None, False):
        reason = given["cant_judge"]
        reason = "" if reason is True else _text(reason, "The reason")
        return {"score": None, "value": None, "cant_judge": reason, **extra}
    if given.get("score") is None and given.get("value") in (None, ""):
        if comment and question.kind != "freeform":
            raise _Complaint("A comment needs an answer, or say that you can't judge.")
        return None
    read = {
        "categorical": _read_category,
        "boolean": _read_boolean,
        "continuous": _read_number,
        "freeform": _read_text,
    }[question.kind]
    answer = read(question, given.get("score"), given.get("value"))
    return None if answer is None else {**answer, **extra}


def _as_object(sent: Any) -> Mapping[str, Any]:
    if sent is None:
        return {}
    if isinstance(sent, Mapping):
        return sent
    if isinstance(sent, bool | str):
        return {"value": sent}
    if isinstance(sent, int | float):
        return {"score": sent}
    raise _Complaint("This is not an answer.")


def _text(sent: Any, what: str) -> str:
    if sent is None:
        return ""
    if not isinstance(sent, str):
        raise _Complaint(f"{what} must be a text.")
    if len(sent) > MAX_TEXT:
        raise _Complaint(f"{what} is longer than {MAX_TEXT:,} characters.")
    return sent.strip()


def _categories(question: Question) -> list[tuple[float, str | None]]:
    """Return (number, label) of each category, in order; one without a number has its place."""
    pairs = []
    for place, category in enumerate(question.categories or []):
        number = category.get("value")
        label = category.get("label")
        pairs.append((float(place if number is None else number), label))
    return pairs


def _finite(sent: Any) -> float | None:
    """Return `sent` as a number if it is one, or a text of one; booleans are not."""
    if isinstance(sent, bool) or not isinstance(sent, int | float | str):
        return None
    try:
        number = float(sent)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _read_category(question: Question, score: Any, value: Any) -> dict[str, Any]:
    pairs = _categories(question)
    by_label = [pair for pair in pairs if value is not None and pair[1] == value]
    if score is None and not by_label:
        score, value = value, None  # a number where the label may stand
    chosen = by_label
    if score is not None:
        number = _finite(score)
        chosen = [pair for pair in pairs if pair[0] == number]
        if value not in (None, "") and value != number and by_label != chosen:
            raise _Complaint("The number and the label name different answers.")
    if not chosen:
        labels = ", ".join(label or digits_of(number) for number, label in pairs)
        raise _Complaint(f"Choose one of: {labels}.")
    number, label = chosen[0]
    return {"score": number, "value": label}


_TRUE, _FALSE = {"true", "yes", "1", "1.0"}, {"false", "no", "0", "0.0"}


def _read_boolean(question: Question, score: Any, value: Any) -> dict[str, Any]:
    said = {str(sent).lower() for sent in (score, value) if sent is not None and sent != ""}
    if said and said <= _TRUE:
        return {"score": 1.0}
    if said and said <= _FALSE:
        return {"score": 0.0}
    raise _Complaint("Answer yes or no.")


def _bounds(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return " ".join(
            f"of {words} {digits_of(bound)}"
            for words, bound in (("at least", low), ("at most", high))
            if bound is not None
        )
    return f"from {digits_of(low)} to {digits_of(high)}"


def _read_number(question: Question, score: Any, value: Any) -> dict[str, Any]:
    number = _finite(value if score is None else score)
    # As doubles: a frozen rubric reads 1e308 back as an integer, which is less than the double.
    low, high = _finite(question.minimum), _finite(question.maximum)
    if number is None:
        raise _Complaint("Give a number.")
    if (low is not None and number < low) or (high is not None and number > high):
        raise _Complaint(f"Give a number {_bounds(low, high)}.")
    return {"score": number}


def _read_text(question: Question, score: Any, value: Any) -> dict[str, Any] | None:
    text = _text(value, "The answer")
    if text and (words := question_conditions.mismatch(question.extra, text)):
        raise _Complaint(words)
    return {"value": text} if text else None
