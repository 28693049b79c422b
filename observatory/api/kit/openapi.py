"""GET /api/schema: the wire as OpenAPI 3.1, made from the URL table and the handlers' declarations.

drf-spectacular serves and validates; the operations are written here, because the hot paths
are plain Django views and no view has a serializer.
"""

from __future__ import annotations

import functools
import inspect
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Final, NotRequired, Union, get_args, get_origin, get_type_hints

import msgspec
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.regex_helper import normalize
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import ResolvedComponent

from observatory import __version__
from observatory.api.kit import bodies
from observatory.api.kit.base import BareWorkspaceView, WorkspaceView
from observatory.api.kit.endpoint import ATTRIBUTE, JSON, Binary, Error, Operation

METHODS: Final = ("get", "post", "put", "patch", "delete")
REFUSALS: Final = {
    400: "The request cannot be read",
    401: "The API key is missing or not valid",
    403: "The key is of another workspace than X-Tenant-Id, or may not",
    404: "It does not exist in this workspace",
    406: "No media type of Accept is given here",
    409: "It exists already, or was changed meanwhile",
    413: "The body is larger than the limit",
    415: "The encoding or type of the body is not known",
    422: "A field or parameter is not valid; the detail names it",
    429: "Too many requests; see Retry-After",
    501: "The feature is not offered here; the detail says what instead",
    503: "The database is not available; see Retry-After",
}
_REF: Final = "#/components/schemas/{name}"
# Every view is mounted several times; it is described once, under the first that fits.
_PREFERRED: Final = ("api/v1/", "api/v2/", "api/", "v2/", "")


@dataclass(frozen=True)
class Route:
    """A path of the API, `/api/v1/sessions/{session_id}`, and its view."""

    path: str
    parameters: tuple[str, ...]
    choices: dict[str, list[str]]
    name: str
    view: type

    @property
    def tag(self) -> str:
        rest = re.sub(r"^/(?:api/)?(?:v\d/)?(?:platform/)?", "", self.path)
        return rest.split("/")[0]

    def operation(self, method: str) -> Operation | None:
        """Return the view's declaration of `method`, None without one."""
        return getattr(getattr(self.view, method, None), ATTRIBUTE, None)

    @property
    def methods(self) -> list[str]:
        return [name for name in METHODS if hasattr(self.view, name)]

    @property
    def is_public(self) -> bool:
        return not issubclass(self.view, (WorkspaceView, BareWorkspaceView))


_ALTERNATION = re.compile(r"\(\?P<(\w+)>([\w|]+)\)")


def routes() -> list[Route]:
    """Return every path of the API once, sorted."""
    best: dict[int, list[tuple[int, int, str, URLPattern]]] = {}
    for text, pattern in _leaves(get_resolver()):
        view = getattr(pattern.callback, "view_class", None) or getattr(
            pattern.callback, "cls", None
        )
        if view is None or not view.__module__.startswith("observatory.api."):
            continue
        rank = next(n for n, prefix in enumerate(_PREFERRED) if text.startswith(prefix))
        best.setdefault(id(pattern), []).append((rank, len(text), text, pattern))
    listed = []
    for mounts in best.values():
        _, _, text, pattern = min(mounts, key=lambda mount: mount[:3])
        callback: Any = pattern.callback
        choices = {name: words.split("|") for name, words in _ALTERNATION.findall(text)}
        for index, (template, names) in enumerate(normalize(text)):
            path = "/" + template % {name: f"{{{name}}}" for name in names}
            if path.endswith("/") and index:
                continue  # the same with a trailing slash
            suffix = "_".join(["", *names]) if index else ""
            name = re.sub(r"\W", "_", f"{_family(text)}{pattern.name}{suffix}")
            listed.append(Route(path, tuple(names), choices, name, callback.view_class))
    return sorted(listed, key=lambda route: route.path)


def _family(text: str) -> str:
    match = re.match(r"(?:api/)?(?:v1/)?(platform|v2)/", text)
    return f"{match[1]}_" if match else ""


def _leaves(node: URLResolver, above: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in node.url_patterns:
        regex: Any = pattern.pattern
        text = regex.regex.pattern.removeprefix("^").removesuffix(r"\Z")
        if isinstance(pattern, URLResolver):
            yield from _leaves(pattern, above + text)
        else:
            yield above + text.removesuffix("$"), pattern


class Generator(SchemaGenerator):
    """Writes the operations; drf-spectacular writes the rest of the document."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"api_version": __version__})  # type: ignore[no-untyped-call]

    def parse(self, input_request: Any, public: bool) -> dict[str, Any]:
        table = routes()
        shapes = _Shapes(table)
        paths: dict[str, Any] = {}
        for route in table:
            for method in route.methods:
                operation = route.operation(method)
                if operation is not None:
                    described = _operation(route, method, operation, shapes)
                    paths.setdefault(route.path, {})[method] = described
        for name, schema in sorted(shapes.components.items()):
            self._register(name, ResolvedComponent.SCHEMA, schema)
        for status, description in REFUSALS.items():
            content = {JSON: {"schema": shapes[Error]}}
            response = {"description": description, "content": content}
            self._register(f"Refused{status}", ResolvedComponent.RESPONSE, response)
        return paths

    def _register(self, name: str, kind: str, content: dict[str, Any]) -> None:
        component = ResolvedComponent(name, kind, content, name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)


class _Shapes:
    """The JSON schemas of every type that an operation names; those with a name, once."""

    def __init__(self, table: list[Route]) -> None:
        types: list[Any] = [Error]
        for route in table:
            for method in route.methods:
                operation = route.operation(method)
                if operation is not None:
                    types += _types(operation)
        unique = {repr(one): one for one in types}
        self._shapes_of_members: dict[str, Any] = {}
        schemas, components = self._components(list(unique.values()))
        self.of = dict(zip(unique, schemas, strict=True))
        components = self._shapes_of_members | components
        self.components = {name: _untitled(schema) for name, schema in components.items()}

    def __getitem__(self, one: Any) -> dict[str, Any]:
        return dict(self.of[repr(one)])

    def _components(self, types: list[Any]) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
        return msgspec.json.schema_components(
            types, ref_template=_REF, schema_hook=self._schema_of_member
        )

    def _schema_of_member(self, kind: Any) -> dict[str, Any]:
        """Return the schema of a type that msgspec does not know, and keep what it refers to."""
        shape = getattr(kind, "shape", None)
        if shape is None:
            return bodies.schema_of(kind)
        (schema,), components = self._components([shape])
        self._shapes_of_members |= components
        return schema


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its title, and without `default: null`."""
    kept = {key: value for key, value in schema.items() if key != "title"}
    if "properties" in kept:
        kept["properties"] = {
            name: {k: v for k, v in member.items() if (k, v) != ("default", None)}
            for name, member in kept["properties"].items()
        }
    if not kept.get("required", True):
        del kept["required"]
    return kept


def _types(operation: Operation) -> Iterator[Any]:
    for one in (operation.body, operation.answer, operation.refusal):
        if one is not None and one is not Binary:
            yield one
    if operation.query is not None:
        yield from _hints(operation.query).values()


def _hints(query: Any) -> dict[str, Any]:
    """Return the parameters of a query, without the word of whether they are required."""
    if issubclass(query, bodies.Query):
        return {field.encode_name: _one_of(field.type) for field in msgspec.structs.fields(query)}
    hints = get_type_hints(query, include_extras=True)
    return {
        name: get_args(hint)[0] if get_origin(hint) is NotRequired else hint
        for name, hint in hints.items()
    }


def _one_of(hint: Any) -> Any:
    """Return the type of a parameter that may be absent: no parameter is null."""
    if get_origin(hint) in {Union, UnionType}:
        present = [one for one in get_args(hint) if one is not NoneType]
        return functools.reduce(operator.or_, present)
    return hint


def _operation(route: Route, method: str, operation: Operation, shapes: _Shapes) -> dict[str, Any]:
    handler = getattr(route.view, method)
    text = inspect.cleandoc(handler.__doc__ or route.view.__doc__ or "")
    summary, _, rest = text.partition("\n\n")
    described: dict[str, Any] = {
        "operationId": f"{method}_{route.name}",
        "summary": re.sub(r"\s+", " ", summary),
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(operation, shapes)],
        "security": [] if route.is_public else [{"key": []}, {"bearer": []}],
    }
    if rest:
        described["description"] = rest
    if operation.body is not None:
        content = {kind: _media(operation.body, shapes) for kind in operation.takes}
        described["requestBody"] = {"content": content, "required": True}
    described["responses"] = _responses(route, operation, shapes)
    return described


def _media(one: Any, shapes: _Shapes) -> dict[str, Any]:
    return {} if one is Binary else {"schema": shapes[one]}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1}
            | ({"enum": route.choices[name]} if name in route.choices else {}),
        }
        for name in route.parameters
    ]


def _required(query: Any) -> frozenset[str]:
    if issubclass(query, bodies.Query):
        fields = msgspec.structs.fields(query)
        return frozenset(field.encode_name for field in fields if field.required)
    return frozenset(query.__required_keys__)


def _query_parameters(operation: Operation, shapes: _Shapes) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    hints = _hints(operation.query)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in _required(operation.query),
            "schema": shapes[hint],
        }
        for name, hint in hints.items()
    ]


def _responses(route: Route, operation: Operation, shapes: _Shapes) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    status = str(operation.status)
    responses[status] = {"description": "Taken" if status == "202" else "Done"}
    if operation.answer is not None:
        responses[status]["content"] = {
            kind: _media(operation.answer, shapes) for kind in operation.gives
        }
    refusals = {400, 503, *operation.errors}
    if not route.is_public:
        refusals |= {401, 403}
    if route.parameters:
        refusals.add(404)
    if operation.query is not None or operation.body is not None:
        refusals.add(422)
    if operation.body is not None:
        refusals |= {413, 415}
    for code in sorted(refusals):
        responses[str(code)] = {"$ref": f"#/components/responses/Refused{code}"}
        if operation.refusal is not None:
            content = {kind: _media(operation.refusal, shapes) for kind in operation.gives}
            responses[str(code)] = {"description": REFUSALS[code], "content": content}
    return responses
