"""Arithmetic: check that answers are complete and on their scales, and convert them to numbers.

An answer is an object under its question's feedback key: `score` or `value`, as its kind reads them
(see question_kinds), `comment`, and instead of an answer `cant_judge` (true, or the reason as
text): an explicit null, which satisfies a required question and counts as missing in agreement.

A bare number, text or boolean is the answer itself. Null, and an object without an answer, is no
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from annotations import question_kinds
from annotations.question_kinds import MAX_TEXT, Complaint, Rated, kind_of
from annotations.queues import question_conditions

__all__ = ["MAX_TEXT", "Question", "Rated", "check", "rate", "scale_of", "settle"]


class Question(question_kinds.Question, Protocol):
    """The fields of a rubric item that this module reads."""

    @property
    def feedback_key(self) -> str: ...
    @property
    def is_required(self) -> bool: ...
    @property
    def extra(self) -> Mapping[str, Any] | None: ...


def check(questions: Iterable[Question], scores: Mapping[str, Any]) -> dict[str, str]:
    """Return the complaints about `scores`, by feedback key; empty when they can be submitted."""
    return settle(questions, scores)[1]


def settle(
    questions: Iterable[Question], scores: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the answers in canonical form, in the order of the questions, and complaints.

    Canonical: categorical `{"score": number, "value": label}`, boolean `{"score": 0.0 | 1.0}`,
    continuous `{"score": number}`, freeform `{"value": text}`, can't judge `{"score": None,
    "value": None, "cant_judge": reason}`; each with `comment` if there is one. Settling canonical
    answers again changes nothing. Answers to a question that its condition hides are dropped
    without a complaint.
    """
    answers: dict[str, dict[str, Any]] = {}
    complaints: dict[str, str] = {}
    rubric = {question.feedback_key: question for question in questions}
    for key, question in rubric.items():
        try:
            answer = _settle_one(question, scores.get(key))
        except Complaint as complaint:
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
    return None if score is None else kind_of(question).rate(question, score)


def scale_of(question: Question) -> dict[str, Any]:
    """Return the scale of a question as a feedback config, with its level of measurement."""
    return kind_of(question).scale(question)


def _settle_one(question: Question, raw: Any) -> dict[str, Any] | None:
    kind, members = kind_of(question), _as_object(raw)
    comment = question_kinds.clean(members.get("comment"), "The comment")
    extra = {"comment": comment} if comment else {}
    if members.get("cant_judge") not in (None, False):
        reason = members["cant_judge"]
        reason = "" if reason is True else question_kinds.clean(reason, "The reason")
        return {"score": None, "value": None, "cant_judge": reason, **extra}
    if members.get("score") is None and members.get("value") in (None, ""):
        if comment and not kind.is_text:
            raise Complaint("A comment needs an answer, or say that you can't judge.")
        return None
    answer = kind.read(question, members.get("score"), members.get("value"))
    if answer is None:
        return None
    if kind.is_text and (words := question_conditions.mismatch(question.extra, answer["value"])):
        raise Complaint(words)
    return {**answer, **extra}


def _as_object(raw: Any) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if isinstance(raw, Mapping):
        return raw
    if isinstance(raw, bool | str):
        return {"value": raw}
    if isinstance(raw, int | float):
        return {"score": raw}
    raise Complaint("This is not an answer.")
