"""What a dataset's transformations make of documents, and how messages and tools are read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.load import dumpd
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
)
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from datasets_app import messages, transformations
from datasets_app.transformations import BadTransformation, applied, parsed

MESSAGE = {"$ref": "https://api.smith.langchain.com/public/schemas/v1/message.json"}
CHAT = {
    "type": "object",
    "properties": {
        "messages": {"type": "array", "items": MESSAGE},
        "tools": {"type": "array"},
    },
    "required": ["messages"],
}
ANSWER = {"type": "object", "properties": {"message": MESSAGE}, "required": ["message"]}


def steps(*given: tuple[str, ...]):
    return parsed([{"transformation_type": kind, "path": path.split(".")} for kind, path in given])


def after(document, side, *given, **more):
    return json.loads(applied(json.dumps(document), side, steps(*given), **more))


CONVERSATION = [
    SystemMessage("Be kind"),
    HumanMessage([{"type": "text", "text": "Weather"}, {"type": "text", "text": "in Ulm?"}]),
    AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Ulm"}, "id": "c1"}]),
    ToolMessage("rain", tool_call_id="c1"),
    AIMessage("It rains."),
]


def test_traced_messages_convert_as_langchain_itself_does() -> None:
    expected = convert_to_openai_messages(CONVERSATION)
    constructed = [dumpd(message) for message in CONVERSATION]
    assert messages.messages(constructed) == expected
    assert messages.messages([constructed]) == expected  # a batch of one
    assert messages.messages(expected) == expected  # converting twice is converting once
    plain = [{"type": m.type, "content": m.content} for m in CONVERSATION[:2]]
    assert messages.messages(plain) == expected[:2]
    old = [{"type": m.type, "data": {"content": m.content}} for m in CONVERSATION[:2]]
    assert messages.messages(old) == expected[:2]
    assert messages.messages([["human", "hi"]]) == [{"role": "user", "content": "hi"}]


def test_blocks_of_other_makers_become_calls_results_and_images() -> None:
    found = messages.messages(
        [
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see"},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Ulm"}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                    }
                ],
            },
        ]
    )
    assert found is not None
    assert found[0]["content"] == "Let me see"
    assert found[0]["tool_calls"] == [
        {
            "type": "function",
            "id": "c1",
            "function": {"name": "weather", "arguments": '{"city": "Ulm"}'},
        }
    ]
    assert found[1] == {"role": "tool", "content": "rain", "tool_call_id": "c1"}
    [image] = found[2]["content"]
    assert image["image_url"]["url"] == "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    "value",
    [None, 3, {}, [], [1], {"role": "ghost", "content": "x"}, {"role": "user", "content": 4}, [[]]],
)
def test_messages_returns_none_for_non_messages(value) -> None:
    assert messages.messages(value) is None


def test_required_messages_are_taken_from_where_models_are_traced() -> None:
    convert = ("convert_to_openai_message", "inputs.messages")
    asked = {"input": [dumpd(HumanMessage("hi"))], "temperature": 0}
    assert after(asked, "inputs", convert, schema=CHAT) == {
        "temperature": 0,
        "messages": [{"role": "user", "content": "hi"}],
    }
    optional = {**CHAT, "required": []}
    assert after(asked, "inputs", convert, schema=optional) == asked

    answered = ("convert_to_openai_message", "outputs.message")
    expected = {"message": {"role": "assistant", "content": "It rains."}}
    message = CONVERSATION[-1]
    for document in (
        {"generations": [[{"text": "It rains.", "message": dumpd(message)}]]},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "It rains."}}]},
        {"output": {"role": "assistant", "content": "It rains."}},
        {"messages": [dumpd(one) for one in CONVERSATION]},
        {"role": "assistant", "content": "It rains."},
        {"message": "It rains."},
    ):
        assert after(document, "outputs", answered, schema=ANSWER) == expected


def test_system_messages_and_extra_fields_are_removed_after_messages_were_converted() -> None:
    document = {"model": "m1", "input": [dumpd(message) for message in CONVERSATION[:2]]}
    told = after(
        document,
        "inputs",
        ("remove_extra_fields", "inputs"),  # given first, applied last
        ("remove_system_messages", "inputs.messages"),
        ("convert_to_openai_message", "inputs.messages"),
        schema=CHAT,
    )
    assert told == {"messages": [{"role": "user", "content": "Weather\nin Ulm?"}]}


def test_paths_lead_through_lists_and_references() -> None:
    schema = {
        "$defs": {"turn": {"properties": {"said": {"type": "array"}}}},
        "properties": {"turns": {"type": "array", "items": {"$ref": "#/$defs/turn"}}},
    }
    document = {"turns": [{"said": [["system", "x"], ["human", "y"]], "id": 1}, {"said": []}]}
    told = after(
        document,
        "inputs",
        ("remove_system_messages", "inputs.turns.said"),
        ("remove_extra_fields", "inputs.turns"),
        schema=schema,
    )
    assert told == {"turns": [{"said": [["human", "y"]]}, {"said": []}]}


def test_tools_are_converted_or_taken_from_the_run() -> None:
    @tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    expected = convert_to_openai_tool(weather)
    function = expected["function"]
    anthropic = {
        "name": "weather",
        "description": function["description"],
        "input_schema": function["parameters"],
    }
    bedrock = {
        "toolSpec": {
            "name": "weather",
            "description": function["description"],
            "inputSchema": {"json": function["parameters"]},
        }
    }
    convert = ("convert_to_openai_tool", "inputs.tools")
    for given_ in (expected, function, anthropic, bedrock):
        assert after({"tools": [given_]}, "inputs", convert) == {"tools": [expected]}
    tools = messages.tools_of_run({"functions": [function]})
    assert after({"q": 1}, "inputs", convert, tools=tools) == {"q": 1, "tools": [expected]}
    extract = ("extract_tools_from_run", "inputs.tools")
    assert after({"q": 1}, "inputs", extract, tools=tools) == {"q": 1, "tools": [expected]}
    own = {"tools": [{"mine": 1}]}
    assert after(own, "inputs", extract, tools=tools) == own
    assert after({"q": 1}, "inputs", extract) == {"q": 1}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "must be an array"),
        ([3], r"\[0\].transformation_type: one of"),
        ([{"transformation_type": "shout", "path": ["inputs"]}], "transformation_type"),
        ([{"transformation_type": "remove_extra_fields"}], r"\[0\].path: must be an array"),
        ([{"transformation_type": "remove_extra_fields", "path": ["a"]}], "must begin with inputs"),
    ],
)
def test_an_invalid_list_of_transformations_is_refused_by_position(value, words) -> None:
    with pytest.raises(BadTransformation, match=words):
        parsed(value)


KEYS = st.sampled_from(["role", "content", "type", "data", "messages", "tools", "output", "id"])
JSON = st.recursive(
    st.sampled_from([None, True, 0, "", "x", "user", "assistant", "ai", "system"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            KEYS | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON, max_size=4), st.permutations(range(5)))
def test_any_document_comes_out_an_object_and_a_second_time_unchanged(document, order) -> None:
    every = [
        ("convert_to_openai_message", "inputs.messages"),
        ("convert_to_openai_tool", "inputs.tools"),
        ("remove_system_messages", "inputs.messages"),
        ("remove_extra_fields", "inputs"),
        ("extract_tools_from_run", "inputs.tools"),
    ]
    chosen = steps(*(every[place] for place in order))
    once = applied(json.dumps(document), "inputs", chosen, schema=CHAT)
    assert isinstance(json.loads(once), dict)
    assert json.loads(once).keys() <= {"messages", "tools"}
    assert json.loads(applied(once, "inputs", chosen, schema=CHAT)) == json.loads(once)
    assert applied(once, "outputs", chosen, schema=CHAT) is once


def test_a_document_that_nothing_changes_keeps_its_bytes() -> None:
    text = '{ "messages":[{"role":"user","content":"hi"}],  "n": 1.10}'
    chosen = steps(("convert_to_openai_message", "inputs.messages"))
    assert applied(text, "inputs", chosen, schema=CHAT) is text
    assert transformations.KINDS[0] == "convert_to_openai_message"
