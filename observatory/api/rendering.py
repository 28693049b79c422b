"""JSON in and out: any content type is read as JSON, stored documents go out unparsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from io import BytesIO
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer


def _as_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def dumps(content: Any) -> bytes:
    """Return `content` as JSON. `orjson.Fragment` embeds stored documents without a parse."""
    return orjson.dumps(content, default=_as_json, option=orjson.OPT_NON_STR_KEYS)


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None and _has_no_body(renderer_context) else dumps(data)


def _has_no_body(renderer_context: Any) -> bool:
    response = (renderer_context or {}).get("response")
    return response is not None and response.status_code == 204


class AnyJSONParser(BaseParser):
    """JSON whatever the content type says: the JavaScript SDK sends some bodies as text/plain."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        view = (parser_context or {}).get("view")
        limit = getattr(view, "max_body_bytes", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(f"The body is larger than {limit} bytes")
        if not body:
            return {}
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            if b"\\u" in body and (mended := ESCAPE.sub(_mend, body)) != body:
                return self.parse(BytesIO(mended), media_type, parser_context)
            raise ParseError(f"The body is not JSON: {error}") from None


# An escaped backslash, a surrogate pair, or half a pair: only the last is mended.
ESCAPE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _mend(match: re.Match[bytes]) -> bytes:
    """Return U+FFFD for a lone surrogate, which JSON.stringify of JavaScript may write."""
    return b"\\ufffd" if len(match[0]) == 6 else match[0]


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "too_large"
