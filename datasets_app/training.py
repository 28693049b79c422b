"""Arithmetic: an example as lines to train with, in the forms that trl and OpenAI read.

SFT: `{"messages": [...]}`, as OpenAI's fine-tuning and trl's SFTTrainer read it. DPO: `{"prompt",
"chosen", "rejected"}`, KTO: `{"prompt", "completion", "label"}`, each a list of messages: the
conversational form of trl's preference and unpaired preference data sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from datasets_app import formats, messages
from observatory import exact


class Form(StrEnum):
    SFT = "sft"
    DPO = "dpo"
    KTO = "kto"


class LeftOut(StrEnum):
    """Why an example has no line."""

    DISPUTED = "disputed"  # its reviewers differ
    NO_CONVERSATION = "no_conversation"  # no question, or no answer of an assistant
    NO_ORIGINAL = "no_original"  # its run is not stored, or has no answer
    UNCHANGED = "unchanged"  # the answer is the run's own, so nothing is preferred


@dataclass(frozen=True, slots=True)
class Fields:
    """The field of the inputs that is the prompt, and of the outputs that is the answer.

    None: the whole document, as `formats.conversation` reads it.
    """

    prompt: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An example with the answer that its run gave before it was corrected; all JSON texts."""

    inputs: str | None
    outputs: str | None
    original: str | None
    is_disputed: bool = False


def lines(source: Source, form: Form, fields: Fields) -> list[bytes] | LeftOut:
    """Return the lines of an example, each with its line end, or why it has none.

    SFT and DPO make one line. KTO makes one of the answer, with label true, and one of the
    original with label false if that differs.
    """
    if source.is_disputed:
        return LeftOut.DISPUTED
    inputs = _chosen(source.inputs, fields.prompt)
    outputs = _chosen(source.outputs, fields.answer)
    if form == Form.SFT:
        conversation = formats.conversation(inputs, outputs)
        return LeftOut.NO_CONVERSATION if conversation is None else [conversation.line]
    prompt, beside = formats.said(inputs, "user")
    answer = _answer(outputs)
    if not prompt or not answer:
        return LeftOut.NO_CONVERSATION
    line: dict[str, Any] = {"prompt": prompt}
    if (tools := messages.tools(beside.get("tools"))) is not None:
        line["tools"] = tools
    original = _answer(_chosen(source.original, fields.answer))
    if form == Form.KTO:
        labelled = [(answer, True)]
        if original and original != answer:
            labelled.append((original, False))
        return [_written({**line, "completion": said, "label": good}) for said, good in labelled]
    if not original:
        return LeftOut.NO_ORIGINAL
    if original == answer:
        return LeftOut.UNCHANGED
    return [_written({**line, "chosen": answer, "rejected": original})]


def _answer(document: str | None) -> list[messages.Message]:
    """Return the messages of an answer that ends with the assistant's, else none."""
    said, _ = formats.said(document, "assistant")
    return said if said and said[-1].get("role") == "assistant" else []


def _chosen(document: str | None, field: str | None) -> str | None:
    """Return the document with only `field`; None when it lacks it."""
    if document is None or field is None:
        return document
    value = exact.loads(document)
    if not isinstance(value, Mapping) or field not in value:
        return None
    return exact.dumps({field: value[field]}).decode()


def _written(line: dict[str, Any]) -> bytes:
    return exact.dumps(line) + b"\n"
