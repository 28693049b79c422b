"""Arithmetic: a span as an operation on a run.

Without LangSmith's ids, ids are derived from OTLP's. A trace's id is its own, as a UUID, and so is
the id of its first root, for on the wire a trace is named by its root. A span of the JavaScript SDK
has the id that this SDK reports to its caller: zeros, then the span's. Every other span has half
the trace's id and its own.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from observatory import exact
from observatory.runs.documents import BadItem
from observatory.runs.ops import RunOp, attachment_name, canonical_uuid, parse_op
from observatory.runs.otlp import conventions, figures, messages, parameters
from observatory.runs.otlp.spans import (
    ERROR,
    OK,
    Attributes,
    Event,
    Span,
    items,
    moment,
    objects,
    parsed,
)

OTEL_TRACE_ID: Final = "OTEL_TRACE_ID"
OTEL_SPAN_ID: Final = "OTEL_SPAN_ID"
PYTHON_SDK: Final = "langsmith"  # the scope of spans that the Python SDK exports for runs
_JAVASCRIPT: Final = (
    "langsmith.traceable",
    "langsmith.is_root",
    "langsmith.traceable_parent_otel_span_id",
)
_FIRST_TOKEN: Final = {
    "gen_ai.content.chunk",
    "llm.content.completion.chunk",
    "First Token Stream Event",
    "ai.stream.firstChunk",
}
_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True, slots=True)
class File:
    """A file attached to a span."""

    name: str
    mime_type: str
    content: bytes


@dataclass(slots=True)
class Mapped:
    """A run op, and what is needed to place it in its trace.

    `is_root`: it has no parent span. `has_own_ids`: LangSmith's ids name it or its parent.
    """

    op: RunOp
    trace: UUID
    span_id: bytes
    parent_span_id: bytes
    is_root: bool
    has_own_id: bool
    has_own_parent: bool
    has_own_trace: bool
    files: list[File] = field(default_factory=list)


def run_id(trace_id: bytes, span_id: bytes) -> UUID:
    """Return the id of the run for a span without LangSmith's ids."""
    return UUID(bytes=trace_id[:8] + span_id)


def map_span(span: Span, project: str | None = None) -> Mapped:
    """Return the run op of `span`, in the project it names or else `project`. Raises BadItem."""
    span.check()
    into, out, from_events = messages.of_events(span.events)
    attributes = Attributes({**from_events, **span.attributes})
    mapped = _placed(span, attributes)
    op = mapped.op
    inputs, outputs = conventions.conversation(attributes)
    said_in = conventions.inputs(attributes, into)
    said_out = conventions.outputs(attributes, out)
    main: dict[str, Any] = {
        "name": attributes.text("langsmith.trace.name") or span.name or "span",
        "run_type": conventions.run_type(attributes),
        "start_time": _iso(span.start),
        "end_time": _iso(span.end),
        "tags": parameters.tags(attributes),
        "reference_example_id": attributes.text("langsmith.reference_example_id"),
        "session_id": attributes.text(
            "langsmith.trace.session_id", "ai.telemetry.metadata.ls_project_id"
        ),
        "session_name": attributes.text(
            "langsmith.trace.session_name", "ai.telemetry.metadata.ls_project_name"
        )
        or project
        or _text(span.resource.get("openinference.project.name")),
        "inputs": inputs if said_in is None else said_in,
        "outputs": outputs if said_out is None else said_out,
        "error": _error(span, attributes),
        "events": _events(span.events) or None,
        "serialized": attributes.below("gen_ai.serialized") or None,
        "dotted_order": op.dotted_order,
        "trace_id": op.trace_id,
        "parent_run_id": op.parent_run_id,
    }
    if main["session_id"] is not None:
        main["session_name"] = None
    mapped.files = _files(attributes.take("langsmith.attachments"))
    main["extra"] = _extra(span, attributes)
    mapped.op = parse_op("create", _written(main), run_id=op.id)
    mapped.op.raw = span.raw
    return mapped


def _written(main: dict[str, Any]) -> bytes:
    try:
        return exact.dumps(main)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadItem("invalid_field", f"An attribute cannot be kept: {error}") from None


def _placed(span: Span, attributes: Attributes) -> Mapped:
    """Return the span's place in its trace: an op with its ids alone. Raises BadItem."""
    own = _uuid(attributes, "langsmith.span.id")
    own_trace = _uuid(attributes, "langsmith.trace.id")
    own_parent = _uuid(attributes, "langsmith.span.parent_id")
    order = attributes.text("langsmith.span.dotted_order")
    marks = [attributes.take(mark) for mark in _JAVASCRIPT]
    is_root_said = marks[1] is True or attributes.take("langsmith.root_span") is True
    trace = UUID(bytes=span.trace_id)
    has_parent = own_parent is not None or (order is not None and "." in order)
    is_root = not has_parent and (is_root_said or span.parent_span_id in {b"", span.span_id})
    if order is not None and own is None:
        own = canonical_uuid(order[-36:])
    if own is None:
        if any(mark is not None for mark in marks):
            own = UUID(bytes=bytes(8) + span.span_id)
        elif is_root:
            own = own_trace or trace
    op = RunOp("create", own or run_id(span.trace_id, span.span_id), own_trace, own_parent, order)
    mapped = Mapped(
        op,
        trace,
        span.span_id,
        span.parent_span_id,
        is_root,
        has_own_id=op.id not in (trace, run_id(span.trace_id, span.span_id)),
        has_own_parent=has_parent,
        has_own_trace=own_trace is not None or order is not None,
    )
    if is_root:
        op.trace_id = op.trace_id or op.id
        return mapped
    if not mapped.has_own_parent:
        op.parent_run_id = run_id(span.trace_id, span.parent_span_id)
    if not mapped.has_own_trace and not mapped.has_own_parent:
        op.trace_id = trace
    return mapped


def _uuid(attributes: Attributes, key: str) -> UUID | None:
    text = attributes.text(key)
    return None if text is None else canonical_uuid(text)


def _iso(nanoseconds: int) -> str | None:
    time = moment(nanoseconds)
    return None if time is None else time.isoformat()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _error(span: Span, attributes: Attributes) -> str | None:
    """Return the error: the recorded exception, else the status; None if there was none.

    An exception on a span whose status is OK was handled.
    """
    if span.status == OK:
        return None
    for event in reversed(span.events):
        if event.name == "exception":
            return _exception(span, event.attributes) or span.status_message or "Error"
    if attributes.peek("exception.type", "exception.message") is not None:
        exception = {key: attributes.take(f"exception.{key}") for key in _EXCEPTION}
        return _exception(span, {f"exception.{key}": value for key, value in exception.items()})
    if span.status == ERROR or attributes.peek("langfuse.observation.level") == "ERROR":
        said_there = _text(attributes.peek("langfuse.observation.status_message"))
        return span.status_message or said_there or attributes.text("error.type") or "Error"
    return None


_EXCEPTION: Final = ("type", "message", "stacktrace")


def _exception(span: Span, attributes: dict[str, Any]) -> str | None:
    kind, message, trace = (str(attributes.get(f"exception.{name}") or "") for name in _EXCEPTION)
    if span.scope[0] == PYTHON_SDK and message:
        return message  # the run's own error: the type and the trace are the exporter's
    headline = f"{kind}: {message}" if kind and message else kind or message
    return "\n\n".join(filter(None, (headline, trace))) or None


def _events(events: list[Event]) -> list[dict[str, Any]]:
    """Return the events in LangSmith's form, without those that are inputs or outputs."""
    return [
        {
            "name": "new_token" if event.name in _FIRST_TOKEN else event.name,
            "time": _iso(event.time),
            "kwargs": event.attributes,
        }
        for event in events
        if event.name not in messages.CONTENT_EVENTS
    ]


def _extra(span: Span, attributes: Attributes) -> dict[str, Any]:
    called_with = parameters.invocation(attributes)
    used = figures.usage(attributes)
    runtime = parsed(attributes.take("langsmith.span.runtime"))
    otel: dict[str, Any] = {
        "scope": {"name": span.scope[0], "version": span.scope[1]},
        "kind": _KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else span.kind,
    }
    if span.trace_state:
        otel["trace_state"] = span.trace_state
    if span.links:
        otel["links"] = [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": link.attributes,
            }
            for link in span.links
        ]
    extra: dict[str, Any] = {"otel": otel}
    if called_with:
        extra["invocation_params"] = called_with
    if isinstance(runtime, dict):
        extra["runtime"] = runtime
    metadata = parameters.metadata(span, attributes, called_with)
    if used:
        metadata["usage_metadata"] = used
    metadata[OTEL_TRACE_ID] = span.trace_id.hex()
    metadata[OTEL_SPAN_ID] = span.span_id.hex()
    extra["metadata"] = metadata
    return extra


def _files(attachments: Any) -> list[File]:
    """Return the files of `langsmith.attachments`, a JSON list with base64. Raises BadItem."""
    files = []
    for attachment in objects(items(parsed(attachments))):
        name, content = attachment.get("name"), attachment.get("content")
        if not isinstance(name, str) or not isinstance(content, str):
            raise BadItem("invalid_attachment", "langsmith.attachments: needs name and content")
        try:
            binary = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            raise BadItem("invalid_attachment", f"{name[:80]}: the content is not base64") from None
        mime_type = _text(attachment.get("mime_type")) or "application/octet-stream"
        files.append(File(attachment_name(name), mime_type, binary))
    return files
