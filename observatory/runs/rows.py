"""Arithmetic: a run op as a row of PostgreSQL's binary COPY format.

Source: PostgreSQL documentation, COPY, "Binary Format"; the send functions of each type.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Raw

from observatory.exact import for_jsonb
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

_NULL = b"\xff\xff\xff\xff"
_EMPTY_OBJECT = b"\x00\x00\x00\x03\x01{}"
_NO_USAGE = _NULL * 7
_length = struct.Struct("!i").pack
_int4 = struct.Struct("!ii").pack
_int8 = struct.Struct("!iq").pack
_uuid16 = struct.Struct("!i16s").pack
_start = struct.Struct("!hiii16s").pack  # the number of columns, workspace_id, id
_times = struct.Struct("!iqiq").pack
_array = struct.Struct("!iiiii").pack
_PG_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_TEXT_OID = 25


def encoder(workspace_id: int, now: datetime) -> Callable[[RunOp, int | None], list[bytes]]:
    """Return `encode(op, project_id)`: the row of an op that arrived at `now` in `workspace_id`,
    in COLUMNS' order, in pieces to be written one after the other.
    """
    arrived = _time(now) * 2

    def encode(op: RunOp, project_id: int | None) -> list[bytes]:
        run_id = op.id.bytes
        out: list[bytes] = [
            _start(len(COLUMNS), 4, workspace_id, 16, run_id),
            _NULL if project_id is None else _int4(4, project_id),
            _uuid16(16, run_id if op.trace_id is None else op.trace_id.bytes),
            _uuid(op.parent_run_id),
        ]
        for text in (op.dotted_order, op.name, op.run_type):
            if text is None:
                out.append(_NULL)
            else:
                content = text.encode()
                out += (_length(len(content)), content)
        _add_times(out, op)
        error = None if op.error is None else op.error.encode()
        for document in (error, op.inputs, op.outputs, op.events, op.serialized):
            if document is None:
                out.append(_NULL)
            else:
                out += (_length(len(document)), document)
        _add_jsonb(out, op.extra)
        if op.metadata:
            members = {key: Raw(value) for key, value in op.metadata.items()}
            _add_jsonb(out, msgspec.json.encode(members))
        else:
            out.append(_EMPTY_OBJECT)
        out.append(_NULL if op.tags is None else _texts(op.tags))
        out.append(_uuid(op.reference_example_id))
        _add_usage(out, op)
        clock = merge.clock_of(op, project_id)
        _add_jsonb(out, None if clock is None else msgspec.json.encode(clock))
        out.append(b"\x00\x00\x00\x01\x01" if op.is_sanitized else b"\x00\x00\x00\x01\x00")
        out.append(arrived)
        return out

    return encode


def _add_times(out: list[bytes], op: RunOp) -> None:
    start, end = op.start_time, op.end_time
    if start is None or end is None:
        out += (_time(start), _time(end))
    else:
        out.append(_times(8, _microseconds(start), 8, _microseconds(end)))
    out.append(_time(op.first_token_time))


def _add_usage(out: list[bytes], op: RunOp) -> None:
    tokens = (op.prompt_tokens, op.completion_tokens, op.total_tokens)
    costs = (op.prompt_cost, op.completion_cost, op.total_cost)
    if tokens == costs == (None, None, None) and op.usage_details is None:
        out.append(_NO_USAGE)
        return
    out += map(_number, tokens)
    out += map(_decimal, costs)
    _add_jsonb(out, op.usage_details)


def _add_jsonb(out: list[bytes], document: bytes | None) -> None:
    if document is None:
        out.append(_NULL)
    else:
        stored = for_jsonb(document)
        out += (_length(len(stored) + 1) + b"\x01", stored)


def _uuid(value: UUID | None) -> bytes:
    return _NULL if value is None else _uuid16(16, value.bytes)


def _number(value: int | None) -> bytes:
    return _NULL if value is None else _int8(8, value)


def _time(value: datetime | None) -> bytes:
    if value is None:
        return _NULL
    return _int8(8, _microseconds(value))


def _microseconds(value: datetime) -> int:
    since = value - _PG_EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _texts(values: list[str]) -> bytes:
    """Return a one-dimensional text[]; an empty one has no dimension."""
    if not values:
        return _length(12) + struct.pack("!iii", 0, 0, _TEXT_OID)
    body: list[bytes] = [_array(1, 0, _TEXT_OID, len(values), 1)]
    for value in values:
        text = value.encode()
        body += (_length(len(text)), text)
    content = b"".join(body)
    return _length(len(content)) + content


def _decimal(value: Decimal | None) -> bytes:
    """Return a numeric: base-10,000 digits, the weight of the first, the sign, the scale."""
    if value is None:
        return _NULL
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # usage.py only returns finite amounts
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
