"""Arithmetic: what a payload looks like to a reader. No Django, no clock.

Tried in order: chat messages (OpenAI, Anthropic, LangChain), one string in an envelope, anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from observatory import exact
from observatory.runs.previews import preview

PARSED_CHARS = 65_536
"""A longer document is not built as objects for one line: its preview is the line."""
BLOCK_CHARS = 4_000
"""Characters of a block of a message that has a shape of its own; "..." says it was cut."""
ROLES = {
    "user": "user",
    "human": "user",
    "humanmessage": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "system": "system",
    "systemmessage": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
    "toolmessage": "tool",
}
ANSWER_KEYS = ("answer", "output", "response", "text", "content", "completion", "result", "reply")
QUESTION_KEYS = ("question", "input", "query", "prompt", "message", "text", "user_message")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `role` is user, assistant, system or tool; `calls` are (name, arguments)."""

    role: str
    text: str
    calls: list[tuple[str, str]] = field(default_factory=list)
    name: str = ""
    thinking: str = ""
    is_final: bool = False


def load(document: str | None) -> Any:
    """Return the value of a stored document; one that does not parse stays its text."""
    if document is None:
        return None
    try:
        return exact.loads(document)
    except exact.NotJSON:
        return document


def messages_of(value: Any) -> list[Message]:
    """Return the chat messages in `value`, or an empty list when it holds none."""
    found = list(_messages(value, depth=0))
    return found if any(message.text or message.calls for message in found) else []


def _messages(value: Any, depth: int) -> Iterator[Message]:
    if depth > 4:
        return
    if isinstance(value, list):
        for entry in value:
            if isinstance(entry, list):
                yield from _messages(entry, depth + 1)
            else:
                message = _message(entry)
                if message is not None:
                    yield message
        return
    if not isinstance(value, dict):
        return
    whole = _message(value)
    if whole is not None:
        yield whole
        return
    for key in ("messages", "choices", "generations", "message", "output"):
        inner = value.get(key)
        if isinstance(inner, list | dict):
            yield from _messages(inner, depth + 1)
            return


def _message(entry: Any) -> Message | None:
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("message"), dict):  # OpenAI choices, LangChain generations
        return _message(entry["message"])
    body = entry
    role = entry.get("role") or entry.get("type")
    if isinstance(entry.get("kwargs"), dict) and isinstance(entry.get("id"), list):
        body, role = entry["kwargs"], (entry["id"] or [""])[-1]  # LangChain's serialized form
    elif isinstance(entry.get("data"), dict) and "content" in entry["data"]:
        body = entry["data"]
    known = ROLES.get(str(role).lower())
    if known is None or not ("content" in body or "tool_calls" in body):
        return None
    text, thinking, calls = _content(body.get("content"))
    calls += _tool_calls(body)
    return Message(known, text, calls, str(body.get("name") or ""), thinking)


def _content(content: Any) -> tuple[str, str, list[tuple[str, str]]]:
    """Return the text, the thinking and the tool calls of a message's content."""
    if isinstance(content, str):
        return content, "", []
    if not isinstance(content, list):
        return ("" if content is None else exact.dumps(content).decode()), "", []
    texts, thoughts, calls = [], [], []
    for block in content:
        if isinstance(block, str):
            texts.append(block)
        elif isinstance(block, dict):
            kind = block.get("type")
            if kind in {"thinking", "reasoning"}:
                thoughts.append(str(block.get("thinking") or block.get("text") or ""))
            elif kind == "tool_use":
                calls.append((str(block.get("name")), _arguments(block.get("input"))))
            elif isinstance(block.get("text"), str):
                texts.append(block["text"])
            else:
                text = exact.dumps(block, indent=True).decode()
                texts.append(text if len(text) <= BLOCK_CHARS else f"{text[:BLOCK_CHARS]}...")
    return "\n\n".join(texts), "\n\n".join(thoughts), calls


def _tool_calls(body: dict[str, Any]) -> list[tuple[str, str]]:
    extra = body.get("additional_kwargs")
    calls = body.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None)
    found = []
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            named = call.get("function")
            function = named if isinstance(named, dict) else call
            arguments = function.get("arguments", function.get("args"))
            found.append((str(function.get("name")), _arguments(arguments)))
    return found


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else exact.dumps(value, indent=True).decode()


_TEMPLATE_ROLES = {
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant",
}


def templates_of(manifest: Any) -> list[Message]:
    """Return the messages of a LangChain prompt as it is pushed, variables as they are written.

    A prompt with its model is a sequence that begins with the prompt; one text is the user's.
    Empty for a manifest of another shape.
    """
    kwargs = _kwargs(manifest)
    if "first" in kwargs:
        kwargs = _kwargs(kwargs["first"])
    if isinstance(kwargs.get("template"), str):
        return [Message("user", kwargs["template"])]
    listed = kwargs.get("messages")
    found = [_template(one) for one in listed] if isinstance(listed, list) else []
    return [message for message in found if message is not None]


def _template(entry: Any) -> Message | None:
    kwargs, kind = _kwargs(entry), _kind(entry)
    if kind == "MessagesPlaceholder":
        return Message("tool", f"{{{kwargs.get('variable_name')}}}", name="messages")
    if kind == "ChatMessagePromptTemplate":
        role = ROLES.get(str(kwargs.get("role")).lower(), "user")
    else:
        role = _TEMPLATE_ROLES.get(kind, "")
    if not role:
        return _message(entry)
    inner = kwargs.get("prompt")
    parts = inner if isinstance(inner, list) else [inner]
    texts = [text for part in parts if isinstance(text := _kwargs(part).get("template"), str)]
    return Message(role, "\n\n".join(texts))


def _kwargs(value: Any) -> dict[str, Any]:
    kwargs = value.get("kwargs") if isinstance(value, dict) else None
    return kwargs if isinstance(kwargs, dict) else {}


def _kind(value: Any) -> str:
    path = value.get("id") if isinstance(value, dict) else None
    return str(path[-1]) if isinstance(path, list) and path else ""


def line_of(value: Any, keys: tuple[str, ...]) -> str | None:
    """Return the one text that stands for `value`: a message, a known key, an only string."""
    if isinstance(value, str):
        return value
    chat = messages_of(value)
    if chat:
        wanted = "user" if keys is QUESTION_KEYS else "assistant"
        fitting = [message for message in chat if message.role == wanted and message.text]
        return (fitting or chat)[-1].text
    if isinstance(value, dict):
        for key in keys:
            if isinstance(value.get(key), str):
                return str(value[key])
        strings = [entry for entry in value.values() if isinstance(entry, str)]
        if len(strings) == 1:
            return strings[0]
    return None


def glance(document: str | None, keys: tuple[str, ...], limit: int = 160) -> str:
    """Return one line of a stored document for a table cell, at most `limit` characters."""
    if not document:
        return ""
    is_short = len(document) <= PARSED_CHARS
    text = line_of(load(document), keys) if is_short else preview(document)
    return " ".join((text if text is not None else document[: limit * 4]).split())[:limit]


def conversation(inputs: Any, outputs: Any) -> list[Message]:
    """Return inputs and outputs as one conversation; the last answer is marked final.

    Empty when neither holds chat messages nor one text that stands for it.
    """
    turns = messages_of(inputs)
    if not turns:
        question = line_of(inputs, QUESTION_KEYS)
        turns = [Message("user", question)] if question else []
    answers = messages_of(outputs)
    if turns and answers and len(answers) >= len(turns):
        # Some graphs put the whole history in the outputs: do not show it twice.
        head = [(turn.role, turn.text) for turn in answers[: len(turns)]]
        if head == [(turn.role, turn.text) for turn in turns]:
            answers = answers[len(turns) :]
    if not answers:
        answer = line_of(outputs, ANSWER_KEYS)
        answers = [Message("assistant", answer)] if answer else []
    if answers:
        last = answers[-1]
        answers[-1] = Message(last.role, last.text, last.calls, last.name, last.thinking, True)
    return turns + answers


def documents_of(value: Any) -> list[dict[str, Any]]:
    """Return retrieved documents in `value` as {text, metadata}, or an empty list."""
    if isinstance(value, dict):
        value = value.get("documents") or value.get("output") or value.get("docs")
    if not isinstance(value, list):
        return []
    found = []
    for entry in value:
        if isinstance(entry, dict):
            text = entry.get("page_content") or entry.get("content") or entry.get("text")
            if isinstance(text, str):
                rest = {
                    key: item
                    for key, item in entry.items()
                    if key not in {"page_content", "content", "text", "type", "kwargs", "metadata"}
                }
                if isinstance(entry.get("metadata"), dict):
                    rest |= entry["metadata"]
                found.append({"text": text, "metadata": rest})
    return found
