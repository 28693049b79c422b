"""Opaque cursors: a position in a list, encoded as text that needs no escaping in a URL."""

from __future__ import annotations

import base64
import binascii
from typing import Final

MAX_LENGTH: Final = 2_000
"""Characters: a thread's id holds 200, each as many as 6 bytes of JSON."""


class BadCursor(ValueError):
    """Raised for a cursor that no answer contained. The message is for the client."""

    def __init__(self) -> None:
        super().__init__("cursor: invalid; send the cursor of an earlier answer")


def encode(position: bytes) -> str:
    """Return the cursor of a position."""
    return base64.urlsafe_b64encode(position).decode()


def decode(cursor: str) -> bytes:
    """Return the position that `encode` was given. Raises BadCursor."""
    if len(cursor) > MAX_LENGTH:
        raise BadCursor
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor from None
