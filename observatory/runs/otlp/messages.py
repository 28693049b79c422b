"""Arithmetic: the messages of a model call, in every spelling, as `{"role", "content", ...}`.

Tool calls become OpenAI's: `{"id", "type": "function", "function": {"name", "arguments"}}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from observatory.runs.otlp.spans import Attributes, Event, dumped, items, objects, parsed

# Span events of the older GenAI conventions -> the role they stand for.
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


def call(identity: Any, name: Any, arguments: Any) -> dict[str, Any]:
    """Return a tool call as OpenAI writes it: the arguments are a JSON text."""
    if not isinstance(arguments, str):
        arguments = dumped(arguments or {}).decode()
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def of_parts(message: Any) -> dict[str, Any] | None:
    """Return a message of the newer GenAI conventions, `{"role", "parts": [...]}`.

    Texts alone become one text; what has no place of its own stays a block of the content.
    """
    if not isinstance(message, dict):
        return None
    if "parts" not in message:
        return message
    blocks: list[Any] = []
    found = {"role": message.get("role") or "user"}
    calls = []
    for part in items(message["parts"]):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            blocks.append({"type": "text", "text": part.get("content")})
        elif kind == "tool_call":
            calls.append(call(part.get("id"), part.get("name"), part.get("arguments")))
        elif kind == "tool_call_response":
            found |= {"role": "tool", "tool_call_id": part.get("id")}
            blocks.append({"type": "text", "text": part.get("response", part.get("result"))})
        elif kind in ("reasoning", "thinking"):
            blocks.append({"type": "thinking", "thinking": part.get("content")})
        else:
            blocks.append(part)
    found["content"] = _joined(blocks)
    if calls:
        found["tool_calls"] = calls
    return found | {k: v for k, v in message.items() if k in {"name", "finish_reason"}}


def _joined(blocks: list[Any]) -> Any:
    texts = [b.get("text") for b in blocks if isinstance(b, dict) and b.get("type") == "text"]
    if len(texts) != len(blocks):
        return blocks
    if len(texts) == 1 and not isinstance(texts[0], str):
        return texts[0] if texts[0] is not None else ""
    return "\n".join(t if isinstance(t, str) else dumped(t).decode() for t in texts)


def all_of_parts(value: Any) -> list[dict[str, Any]] | None:
    """Return the messages of `gen_ai.input.messages` and its like; None when it holds none."""
    found = [message for one in items(parsed(value)) if (message := of_parts(one)) is not None]
    return found or None


def flat(entries: Any) -> list[dict[str, Any]] | None:
    """Return messages that were flattened into `gen_ai.prompt.0.role` (Traceloop)."""
    found = []
    for entry in objects(items(entries)):
        message = {k: v for k, v in entry.items() if k != "tool_calls"}
        message.setdefault("role", "assistant" if "finish_reason" in entry else "user")
        message["content"] = parsed(entry.get("content", ""))
        calls = [
            call(one.get("id"), one.get("name"), one.get("arguments"))
            for one in objects(items(entry.get("tool_calls")))
        ]
        if calls:
            message["tool_calls"] = calls
        found.append(message)
    return found or None


def wrapped(entries: Any) -> list[dict[str, Any]] | None:
    """Return messages flattened into `llm.input_messages.0.message.role` (OpenInference)."""
    found = []
    for entry in objects(items(entries)):
        sent = entry.get("message")
        if not isinstance(sent, dict):
            continue
        message = {k: v for k, v in sent.items() if k not in {"contents", "tool_calls"}}
        blocks = [
            _block(one.get("message_content")) for one in objects(items(sent.get("contents")))
        ]
        message["content"] = _joined(blocks) if blocks else sent.get("content", "")
        calls = []
        for one in objects(items(sent.get("tool_calls"))):
            told = one.get("tool_call")
            function = told.get("function") if isinstance(told, dict) else None
            if isinstance(told, dict) and isinstance(function, dict):
                calls.append(call(told.get("id"), function.get("name"), function.get("arguments")))
        if calls:
            message["tool_calls"] = calls
        found.append(message)
    return found or None


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
    """Return what a span's events say: messages in, messages out, and attributes said there.

    The last are those that newer conventions put on one event instead of on the span.
    """
    into: list[dict[str, Any]] = []
    out: list[dict[str, Any]] = []
    said: dict[str, Any] = {}
    for event in events:
        told = event.attributes
        if event.name in EVENT_ROLES:
            into.append(_of_event(told, EVENT_ROLES[event.name]))
        elif event.name == CHOICE:
            out.append(_of_event(told, "assistant"))
        elif event.name == PROMPT_EVENT:
            said.setdefault("gen_ai.prompt", told.get("gen_ai.prompt"))
        elif event.name == COMPLETION_EVENT:
            said.setdefault("gen_ai.completion", told.get("gen_ai.completion"))
        elif event.name == DETAILS_EVENT:
            said |= told
    return into, out, said


def _of_event(told: dict[str, Any], role: str) -> dict[str, Any]:
    inner = parsed(told.get("message"))
    sent = {**told, **inner} if isinstance(inner, dict) else dict(told)
    message = {"role": sent.get("role") or role}
    message["content"] = parsed(sent.get("content", "" if isinstance(inner, dict) else inner or ""))
    for name in ("tool_calls", "name", "finish_reason"):
        if sent.get(name) is not None:
            message[name] = parsed(sent[name])
    if sent.get("id") is not None:
        message["tool_call_id" if message["role"] == "tool" else "id"] = sent["id"]
    return message


def documents(attributes: Attributes, prefix: str) -> list[dict[str, Any]] | None:
    """Return what a retriever found, `retrieval.documents.0.document.content`, as LangChain's."""
    found = []
    for entry in objects(items(attributes.tree(prefix))):
        sent = entry.get("document")
        if not isinstance(sent, dict):
            continue
        metadata = parsed(sent.get("metadata"))
        metadata = dict(metadata) if isinstance(metadata, dict) else {}
        metadata |= {k: sent[k] for k in ("id", "score") if sent.get(k) is not None}
        found.append(
            {"page_content": sent.get("content", ""), "metadata": metadata, "type": "Document"}
        )
    return found or None
