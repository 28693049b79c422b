"""Arithmetic: the beginning of a payload, as one line of text that a person recognises."""

from __future__ import annotations

from typing import Any

import orjson

MAX_PREVIEW = 300
"""Characters of a preview."""
MAX_PARSED = 65_536
"""Characters of a document that is looked into; a longer one is shown as it begins."""
MAX_DEPTH = 8


def preview(document: str | None) -> str | None:
    """Return the text that the JSON text `document` is about, cut at MAX_PREVIEW.

    The string of an envelope with one ({"question": "Why?"}), the newest message of a
    conversation, anything else as its JSON. None stays None.
    """
    if document is None or document == "null":
        return None
    text = document
    if len(document) <= MAX_PARSED:
        try:
            text = _said(orjson.loads(document)) or document
        except orjson.JSONDecodeError:  # a number that no double holds: shown as it was sent
            text = document
    text = " ".join(text[: 4 * MAX_PREVIEW].split())
    return text if len(text) <= MAX_PREVIEW else f"{text[: MAX_PREVIEW - 1]}…"


def _said(value: Any, depth: int = 0) -> str | None:
    """Return the string inside `value`, None if it holds none, several or one too deep."""
    if isinstance(value, str):
        return value
    if depth == MAX_DEPTH:
        return None
    if isinstance(value, list):
        return _said(value[-1], depth + 1) if value else None
    if not isinstance(value, dict):
        return None
    for name in ("messages", "content", "text"):
        if value.get(name):
            return _said(value[name], depth + 1)
    return _said(next(iter(value.values())), depth + 1) if len(value) == 1 else None
