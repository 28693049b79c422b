"""Adaline's log API: answers. Its bodies are in adaline_bodies."""

from __future__ import annotations

from typing import TypedDict


class LogError(TypedDict):
    """Why a request was refused."""

    error: str


class TraceCreated(TypedDict):
    """The ids a trace and its spans were stored under, in their order."""

    traceId: str
    spanIds: list[str]


class SpanCreated(TypedDict):
    """The id a span was stored under."""

    spanId: str


class Updated(TypedDict):
    """The change is stored."""

    success: bool


class LogPagination(TypedDict):
    """What page this is, and how to ask for the next."""

    limit: int
    returned: int
    hasMore: bool
    nextCursor: str | None


class _LogRow(TypedDict):
    id: str
    name: str
    status: str
    startedAt: int
    endedAt: int
    latency: float
    referenceId: str | None
    sessionId: str | None
    createdAt: int
    updatedAt: int


class TraceRow(_LogRow):
    """A trace. The values of its attributes are texts."""

    attributes: dict[str, str]
    tags: list[str]
    totalCost: float | None
    totalInputTokens: int | None
    totalOutputTokens: int | None
    spanIds: list[str]


class SpanRow(_LogRow):
    """A span. Content, attributes, tags and events are JSON in a text."""

    contentType: str
    logTraceId: str
    promptId: str | None
    parentReferenceId: str | None
    cost: float | None
    promptTokens: int | None
    completionTokens: int | None
    totalTokens: int | None
    content: str
    parsedContent: str
    attributes: str
    tags: str
    events: str


class TracePage(TypedDict):
    """`data` and `traces` are the same list: Adaline's pages and its SDKs differ."""

    data: list[TraceRow]
    traces: list[TraceRow]
    pagination: LogPagination


class SpanPage(TypedDict):
    """`data` and `spans` are the same list."""

    data: list[SpanRow]
    spans: list[SpanRow]
    pagination: LogPagination


class _Asked(TypedDict):
    projectId: str


class LogQuery(_Asked, total=False):
    """`filters` is a JSON array of filters."""

    startedAfter: int
    startedBefore: int
    status: str
    name: str
    referenceId: str
    sessionId: str
    sort: str
    limit: int
    cursor: str
    filters: str
