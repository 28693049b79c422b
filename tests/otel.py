"""Spans made by the real OpenTelemetry SDK, and requests as its exporters encode them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

PROTOBUF = "application/x-protobuf"


class Recorder:
    """A tracer whose finished spans are kept, in the order they ended: children first."""

    def __init__(self, **resource: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({"service.name": "shop", **resource}))
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._provider = provider
        self.tracer: Tracer = provider.get_tracer("tests", "1.0")

    def tracer_of(self, scope: str) -> Tracer:
        return self._provider.get_tracer(scope)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """Return an ExportTraceServiceRequest as the SDK's exporter sends it."""
    return encode_spans(spans).SerializeToString()


def as_json(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return the same request in OTLP's JSON: camel case, ids in hexadecimal."""

    def mend(value: Any) -> Any:
        if isinstance(value, list):
            return [mend(one) for one in value]
        if isinstance(value, dict):
            ids = ("traceId", "spanId", "parentSpanId")
            return {k: base64.b64decode(v).hex() if k in ids else mend(v) for k, v in value.items()}
        return value

    return mend(MessageToDict(encode_spans(spans)))


def json_bytes(spans: Sequence[ReadableSpan]) -> bytes:
    return json.dumps(as_json(spans)).encode()
