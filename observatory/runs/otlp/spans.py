"""Arithmetic: a span of OTLP, in either encoding, and its attributes.

Source: OpenTelemetry specification, OTLP 1.5; opentelemetry-proto, trace.proto, common.proto.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from observatory import exact
from observatory.runs.documents import MAX_DEPTH, BadItem

logger = logging.getLogger(__name__)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SPAN_BYTES: Final = 4 << 20  # protobuf objects take 26 times the bytes of a hostile span
MAX_ATTRIBUTES: Final = 10_000
OK: Final = 1
ERROR: Final = 2
_MAX_PARTS: Final = 12  # of a flattened key


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span. `time` is in nanoseconds since 1970."""

    name: str
    time: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A reference to another span."""

    trace_id: bytes
    span_id: bytes
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are nanoseconds since 1970, 0 for "not set"; ids are as many bytes as sent.

    `resource` holds the attributes of the emitter, `scope` the instrumentation's name and version.
    `raw` is what was sent, for the quarantine.
    """

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    start: int
    end: int
    kind: int = 0
    trace_state: str = ""
    status: int = 0
    status_message: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)
    scope: tuple[str, str] = ("", "")
    raw: bytes = b""

    def check(self) -> None:
        """Raise BadItem unless the ids are valid by the specification."""
        for name, value, length in (
            ("traceId", self.trace_id, 16),
            ("spanId", self.span_id, 8),
        ):
            if len(value) != length or not any(value):
                raise BadItem("invalid_span_id", f"{name}: must be {length} bytes, not all zero")
        if self.parent_span_id and len(self.parent_span_id) != 8:
            raise BadItem("invalid_span_id", "parentSpanId: must be 8 bytes, or empty")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A span that could not be decoded, and the reason."""

    reason: str
    raw: bytes


def moment(nanoseconds: int) -> datetime | None:
    """Return a time of OTLP in UTC, to the microsecond; None for 0. Years 1970 to 2554."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1_000) if nanoseconds > 0 else None


def decoded(decode: Callable[[bytes], Span], raw: bytes) -> Span | Unreadable:
    """Return the span that `decode` reads from `raw`, or why it cannot be read.

    An error, even a bug of this program, costs this span and not its request.
    """
    try:
        return decode(raw)
    except BadItem as bad:
        return Unreadable(bad.reason, raw)
    except RecursionError:
        return Unreadable("Nested too deep", raw)
    except Exception as error:
        logger.exception("Could not decode a span of %d bytes", len(raw))
        return Unreadable(f"The server could not decode this span: {type(error).__name__}", raw)


def parsed(value: Any) -> Any:
    """Return the list or object in a JSON text; any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in {"{", "["}:
        return value
    return decoded_json(value)


def decoded_json(text: str) -> Any:
    """Return the value of a JSON text, even a string or a number; `text` if it is not JSON.

    Raises BadItem for one that is nested too deep to be read.
    """
    try:
        return exact.loads(text)
    except exact.NotJSON as error:
        if isinstance(error.__context__, RecursionError):
            raise BadItem("too_deep", f"Nested deeper than {MAX_DEPTH}") from None
        return text


class Attributes:
    """A span's attributes. A convention takes the ones it reads; `rest` yields the others."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._taken: set[str] = set()

    def take(self, *keys: str) -> Any:
        """Return the first of `keys` that is present and not None or "", else None.

        Marks it as taken, and the others if they have the same value or none.
        """
        value = self.peek(*keys)
        for key in keys:
            if key in self._values and self._values[key] in (value, None, ""):
                self._taken.add(key)
        return value

    def peek(self, *keys: str) -> Any:
        """Return like `take`, without taking."""
        values = (self._values.get(key) for key in keys)
        return next((value for value in values if value not in (None, "")), None)

    def text(self, *keys: str) -> str | None:
        """Return the first of `keys` that is present, as text; None if none is."""
        value = self.take(*keys)
        return (
            None
            if value is None
            else value
            if isinstance(value, str)
            else exact.dumps(value).decode()
        )

    def has(self, *prefixes: str) -> bool:
        """Return whether any key begins with one of `prefixes`."""
        return any(key.startswith(prefixes) for key in self._values)

    def below(self, prefix: str) -> dict[str, Any]:
        """Take every `<prefix>.<name>` and return name -> value."""
        start = f"{prefix}."
        attributes = {k[len(start) :]: v for k, v in self._values.items() if k.startswith(start)}
        self._taken.update(start + name for name in attributes)
        return attributes

    def tree(self, prefix: str) -> Any:
        """Take every `<prefix>.a.0.b` and return them nested: {"a": [{"b": ...}]}; None if none.

        Numbers become positions in a list, in their order, without gaps.
        """
        root: dict[str, Any] = {}
        for name, value in self.below(prefix).items():
            parts = name.split(".")
            if len(parts) > _MAX_PARTS:
                parts = [*parts[: _MAX_PARTS - 1], ".".join(parts[_MAX_PARTS - 1 :])]
            node = root
            for part in parts[:-1]:
                inner = node.setdefault(part, {})
                if not isinstance(inner, dict):
                    inner = node[part] = {"": inner}
                node = inner
            if isinstance(node.get(parts[-1]), dict):
                node[parts[-1]][""] = value
            else:
                node[parts[-1]] = value
        return _listed(root) if root else None

    def left(self) -> list[str]:
        """Return the keys that were not taken."""
        return [key for key in self._values if key not in self._taken]

    def rest(self) -> Iterator[tuple[str, Any]]:
        """Yield the attributes that were not taken."""
        return ((k, v) for k, v in self._values.items() if k not in self._taken)


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.isascii() and key.isdigit() and len(key) < 10 for key in node):
        return [_listed(node[key]) for key in sorted(node, key=int)]
    return {key: _listed(value) for key, value in node.items()}


def items(value: Any) -> list[Any]:
    """Return `value` if it is a list, [] for None, else a list of it alone."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def objects(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield the dictionaries among `values`."""
    return (value for value in values if isinstance(value, dict))
