"""Arithmetic: the tokens and costs in a span's attributes, as LangSmith's usage_metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from observatory.runs.otlp.spans import Attributes, decoded_json, parsed

INPUT, OUTPUT = "input_token_details", "output_token_details"
_PAIR: Final = re.compile(r"'([^'\\]{1,80})': (-?[0-9]{1,18}(?:\.[0-9]{1,18})?)[,}]")
_COUNTS: Final = {
    "input_tokens": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "llm.usage.prompt_tokens", "ai.usage.promptTokens", "ai.usage.inputTokens",
        "ai.usage.tokens", "decision.token_count.input", "gen_ai.aggregated_usage.input_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
        "llm.token_count.completion", "llm.usage.completion_tokens",
        "ai.usage.completionTokens", "ai.usage.outputTokens", "decision.token_count.output",
        "gen_ai.aggregated_usage.output_tokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens",
        "ai.usage.totalTokens", "gen_ai.aggregated_usage.total_tokens",
    ),
    "input_cost": ("llm.cost.prompt", "gen_ai.usage.input_cost"),
    "output_cost": ("llm.cost.completion", "gen_ai.usage.output_cost"),
    "total_cost": (
        "llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost", "operation.cost",
    ),
}  # fmt: skip
# Groups of details: the attributes below a prefix, each a detail of its own.
_BELOW: Final = (
    ("llm.token_count.prompt_details", INPUT),
    ("llm.token_count.completion_details", OUTPUT),
    ("llm.cost.prompt_details", "input_cost_details"),
    ("llm.cost.completion_details", "output_cost_details"),
    ("ai.usage.inputTokenDetails", INPUT),
    ("ai.usage.outputTokenDetails", OUTPUT),
)
# Attributes that are one detail: `gen_ai.usage.cache_read.input_tokens`, and older spellings.
_SIDED: Final = re.compile(
    r"gen_ai\.(?:aggregated_)?usage\.([a-z0-9_]+)\.(input|output)_tokens", re.ASCII
)
_ALONE: Final = re.compile(
    r"(?:gen_ai\.(?:aggregated_)?usage|llm\.usage)\.(?:details\.)?([a-z0-9_]+)"
    r"|ai\.usage\.([a-zA-Z]+)",
    re.ASCII,
)
_NAMES: Final = {  # a detail, as exporters and providers call it -> as LangChain does, and its side
    **dict.fromkeys(
        ("cache_read_tokens", "cached_tokens", "cache_read_input_tokens", "cachedInputTokens",
         "cached_input_tokens", "input_cached_tokens", "cached_content_tokens",
         "input_cache_read"),
        (INPUT, "cache_read"),
    ),
    **dict.fromkeys(
        ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens",
         "cache_write_input_tokens", "input_cache_creation"),
        (INPUT, "cache_creation"),
    ),
    "input_audio_tokens": (INPUT, "audio"),
    "cache_audio_read_tokens": (INPUT, "cache_read_audio"),
    **dict.fromkeys(
        ("reasoning_tokens", "thoughts_tokens", "thinking_tokens", "reasoningTokens",
         "output_reasoning_tokens", "reasoning_output_tokens"),
        (OUTPUT, "reasoning"),
    ),
    "output_audio_tokens": (OUTPUT, "audio"),
    "accepted_prediction_tokens": (OUTPUT, "accepted_prediction"),
    "rejected_prediction_tokens": (OUTPUT, "rejected_prediction"),
}  # fmt: skip
_MEMBERS: Final = {  # of a group of details -> as LangChain calls it
    "cached": "cache_read",
    "cache_input": "cache_read",
    "cacheRead": "cache_read",
    "cache_write": "cache_creation",
    "cacheWrite": "cache_creation",
    "noCache": "no_cache",
}
_WHOLE: Final = (  # JSON of a whole usage, as a provider or a library writes it
    "langfuse.observation.usage_details",
    "mlflow.chat.tokenUsage",
    "gen_ai.usage.raw",
    "ai.response.usage",
)
_TOTALS: Final = {
    "input_tokens": ("input_tokens", "prompt_tokens", "input", "inputTokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "output", "outputTokens"),
    "total_tokens": ("total_tokens", "total", "totalTokens"),
}
_GROUPS: Final = {
    **dict.fromkeys(("prompt_tokens_details", "input_tokens_details", INPUT), INPUT),
    **dict.fromkeys(("completion_tokens_details", "output_tokens_details", OUTPUT), OUTPUT),
}


def usage(attributes: Attributes) -> dict[str, Any]:
    """Return LangSmith's `usage_metadata`: tokens, costs and their details. {} when there are none.

    `langsmith.usage_metadata` is the whole of it. An attribute of its own wins over the same detail
    in a group.
    """
    whole = parsed(attributes.take("langsmith.usage_metadata"))
    metadata: dict[str, Any] = {}
    for name, keys in _COUNTS.items():
        value = attributes.take(*keys)
        if value is not None:
            metadata[name] = _number(value)
    for group in (INPUT, OUTPUT):
        for name, count in _counts(attributes.take(f"gen_ai.usage.{group}")).items():
            metadata.setdefault(group, {})[name] = count
    for group, name, value in _details(attributes):
        metadata.setdefault(group, {})[name] = _number(value)
    for key in _WHOLE:
        _add(metadata, _dict(parsed(attributes.peek(key))))
    costs = _dict(parsed(attributes.take("langfuse.observation.cost_details")))
    for side in ("input", "output", "total"):
        if _is_number(costs.get(side)):
            metadata.setdefault(f"{side}_cost", costs[side])
    return whole if isinstance(whole, dict) else metadata


def _details(attributes: Attributes) -> Iterator[tuple[str, str, Any]]:
    """Yield (group, name, value) of the details that have an attribute of their own."""
    for prefix, group in _BELOW:
        for name, value in attributes.below(prefix).items():
            short = name.removesuffix("Tokens").removesuffix("_tokens")
            yield group, _MEMBERS.get(short, short), value
    for key in attributes.left():
        if match := _ALONE.fullmatch(key):
            if names := _NAMES.get(match[1] or match[2]):
                yield *names, attributes.take(key)
        elif match := _SIDED.fullmatch(key):
            group = INPUT if match[2] == "input" else OUTPUT
            yield group, _MEMBERS.get(match[1], match[1]), attributes.take(key)


def _add(metadata: dict[str, Any], whole: dict[str, Any]) -> None:
    """Add to `metadata` what only the usage object `whole` has."""
    for name, spellings in _TOTALS.items():
        for spelling in spellings:
            if _is_number(whole.get(spelling)):
                metadata.setdefault(name, whole[spelling])
    for name, value in whole.items():
        if name in _NAMES and _is_number(value):
            group, member = _NAMES[name]
            metadata.setdefault(group, {}).setdefault(member, value)
        elif name in _GROUPS:
            for inner, count in _dict(value).items():
                short = inner.removesuffix("_tokens")
                if _is_number(count):
                    members = metadata.setdefault(_GROUPS[name], {})
                    members.setdefault(_MEMBERS.get(short, short), count)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
    return _dict(value)
