"""An example as a line of a file: JSON Lines, CSV cells, a conversation to fine-tune with."""

from __future__ import annotations

from typing import Any

import orjson

from datasets_app import messages


def json_line(example_id: str, inputs: str | None, outputs: str | None, rest: Any) -> bytes:
    """Return one line of JSON; the documents are embedded as stored, without their line ends."""
    return orjson.dumps(
        {
            "id": example_id,
            "inputs": orjson.loads(inputs) if inputs else None,
            "outputs": orjson.loads(outputs) if outputs else None,
            "metadata": rest,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def cell(value: Any) -> str:
    """Return a value as a CSV cell, which no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if isinstance(value, str) and text[:1] in "=+-@\t\r" and text else text


def openai_line(inputs: str | None, outputs: str | None) -> bytes | None:
    """Return `{"messages": [...]}` and a line's end, or None if the example is no conversation.

    Messages are those of the one list in the inputs, or one user message of their one text;
    the answer likewise. Messages are read in every spelling that `messages` knows.
    """
    asked = _messages(inputs, "user")
    answered = _messages(outputs, "assistant")
    if not asked or not answered or answered[-1]["role"] != "assistant":
        return None
    return orjson.dumps({"messages": [*asked, *answered]}, option=orjson.OPT_APPEND_NEWLINE)


def _messages(document: str | None, role: str) -> list[dict[str, Any]]:
    found = orjson.loads(document) if document else None
    if not isinstance(found, dict):
        return []
    if (taken := messages.extracted(found)) is not None:
        return taken[0]
    for value in found.values():
        read = None if isinstance(value, str) else messages.messages(value)
        if read:
            return read
    texts = [value for value in found.values() if isinstance(value, str)]
    return [{"role": role, "content": texts[0]}] if len(texts) == 1 else []
