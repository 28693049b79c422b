"""Shapes that conventions allow, and the fixtures do not have."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from observatory.runs.ops import RunOp
from observatory.runs.otlp.mapping import map_span
from observatory.runs.otlp.spans import ERROR, Event, Span

SECOND = 10**9


def op(attributes: dict[str, Any], **fields: Any) -> RunOp:
    named: dict[str, Any] = {"name": "s", "start": SECOND, "end": 2 * SECOND, "parent_span_id": b""}
    ids = {"trace_id": bytes(range(16)), "span_id": bytes(range(8, 16))}
    return map_span(Span(**ids, **named | {"attributes": attributes} | fields)).op


def inputs(attributes: dict[str, Any], **fields: Any) -> Any:
    return orjson.loads(op(attributes, **fields).inputs or b"null")


def outputs(attributes: dict[str, Any], **fields: Any) -> Any:
    return orjson.loads(op(attributes, **fields).outputs or b"null")


def details(attributes: dict[str, Any]) -> Any:
    return orjson.loads(op(attributes).usage_details or b"null")


# Messages -----------------------------------------------------------------------------------------


def parts(*sent: dict[str, Any], role: str = "user", **more: Any) -> dict[str, Any]:
    message = {"role": role, "parts": list(sent), **more}
    return {"gen_ai.input.messages": json.dumps([message])}


def response(identity: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_call_response", "id": identity, "response": content, **more}


def test_answers_to_several_calls_in_one_message_keep_their_ids() -> None:
    sent = parts(response("a", "1", name="f"), response("b", {"x": 2}), response("c", '{"x": 3}'))
    assert inputs(sent)["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1", "name": "f"},
        {"role": "tool", "tool_call_id": "b", "content": {"x": 2}},
        {"role": "tool", "tool_call_id": "c", "content": '{"x": 3}'},
    ]


def test_content_between_tool_results_keeps_its_position() -> None:
    text = {"type": "text", "content": "And now?"}
    sent = parts(response("a", "1"), text, response("b", "2"), name="ada")
    assert inputs(sent)["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "user", "content": "And now?", "name": "ada"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]


def test_parts_of_other_kinds_and_their_fields_are_blocks() -> None:
    image = {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"}
    thought = {"type": "reasoning", "content": "Hm.", "id": "r1", "signature": "sig"}
    text = {"type": "text", "content": '{"a": 1}'}
    sent = parts(thought, text, image, {"type": "text", "content": "b"}, role="assistant")
    assert inputs(sent)["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "id": "r1", "signature": "sig"},
        {"type": "text", "text": '{"a": 1}'},
        image,
        {"type": "text", "text": "b"},
    ]


def test_a_tool_call_keeps_its_text() -> None:
    made = {"type": "tool_call", "id": "a", "name": "f", "arguments": {"n": 1}, "builtin": True}
    (message,) = inputs(parts(made, role="assistant", finish_reason="stop"))["messages"]
    assert message["finish_reason"] == "stop"
    assert message["tool_calls"] == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "f", "arguments": '{"n":1}'},
            "builtin": True,
        }
    ]


LIKE_JSON = ['{"a": 1}', "[1, 2]", '[{"a": 1}]', "18", '"quoted"', "true", "null"]


@pytest.mark.parametrize("text", LIKE_JSON)
def test_a_text_stays_a_text_in_every_spelling_of_a_message(text) -> None:
    event = Event("gen_ai.user.message", SECOND, {"content": text, "name": "ada"})
    choice = Event("gen_ai.choice", SECOND, {"message": json.dumps({"content": text})})
    body = Event(
        "gen_ai.user.message", SECOND, {"gen_ai.event.content": json.dumps({"content": text})}
    )
    listed = json.dumps([{"event.name": "gen_ai.user.message", "content": text}])
    sent = [
        inputs(parts({"type": "text", "content": text}))["messages"],
        inputs({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": text})["messages"],
        inputs({"llm.input_messages.0.message.content": text})["messages"],
        inputs({}, events=[event])["messages"],
        inputs({}, events=[body])["messages"],
        outputs({}, events=[choice])["messages"],
        outputs({"ai.response.text": text})["messages"],
        inputs({"all_messages_events": listed})["messages"],
    ]
    assert [message["content"] for (message,) in sent] == [text] * len(sent)
    assert sent[3][0]["name"] == "ada"


def test_blocks_that_a_text_spells_are_blocks() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]
    sent = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": json.dumps(blocks)}
    assert inputs(sent)["messages"] == [{"role": "user", "content": blocks}]


def test_a_tool_that_openinference_names_twice_is_one_call() -> None:
    prefix = "llm.output_messages.0.message"
    call = {"id": "a", "function.name": "f", "function.arguments": "{}"}
    sent = {f"{prefix}.role": "assistant", f"{prefix}.contents.0.message_content.type": "tool_use"}
    for place in ("tool_calls.0", "contents.0"):
        sent |= {f"{prefix}.{place}.tool_call.{name}": value for name, value in call.items()}
    (message,) = outputs(sent)["messages"]
    assert [made["id"] for made in message["tool_calls"]] == ["a"]
    assert message["content"] == ""


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize(
    ("text", "mime_type", "is_openinference", "told"),
    [
        ('{"a": 1}', "text/plain", True, '{"a": 1}'),
        ('{"a": 1}', "text/plain", False, '{"a": 1}'),
        ('{"a": 1}', None, True, '{"a": 1}'),
        ('{"a": 1}', "application/json", True, {"a": 1}),
        ('"a"', "application/json", True, "a"),
        ("18", "application/json", True, 18),
        ("18", None, True, "18"),
        ("[1]", "application/json; charset=utf-8", False, [1]),
        ("{no", "application/json", True, "{no"),
    ],
)
def test_openinference_says_what_is_json(side, text, mime_type, is_openinference, told) -> None:
    sent = {f"{side}.value": text, f"{side}.mime_type": mime_type}
    if is_openinference:
        sent["openinference.span.kind"] = "CHAIN"
    found = inputs(sent) if side == "input" else outputs(sent)
    assert found == (told if isinstance(told, dict) else {side: told})


@pytest.mark.parametrize(
    "key", ["traceloop.entity.output", "mlflow.spanOutputs", "ai.toolCall.result"]
)
@pytest.mark.parametrize("value", ["18", '{"a": 1}', 18, 1.5, True, [1], {"a": 1}])
def test_json_attributes_are_decoded_once(key, value) -> None:
    told = outputs({key: json.dumps(value)})
    assert told == (value if isinstance(value, dict) else {"output": value})


def test_the_older_adk_s_request_and_answer_are_messages() -> None:
    call = {"id": "a", "name": "f", "args": {"n": 1}}
    request = {
        "model": "gemini-2.5-flash",
        "config": {"system_instruction": "Be brief.", "tools": []},
        "contents": [
            {"role": "user", "parts": [{"text": "Why?"}]},
            {"role": "model", "parts": [{"function_call": call}]},
            {"role": "user", "parts": [{"function_response": {"id": "a", "name": "f", "response": {"r": 2}}}]},
        ],
    }  # fmt: skip
    answer = {"content": {"role": "model", "parts": [{"text": "So."}]}, "finish_reason": "STOP"}
    sent = {
        "gcp.vertex.agent.llm_request": json.dumps(request),
        "gcp.vertex.agent.llm_response": json.dumps(answer),
        "gcp.vertex.agent.session_id": "thread-7",
        "gen_ai.system": "gcp.vertex.agent",
        "gen_ai.request.model": "gemini-2.5-flash",
    }
    run = op(sent)
    assert run.run_type == "llm"
    told = inputs(sent)["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "tool"]
    assert told[2]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"n":1}'}
    assert told[3] == {"role": "tool", "tool_call_id": "a", "content": {"r": 2}, "name": "f"}
    assert outputs(sent)["messages"] == [{"role": "assistant", "content": "So."}]
    assert run.metadata["session_id"] == b'"thread-7"'
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gcp.vertex.agent.llm_request": "{}",
        "gcp.vertex.agent.llm_response": "{}",
        "gcp.vertex.agent.tool_call_args": '{"n": 1}',
        "gcp.vertex.agent.tool_response": '{"r": 2}',
    }
    assert (inputs(tool), outputs(tool)) == ({"n": 1}, {"r": 2})


def test_logfire_of_2025_and_a_completion_of_texts() -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "Why?"}]}
    answer = {"message": {"role": "assistant", "content": "So."}, "usage": {"total_tokens": 3}}
    sent = {"request_data": json.dumps(request), "response_data": json.dumps(answer)}
    assert inputs(sent) == request
    assert outputs(sent)["messages"] == [answer["message"]]
    texts = {"llm.prompts.0.prompt.text": "Why?", "llm.choices.0.completion.text": "So."}
    assert (inputs(texts), outputs(texts)) == ({"prompts": ["Why?"]}, {"completions": ["So."]})


def test_a_structured_result_of_pydantic_ai_is_read_and_a_text_is_not() -> None:
    def run(result: str, *said: dict[str, Any]) -> Any:
        asked = {"role": "user", "parts": [{"type": "text", "content": "Why?"}]}
        answer = {"role": "assistant", "parts": list(said)}
        sent = {"pydantic_ai.all_messages": json.dumps([asked, answer]), "final_result": result}
        assert inputs(sent) == {"messages": [{"role": "user", "content": "Why?"}]}
        return outputs(sent)["output"]

    text = '{"sky": "sunny"}'
    assert run(text, {"type": "text", "content": text}) == text
    call = {"type": "tool_call", "id": "a", "name": "final_result", "arguments": text}
    assert run(text, call) == {"sky": "sunny"}


# Figures and errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"gen_ai.usage.cache_write.input_tokens": 3}, {"prompt": {"cache_creation": 3}}),
        ({"gen_ai.usage.cache_creation.input_tokens": 3}, {"prompt": {"cache_creation": 3}}),
        ({"gen_ai.usage.cache_read.input_tokens": "3"}, {"prompt": {"cache_read": 3}}),
        ({"gen_ai.usage.audio.input_tokens": 3}, {"prompt": {"audio": 3}}),
        ({"gen_ai.usage.audio.output_tokens": 3}, {"completion": {"audio": 3}}),
        ({"gen_ai.usage.reasoning.output_tokens": 3}, {"completion": {"reasoning": 3}}),
        ({"gen_ai.usage.image.output_tokens": 3}, {"completion": {"image": 3}}),
        ({"gen_ai.usage.details.reasoning_tokens": 3}, {"completion": {"reasoning": 3}}),
        ({"gen_ai.usage.details.cache_write_tokens": 3}, {"prompt": {"cache_creation": 3}}),
        ({"gen_ai.usage.details.input_audio_tokens": 3}, {"prompt": {"audio": 3}}),
        (
            {"gen_ai.aggregated_usage.cache_write.input_tokens": 3},
            {"prompt": {"cache_creation": 3}},
        ),
        ({"gen_ai.usage.cache_read_input_tokens": 3}, {"prompt": {"cache_read": 3}}),
        ({"gen_ai.usage.reasoning_tokens": 3}, {"completion": {"reasoning": 3}}),
        ({"llm.usage.cache_creation_input_tokens": 3}, {"prompt": {"cache_creation": 3}}),
        ({"llm.token_count.prompt_details.cache_write": 3}, {"prompt": {"cache_creation": 3}}),
        ({"llm.token_count.prompt_details.video": 3}, {"prompt": {"video": 3}}),
        ({"llm.token_count.completion_details.audio": 3}, {"completion": {"audio": 3}}),
        ({"ai.usage.cachedInputTokens": 3}, {"prompt": {"cache_read": 3}}),
        ({"ai.usage.reasoningTokens": 3}, {"completion": {"reasoning": 3}}),
        ({"ai.usage.inputTokenDetails.cacheWriteTokens": 3}, {"prompt": {"cache_creation": 3}}),
        (
            {"mlflow.chat.tokenUsage": '{"cache_read_input_tokens": 3}'},
            {"prompt": {"cache_read": 3}},
        ),
        (
            {"langfuse.observation.usage_details": '{"output_reasoning_tokens": 3}'},
            {"completion": {"reasoning": 3}},
        ),
        (
            {"gen_ai.usage.raw": '{"input_tokens_details": {"cached_tokens": 3}}'},
            {"prompt": {"cache_read": 3}},
        ),
    ],
)
def test_every_spelling_of_a_detail_is_counted(sent, told) -> None:
    assert details(sent) == {f"{side}_token_details": names for side, names in told.items()}


def test_costs_and_their_details_are_kept() -> None:
    run = op({"llm.cost.prompt_details.cache_read": 0.5, "llm.cost.prompt": 1.5})
    assert orjson.loads(run.usage_details or b"") == {"prompt_cost_details": {"cache_read": 0.5}}
    assert float(run.prompt_cost or 0) == 1.5
    assert float(op({"operation.cost": 0.25}).total_cost or 0) == 0.25


@pytest.mark.parametrize(
    ("attributes", "message", "told"),
    [
        ({"error.type": "timeout"}, "", "timeout"),
        ({"error.type": "timeout"}, "Too slow", "Too slow"),
        ({"exception.type": "E", "exception.message": "m"}, "", "E: m"),
        ({"langfuse.observation.status_message": "Not quite"}, "", "Not quite"),
        ({}, "", "Error"),
    ],
)
def test_errors_are_named(attributes, message, told) -> None:
    assert op(attributes, status=ERROR, status_message=message).error == told


def test_requested_and_responding_model_are_both_named() -> None:
    told = op({"gen_ai.request.model": "a", "gen_ai.response.model": "b"}).metadata
    assert (told["ls_model_name"], told["ls_response_model"]) == (b'"a"', b'"b"')
    alone = op({"gen_ai.request.model": "a", "gen_ai.response.model": "a"}).metadata
    assert "ls_response_model" not in alone


def test_contradictory_attributes_are_both_kept() -> None:
    told = op(
        {"user.id": "ada", "enduser.id": "grace", "gen_ai.system": "x", "llm.system": "x"}
    ).metadata
    assert (told["user_id"], told["enduser.id"]) == (b'"ada"', b'"grace"')
    assert told["ls_provider"] == b'"x"'
    assert "llm.system" not in told
