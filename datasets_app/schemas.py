"""JSON Schema of a dataset's inputs and outputs: is a schema one, does a document fit."""

from __future__ import annotations

from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_MESSAGE = 300  # characters


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
    within the schema only: nothing is ever fetched.
    """
    kind = validator_for(schema, default=Draft202012Validator)
    validator = kind(schema, registry=Registry())
    try:
        errors: list[ValidationError] = list(validator.iter_errors(orjson.loads(document)))
    except Unresolvable as error:
        return f"$: the schema refers to what it does not hold: {error}"[:MAX_MESSAGE]
    if not errors:
        return None
    first = min(errors, key=lambda error: [str(step) for step in error.absolute_path])
    path = ".".join(str(step) for step in first.absolute_path) or "$"
    return f"{path}: {first.message[:MAX_MESSAGE]}"
