"""Arithmetic: the run type, inputs and outputs in a span's attributes.

Where several conventions apply, LangSmith's own attributes win, then the messages of a model call,
then a function's arguments and result. Sources and versions: docs/opentelemetry.md.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

from observatory.runs.otlp import messages
from observatory.runs.otlp.spans import Attributes, decoded_json, items, objects, parsed

Messages = list[dict[str, Any]]
_RUN_TYPES: Final = {"llm", "chain", "tool", "retriever", "embedding", "prompt", "parser"}
_BY_KIND: Final = {  # openinference.span.kind, traceloop.span.kind, gen_ai.operation.name, ...
    **{kind: kind for kind in _RUN_TYPES},
    **dict.fromkeys(("agent", "workflow", "task", "guardrail", "evaluator", "unknown"), "chain"),
    **dict.fromkeys(("invoke_agent", "create_agent", "invoke_workflow", "plan"), "chain"),
    **dict.fromkeys(("agent_step", "decision", "span", "event", "memory"), "chain"),
    **dict.fromkeys(("chat", "completion", "text_completion", "generate_content"), "llm"),
    **dict.fromkeys(("generation", "chat_model", "call_llm"), "llm"),
    **dict.fromkeys(("reranker", "rerank", "retrieval"), "retriever"),
    **dict.fromkeys(("embeddings", "embedding"), "embedding"),
    "execute_tool": "tool",
    "ai.toolcall": "tool",
    "ai.generatetext.dogenerate": "llm",
    "ai.streamtext.dostream": "llm",
    "ai.generateobject.dogenerate": "llm",
    "ai.streamobject.dostream": "llm",
    "ai.embed.doembed": "embedding",
    "ai.embedmany.doembed": "embedding",
    "ai.rerank.dorerank": "retriever",
}
_KIND_KEYS: Final = (
    "openinference.span.kind",
    "traceloop.span.kind",
    "langfuse.observation.type",
    "mlflow.spanType",
    "gen_ai.operation.name",
    "llm.request.type",
    "ai.operationId",
)
_MODEL_HINTS: Final = (
    "gen_ai.request.model",
    "gen_ai.prompt",
    "gen_ai.completion",
    "llm.model_name",
)
_OPENINFERENCE_KIND: Final = "openinference.span.kind"


def run_type(attributes: Attributes) -> str:
    """Return the run type: LangSmith's own, else of the kind attributes, else of other hints."""
    own = attributes.text("langsmith.span.kind")
    if own:
        return own.lower()
    for key in _KIND_KEYS:
        kind = attributes.peek(key)
        known = _BY_KIND.get(kind.strip('"').lower()) if isinstance(kind, str) else None
        if known:
            return known
    if attributes.peek("gen_ai.tool.name") is not None:
        return "tool"
    if attributes.has(*_MODEL_HINTS):
        return "llm"
    return "chain"


# How a value was written -------------------------------------------------------------------------


def _maybe_json(value: Any, _: Attributes) -> Any:
    """Parse a text that is a JSON object or list; leave other texts as they are."""
    return parsed(value)


def _json(value: Any, _: Attributes) -> Any:
    """Read what is always JSON, also a quoted text or a number."""
    return decoded_json(value) if isinstance(value, str) else value


def _result(value: Any, _: Attributes) -> Any:
    """Read the result of a tool: JSON by the convention, a text by most exporters."""
    is_quoted = isinstance(value, str) and value[:1] == value[-1:] == '"'
    return decoded_json(value) if is_quoted else parsed(value)


def _text(value: Any, _: Attributes) -> Any:
    return value


def _request(value: Any, _: Attributes) -> Any:
    """Read a request to Gemini: its instructions, then its contents as messages."""
    request = parsed(value)
    if not isinstance(request, dict) or not request:
        return None
    config = request.get("config")
    rules = config.get("system_instruction") if isinstance(config, dict) else None
    contents = messages.of_contents(request.get("contents")) or []
    system = [{"role": "system", "content": rules}] if rules else []
    return {"messages": system + contents} if contents else request


def _response(value: Any, _: Attributes) -> Any:
    """Read a response of Gemini."""
    response = parsed(value)
    if not isinstance(response, dict) or not response:
        return None
    contents = messages.of_contents(response.get("content"))
    return {"messages": contents} if contents else response


def _unless_empty(value: Any, _: Attributes) -> Any:
    """Read JSON of ADK, which writes {} and N/A for what it does not record."""
    return None if value == "N/A" else parsed(value) or None


def _conversation(value: Any, _: Attributes) -> Any:
    """Read a list of messages, at the top or below `messages`; leave anything else as it is."""
    decoded = parsed(value)
    inner = decoded.get("messages") if isinstance(decoded, dict) else decoded
    listed = messages.listed(inner)
    if listed is None:
        return decoded
    return {**decoded, "messages": listed} if isinstance(decoded, dict) else {"messages": listed}


def _request_sent(value: Any, _: Attributes) -> Any:
    """Read a provider request from Logfire of 2025; newer versions leave only the model in it."""
    request = parsed(value)
    is_whole = isinstance(request, dict) and request.keys() & {"messages", "input", "prompt"}
    return request if is_whole else None


def _answer_received(value: Any, _: Attributes) -> Any:
    """Read a provider response from Logfire of 2025."""
    response = parsed(value)
    message = response.get("message") if isinstance(response, dict) else None
    return {"messages": [message]} if isinstance(message, dict) else response


def _values(value: Any, _: Attributes) -> Any:
    """Read a list of JSON texts."""
    return [decoded_json(item) if isinstance(item, str) else item for item in items(value)]


def _mimed(key: str) -> Callable[[Any, Attributes], Any]:
    """Return a reader of OpenInference's value, whose type is in `key`.

    Its exporters name the type of everything that is not plain text. A program that borrows the
    attribute without the rest of the convention may omit it for JSON, too.
    """

    def read(value: Any, attributes: Attributes) -> Any:
        mime_type = attributes.take(key)
        if isinstance(mime_type, str) and mime_type.startswith("application/json"):
            return _json(value, attributes)
        is_text = mime_type is not None or attributes.peek(_OPENINFERENCE_KIND) is not None
        return value if is_text else parsed(value)

    return read


_Reader = Callable[[Any, Attributes], Any]
_VALUES_IN: Final[tuple[tuple[str, _Reader], ...]] = (
    ("input.value", _mimed("input.mime_type")),
    ("traceloop.entity.input", _json),
    ("langfuse.observation.input", _maybe_json),
    ("mlflow.spanInputs", _json),
    ("gcp.vertex.agent.llm_request", _request),
    ("gcp.vertex.agent.tool_call_args", _unless_empty),
    ("gen_ai.tool.call.arguments", _maybe_json),
    ("tool_arguments", _maybe_json),
    ("ai.toolCall.input", _json),
    ("ai.toolCall.args", _json),
    ("ai.prompt.messages", _conversation),
    ("ai.prompt", _conversation),
    ("ai.values", _values),
    ("ai.value", _json),
    ("gen_ai.retrieval.query.text", _text),
    ("reranker.query", _text),
    ("langfuse.trace.input", _maybe_json),
    ("request_data", _request_sent),
)
_VALUES_OUT: Final[tuple[tuple[str, _Reader], ...]] = (
    ("output.value", _mimed("output.mime_type")),
    ("traceloop.entity.output", _json),
    ("langfuse.observation.output", _maybe_json),
    ("mlflow.spanOutputs", _json),
    ("gcp.vertex.agent.llm_response", _response),
    ("gcp.vertex.agent.tool_response", _unless_empty),
    ("gen_ai.tool.call.result", _result),
    ("tool_response", _result),
    ("ai.toolCall.output", _json),
    ("ai.toolCall.result", _json),
    ("ai.response.object", _json),
    ("gen_ai.retrieval.documents", _maybe_json),
    ("langfuse.trace.output", _maybe_json),
    ("response_data", _answer_received),
)


def _first_value(
    attributes: Attributes, keys: tuple[tuple[str, _Reader], ...], key: str
) -> dict[str, Any] | None:
    """Return the value of the first of `keys` that is present, as an object; None if none is."""
    for name, read in keys:
        raw = attributes.peek(name)
        value = None if raw is None else read(raw, attributes)
        if value is not None:
            attributes.take(name)
            return _shaped(value, key)
    return None


def _shaped(value: Any, key: str) -> dict[str, Any]:
    """Return messages under `messages`, an object as it is, anything else under `key`."""
    if isinstance(value, dict):
        is_message = isinstance(value.get("role"), str) and value.keys() & {"content", "tool_calls"}
        return {"messages": messages.spread(value)} if is_message else value
    listed = messages.listed(value) if isinstance(value, list) else None
    return {"messages": listed} if listed else {key: value}


# What went in ------------------------------------------------------------------------------------


def inputs(attributes: Attributes, from_events: Messages) -> dict[str, Any] | None:
    """Return the inputs; `from_events` are the input messages of the span's events."""
    own = _of_bytes(attributes.take("gen_ai.prompt"))
    flat = messages.flat(attributes.tree("gen_ai.prompt"))
    if own is not None:
        return _as_object(own, "input")
    sent_messages = (
        messages.all_of_parts(attributes.take("gen_ai.input.messages"))
        or flat
        or _of_openinference(attributes, "llm.input_messages")
        or from_events
    )
    rules = messages.all_of_parts(_instructions(attributes.take("gen_ai.system_instructions")))
    if sent_messages:
        return {"messages": (rules or []) + sent_messages}
    value = _first_value(attributes, _VALUES_IN, "input")
    if value is None:
        value = _prompts(attributes, "llm.prompts", "prompt") or _embedded(attributes)
    if value is not None:
        return value
    if rules:
        return {"messages": rules}
    return _arguments(attributes)


def _of_bytes(value: Any) -> Any:
    """Return the object in a base64 text; any other value as it is.

    LangSmith's SDKs of 2025 send inputs and outputs as bytes of JSON.
    """
    if not isinstance(value, str) or not value.startswith(("eyJ", "e30")):  # `{"`, `{}`
        return value
    try:
        decoded = parsed(base64.b64decode(value, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return value
    return decoded if isinstance(decoded, dict) else value


def _of_openinference(attributes: Attributes, prefix: str) -> Messages | None:
    """Return the flattened messages of OpenInference.

    Only a model's are complete: those of a chain, an agent or a graph are a part of its value, and
    may lack their content.
    """
    unwrapped = messages.wrapped(attributes.tree(prefix))
    value = attributes.peek(prefix.removeprefix("llm.").removesuffix("_messages") + ".value")
    is_model = str(attributes.peek(_OPENINFERENCE_KIND) or "LLM").upper() == "LLM"
    return unwrapped if is_model or value is None else None


def _instructions(value: Any) -> Any:
    """Return system instructions, a list of parts, as one message."""
    value = parsed(value)
    if value is None:
        return None
    parts = value if isinstance(value, list) else [{"type": "text", "content": value}]
    return [{"role": "system", "parts": parts}]


def _prompts(attributes: Attributes, prefix: str, name: str) -> dict[str, Any] | None:
    """Return the texts of a completion of the older kind: `llm.prompts.0.prompt.text`."""
    texts = [
        entry[name].get("text")
        for entry in objects(items(attributes.tree(prefix)))
        if isinstance(entry.get(name), dict)
    ]
    return {f"{name}s": texts} if texts else None


def _embedded(attributes: Attributes) -> dict[str, Any] | None:
    texts = [
        entry["embedding"].get("text")
        for entry in objects(items(attributes.tree("embedding.embeddings")))
        if isinstance(entry.get("embedding"), dict)
    ]
    return {"input": texts} if any(texts) else None


def _arguments(attributes: Attributes) -> dict[str, Any] | None:
    """Return the arguments of a Logfire span: the properties in its schema but the return value."""
    schema = parsed(attributes.peek("logfire.json_schema"))
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or attributes.peek("logfire.msg_template") is None:
        return None
    arguments = {}
    for name, kind in properties.items():
        value = None if name == _RETURNED or "." in name else attributes.peek(name)
        if value is None:
            continue
        is_json = isinstance(kind, dict) and kind.get("type") in ("object", "array")
        arguments[name] = parsed(attributes.take(name)) if is_json else attributes.take(name)
    return arguments or None


_RETURNED: Final = "return"

# What came out -----------------------------------------------------------------------------------


def outputs(attributes: Attributes, from_events: Messages) -> dict[str, Any] | None:
    """Return the outputs; `from_events` are the output messages of the span's events."""
    own = _of_bytes(attributes.take("gen_ai.completion"))
    flat = messages.flat(attributes.tree("gen_ai.completion"))
    if own is not None:
        return _as_object(own, "output")
    sent_messages = (
        messages.all_of_parts(attributes.take("gen_ai.output.messages"))
        or flat
        or _of_openinference(attributes, "llm.output_messages")
        or from_events
        or _of_vercel(attributes)
    )
    if sent_messages:
        return {"messages": sent_messages}
    for prefix in ("retrieval.documents", "reranker.output_documents", "output.documents"):
        documents = messages.documents(attributes, prefix)
        if documents:
            return {"documents": documents}
    value = _first_value(attributes, _VALUES_OUT, "output")
    if value is None:
        value = _prompts(attributes, "llm.choices", "completion")
    if value is None and attributes.peek("logfire.msg_template") is not None:
        value = _as_object(attributes.take(_RETURNED), "output")
    return value


def _of_vercel(attributes: Attributes) -> Messages | None:
    """Return the answer of Vercel's AI SDK: its text, its reasoning and its tool calls."""
    text = attributes.take("ai.response.text")
    thought = attributes.take("ai.response.reasoning")
    calls = [
        messages.call(
            tool_call.get("toolCallId"),
            tool_call.get("toolName"),
            tool_call.get("input", tool_call.get("args")),
        )
        for tool_call in objects(items(parsed(attributes.take("ai.response.toolCalls"))))
    ]
    if text is None and thought is None and not calls:
        return None
    blocks = [{"type": "thinking", "thinking": thought}] if thought is not None else []
    if text is not None:
        blocks.append({"type": "text", "text": text})
    message = {"role": "assistant", "content": messages.content_of(blocks)}
    return [{**message, "tool_calls": calls} if calls else message]


def _as_object(value: Any, key: str) -> dict[str, Any] | None:
    """Return `value`, or the JSON in it, if it is an object; else an object with it under `key`."""
    value = parsed(value)
    return value if value is None or isinstance(value, dict) else {key: value}


# The whole of a conversation ---------------------------------------------------------------------


def conversation(attributes: Attributes) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return inputs and outputs of an agent whose messages are in one attribute.

    pydantic-ai and Logfire put all messages of a run, both questions and answers, into one.
    """
    whole = _whole(attributes)
    if whole is None:
        return None, None
    into, out = whole
    result = attributes.take("final_result")
    outputs: dict[str, Any] = {"messages": out} if out else {}
    if result is not None:
        is_text = bool(out) and out[-1].get("content") == result
        outputs["output"] = result if is_text else parsed(result)
    return {"messages": into} if into else None, outputs or None


def _whole(attributes: Attributes) -> tuple[Messages, Messages] | None:
    if attributes.peek("logfire.json_schema") is not None:
        into, out = messages.of_listed_events(attributes.peek("events"))
        if into or out:
            attributes.take("events")
            return into, out
    history = messages.all_of_parts(attributes.take("pydantic_ai.all_messages"))
    if history:
        # It counts requests and answers, which alternate; it is absent without a history.
        index = attributes.take("pydantic_ai.new_message_index")
        return _split(history, index // 2 if type(index) is int else 0)
    turns, more = messages.of_listed_events(attributes.take("all_messages_events"))
    if turns or more:
        history = turns + more
        last_question = max(
            (n for n, message in enumerate(history) if message.get("role") == "user"), default=0
        )
        return _split(
            history, sum(message.get("role") == "assistant" for message in history[:last_question])
        )
    return None if attributes.peek("final_result") is None else ([], [])


def _split(history: Messages, n_answers: int) -> tuple[Messages, Messages]:
    """Split messages at the answer that follows the first `n_answers`."""
    answers = [n for n, message in enumerate(history) if message.get("role") == "assistant"]
    end = answers[n_answers] if 0 <= n_answers < len(answers) else len(history)
    return history[:end], history[end:]
