"""Which part of the outputs is edited, and what an edit changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.reviewing import corrections
from annotations.reviewing.corrections import InvalidCorrection, Shape, Span

ASSISTANT = {"role": "assistant", "content": "Hello"}
LANGCHAIN = {
    "generations": [
        [
            {
                "text": "Hello",
                "message": {
                    "type": "constructor",
                    "id": ["langchain", "schema", "messages", "AIMessage"],
                    "kwargs": {"content": "Hello"},
                },
            }
        ]
    ]
}


@pytest.mark.parametrize(
    ("outputs", "shape", "path"),
    [
        ("Hello", Shape.TEXT, ()),
        ({"answer": "Hello"}, Shape.TEXT, ("answer",)),
        ({"reply": "Hello", "confidence": 0.4}, Shape.TEXT, ("reply",)),
        ({"model": "m-1", "answer": "Hello", "sources": ["a"]}, Shape.TEXT, ("answer",)),
        ({"messages": [{"role": "user", "content": "Hi"}, ASSISTANT, {"role": "tool", "content": "{}"}]},
         Shape.CHAT, ("messages", 1, "content")),
        ({"choices": [{"message": ASSISTANT, "finish_reason": "stop"}]}, Shape.CHAT,
         ("choices", 0, "message", "content")),
        (ASSISTANT, Shape.CHAT, ("content",)),
        ({"output": {"type": "ai", "content": "Hello"}}, Shape.CHAT, ("output", "content")),
        ({"messages": [{"type": "ai", "data": {"content": "Hello"}}]}, Shape.CHAT,
         ("messages", 0, "data", "content")),
        ({"role": "assistant", "content": [{"type": "text", "text": "Hello"}, {"type": "image"}]},
         Shape.CHAT, ("content", 0, "text")),
        (LANGCHAIN, Shape.CHAT, ("generations", 0, 0, "message", "kwargs", "content")),
    ],
)  # fmt: skip
def test_the_text_of_the_usual_shapes_is_edited_and_its_envelope_kept(outputs, shape, path) -> None:
    part = corrections.editable(outputs)
    assert (part.shape, part.path, part.text) == (shape, path, "Hello")
    before = json.dumps(outputs)
    corrected = corrections.apply(outputs, "Goodbye")
    assert json.dumps(outputs) == before
    assert json.dumps(corrected) == "Goodbye".join(before.rsplit("Hello", 1))
    assert corrections.editable_text(corrected) == "Goodbye"
    assert corrections.differs(outputs, corrected)


@pytest.mark.parametrize(
    "outputs",
    [
        {"a": "x", "b": "y"},
        {"a": "x", "b": {"c": 1}},
        {},
        [1, 2],
        7,
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"role": "assistant", "content": "", "tool_calls": [{"name": "f"}], "x": "y"},
        {"messages": [{"role": "assistant", "content": [{"text": "a"}, {"text": "b"}]}]},
        {"messages": ["x"], "choices": "y", "generations": [[]]},
    ],
)
def test_other_documents_are_edited_whole(outputs) -> None:
    part = corrections.editable(outputs)
    if part.shape is Shape.TEXT:  # choices: the only string
        assert part.path in {("choices",), ("x",), ("content",)}
        return
    assert part.shape is Shape.JSON
    assert corrections.apply(outputs, part.text) == outputs


def test_without_outputs_text_is_wrapped_and_an_object_is_taken() -> None:
    assert corrections.editable(None).shape is Shape.RAW
    assert corrections.apply(None, "Hello") == {"output": "Hello"}
    assert corrections.apply(None, "[1]") == {"output": "[1]"}
    assert corrections.apply(None, '{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("edited", "reason", "line", "column"),
    [
        ('{\n "a": }', "Expecting value", 2, 7),
        ("[1]", "This must stay a JSON object: { ... }", 1, 1),
        ('{"a": NaN}', "NaN is not JSON", 1, 1),
        ("[" * 100_000, "nested too deep", 1, 1),
    ],
)
def test_invalid_json_is_refused_with_line_and_column(edited, reason, line, column) -> None:
    with pytest.raises(InvalidCorrection) as refused:
        corrections.apply({"a": {}}, edited)
    error = refused.value
    assert (error.reason, error.line, error.column) == (reason, line, column)


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        ("a\r\nb", "a\nb", False),
        ("a ", "a", False),
        ("a \nb\n\n", "a\nb", False),
        ("e\u0301", "\u00e9", False),
        ({"a": 1, "b": [1.0]}, {"b": [1], "a": 1.0}, False),
        ({"a": 1}, {"a": True}, True),
        ({"a": None}, {}, True),
        ("a", "A", True),
        (" a", "a", True),
        (None, {"output": ""}, True),
    ],
)
def test_only_a_real_difference_is_one(before, after, differs) -> None:
    assert corrections.differs(before, after) is differs
    assert corrections.differs(after, before) is differs


def test_a_browsers_line_ends_do_not_count_as_a_correction() -> None:
    outputs = {"answer": "a\nb"}
    assert corrections.apply(outputs, "a\r\nb") == outputs
    assert corrections.apply({"answer": "a\r\nb"}, "a\r\nc") == {"answer": "a\r\nc"}


def test_a_diff_shows_deleted_and_inserted_words() -> None:
    diff = corrections.diff("You were charged once for it.", "You were charged twice for it.")
    assert diff.spans == [
        Span("equal", "You were charged "),
        Span("delete", "once"),
        Span("insert", "twice"),
        Span("equal", " for it."),
    ]
    assert (diff.n_deleted, diff.n_inserted, diff.unit) == (1, 1, "word")
    assert 0.8 < diff.similarity < 1


def test_neighbouring_changes_are_one() -> None:
    diff = corrections.diff("the red car", "the blue van")
    assert diff.spans == [
        Span("equal", "the "), Span("delete", "red car"), Span("insert", "blue van"),
    ]  # fmt: skip


def test_long_texts_are_compared_by_lines_and_huge_ones_as_wholes() -> None:
    long = "".join(f"line {n} of the text\n" for n in range(1_000))
    diff = corrections.diff(long, long.replace("line 500 ", "row 500 "))
    assert (diff.unit, diff.n_deleted, diff.n_inserted) == ("line", 5, 5)
    huge = "a\n" * 5_000
    whole = corrections.diff(huge, huge + "b")
    assert (whole.unit, len(whole.spans), whole.similarity) == ("text", 2, 0.0)
    assert corrections.diff(huge, huge).similarity == 1.0


words = st.text(st.sampled_from("ab \n.é"), max_size=30)


@given(words, words)
@settings(max_examples=300, deadline=None)
def test_the_spans_rebuild_both_texts(before, after) -> None:
    diff = corrections.diff(before, after)
    assert "".join(s.text for s in diff.spans if s.kind != "insert") == before
    assert "".join(s.text for s in diff.spans if s.kind != "delete") == after
    assert 0 <= diff.similarity <= 1
    assert (diff.similarity == 1) == (before == after)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["messages", "role", "content", "output", "choices", "message", "a"])
        | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(documents)
@settings(max_examples=300, deadline=None)
def test_an_unchanged_text_never_counts_as_a_correction(outputs) -> None:
    text = corrections.editable_text(outputs)
    if outputs is not None:
        assert not corrections.differs(outputs, corrections.apply(outputs, text))
