"""Arithmetic: traced messages and tools as the OpenAI API writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from observatory import exact
from observatory.runs import messages as shapes

_KEPT: Final = ("name", "tool_calls", "tool_call_id", "function_call", "refusal")
_OF_A_MESSAGE: Final = {
    *("role", "type", "content", "data", "lc", "id", "kwargs", *_KEPT),
    *("additional_kwargs", "response_metadata"),
}
_PLACES: Final = ("messages", "message", "input", "output", "inputs", "outputs")

Message = dict[str, Any]


def role_of(value: Any) -> str | None:
    """Return the OpenAI role of one message in any spelling, None if it is not a message."""
    read = _read(value)
    return None if read is None else read[0]


def messages(value: Any, *, role: str = "user") -> list[Message] | None:
    """Return one message or a list of them as OpenAI messages; None for anything else.

    Reads `{role, content}`, `{type, content}`, `{type, data}`, LangChain's constructors, `[role,
    text]`, a text (with `role`), and a batch of one: a list that holds one list.
    """
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if (message := _read(value)) is not None:
        return _written(*message)
    if not isinstance(value, list) or not value:
        return None
    if len(value) == 1 and isinstance(value[0], list) and _read(value[0]) is None:
        return messages(value[0], role=role)
    listed = []
    for item in value:
        if (read := _read(item)) is None:
            return None
        listed += _written(*read)
    return listed


def extracted(document: Mapping[str, Any]) -> tuple[list[Message], dict[str, Any]] | None:
    """Return the messages in a traced document, and the document without them.

    Reads what LangChain's chat models trace (`messages`, `generations`), the OpenAI wrapper
    (`messages`, `choices`), messages under `input` or `output`, and a document that is itself a
    message. None if there are none.
    """
    if (whole := _read(document)) is not None:
        rest = {name: value for name, value in document.items() if name not in _OF_A_MESSAGE}
        return _written(*whole), rest
    for name, value in _candidates(document):
        listed = None if isinstance(value, str) else messages(value)
        if listed:
            return listed, {key: kept for key, kept in document.items() if key != name}
    return None


def joined(conversation: Sequence[Message], more: Sequence[Message]) -> list[Message]:
    """Return a conversation followed by `more`, which may repeat it or its end.

    A turn is traced with all messages before it, with the last ones, or with the new ones: each
    message is listed once. The longest possible repetition is removed.
    """
    longest = min(len(conversation), len(more))
    for length in range(longest, 0, -1):
        if conversation[-length] == more[0] and list(conversation[-length:]) == list(more[:length]):
            return [*conversation, *more[length:]]
    return [*conversation, *more]


def _candidates(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    generations, choices = document.get("generations"), document.get("choices")
    if isinstance(generations, list) and generations and isinstance(generations[0], list):
        generations = generations[0]
    known = [("generations", _first(generations)), ("choices", _first(choices))]
    return [*known, *((name, document.get(name)) for name in _PLACES)]


def _first(answers: Any) -> Any:
    """Return the message of the first of a model's responses."""
    first = answers[0] if isinstance(answers, list) and answers else None
    return first.get("message") if isinstance(first, dict) else None


def _read(value: Any) -> tuple[str, Mapping[str, Any]] | None:
    """Return the role and the fields of one message, None if `value` is not one."""
    if isinstance(value, list):
        if len(value) == 2 and all(isinstance(part, str) for part in value):
            role = shapes.role_named(value[0])
            return None if role is None else (role, {"content": value[1]})
        return None
    message = shapes.message(value)
    if message is None or not isinstance(message.fields.get("content"), str | list | None):
        return None
    return message.role, message.fields


def _written(role: str, fields: Mapping[str, Any]) -> list[Message]:
    """Return one message as OpenAI messages: a tool's result is a message of its own."""
    content, calls, results = _content(fields.get("content"))
    extra = fields.get("additional_kwargs")
    more = extra if isinstance(extra, dict) else {}
    kept = {name: fields.get(name) or more.get(name) for name in _KEPT}
    tool_calls = fields.get("tool_calls") or more.get("tool_calls") or calls
    if tool_calls:
        kept["tool_calls"] = [_call(call) for call in tool_calls]
    own = {name: value for name, value in kept.items() if value}
    if results and not content:
        return results
    return [*results, {"role": role, "content": content, **own}]


def _content(original: Any) -> tuple[Any, list[Any], list[Message]]:
    """Return the content, the tool calls and the tool results among its blocks."""
    if not isinstance(original, list):
        return original, [], []
    blocks: list[Any] = []
    calls: list[Any] = []
    results: list[Message] = []
    for block in original:
        kind = block.get("type") if isinstance(block, dict) else None
        if isinstance(block, str):
            blocks.append({"type": "text", "text": block})
        elif kind in {"text", "output_text", "input_text"}:
            blocks.append({"type": "text", "text": block.get("text") or ""})
        elif kind == "tool_use":
            calls.append(block)
        elif kind == "tool_result":
            content, _, _ = _content(block.get("content"))
            name = block.get("tool_use_id")
            results.append({"role": "tool", "content": content, "tool_call_id": name})
        elif kind == "image" and isinstance(block.get("source"), dict):
            blocks.append({"type": "image_url", "image_url": {"url": _url(block["source"])}})
        else:
            blocks.append(block)
    if all(isinstance(block, dict) and block.get("type") == "text" for block in blocks):
        return "\n".join(block["text"] for block in blocks), calls, results
    return blocks, calls, results


def _url(source: Mapping[str, Any]) -> str:
    if source.get("url"):
        return str(source["url"])
    return f"data:{source.get('media_type')};base64,{source.get('data')}"


def _call(call: Any) -> Any:
    """Return one tool call; the arguments are JSON text, as OpenAI has them."""
    if not isinstance(call, dict) or isinstance(call.get("function"), dict):
        return call
    arguments = call.get("args", call.get("input", {}))
    text = arguments if isinstance(arguments, str) else exact.spelled(arguments, ensure_ascii=False)
    function = {"name": call.get("name"), "arguments": text}
    return {"type": "function", "id": call.get("id"), "function": function}


# Tools -------------------------------------------------------------------------------------------


def tool(value: Any) -> dict[str, Any] | None:
    """Return a tool's definition as OpenAI writes it, None if `value` is not one.

    Reads OpenAI's tools and functions, Anthropic's, Bedrock's and a JSON Schema with a title.
    """
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("function"), dict):
        return value if value["function"].get("name") else None
    if isinstance(value.get("toolSpec"), dict):
        spec = value["toolSpec"]
        schema = spec.get("inputSchema")
        inner = schema.get("json") if isinstance(schema, dict) else None
        return tool({**spec, "parameters": inner or {}})
    name = value.get("name") or value.get("title")
    if not isinstance(name, str) or not name:
        return None
    parameters = value.get("parameters", value.get("input_schema"))
    if parameters is None and isinstance(value.get("properties"), dict):
        parameters = {key: value[key] for key in ("properties", "required") if key in value}
        parameters = {"type": "object", **parameters}
    function: dict[str, Any] = {"name": name}
    if value.get("description"):
        function["description"] = value["description"]
    if parameters is not None:
        function["parameters"] = parameters
    if "strict" in value:
        function["strict"] = value["strict"]
    return {"type": "function", "function": function}


def tools(values: Any) -> list[dict[str, Any]] | None:
    """Return a list of tools as OpenAI writes them; None unless each of them is a tool."""
    if not isinstance(values, list) or not values:
        return None
    definitions = [tool(value) for value in values]
    return (
        None
        if None in definitions
        else [definition for definition in definitions if definition is not None]
    )


def tools_of_run(invocation_params: Any) -> list[dict[str, Any]]:
    """Return the tools of a run's model: `tools` or `functions` of its parameters."""
    if not isinstance(invocation_params, dict):
        return []
    listed: Sequence[Any] = (
        invocation_params.get("tools") or invocation_params.get("functions") or []
    )
    definitions = [tool(value) for value in listed] if isinstance(listed, list) else []
    return [definition for definition in definitions if definition is not None]
