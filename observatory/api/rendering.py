"""JSON in and out: any content type is read as JSON, stored documents go out unparsed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
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
        body = stream.read()
        if not body:
            return {}
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}") from None
