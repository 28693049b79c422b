"""A page as server-sent events, as the generated clients' `streaming` resources read it.

Each event is an array of JSON Patch operations: the empty page, then an item each, then the
cursor. Source: langsmith/_query_streaming.py.
"""

from __future__ import annotations

from typing import Any

from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.rendering import OrjsonRenderer
from observatory.exact import dumps

EVENT = b"event: data\ndata: %s\n\n"


def events(page: dict[str, Any]) -> bytes:
    """Return the page {"items": [...], "next_cursor": text or None} as events."""
    begun = [{"op": "add", "path": "", "value": {"items": [], "next_cursor": None}}]
    found = [[{"op": "add", "path": "/items/-", "value": item}] for item in page["items"]]
    ended = [{"op": "replace", "path": "/next_cursor", "value": page["next_cursor"]}]
    patches = (dumps(patch) for patch in (begun, *found, ended))
    return b"".join(EVENT % patch for patch in patches) + b"event: end\ndata: {}\n\n"


class EventStreamRenderer(BaseRenderer):
    """The answer to `Accept: text/event-stream`. An error is JSON all the same."""

    media_type = "text/event-stream"
    format = "events"
    charset = None
    render_style = "binary"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        response = (renderer_context or {}).get("response")
        return events(data) if response is None or response.status_code == 200 else dumps(data)


class PageView(WorkspaceView):
    """A view whose page is asked for whole or as events."""

    renderer_classes = (OrjsonRenderer, EventStreamRenderer)

    def handle_exception(self, exception: Exception) -> Response:
        response = super().handle_exception(exception)
        response.content_type = "application/json"
        if response.status_code == 501:
            response["x-should-retry"] = "false"  # the generated clients repeat any 5xx otherwise
        return response
