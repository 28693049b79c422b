"""Evaluate a filter on one run in Python: does it match, and which clauses explain why.

It gives the answer of compile.py's SQL (a hypothesis test holds both to it). A comparison with a
missing value is false, and `not(..)` of it is true. Case is folded letter by letter, as PostgreSQL
does under C.UTF-8; a server with another locale may fold letters beyond ASCII otherwise.
Arithmetic: no Django, no clock, no database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from observatory import patterns
from observatory.runs.filters.fields import SEARCHED, Kind, is_numeric, typed
from observatory.runs.filters.grammar import And, Node, Not, Or, Term, unparse
from observatory.runs.filters.pairing import Either, Every, Neither, NoRow, Plan, Rows, plan

EXCERPT = 40  # characters on each side of the match
SHOWN = 200  # characters of a long value
_MANY = 5


@dataclass(frozen=True)
class Facts:
    """One run as plain values. `metadata`, `inputs`, `outputs` are JSON text or None.

    `feedback` holds the run's feedback that is not comparative, each with the keys key, score,
    value (JSON text), comment and source.
    """

    id: UUID
    trace_id: UUID
    name: str | None = None
    run_type: str | None = None
    status: str | None = None
    error: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    first_token_time: datetime | None = None
    latency: float | None = None
    first_token_latency: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_cost: Decimal | None = None
    completion_cost: Decimal | None = None
    total_cost: Decimal | None = None
    parent_run_id: UUID | None = None
    session_id: UUID | None = None
    thread_id: str | None = None
    reference_example_id: UUID | None = None
    tags: Sequence[str] | None = None
    metadata: str | None = None
    inputs: str | None = None
    outputs: str | None = None
    feedback: Sequence[Mapping[str, Any]] = ()

    @property
    def is_root(self) -> bool:
        return self.parent_run_id is None

    @property
    def execution_order(self) -> int:
        return 1 if self.parent_run_id is None else 2

    @property
    def reference_example(self) -> UUID | None:
        return self.reference_example_id

    @cached_property
    def documents(self) -> Mapping[str, Any]:
        return {name: _loads(getattr(self, name)) for name in ("metadata", "inputs", "outputs")}

    @cached_property
    def rows(self) -> Mapping[str, list[dict[str, Any]]]:
        """Return, per family, its rows as {field name: value}."""
        return {
            "metadata": [
                {"metadata_key": key, "metadata_value": value}
                for key, value in _members(self.documents["metadata"])
            ],
            "input": [
                {"input_key": key, "input_value": value}
                for key, value in _paths(self.documents["inputs"])
            ],
            "output": [
                {"output_key": key, "output_value": value}
                for key, value in _paths(self.documents["outputs"])
            ],
            "feedback": [
                {
                    "feedback_key": judged["key"],
                    "feedback_score": judged["score"],
                    "feedback_value": _loads(judged["value"]),
                    "feedback_comment": judged["comment"],
                    "feedback_source": judged["source"],
                }
                for judged in self.feedback
            ],
        }


@dataclass(frozen=True)
class Clause:
    """A part of the filter that matched: its text, and the run's value. Plain JSON."""

    text: str
    field: str
    operator: str
    expected: Any
    actual: Any = attribute(default=None)

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "field": self.field,
            "operator": self.operator,
            "expected": self.expected,
            "actual": self.actual,
        }


def matches(node: Node, facts: Facts) -> bool:
    """Return whether the run satisfies `node`: what compile.where answers for its row."""
    return _holds(plan(node), facts)


def clauses(node: Node, facts: Facts) -> list[Clause]:
    """Return the clauses that matched, with the run's actual values, in the filter's order.

    Of or(..) only the branches that matched are included; a not(..) is one clause. Empty when the
    filter does not match.
    """
    planned = plan(node)
    return list(_clauses(planned, facts)) if _holds(planned, facts) else []


def _holds(node: Plan, facts: Facts) -> bool:
    if isinstance(node, Rows):
        return _row(node, facts) is not None
    if isinstance(node, NoRow):
        return _row(Rows(node.family, (node.eq,)), facts) is None
    if isinstance(node, Every):
        return all(_holds(arg, facts) for arg in node.args)
    if isinstance(node, Either):
        return any(_holds(arg, facts) for arg in node.args)
    if isinstance(node, Neither):
        return not _holds(node.arg, facts)
    if node.field is None:
        return any(_found_in(name, facts, str(node.value)) is not None for name in SEARCHED)
    return _term(node, _value(node.field, facts), facts)


def _row(rows: Rows, facts: Facts) -> Mapping[str, Any] | None:
    """Return the first row of the family that satisfies every term."""
    for row in facts.rows[rows.family]:
        if all(_term(term, row[str(term.field)], facts) for term in rows.terms):
            return row
    return None


def _value(name: str, facts: Facts) -> Any:
    return facts.documents[name] if name in facts.documents else getattr(facts, name)


def _term(term: Term, actual: Any, facts: Facts) -> bool:
    field = term.spec
    assert field is not None
    value = typed(field, term.operator, term.value)
    if field.kind is Kind.TAGS:
        return _tags(term.operator, value, actual or ())
    if field.kind is Kind.DOCUMENT:
        return _document(term.operator, value, field.name, facts)
    if value is None:
        return (actual is None) == (term.operator == "eq")
    if actual is None:
        return False
    if field.kind is Kind.JSON:
        return _json(term.operator, value, actual)
    if field.name == "feedback_score":
        value = [float(item) for item in value] if term.operator == "in" else float(value)
    return _compare(term.operator, actual, value)


def _compare(operator: str, actual: Any, value: Any) -> bool:
    match operator:
        case "eq":
            return bool(actual == value)
        case "neq":
            return bool(actual != value)
        case "gt":
            return bool(actual > value)
        case "gte":
            return bool(actual >= value)
        case "lt":
            return bool(actual < value)
        case "lte":
            return bool(actual <= value)
        case "in":
            return actual in value
        case "like":
            return patterns.like(value)(actual)
    return _folded(value) in _folded(actual)


def _tags(operator: str, value: Any, tags: Sequence[str]) -> bool:
    if value is None:
        return (not tags) == (operator == "eq")
    if operator in {"has", "exists", "eq"}:
        return value in tags
    if operator == "neq":
        return value not in tags
    return any(_compare(operator, tag, value) for tag in tags)


def _document(operator: str, value: Any, name: str, facts: Facts) -> bool:
    if value is None:
        return (getattr(facts, name) is None) == (operator == "eq")
    if operator == "search":
        return _found_in(name, facts, value) is not None
    document = facts.documents[name]
    if operator == "has":
        return isinstance(document, dict) and _contains(document, value)
    pairs = _members(document) if name == "metadata" else _paths(document)
    return any(key == value for key, _ in pairs)


def _json(operator: str, value: Any, actual: Any) -> bool:
    if operator == "in":
        return any(_json("eq", item, actual) for item in value)
    if operator == "neq":
        return not _json("eq", value, actual)
    if isinstance(value, Decimal):
        number = _number(actual)
        return number is not None and _compare(operator, number, value)
    if isinstance(value, bool):
        value = "true" if value else "false"
    return _compare(operator, _text(actual), value)


def _number(value: Any) -> Decimal | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return Decimal(value) if is_numeric(value) else None
    return value if isinstance(value, (int, Decimal)) else None


def _found_in(name: str, facts: Facts, text: str) -> str | None:
    """Return the text of field `name` that contains `text`, or None."""
    stored = getattr(facts, name)
    if stored is None:
        return None
    if name in {"name", "error"}:
        return str(stored) if _folded(text) in _folded(stored) else None
    folded = _folded(json.dumps(text, ensure_ascii=False)[1:-1])
    if folded in _folded(stored):
        return str(stored)
    if "\\" in stored:
        normal = jsonb_text(facts.documents[name])
        return normal if folded in _folded(normal) else None
    return None


# What PostgreSQL does ------------------------------------------------------------------------


def _folded(text: str) -> str:
    """Return `text` in lower case, each letter on its own."""
    lower = text.lower()
    if len(lower) == len(text) and "Σ" not in text:
        return lower
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _loads(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)


def _members(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        yield from document.items()


def _paths(document: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every member of an object, and of the objects in it under its dotted path."""
    for key, value in _members(document):
        yield prefix + key, value
        yield from _paths(value, f"{prefix}{key}.")


def _contains(document: Any, subset: Any) -> bool:
    """Return whether `document @> subset`, as jsonb understands it."""
    if isinstance(subset, dict):
        return isinstance(document, dict) and all(
            key in document and _contains(document[key], value) for key, value in subset.items()
        )
    if isinstance(subset, list):
        return isinstance(document, list) and all(
            any(_contains(item, value) for item in document) for value in subset
        )
    return isinstance(document, bool) == isinstance(subset, bool) and bool(document == subset)


def _text(value: Any) -> str:
    """Return what `#>> '{}'` gives: the content of a string, the JSON text of the rest."""
    return value if isinstance(value, str) else jsonb_text(value)


def jsonb_text(value: Any) -> str:
    """Return `value` as PostgreSQL writes jsonb: keys by length, then by bytes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return f"{{{', '.join(f'{_quoted(key)}: {jsonb_text(value[key])}' for key in keys)}}}"
    if isinstance(value, list):
        return f"[{', '.join(jsonb_text(item) for item in value)}]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Decimal):
        return format(value.copy_abs() if value.is_zero() else value, "f")
    return json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# Why -----------------------------------------------------------------------------------------


def _clauses(node: Plan, facts: Facts) -> Iterator[Clause]:
    """Yield the clauses of a plan that matches."""
    if isinstance(node, (Every, Either)):
        for arg in node.args:
            if _holds(arg, facts):
                yield from _clauses(arg, facts)
    elif isinstance(node, Rows):
        row = _row(node, facts)
        assert row is not None
        for term in node.terms:
            yield _clause(term, row[str(term.field)])
    elif isinstance(node, NoRow):
        values = [row[str(node.said.field)] for row in facts.rows[node.family]]
        yield replace(_clause(node.said, None), actual=_some(values))
    elif isinstance(node, Neither):
        yield Clause(
            unparse(node.said), _subject(node.said.arg), "not", None, _present(node, facts)
        )
    elif node.field is None:
        yield from _search_clauses(node, facts)
    elif node.operator == "search" and node.spec and node.spec.kind is Kind.DOCUMENT:
        match = _found_in(node.field, facts, str(node.value))
        yield _clause(node, _excerpt(match, str(node.value)))
    else:
        yield _clause(node, _value(node.field, facts))


def _search_clauses(term: Term, facts: Facts) -> Iterator[Clause]:
    for name in SEARCHED:
        match = _found_in(name, facts, str(term.value))
        if match is not None:
            actual = _excerpt(match, str(term.value))
            yield Clause(unparse(term), name, "search", term.value, actual)


def _subject(node: Node) -> str:
    """Return the field of a negated part, or "" when it has several."""
    if isinstance(node, Term):
        return node.field or ""
    names = {_subject(arg) for arg in ((node.arg,) if isinstance(node, Not) else node.args)}
    return names.pop() if len(names) == 1 else ""


def _present(node: Neither, facts: Facts) -> Any:
    """Return the run's value of the field of a negated part."""
    inner = node.said.arg
    while isinstance(inner, (And, Or)) and len(inner.args) == 1:
        inner = inner.args[0]
    if not isinstance(inner, Term) or inner.spec is None:
        return None
    if inner.spec.family is None:
        return _shown(_value(inner.spec.name, facts))
    return _some([row[inner.spec.name] for row in facts.rows[inner.spec.family]])


def _some(values: list[Any]) -> list[Any]:
    """Return a few of the distinct values."""
    return sorted({_shown(value) for value in values} - {None}, key=str)[:_MANY]


def _clause(term: Term, actual: Any) -> Clause:
    expected = list(term.value) if isinstance(term.value, tuple) else term.value
    return Clause(unparse(term), str(term.field), term.operator, expected, _shown(actual))


def _shown(value: Any) -> Any:
    """Return `value` as plain JSON, truncated when it is long."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple, dict)):
        value = jsonb_text(list(value) if isinstance(value, tuple) else value)
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _excerpt(document: str | None, text: str) -> str:
    """Return the surroundings of `text` in `document`."""
    document = document or ""
    at = max(_folded(document).find(_folded(text)), 0)
    start, end = max(at - EXCERPT, 0), at + len(text) + EXCERPT
    return f"{'...' if start else ''}{document[start:end]}{'...' if end < len(document) else ''}"
