"""One message in every spelling that runs are traced with."""

from __future__ import annotations

import pytest

from observatory.runs.messages import message


@pytest.mark.parametrize(
    ("value", "role", "path"),
    [
        ({"role": "user", "content": "Hi"}, "user", ()),
        ({"role": "model", "parts": [{"text": "Hi"}]}, "assistant", ()),
        ({"role": "developer", "content": "Hi"}, "developer", ()),
        ({"type": "human", "content": "Hi"}, "user", ()),
        ({"type": "AIMessageChunk", "content": "Hi"}, "assistant", ()),
        ({"type": "ai", "data": {"content": "Hi"}}, "assistant", ("data",)),
        ({"role": "tool", "content": "4", "data": {"content": "other"}}, "tool", ()),
        (
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "schema", "messages", "FunctionMessage"],
                "kwargs": {"content": "4"},
            },
            "function",
            ("kwargs",),
        ),
        (
            {"lc": 1, "id": ["langchain", "ChatMessage"], "kwargs": {"role": "Human"}},
            "user",
            ("kwargs",),
        ),
    ],
)
def test_a_message_is_read_in_its_spelling(value, role, path) -> None:
    read = message(value)
    assert read is not None
    assert (read.role, read.path) == (role, path)
    assert read.fields == (value[path[0]] if path else value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "Hi",
        ["user", "Hi"],
        {"content": "Hi"},
        {"role": "narrator", "content": "Hi"},
        {"role": 5, "content": "Hi"},
        {"id": ["ChatPromptTemplate"], "kwargs": {"content": "Hi"}},
    ],
)
def test_messages_returns_none_for_non_messages(value) -> None:
    assert message(value) is None
