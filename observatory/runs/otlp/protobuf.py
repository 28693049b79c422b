"""Arithmetic: the protobuf encoding of OTLP. Spans are decoded one at a time.

The library decodes a request as a whole or not at all, and needs 26 times the bytes of a hostile
one. So the three outer messages are walked here, and each span is decoded alone: a broken one is
lost alone, and the memory is that of one span.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from observatory.runs.documents import BadItem
from observatory.runs.otlp.spans import (
    MAX_ATTRIBUTES,
    MAX_SPAN_BYTES,
    Event,
    Link,
    Span,
    Unreadable,
    decoded,
)

# Numbers of the fields, see opentelemetry/proto/trace/v1/trace.proto: they cannot change.
_RESOURCE_SPANS: Final = 1
_RESOURCE: Final = 1
_SCOPE_SPANS: Final = 2
_SCOPE: Final = 1
_SPANS: Final = 2
_BYTES: Final = 2  # the wire type


def read(body: bytes) -> Iterator[Span | Unreadable]:
    """Yield the spans of an ExportTraceServiceRequest. Raises BadItem for anything else."""
    for number, start, end in _fields(body, 0, len(body)):
        if number == _RESOURCE_SPANS:
            yield from _of_resource(body, start, end)


def _of_resource(body: bytes, start: int, end: int) -> Iterator[Span | Unreadable]:
    # The resource may follow its spans.
    fields = list(_fields(body, start, end))
    resource: dict[str, Any] = {}
    for number, first, last in fields:
        if number == _RESOURCE:
            resource |= _values(_message(Resource(), body[first:last]).attributes)
    for number, first, last in fields:
        if number == _SCOPE_SPANS:
            yield from _of_scope(body, first, last, resource)


def _of_scope(
    body: bytes, start: int, end: int, resource: dict[str, Any]
) -> Iterator[Span | Unreadable]:
    scope = ("", "")
    for number, first, last in _fields(body, start, end):
        if number == _SCOPE:
            instrumentation = _message(InstrumentationScope(), body[first:last])
            scope = (instrumentation.name, instrumentation.version)
    for number, first, last in _fields(body, start, end):
        if number == _SPANS:
            decode = partial(_span, resource=resource, scope=scope)
            yield decoded(decode, body[first:last])


def _span(raw: bytes, *, resource: dict[str, Any], scope: tuple[str, str]) -> Span:
    if len(raw) > MAX_SPAN_BYTES:
        reason = f"A span may have {MAX_SPAN_BYTES} bytes, this one has {len(raw)}"
        raise BadItem("too_large", reason)
    span = _message(trace_pb2.Span(), raw)
    if len(span.attributes) > MAX_ATTRIBUTES:
        raise BadItem("too_large", f"A span may have {MAX_ATTRIBUTES} attributes")
    return Span(
        span.trace_id,
        span.span_id,
        span.parent_span_id if any(span.parent_span_id) else b"",
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.kind,
        span.trace_state,
        span.status.code,
        span.status.message,
        _values(span.attributes),
        [Event(e.name, e.time_unix_nano, _values(e.attributes)) for e in span.events],
        [Link(link.trace_id, link.span_id, _values(link.attributes)) for link in span.links],
        resource,
        scope,
        raw,
    )


def _message(message: Any, raw: bytes) -> Any:
    try:
        message.ParseFromString(raw)
    except DecodeError:
        kind = type(message).__name__
        reason = f"Not a protobuf {kind}: cut short, nested too deep or not UTF-8"
        raise BadItem("invalid_protobuf", reason) from None
    return message


def _values(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    """Return an AnyValue as JSON; bytes as base64. At most as deep as protobuf allows."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            return value.double_value
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _values(value.kvlist_value.values)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
    return None


def _fields(body: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, start, end) of the length-delimited fields of a message; skip the others.

    Source: Protocol Buffers documentation, "Encoding".
    """
    while position < end:
        tag, position = _varint(body, position, end)
        start = position
        match tag & 7:
            case 2:
                length, start = _varint(body, position, end)
                position = start + length
            case 0:
                _, position = _varint(body, position, end)
            case 1:
                position += 8
            case 5:
                position += 4
            case _:
                raise BadItem("invalid_protobuf", f"Not protobuf at byte {start}")
        if position > end:
            raise BadItem("invalid_protobuf", f"Cut short at byte {end}")
        if tag & 7 == _BYTES:
            yield tag >> 3, start, position


def _varint(body: bytes, position: int, end: int) -> tuple[int, int]:
    number = shift = 0
    while position < end and shift < 70:
        byte = body[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
    raise BadItem("invalid_protobuf", f"Not protobuf at byte {position}")
