"""How Adaline's log API filters runs and shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rest_framework.exceptions import ParseError

from observatory import exact
from observatory.api.adaline.bodies import CONTENT_TYPES, Filter, Search, moment
from observatory.runs.logs import COMPARISONS, LOG_STATUS, REFERENCE, Condition, Totals
from observatory.runs.search import RunRow

# What a row of theirs calls it -> what `logs` calls it.
_TEXTS: Final = {
    "name": "name",
    "status": "status",
    "referenceId": "reference_id",
    "sessionId": "session_id",
    "promptId": "prompt_id",
    "model": "model",
    "provider": "provider",
}
_NUMBERS: Final = {
    "latency": "latency_ms",
    "totalCost": "total_cost",
    "cost": "total_cost",
    "totalInputTokens": "prompt_tokens",
    "promptTokens": "prompt_tokens",
    "totalOutputTokens": "completion_tokens",
    "completionTokens": "completion_tokens",
    "totalTokens": "total_tokens",
}
_TIMES: Final = {"startedAt": "started_at", "endedAt": "ended_at"}
_MEMBER: Final = "attributes."
_OPERATORS: Final = {"equals": "eq", "=": "eq"}
_OURS: Final = (LOG_STATUS, REFERENCE, "session_id", "usage_metadata")
"""Metadata that they show as columns, not as attributes."""


def conditions(query: Search) -> list[Condition]:
    """Return the conditions of a search. Raises ParseError that names the filter."""
    parsed = [
        Condition(column, operator, value)
        for column, operator, value in (
            ("status", "eq", query.status),
            ("name", "contains", _clean(query.name)),
            ("reference_id", "eq", _clean(query.reference_id)),
            ("session_id", "eq", _clean(query.session_id)),
            ("prompt_id", "eq", _clean(query.prompt_id)),
            ("model", "contains", _clean(query.model)),
            ("provider", "contains", _clean(query.provider)),
        )
        if value
    ]
    if query.started_after is not None:
        parsed.append(Condition("started_at", "gte", moment(query.started_after)))
    if query.started_before is not None:
        parsed.append(Condition("started_at", "lte", moment(query.started_before)))
    for index, filter_ in enumerate(query.filters or []):
        parsed += _filter(filter_, f"filters[{index}]")
    return parsed


def _clean(text: str | None) -> str | None:
    return None if text is None else text.replace("\x00", "")


def _filter(filter_: Filter, where: str) -> Iterator[Condition]:
    """Yield the condition of one filter; a column they do not know is ignored, as theirs is."""
    operator = _OPERATORS.get(filter_.operator, filter_.operator)
    if filter_.column == "tags":
        if operator != "contains" or not isinstance(filter_.value, str):
            raise ParseError(f"{where}: tags can only be asked for a text they contain")
        yield Condition("tags", operator, _clean(filter_.value))
    elif filter_.column in _TEXTS:
        if operator not in {"eq", "contains"} or not isinstance(filter_.value, str):
            raise ParseError(f"{where}: {filter_.column} takes eq or contains and a text")
        yield Condition(_TEXTS[filter_.column], operator, _clean(filter_.value))
    elif filter_.column in _NUMBERS or filter_.column in _TIMES:
        if operator not in COMPARISONS or not _is_number(filter_.value):
            known = ", ".join(COMPARISONS)
            raise ParseError(f"{where}: {filter_.column} takes one of {known} and a number")
        if filter_.column in _NUMBERS:
            yield Condition(_NUMBERS[filter_.column], operator, filter_.value)
        elif not 0 <= filter_.value <= 33_229_420_200_000:
            raise ParseError(f"{where}: {filter_.column} is in epoch milliseconds")
        else:
            yield Condition(_TIMES[filter_.column], operator, moment(int(filter_.value)))
    elif filter_.column.startswith(_MEMBER):
        is_text = isinstance(filter_.value, str) and operator in {"eq", "contains"}
        if not is_text and not (_is_number(filter_.value) and operator in COMPARISONS):
            raise ParseError(
                f"{where}: {filter_.column} takes eq or contains and a text, or a number"
            )
        value = _clean(filter_.value) if isinstance(filter_.value, str) else filter_.value
        key = filter_.column.removeprefix(_MEMBER).replace("\x00", "")
        yield Condition(key, operator, value, is_member=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _object(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    value = exact.loads(text)
    return value if isinstance(value, dict) else {}


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _status(row: RunRow, metadata: Mapping[str, Any]) -> str:
    status = metadata.get(LOG_STATUS)
    if isinstance(status, str):
        return status
    return "failure" if row.status == "error" else row.status


def _common(row: RunRow, metadata: Mapping[str, Any]) -> dict[str, Any]:
    start, received = row.start_time or row.received_at, row.received_at
    assert start is not None  # every stored run has been received
    assert received is not None
    end = row.end_time or start  # theirs is never null, also while the run is pending
    return {
        "id": str(row.id),
        "name": row.name or "unnamed",
        "status": _status(row, metadata),
        "startedAt": _millis(start),
        "endedAt": _millis(end),
        "latency": round((row.latency_s or 0.0) * 1000, 3),
        "referenceId": metadata.get(REFERENCE),
        "sessionId": row.thread_id,
        "createdAt": _millis(received),
        "updatedAt": _millis(received),
    }


def _attributes(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in _OURS}


def trace_out(row: RunRow, totals: Totals) -> dict[str, Any]:
    """Return a trace as their lists show it: the values of attributes are texts."""
    metadata = _object(row.metadata)
    return _common(row, metadata) | {
        "attributes": {
            key: value if isinstance(value, str) else exact.dumps(value).decode()
            for key, value in _attributes(metadata).items()
        },
        "tags": row.tags or [],
        "totalCost": totals.cost,
        "totalInputTokens": totals.prompt_tokens,
        "totalOutputTokens": totals.completion_tokens,
        "spanIds": list(map(str, totals.span_ids)),
    }


def span_out(row: RunRow) -> dict[str, Any]:
    """Return a span as their lists show it: content, attributes and tags are JSON in a text."""
    metadata, log = _object(row.metadata), _object(row.extra).get("log") or {}
    kind = log.get("type") or CONTENT_TYPES.get(row.run_type or "", "Other")
    content = {
        "type": kind,
        "input": row.inputs,
        "output": row.outputs,
        **(log.get("content") or {}),
    }
    text = exact.dumps(content).decode()
    return _common(row, metadata) | {
        "contentType": kind,
        "logTraceId": str(row.trace_id),
        "promptId": metadata.get("prompt_id"),
        "parentReferenceId": log.get("parent_reference_id"),
        "cost": None if row.total_cost is None else float(row.total_cost),
        "promptTokens": row.prompt_tokens,
        "completionTokens": row.completion_tokens,
        "totalTokens": row.total_tokens,
        "content": text,
        "parsedContent": text,
        "attributes": exact.dumps(_attributes(metadata)).decode(),
        "tags": exact.dumps(row.tags or []).decode(),
        "events": "[]",
    }
