"""An example as a line of a file: JSON Lines, CSV cells, a conversation to fine-tune with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant"}
_KNOWN = {"system", "user", "assistant", "tool", "function", "developer"}
_KEPT = ("name", "tool_calls", "tool_call_id", "function_call")


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
    the answer likewise. Both spellings of a message are read: `{role, content}` and
    `{type, data: {content}}`.
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
    values: Sequence[Any] = [found] if "role" in found else list(found.values())
    for value in values:
        if isinstance(value, list) and (read := [_message(item) for item in value]) and all(read):
            return [message for message in read if message is not None]
        if isinstance(value, dict) and (message := _message(value)) is not None:
            return [message]
    texts = [value for value in values if isinstance(value, str)]
    return [{"role": role, "content": texts[0]}] if len(texts) == 1 else []


def _message(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    data = value.get("data") if isinstance(value.get("data"), dict) else value
    assert isinstance(data, dict)
    given = value.get("role") or value.get("type")
    role = ROLES.get(given, given) if isinstance(given, str) else None
    if role not in _KNOWN or not isinstance(data.get("content"), (str, list, type(None))):
        return None
    rest = {name: data[name] for name in _KEPT if data.get(name)}
    return {"role": role, "content": data.get("content"), **rest}
