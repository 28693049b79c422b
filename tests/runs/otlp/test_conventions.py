"""What attributes mean: the same call in each convention, and whatever else they may hold."""

from __future__ import annotations

import base64
import json
import string
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from observatory.runs.documents import BadItem
from observatory.runs.otlp import jsonform, protobuf
from observatory.runs.otlp.mapping import map_span, run_id
from observatory.runs.otlp.spans import Event, Span, Unreadable

TRACE, SPAN, PARENT = bytes(range(16)), bytes(range(8, 16)), bytes(range(16, 24))
SECOND = 10**9


def attempt(work: Any) -> Any:
    """Return what `work` returns, None if it says why not."""
    try:
        return work()
    except BadItem as bad:
        if not bad.reason:
            raise
        return None


def span(attributes: dict[str, Any] | None = None, **fields: Any) -> Span:
    named = {"trace_id": TRACE, "span_id": SPAN, "parent_span_id": b"", "name": "s"}
    return Span(
        **named | {"start": SECOND, "end": 2 * SECOND, "attributes": attributes or {}} | fields
    )


def op(attributes: dict[str, Any] | None = None, **fields: Any) -> Any:
    return map_span(span(attributes, **fields)).op


def inputs(attributes: dict[str, Any], **fields: Any) -> Any:
    return orjson.loads(op(attributes, **fields).inputs or b"null")


def outputs(attributes: dict[str, Any], **fields: Any) -> Any:
    return orjson.loads(op(attributes, **fields).outputs or b"null")


def metadata(attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {key: orjson.loads(raw) for key, raw in op(attributes, **fields).metadata.items()}


def flattened(value: Any, prefix: str) -> dict[str, Any]:
    """Return `value` as attributes with dotted keys."""
    if isinstance(value, list):
        value = {str(place): one for place, one in enumerate(value)}
    if isinstance(value, dict):
        return {
            k: v for key, one in value.items() for k, v in flattened(one, f"{prefix}.{key}").items()
        }
    return {prefix: value}


QUESTION, ANSWER = "What is 6 x 7?", "42"
TRACELOOP = {
    **flattened([{"role": "user", "content": QUESTION}], "gen_ai.prompt"),
    **flattened(
        [{"role": "assistant", "content": ANSWER, "finish_reason": "stop"}], "gen_ai.completion"
    ),
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.prompt_tokens": 5,
    "gen_ai.usage.completion_tokens": 2,
    "llm.usage.total_tokens": 7,
    "llm.request.type": "chat",
}
OPENINFERENCE = {
    **flattened([{"message": {"role": "user", "content": QUESTION}}], "llm.input_messages"),
    **flattened([{"message": {"role": "assistant", "content": ANSWER}}], "llm.output_messages"),
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o",
    "llm.system": "openai",
    "llm.token_count.prompt": 5,
    "llm.token_count.completion": 2,
    "llm.token_count.total": 7,
    "input.value": "the request",
    "output.value": "the response",
}
NEWER = {
    "gen_ai.input.messages": json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    ),
    "gen_ai.output.messages": json.dumps(
        [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": ANSWER}],
                "finish_reason": "stop",
            }
        ]
    ),
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.usage.output_tokens": 2,
}
LANGSMITH = {
    "gen_ai.prompt": json.dumps({"messages": [{"role": "user", "content": QUESTION}]}),
    "gen_ai.completion": json.dumps({"messages": [{"role": "assistant", "content": ANSWER}]}),
    "langsmith.span.kind": "llm",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.usage.output_tokens": 2,
    "gen_ai.usage.total_tokens": 7,
}


@pytest.mark.parametrize(
    "attributes",
    [TRACELOOP, OPENINFERENCE, NEWER, LANGSMITH],
    ids=["traceloop", "openinference", "newer", "langsmith"],
)
def test_one_call_reads_alike_in_every_convention(attributes) -> None:
    run = op(attributes)
    assert run.run_type == "llm"
    (question,) = orjson.loads(run.inputs)["messages"]
    (answer,) = orjson.loads(run.outputs)["messages"]
    assert (question["role"], question["content"]) == ("user", QUESTION)
    assert (answer["role"], answer["content"]) == ("assistant", ANSWER)
    assert (run.prompt_tokens, run.completion_tokens, run.total_tokens) == (5, 2, 7)
    told = metadata(attributes)
    assert told["ls_model_name"] == "gpt-4o"
    assert told["ls_provider"].lower() == "openai"


def test_messages_in_span_events_of_the_older_convention() -> None:
    events = [
        Event("gen_ai.system.message", SECOND, {"content": "Be brief."}),
        Event("gen_ai.user.message", SECOND, {"content": QUESTION}),
        Event(
            "gen_ai.choice",
            SECOND,
            {"index": 0, "message": json.dumps({"content": ANSWER}), "finish_reason": "stop"},
        ),
    ]
    run = op({"gen_ai.operation.name": "chat"}, events=events)
    assert [m["role"] for m in orjson.loads(run.inputs)["messages"]] == ["system", "user"]
    (answer,) = orjson.loads(run.outputs)["messages"]
    assert (answer["role"], answer["content"], answer["finish_reason"]) == (
        "assistant",
        ANSWER,
        "stop",
    )
    assert run.events is None  # they are the inputs and outputs, not repeated


def test_contents_in_one_event() -> None:
    events = [
        Event(
            "gen_ai.content.prompt",
            SECOND,
            {"gen_ai.prompt": json.dumps([{"role": "user", "content": QUESTION}])},
        ),
        Event("gen_ai.content.completion", SECOND, {"gen_ai.completion": ANSWER}),
    ]
    assert inputs({}, events=events) == {"input": [{"role": "user", "content": QUESTION}]}
    assert outputs({}, events=events) == {"output": ANSWER}
    details = [Event("gen_ai.client.inference.operation.details", SECOND, NEWER)]
    assert inputs({}, events=details) == inputs(NEWER)


def test_tool_calls_in_every_convention() -> None:
    call = {"id": "c1", "name": "add", "arguments": '{"a": 1}'}
    traceloop = flattened(
        [{"role": "assistant", "content": "", "tool_calls": [call]}], "gen_ai.completion"
    )
    function = {"function": {"name": "add", "arguments": '{"a": 1}'}, "id": "c1"}
    openinference = flattened(
        [{"message": {"role": "assistant", "tool_calls": [{"tool_call": function}]}}],
        "llm.output_messages",
    )
    newer = {
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "tool_call", "id": "c1", "name": "add", "arguments": '{"a": 1}'}
                ],
            }
        ]
    }
    for attributes in (traceloop, openinference, newer):
        (message,) = outputs(attributes)["messages"]
        assert message["tool_calls"] == [
            {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
        ]
    answered = {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": "c1", "response": {"sum": 2}}],
    }
    (message,) = inputs({"gen_ai.input.messages": [answered]})["messages"]
    assert (message["role"], message["tool_call_id"], message["content"]) == (
        "tool",
        "c1",
        {"sum": 2},
    )


def test_system_instructions_come_first() -> None:
    rules = {"gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}])}
    assert [m["content"] for m in inputs({**NEWER, **rules})["messages"]] == ["Be brief.", QUESTION]


@pytest.mark.parametrize(
    ("attributes", "run_type"),
    [
        ({}, "chain"),
        ({"langsmith.span.kind": "Parser", "openinference.span.kind": "LLM"}, "parser"),
        ({"openinference.span.kind": "RETRIEVER"}, "retriever"),
        ({"openinference.span.kind": "AGENT"}, "chain"),
        ({"traceloop.span.kind": "tool"}, "tool"),
        ({"traceloop.span.kind": "workflow"}, "chain"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "invoke_agent"}, "chain"),
        ({"gen_ai.tool.name": "search"}, "tool"),
        ({"gen_ai.request.model": "m"}, "llm"),
        ({"ai.operationId": "ai.streamText.doStream"}, "llm"),
        ({"openinference.span.kind": 7}, "chain"),
    ],
)
def test_run_types(attributes, run_type) -> None:
    assert op(attributes).run_type == run_type


def test_a_retriever_s_documents_are_langchain_s() -> None:
    found = [{"document": {"content": "c", "id": "1", "score": 0.5, "metadata": '{"page": 2}'}}]
    attributes = {"input.value": "q", **flattened(found, "retrieval.documents")}
    assert inputs(attributes) == {"input": "q"}
    assert outputs(attributes)["documents"] == [
        {"page_content": "c", "metadata": {"page": 2, "id": "1", "score": 0.5}, "type": "Document"}
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("plain", {"input": "plain"}),
        ('{"a": 1}', {"a": 1}),
        ("[1]", {"input": [1]}),
        ("{no", {"input": "{no"}),
        (7, {"input": 7}),
    ],
)
def test_a_value_is_an_object_or_goes_under_a_name(value, told) -> None:
    for key in (
        "input.value",
        "traceloop.entity.input",
        "gen_ai.prompt",
        "gen_ai.tool.call.arguments",
    ):
        assert inputs({key: value}) == told


def test_json_sent_as_bytes_is_read_and_other_words_stay() -> None:
    for said in ({"q": "6 x 7?"}, {}):
        sent = base64.b64encode(json.dumps(said).encode()).decode()
        assert inputs({"gen_ai.prompt": sent}) == said
    for words in ("eyJ is how it starts", "eyJh", "eyJhIjog"):
        assert inputs({"gen_ai.prompt": words}) == {"input": words}
        assert outputs({"gen_ai.completion": words}) == {"output": words}


def test_metadata_tags_project_and_the_rest() -> None:
    attributes = {
        "langsmith.metadata.thread_id": "t1",
        "langsmith.metadata.list": "[1, 2]",
        "traceloop.association.properties.customer": "c9",
        "metadata": '{"tenant": "x"}',
        "session.id": "s1",
        "user.id": "u1",
        "http.route": "/ask",
        "langsmith.span.tags": "a, b",
        "tag.tags": ["c"],
        "langsmith.trace.name": "named",
        "langsmith.trace.session_name": "shop",
        "gen_ai.request.temperature": 0.5,
        "langsmith.reference_example_id": "0190f1a2-0000-7000-8000-000000000001",
    }
    run = op(attributes, resource={"service.name": "svc"})
    told = metadata(attributes, resource={"service.name": "svc"})
    assert told | {
        "thread_id": "t1", "list": [1, 2], "customer": "c9", "tenant": "x", "session_id": "s1", "user_id": "u1",
        "http.route": "/ask", "service.name": "svc", "ls_temperature": 0.5, "OTEL_TRACE_ID": TRACE.hex(),
        "OTEL_SPAN_ID": SPAN.hex(),
    } == told  # fmt: skip
    assert run.tags == ["a", "b", "c"]
    assert (run.name, run.session_name) == ("named", "shop")
    assert orjson.loads(run.extra)["invocation_params"] == {"temperature": 0.5}
    assert str(run.reference_example_id) == attributes["langsmith.reference_example_id"]


def test_usage_details_and_costs() -> None:
    run = op(
        {
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": "4",
            "gen_ai.usage.cache_read.input_tokens": 3,
            "llm.token_count.completion_details.reasoning": 1,
            "llm.cost.total": 0.25,
        }
    )
    assert (run.prompt_tokens, run.completion_tokens, run.total_tokens, float(run.total_cost)) == (
        10,
        4,
        14,
        0.25,
    )
    assert orjson.loads(run.usage_details) == {
        "prompt_token_details": {"cache_read": 3},
        "completion_token_details": {"reasoning": 1},
    }
    whole = op(
        {
            "gen_ai.usage.input_tokens": 10,
            "langsmith.usage_metadata": '{"input_tokens": 1, "output_tokens": 2}',
        }
    )
    assert (whole.prompt_tokens, whole.completion_tokens) == (1, 2)
    python = op(
        {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.input_token_details": "{'cache_read': 1}"}
    )
    assert orjson.loads(python.usage_details) == {"prompt_token_details": {"cache_read": 1}}


def test_first_token_time() -> None:
    run = op(events=[Event("gen_ai.content.chunk", SECOND + 500_000_000, {})])
    assert run.first_token_time.microsecond == 500_000


# Ids ----------------------------------------------------------------------------------------------


def test_ids_derive_from_the_spans_by_default() -> None:
    assert op().id == op().trace_id == UUID(bytes=TRACE)
    child = map_span(span(parent_span_id=PARENT)).op
    assert child.id == run_id(TRACE, SPAN)
    assert (child.parent_run_id, child.trace_id) == (run_id(TRACE, PARENT), UUID(bytes=TRACE))
    own, trace = "0190f1a2-0000-7000-8000-00000000000a", "0190f1a2-0000-7000-8000-00000000000b"
    order = f"20260101T000000000000Z{trace}.20260101T000001000000Z{own}"
    for attributes in (
        {"langsmith.span.dotted_order": order},
        {"langsmith.span.id": own, "langsmith.trace.id": trace, "langsmith.span.parent_id": trace},
    ):
        said = map_span(span(attributes, parent_span_id=PARENT)).op
        assert (str(said.id), str(said.trace_id), str(said.parent_run_id)) == (own, trace, trace)


def test_a_span_of_the_javascript_sdk_has_the_id_its_caller_knows() -> None:
    root = op({"langsmith.traceable": "true", "langsmith.is_root": True}, parent_span_id=PARENT)
    assert str(root.id) == "00000000-0000-0000-0809-0a0b0c0d0e0f"
    assert root.trace_id == root.id
    parent = "00000000-0000-0000-1011-121314151617"
    child = map_span(
        span(
            {"langsmith.traceable": "true", "langsmith.span.parent_id": parent},
            parent_span_id=PARENT,
        )
    ).op
    assert str(child.parent_run_id) == parent


@pytest.mark.parametrize("field", ["trace_id", "span_id"])
@pytest.mark.parametrize("value", [b"", b"\x00" * 16, b"x"])
def test_invalid_ids_are_refused(field, value) -> None:
    with pytest.raises(BadItem):
        map_span(span(**{field: value[:8] if field == "span_id" else value}))


# Whatever comes -----------------------------------------------------------------------------------

WORDS = [
    *(
        "gen_ai",
        "prompt",
        "completion",
        "usage",
        "input",
        "output",
        "messages",
        "llm",
        "value",
        "langsmith",
    ),
    *(
        "metadata",
        "span",
        "trace",
        "id",
        "parent_id",
        "kind",
        "tags",
        "0",
        "1",
        "message",
        "role",
        "content",
    ),
    *(
        "tool_calls",
        "document",
        "retrieval",
        "documents",
        "request",
        "attachments",
        "session_id",
        "dotted_order",
    ),
    *(
        "input_tokens",
        "token_count",
        "openinference",
        "traceloop",
        "entity",
        "tool",
        "definitions",
        "__class__",
        "",
    ),
]
keys = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(".".join) | st.text(max_size=20)
jsons = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=8,
)
values = jsons | jsons.map(lambda value: json.dumps(value)) | st.text(string.printable, max_size=40)
attribute_sets = st.dictionaries(keys, values, max_size=12)
event_lists = st.lists(
    st.builds(
        Event,
        st.sampled_from(
            ["gen_ai.choice", "gen_ai.user.message", "gen_ai.content.prompt", "exception", "x"]
        ),
        st.integers(0, 2**64 - 1),
        attribute_sets,
    ),
    max_size=3,
)


@given(
    attribute_sets,
    event_lists,
    attribute_sets,
    st.text(max_size=10),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.sampled_from([b"", PARENT, TRACE[:8], SPAN]),
    st.integers(-3, 9),
)
@settings(max_examples=400, deadline=None)
def test_a_span_of_any_attributes_is_a_run_or_set_aside(
    attributes, events, resource, name, start, end, parent, status
) -> None:
    sent = span(
        attributes, events=events, resource=resource, name=name, start=start, end=end,
        parent_span_id=parent, status=status, kind=status,
    )  # fmt: skip
    mapped = attempt(lambda: map_span(sent))
    if mapped is None:
        return
    again = map_span(sent)
    assert mapped.op == again.op
    for document in (mapped.op.inputs, mapped.op.outputs, mapped.op.extra):
        assert document is None or isinstance(orjson.loads(document), dict)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_spans_or_refused(body) -> None:
    for read in (protobuf.read, jsonform.read):
        found = attempt(lambda read=read: list(read(body)))
        assert found is None or all(isinstance(one, Span | Unreadable) for one in found)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_request_never_breaks_the_reader(data) -> None:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "svc"
    scoped = resource.scope_spans.add()
    for number in range(3):
        one = scoped.spans.add(trace_id=TRACE, span_id=bytes([number + 1] * 8), name=f"n{number}")
        one.attributes.add(key="input.value").value.string_value = "v"
    body = bytearray(request.SerializeToString())
    assert [s.name for s in protobuf.read(bytes(body)) if isinstance(s, Span)] == ["n0", "n1", "n2"]
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    found = attempt(lambda: list(protobuf.read(bytes(body))))
    for one in found or ():
        mapped = attempt(lambda one=one: map_span(one)) if isinstance(one, Span) else None
        assert mapped is None or mapped.op.raw == one.raw
