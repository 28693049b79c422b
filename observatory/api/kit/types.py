"""Types of bodies and answers that every wing uses."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

Object = dict[str, Any]
Moment = datetime | float  # ISO 8601, or milliseconds since 1970


class Message(TypedDict):
    """Says what was done."""

    message: str


class Count(TypedDict):
    """How many."""

    size: int
