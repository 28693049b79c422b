"""The fields a filter may name, their kinds and operators. No other column can be reached.

A filter's text never becomes an identifier: a field is looked up here, and compile.py holds the SQL
of each. Arithmetic: no Django, no clock, no database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from observatory.wire_values import is_storable

Literal = str | int | float | bool | None | tuple[Any, ...]


class Kind(StrEnum):
    """The type of a field's values. It decides the operators and how a literal is read."""

    TEXT = "text"
    NUMBER = "number"
    SECONDS = "seconds"
    TIME = "time"
    UUID = "uuid"
    FLAG = "true or false"
    TAGS = "list of text"
    DOCUMENT = "JSON object"
    JSON = "any JSON value"


_ORDER = ("gt", "gte", "lt", "lte")
OPERATORS: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("eq", "neq", *_ORDER, "in", "like", "search"),
    Kind.NUMBER: ("eq", "neq", *_ORDER, "in"),
    Kind.SECONDS: ("eq", "neq", *_ORDER, "in"),
    Kind.TIME: ("eq", "neq", *_ORDER, "in"),
    Kind.UUID: ("eq", "neq", "in"),
    Kind.FLAG: ("eq", "neq"),
    Kind.TAGS: ("has", "exists", "eq", "neq", "in", "like", "search"),
    Kind.DOCUMENT: ("has", "exists", "search", "eq", "neq"),
    Kind.JSON: ("eq", "neq", *_ORDER, "in", "like", "search"),
}


@dataclass(frozen=True)
class Field:
    """A field of the language.

    `family` is set on fields of rows that belong to a run (feedback, metadata, input, output):
    a run has many, so their terms are paired, see pairing.py.
    """

    name: str
    kind: Kind
    about: str
    family: str | None = None

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.kind]


_ALL = [
    Field("id", Kind.UUID, "the run"),
    Field("name", Kind.TEXT, "name of the run"),
    Field("run_type", Kind.TEXT, "llm, chain, tool, retriever, embedding, prompt, parser"),
    Field("status", Kind.TEXT, "pending, success or error"),
    Field("error", Kind.TEXT, "error text; missing when the run did not fail"),
    Field("start_time", Kind.TIME, "when the run started"),
    Field("end_time", Kind.TIME, "when it ended; missing while it is pending"),
    Field("first_token_time", Kind.TIME, "when the first token was streamed"),
    Field("latency", Kind.SECONDS, "end_time - start_time; missing if it ended before it started"),
    Field("first_token_latency", Kind.SECONDS, "first_token_time - start_time; missing likewise"),
    Field(
        "prompt_tokens",
        Kind.NUMBER,
        "tokens sent to the model; for a parent without any, those below it",
    ),
    Field("completion_tokens", Kind.NUMBER, "tokens it answered; of a parent likewise"),
    Field("total_tokens", Kind.NUMBER, "both together; of a parent likewise"),
    Field(
        "prompt_cost",
        Kind.NUMBER,
        "cost of the prompt tokens; for a parent without any, that below it",
    ),
    Field("completion_cost", Kind.NUMBER, "cost of the completion tokens; of a parent likewise"),
    Field("total_cost", Kind.NUMBER, "both together; of a parent likewise"),
    Field("is_root", Kind.FLAG, "the run is the root of its trace"),
    Field("execution_order", Kind.NUMBER, "1 for the root of a trace, 2 for every other run"),
    Field("trace_id", Kind.UUID, "root run of the trace"),
    Field("parent_run_id", Kind.UUID, "missing for a root"),
    Field("session_id", Kind.UUID, "project of the run"),
    Field("thread_id", Kind.TEXT, "metadata session_id, thread_id or conversation_id"),
    Field("reference_example", Kind.UUID, "dataset example the run was made for"),
    Field("reference_example_id", Kind.UUID, "the same"),
    Field("tags", Kind.TAGS, "tags of the run"),
    Field("metadata", Kind.DOCUMENT, "extra.metadata of the run"),
    Field("inputs", Kind.DOCUMENT, "inputs of the run"),
    Field("outputs", Kind.DOCUMENT, "outputs of the run"),
    Field("metadata_key", Kind.TEXT, "a top-level key of the metadata", "metadata"),
    Field("metadata_value", Kind.JSON, "the value under that key", "metadata"),
    Field("input_key", Kind.TEXT, "a key of the inputs, dotted inside objects", "input"),
    Field("input_value", Kind.JSON, "the value under that key", "input"),
    Field("output_key", Kind.TEXT, "a key of the outputs, dotted inside objects", "output"),
    Field("output_value", Kind.JSON, "the value under that key", "output"),
    Field("feedback_key", Kind.TEXT, "key of a feedback", "feedback"),
    Field("feedback_score", Kind.NUMBER, "its score", "feedback"),
    Field("feedback_value", Kind.JSON, "its value", "feedback"),
    Field("feedback_comment", Kind.TEXT, "its comment", "feedback"),
    Field("feedback_source", Kind.TEXT, "api, app, model or auto_eval", "feedback"),
]
FIELDS: dict[str, Field] = {field.name: field for field in _ALL}
_OF_A_THREAD = [
    Field("thread_id", Kind.TEXT, "the thread"),
    Field("count", Kind.NUMBER, "its traces"),
    Field("num_errored_turns", Kind.NUMBER, "those that failed"),
    Field("start_time", Kind.TIME, "when its newest trace started"),
    Field("min_start_time", Kind.TIME, "when its first trace started"),
    Field("max_start_time", Kind.TIME, "the same as start_time"),
    Field("latency_p50", Kind.SECONDS, "of its traces"),
    Field("latency_p99", Kind.SECONDS, "of its traces"),
    Field("last_error", Kind.TEXT, "error of the newest trace that failed; missing without one"),
    *(
        FIELDS[f"{part}_{kind}"]
        for kind in ("tokens", "cost")
        for part in ("prompt", "completion", "total")
    ),
]
THREAD_FIELDS: dict[str, Field] = {field.name: field for field in _OF_A_THREAD}
"""What `thread_filter` of version 2 may name: a computed thread, tokens of all its runs."""
DOCUMENTS = {"input": "inputs", "output": "outputs"}
"""A family of fields -> the document that it is a part of."""
SEARCHED = ("name", "inputs", "outputs", "error")
"""The fields that `search("text")` looks through."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h)?")
_UNITS_S = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
NUMERIC_TEXT = r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$"
"""A string that compares with a number, as PostgreSQL and Python both read it."""
_NUMERIC = re.compile(NUMERIC_TEXT[1:-1])


def is_numeric(text: str) -> bool:
    """Return whether `text` can be compared with a number literal."""
    return _NUMERIC.fullmatch(text) is not None


def exact(number: int | float) -> Decimal:
    """Return the decimal number that the filter's text spells."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _text(literal: Any) -> str:
    if not isinstance(literal, str):
        raise ValueError("expects a string")
    return literal


def _number(literal: Any) -> Decimal:
    if isinstance(literal, str) and is_numeric(literal):
        return Decimal(literal)
    if not isinstance(literal, (int, float)):
        raise ValueError("expects a number")
    return exact(literal)


def _seconds(literal: Any) -> float:
    if isinstance(literal, str):
        match = _DURATION.fullmatch(literal.strip())
        if match is None:
            raise ValueError('expects seconds or a duration such as "5s", "200ms", "1m"')
        return float(match[1]) * _UNITS_S[match[2]]
    if isinstance(literal, bool) or not isinstance(literal, (int, float)):
        raise ValueError('expects seconds or a duration such as "5s", "200ms", "1m"')
    return float(literal)


def _time(literal: Any) -> datetime:
    try:
        if isinstance(literal, str):
            moment = datetime.fromisoformat(literal.strip())
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(literal, (int, float)) and not isinstance(literal, bool):
            return datetime.fromtimestamp(literal / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError('expects an ISO 8601 time such as "2026-01-31T09:30:00Z"')


def _uuid(literal: Any) -> UUID:
    try:
        return UUID(_text(literal))
    except ValueError:
        raise ValueError("expects a UUID") from None


def _flag(literal: Any) -> bool:
    words = {"true": True, "false": False}
    if isinstance(literal, str) and literal.lower() in words:
        return words[literal.lower()]
    if isinstance(literal, (bool, int)) and literal in (0, 1):
        return bool(literal)
    raise ValueError("expects true or false")


def _json(literal: Any) -> str | Decimal | bool:
    if isinstance(literal, (str, bool)):
        return literal
    return exact(literal)


_READERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.SECONDS: _seconds,
    Kind.TIME: _time,
    Kind.UUID: _uuid,
    Kind.FLAG: _flag,
    Kind.TAGS: _text,
    Kind.JSON: _json,
}


def _subset(field: Field, literal: Any) -> str | dict[str, Any]:
    """Return the operand of `has`: a tag, or a JSON object given as text."""
    text = _text(literal)
    if field.kind is Kind.TAGS:
        return text
    try:
        subset = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        subset = None
    if not isinstance(subset, dict) or not _is_storable(subset):
        raise ValueError('expects a JSON object as text, such as \'{"key": "value"}\'')
    return subset


def _is_storable(value: Any, depth: int = 0) -> bool:
    """Return whether the database's JSON type can hold `value`."""
    if depth > _MAX_JSON_DEPTH:
        return False
    if isinstance(value, dict):
        return all(_is_storable(part, depth + 1) for item in value.items() for part in item)
    if isinstance(value, list):
        return all(_is_storable(item, depth + 1) for item in value)
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, Decimal):
        return abs(value.adjusted()) < _MAX_DIGITS
    return True


_MAX_JSON_DEPTH = 50
_MAX_DIGITS = 1_000


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def typed(field: Field, operator: str, literal: Literal) -> Any:
    """Return `literal` as the value that `operator` compares `field` with.

    str, Decimal, float (seconds), datetime (UTC when naive), UUID, bool, dict (subset of a
    document), None, or a list of them for `in`. Raises ValueError with a sentence when the
    operator or the literal does not fit the field.
    """
    if operator not in field.operators:
        raise ValueError(f"does not take {operator}; it takes {', '.join(field.operators)}")
    if operator == "in":
        if not isinstance(literal, tuple):
            raise ValueError('expects a list such as ["a", "b"]')
        if any(item is None or isinstance(item, tuple) for item in literal):
            raise ValueError("expects a list of plain values")
        return [_READERS[field.kind](item) for item in literal]
    if isinstance(literal, tuple):
        raise ValueError("takes a list only with in")
    if operator in {"exists", "search"}:
        return _text(literal)
    if operator == "has":
        return _subset(field, literal)
    if operator == "like":
        return _pattern(_text(literal))
    return _compared(field, operator, literal)


def _compared(field: Field, operator: str, literal: Literal) -> Any:
    if literal is None:
        if operator not in {"eq", "neq"}:
            raise ValueError("compares with null only by eq and neq")
        return None
    if field.kind is Kind.DOCUMENT:
        raise ValueError("compares only with null; use has, exists or search")
    if field.kind is Kind.JSON and operator in _ORDER and isinstance(literal, bool):
        raise ValueError("has no order for true and false")
    return _READERS[field.kind](literal)


def _pattern(pattern: str) -> str:
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise ValueError("is a pattern that ends in an escape character")
    return pattern
