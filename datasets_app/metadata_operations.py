"""Arithmetic: changes of one key of an example's metadata, as the bulk endpoint takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from datasets_app import splits
from observatory import exact

SPLIT: Final = "dataset_split"
KINDS: Final = ("SET", "ARRAY_ADD", "ARRAY_REMOVE")
MAX_OPERATIONS: Final = 50
MAX_OF_ARRAYS: Final = 10
MAX_KEY: Final = 255  # bytes; of a value in an array too
MAX_VALUE: Final = 65_536  # bytes of JSON
MAX_VALUES: Final = 1_000


class BadOperation(ValueError):
    """The operations are none; says which, what and the limit."""


@dataclass(frozen=True, slots=True)
class Operation:
    """SET puts `value` at `key`; ARRAY_ADD and ARRAY_REMOVE change the list there by `values`."""

    kind: str
    key: str
    value: Any = None
    values: Sequence[str] = ()


def parsed(given: Any) -> list[Operation]:
    """Return the operations in their order; either case of their names is read.

    Raises BadOperation.
    """
    if not isinstance(given, list) or not 0 < len(given) <= MAX_OPERATIONS:
        raise BadOperation(f"operations: must be an array of 1 to {MAX_OPERATIONS}")
    found = [_parsed(f"operations[{place}]", one) for place, one in enumerate(given)]
    if sum(one.kind != "SET" for one in found) > MAX_OF_ARRAYS:
        raise BadOperation(f"operations: at most {MAX_OF_ARRAYS} of them on arrays")
    return found


def _parsed(where: str, given: Any) -> Operation:
    if not isinstance(given, dict):
        raise BadOperation(f"{where}: must be an object")
    key, kind = given.get("key"), given.get("operation")
    if not _is_short(key) or not key:
        raise BadOperation(f"{where}.key: must be a text of 1 to {MAX_KEY} bytes")
    if not isinstance(kind, str) or kind.upper() not in KINDS:
        raise BadOperation(f"{where}.operation: must be one of {', '.join(KINDS)}")
    if kind.upper() == "SET":
        value = given.get("value")
        text = exact.dumps(value)
        if len(text) > MAX_VALUE or exact.has_nul(text):
            raise BadOperation(f"{where}.value: at most {MAX_VALUE} bytes, and no NUL")
        if key == SPLIT and not _is_split(value):
            raise BadOperation(f"{where}.value: a split is a text or an array of texts")
        return Operation("SET", key, value)
    values = given.get("values")
    if not isinstance(values, list) or not 0 < len(values) <= MAX_VALUES:
        raise BadOperation(f"{where}.values: must be an array of 1 to {MAX_VALUES}")
    if not all(_is_short(value) for value in values):
        raise BadOperation(f"{where}.values: each must be a text of at most {MAX_KEY} bytes")
    return Operation(kind.upper(), key, values=tuple(values))


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value.encode()) <= MAX_KEY and "\x00" not in value


def _is_split(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(name, str) for name in value)
    )


def applied(
    operations: Sequence[Operation], metadata: dict[str, Any] | None, held: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the metadata and the splits after `operations`; the others keep their values."""
    told: dict[str, Any] = {**(metadata or {}), SPLIT: list(held)}
    for one in operations:
        if one.kind == "SET":
            told[one.key] = one.value
            continue
        before = told.get(one.key)
        items = list(before) if isinstance(before, list) else []
        if one.kind == "ARRAY_ADD":
            added = [value for value in dict.fromkeys(one.values) if value not in items]
            if one.key == SPLIT and added:  # whoever is put into a split leaves `base`
                items = [item for item in items if item != splits.BASE]
            items += added
        else:
            items = [item for item in items if item not in one.values]
        told[one.key] = items
    return told, splits.normalised(told.pop(SPLIT))
