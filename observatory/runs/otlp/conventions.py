"""Arithmetic: what a span's attributes mean, by LangSmith, OpenTelemetry GenAI (older and newer),
OpenInference, Traceloop and the Vercel AI SDK. Where two speak, LangSmith's own word counts first.

Sources: langsmith/_internal/otel (0.14) and langsmith/experimental/otel (0.10, JavaScript);
OpenTelemetry semantic conventions, GenAI, 1.27 to 1.37; OpenInference semantic conventions;
OpenLLMetry semantic conventions.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from observatory.runs.otlp import messages
from observatory.runs.otlp.spans import Attributes, Span, decoded_json, items, objects, parsed

_PAIR: Final = re.compile(r"'([^'\\]{1,80})': (-?[0-9]{1,18}(?:\.[0-9]{1,18})?)[,}]")
_RUN_TYPES: Final = {"llm", "chain", "tool", "retriever", "embedding", "prompt", "parser"}
_BY_KIND: Final = {  # openinference.span.kind, traceloop.span.kind, gen_ai.operation.name, ...
    **{kind: kind for kind in _RUN_TYPES},
    **dict.fromkeys(("agent", "workflow", "task", "guardrail", "evaluator", "unknown"), "chain"),
    **dict.fromkeys(("invoke_agent", "create_agent", "invoke_workflow", "plan"), "chain"),
    **dict.fromkeys(("chat", "completion", "text_completion", "generate_content"), "llm"),
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
}
_KIND_KEYS: Final = (
    "openinference.span.kind",
    "traceloop.span.kind",
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


def run_type(attributes: Attributes) -> str:
    """Return the run type: LangSmith's own word, what the kinds say, what else hints at one."""
    own = attributes.text("langsmith.span.kind")
    if own:
        return own.lower()
    for key in _KIND_KEYS:
        kind = attributes.peek(key)
        if isinstance(kind, str) and kind.lower() in _BY_KIND:
            return _BY_KIND[kind.lower()]
    if attributes.peek("gen_ai.tool.name") is not None:
        return "tool"
    if attributes.has(*_MODEL_HINTS):
        return "llm"
    return "chain"


def inputs(attributes: Attributes, told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what went in; `told` are the messages that events say went in."""
    spoken = messages.all_of_parts(attributes.take("gen_ai.input.messages"))
    rules = messages.all_of_parts(_instructions(attributes.take("gen_ai.system_instructions")))
    own = _of_bytes(attributes.take("gen_ai.prompt"))
    flat = messages.flat(attributes.tree("gen_ai.prompt"))
    wrapped = messages.wrapped(attributes.tree("llm.input_messages"))
    for found in (spoken, flat, wrapped):
        if found and own is None:
            return {"messages": (rules or []) + found}
    said = own
    if said is None and told:
        return {"messages": (rules or []) + told}
    for keys in (
        ("input.value",),
        ("traceloop.entity.input",),
        ("gen_ai.tool.call.arguments", "ai.toolCall.input", "ai.toolCall.args"),
        ("ai.prompt.messages", "ai.prompt", "ai.values", "ai.value"),
        ("gen_ai.retrieval.query.text",),
    ):
        value = attributes.take(*keys)
        said = value if said is None else said
    attributes.take("input.mime_type")
    texts = [
        one.get("embedding", {}).get("text")
        for one in objects(items(attributes.tree("embedding.embeddings")))
        if isinstance(one.get("embedding"), dict)
    ]
    if said is None and any(texts):
        return {"input": texts}
    if said is None and rules:
        return {"messages": rules}
    return _as_object(said, "input")


def _of_bytes(value: Any) -> Any:
    """Return the object that a base64 text spells; any other value as it is.

    LangSmith's SDKs of 2025 send the JSON of what went in and out as bytes.
    """
    if not isinstance(value, str) or not value.startswith(("eyJ", "e30")):  # `{"`, `{}`
        return value
    try:
        said = parsed(base64.b64decode(value, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return value
    return said if isinstance(said, dict) else value


def _instructions(value: Any) -> Any:
    """Return system instructions, a list of parts, as one message."""
    value = parsed(value)
    if value is None:
        return None
    parts = value if isinstance(value, list) else [{"type": "text", "content": value}]
    return [{"role": "system", "parts": parts}]


def outputs(attributes: Attributes, told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what came out; `told` are the messages that events say came out."""
    spoken = messages.all_of_parts(attributes.take("gen_ai.output.messages"))
    own = _of_bytes(attributes.take("gen_ai.completion"))
    flat = messages.flat(attributes.tree("gen_ai.completion"))
    wrapped = messages.wrapped(attributes.tree("llm.output_messages"))
    for found in (spoken, flat, wrapped):
        if found and own is None:
            return {"messages": found}
    said = own
    if said is None and told:
        return {"messages": told}
    for prefix in ("retrieval.documents", "reranker.output_documents"):
        found = messages.documents(attributes, prefix)
        if found and said is None:
            return {"documents": found}
    for keys in (
        ("output.value",),
        ("traceloop.entity.output",),
        ("gen_ai.tool.call.result", "ai.toolCall.output", "ai.toolCall.result"),
        ("ai.response.text", "ai.response.object", "ai.response.toolCalls"),
        ("gen_ai.retrieval.documents",),
    ):
        value = attributes.take(*keys)
        said = value if said is None else said
    attributes.take("output.mime_type")
    return _as_object(said, "output")


def _as_object(value: Any, key: str) -> dict[str, Any] | None:
    """Return `value`, or the JSON it spells, if it is an object; else it under `key`."""
    value = parsed(value)
    if value is None or isinstance(value, dict):
        return value
    return {key: value}


# Usage --------------------------------------------------------------------------------------------

_COUNTS: Final = {
    "input_tokens": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "llm.usage.prompt_tokens", "ai.usage.promptTokens", "ai.usage.inputTokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
        "llm.token_count.completion", "llm.usage.completion_tokens",
        "ai.usage.completionTokens", "ai.usage.outputTokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens",
        "ai.usage.totalTokens",
    ),
    "input_cost": ("llm.cost.prompt", "gen_ai.usage.input_cost"),
    "output_cost": ("llm.cost.completion", "gen_ai.usage.output_cost"),
    "total_cost": ("llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost"),
}  # fmt: skip
_DETAILS: Final = {
    ("input_token_details", "cache_read"): (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read", "llm.usage.cache_read_input_tokens",
        "ai.usage.cachedInputTokens",
    ),
    ("input_token_details", "cache_creation"): (
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    ("input_token_details", "audio"): ("llm.token_count.prompt_details.audio",),
    ("output_token_details", "reasoning"): (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens",
    ),
    ("output_token_details", "audio"): ("llm.token_count.completion_details.audio",),
}  # fmt: skip


def usage(attributes: Attributes) -> dict[str, Any]:
    """Return LangSmith's `usage_metadata`: tokens, costs and their details. {} when none is said.

    `langsmith.usage_metadata` says it whole.
    """
    whole = parsed(attributes.take("langsmith.usage_metadata"))
    found: dict[str, Any] = {}
    for name, keys in _COUNTS.items():
        value = attributes.take(*keys)
        if value is not None:
            found[name] = _number(value)
    for (group, name), keys in _DETAILS.items():
        value = attributes.take(*keys)
        if value is not None:
            found.setdefault(group, {})[name] = _number(value)
    for group in ("input_token_details", "output_token_details"):
        counts = _counts(attributes.take(f"gen_ai.usage.{group}"))
        if counts:
            found[group] = {**counts, **found.get(group, {})}
    return whole if isinstance(whole, dict) else found


def _number(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _counts(value: Any) -> dict[str, Any]:
    """Return the numbers of a dictionary, also of one that was sent as JSON or as Python prints it.

    LangSmith's Python SDK sends the token details as `str(details)`.
    """
    value = parsed(value)
    if isinstance(value, str):
        value = {name: decoded_json(number) for name, number in _PAIR.findall(value)}
    return value if isinstance(value, dict) else {}


# The rest -----------------------------------------------------------------------------------------


def invocation(attributes: Attributes) -> dict[str, Any]:
    """Return the parameters the model was called with."""
    sent = parsed(attributes.take("llm.invocation_parameters"))
    found: dict[str, Any] = dict(sent) if isinstance(sent, dict) else {}
    requested = attributes.below("gen_ai.request")
    found |= {name: parsed(value) for name, value in requested.items()}
    tools = parsed(attributes.take("gen_ai.tool.definitions"))
    if tools is None:
        tools = [
            parsed(one.get("tool", {}).get("json_schema"))
            for one in objects(items(attributes.tree("llm.tools")))
            if isinstance(one.get("tool"), dict)
        ] or attributes.tree("llm.request.functions")
    if tools:
        found["tools"] = tools
    return found


_METADATA: Final = {  # what the wire calls it -> who says it
    "ls_provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "session_id": ("session.id",),
    "user_id": ("user.id", "enduser.id"),
    "conversation_id": ("gen_ai.conversation.id",),
}
_MODEL: Final = ("gen_ai.response.model", "llm.response.model", "llm.model_name",
                 "embedding.model_name", "ai.model.id")  # fmt: skip
_PREFIXES: Final = ("traceloop.association.properties", "ai.telemetry.metadata")
_LS_PARAMETERS: Final = {
    "temperature": "ls_temperature",
    "max_tokens": "ls_max_tokens",
    "stop_sequences": "ls_stop",
}


def metadata(span: Span, attributes: Attributes, called_with: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata: the resource's, the conventions', and last what LangSmith's keys say.

    Call it after everything else: what nobody took is metadata under its own name.
    """
    found: dict[str, Any] = dict(span.resource)
    sent = parsed(attributes.take("metadata"))
    if isinstance(sent, dict):
        found |= sent
    for name, keys in _METADATA.items():
        value = attributes.take(*keys)
        if value is not None:
            found[name] = value
    answered_by = attributes.take(*_MODEL)
    model = called_with.get("model") or answered_by
    if model is not None:
        found["ls_model_name"] = model
    for name, ours in _LS_PARAMETERS.items():
        if name in called_with:
            found[ours] = called_with[name]
    for prefix in _PREFIXES:
        found |= attributes.below(prefix)
    own = {name: parsed(value) for name, value in attributes.below("langsmith.metadata").items()}
    found = {**dict(attributes.rest()), **found, **own}
    return {name: value for name, value in found.items() if value is not None}


def tags(attributes: Attributes) -> list[str] | None:
    """Return the tags: LangSmith's list joined by commas, OpenInference's list of texts."""
    joined = attributes.take("langsmith.span.tags")
    found = joined.split(",") if isinstance(joined, str) else items(joined)
    found += items(parsed(attributes.take("tag.tags")))
    return [text for one in found if isinstance(one, str) and (text := one.strip())] or None
