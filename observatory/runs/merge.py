"""Arithmetic: the merge rule. Ops of one run, in any order and number, fold into one row.

Each field is decided alone. Its winner is the greatest of (rank, value): a patch outranks a
create, a later patch (by its `end_time`; none is earliest) outranks an earlier one, and among
equals the greater value in the order of `ordering` wins. Null never erases. The members of
`metadata` are decided one by one by the same rule. So merging is commutative, associative and
idempotent, and retries, duplicates and reordering change nothing.

`ingest` does the same in SQL; a hypothesis test compares the two.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from observatory import exact
from observatory.runs.ops import RunOp


class Order(Enum):
    """How two values of a field compare: by their natural order, or by the bytes of a text."""

    NATURAL = "natural"
    TEXT = "text"
    JSON = "json"  # the document as sent
    JSONB = "jsonb"  # the document as PostgreSQL's jsonb prints it
    TEXTS = "texts"  # a list of texts


FIELDS: Final[dict[str, Order]] = {
    "project_id": Order.NATURAL,
    "trace_id": Order.NATURAL,
    "parent_run_id": Order.NATURAL,
    "dotted_order": Order.TEXT,
    "name": Order.TEXT,
    "run_type": Order.TEXT,
    "start_time": Order.NATURAL,
    "end_time": Order.NATURAL,
    "first_token_time": Order.NATURAL,
    "error": Order.TEXT,
    "inputs": Order.JSON,
    "outputs": Order.JSON,
    "events": Order.JSON,
    "serialized": Order.JSON,
    "extra": Order.JSONB,
    "tags": Order.TEXTS,
    "reference_example_id": Order.NATURAL,
    "prompt_tokens": Order.NATURAL,
    "completion_tokens": Order.NATURAL,
    "total_tokens": Order.NATURAL,
    "prompt_cost": Order.NATURAL,
    "completion_cost": Order.NATURAL,
    "total_cost": Order.NATURAL,
    "usage_details": Order.JSONB,
}
OP_FIELDS: Final = tuple(name for name in FIELDS if name != "project_id")
CREATE: Final = ""  # the rank of a create's values: below every stamp
METADATA: Final = "metadata."  # prefix of metadata members in the clock


def stamp(end_time: datetime | None) -> str:
    """Return the rank of a patch that ended at `end_time`: later sorts after, none sorts first."""
    return "-" if end_time is None else f"{end_time:%Y%m%dT%H%M%S.%f}".rjust(22, "0")


def clock_of(op: RunOp, project_id: int | None) -> dict[str, str] | None:
    """Return field -> rank for the values of a patch; None for a create (rank CREATE)."""
    if op.kind == "create":
        return None
    rank = stamp(op.end_time)
    clock = {name: rank for name in OP_FIELDS if getattr(op, name) is not None}
    if op.trace_id == op.id:
        clock.pop("trace_id", None)
    if project_id is not None:
        clock["project_id"] = rank
    for key, value in op.metadata.items():
        if value != b"null":
            clock[METADATA + key] = rank
    return clock


@dataclass
class Row:
    """The values of a run, and the ranks of those that a patch set."""

    values: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    clock: dict[str, str] = field(default_factory=dict)
    is_sanitized: bool = False


def row_of(op: RunOp, project_id: int | None) -> Row:
    """Return the row of `op` alone, in the project `project_id`."""
    values = {name: getattr(op, name) for name in OP_FIELDS}
    values["project_id"] = project_id
    if op.trace_id == op.id:  # a run without a known trace has its own id there
        values["trace_id"] = None
    return Row(
        {name: value for name, value in values.items() if value is not None},
        dict(op.metadata),
        clock_of(op, project_id) or {},
        op.is_sanitized,
    )


def merge(left: Row, right: Row) -> Row:
    """Return the merged row. Neither argument is changed."""
    values = dict(left.values)
    for name, value in right.values.items():
        if name not in values or _outranks(FIELDS[name], name, right, value, left, values[name]):
            values[name] = value
    metadata = dict(left.metadata)
    for key, value in right.metadata.items():
        if key not in metadata or _member_rank(right, key, value) > _member_rank(
            left, key, metadata[key]
        ):
            metadata[key] = value
    clock = dict(left.clock)
    for name, rank in right.clock.items():
        clock[name] = max(rank, clock.get(name, CREATE))
    return Row(values, metadata, clock, left.is_sanitized or right.is_sanitized)


def fold(ops: Iterable[tuple[RunOp, int | None]]) -> Row:
    """Return the row that `ops`, each with its project, fold into."""
    return functools.reduce(merge, (row_of(op, project_id) for op, project_id in ops), Row())


def _outranks(order: Order, name: str, new: Row, value: Any, old: Row, stored: Any) -> bool:
    return (new.clock.get(name, CREATE), ordering(order, value)) > (
        old.clock.get(name, CREATE),
        ordering(order, stored),
    )


def _member_rank(row: Row, key: str, value: bytes) -> tuple[bool, str, bytes]:
    rank = row.clock.get(METADATA + key, CREATE)
    return value != b"null", rank, jsonb_text(value)


def ordering(order: Order, value: Any) -> Any:
    """Return what to compare `value` by. Texts compare by their UTF-8 bytes."""
    match order:
        case Order.NATURAL:
            return value
        case Order.TEXT:
            return value.encode()
        case Order.TEXTS:
            return [text.encode() for text in value]
        case Order.JSON:
            return value
        case Order.JSONB:
            return jsonb_text(value)


def jsonb_text(document: bytes) -> bytes:
    """Return the valid JSON `document` as PostgreSQL prints it once stored as jsonb.

    Keys are unique and sorted by length, then bytes; numbers are written out in full, those
    with an exponent as `exact.for_jsonb` hands them over.
    Source: PostgreSQL documentation, "JSON Types", 8.14.
    """
    written = exact.for_jsonb(document)
    return _print(json.loads(written, parse_int=Decimal, parse_float=Decimal)).encode()


def _print(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_print(key)}: {_print(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_print(member) for member in value) + "]"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.removeprefix("-") if not value else text
    return json.dumps(value, ensure_ascii=False)
