"""Arithmetic: changes of one key of an example's metadata, as in the bulk endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from datasets_app import splits
from observatory import exact

SPLIT: Final = "dataset_split"
MAX_OF_ARRAYS: Final = 10
MAX_KEY: Final = 255  # bytes; also of a value in an array
MAX_VALUE: Final = 65_536  # bytes of JSON


class BadOperation(ValueError):
    """An operation that cannot be applied, with the limit it breaks."""


@dataclass(frozen=True, slots=True)
class Operation:
    """SET puts `value` at `key`; ARRAY_ADD and ARRAY_REMOVE change the list there by `values`."""

    kind: str
    key: str
    value: Any = None
    values: Sequence[str] = ()


def check(operations: Sequence[Operation]) -> None:
    """Raise BadOperation unless all of `operations` can be applied and stored."""
    for index, operation in enumerate(operations):
        if reason := _problem(operation):
            raise BadOperation(f"operations.{index}.{reason}")
    if sum(operation.kind != "SET" for operation in operations) > MAX_OF_ARRAYS:
        raise BadOperation(f"operations: must have at most {MAX_OF_ARRAYS} on arrays")


def _problem(operation: Operation) -> str | None:
    if not _is_short(operation.key):
        return f"key: must have at most {MAX_KEY} bytes"
    if operation.kind == "SET":
        text = exact.dumps(operation.value)
        if len(text) > MAX_VALUE or exact.has_nul(text):
            return f"value: must have at most {MAX_VALUE} bytes, and no NUL character"
        if operation.key == SPLIT and not _is_split(operation.value):
            return "value: must be a text or an array of texts, because it is a split"
        return None
    if not operation.values:
        return "values: is required"
    if not all(map(_is_short, operation.values)):
        return f"values: each must have at most {MAX_KEY} bytes, and no NUL character"
    return None


def _is_short(text: str) -> bool:
    return len(text.encode()) <= MAX_KEY and "\x00" not in text


def _is_split(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(name, str) for name in value)
    )


def applied(
    operations: Sequence[Operation], metadata: dict[str, Any] | None, held: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the metadata and the splits after `operations`; other keys keep their values."""
    changed: dict[str, Any] = {**(metadata or {}), SPLIT: list(held)}
    for operation in operations:
        if operation.kind == "SET":
            changed[operation.key] = operation.value
            continue
        before = changed.get(operation.key)
        items = list(before) if isinstance(before, list) else []
        if operation.kind == "ARRAY_ADD":
            added = [value for value in dict.fromkeys(operation.values) if value not in items]
            if operation.key == SPLIT and added:  # adding a split leaves `base`
                items = [item for item in items if item != splits.BASE]
            items += added
        else:
            items = [item for item in items if item not in operation.values]
        changed[operation.key] = items
    return changed, splits.normalised(changed.pop(SPLIT))
