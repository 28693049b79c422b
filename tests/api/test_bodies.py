"""How declared bodies and queries are read: one wording for each rule, the field always named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from django.http import QueryDict
from msgspec import UNSET, Meta, Struct, UnsetType
from rest_framework.exceptions import ParseError

from observatory.api.kit.bodies import (
    MAX_LISTED,
    MISSING,
    NOT_BLANK,
    Body,
    Bound,
    JSONText,
    Moment,
    PageQuery,
    Prose,
    Query,
    Real,
    UntaggedBody,
    body_in,
    read,
    read_list,
    read_query,
    schema_of,
)
from observatory.api.kit.endpoint import ATTRIBUTE, endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.members import MAX_IDS, AnyUUID, Flag, Id, Ids, Names
from observatory.exact import Number


class Question(Struct, kw_only=True):
    key: Annotated[str, Meta(min_length=1, max_length=5)]
    weights: dict[str, int] | None = None


class Survey(UntaggedBody, kw_only=True):
    name: Annotated[str, Meta(max_length=5, pattern=NOT_BLANK)]
    note: Prose | None = None
    size: Annotated[int, Meta(ge=1, le=20)] | None = None
    score: Real | None = None
    id: UUID | None = None
    at: Moment | None = None
    kind: Literal["single", "pairwise", ""] | None = None
    questions: Annotated[list[Question], Meta(max_length=2)] | None = None
    document: Any = None
    answers: dict[UUID, str] | None = None
    parent: str | UnsetType | None = UNSET
    is_open: bool | None = None
    title: Annotated[Prose, Meta(max_length=3, pattern=NOT_BLANK)] | None = None


class Entry(Body, kw_only=True):
    run_id: UUID
    note: str | None = None


Entries = Annotated[list[UUID | Entry], Meta(max_length=2)]


class SurveyQuery(PageQuery):
    ids: list[UUID] | None = None
    since: Moment | None = None
    until: Bound | None = None
    is_open: bool | None = None
    state: bool | Literal["all"] = False
    name: str | None = None
    metadata: JSONText | None = None
    parent: UUID | None = None


REFUSALS: dict[str, tuple[Any, str]] = {
    "a list": ([], "body: must be an object"),
    "nothing": (None, "body: must be an object"),
    "absent": ({}, "name: is required"),
    "wrong type": ({"name": 3}, "name: must be a text"),
    "wrong type or null": ({"name": "n", "size": "3"}, "size: must be a whole number"),
    "true for a number": ({"name": "n", "size": True}, "size: must be a whole number"),
    "too long": ({"name": "n" * 6}, "name: must have at most 5 characters"),
    "blank": ({"name": " "}, "name: must not be blank"),
    "too short": ({"name": "n", "questions": [{"key": ""}]}, "questions.0.key: must have at least 1 characters"),
    "too small": ({"name": "n", "size": 0}, "size: must be at least 1"),
    "too large": ({"name": "n", "size": 2**70}, "size: must be at most 20"),
    "no number": ({"name": "n", "score": "3"}, "score: must be a number"),
    "no UUID": ({"name": "n", "id": "x"}, "id: must be a UUID"),
    "no time": ({"name": "n", "at": "x"}, "at: is not a time (ISO 8601 or epoch milliseconds)"),
    "a time out of range": ({"name": "n", "at": "0001-01-01"}, "at: is outside the years 1970 to 9998"),
    "no choice": ({"name": "n", "kind": "x"}, "kind: must be pairwise or single"),
    "a choice of the wrong type": ({"name": "n", "kind": 3}, "kind: must be pairwise or single"),
    "too many": ({"name": "n", "questions": [{"key": "k"}] * 3}, "questions: must have at most 2 values"),
    "below a list": ({"name": "n", "questions": [{"key": "k"}, {}]}, "questions.1.key: is required"),
    "below an object": (
        {"name": "n", "questions": [{"key": "k", "weights": {"w": "x"}}]},
        "questions.0.weights: must be a whole number",
    ),
    "a key": ({"name": "n", "answers": {"x": "y"}}, "answers: must be a UUID"),
    "NUL in a name": ({"name": "a\x00b"}, "name: must not contain a NUL character"),
    "NUL below": ({"name": "n", "questions": [{"key": "\x00"}]}, "questions.0.key: must not contain a NUL character"),
    "tags": ({"name": "n", "tag_value_ids": ["t"]}, "tag_value_ids: this server keeps no resource tags"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "detail"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_names_the_field_and_the_rule(body: Any, detail: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        read(Survey, body)
    assert str(refused.value.detail) == detail


def test_a_body_is_read_whole_and_what_is_not_declared_is_ignored() -> None:
    survey = read(
        Survey,
        {
            "name": "n",
            "note": "a\x00b",
            "score": Number("0.10"),
            "id": "00000000000000000000000000000001",
            "at": 1_700_000_000_000,
            "document": {"kept": "a\x00b"},
            "size": MISSING,
            "questions": [{"key": "k", "weights": MISSING}],
            "unknown": 1,
        },
    )
    assert survey.note == "a\ufffdb"
    assert str(survey.score) == "0.10"
    assert survey.id == UUID(int=1)
    assert survey.at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert survey.document == {"kept": "a\x00b"}  # the column of a document cleans it
    assert survey.size is None
    assert survey.parent is UNSET
    assert survey.questions == [Question(key="k")]
    assert set(survey.given()) == {"name", "note", "score", "id", "at", "document", "questions"}


class Search(Body, kw_only=True):
    reads_digits = True
    is_root: Flag | None = None
    parent: Id | None = None
    example: AnyUUID | None = None
    ids: Ids | None = None
    select: Names | None = None
    size: Annotated[int, Meta(ge=1, le=20)] | None = None


def test_members_that_read_themselves_take_what_clients_send_for_them() -> None:
    first, second = str(UUID(int=1)), UUID(int=2)
    search = read(
        Search, {"is_root": 1, "parent": second.hex, "ids": first, "select": {}, "size": "7"}
    )
    assert (search.is_root, search.parent, search.ids) == (True, second, [UUID(int=1)])
    assert (search.select, search.size) == (None, 7)
    assert read(Search, {"size": ""}).size is None
    assert read(Search, {"parent": [first]}).parent == UUID(int=1)
    assert read(Search, {"parent": []}).parent is None
    empty = read(Search, {"is_root": False, "parent": "", "ids": "", "select": []})
    assert (empty.is_root, empty.parent, empty.ids, empty.select) == (False, None, None, None)
    assert read(Search, {"example": f"{{{first}}}"}).example == UUID(int=1)
    listed = read(Search, {"ids": [], "select": ["name"]})
    assert (listed.ids, listed.select) == ([], ["name"])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"is_root": 2}, "is_root: must be true or false"),
        ({"is_root": "true"}, "is_root: must be true or false"),
        ({"parent": ["x"]}, "parent: must be a UUID"),
        ({"parent": [str(UUID(int=1))] * 2}, "parent: must be a UUID"),
        ({"example": ""}, "example: must be a UUID"),
        ({"ids": [str(UUID(int=1)), 7]}, "ids.1: must be a UUID"),
        ({"ids": "x"}, "ids: must be a UUID"),
        ({"ids": ["x"] * (MAX_IDS + 1)}, f"ids: must have at most {MAX_IDS} values"),
        ({"select": ["name", 7]}, "select: must be an array of names"),
        ({"size": "x"}, "size: must be a whole number"),
        ({"size": "null"}, "size: must be a whole number"),
        ({"size": "21"}, "size: must be at most 20"),
        ({"select": "name"}, "select: must be an array of names"),
    ],
)
def test_a_member_that_reads_itself_is_named_with_its_rule(body: Any, detail: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        read(Search, body)
    assert str(refused.value.detail) == detail


def test_null_differs_from_absent_where_declared() -> None:
    assert read(Survey, {"name": "n", "parent": None}).parent is None


def test_an_array_of_bodies_is_read_and_refused_by_place() -> None:
    first, second = UUID(int=1), UUID(int=2)
    sent = [str(first), {"run_id": str(second), "note": MISSING}]
    assert read_list(Entries, sent) == [first, Entry(run_id=second)]
    for body, detail in [
        ({}, "body: must be an array"),
        ([7], "body.0: must be a UUID or an object"),
        ([str(first), "x"], "body.1: must be a UUID"),
        ([{}], "body.0.run_id: is required"),
        (
            [{"run_id": str(first), "note": "a\x00b"}],
            "body.0.note: must not contain a NUL character",
        ),
        ([str(first)] * 3, "body: must have at most 2 values"),
    ]:
        with pytest.raises(Unprocessable) as refused:
            read_list(Entries, body)
        assert str(refused.value.detail) == detail


def test_only_bodies_and_arrays_of_them_are_read() -> None:
    assert body_in(Entries) is Entry
    assert body_in(Survey) is Survey
    assert body_in(list[dict[str, Any]]) is None
    assert body_in(None) is None


def test_text_of_prose_may_be_short_and_hold_nul() -> None:
    assert read(Survey, {"name": "n", "title": "a\x00"}).title == "a\ufffd"
    with pytest.raises(Unprocessable, match="title: must have at most 3 characters"):
        read(Survey, {"name": "n", "title": "long"})


def test_the_zero_time_bounds_nothing() -> None:
    assert read_query(SurveyQuery, QueryDict("until=0001-01-01T00:00:00Z")).until is None
    until = read_query(SurveyQuery, QueryDict("until=2026-01-02T03:04:05 00:00")).until
    assert until == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(Unprocessable, match="until: is not a time"):
        read_query(SurveyQuery, QueryDict("until=x"))


def test_a_dialect_has_its_own_refusal() -> None:
    class Other(Body, kw_only=True):
        invalid = ParseError
        name: str

    with pytest.raises(ParseError, match="name: is required"):
        read(Other, {})


def test_a_body_that_the_handler_reads_is_only_described() -> None:
    class Upload(Body, kw_only=True):
        is_read_by_handler = True
        name: str

    def post(view: Any, request: Any) -> str:
        return "read by the handler"

    described = endpoint(body=Upload)(post)
    assert described(None, None) == "read by the handler"
    assert getattr(described, ATTRIBUTE).body is Upload


def test_a_query_that_the_handler_reads_may_keep_what_is_empty() -> None:
    class Link(Query):
        is_read_by_handler = True
        keeps_empty = True
        comment: str | None = None

    def get(view: Any, request: Any) -> str:
        return "read by the handler"

    assert endpoint(query=Link)(get)(None, None) == "read by the handler"
    assert read_query(Link, QueryDict("comment=")).comment == ""
    assert read_query(Link, QueryDict("")).comment is None


def test_query_parameters_are_read_as_the_sdks_send_them() -> None:
    one, two = UUID(int=1), UUID(int=2)
    text = f"ids={one}&ids={two}&limit=5&is_open=True&since=2026-01-02T03:04:05 00:00&name=&limit=7"
    text += '&metadata={"weight": 0.10}'
    query = read_query(SurveyQuery, QueryDict(text))
    assert query.ids == [one, two]
    assert query.window == slice(0, 7)
    assert query.is_open is True
    assert query.since == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert query.name is None
    assert str((query.metadata or {})["weight"]) == "0.10"
    assert query.state is False
    assert read_query(SurveyQuery, QueryDict("state=all")).state == "all"
    assert read_query(SurveyQuery, QueryDict("name=null")).name == "null"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("limit=0", "limit: must be at least 1"),
        ("limit=1001", "limit: must be at most 1000"),
        ("limit=x", "limit: must be a whole number"),
        ("limit=1e1", "limit: must be a whole number"),
        ("limit=5.0", "limit: must be a whole number"),
        ("offset=-1", "offset: must be at least 0"),
        ("is_open=maybe", "is_open: must be true or false"),
        ("is_open=null", "is_open: must be true or false"),
        ("state=none", "state: must be all, true or false"),
        ("ids=x", "ids.0: must be a UUID"),
        ("since=null", "since: is not a time (ISO 8601 or epoch milliseconds)"),
        ("limit=null", "limit: must be a whole number"),
        ("parent=null", "parent: must be a UUID"),
        ("metadata=null", "metadata: must be a JSON object"),
        ("metadata=[1]", "metadata: must be a JSON object"),
        ("metadata={", "metadata: must be a JSON object"),
        ("name=a%00b", "name: must not contain a NUL character"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_limit(text: str, detail: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        read_query(SurveyQuery, QueryDict(text))
    assert str(refused.value.detail) == detail


def test_a_repeated_parameter_has_a_limit() -> None:
    parameters = QueryDict(mutable=True)
    parameters.setlist("ids", ["x"] * (MAX_LISTED + 1))
    with pytest.raises(Unprocessable, match=f"ids: must have at most {MAX_LISTED} values"):
        read_query(SurveyQuery, parameters)


def test_the_schema_is_made_of_the_class_that_reads() -> None:
    _, components = msgspec.json.schema_components([Survey], schema_hook=schema_of)
    survey = components["Survey"]
    assert survey["required"] == ["name"]
    assert survey["properties"]["name"] == {"type": "string", "maxLength": 5, "pattern": NOT_BLANK}
    assert {"type": "string", "format": "date-time"} in survey["properties"]["at"]["anyOf"][0][
        "anyOf"
    ]
