"""JSON in and out: any content type is read as JSON, stored documents go out unparsed."""

from __future__ import annotations

from typing import IO, Any, Final

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from observatory.api.kit.errors import TooLarge, Unprocessable
from observatory.exact import NotJSON, dumps, loads
from observatory.runs import documents

_ENVELOPE: Final = 10  # levels that a body may put around a document


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        content = b"" if data is None and _has_no_body(renderer_context) else dumps(data)
        _break_cycles(renderer_context)
        return content


def _break_cycles(renderer_context: Any) -> None:
    """Let an answer go with its request: view, request and response refer to each other.

    Left to the garbage collector, large answers would add up until it looks at them.
    """
    if not renderer_context:
        return
    view = renderer_context.get("view")
    if view is not None:
        view.__dict__.pop("response", None)
    renderer_context.clear()


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
            raise TooLarge(f"The body is larger than {limit} bytes")
        return read_body(body) if body else {}


def read_body(body: bytes) -> Any:
    """Return the value of a JSON body, numbers exact; lone surrogates become U+FFFD.

    Raises 400 for what is not JSON, naming the field of a number that is out of range, and 422
    for what is nested too deep.
    """
    try:
        value = loads(body)
    except NotJSON as error:
        mended = documents.mend_surrogates(body)
        if mended != body:
            return read_body(mended)
        reason = str(error) if error.path else f"The body is not JSON: {error}"
        raise ParseError(reason) from None
    deepest = documents.MAX_DEPTH + _ENVELOPE
    if body.count(b"[") + body.count(b"{") > deepest and documents.depth(body) > deepest:
        raise Unprocessable(f"{_deepest_member(body)}: nested deeper than {documents.MAX_DEPTH}")
    return value


def _deepest_member(body: bytes) -> str:
    """Return the name of the deepest member of a JSON object, for an error to name."""
    if not body.lstrip().startswith(b"{"):
        return "body"
    members = documents.members(body)
    return max(members, key=lambda name: documents.depth(members[name]))
