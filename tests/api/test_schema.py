"""GET /api/schema: every endpoint is described, once, and the description is valid OpenAPI 3.1."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import yaml
from django.test import Client
from drf_spectacular.validation import validate_schema

from observatory.api import reference as openapi
from observatory.api import urls
from observatory.api.kit import openapi as schema
from tests import tenancy

DOCUMENT = openapi.document()
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def test_every_handler_declares_query_body_and_answer() -> None:
    silent = [
        f"{method.upper()} {route.path} ({route.view.__name__})"
        for route in schema.routes()
        for method in route.methods
        if route.operation(method) is None
    ]
    assert silent == [], "add @endpoint(...) above the handler: see observatory/api/kit/endpoint.py"


def test_no_view_of_the_url_table_is_left_out() -> None:
    described = {route.view for route in schema.routes()}
    mounted = {route.view for route in tenancy.routes(urls.urlpatterns) if route.view}
    assert mounted == described


def test_it_is_valid_openapi() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    validate_schema(DOCUMENT)


def test_operations_have_names_of_their_own() -> None:
    names = Counter(operation["operationId"] for _, _, operation in OPERATIONS)
    assert [name for name, n in names.items() if n > 1] == []
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", name) for name in names)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda v: str(v)[:60])
def test_an_operation_is_complete(method, path, operation) -> None:
    assert operation["summary"]
    named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
    assert named == set(re.findall(r"\{(\w+)\}", path))
    succeeds = any(status.startswith("2") for status in operation["responses"])
    assert succeeds or "not offered" in operation["summary"]
    assert operation["security"] == [] or "401" in operation["responses"]
    assert ("requestBody" in operation) <= (method not in {"get", "delete"})


def test_every_shape_is_used_and_described() -> None:
    text = str(DOCUMENT)
    for name, shape in DOCUMENT["components"]["schemas"].items():
        assert f"#/components/schemas/{name}'" in text, name
        assert shape["description"], name


def test_the_schema_is_public_as_json_and_yaml() -> None:
    client = Client()
    for path in ("/api/schema", "/api/schema/", "/api/v1/schema"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer["content-type"].startswith("application/json")
        assert answer.json() == DOCUMENT
    answer = client.get("/api/schema", headers={"accept": "application/yaml"})
    assert answer["content-type"].startswith("application/yaml")
    assert yaml.safe_load(answer.content) == DOCUMENT


@pytest.mark.django_db
def test_the_page_shows_every_operation_without_a_key() -> None:
    answer = Client().get("/api/docs")
    assert answer.status_code == 200
    text = answer.content.decode()
    for method, path, operation in OPERATIONS:
        assert f"{method.upper()} {path}</code>" in text
        assert f'id="{operation["operationId"]}"' in text
    assert "<script>" not in text
    assert "style=" not in text


@pytest.mark.django_db
def test_the_page_is_rendered_once_a_process(client, monkeypatch) -> None:
    openapi._operations.cache_clear()
    client.get("/api/docs")
    monkeypatch.setattr(openapi, "render_to_string", None)
    assert client.get("/api/docs").status_code == 200


def test_a_client_that_has_the_document_is_not_sent_it_again(client) -> None:
    first = client.get("/api/schema")
    again = client.get("/api/schema", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    yaml = client.get(
        "/api/schema", headers={"accept": "application/yaml", "if-none-match": first["ETag"]}
    )
    assert yaml.status_code == 200
