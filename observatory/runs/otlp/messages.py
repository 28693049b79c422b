"""Arithmetic: the messages of a model call, in every spelling, as `{"role", "content", ...}`.

Tool calls become OpenAI's: `{"id", "type": "function", "function": {"name", "arguments"}}`. The
result of a call is a message of its own, `{"role": "tool", "tool_call_id", "content"}`: each keeps
its id. A text stays a text, even if it looks like JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from observatory import exact
from observatory.runs.otlp.spans import (
    Attributes,
    Event,
    items,
    objects,
    parsed,
)

# Span events of the older GenAI conventions -> their role.
EVENT_ROLES: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE: Final = "gen_ai.choice"
PROMPT_EVENT: Final = "gen_ai.content.prompt"
COMPLETION_EVENT: Final = "gen_ai.content.completion"
DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"
CONTENT_EVENTS: Final = {*EVENT_ROLES, CHOICE, PROMPT_EVENT, COMPLETION_EVENT, DETAILS_EVENT}
_ROLES: Final = {"model": "assistant", "human": "user", "ai": "assistant"}
_EVENT_BODY: Final = ("gen_ai.event.content", "body")  # JSON of the event's own fields
_EVENT_FIELDS: Final = ("tool_calls", "name", "finish_reason", "tool_call_id")


def call(identity: Any, name: Any, arguments: Any, **more: Any) -> dict[str, Any]:
    """Return a tool call as OpenAI writes it: the arguments are a JSON text."""
    if not isinstance(arguments, str):
        arguments = exact.dumps({} if arguments is None else arguments).decode()
    function = {"name": name, "arguments": arguments}
    return {"id": identity, "type": "function", "function": function, **more}


def answer(identity: Any, content: Any, **more: Any) -> dict[str, Any]:
    """Return the message with the result of the tool call `identity`."""
    message = {
        "role": "tool",
        "tool_call_id": identity,
        "content": "" if content is None else content,
    }
    return message | {name: value for name, value in more.items() if value is not None}


def role_of(message: Mapping[str, Any]) -> str:
    role = message.get("role")
    return _ROLES.get(role, role) if isinstance(role, str) and role else "user"


def content_of(blocks: list[Any]) -> Any:
    """Return blocks as the content of a message: a single plain text as a string."""
    if not blocks:
        return ""
    only = blocks[0] if len(blocks) == 1 else None
    if isinstance(only, dict) and only.keys() == {"type", "text"} and only["type"] == "text":
        return "" if only["text"] is None else only["text"]
    return blocks


class Turns:
    """The messages made of one message with parts, in the order of its parts."""

    def __init__(self, role: str, fields: Mapping[str, Any]) -> None:
        self._role = role
        self._fields = {name: value for name, value in fields.items() if value is not None}
        self._turns: list[dict[str, Any]] = []

    def _own(self) -> dict[str, Any]:
        if not self._turns or "blocks" not in self._turns[-1]:
            self._turns.append({"blocks": [], "calls": []})
        return self._turns[-1]

    def say(self, block: Any) -> None:
        """Add a block of the message's own content."""
        self._own()["blocks"].append(block)

    def call(self, made: dict[str, Any]) -> None:
        """Add a tool call."""
        self._own()["calls"].append(made)

    def answer(self, message: dict[str, Any]) -> None:
        """Add the result of a tool call."""
        self._turns.append(message)

    def listed(self) -> list[dict[str, Any]]:
        """Return the messages. The fields of the whole are said of the last that is not an answer.

        A message may hold its text, its calls and their answers: then the text comes last, for
        it rests on the answers.
        """
        turns = self._turns or [{"blocks": [], "calls": []}]
        first = turns[0]
        is_whole = len(turns) > 1 and not any("blocks" in turn for turn in turns[1:])
        if is_whole and first.get("calls") and first.get("blocks"):
            turns = [{**first, "blocks": []}, *turns[1:], {**first, "calls": []}]
        own = [turn for turn in turns if "blocks" in turn]
        return [
            self._message(turn, is_last=turn is own[-1]) if "blocks" in turn else turn
            for turn in turns
        ]

    def _message(self, turn: dict[str, Any], *, is_last: bool) -> dict[str, Any]:
        message = {"role": self._role, "content": content_of(turn["blocks"])}
        if turn["calls"]:
            message["tool_calls"] = turn["calls"]
        return {**message, **self._fields} if is_last else message


def of_parts(message: Any) -> list[dict[str, Any]]:
    """Return a message of the newer GenAI conventions, `{"role", "parts": [...]}`, as messages.

    Parts without an equivalent stay blocks of the content.
    """
    if not isinstance(message, dict):
        return []
    if "parts" not in message:
        return [message]
    turns = Turns(role_of(message), _without(message, "role", "parts"))
    for part in items(message["parts"]):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            turns.say(
                {"type": "text", "text": part.get("content"), **_without(part, "type", "content")}
            )
        elif kind == "tool_call":
            known = ("type", "id", "name", "arguments")
            made = (part.get(name) for name in known[1:])
            turns.call(call(*made, **_without(part, *known, "function")))
        elif kind == "tool_call_response":
            known = ("type", "id", "response", "result")
            result = part.get("response", part.get("result"))
            turns.answer(answer(part.get("id"), result, **_named(_without(part, *known))))
        elif kind in ("reasoning", "thinking"):
            rest = _without(part, "type", "content")
            turns.say({"type": "thinking", "thinking": part.get("content"), **rest})
        else:
            turns.say(part)
    return turns.listed()


def _without(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k not in names and v is not None}


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """Return `fields` without the message's own names."""
    return _without(fields, "role", "content", "tool_call_id", "identity")


def all_of_parts(value: Any) -> list[dict[str, Any]] | None:
    """Return the messages of `gen_ai.input.messages` and the like; None when there are none."""
    return [message for entry in items(parsed(value)) for message in of_parts(entry)] or None


def blocks_of(content: Any) -> Any:
    """Return the blocks in a JSON text; any other text, and any other value, as it is.

    Blocks are a list of objects that each have a type, or of a provider that names the type by the
    only member: `[{"text": "..."}]`.
    """
    blocks = parsed(content)
    if not isinstance(content, str) or not isinstance(blocks, list) or not blocks:
        return content
    is_typed = all(
        isinstance(b, dict) and (isinstance(b.get("type"), str) or _bedrock(b)) for b in blocks
    )
    return blocks if is_typed else content


def _bedrock(block: dict[str, Any]) -> bool:
    """Return whether `block` is one of Amazon Bedrock's, as Strands writes them."""
    return len(block) == 1 and next(iter(block)) in (
        *("text", "toolUse", "toolResult", "reasoningContent", "image", "document", "video"),
    )


def spread(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a message whose content has blocks of tool calls or results, as messages.

    The blocks of Vercel's AI SDK (`tool-call`, `tool-result`) and of Bedrock (`toolUse`,
    `toolResult`). Any other message is returned as it is.
    """
    content = message.get("content")
    if not isinstance(content, list) or not any(_is_spread(block) for block in content):
        return [message]
    turns = Turns(role_of(message), _without(message, "role", "content"))
    for block in content:
        _spread(block, turns)
    return turns.listed()


def _is_spread(block: Any) -> bool:
    return isinstance(block, dict) and (
        block.get("type") in ("tool-call", "tool-result") or _bedrock(block)
    )


def _spread(block: Any, turns: Turns) -> None:
    if not _is_spread(block):
        turns.say(block)
        return
    kind = block.get("type") or next(iter(block))
    inner = block if "type" in block else block[kind]
    if kind == "text":
        turns.say({"type": "text", "text": inner})
    elif not isinstance(inner, dict):
        turns.say(block)
    elif kind == "tool-call":
        arguments = inner.get("input", inner.get("args"))
        turns.call(call(inner.get("toolCallId"), inner.get("toolName"), arguments))
    elif kind == "tool-result":
        result = inner.get("output", inner.get("result"))
        if isinstance(result, dict) and result.keys() >= {"type", "value"}:
            result = result["value"]
        turns.answer(answer(inner.get("toolCallId"), result, name=inner.get("toolName")))
    elif kind == "toolUse":
        turns.call(call(inner.get("toolUseId"), inner.get("name"), inner.get("input")))
    elif kind == "toolResult":
        result = [{"type": "text", **b} if isinstance(b, dict) and "text" in b else b
                for b in items(inner.get("content"))]  # fmt: skip
        turns.answer(answer(inner.get("toolUseId"), content_of(result)))
    else:
        turns.say(block)


def listed(value: Any) -> list[dict[str, Any]] | None:
    """Return a list of messages, each with a role; None for anything else."""
    found = parsed(value)
    is_one = isinstance(found, list) and all(isinstance(m, dict) and "role" in m for m in found)
    return [one for message in found for one in spread(message)] or None if is_one else None


def of_contents(contents: Any) -> list[dict[str, Any]] | None:
    """Return Gemini's contents, `{"role", "parts": [{"text"}, {"function_call"}, ...]}`."""
    messages: list[dict[str, Any]] = []
    for entry in objects(items(contents)):
        turns = Turns(role_of(entry), {})
        for part in objects(items(entry.get("parts"))):
            made, response = part.get("function_call"), part.get("function_response")
            if isinstance(made, dict):
                turns.call(call(made.get("id"), made.get("name"), made.get("args")))
            elif isinstance(response, dict):
                turns.answer(
                    answer(response.get("id"), response.get("response"), name=response.get("name"))
                )
            elif "text" in part and not part.get("thought"):
                turns.say({"type": "text", "text": part["text"]})
            else:
                turns.say(part)
        messages += turns.listed()
    return messages or None


def flat(entries: Any) -> list[dict[str, Any]] | None:
    """Return messages that were flattened into `gen_ai.prompt.0.role` (Traceloop)."""
    messages = []
    for entry in objects(items(entries)):
        message = {k: v for k, v in entry.items() if k != "tool_calls"}
        message.setdefault("role", "assistant" if "finish_reason" in entry else "user")
        message["content"] = blocks_of(entry.get("content", ""))
        calls = [
            call(tool_call.get("id"), tool_call.get("name"), tool_call.get("arguments"))
            for tool_call in objects(items(entry.get("tool_calls")))
        ]
        if calls:
            message["tool_calls"] = calls
        messages.append(message)
    return messages or None


def wrapped(entries: Any) -> list[dict[str, Any]] | None:
    """Return messages flattened into `llm.input_messages.0.message.role` (OpenInference)."""
    inner = (entry.get("message") for entry in objects(items(entries)))
    return [_unwrapped(message) for message in inner if isinstance(message, dict)] or None


def _unwrapped(fields: dict[str, Any]) -> dict[str, Any]:
    calls = []
    for entry in objects(items(fields.get("tool_calls"))):
        made = _unwrapped_call(entry.get("tool_call"))
        calls += [made] if made else []
    blocks = []
    for entry in objects(items(fields.get("contents"))):
        made = _unwrapped_call(entry.get("tool_call"))  # beside a block of the type tool_use
        if made is None:
            blocks.append(_block(entry.get("message_content")))
        elif made["id"] not in [known["id"] for known in calls]:
            calls.append(made)
    message = {k: v for k, v in fields.items() if k not in {"contents", "tool_calls"}}
    message["content"] = content_of(blocks) if blocks else fields.get("content", "")
    if calls:
        message["tool_calls"] = calls
    return message


def _unwrapped_call(tool_call: Any) -> dict[str, Any] | None:
    function = tool_call.get("function") if isinstance(tool_call, dict) else None
    if not isinstance(function, dict):
        return None
    return call(tool_call.get("id"), function.get("name"), function.get("arguments"))


def _block(content: Any) -> Any:
    """Return one piece of an OpenInference message; an image as OpenAI's `image_url`."""
    if not isinstance(content, dict):
        return {"type": "text", "text": "" if content is None else content}
    image = content.get("image")
    inner = image.get("image") if isinstance(image, dict) else None
    if isinstance(inner, dict) and "url" in inner:
        return {"type": "image_url", "image_url": {"url": inner["url"]}}
    return {"type": "text", **content} if "text" in content else content


def of_events(
    events: Iterable[Event],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Return a span's events: input messages, output messages, and attributes.

    The last are those that newer conventions put on one event instead of on the span.
    """
    into: list[dict[str, Any]] = []
    out: list[dict[str, Any]] = []
    attributes: dict[str, Any] = {}
    for event in events:
        fields = event.attributes
        if event.name in EVENT_ROLES:
            into += _of_event(fields, EVENT_ROLES[event.name])
        elif event.name == CHOICE:
            out += _of_event(fields, "assistant")
        elif event.name == PROMPT_EVENT:
            attributes.setdefault("gen_ai.prompt", fields.get("gen_ai.prompt"))
        elif event.name == COMPLETION_EVENT:
            attributes.setdefault("gen_ai.completion", fields.get("gen_ai.completion"))
        elif event.name == DETAILS_EVENT:
            attributes |= fields
    return into, out, attributes


def of_listed_events(value: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the messages in and out of a JSON list of events (Logfire, pydantic-ai of 2025)."""
    events = [
        Event(name, 0, attributes)
        for attributes in objects(items(parsed(value)))
        if isinstance(name := attributes.get("event.name"), str)
    ]
    into, out, _ = of_events(events)
    return into, out


def _of_event(attributes: dict[str, Any], role: str) -> list[dict[str, Any]]:
    fields = dict(attributes)
    for name in _EVENT_BODY:
        body = parsed(attributes.get(name))
        fields |= body if isinstance(body, dict) else {}
    inner = parsed(fields.get("message"))
    if isinstance(inner, dict):
        fields |= inner
    elif inner is not None:
        fields.setdefault("content", fields["message"])
    message = {"role": fields.get("role") or role, "content": blocks_of(fields.get("content", ""))}
    for name in _EVENT_FIELDS:
        if fields.get(name) is not None:
            message[name] = parsed(fields[name]) if name == "tool_calls" else fields[name]
    if fields.get("id") is not None:
        message["tool_call_id" if message["role"] == "tool" else "id"] = fields["id"]
    return spread(message)


def documents(attributes: Attributes, prefix: str) -> list[dict[str, Any]] | None:
    """Return a retriever's `retrieval.documents.0.document.content` as LangChain's documents."""
    listed = []
    for entry in objects(items(attributes.tree(prefix))):
        document = entry.get("document")
        if not isinstance(document, dict):
            continue
        metadata = parsed(document.get("metadata"))
        metadata = dict(metadata) if isinstance(metadata, dict) else {}
        metadata |= {
            k: v for k, v in document.items() if k not in ("metadata", "content") and v is not None
        }
        listed.append(
            {"page_content": document.get("content", ""), "metadata": metadata, "type": "Document"}
        )
    return listed or None
