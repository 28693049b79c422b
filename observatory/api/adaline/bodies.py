"""Bodies of Adaline's log API, and the runs made from traces and spans.

A trace is a root run, a span a run below it, attributes are metadata. Ids derive from the
client's references, so that a span finds its trace whichever of the two arrives first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta, Struct
from rest_framework.exceptions import ParseError

from observatory import exact
from observatory.runs.logs import LOG_STATUS, REFERENCE

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Reference = Annotated[str, Meta(min_length=1, max_length=128)]
Key = Annotated[str, Meta(min_length=1, max_length=256)]
Id = Annotated[str, Meta(min_length=1, max_length=80)]
Project = Annotated[str, Meta(min_length=1, max_length=512)]
Millis = Annotated[int, Meta(ge=0, le=33_229_420_200_000)]
Value = str | int | float | bool
Status = Literal["success", "failure", "aborted", "cancelled", "pending", "unknown"]
MAX_SPANS: Final = 1_000
MAX_OPERATIONS: Final = 100
FAILED: Final = frozenset({"failure", "aborted", "cancelled"})
_TYPES: Final = {
    "Model": "llm",
    "ModelStream": "llm",
    "Tool": "tool",
    "Retrieval": "retriever",
    "Embeddings": "embedding",
}
CONTENT_TYPES: Final = {
    "llm": "Model",
    "tool": "Tool",
    "retriever": "Retrieval",
    "embedding": "Embeddings",
}
_IN_COLUMNS: Final = ("type", "input", "output", "aggregateOutput")


class _Body(Struct, rename="camel"):
    """Unknown members are ignored."""


class LogTrace(_Body):
    """A trace to store. Times are epoch milliseconds."""

    name: Name
    status: Status
    started_at: Millis
    ended_at: Millis | None = None
    reference_id: Reference | None = None
    session_id: Reference | None = None
    attributes: dict[Key, Value] | None = None
    tags: list[Name] | None = None


class LogSpan(_Body):
    """A span to store; `content` has its type, input and output as JSON in a text."""

    name: Name
    status: Status
    started_at: Millis
    content: dict[str, Any]
    ended_at: Millis | None = None
    trace_id: Id | None = None
    trace_reference_id: Reference | None = None
    reference_id: Reference | None = None
    parent_reference_id: Reference | None = None
    prompt_id: Id | None = None
    deployment_id: Id | None = None
    session_id: Reference | None = None
    run_evaluation: bool | None = None
    attributes: dict[Key, Value] | None = None
    tags: list[Name] | None = None


class CreateTrace(_Body):
    """A trace, and spans of it."""

    project_id: Project
    trace: LogTrace
    spans: Annotated[list[LogSpan], Meta(max_length=MAX_SPANS)] | None = None


class CreateSpan(_Body):
    """A span of a trace that its id or its reference names."""

    project_id: Project
    span: LogSpan


class AttributeOperation(_Body):
    """Set an attribute (requires a value), or remove it."""

    operation: Literal["create", "delete"]
    key: Key
    value: Value | None = None


class TagOperation(_Body):
    """Set a tag, or remove it."""

    operation: Literal["create", "delete"]
    tag: Name


class Update(_Body):
    """What to change; of several operations on one key the last counts."""

    status: Status | None = None
    ended_at: Millis | None = None
    attributes: Annotated[list[AttributeOperation], Meta(max_length=MAX_OPERATIONS)] | None = None
    tags: Annotated[list[TagOperation], Meta(max_length=MAX_OPERATIONS)] | None = None


class UpdateTrace(_Body):
    """A change of a trace that its id or its reference names."""

    project_id: Project
    log_trace: Update
    trace_id: Id | None = None
    reference_id: Reference | None = None


class UpdateSpan(_Body):
    """A change of a span, by its id or by its reference and its trace."""

    project_id: Project
    log_span: Update
    span_id: Id | None = None
    reference_id: Reference | None = None
    trace_id: Id | None = None
    trace_reference_id: Reference | None = None


class Filter(_Body):
    """A condition on a column; an unknown column is ignored."""

    type: str
    column: str
    operator: str
    value: Any = None


class Search(_Body):
    """Which traces or spans of a project to return, a page at a time."""

    project_id: Project
    prompt_id: str | None = None
    model: str | None = None
    provider: str | None = None
    started_after: Millis | None = None
    started_before: Millis | None = None
    status: Status | None = None
    name: str | None = None
    reference_id: str | None = None
    session_id: str | None = None
    filters: Annotated[list[Filter], Meta(max_length=20)] | None = None
    sort: Literal["startedAt:asc", "startedAt:desc"] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    cursor: str | None = None


T = TypeVar("T")


def read(kind: type[T], body: Any) -> T:
    """Return `body` as `kind`. Raises ParseError that names the member that is wrong."""
    try:
        return msgspec.convert(body, kind, strict=True)
    except msgspec.ValidationError as error:
        raise ParseError(str(error).replace("`$.", "`")) from None


def moment(millis: int) -> datetime:
    """Return epoch milliseconds as an aware time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)


def trace_id_of(workspace: UUID, project: UUID, reference: str) -> UUID:
    """Return the id of the trace that a project's client calls `reference`."""
    return uuid5(workspace, f"adaline/{project}/{reference}")


def span_id_of(trace_id: UUID, reference: str) -> UUID:
    """Return the id of the span that its trace's client calls `reference`."""
    return uuid5(trace_id, f"adaline/{reference}")


def trace_run(trace: LogTrace, run_id: UUID, project: UUID) -> dict[str, Any]:
    """Return the root run that `trace` is, as the wire's run object."""
    return _run(trace, run_id, project, {}) | {"run_type": "chain"}


def span_run(
    span: LogSpan, run_id: UUID, project: UUID, *, trace_id: UUID, parent: str | None
) -> dict[str, Any]:
    """Return the run below the root that `span` is; `parent` is its parent's dotted_order."""
    kind = str(span.content.get("type") or "Other")
    parent_id = trace_id
    if span.parent_reference_id is not None:
        parent_id = span_id_of(trace_id, span.parent_reference_id)
    model = {
        "ls_provider": span.content.get("provider"),
        "ls_model_name": span.content.get("model"),
        "prompt_id": span.prompt_id,
        "deployment_id": span.deployment_id,
    }
    more = {name: text for name, text in model.items() if text} | _usage(span.content)
    run = _run(span, run_id, project, more)
    run["extra"]["log"] = {
        "type": kind,
        "parent_reference_id": span.parent_reference_id,
        "run_evaluation": span.run_evaluation,
        "content": {n: v for n, v in span.content.items() if n not in _IN_COLUMNS},
    }
    run |= {
        "run_type": _TYPES.get(kind, "chain"),
        "trace_id": str(trace_id),
        "parent_run_id": str(parent_id),
        "inputs": _document(span.content.get("input"), "input"),
        "outputs": _outputs(span.content),
    }
    if parent is not None:
        run["dotted_order"] = f"{parent}.{moment(span.started_at):%Y%m%dT%H%M%S%f}Z{run_id}"
    return run


def _run(
    log: LogTrace | LogSpan, run_id: UUID, project: UUID, more: Mapping[str, Any]
) -> dict[str, Any]:
    metadata = {**(log.attributes or {}), **more, LOG_STATUS: log.status}
    if log.reference_id is not None:
        metadata[REFERENCE] = log.reference_id
    if log.session_id is not None:
        metadata["session_id"] = log.session_id
    return {
        "id": str(run_id),
        "name": log.name,
        "session_id": str(project),
        "start_time": log.started_at,
        "end_time": log.ended_at,
        "error": log.status if log.status in FAILED else None,
        "tags": log.tags,
        "extra": {"metadata": metadata},
    }


def _document(text: Any, name: str) -> dict[str, Any] | None:
    """Return a document sent as JSON in a text; a value that is not an object goes under `name`."""
    if text is None:
        return None
    document = text
    if isinstance(text, str):
        try:
            document = exact.loads(text)
        except exact.NotJSON:
            document = text
    return document if isinstance(document, dict) else {name: document}


def _outputs(content: Mapping[str, Any]) -> dict[str, Any] | None:
    return _document(content.get("aggregateOutput") or content.get("output"), "output")


def _usage(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a span's cost and the tokens in its output as `usage_metadata`."""
    cost = content.get("cost")
    if isinstance(cost, bool) or not isinstance(cost, (int, float)):
        return {}
    outputs = _outputs(content) or {}
    reported = outputs.get("usage_metadata") or outputs.get("usage")
    return {
        "usage_metadata": {**(reported if isinstance(reported, dict) else {}), "total_cost": cost}
    }
