"""Arithmetic: when a question is visible, when required, and what its text must match.

A condition is the wire's `{join: all|any, rules: [{key, op, values}]}`. A rule reads the score of
another question of the rubric: `is` one number, `is_one_of` several, `is_empty`, `is_not_empty`. A
hidden question, an answer of "can't judge" and no answer are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from annotations.question_kinds import KINDS
from observatory import patterns

JOINS = ("all", "any")
OPS = ("is", "is_one_of", "is_empty", "is_not_empty")
MAX_RULES = 50
FIELDS = ("visible_if", "required_if")


class InvalidCondition(ValueError):
    """A condition or pattern that cannot be stored; `field` is its place in the question."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Question(Protocol):
    """The fields of a rubric item that this module reads. `extra` holds the conditions, if any."""

    @property
    def feedback_key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def is_required(self) -> bool: ...
    @property
    def extra(self) -> Mapping[str, Any] | None: ...


# Reading ----------------------------------------------------------------------------------------


def parse(field: str, raw: Any) -> dict[str, Any] | None:
    """Return a condition with every part checked, None for null. Raises InvalidCondition."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise InvalidCondition(field, "must be an object with join and rules")
    join, rules = raw.get("join"), raw.get("rules")
    if join not in JOINS:
        raise InvalidCondition(f"{field}.join", "must be all or any")
    if not isinstance(rules, list) or not 1 <= len(rules) <= MAX_RULES:
        raise InvalidCondition(f"{field}.rules", f"must be an array of 1 to {MAX_RULES} rules")
    read = [_rule(f"{field}.rules.{position}", rule) for position, rule in enumerate(rules)]
    return {"join": join, "rules": read}


def _rule(field: str, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise InvalidCondition(field, "must be an object with key, op and values")
    key, op, values = raw.get("key"), raw.get("op"), raw.get("values")
    if not isinstance(key, str) or not key:
        raise InvalidCondition(f"{field}.key", "is missing")
    if op not in OPS:
        raise InvalidCondition(f"{field}.op", f"must be one of {', '.join(OPS)}")
    if op in {"is_empty", "is_not_empty"}:
        return {"key": key, "op": op}
    is_read = isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    if not is_read or not values:
        raise InvalidCondition(f"{field}.values", f"{op} needs an array of numbers")
    if op == "is" and len(values) != 1:
        raise InvalidCondition(f"{field}.values", "is compares with one number; use is_one_of")
    return {"key": key, "op": op, "values": list(values)}


def parse_pattern(raw: Any, kind: str, field: str = "regex_validator") -> str | None:
    """Return a pattern that answers of a question of `kind` must contain a match of.

    Raises InvalidCondition: not a text, not a pattern that `patterns` can run, or not on free text.
    """
    if raw is None or raw == "":
        return None
    if not isinstance(raw, str):
        raise InvalidCondition(field, "must be a text")
    if kind not in KINDS or not KINDS[kind].is_text:
        raise InvalidCondition(field, "only a freeform question can have one")
    try:
        patterns.compiled(raw)
    except patterns.BadPattern as error:
        raise InvalidCondition(field, str(error)) from None
    return raw


def check(questions: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Check that the conditions of a rubric, as (key, extra), name its questions and have no cycle.

    Raises InvalidCondition, its field beginning with the position, for a key without a question,
    and for questions that are visible only if each other are.
    """
    rubric = list(questions)
    places = {key: position for position, (key, _) in enumerate(rubric)}
    waits: dict[str, set[str]] = {}
    for position, (key, extra) in enumerate(rubric):
        for name in FIELDS:
            for number, rule in enumerate((extra.get(name) or {}).get("rules", [])):
                field = f"{position}.{name}.rules.{number}.key"
                if rule["key"] not in places:
                    raise InvalidCondition(field, f"no question of the rubric is {rule['key']!r}")
                if rule["key"] == key:
                    raise InvalidCondition(field, "a question cannot depend on itself")
                if name == "visible_if":
                    waits.setdefault(key, set()).add(rule["key"])
    while free := [key for key in waits if not waits[key] & waits.keys()]:
        for key in free:
            del waits[key]
    if waits:
        position = min(places[key] for key in waits)
        raise InvalidCondition(f"{position}.visible_if", "the conditions go in a circle")


# Asking -----------------------------------------------------------------------------------------


def asked(
    questions: Iterable[Question], answers: Mapping[str, Mapping[str, Any]]
) -> tuple[set[str], set[str]]:
    """Return the keys that are visible under canonical `answers`, and those that need an answer."""
    by_key = {question.feedback_key: question for question in questions}
    known: dict[str, bool] = {}

    def is_visible(key: str) -> bool:
        if key not in known:
            known[key] = (
                False  # a cycle, stored before they were rejected: its questions stay hidden
            )
            condition = (by_key[key].extra or {}).get("visible_if")
            known[key] = condition is None or holds(condition, answer_of)
        return known[key]

    def answer_of(key: str) -> Mapping[str, Any] | None:
        return answers.get(key) if key in by_key and is_visible(key) else None

    visible = {key for key in by_key if is_visible(key)}
    required = set()
    for key in visible:
        condition = (by_key[key].extra or {}).get("required_if")
        if by_key[key].is_required or (condition is not None and holds(condition, answer_of)):
            required.add(key)
    return visible, required


def holds(
    condition: Mapping[str, Any], answer_of: Callable[[str], Mapping[str, Any] | None]
) -> bool:
    """Return whether a condition holds; `answer_of` returns the answer of a key, None for none."""
    results = [_holds(rule, answer_of(rule["key"])) for rule in condition["rules"]]
    return all(results) if condition["join"] == "all" else any(results)


def _holds(rule: Mapping[str, Any], answer: Mapping[str, Any] | None) -> bool:
    score = (answer or {}).get("score")
    chosen = (answer or {}).get("scores") or ([] if score is None else [score])
    is_empty = not chosen and not (answer or {}).get("value")
    if rule["op"] == "is_empty":
        return is_empty
    if rule["op"] == "is_not_empty":
        return not is_empty
    return any(number in rule["values"] for number in chosen)


def mismatch(extra: Mapping[str, Any] | None, text: str) -> str | None:
    """Return why `text` does not match the question's pattern, None when it does or has none."""
    pattern = (extra or {}).get("regex_validator")
    if not pattern:
        return None
    try:
        is_match = patterns.compiled(pattern).occurs_in(text)
    except patterns.TooSlow as error:
        return str(error)
    except patterns.BadPattern:  # stored before patterns were checked: no answer can match it
        return None
    return None if is_match else f"The answer must match {pattern}"
