"""Read and write JSON without changing a number.

The usual readers turn 2**64 into a double, and the usual writers refuse it. All code that reads or
writes JSON from a client uses this module, so that each number leaves as it came: integers of any
size are `int`, and a fraction that a double would print differently is a `Number`, a float that
remembers its digits.

A number has at most MAX_DIGITS digits in a row and an exponent of at most MAX_EXPONENT that a
double can hold; `loads` refuses others and says where they are.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Self

import msgspec
import orjson

__all__ = [
    "Decoder",
    "Encoder",
    "Fragment",
    "NotJSON",
    "Number",
    "digits_of",
    "double",
    "dumps",
    "for_jsonb",
    "has_nul",
    "is_same",
    "jsonb",
    "loads",
    "spelled",
    "timestamp",
]

Fragment = orjson.Fragment  # JSON text that `dumps` embeds without parsing it

MAX_DIGITS: Final = 4_300  # the limit of Python's int()
MAX_EXPONENT: Final = 324  # of the smallest double, 5e-324
_LONG: Final = 25  # characters: no double is printed with more
_NESTED: Final = 200  # levels; orjson writes at most 254
_ESCAPE = re.compile(rb"\\\\|\\u0000")  # an escaped backslash may stand before plain letters
_RUNS = re.compile(r"[0-9]+")
_MIN_INT, _MAX_INT = -(1 << 63), (1 << 64) - 1
_EXPONENT = re.compile(rb"(?:^|[\s:,\[])-?[0-9.]+[eE][-+]?[0-9]")  # not in a quoted UUID
_TOKEN = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"|(-?[0-9]+)(?:\.([0-9]+))?[eE]([-+]?[0-9]+)', re.DOTALL
)


class NotJSON(ValueError):
    """A text that is not JSON, or has a number out of range; `path` is its place, if known."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path


class Number(float):
    """A JSON number that a double rounds or prints differently, with the digits as sent."""

    __slots__ = ("digits",)
    digits: str

    def __new__(cls, digits: str) -> Self:
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.digits,)

    def __str__(self) -> str:
        return self.digits

    def __eq__(self, other: object) -> bool:
        if isinstance(other, float):
            digits = other.digits if isinstance(other, Number) else repr(other)
            return Decimal(self.digits) == Decimal(digits)
        return isinstance(other, int) and Decimal(self.digits) == other

    def __hash__(self) -> int:
        return float.__hash__(self)


class _OutOfRange(ValueError):
    pass


def _number(digits: str) -> float:
    """Return the number with the fraction or exponent in `digits`. Raises _OutOfRange."""
    value = float(digits)
    if repr(value) == digits:
        return value
    if len(digits) > MAX_DIGITS and max(map(len, _RUNS.findall(digits))) > MAX_DIGITS:
        raise _OutOfRange(digits)
    exponent = digits.lower().partition("e")[2].lstrip("+-")
    if len(exponent) > 2 and (math.isinf(value) or int(exponent) > MAX_EXPONENT):
        raise _OutOfRange(digits)
    if len(digits) >= _LONG and _is_exact(value, Decimal(digits)):
        return value  # as jsonb prints 1e300: three hundred zeros
    return Number(digits)


_decoder = msgspec.json.Decoder(float_hook=_number)


def loads(document: bytes | str) -> Any:
    """Return the value of a JSON text, numbers exact. Raises NotJSON.

    Strict: no NaN, no lone surrogates, no byte order mark. Of a repeated key the last counts.
    """
    try:
        return _decoder.decode(document)
    except RecursionError:
        raise NotJSON("nested too deep") from None
    except (msgspec.ValidationError, _OutOfRange):
        raise _out_of_range(document) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise NotJSON(str(error)) from None


def _out_of_range(document: bytes | str) -> NotJSON:
    """Return the error for the first number of `document` that is out of range."""
    bad = object()

    def read(digits: str) -> Any:
        try:
            return _number(digits) if set(digits) & set(".eE") else int(digits)
        except ValueError:
            return bad

    try:
        value = json.loads(document, parse_int=read, parse_float=read)
    except (ValueError, RecursionError):
        return NotJSON("a number is out of range")
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        path, node = stack.pop()
        if node is bad:
            reason = f"the number has more than {MAX_DIGITS} digits or is beyond 1.8e308"
            return NotJSON(reason, path)
        if isinstance(node, dict):
            stack += reversed([(f"{path}.{k}" if path else k, v) for k, v in node.items()])
        elif isinstance(node, list):
            stack += reversed([(f"{path}[{n}]", member) for n, member in enumerate(node)])
    return NotJSON("a number is out of range")


def _is_exact(double: float, value: Decimal) -> bool:
    return not value.is_finite() or Decimal(repr(double)) == value


def _as_json(value: Any) -> Any:
    """Return `value`, of a type unknown to orjson, as one that it can write."""
    if isinstance(value, Number):
        return Fragment(value.digits)
    if isinstance(value, Decimal):
        double = float(value)
        return double if _is_exact(double, value) else Fragment(f"{value:f}")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime.datetime):
        return timestamp(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} is not JSON")


def timestamp(moment: datetime.datetime) -> str:
    """Return a time in UTC as 2026-01-31T09:30:00.000000Z: six digits always, naive is UTC.

    The SDKs compare times as texts; in one form they sort as the times do.
    """
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='microseconds')}Z"


def dumps(value: Any, *, indent: bool = False, sort_keys: bool = False) -> bytes:
    """Return `value` as JSON in UTF-8; `Fragment`s are embedded unparsed.

    Whatever `loads` returned can be written, and so can a text with lone surrogates: they
    become U+FFFD. A float that is not finite becomes null, a time as `timestamp` writes it.
    """
    option = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    if indent:
        option |= orjson.OPT_INDENT_2
    if sort_keys:
        option |= orjson.OPT_SORT_KEYS
    try:
        return orjson.dumps(value, default=_as_json, option=option)
    except TypeError:  # an integer past 64 bits, a lone surrogate, more than 254 levels
        return orjson.dumps(_writable(value, option, 1), default=_as_json, option=option)


def _writable(value: Any, option: int, depth: int) -> Any:
    """Return a copy of `value` without what orjson refuses."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int) and not _MIN_INT <= value <= _MAX_INT:
        return Fragment(str(value))
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth % _NESTED == 0:
        copy = _writable(value, option, depth + 1)
        return Fragment(orjson.dumps(copy, default=_as_json, option=option))
    if isinstance(value, Mapping):
        return {
            _writable(key, option, depth): _writable(member, option, depth + 1)
            for key, member in value.items()
        }
    return [_writable(member, option, depth + 1) for member in value]


def for_jsonb(document: bytes) -> bytes:
    """Return a JSON text with numbers such as 1e23 written out as 100000000000000000000000.0.

    jsonb keeps decimal digits, and without the fraction 1e23 would come back as an integer,
    which Python does not call equal to the double that was sent.
    """
    if _EXPONENT.search(document) is None:
        return document
    return _TOKEN.sub(_written_out, document)


def _written_out(match: re.Match[bytes]) -> bytes:
    if match[1] is None:  # a string
        return match[0]
    digits = f"{Decimal(match[0].decode()):f}"
    return (digits if "." in digits else f"{digits}.0").encode()


def double(number: float) -> float:
    """Return `number` as a double. Raises ValueError for an integer that no double equals.

    A fraction becomes the nearest double.
    """
    try:
        nearest = float(number)
    except OverflowError:
        nearest = math.inf
    if not math.isfinite(nearest):
        raise ValueError("must be finite and within 1e308")
    if isinstance(number, int) and nearest != number:
        raise ValueError("has more digits than a double holds")
    return nearest


def digits_of(number: float) -> str:
    """Return the shortest text that reads back as `number`, without a fraction of zero."""
    text = str(number)
    return text.removesuffix(".0") if isinstance(number, float) else text


def spelled(value: Any, **options: Any) -> str:
    """Return `value` as `json.dumps(value, **options)` writes it, unless that changes a number.

    For texts that are compared elsewhere: arguments of tool calls, input of a digest.
    """
    text = json.dumps(value, **options)
    return text if loads(text) == value else dumps(value, sort_keys=True).decode()


def has_nul(document: bytes) -> bool:
    r"""Return whether a text of a JSON document contains \u0000, which PostgreSQL cannot store."""
    return rb"\u0000" in _ESCAPE.findall(document)


def is_same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are written alike; 1 differs from true and from 1.0."""
    return dumps(left, sort_keys=True) == dumps(right, sort_keys=True)


def _mended(match: re.Match[bytes]) -> bytes:
    return match[0] if match[0] == rb"\\" else rb"\ufffd"


def jsonb(value: Any) -> str:
    """Return `value` as JSON for a jsonb column or parameter, with NUL replaced by U+FFFD."""
    document = dumps(value)
    if b"\\u0000" in document:
        document = _ESCAPE.sub(_mended, document)
    return for_jsonb(document).decode()


class Encoder(json.JSONEncoder):
    """For `JSONField(encoder=...)`: writes the text of a jsonb column."""

    def encode(self, o: Any) -> str:
        return jsonb(o)


class Decoder(json.JSONDecoder):
    """For `JSONField(decoder=...)`."""

    def decode(self, s: str, _w: Any = None) -> Any:
        return loads(s)
