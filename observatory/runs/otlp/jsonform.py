"""Arithmetic: the JSON encoding of OTLP: ids in hexadecimal, 64-bit integers as text.

Source: OpenTelemetry specification, OTLP 1.5, "JSON Protobuf Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from observatory.runs import documents
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

MAX_OBJECTS: Final = 1_000_000  # braces in a body: each may become an object of 72 bytes
_MAX_UINT64: Final = (1 << 64) - 1


class _Value(Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: _Values | None = None
    kvlist_value: _Pairs | None = None
    bytes_value: str | None = None


class _Values(Struct):
    values: list[_Value] | None = None


class _Pair(Struct):
    key: str = ""
    value: _Value | None = None


class _Pairs(Struct):
    values: list[_Pair] | None = None


class _Event(Struct, rename="camel"):
    name: str | None = None
    time_unix_nano: int | str | None = None
    attributes: list[_Pair] | None = None


class _Link(Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[_Pair] | None = None


class _Status(Struct):
    code: int | str | None = None
    message: str | None = None


class _Span(Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None


class _Resource(Struct):
    attributes: list[_Pair] | None = None


class _Scope(Struct):
    name: str | None = None
    version: str | None = None


class _ScopeSpans(Struct):
    scope: _Scope | None = None
    spans: list[Raw] | None = None


class _ResourceSpans(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_request = msgspec.json.Decoder(_Request)
_one = msgspec.json.Decoder(_Span)
_CODES: Final = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


def read(body: bytes) -> Iterator[Span | Unreadable]:
    """Yield the spans of an ExportTraceServiceRequest. Raises BadItem for anything else."""
    if body.count(b"{") > MAX_OBJECTS:
        raise BadItem("too_large", f"A body may have {MAX_OBJECTS} objects")
    clean, _ = documents.sanitize(body)
    request = _decoded(_request, clean)
    for group in request.resource_spans or ():
        resource = _resource(group.resource)
        for scoped in group.scope_spans or ():
            instrumentation = scoped.scope or _Scope()
            scope = (instrumentation.name or "", instrumentation.version or "")
            for raw in scoped.spans or ():
                decode = partial(_span, resource=resource, scope=scope)
                yield decoded(decode, bytes(raw))


def _resource(resource: _Resource | None) -> dict[str, Any]:
    try:
        return _pairs(resource.attributes) if resource else {}
    except RecursionError:
        raise BadItem("too_deep", f"Nested deeper than {documents.MAX_DEPTH}") from None


def _decoded(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    try:
        return decoder.decode(raw)
    except RecursionError:
        raise BadItem("too_deep", f"Nested deeper than {documents.MAX_DEPTH}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadItem("invalid_json", str(error)) from None


def _span(raw: bytes, *, resource: dict[str, Any], scope: tuple[str, str]) -> Span:
    if len(raw) > MAX_SPAN_BYTES:
        reason = f"A span may have {MAX_SPAN_BYTES} bytes, this one has {len(raw)}"
        raise BadItem("too_large", reason)
    documents.check(raw)
    span = _decoded(_one, raw)
    if len(span.attributes or ()) > MAX_ATTRIBUTES:
        raise BadItem("too_large", f"A span may have {MAX_ATTRIBUTES} attributes")
    status = span.status or _Status()
    parent = _hex("parentSpanId", span.parent_span_id)
    return Span(
        _hex("traceId", span.trace_id),
        _hex("spanId", span.span_id),
        parent if any(parent) else b"",
        span.name or "",
        _nanoseconds("startTimeUnixNano", span.start_time_unix_nano),
        _nanoseconds("endTimeUnixNano", span.end_time_unix_nano),
        span.kind if isinstance(span.kind, int) else 0,
        span.trace_state or "",
        _CODES.get(status.code, 0) if isinstance(status.code, str) else status.code or 0,
        status.message or "",
        _pairs(span.attributes),
        [
            Event(
                e.name or "", _nanoseconds("timeUnixNano", e.time_unix_nano), _pairs(e.attributes)
            )
            for e in span.events or ()
        ],
        [
            Link(
                _hex("traceId", link.trace_id),
                _hex("spanId", link.span_id),
                _pairs(link.attributes),
            )
            for link in span.links or ()
        ],
        resource,
        scope,
        raw,
    )


def _hex(name: str, text: str | None) -> bytes:
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        raise BadItem("invalid_span_id", f"{name}: must be hexadecimal") from None


def _nanoseconds(name: str, value: int | str | None) -> int:
    number = _integer(value)
    if number is None or not 0 <= number <= _MAX_UINT64:
        raise BadItem("invalid_time", f"{name}: must be a whole number of nanoseconds")
    return number


def _integer(value: int | str | None) -> int | None:
    """Return a 64-bit integer, None for anything else."""
    if isinstance(value, str):
        if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 20:
            return None
        return int(value)
    return value or 0


def _pairs(pairs: list[_Pair] | None) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs or ()}


def _value(value: _Value | None) -> Any:
    """Return an AnyValue as JSON; bytes stay base64."""
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.bool_value is not None:
        return value.bool_value
    if value.int_value is not None:
        number = _integer(value.int_value)
        is_one = number is not None and -(1 << 63) <= number < 1 << 63
        return number if is_one else str(value.int_value)
    if value.double_value is not None:
        return value.double_value
    if value.array_value is not None:
        return [_value(item) for item in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return _pairs(value.kvlist_value.values)
    return value.bytes_value
