"""OTLP/HTTP: spans of the real OpenTelemetry SDK become runs, whatever their order and company."""

from __future__ import annotations

import gzip
import itertools
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import zstandard
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.trace.status import StatusCode

from observatory.runs.models import Rejected, Run
from tests.otel import PROTOBUF, Recorder, encoded, json_bytes

pytestmark = pytest.mark.django_db
PATH = "/otel/v1/traces"


def post(api, body: bytes, kind: str = PROTOBUF, path: str = PATH, **headers: str) -> Any:
    return api.client.generic(
        "POST", path, body, content_type=kind, headers=headers, CONTENT_TYPE=kind
    )


def stored(answer: Any) -> ExportTraceServiceResponse:
    assert answer.status_code == 200, answer.content
    assert answer["content-type"] == PROTOBUF
    return ExportTraceServiceResponse.FromString(answer.content)


def an_agent(recorder: Recorder) -> None:
    """agent > (model call, tool > deep), ended children first."""
    with recorder.tracer.start_as_current_span("agent"):
        with recorder.tracer.start_as_current_span(
            "chat", attributes={"gen_ai.operation.name": "chat"}
        ):
            pass
        with (
            recorder.tracer.start_as_current_span("tool"),
            recorder.tracer.start_as_current_span("deep"),
        ):
            pass


def told() -> list[tuple[Any, ...]]:
    """Return what was stored: id, name, trace, parent and order of every run."""
    fields = ("id", "name", "trace_id", "parent_run_id", "dotted_order")
    return sorted(Run.objects.values_list(*fields), key=lambda row: row[1])


def test_a_trace_is_a_tree_of_runs(api) -> None:
    recorder = Recorder()
    an_agent(recorder)
    assert stored(post(api, encoded(recorder.spans))) == ExportTraceServiceResponse()
    runs = {run.name: run for run in Run.objects.all()}
    root = runs["agent"]
    trace = UUID(int=recorder.spans[0].context.trace_id)
    assert root.id == root.trace_id == trace
    assert {run.trace_id for run in runs.values()} == {trace}
    assert runs["chat"].parent_run_id == runs["tool"].parent_run_id == root.id
    assert runs["deep"].parent_run_id == runs["tool"].id
    assert runs["deep"].dotted_order.startswith(f"{runs['tool'].dotted_order}.")
    assert runs["deep"].dotted_order.endswith(str(runs["deep"].id))
    read = api.get(f"/runs/{runs['deep'].id}").json()
    assert read["parent_run_ids"] == [str(root.id), str(runs["tool"].id)]
    assert runs["chat"].run_type == "llm"
    assert root.project.name == "default"
    assert root.start_time == datetime.fromtimestamp(
        recorder.spans[-1].start_time // 1000 / 1e6, UTC
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_spans_one_by_one_in_any_order_end_as_the_whole_batch(api, order) -> None:
    recorder = Recorder()
    an_agent(recorder)
    for place in order:
        stored(post(api, encoded([recorder.spans[place]])))
    alone = told()
    stored(post(api, encoded(recorder.spans)))  # again, as a retry
    assert told() == alone
    Run.objects.all().delete()
    stored(post(api, encoded(recorder.spans)))
    assert told() == alone
    assert all(row[4] for row in alone)


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
def test_every_prefix_and_the_project_header(api, prefix) -> None:
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("one"):
        pass
    post(api, encoded(recorder.spans), path=prefix + PATH, **{"Langsmith-Project": "shop"})
    assert Run.objects.get().project.name == "shop"


@pytest.mark.parametrize("encode", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_compressed_body(api, encode) -> None:
    recorder = Recorder()
    an_agent(recorder)
    name = "gzip" if encode is gzip.compress else "zstd"
    stored(post(api, encode(encoded(recorder.spans)), **{"content-encoding": name}))
    assert Run.objects.count() == 4


def test_json_says_the_same_as_protobuf(api) -> None:
    recorder = Recorder()
    an_agent(recorder)
    with recorder.tracer.start_as_current_span(
        "odd", attributes={"n": 7, "f": 1.5, "b": True, "l": ["x", "y"], "s": "é"}
    ) as span:
        span.add_event("note", {"k": "v"})
    fields = ("id", "name", "parent_run_id", "metadata", "events", "start_time", "end_time")
    stored(post(api, encoded(recorder.spans)))
    by_protobuf = list(Run.objects.order_by("id").values_list(*fields))
    Run.objects.all().delete()
    answer = post(api, json_bytes(recorder.spans), "application/json; charset=utf-8")
    assert (answer.status_code, answer["content-type"]) == (200, "application/json")
    assert answer.json() == {}
    assert list(Run.objects.order_by("id").values_list(*fields)) == by_protobuf


def test_a_trace_whose_root_never_comes_is_one_trace_still(api) -> None:
    recorder = Recorder()
    remote = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    above = set_span_in_context(NonRecordingSpan(remote))
    start = recorder.tracer.start_as_current_span
    with start("entry", context=above), start("inner"):
        pass
    stored(post(api, encoded(recorder.spans)))
    inner, entry = Run.objects.get(name="inner"), Run.objects.get(name="entry")
    assert inner.trace_id == entry.trace_id == UUID(int=0xABC)
    assert inner.parent_run_id == entry.id
    assert api.get(f"/runs/{inner.id}").status_code == 200


def test_a_second_root_of_a_trace_costs_neither(api) -> None:
    recorder = Recorder()
    context = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    above = set_span_in_context(NonRecordingSpan(context))
    for name in ("first", "second"):
        with recorder.tracer.start_as_current_span(name, context=above):
            pass
    request = ExportTraceServiceRequest.FromString(encoded(recorder.spans))
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.parent_span_id = b""
    for _ in range(2):
        stored(post(api, request.SerializeToString()))
        first, second = Run.objects.get(name="first"), Run.objects.get(name="second")
        assert first.id == first.trace_id == second.trace_id == second.parent_run_id
        assert second.dotted_order == f"{first.dotted_order}.{second.dotted_order[-58:]}"


# One bad span -------------------------------------------------------------------------------------


def hostile() -> list[ExportTraceServiceRequest]:
    recorder = Recorder()
    for number in range(3):
        with recorder.tracer.start_as_current_span(f"good {number}"):
            pass
    return [ExportTraceServiceRequest.FromString(encoded([span])) for span in recorder.spans]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("harm", ["id", "utf8", "json", "session"])
def test_one_bad_span_costs_itself_only(api, place, harm) -> None:
    requests = hostile()
    bad = requests[place].resource_spans[0].scope_spans[0].spans[0]
    bad.name = "BADBADBAD"
    if harm == "id":
        bad.trace_id = b"short"
    elif harm == "session":
        bad.attributes.add(key="langsmith.trace.session_id").value.string_value = "no uuid"
    elif harm == "json":
        deep = "[" * 900 + "]" * 900
        bad.attributes.add(key="input.value").value.string_value = deep
    merged = ExportTraceServiceRequest()
    for request in requests:
        merged.resource_spans.extend(request.resource_spans)
    body = merged.SerializeToString()
    if harm == "utf8":
        body = body.replace(b"BADBADBAD", b"\xff" * 9)
    told = stored(post(api, body)).partial_success
    assert told.rejected_spans == 1
    assert told.error_message
    assert Run.objects.count() == 2
    kept = Rejected.objects.get()
    assert (kept.kind, kept.workspace) == ("span", api.workspace)
    assert bytes(kept.raw)
    assert kept.reason in told.error_message


def test_one_bad_span_of_json_costs_itself_only(api) -> None:
    recorder = Recorder()
    an_agent(recorder)
    sent = json.loads(json_bytes(recorder.spans))
    spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[0]["startTimeUnixNano"] = "yesterday"
    spans.append({"traceId": 7})
    answer = post(api, json.dumps(sent).encode(), "application/json")
    assert answer.status_code == 200
    partial = answer.json()["partialSuccess"]
    assert partial["rejectedSpans"] == "2"
    assert "startTimeUnixNano" in partial["errorMessage"]
    assert Run.objects.count() == 3


def test_nul_and_lone_surrogates_are_kept_as_replacements(api) -> None:
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("n\x00", attributes={"input.value": "a\x00b"}):
        pass
    stored(post(api, encoded(recorder.spans)))
    assert Run.objects.get().name == "n\ufffd"
    sent = json_bytes(recorder.spans).replace(b"a\\u0000b", b"\\ud800")
    assert post(api, sent, "application/json").json() == {}


KEYS = ["__proto__", "__class__", "{0.__class__}", "{{7*7}}", "a__b__startswith", "$ref", ""]


@pytest.mark.parametrize(
    "prefix", ["", "langsmith.metadata.", "gen_ai.prompt.0.", "gen_ai.request."]
)
def test_attribute_keys_are_data(api, prefix) -> None:
    recorder = Recorder()
    keys = [prefix + key for key in KEYS if prefix + key]
    with recorder.tracer.start_as_current_span("s", attributes=dict.fromkeys(keys, "v")):
        pass
    told = stored(post(api, encoded(recorder.spans)))
    assert told.partial_success.rejected_spans == 0
    run = Run.objects.get()
    for key in KEYS:
        if key:
            assert key.rpartition(".")[2] in f"{run.metadata}{run.inputs}{run.extra}"
    assert api.get(f"/runs/{run.id}").status_code == 200


# The envelope -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400),
        (b"\x0a\x7f", PROTOBUF, 400),
        (b"{", "application/json", 400),
        (b'{"resourceSpans": 7}', "application/json", 400),
        (b"x", "text/plain", 415),
        (b"", "", 415),
    ],
)
def test_an_invalid_envelope_is_a_status(api, body, kind, status) -> None:
    answer = post(api, body, kind)
    assert answer.status_code == status
    if kind == "application/json":
        assert set(answer.json()) == {"code", "message"}
        assert answer.json()["code"] == 3
    else:
        assert answer["content-type"] == PROTOBUF
        assert Status.FromString(answer.content).message
    assert not Run.objects.exists()
    assert not Rejected.objects.exists()


def test_an_empty_request_is_a_success(api) -> None:
    assert stored(post(api, b"")) == ExportTraceServiceResponse()
    assert post(api, b"{}", "application/json").json() == {}


def test_no_key_and_too_much_are_statuses(api, settings) -> None:
    answer = post(api, b"", **{"x-api-key": ""})
    assert (answer.status_code, Status.FromString(answer.content).code) == (401, 16)
    settings.INGEST_MAX_PART_BYTES = 10
    answer = post(api, b"\x00" * 11)
    assert answer.status_code == 413
    assert "10 bytes" in Status.FromString(answer.content).message


def test_an_error_and_its_events_are_kept(api) -> None:
    recorder = Recorder()
    with pytest.raises(ValueError), recorder.tracer.start_as_current_span("broken"):
        raise ValueError("no soup")
    with recorder.tracer.start_as_current_span("said") as span:
        span.set_status(StatusCode.ERROR, "upstream said no")
    with recorder.tracer.start_as_current_span("handled") as span:
        span.record_exception(ValueError("dealt with"))
        span.set_status(StatusCode.OK)
    stored(post(api, encoded(recorder.spans)))
    runs = {run.name: run for run in Run.objects.all()}
    assert runs["broken"].error.startswith("ValueError: no soup\n\nTraceback")
    assert runs["broken"].status == "error"
    assert runs["said"].error == "upstream said no"
    assert runs["handled"].error is None
    assert json.loads(runs["handled"].events)[0]["name"] == "exception"


def test_files_that_a_span_carries_are_attachments(api, settings, tmp_path) -> None:
    recorder = Recorder()
    file = [{"name": "a.wav", "content": "UklGRg==", "mime_type": "audio/wav"}]
    attributes = {"langsmith.attachments": json.dumps(file)}
    with recorder.tracer.start_as_current_span("voice", attributes=attributes):
        pass
    stored(post(api, encoded(recorder.spans)))
    run = Run.objects.get()
    read = api.get(f"/runs/{run.id}").json()
    assert "attachment.a.wav" in read["s3_urls"]
    assert "langsmith.attachments" not in run.metadata
