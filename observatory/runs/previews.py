"""Arithmetic: the beginning of a payload, as one line of text that a reader recognises."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

MAX_PREVIEW = 300
"""Characters of a preview."""
MAX_DEPTH = 8
_list: Final = msgspec.json.Decoder(list[Raw])
_object: Final = msgspec.json.Decoder(dict[str, Raw])
_text: Final = msgspec.json.Decoder(str)
_EMPTY: Final = (b"", b"null", b'""', b"[]", b"{}", b"0", b"false")


def preview(document: str | None) -> str | None:
    """Return the main text of the JSON text `document`, cut at MAX_PREVIEW.

    The string of an object with one ({"question": "Why?"}), the newest message of a conversation,
    anything else as its JSON. None stays None. Only the way to the text is decoded, however long
    the document is.
    """
    if document is None or document == "null":
        return None
    try:
        text = _said(Raw(document.encode().strip())) or document
    except (msgspec.DecodeError, RecursionError):  # not JSON: shown as it was sent
        text = document
    text = " ".join(text[: 4 * MAX_PREVIEW].split())
    return text if len(text) <= MAX_PREVIEW else f"{text[: MAX_PREVIEW - 1]}…"


def _said(raw: Raw, depth: int = 0) -> str | None:
    """Return the string inside `raw`, None if there is none, several or one too deep."""
    match bytes(memoryview(raw)[:1]):
        case b'"':
            return _text.decode(raw)
        case b"[" if depth < MAX_DEPTH:
            members = _list.decode(raw)
            return _said(members[-1], depth + 1) if members else None
        case b"{" if depth < MAX_DEPTH:
            parts = _object.decode(raw)
            for name in ("messages", "content", "text"):
                if name in parts and bytes(memoryview(parts[name])[:5]) not in _EMPTY:
                    return _said(parts[name], depth + 1)
            return _said(next(iter(parts.values())), depth + 1) if len(parts) == 1 else None
    return None
