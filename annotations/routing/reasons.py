"""Arithmetic: why a rule matched a run, in words.

A decision keeps every clause of the filter that matched. Most are only context: that the run is a
root, the key of a value, or the scale of a confidence. The reason is the clause that decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CONFIDENCE = "confidence"
KEY_FIELDS = ("feedback_key", "metadata_key", "input_key", "output_key")
MAX_VALUE = 60  # characters of a value
_BOUNDS = {"lt": "below", "lte": "at most", "gt": "above", "gte": "at least"}
_SIGNS = {"eq": "=", "neq": "is not", "has": "has"}

Clause = Mapping[str, Any]


def said(clauses: Sequence[Clause]) -> str:
    """Return the clause that decided, e.g. "confidence 56 %, below 70 %"; "" if none is specific.

    Of several bounds on a value it is the nearest. A key alone means that the run has it.
    """
    named = list(_named(clauses))
    bounds = [(name, clause) for name, clause in named if _distance(clause) is not None]
    if bounds:
        name = bounds[0][0]
        return _bound(name, _deciding([clause for other, clause in bounds if other == name]))
    for name, clause in named:
        return _phrase(name, clause)
    for clause in clauses:
        if clause.get("field") in KEY_FIELDS:
            family = str(clause["field"]).removesuffix("_key")
            return f"has {family} {clause.get('actual', '')}"
    return ""


def _named(clauses: Sequence[Clause]) -> Iterator[tuple[str, Clause]]:
    """Yield the clauses on values with the name of each: a key names the value after it."""
    key, family = "", ""
    for clause in clauses:
        field = str(clause.get("field", ""))
        if field in KEY_FIELDS:
            key, family = str(clause.get("actual", "")), field.removesuffix("key")
        elif field != "is_root":
            name = key if family and field.startswith(family) else field
            yield name.removeprefix("metadata."), clause


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _distance(clause: Clause) -> float | None:
    """Return how far the value is from the bound of a clause with one."""
    actual, expected = _number(clause.get("actual")), _number(clause.get("expected"))
    if clause.get("operator") not in _BOUNDS or actual is None or expected is None:
        return None
    return abs(actual - expected)


def _deciding(clauses: Sequence[Clause]) -> Clause:
    """Return the nearest of several bounds, without the one that only identifies a percentage."""
    telling = [
        clause
        for clause in clauses
        if not (clause.get("operator") == "gt" and _number(clause.get("expected")) == 1)
    ]
    return min(telling or clauses, key=lambda clause: _distance(clause) or 0.0)


def _bound(name: str, clause: Clause) -> str:
    words = _BOUNDS[str(clause["operator"])]
    actual, expected = clause.get("actual"), clause.get("expected")
    if name == CONFIDENCE:
        numbers = [_number(actual) or 0.0, _number(expected) or 0.0]
        times = 1 if max(numbers) > 1 else 100  # above 1 it is in per cent already
        actual, expected = (f"{round(number * times, 2):g} %" for number in numbers)
    return f"{name} {_cut(actual)}, {words} {_cut(expected)}"


def _phrase(name: str, clause: Clause) -> str:
    operator = str(clause.get("operator", ""))
    actual, expected = _cut(clause.get("actual", "")), clause.get("expected")
    if operator == "search":
        return f"{name} mention {expected}"
    if operator == "eq" and str(expected) == str(clause.get("actual", "")):
        return f"{name} = {actual}"
    return f"{name} {actual} {_SIGNS.get(operator, _BOUNDS.get(operator, operator))} {expected}"


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}..."
