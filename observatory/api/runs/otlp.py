"""POST /otel/v1/traces: spans of any OpenTelemetry exporter come in, over OTLP/HTTP.

The answers are OTLP's own: what was set aside is a partial success, an error is a Status, both
in the encoding of the request. Source: OpenTelemetry specification, OTLP 1.5, "OTLP/HTTP".
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from rest_framework.exceptions import ParseError, UnsupportedMediaType

from observatory import exact
from observatory.api.kit import body
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import TooLarge
from observatory.api.runs.ingest import IngestView
from observatory.api.runs.multipart import Batch, Reject
from observatory.runs import attachments
from observatory.runs.attachments import Saved
from observatory.runs.documents import BadItem
from observatory.runs.ingest import Mode, Stored
from observatory.runs.otlp import jsonform, links, protobuf
from observatory.runs.otlp.mapping import Mapped, map_span
from observatory.runs.otlp.spans import Span, Unreadable

logger = logging.getLogger(__name__)
MAX_SPANS: Final = 10_000  # the collector's batch processor sends 8,192 by default
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_READERS: Final = {PROTOBUF: protobuf.read, JSON: jsonform.read}
_N_REASONS: Final = 5  # named in a partial success; the quarantine has them all
# HTTP status -> google.rpc.Code
_CODES: Final = {401: 16, 403: 7, 404: 5, 405: 12, 429: 8, 500: 13, 503: 14}
_INVALID_ARGUMENT: Final = 3


@dataclass(slots=True)
class SpanBatch(Batch):
    """The spans of one request, decoded."""

    spans: list[Mapped] = field(default_factory=list)


@method_decorator(csrf_exempt, name="dispatch")  # what the base says of its own dispatch
class Traces(IngestView):
    """POST /otel/v1/traces: OTLP over HTTP, protobuf or JSON, as OpenTelemetry's exporters send."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = super().dispatch(request, *args, **kwargs)
        if answer.status_code < 400 or not isinstance(answer, HttpResponse):
            return answer
        told = exact.loads(answer.content)["detail"] if answer.content else answer.reason_phrase
        code = _CODES.get(answer.status_code, _INVALID_ARGUMENT)
        if _encoding(request) == JSON:
            answer.content = exact.dumps({"code": code, "message": told})
            answer["Content-Type"] = JSON
        else:
            answer.content = Status(code=code, message=told).SerializeToString()
            answer["Content-Type"] = PROTOBUF
        return answer

    @endpoint(
        body=Binary,
        takes=(PROTOBUF, JSON),
        answer=Binary,
        gives=(PROTOBUF, JSON),
        refusal=Binary,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        encoding = _encoding(request)
        if encoding not in _READERS:
            raise UnsupportedMediaType(encoding, f"Content-Type must be {PROTOBUF} or {JSON}")
        project = request.headers.get("langsmith-project", "").strip()
        rejected = self.take(request, encoding=encoding, project=project)
        answer = ExportTraceServiceResponse()
        if rejected:
            reasons = [
                f"{rejection.item_id or 'a span'}: {rejection.reason}"
                for rejection in rejected[:_N_REASONS]
            ]
            answer.partial_success.rejected_spans = len(rejected)
            answer.partial_success.error_message = "; ".join(reasons)
        if encoding == PROTOBUF:
            return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)
        told = answer.partial_success
        partial = {"rejectedSpans": str(told.rejected_spans), "errorMessage": told.error_message}
        content = exact.dumps({"partialSuccess": partial} if rejected else {})
        return HttpResponse(content, content_type=JSON)

    def read_batch(self, content: body.Content, **names: str) -> SpanBatch:
        if len(content) > settings.INGEST_MAX_PART_BYTES:
            raise TooLarge(f"A body may have {settings.INGEST_MAX_PART_BYTES} bytes decompressed")
        batch = SpanBatch()
        try:
            for index, span in enumerate(_READERS[names["encoding"]](content[:])):
                if index >= MAX_SPANS:
                    raise TooLarge(f"A request may have {MAX_SPANS} spans")
                if isinstance(span, Unreadable):
                    batch.rejected.append(_reject("", "invalid_span", span.reason, span.raw))
                    continue
                mapped = _mapped(span, names["project"] or None)
                if isinstance(mapped, Reject):
                    batch.rejected.append(mapped)
                else:
                    batch.spans.append(mapped)
        except BadItem as bad:
            if bad.code == "too_large":
                raise TooLarge(bad.reason) from None
            raise ParseError(bad.reason) from None
        body.forget(content)
        return batch

    def save_files(self, batch: Batch, content: body.Content) -> Iterator[Saved]:
        assert isinstance(batch, SpanBatch)
        for one in batch.spans:
            for file in one.files:
                yield attachments.save(one.op.id, file.name, file.mime_type, [file.content])

    def store_runs(self, batch: Batch, mode: Mode) -> Stored:
        assert isinstance(batch, SpanBatch)
        if not batch.spans:
            return Stored()
        return links.store(self.workspace, batch.spans, now=timezone.now(), mode=mode)


def _encoding(request: HttpRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _mapped(span: Span, project: str | None) -> Mapped | Reject:
    """Return the run that `span` becomes. An error costs this span only."""
    try:
        return map_span(span, project)
    except BadItem as bad:
        return _reject(span.span_id.hex(), bad.code, bad.reason, span.raw)
    except Exception as error:
        logger.exception(
            "Could not map span %s of trace %s", span.span_id.hex(), span.trace_id.hex()
        )
        reason = f"The server could not read this span: {type(error).__name__}"
        return _reject(span.span_id.hex(), "unreadable_span", reason, span.raw)


def _reject(item_id: str, code: str, reason: str, raw: bytes) -> Reject:
    return Reject("span", item_id, code, reason, raw)
