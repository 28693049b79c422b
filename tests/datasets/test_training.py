"""Training lines have the shapes that trl and OpenAI's fine-tuning document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datasets_app import training
from datasets_app.training import Fields, Form, LeftOut, Source

ROLES = {"system", "user", "assistant", "tool", "developer"}
QUESTION = '{"question": "When?", "customer": "gold"}'
CORRECTED = '{"answer": "In 3 days", "sources": ["policy"]}'
ORIGINAL = '{"answer": "Never", "sources": []}'
FIELDS = Fields("question", "answer")
SOURCE = Source(QUESTION, CORRECTED, ORIGINAL)


def check_messages(messages: Any) -> None:
    """Raise AssertionError unless these are chat messages, as trl's conversational form wants."""
    assert isinstance(messages, list)
    assert messages
    for message in messages:
        assert message["role"] in ROLES
        assert isinstance(message.get("content"), str | list) or message.get("tool_calls")


def check(line: bytes, form: Form) -> dict[str, Any]:
    """Return a line of a training file. Raises AssertionError where a trainer would refuse it.

    After trl's "Dataset formats and types" (prompt-completion, preference and unpaired
    preference, conversational) and OpenAI's chat format, which wants a last assistant message.
    """
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    read: dict[str, Any] = json.loads(line)
    wanted = {
        Form.SFT: {"messages"},
        Form.DPO: {"prompt", "chosen", "rejected"},
        Form.KTO: {"prompt", "completion", "label"},
    }[form]
    assert read.keys() - {"tools"} == wanted
    for name in wanted - {"label"}:
        check_messages(read[name])
    for name in wanted & {"messages", "chosen", "rejected", "completion"}:
        assert read[name][-1]["role"] == "assistant"
    if form == Form.KTO:
        assert isinstance(read["label"], bool)
    return read


def said(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def made(source: Source, form: Form, fields: Fields = FIELDS) -> list[dict[str, Any]]:
    lines = training.lines(source, form, fields)
    assert isinstance(lines, list)
    return [check(line, form) for line in lines]


def test_a_correction_is_preferred_to_what_the_run_answered() -> None:
    assert made(SOURCE, Form.DPO) == [
        {
            "prompt": said("user", "When?"),
            "chosen": said("assistant", "In 3 days"),
            "rejected": said("assistant", "Never"),
        }
    ]


def test_kto_has_the_correction_as_good_and_the_original_as_bad() -> None:
    good, bad = made(SOURCE, Form.KTO)
    assert (good["completion"], good["label"]) == (said("assistant", "In 3 days"), True)
    assert (bad["completion"], bad["label"]) == (said("assistant", "Never"), False)


def test_an_answer_that_reviewers_left_as_it_was_is_only_good_in_kto() -> None:
    unchanged = Source(QUESTION, ORIGINAL, ORIGINAL)
    [only] = made(unchanged, Form.KTO)
    assert only["label"] is True


def test_sft_takes_the_named_fields_or_without_names_the_whole_document() -> None:
    [named] = made(SOURCE, Form.SFT)
    assert named["messages"] == said("user", "When?") + said("assistant", "In 3 days")
    [whole] = made(SOURCE, Form.SFT, Fields())
    assert json.loads(whole["messages"][0]["content"]) == json.loads(QUESTION)


def test_traced_messages_and_their_tools_are_kept() -> None:
    tool = {"type": "function", "function": {"name": "refund", "parameters": {}}}
    inputs = {"messages": said("system", "Be brief") + said("user", "Hi"), "tools": [tool]}
    answers = [json.dumps({"messages": said("assistant", text)}) for text in ("Hello", "Yo")]
    [line] = made(Source(json.dumps(inputs), *answers), Form.DPO, Fields())
    assert line["prompt"] == inputs["messages"]
    assert line["tools"] == [tool]


@pytest.mark.parametrize(
    ("source", "form", "reason"),
    [
        (Source(QUESTION, ORIGINAL, ORIGINAL), Form.DPO, LeftOut.UNCHANGED),
        (Source(QUESTION, CORRECTED, None), Form.DPO, LeftOut.NO_ORIGINAL),
        (Source(None, CORRECTED, ORIGINAL), Form.DPO, LeftOut.NO_CONVERSATION),
        (Source(QUESTION, None, ORIGINAL), Form.KTO, LeftOut.NO_CONVERSATION),
        (Source(QUESTION, '{"text": "x"}', ORIGINAL), Form.SFT, LeftOut.NO_CONVERSATION),
        (Source(QUESTION, CORRECTED, ORIGINAL, True), Form.SFT, LeftOut.DISPUTED),
    ],
)
def test_an_example_without_a_line_has_a_reason(source, form, reason) -> None:
    assert training.lines(source, form, FIELDS) == reason


@pytest.mark.parametrize("form", [*Form])
@pytest.mark.parametrize("document", ["[]", '"text"', "null", "3", '{"question": null}'])
def test_odd_documents_make_a_valid_line_or_none(form, document) -> None:
    for source in (Source(document, CORRECTED, ORIGINAL), Source(QUESTION, document, document)):
        for fields in (FIELDS, Fields()):
            lines = training.lines(source, form, fields)
            if isinstance(lines, list):
                assert [check(line, form) for line in lines]
