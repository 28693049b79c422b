"""Arithmetic: tokens, costs and the first token's time, as the run's own documents tell them.

Sources, the first that speaks wins: `outputs.usage_metadata`, `extra.metadata.usage_metadata`,
then what model providers write into the outputs of an llm run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw

from observatory.runs.documents import BadItem
from observatory.runs.times import parse_time

MAX_TOKENS: Final = (1 << 63) - 1
MAX_COST: Final = Decimal(10) ** 12
COST_STEP: Final = Decimal(1).scaleb(-12)
MAX_USAGE_BYTES: Final = 65_536
MAX_EVENTS_BYTES: Final = 4 << 20
_ABSENT = Raw(b"")
_DETAILS: Final = {
    "input_token_details": "prompt_token_details",
    "output_token_details": "completion_token_details",
    "input_cost_details": "prompt_cost_details",
    "output_cost_details": "completion_cost_details",
}


class _Outputs(msgspec.Struct):
    usage_metadata: Raw = _ABSENT
    usage: Raw = _ABSENT
    llm_output: Raw = _ABSENT
    generations: Raw = _ABSENT


class _Event(msgspec.Struct):
    name: str | None = None
    time: str | int | float | None = None


_outputs = msgspec.json.Decoder(_Outputs)
_events = msgspec.json.Decoder(list[_Event])


@dataclass(slots=True)
class Usage:
    """Tokens (counts), costs (US dollars, 12 decimals) and their details (a JSON object)."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_cost: Decimal | None = None
    completion_cost: Decimal | None = None
    total_cost: Decimal | None = None
    details: bytes | None = None


def find(outputs: bytes | None, in_metadata: bytes | None, run_type: str | None) -> Usage | None:
    """Return what the valid JSON object `outputs` or metadata's `usage_metadata` tells.

    What is not a count or an amount (negative, beyond 64 bits, not a number) is left out; the
    documents keep it.
    """
    parts = _outputs.decode(outputs) if outputs is not None and b"usage" in outputs else None
    said = _object(bytes(parts.usage_metadata)) if parts else {}
    if not said and in_metadata:
        said = _object(in_metadata)
    if not said and parts and run_type in {"llm", None}:
        said = (
            _object(bytes(parts.usage))
            or _dict(_object(bytes(parts.llm_output)).get("token_usage"))
            or _of_generations(bytes(parts.generations))
        )
    return _usage(said) if said else None


def first_token(events: bytes) -> datetime | None:
    """Return the time of the earliest `new_token` event, None if there is none with a time."""
    if b"new_token" not in events or len(events) > MAX_EVENTS_BYTES:
        return None
    try:
        tokens = [
            parse_time(event.time)
            for event in _events.decode(events)
            if event.name == "new_token" and event.time is not None
        ]
    except (msgspec.DecodeError, BadItem):
        return None  # events of another shape are kept; they only tell no first token
    return min(tokens, default=None)


def _object(raw: bytes) -> dict[str, Any]:
    if not raw.startswith(b"{") or len(raw) > MAX_USAGE_BYTES:
        return {}
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:  # a number beyond a double: no count, no amount
        return {}
    return value if isinstance(value, dict) else {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _of_generations(raw: bytes) -> dict[str, Any]:
    """Return LangChain's `generations[0][0].message.kwargs.usage_metadata`."""
    if not raw.startswith(b"[") or len(raw) > MAX_USAGE_BYTES:
        return {}
    try:
        first = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    while isinstance(first, list) and first:
        first = first[0]
    message = _dict(_dict(first).get("message"))
    return _dict(
        _dict(message.get("kwargs")).get("usage_metadata") or message.get("usage_metadata")
    )


def _usage(said: dict[str, Any]) -> Usage:
    usage = Usage(
        _count(said.get("input_tokens", said.get("prompt_tokens"))),
        _count(said.get("output_tokens", said.get("completion_tokens"))),
        _count(said.get("total_tokens")),
        _amount(said.get("input_cost")),
        _amount(said.get("output_cost")),
        _amount(said.get("total_cost")),
    )
    if usage.total_tokens is None and (usage.prompt_tokens or usage.completion_tokens) is not None:
        usage.total_tokens = _count((usage.prompt_tokens or 0) + (usage.completion_tokens or 0))
    if usage.total_cost is None and (usage.prompt_cost or usage.completion_cost) is not None:
        usage.total_cost = _amount(
            (usage.prompt_cost or Decimal(0)) + (usage.completion_cost or Decimal(0))
        )
    details = {}
    for sent, kept in _DETAILS.items():
        convert = _count if "token" in sent else _number
        members = {
            key: number
            for key, value in _dict(said.get(sent)).items()
            if (number := convert(value)) is not None
        }
        if members:
            details[kept] = members
    usage.details = orjson.dumps(details) if details else None
    return usage


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= MAX_TOKENS and value == int(value) else None


def _number(value: Any) -> float | None:
    amount = _amount(value)
    return None if amount is None else float(amount)


def _amount(value: Any) -> Decimal | None:
    """Return an amount of money, 12 decimals, from a number or a numeric text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        amount = Decimal(str(value))
        if not amount.is_finite() or abs(amount) >= MAX_COST:
            return None
        return amount.quantize(COST_STEP)
    except InvalidOperation:
        return None
