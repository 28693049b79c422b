"""JSON Schema of a dataset's inputs and outputs: is a schema one, does a document fit."""

from __future__ import annotations

from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource, Unresolvable
from referencing.jsonschema import DRAFT202012

MAX_MESSAGE = 300  # characters
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
    """Return why `schema` is no JSON Schema, None if it is one."""
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        return str(error.message)[:MAX_MESSAGE]
    return None


def problem(schema: dict[str, Any], document: str) -> str | None:
    """Return the first thing wrong with a JSON document, by its path; None if it fits.

    "n.0: 'x' is not of type 'integer'"; the document itself is called "$". References lead
    within the schema or to one of PREBUILT: nothing is ever fetched.
    """
    kind = validator_for(schema, default=Draft202012Validator)
    validator = kind(schema, registry=Registry(retrieve=_prebuilt))  # type: ignore[call-arg]
    try:
        errors: list[ValidationError] = list(validator.iter_errors(orjson.loads(document)))
    except Unresolvable as error:
        return f"$: the schema refers to what it does not hold: {error}"[:MAX_MESSAGE]
    if not errors:
        return None
    first = min(errors, key=lambda error: [str(step) for step in error.absolute_path])
    path = ".".join(str(step) for step in first.absolute_path) or "$"
    return f"{path}: {first.message[:MAX_MESSAGE]}"


def _prebuilt(uri: str) -> Resource[Any]:
    for name, schema in PREBUILT.items():
        if uri.endswith(f"/public/schemas/v1/{name}.json"):
            return Resource.from_contents(schema, default_specification=DRAFT202012)
    raise NoSuchResource(ref=uri)  # type: ignore[call-arg]
