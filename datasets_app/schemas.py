"""JSON Schema of a dataset's inputs and outputs: validate schemas, and documents against them.

A schema is a client's program: a budget bounds its cost (`schema_keywords`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from jsonschema.exceptions import UnknownType, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource, Unresolvable
from referencing.jsonschema import DRAFT202012

from datasets_app import schema_keywords
from datasets_app.schema_keywords import MAX_MESSAGE, Budget, TooMuch
from observatory import exact

LIMIT_S: Final = 20.0  # of CPU for the validation of one request
MAX_SCHEMA: Final = 500_000  # characters of JSON
MAX_SCHEMA_DEPTH: Final = 100  # objects and arrays within each other
_BROKEN: Final = (
    *(UnknownType, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
)
"""What jsonschema raises at run time for odd schemas that its drafts let through."""
MAX_ERRORS: Final = 1_000  # errors compared to find the first
_SAME_INSTANCE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "extends")
_TEXT: Final = {"type": "string"}
PREBUILT: Final[dict[str, dict[str, Any]]] = {
    "message": {
        "title": "Message",
        "description": "A message to or from a chat model, as the OpenAI API writes it",
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"enum": ["system", "developer", "user", "assistant", "tool", "function"]},
            "content": {
                "anyOf": [
                    {"type": ["string", "null"]},
                    {"type": "array", "items": {"type": "object", "required": ["type"]}},
                ]
            },
            "name": _TEXT,
            "tool_call_id": _TEXT,
            "refusal": {"type": ["string", "null"]},
            "tool_calls": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["function"],
                    "properties": {
                        "id": {"type": ["string", "null"]},
                        "type": {"const": "function"},
                        "function": {
                            "type": "object",
                            "required": ["name", "arguments"],
                            "properties": {"name": _TEXT, "arguments": _TEXT},
                        },
                    },
                },
            },
        },
    },
    "tooldef": {
        "title": "Tool",
        "description": "A tool that a chat model may call, as the OpenAI API defines it",
        "type": "object",
        "required": ["type", "function"],
        "properties": {
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": _TEXT,
                    "description": _TEXT,
                    "parameters": {"type": "object"},
                    "strict": {"type": ["boolean", "null"]},
                },
            },
        },
    },
}
"""Schemas that a dataset's may refer to, by any URL that ends in `/public/schemas/v1/NAME.json`."""


def schema_problem(schema: Any) -> str | None:
    """Return why `schema` is not a runnable JSON Schema, None if it is one."""
    if len(json.dumps(schema)) > MAX_SCHEMA:
        return f"longer than {MAX_SCHEMA:,} characters"
    if _depth(schema) > MAX_SCHEMA_DEPTH:
        return f"nested deeper than {MAX_SCHEMA_DEPTH}"
    if not isinstance(schema.get("$schema", ""), str):
        return "$schema: must be a text"
    meta = _kind(schema).META_SCHEMA
    validator = schema_keywords.bounded(_kind(meta))(meta, format_checker=schema_keywords.FORMATS)
    try:
        with schema_keywords.spending(Budget(LIMIT_S)):
            first = next(validator.iter_errors(schema), None)
    except RecursionError:
        return "nested too deeply"
    except TooMuch as error:
        return str(error)
    except _BROKEN as error:
        return f"cannot be run: {error}"[:MAX_MESSAGE]
    if first is not None:
        message = first.message
        if first.cause is not None:  # a pattern
            message = f"{str(first.instance)[:60]!r} {first.cause}"
        return f"{_path(first)}: {message}"[:MAX_MESSAGE]
    if (loop := _loop(schema)) is not None:
        return f"{loop}: refers to itself without end"
    return None


def _kind(schema: Any) -> Any:
    """Return the validator class of the draft that `schema` names, the newest for an unknown."""
    known = {"$schema": schema["$schema"]} if "$schema" in schema else {}
    return validator_for(known, default=Draft202012Validator)


def _depth(value: Any) -> int:
    """Return how deep objects and arrays nest. Without recursion."""
    level, deepest = [value], 0
    while level := [
        item
        for held in level
        for item in (held.values() if isinstance(held, dict) else held)
        if isinstance(item, list | dict)
    ]:
        deepest += 1
        if deepest > MAX_SCHEMA_DEPTH:
            break
    return deepest + 1


def _loop(schema: dict[str, Any]) -> str | None:
    """Return a reference that leads back to itself without a step into the instance, or None.

    References by anchor are not followed: a loop of those ends with the depth of the stack.
    """
    settled: set[int] = set()
    for start in _references(schema):
        waiting: list[tuple[Any, bool]] = [(start, False)]
        path: set[int] = set()
        while waiting:
            node, is_left = waiting.pop()
            if is_left:
                path.discard(id(node))
                settled.add(id(node))
                continue
            if id(node) in path:
                return str(start["$ref"])[:100]
            if id(node) in settled:
                continue
            path.add(id(node))
            waiting.append((node, True))
            waiting += [(inner, False) for inner in _of_the_same_instance(node, schema)]
    return None


def _references(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object with a `$ref` to a place in the same document."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if str(node.get("$ref", "")).startswith("#"):
                yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _of_the_same_instance(node: dict[str, Any], schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the schemas that `node` applies to the same instance."""
    inner = [_pointed(schema, node["$ref"])] if isinstance(node.get("$ref"), str) else []
    for keyword in _SAME_INSTANCE:
        part = node.get(keyword)
        inner += part if isinstance(part, list) else [part]
    for keyword in ("dependentSchemas", "dependencies"):
        part = node.get(keyword)
        inner += part.values() if isinstance(part, dict) else []
    yield from (member for member in inner if isinstance(member, dict))


def _pointed(schema: Any, reference: str) -> Any:
    """Return the target of the JSON pointer `#/a/b`, None if there is none."""
    if reference == "#":
        return schema
    if not reference.startswith("#/"):
        return None
    for step in unquote(reference[2:]).split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, list) and name.isdigit() and int(name) < len(schema):
            schema = schema[int(name)]
        elif isinstance(schema, dict) and name in schema:
            schema = schema[name]
        else:
            return None
    return schema


def budget() -> Budget:
    """Return the budget for the validation of one request."""
    return Budget(LIMIT_S)


def problem(schema: dict[str, Any], document: str, budget: Budget) -> str | None:
    """Return the first error of a JSON document, with its path; None if it is valid.

    "n.0: 'x' is not of type 'integer'"; the document itself is called "$". References lead within
    the schema or to one of PREBUILT: nothing is ever fetched. A schema that cannot be run to its
    end, on this document or within `budget`, is an error, too.
    """
    try:
        errors = _errors(schema, exact.loads(document), budget)
    except Unresolvable as error:
        return f"$: the schema has a reference without a target: {error}"[:MAX_MESSAGE]
    except RecursionError:
        return "$: nested too deeply, or the schema refers to itself without end"
    except TooMuch as error:
        return f"$: {error}"
    except _BROKEN as error:
        return f"$: the schema cannot be run: {error}"[:MAX_MESSAGE]
    if not errors:
        return None
    first = min(errors, key=lambda error: [str(step) for step in error.absolute_path])
    return f"{_path(first)}: {first.message[:MAX_MESSAGE]}"


def _errors(schema: dict[str, Any], document: Any, budget: Budget) -> list[ValidationError]:
    registry: Registry[Any] = Registry(retrieve=_prebuilt)  # type: ignore[call-arg]
    validator = schema_keywords.bounded(_kind(schema))(schema, registry=registry)
    try:
        with schema_keywords.spending(budget):
            return list(islice(validator.iter_errors(document), MAX_ERRORS))
    except BaseException as error:
        # The maps of `referencing` panic, which is no Exception, when the stack ends in them.
        if type(error).__name__ != "PanicException":
            raise
        raise RecursionError from None


def _path(error: ValidationError) -> str:
    return ".".join(str(step) for step in error.absolute_path)[:MAX_MESSAGE] or "$"


def _prebuilt(uri: str) -> Resource[Any]:
    for name, schema in PREBUILT.items():
        if uri.endswith(f"/public/schemas/v1/{name}.json"):
            return Resource.from_contents(schema, default_specification=DRAFT202012)
    raise NoSuchResource(ref=uri)  # type: ignore[call-arg]
