"""Arithmetic: interpret a payload for readers. No Django, no clock.

Tried in order: chat messages (OpenAI, Anthropic, LangChain), an object with one string, anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from observatory import exact
from observatory.runs import messages
from observatory.runs.previews import preview

PARSED_CHARS = 65_536
"""A longer document is not built as objects for one line: its preview is the line."""
FILE_CHARS = 1_000  # a longer string in such a block is a file
BLOCK_CHARS = 4_000
"""Characters of a block of a message that has a shape of its own; "..." says it was cut."""
SHOWN_AS = {"developer": "system", "function": "tool"}
"""Roles that a page does not tell from another."""
ITEMS = {"function_call", "custom_tool_call", "function_call_output", "reasoning"}
DEPTH = 4  # deepest level of messages
TEXT_CHARS = 65_536
"""Of a longer text a conversation shows the beginning."""
ANSWER_KEYS = ("answer", "output", "response", "text", "content", "completion", "result", "reply")
QUESTION_KEYS = ("question", "input", "query", "prompt", "message", "text", "user_message")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `role` is user, assistant, system or tool; `calls` are (name, arguments).

    A turn that is not text has its JSON value: `has_value`, for None is one as well. `rest` is the
    remainder of the document, if any.
    """

    role: str
    text: str
    calls: list[tuple[str, str]] = field(default_factory=list)
    name: str = ""
    thinking: str = ""
    is_final: bool = False
    value: Any = None
    has_value: bool = False
    rest: Any = None

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.calls or self.thinking or self.has_value)

    @property
    def head(self) -> str:
        """Return the beginning of a long text; a page with all of it is not usable."""
        return self.text[:TEXT_CHARS]

    @property
    def is_cut(self) -> bool:
        return len(self.text) > TEXT_CHARS


def load(document: str | None) -> Any:
    """Return the value of a stored document, or its text if it does not parse."""
    if document is None:
        return None
    try:
        return exact.loads(document)
    except exact.NotJSON:
        return document


def messages_of(value: Any) -> list[Message]:
    """Return the chat messages in `value`, or an empty list."""
    messages = list(_messages(value, depth=0))
    return messages if any(message.text or message.calls for message in messages) else []


def _messages(value: Any, depth: int) -> Iterator[Message]:
    if depth > DEPTH:
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
    for key in MESSAGE_KEYS:
        inner = value.get(key)
        if isinstance(inner, list | dict):
            yield from _messages(inner, depth + 1)
            return


def _message(entry: Any) -> Message | None:
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("message"), dict):  # OpenAI choices, LangChain generations
        return _message(entry["message"])
    kind = str(entry.get("role") or entry.get("type"))
    if kind in ITEMS:
        return _item(kind, entry)
    read = messages.message(entry)
    if read is None or not messages.SAYS & read.fields.keys():
        return None
    body = read.fields
    text, thinking, calls = _content(body.get("content", body.get("parts")))
    calls += _tool_calls(body)
    if not text and isinstance(body.get("refusal"), str):
        text = body["refusal"]
    role = SHOWN_AS.get(read.role, read.role)
    return Message(role, text, calls, str(body.get("name") or ""), thinking)


def _item(kind: str, entry: dict[str, Any]) -> Message:
    """Return an item of OpenAI's Responses API that is not a message."""
    if kind == "function_call_output":
        text, thinking, calls = _content(entry.get("output"))
        return Message("tool", text, calls, str(entry.get("call_id") or ""), thinking)
    if kind == "reasoning":
        summary = entry.get("summary") or entry.get("content")
        text, thinking, _calls = _content(summary if isinstance(summary, list) else None)
        return Message("assistant", "", thinking="\n\n".join(filter(None, (thinking, text))))
    call = (str(entry.get("name")), _arguments(entry.get("arguments", entry.get("input"))))
    return Message("assistant", "", [call])


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
            elif isinstance(block.get("functionCall"), dict):
                call = block["functionCall"]
                calls.append((str(call.get("name")), _arguments(call.get("args"))))
            elif isinstance(block.get("text"), str):
                texts.append(block["text"])
            else:
                texts.append(_block(block))
    return "\n\n".join(texts), "\n\n".join(thoughts), calls


def _block(block: dict[str, Any]) -> str:
    """Return a block of another shape as JSON text; for long strings, which are files, the size."""
    text = exact.dumps(_shortened(block), indent=True).decode()
    return text if len(text) <= BLOCK_CHARS else f"{text[:BLOCK_CHARS]}..."


def _shortened(value: Any, depth: int = 0) -> Any:
    if depth > DEPTH:
        return "..."
    if isinstance(value, str) and len(value) > FILE_CHARS:
        return f"{value[:80]}... ({len(value):,} characters)"
    if isinstance(value, dict):
        return {key: _shortened(entry, depth + 1) for key, entry in value.items()}
    return [_shortened(entry, depth + 1) for entry in value] if isinstance(value, list) else value


def _tool_calls(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    extra = body.get("additional_kwargs")
    calls = body.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None)
    name_and_arguments = []
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            named = call.get("function")
            function = named if isinstance(named, dict) else call
            arguments = function.get("arguments", function.get("args"))
            name_and_arguments.append((str(function.get("name")), _arguments(arguments)))
    return name_and_arguments


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else exact.dumps(value, indent=True).decode()


_TEMPLATE_ROLES = {
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant",
}


def templates_of(manifest: Any) -> list[Message]:
    """Return the messages of a LangChain prompt as it is pushed, with its variables unfilled.

    A prompt with its model is a sequence that begins with the prompt; one text is the user's. Empty
    for a manifest of another shape.
    """
    kwargs = _kwargs(manifest)
    if "first" in kwargs:
        kwargs = _kwargs(kwargs["first"])
    if isinstance(kwargs.get("template"), str):
        return [Message("user", kwargs["template"])]
    listed = kwargs.get("messages")
    templates = [_template(entry) for entry in listed] if isinstance(listed, list) else []
    return [message for message in templates if message is not None]


def _template(entry: Any) -> Message | None:
    kwargs, kind = _kwargs(entry), _kind(entry)
    if kind == "MessagesPlaceholder":
        return Message("tool", f"{{{kwargs.get('variable_name')}}}", name="messages")
    if kind == "ChatMessagePromptTemplate":
        named = messages.role_named(kwargs.get("role")) or "user"
        role = SHOWN_AS.get(named, named)
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
    """Return one text for `value`: a message, a known key, an only string."""
    chat = messages_of(value)
    if chat:
        role = "user" if keys is QUESTION_KEYS else "assistant"
        fitting = [message for message in chat if message.role == role and message.text]
        return (fitting or chat)[-1].text
    named = _named_text(value, keys)
    return named[1] if named else None


def glance(document: str | None, keys: tuple[str, ...], limit: int = 160) -> str:
    """Return one line of a stored document for a table cell, at most `limit` characters."""
    if not document:
        return ""
    is_short = len(document) <= PARSED_CHARS
    text = line_of(load(document), keys) if is_short else preview(document)
    return " ".join((text if text is not None else document[: limit * 4]).split())[:limit]


def conversation(inputs: Any, outputs: Any) -> list[Message]:
    """Return inputs and outputs as one conversation; it always ends with the outputs.

    Parts that are not text are turns with a value. The last turn is marked final.
    """
    turns = question_turns(inputs)
    return turns + answer_turns(outputs, turns)


def question_turns(inputs: Any) -> list[Message]:
    """Return the inputs as turns; none for empty inputs."""
    if inputs is None or inputs == {}:
        return []
    return _turns(inputs, QUESTION_KEYS, "user")


def answer_turns(outputs: Any, before: list[Message] | None = None) -> list[Message]:
    """Return the outputs as turns, the last one marked final. Always at least one.

    `before` are the turns of the inputs: some graphs repeat the whole history in their outputs.
    """
    answers = _turns(outputs, ANSWER_KEYS, "assistant")
    history = before or []
    if history and len(answers) > len(history):
        head = [(turn.role, turn.text) for turn in answers[: len(history)]]
        if head == [(turn.role, turn.text) for turn in history]:
            answers = answers[len(history) :]
    if answers[-1].is_empty:
        answers[-1] = replace(answers[-1], value=outputs, has_value=True)
    answers[-1] = replace(answers[-1], is_final=True)
    return answers


def _turns(document: Any, keys: tuple[str, ...], role: str) -> list[Message]:
    chat = messages_of(document)
    if chat:
        rest = _beside_messages(document)
        if rest is None and not _shows_all(chat, document):
            rest = document
        chat[-1] = replace(chat[-1], rest=rest)
        return chat
    named = _named_text(document, keys)
    if named is None:
        return [Message(role, "", value=document, has_value=True)]
    name, text = named
    beside = {key: value for key, value in document.items() if key != name} if name else None
    return [Message(role, text, rest=beside or None)]


MESSAGE_KEYS = ("messages", "choices", "generations", "message", "output")
MESSAGE_FIELDS = {"role", "type", "content", "parts", "tool_calls", "name", "kwargs", "id", "lc"}
"""What a message of its own is shown by; other fields of it are shown beside it."""


def _beside_messages(document: Any) -> Any:
    """Return the rest of a document with messages, or None."""
    if isinstance(document, list):
        return None if _is_chat(document) else document
    if not isinstance(document, dict):
        return None
    if _message(document) is not None:
        left = {key: value for key, value in document.items() if key not in MESSAGE_FIELDS}
    else:
        name = next(key for key in MESSAGE_KEYS if isinstance(document.get(key), list | dict))
        if isinstance(document[name], list) and not _is_chat(document[name]):
            return document
        left = {key: value for key, value in document.items() if key != name}
        inner = _beside_messages(document[name]) if isinstance(document[name], dict) else None
        if inner is not None:
            left[name] = inner
    return {key: value for key, value in left.items() if value not in (None, "", [], {})} or None


def _is_chat(entries: list[Any], depth: int = 0) -> bool:
    """Return whether every entry is a message, so that showing the messages shows all."""
    return depth <= DEPTH and all(
        _is_chat(entry, depth + 1) if isinstance(entry, list) else _message(entry) is not None
        for entry in entries
    )


UNSHOWN = {"role", "type", "id", "lc"}
"""What is under these in a message names it; it is not shown."""


def _shows_all(turns: list[Message], document: Any) -> bool:
    """Return whether each text of `document` is in the text or the calls of some turn."""
    shown = "\n".join(
        part
        for turn in turns
        for part in (turn.text, turn.thinking, turn.name, *(" ".join(call) for call in turn.calls))
    )
    left = [document]
    while left:
        value = left.pop()
        if isinstance(value, str) and value not in shown:
            return False
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += [entry for key, entry in value.items() if key not in UNSHOWN]
    return True


def _named_text(value: Any, keys: tuple[str, ...]) -> tuple[str, str] | None:
    """Return one text for `value`, with its key ("": the value itself)."""
    if isinstance(value, str):
        return ("", value) if value else None
    if not isinstance(value, dict):
        return None
    for key in keys:
        if isinstance(value.get(key), str) and value[key]:
            return key, value[key]
    strings = [(key, entry) for key, entry in value.items() if isinstance(entry, str) and entry]
    return strings[0] if len(strings) == 1 else None


def documents_of(value: Any) -> list[dict[str, Any]]:
    """Return retrieved documents in `value` as {text, metadata}, or an empty list."""
    if isinstance(value, dict):
        value = value.get("documents") or value.get("output") or value.get("docs")
    if not isinstance(value, list):
        return []
    documents = []
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
                documents.append({"text": text, "metadata": rest})
    return documents
