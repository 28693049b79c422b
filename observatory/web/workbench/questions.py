"""The rubric as the form draws it: each question with its choices and its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotations.models import QueueItem, RubricItem
from annotations.question_kinds import kind_of
from annotations.queues import question_conditions
from observatory import exact
from observatory.web.workbench import pairs
from observatory.web.workbench.forms import Typed

NUMBER_KEYS = 9


def drawn(
    questions: Sequence[RubricItem], item: QueueItem, typed: Typed, complaints: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the context of annotations/_question.html, a mapping per question.

    It depends on nothing else, so the page may cache the drawn questions by these four.
    """
    names = {question.feedback_key: str(question) for question in questions}
    return [
        _question(question, item, typed, complaints, number, names)
        for number, question in enumerate(questions, start=1)
    ]


def _question(
    question: RubricItem,
    item: QueueItem,
    typed: Typed,
    complaints: Mapping[str, str],
    number: int,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return a rubric question with its choices and its input."""
    kind = kind_of(question)
    answer = typed.scores.get(question.feedback_key)
    values: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    score, value = values.get("score"), values.get("value")
    choices = []
    for key, worth, label, note in _choices(question, item):
        choices.append(
            {
                "key": key,
                "value": worth,
                "label": label,
                "note": note,
                "is_chosen": _same(score, worth) or (score is None and value == label),
            }
        )
    return {
        "row": question,
        "input": kind.input,
        "template": f"annotations/answers/{kind.input}.html",
        "has_comment": not kind.is_text,
        "number": number,
        "name": f"answer-{question.pk}",
        "choices": choices,
        "has_notes": any(choice["note"] for choice in choices),
        "text": value if value is not None else "" if score is None else score,
        "score": exact.digits_of(score) if isinstance(score, int | float) else score or "",
        "comment": values.get("comment") or "",
        "cant_judge": "cant_judge" in values,
        "error": complaints.get(question.feedback_key, ""),
        **_conditions(question, names),
    }


_JOINED = {"all": " and ", "any": " or "}
_SAID = {"is_empty": "is not answered", "is_not_empty": "is answered"}


def _conditions(question: RubricItem, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the question's conditions as the script reads them, and in words, and its pattern."""
    conditions: dict[str, Any] = {"pattern": question.extra.get("regex_validator") or ""}
    for name in question_conditions.FIELDS:
        condition = question.extra.get(name)
        conditions[name] = exact.dumps(condition).decode() if condition else ""
        conditions[f"{name}_words"] = _words(condition, names) if condition else ""
    return conditions


def _words(condition: Mapping[str, Any], names: Mapping[str, str]) -> str:
    parts = []
    for rule in condition["rules"]:
        values = " or ".join(exact.digits_of(value) for value in rule.get("values", ()))
        operator = _SAID.get(rule["op"]) or f"is {values}"
        parts.append(f"{names.get(rule['key'], rule['key'])} {operator}")
    return _JOINED[condition["join"]].join(parts)


def _choices(question: RubricItem, item: QueueItem) -> list[tuple[str, str, str, str]]:
    """Return (key, number sent, label, description) of each choice; none for a number or text."""
    kind = kind_of(question)
    if item.is_pair and kind.has_categories:
        return pairs.choices(item)
    return [
        (str(n) if n <= NUMBER_KEYS else "", choice.value, choice.label, choice.description)
        for n, choice in enumerate(kind.choices(question), start=1)
    ]


def _same(score: Any, worth: str) -> bool:
    if score is None or score == "":
        return False
    try:
        return float(score) == float(worth)
    except (TypeError, ValueError):
        return False
