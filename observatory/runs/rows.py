"""Arithmetic: a run op as a row of PostgreSQL's binary COPY format.

Source: PostgreSQL documentation, COPY, "Binary Format"; the send functions of each type.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Raw

from observatory.runs import merge
from observatory.runs.ops import RunOp

COLUMNS: Final = (
    "workspace_id", "id", "project_id", "trace_id", "parent_run_id", "dotted_order", "name",
    "run_type", "start_time", "end_time", "first_token_time", "error", "inputs", "outputs",
    "events", "serialized", "extra", "metadata", "tags", "reference_example_id", "prompt_tokens",
    "completion_tokens", "total_tokens", "prompt_cost", "completion_cost", "total_cost",
    "usage_details", "clock", "is_sanitized", "received_at", "modified_at",
)  # fmt: skip
HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8
TRAILER: Final = b"\xff\xff"

_COUNT = struct.pack("!h", len(COLUMNS))
_NULL = b"\xff\xff\xff\xff"
_EMPTY_OBJECT = b"\x00\x00\x00\x03\x01{}"
_length = struct.Struct("!i").pack
_int4 = struct.Struct("!ii").pack
_int8 = struct.Struct("!iq").pack
_array = struct.Struct("!iiiii").pack
_PG_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_TEXT_OID = 25


def encode(op: RunOp, workspace_id: int, project_id: int | None, now: datetime) -> list[bytes]:
    """Return the row of `op` in COLUMNS' order, in pieces to be written one after the other."""
    out: list[bytes] = [
        _COUNT,
        _int4(4, workspace_id),
        b"\x00\x00\x00\x10" + op.id.bytes,
        _NULL if project_id is None else _int4(4, project_id),
        b"\x00\x00\x00\x10" + (op.trace_id or op.id).bytes,
        _uuid(op.parent_run_id),
    ]
    for text in (op.dotted_order, op.name, op.run_type):
        out.append(_NULL) if text is None else _add(out, text.encode())
    out += (_time(op.start_time), _time(op.end_time), _time(op.first_token_time))
    for document in (
        None if op.error is None else op.error.encode(),
        op.inputs,
        op.outputs,
        op.events,
        op.serialized,
    ):
        out.append(_NULL) if document is None else _add(out, document)
    _add_jsonb(out, op.extra)
    if op.metadata:
        members = {key: Raw(value) for key, value in op.metadata.items()}
        _add_jsonb(out, msgspec.json.encode(members))
    else:
        out.append(_EMPTY_OBJECT)
    out += (
        _NULL if op.tags is None else _texts(op.tags),
        _uuid(op.reference_example_id),
        _number(op.prompt_tokens),
        _number(op.completion_tokens),
        _number(op.total_tokens),
        _decimal(op.prompt_cost),
        _decimal(op.completion_cost),
        _decimal(op.total_cost),
    )
    _add_jsonb(out, op.usage_details)
    clock = merge.clock_of(op, project_id)
    _add_jsonb(out, None if clock is None else msgspec.json.encode(clock))
    out += (b"\x00\x00\x00\x01" + (b"\x01" if op.is_sanitized else b"\x00"), _time(now), _time(now))
    return out


def _add(out: list[bytes], value: bytes) -> None:
    out.append(_length(len(value)))
    out.append(value)


def _add_jsonb(out: list[bytes], document: bytes | None) -> None:
    if document is None:
        out.append(_NULL)
    else:
        out.append(_length(len(document) + 1) + b"\x01")
        out.append(document)


def _uuid(value: UUID | None) -> bytes:
    return _NULL if value is None else b"\x00\x00\x00\x10" + value.bytes


def _number(value: int | None) -> bytes:
    return _NULL if value is None else _int8(8, value)


def _time(value: datetime | None) -> bytes:
    if value is None:
        return _NULL
    since = value - _PG_EPOCH
    return _int8(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _texts(values: list[str]) -> bytes:
    """Return a one-dimensional text[]; an empty one has no dimension."""
    if not values:
        return _length(12) + struct.pack("!iii", 0, 0, _TEXT_OID)
    body: list[bytes] = [_array(1, 0, _TEXT_OID, len(values), 1)]
    for value in values:
        _add(body, value.encode())
    content = b"".join(body)
    return _length(len(content)) + content


def _decimal(value: Decimal | None) -> bytes:
    """Return a numeric: base-10,000 digits, the weight of the first, the sign, the scale."""
    if value is None:
        return _NULL
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # usage.py lets only finite amounts through
    scale = max(0, -exponent)
    whole = int("".join(map(str, digits)) + "0" * max(0, exponent) + "0" * (-scale % 4))
    groups: list[int] = []
    while whole:
        whole, group = divmod(whole, 10_000)
        groups.append(group)
    fraction_groups = -(-scale // 4)
    weight = len(groups) - fraction_groups - 1
    groups.reverse()
    while groups and groups[-1] == 0:
        groups.pop()
    negative = 0x4000 if sign and groups else 0
    content = struct.pack(
        f"!hhHh{len(groups)}h",
        len(groups),
        weight if groups else 0,
        negative,
        scale,
        *groups,
    )
    return _length(len(content)) + content
