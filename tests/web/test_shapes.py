"""Payloads of the usual frameworks are recognised as what they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observatory.web import shapes

LANGCHAIN = {
    "messages": [
        [
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "schema", "messages", "HumanMessage"],
                "kwargs": {"content": "Hi", "type": "human"},
            },
        ]
    ]
}


@pytest.mark.parametrize(
    ("inputs", "outputs", "turns"),
    [
        ({"question": "Why?"}, {"answer": "So."}, [("user", "Why?"), ("assistant", "So.")]),
        (
            {"messages": [{"role": "user", "content": "Why?"}]},
            {"choices": [{"message": {"role": "assistant", "content": "So."}}]},
            [("user", "Why?"), ("assistant", "So.")],
        ),
        (
            LANGCHAIN,
            {
                "generations": [
                    [
                        {
                            "text": "Hello",
                            "message": {
                                "id": ["langchain", "schema", "messages", "AIMessage"],
                                "kwargs": {"content": "Hello"},
                            },
                        }
                    ]
                ]
            },
            [("user", "Hi"), ("assistant", "Hello")],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]},
            {"role": "assistant", "content": [{"type": "text", "text": "So."}]},
            [("user", "Why?"), ("assistant", "So.")],
        ),
        (
            {"messages": [{"type": "human", "content": "Why?"}]},
            {"messages": [{"type": "human", "content": "Why?"}, {"type": "ai", "content": "So."}]},
            [("user", "Why?"), ("assistant", "So.")],
        ),
        ({"a": 1, "b": 2}, {"c": [1]}, [("user", ""), ("assistant", "")]),
        (None, "So.", [("assistant", "So.")]),
    ],
)
def test_a_conversation_is_found(inputs, outputs, turns) -> None:
    found = shapes.conversation(inputs, outputs)
    assert [(turn.role, turn.text) for turn in found] == turns
    if outputs:
        assert [turn.is_final for turn in found] == [False] * (len(found) - 1) + [True]


def test_tool_calls_and_thinking_are_kept_apart_from_the_text() -> None:
    message = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "tool_use", "name": "look", "input": {"id": 1}},
            {"type": "text", "text": "Found."},
        ],
    }
    (found,) = shapes.messages_of([message])
    assert (found.text, found.thinking) == ("Found.", "hm")
    assert found.calls == [("look", json.dumps({"id": 1}, indent=2))]


def test_retrieved_documents_are_found() -> None:
    found = shapes.documents_of({"documents": [{"page_content": "text", "metadata": {"score": 1}}]})
    assert found == [{"text": "text", "metadata": {"score": 1}}]


def serialized(kind: str, **kwargs):
    return {"lc": 1, "type": "constructor", "id": ["langchain", "prompts", kind], "kwargs": kwargs}


def test_a_pushed_prompt_is_read_message_by_message() -> None:
    text = serialized("PromptTemplate", template="About {topic}.")
    chat = serialized(
        "ChatPromptTemplate",
        messages=[
            serialized("SystemMessagePromptTemplate", prompt=text),
            serialized("MessagesPlaceholder", variable_name="history"),
            serialized("HumanMessagePromptTemplate", prompt=[text, text]),
            serialized("ChatMessagePromptTemplate", role="assistant", prompt=text),
            serialized("AIMessage", content="Gladly."),
        ],
    )
    turns = [
        ("system", "About {topic}."),
        ("tool", "{history}"),
        ("user", "About {topic}.\n\nAbout {topic}."),
        ("assistant", "About {topic}."),
        ("assistant", "Gladly."),
    ]
    with_model = serialized("RunnableSequence", first=chat, last={"lc": 1})
    for manifest in (chat, with_model):
        assert [(one.role, one.text) for one in shapes.templates_of(manifest)] == turns
    assert [one.text for one in shapes.templates_of(text)] == ["About {topic}."]
    assert shapes.templates_of({"template": "not LangChain's"}) == []


def test_a_glance_is_one_short_line() -> None:
    assert shapes.glance('{"question": "a\\n  b"}', shapes.QUESTION_KEYS) == "a b"
    assert len(shapes.glance(json.dumps({"question": "x" * 900_000}), shapes.QUESTION_KEYS)) == 160
    assert shapes.glance("[1, 2]", shapes.QUESTION_KEYS) == "[1, 2]"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "type",
                    "content",
                    "messages",
                    "message",
                    "choices",
                    "kwargs",
                    "id",
                    "data",
                    "tool_calls",
                    "function",
                    "text",
                    "output",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(json_values, json_values)
def test_no_document_breaks_the_page(inputs, outputs) -> None:
    turns = shapes.conversation(inputs, outputs)
    assert turns[-1].is_final
    assert not turns[-1].is_empty
    for turn in turns:
        assert isinstance(turn.text, str)
        assert all(isinstance(name, str) and isinstance(text, str) for name, text in turn.calls)
    shapes.documents_of(outputs)
    assert all(isinstance(turn.text, str) for turn in shapes.templates_of(inputs))
    shapes.glance(json.dumps(outputs), shapes.ANSWER_KEYS)


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_a_conversation_ends_with_all_of_the_output(outputs) -> None:
    """Every text and number of the outputs is in some turn: as text, as a call, or as JSON."""
    turns = shapes.answer_turns(outputs)
    shown = [turn.value for turn in turns] + [turn.rest for turn in turns]
    if any(value == outputs for value in shown):
        return
    texts = "\n".join(
        part
        for turn in turns
        for part in (turn.text, turn.thinking, turn.name, *(" ".join(call) for call in turn.calls))
    )
    for text in texts_of(outputs):
        assert text in texts or text in texts_of(shown)


def texts_of(value):
    """Return the texts of a document but those that only name a message."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [
            text
            for key, entry in value.items()
            if key not in shapes.UNSHOWN
            for text in texts_of(entry)
        ]
    return [text for entry in value for text in texts_of(entry)] if isinstance(value, list) else []
