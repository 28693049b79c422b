"""Respond with a file that a client stored.

Its content is untrusted and must never run: it is downloaded, not shown, except pictures
and plain text, and even those in a sandbox.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase

from observatory.api.kit.errors import not_found
from observatory.runs import attachments


def sent(
    request: HttpRequest, stored: Any, name: str, content: Callable[[Any], Any]
) -> HttpResponseBase:
    """Answer with a stored file, so that no browser runs what is inside."""
    try:
        file = content(stored)
    except FileNotFoundError:
        return not_found(request)
    is_inline = stored.mime_type in attachments.INLINE_TYPES
    response = FileResponse(
        file,
        as_attachment=not is_inline,
        filename=_file_name(name),  # Django writes it as RFC 6266 says
        content_type=_content_type(stored.mime_type),
    )
    response["Content-Length"] = stored.size
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cache-Control"] = "private, max-age=300"
    return response


def _file_name(name: str) -> str:
    """Return `name` without what could be a path, a line's end or a turn of the direction."""
    safe = "".join("_" if _is_misleading(character) else character for character in name)
    return safe.strip(". ")[:150] or "attachment"


def _is_misleading(character: str) -> bool:
    """Return whether `character` is of a path, or invisible: a control, or one for bidi text."""
    return character in '/\\:"' or unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}


def _content_type(mime_type: str) -> str:
    """Return a type no browser runs: what may be shown, or plain bytes."""
    if mime_type == "text/plain":
        return "text/plain; charset=utf-8"
    return mime_type if mime_type in attachments.INLINE_TYPES else "application/octet-stream"
