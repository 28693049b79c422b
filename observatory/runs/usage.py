"""Arithmetic: tokens, costs and the first token's time, from a run's own documents.

Sources, of which the first present wins: `outputs.usage_metadata`, `extra.metadata.usage_metadata`,
then what model providers write into the outputs of an llm run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec import Raw

from observatory import exact
from observatory.runs import documents
from observatory.runs.documents import BadItem
from observatory.runs.times import parse_time

MAX_TOKENS: Final = (1 << 63) - 1
MAX_COST: Final = Decimal(10) ** 12
COST_STEP: Final = Decimal(1).scaleb(-12)
LONG_NUMBER: Final = 400  # bytes of JSON; a double written out in full has fewer
SHORT: Final = 4_096  # bytes of a usage that is decoded as a whole
AT_ONCE: Final = 1 << 20  # bytes of events that are decoded together
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


class _Said(msgspec.Struct):
    """The members read of a usage, in LangChain's names and in those of model providers.

    Each is read by itself, so that an invalid count only costs itself. Other members are skipped.
    """

    input_tokens: Raw = _ABSENT
    prompt_tokens: Raw = _ABSENT
    output_tokens: Raw = _ABSENT
    completion_tokens: Raw = _ABSENT
    total_tokens: Raw = _ABSENT
    input_cost: Raw = _ABSENT
    output_cost: Raw = _ABSENT
    total_cost: Raw = _ABSENT
    input_token_details: Raw = _ABSENT
    output_token_details: Raw = _ABSENT
    input_cost_details: Raw = _ABSENT
    output_cost_details: Raw = _ABSENT


class _Answer(msgspec.Struct):
    """Where LangChain puts the usage: in `llm_output`, or in a generation's message."""

    token_usage: Raw = _ABSENT
    message: Raw = _ABSENT
    kwargs: Raw = _ABSENT
    usage_metadata: Raw = _ABSENT


class _Event(msgspec.Struct):
    name: str | None = None
    time: str | int | float | None = None


_said_names: Final = _Said.__struct_fields__
_outputs = msgspec.json.Decoder(_Outputs)
_said = msgspec.json.Decoder(_Said)
_answer = msgspec.json.Decoder(_Answer)
_list = msgspec.json.Decoder(list[Raw])
_dict = msgspec.json.Decoder(dict[str, Raw])
_event = msgspec.json.Decoder(_Event)
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
    """Return the usage in the valid JSON object `outputs` or in metadata's `usage_metadata`.

    Invalid counts and amounts (negative, beyond 64 bits, not a number) are left out; the documents
    keep them.
    """
    parts = _outputs.decode(outputs) if outputs is not None and b"usage" in outputs else None
    usage = _usage(parts.usage_metadata) if parts else None
    if usage is None and in_metadata:
        usage = _usage(Raw(in_metadata))
    if usage is None and parts and run_type in {"llm", None}:
        usage = (
            _usage(parts.usage)
            or _usage(_answer_of(parts.llm_output).token_usage)
            or _usage(_in_generations(parts.generations))
        )
    return usage


def first_token(events: bytes) -> datetime | None:
    """Return the time of the earliest `new_token` event, None if there is none with a time."""
    if b"new_token" not in events:
        return None
    try:
        tokens = [
            parse_time(event.time)
            for event in _each(events)
            if event.name == "new_token" and event.time is not None
        ]
    except (msgspec.DecodeError, BadItem):
        return None  # events of another shape are stored, but have no first token
    return min(tokens, default=None)


def _each(events: bytes) -> Iterable[_Event]:
    """Return the events; those of a long list one at a time, because each takes 100 bytes."""
    if len(events) <= AT_ONCE:
        return _events.decode(events)
    return (_event.decode(event) for event in documents.elements(events) if b"new_token" in event)


def _is_object(raw: Raw) -> bool:
    return memoryview(raw)[:1].tobytes() == b"{"


def _answer_of(raw: Raw) -> _Answer:
    return _answer.decode(raw) if _is_object(raw) else _Answer()


def _in_generations(raw: Raw) -> Raw:
    """Return LangChain's `generations[0][0].message.kwargs.usage_metadata`."""
    while memoryview(raw)[:1].tobytes() == b"[":
        raw = next(iter(_list.decode(raw)), _ABSENT)
    message = _answer_of(_answer_of(raw).message)
    in_kwargs = _answer_of(message.kwargs).usage_metadata
    return in_kwargs if _is_object(in_kwargs) else message.usage_metadata


def _usage(raw: Raw) -> Usage | None:
    """Return the usage in the JSON object `raw`; None if it has none, or is another value."""
    reported = _members(raw) if _is_object(raw) else {}
    if not reported:
        return None
    usage = Usage(
        _count(reported.get("input_tokens", reported.get("prompt_tokens"))),
        _count(reported.get("output_tokens", reported.get("completion_tokens"))),
        _count(reported.get("total_tokens")),
        _amount(reported.get("input_cost")),
        _amount(reported.get("output_cost")),
        _amount(reported.get("total_cost")),
    )
    if usage.total_tokens is None and (usage.prompt_tokens or usage.completion_tokens) is not None:
        usage.total_tokens = _count((usage.prompt_tokens or 0) + (usage.completion_tokens or 0))
    if usage.total_cost is None and (usage.prompt_cost or usage.completion_cost) is not None:
        usage.total_cost = _amount(
            (usage.prompt_cost or Decimal(0)) + (usage.completion_cost or Decimal(0))
        )
    details = {}
    for name_, stored_name in _DETAILS.items():
        group = reported.get(name_)
        if not isinstance(group, dict):
            continue
        convert = _count if "token" in name_ else _number
        members = {
            key: number for key, value in group.items() if (number := convert(value)) is not None
        }
        if members:
            details[stored_name] = members
    usage.details = exact.dumps(details) if details else None
    return usage


def _members(raw: Raw) -> dict[str, Any]:
    """Return the members read of the JSON object `raw`; {} if there are none.

    A usage is short. One that is long, or holds a number beyond a double, is read member by member,
    so that the rest of it costs no memory and an odd number only itself.
    """
    text = memoryview(raw)
    if len(text) <= SHORT:
        with contextlib.suppress(exact.NotJSON):
            return exact.loads(bytes(text))  # type: ignore[no-any-return]
    decoded = _said.decode(raw)
    present = {
        name: value for name in _said_names if (value := getattr(decoded, name)) is not _ABSENT
    }
    return {
        name: {key: _scalar(member) for key, member in _dict.decode(value).items()}
        if name in _DETAILS and _is_object(value)
        else _scalar(value)
        for name, value in present.items()
    }


def _scalar(raw: Raw) -> Any:
    """Return `raw` if it is a number or a text, else None."""
    text = memoryview(raw)
    if not 0 < len(text) <= LONG_NUMBER:
        return None
    try:
        return exact.loads(bytes(text))
    except exact.NotJSON:  # a number beyond a double: no count, no amount
        return None


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
