"""Types of members that queries of runs share: times and the filter language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, get_args

from msgspec import Meta
from rest_framework.exceptions import ParseError

from observatory import wire_values
from observatory.api.kit.bodies import Body, Query
from observatory.api.kit.members import SelfReading
from observatory.runs.filters.fields import FIELDS, THREAD_FIELDS, Field
from observatory.runs.filters.grammar import Node, parse

MAX_TEXT: Final = 10_240
Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class RunsBody(Body, kw_only=True):
    """The body of a query of runs. What is wrong with it is a 400."""

    invalid = ParseError


class RunsQuery(Query, kw_only=True):
    """Query parameters that ask for runs. What is wrong with them is a 400."""

    invalid = ParseError


def filter_in(text: Any, fields: Mapping[str, Field] = FIELDS) -> Node | None:
    """Return a filter of the wire, parsed; None if it is empty.

    Raises ValueError with the reason, and the position if the filter language does not allow it.
    """
    if not isinstance(text, str):
        raise ValueError("must be a text")
    if len(text) > MAX_TEXT:
        raise ValueError(f"must have at most {MAX_TEXT} characters")
    if not wire_values.is_storable(text):
        raise ValueError("must not contain a NUL character")
    return parse(text, fields) if text else None


if TYPE_CHECKING:
    Instant = datetime
    _RunFilter = Node | None
    ThreadFilter = Node | None
else:

    class Instant(metaclass=SelfReading):
        """ISO 8601 text (no zone: UTC) or epoch milliseconds, of the years 1 to 9999."""

        kinds = (datetime,)
        schema: ClassVar = {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]
        }

        @staticmethod
        def read(value: Any) -> datetime:
            return wire_values.parse_time(value.strip() if isinstance(value, str) else value)

    class _RunFilter(metaclass=SelfReading):
        """A filter of runs. An empty one counts as absent."""

        kinds = (*get_args(Node), type(None))
        schema: ClassVar = {"type": "string", "maxLength": MAX_TEXT}

        @staticmethod
        def read(value: Any) -> Node | None:
            return filter_in(value)

    class ThreadFilter(metaclass=SelfReading):
        """A filter of threads. An empty one counts as absent."""

        kinds = (*get_args(Node), type(None))
        schema: ClassVar = {"type": "string", "maxLength": MAX_TEXT}

        @staticmethod
        def read(value: Any) -> Node | None:
            return filter_in(value, THREAD_FIELDS)


LANGUAGE: Final = "The filter language: docs/reference/filters.md"
RunFilter = Annotated[_RunFilter, Meta(description=LANGUAGE)]
