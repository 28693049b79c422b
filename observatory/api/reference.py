"""GET /schema, the wire as OpenAPI 3.1, and GET /docs, the same as a page to read."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views import View
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.openapi import Generator
from observatory.api.kit.types import Object


@functools.cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document. The URL table does not change while the server runs."""
    made: dict[str, Any] = Generator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return made


class Schema(SpectacularAPIView):
    """GET /schema: this document, as JSON or, if `Accept` asks for it, as YAML."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = [
        OpenApiJsonRenderer2,
        OpenApiJsonRenderer,
        OpenApiYamlRenderer2,
        OpenApiYamlRenderer,
    ]

    @endpoint(answer=Object, gives=("application/json", "application/yaml"), errors=(406,))
    def get(self, request: Request) -> HttpResponse:
        index = self.renderer_classes.index(type(request.accepted_renderer))
        content, etag = _rendered(index)
        headers = {"ETag": etag, "Vary": "Accept"}
        kind = request.accepted_media_type
        answer = HttpResponse(content, content_type=kind, headers=headers)
        return get_conditional_response(request._request, etag, response=answer) or answer


@functools.cache
def _rendered(index: int) -> tuple[bytes, str]:
    """Return the document as that renderer of `Schema` writes it, and its ETag; once a process."""
    written = Schema.renderer_classes[index]().render(document(), renderer_context={})
    content = written.encode() if isinstance(written, str) else written
    return content, quote_etag(hashlib.sha256(content).hexdigest()[:32])


class SchemaPage(View):
    """GET /docs: the operations of this document as a page."""

    http_method_names = ["get", "head"]
    is_public = True  # the same for all clients; it reads no table

    @endpoint(answer=Binary, gives="text/html")
    def get(self, request: HttpRequest) -> HttpResponse:
        shown = {"info": page()["info"], "operations": _operations()}
        return render(request, "reference/wire.html", shown)


@functools.cache
def _operations() -> str:
    """Return the page without what surrounds it; once a process.

    What surrounds it holds a fresh CSRF token, so the page as a whole has no ETag.
    """
    return render_to_string("reference/_wire_operations.html", page())


@functools.cache
def page() -> dict[str, Any]:
    """Return the document as the page shows it: operations by tag, then the shapes."""
    told = document()
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "id": operation["operationId"],
                    "summary": operation["summary"],
                    "is_public": operation["security"] == [],
                    "parameters": [
                        {**one, "type": _type(one["schema"])}
                        for one in operation.get("parameters", ())
                    ],
                    "takes": list(_contents(operation.get("requestBody", {}))),
                    "answers": list(_answers(operation["responses"])),
                }
            )
    shapes = [
        {
            "name": name,
            "description": shape.get("description", ""),
            "fields": [
                {
                    "name": field,
                    "type": _type(schema),
                    "is_required": field in shape.get("required", ()),
                }
                for field, schema in shape.get("properties", {}).items()
            ],
        }
        for name, shape in told["components"]["schemas"].items()
    ]
    return {"info": told["info"], "tags": sorted(tags.items()), "shapes": shapes}


def _contents(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, media in content.get("content", {}).items():
        yield {"kind": kind, "type": _type(media["schema"]) if "schema" in media else ""}


def _answers(responses: dict[str, Any]) -> Iterator[dict[str, Any]]:
    refusals = document()["components"]["responses"]
    for status, response in responses.items():
        if "$ref" in response:
            response = refusals[response["$ref"].rpartition("/")[2]]
        yield {
            "status": status,
            "description": response["description"],
            "contents": list(_contents(response)),
        }


def _type(schema: dict[str, Any]) -> str:
    """Return a JSON schema in words: `list of Run`, `text (uuid) or null`."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    word = {"string": "text", "integer": "whole number", None: "anything"}.get(kind, str(kind))
    bounds = [schema.get("format"), _between(schema)]
    inside = ", ".join(bound for bound in bounds if bound)
    return f"{word} ({inside})" if inside else word


def _between(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    return (
        f"{low} to {high}"
        if None not in (low, high)
        else f"from {low}"
        if high is None
        else f"to {high}"
    )
