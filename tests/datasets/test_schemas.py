"""Any schema and any document come to an answer: fits, does not fit, or cannot be run."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from datasets_app import schemas
from datasets_app.schema_keywords import Budget, canonical

LONG = "a" * 34 + "b"
DRAFTS = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    *(f"http://json-schema.org/draft-0{number}/schema#" for number in (3, 4, 6, 7)),
]


def problem(schema, document, limit_s: float = 20.0) -> str | None:
    return schemas.problem(schema, json.dumps(document), Budget(limit_s))


def nested(depth: int) -> dict[str, object]:
    schema: dict[str, object] = {}
    for _ in range(depth):
        schema = {"properties": {"a": schema}}
    return schema


def doubling(depth: int) -> dict[str, object]:
    twice = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(depth)}
    return {"$ref": "#/$defs/a0", "$defs": {**twice, f"a{depth}": {"type": "string"}}}


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({"pattern": "^(a+)+$"}, LONG),
        (
            {"patternProperties": {"^(a+)+$": {"type": "string"}}, "additionalProperties": False},
            {LONG: 1},
        ),
        ({"properties": {"q": {"$schema": DRAFTS[-1], "pattern": "^(a+)+$"}}}, {"q": LONG}),
    ],
)
def test_patterns_of_every_draft_are_linear(draft, schema, document) -> None:
    schema = {"$schema": draft, **schema}
    assert schemas.schema_problem(schema) is None
    assert problem(schema, document) is not None


def test_unevaluated_properties_know_what_patterns_and_references_named() -> None:
    schema = {
        "allOf": [{"$ref": "#/$defs/named"}],
        "patternProperties": {"^(x+)+$": True},
        "if": {"required": ["kind"]},
        "then": {"properties": {"kind": True}},
        "unevaluatedProperties": False,
        "$defs": {"named": {"properties": {"n": {"type": "integer"}}}},
    }
    assert schemas.schema_problem(schema) is None
    assert problem(schema, {"n": 1, "xx": 2, "kind": 3}) is None
    assert "'other'" in (problem(schema, {"n": 1, "other": 2}) or "")
    assert "'x" in (problem(schema, {"x" * 40 + "y": 2}) or "")


def test_unique_items_are_compared_by_value() -> None:
    schema = {"uniqueItems": True}
    assert problem(schema, [{"a": number} for number in range(50_000)]) is None
    for equal in ([1, 1.0], [{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], [2**70, 2**70]):
        assert "more than once" in (problem(schema, equal) or "")
    assert problem(schema, [1, True, "1", [1], {"1": 1}, None, 0, False, 2**53, 2**53 + 1]) is None
    assert canonical({"b": 1.0, "a": [True]}) == canonical({"a": [True], "b": 1})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {
            "anyOf": [{"type": "string"}, {"$ref": "#/$defs/b"}],
            "$defs": {"b": {"not": {"$ref": "#"}}},
        },
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"allOf": [{"$ref": "#"}]}}},
    ],
)
def test_a_reference_in_a_circle_is_refused_and_never_followed_for_ever(schema) -> None:
    assert "refers to itself" in (schemas.schema_problem(schema) or "")
    assert problem(schema, {"a": 1}) is not None


def test_a_recursive_schema_of_trees_is_accepted() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}}
    assert schemas.schema_problem(tree) is None
    assert problem(tree, {"child": {"child": {"n": 1}}}) is None
    assert "child.child.n" in (problem(tree, {"child": {"child": {"n": "x"}}}) or "")


@pytest.mark.parametrize(
    "anchored", [{"$ref": "#x", "$anchor": "x"}, {"$dynamicRef": "#x", "$dynamicAnchor": "x"}]
)
def test_a_circle_of_anchors_ends_at_the_example(anchored) -> None:
    assert "itself" in (problem(anchored, 1) or "")


def test_a_schema_has_a_depth_and_a_size() -> None:
    assert schemas.schema_problem(nested(49)) is None
    assert "deeper" in (schemas.schema_problem(nested(150)) or "")
    assert "longer" in (schemas.schema_problem({"enum": ["x" * 500_000]}) or "")


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        (doubling(40), 1),
        ({"anyOf": [{"type": "string"}] * 5_000}, list(range(50_000))),
        ({"items": {"enum": list(range(50_000))}}, [-1] * 50_000),
        ({"items": {"pattern": "[ab]*a[ab]{150}c"}}, ["ab" * 200_000] * 50),
    ],
)
def test_validation_ends_with_its_budget(schema, document) -> None:
    assert schemas.schema_problem(schema) is None
    assert problem(schema, document, limit_s=0.3) is not None


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "["},
        {"pattern": "[" * 400},
        {"patternProperties": {"(": {}}},
        {"properties": {"a": {"pattern": "(?="}}},
        {"$schema": []},
        {"$id": 5},
        {"$ref": 5},
        {"minLength": -1},
        {"multipleOf": 0},
    ],
)
def test_an_invalid_schema_is_refused(schema) -> None:
    assert schemas.schema_problem(schema) is not None


def test_multiples_are_exact_whatever_the_size() -> None:
    assert problem({"multipleOf": 0.1}, 0.3) is None
    assert problem({"multipleOf": 0.5}, 10**4000) is None
    assert problem({"multipleOf": 0.01}, 4.02) is None
    assert problem({"multipleOf": 2}, 2**64 + 1) is not None
    assert problem({"const": 2**64 + 1}, 2**64 + 1) is None


NAMES = st.sampled_from(["a", "b", "", "$ref", "x" * 20])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)  # a document of JSON holds neither
    | st.text(max_size=5)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = sorted(
    set(Draft202012Validator.VALIDATORS)
    | {
        "$schema",
        "$id",
        "$anchor",
        "$dynamicAnchor",
        "$defs",
        "divisibleBy",
        "extends",
        "disallow",
        "$recursiveRef",
        "$recursiveAnchor",
        "id",
        "definitions",
    }
)
ODD = st.recursive(
    SCALARS | st.sampled_from(["#", "#/a", "http://[bad", "object", *DRAFTS, "(a+)+", "["]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYWORDS, "a", "b"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYWORDS), ODD, max_size=5), DOCUMENTS)
def test_odd_schemas_never_raise(schema, document) -> None:
    refused = schemas.schema_problem(schema)
    assert refused is None or isinstance(refused, str)
    told = problem(schema, document)
    assert told is None or isinstance(told, str)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "integer", "string"]),
            "properties": st.dictionaries(
                NAMES, st.sampled_from([True, False, {"type": "integer"}])
            ),
            "patternProperties": st.dictionaries(
                st.sampled_from(["^a", "b$", "x+"]), st.sampled_from([True, {"type": "string"}])
            ),
            "additionalProperties": st.sampled_from([True, False, {"type": "null"}]),
            "unevaluatedProperties": st.sampled_from([True, False, {"type": "null"}]),
            "uniqueItems": st.booleans(),
            "pattern": st.sampled_from(["a", "^x"]),
            "items": st.sampled_from([True, {"type": "integer"}]),
        },
    ),
    DOCUMENTS,
)
def test_bounded_validation_agrees_with_the_library(schema, document) -> None:
    assert (problem(schema, document) is None) is Draft202012Validator(schema).is_valid(document)


def test_x1_a_schema_that_names_an_address_fetches_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        schema = {"$ref": f"http://127.0.0.1:{port}/schema.json"}
        assert problem(schema, {"a": 1}) is not None
        with pytest.raises(BlockingIOError):
            listener.accept()
