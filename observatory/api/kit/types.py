"""What goes over the wire, as types: one file per resource, as the views. See `described`.

`Query` types are query parameters, `Create` and `Change` types are bodies; the others are answers.
A body's fields are those that are read: any other is ignored.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypedDict

from msgspec import Meta

Object = dict[str, Any]
Moment = datetime | float  # ISO 8601, or milliseconds since 1970
Limit = Annotated[int, Meta(ge=1, le=1_000, description="Rows of a page; 100 unless asked")]
Offset = Annotated[int, Meta(ge=0, le=10_000_000, description="Rows to skip")]


class Message(TypedDict):
    """Says what was done."""

    message: str


class PageQuery(TypedDict, total=False):
    """A page of a list."""

    limit: Limit
    offset: Offset


class Count(TypedDict):
    """How many."""

    size: int
