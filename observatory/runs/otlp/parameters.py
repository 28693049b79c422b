"""Arithmetic: the parameters, metadata and tags in a span's attributes."""

from __future__ import annotations

from typing import Any, Final

from observatory.runs.otlp.spans import Attributes, Span, decoded_json, items, objects, parsed


def invocation(attributes: Attributes) -> dict[str, Any]:
    """Return the parameters the model was called with."""
    parameters: dict[str, Any] = {}
    for key in _PARAMETERS:
        parsed_value = parsed(attributes.take(key))
        parameters |= parsed_value if isinstance(parsed_value, dict) else {}
    requested = attributes.below("gen_ai.request")
    parameters |= {name: parsed(value) for name, value in requested.items()}
    model = attributes.take(*_REQUESTED_MODEL)
    if model is not None:
        parameters.setdefault("model", model)
    tools = _tools(attributes)
    if tools:
        parameters["tools"] = tools
    return parameters


_PARAMETERS: Final = ("llm.invocation_parameters", "langfuse.observation.model.parameters",
                      "embedding.invocation_parameters")  # fmt: skip
_REQUESTED_MODEL: Final = ("llm.request.model_name", "decision.request.model_name")


def _tools(attributes: Attributes) -> Any:
    for key in ("gen_ai.tool.definitions", "mlflow.chat.tools", "ai.prompt.tools"):
        tools = parsed(attributes.take(key))
        if tools:
            return [parsed(tool) for tool in tools] if isinstance(tools, list) else tools
    return [
        parsed(tool["tool"].get("json_schema"))
        for tool in objects(items(attributes.tree("llm.tools")))
        if isinstance(tool.get("tool"), dict)
    ] or attributes.tree("llm.request.functions")


_METADATA: Final = {  # name on the wire -> the attributes with it, of which the first counts
    "ls_provider": (
        "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system",
        "ai.model.provider", "decision.provider", "decision.system",
    ),
    "session_id": (
        "session.id", "langfuse.session.id", "mlflow.trace.session",
        "gcp.vertex.agent.session_id", "ai.telemetry.metadata.sessionId",
        "traceloop.association.properties.session_id",
    ),
    "thread_id": ("ai.telemetry.metadata.threadId",),
    "user_id": (
        "user.id", "enduser.id", "langfuse.user.id", "mlflow.trace.user",
        "ai.telemetry.metadata.userId", "traceloop.association.properties.user_id",
    ),
    "conversation_id": ("gen_ai.conversation.id", "ai.telemetry.metadata.conversationId"),
}  # fmt: skip
_MODEL: Final = ("gen_ai.response.model", "llm.response.model", "llm.response.model_name",
                 "llm.model_name", "embedding.model_name", "reranker.model_name",
                 "decision.model_name", "langfuse.observation.model.name", "ai.response.model",
                 "ai.model.id", "mlflow.llm.model")  # fmt: skip
_PREFIXES: Final = ("traceloop.association.properties", "ai.telemetry.metadata",
                    "langfuse.trace.metadata", "langfuse.observation.metadata")  # fmt: skip
_LS_PARAMETERS: Final = {
    "temperature": "ls_temperature",
    "max_tokens": "ls_max_tokens",
    "stop_sequences": "ls_stop",
}


def metadata(span: Span, attributes: Attributes, called_with: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata: the resource's, the conventions', and last LangSmith's own keys.

    Call it after everything else: attributes that were not taken become metadata under their names.
    """
    collected: dict[str, Any] = dict(span.resource)
    members = parsed(attributes.take("metadata"))
    if isinstance(members, dict):
        collected |= members
    for name, keys in _METADATA.items():
        value = attributes.take(*keys)
        if value is not None:
            collected[name] = _plain(value)
    answered_by = _plain(attributes.take(*_MODEL))
    model = called_with.get("model") or answered_by
    if model is not None:
        collected["ls_model_name"] = model
    if answered_by not in (None, model):
        collected["ls_response_model"] = answered_by
    for name, ours in _LS_PARAMETERS.items():
        if name in called_with:
            collected[ours] = called_with[name]
    for prefix in _PREFIXES:
        collected |= attributes.below(prefix)
    own = {name: parsed(value) for name, value in attributes.below("langsmith.metadata").items()}
    collected = {**dict(attributes.rest()), **collected, **own}
    return {name: value for name, value in collected.items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a text that MLflow wrote as JSON; any other value as it is."""
    is_quoted = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"'
    return decoded_json(value) if is_quoted else value


def tags(attributes: Attributes) -> list[str] | None:
    """Return the tags: LangSmith's list joined by commas, and the lists of other conventions."""
    joined = attributes.take("langsmith.span.tags")
    listed = joined.split(",") if isinstance(joined, str) else items(joined)
    for key in ("tag.tags", "langfuse.trace.tags", "logfire.tags"):
        listed += items(parsed(attributes.take(key)))
    return [text for tag in listed if isinstance(tag, str) and (text := tag.strip())] or None
