"""What may be sent as feedback, and what the answer to the rest names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.http import QueryDict

from observatory.api.feedback.schemas import (
    FeedbackChange,
    FeedbackCreate,
    TokenCreate,
    TokenUseQuery,
)
from observatory.api.kit.bodies import read, read_query
from observatory.api.kit.errors import Unprocessable
from observatory.exact import Number
from observatory.feedback.judgement import FeedbackInput
from tests.conftest import NOON

RUN = "00000000-0000-0000-0000-000000000001"


def parse(body) -> FeedbackInput:
    return read(FeedbackCreate, body).to_input()


def sent(**fields) -> FeedbackInput:
    return parse({"run_id": RUN, "key": "k", **fields})


def test_an_object_of_the_sdk_is_read_whole() -> None:
    feedback = parse(
        {
            "id": "0" * 31 + "7",
            "run_id": RUN,
            "key": "correctness",
            "score": True,
            "value": "Right",
            "correction": "a text, as the seed sends it",
            "comment": "fine",
            "feedback_source": {
                "type": "model",
                "metadata": {"__run": {"run_id": RUN}},
                "user_id": "mallory",
            },
            "feedbackConfig": {"type": "continuous", "min": 0, "max": 1},
            "error": True,
            "extra": {"a": 1},
            "created_at": "2026-11-20 12:00:00",
            "workspace_id": 7,
            "user": 7,
        }
    )
    assert feedback.id == UUID(int=7)
    assert feedback.score == 1.0
    assert feedback.source_type == "model"
    assert feedback.source_metadata == {"__run": {"run_id": RUN}}
    assert feedback.config == {"type": "continuous", "min": 0, "max": 1, "categories": None}
    assert feedback.is_error
    assert feedback.created_at == datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_trace_alone_means_its_root() -> None:
    assert parse({"trace_id": RUN, "key": "k"}).run_id == UUID(RUN)


def test_epoch_milliseconds_are_a_time() -> None:
    assert sent(created_at=1_700_000_000_123).created_at == datetime(
        2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"key": None}, "key"),
        ({"key": ""}, "key"),
        ({"key": "k" * 181}, "key"),
        ({"key": {"$ref": 1}}, "key"),
        ({"run_id": "nonsense"}, "run_id"),
        ({"run_id": None}, "run_id"),
        ({"id": 7}, "id"),
        ({"id": "x" * 10_000}, "id"),
        ({"score": "0.5"}, "score"),
        ({"score": 1.1e308}, "score"),
        ({"score": -(10**400)}, "score"),
        ({"score": float("nan")}, "score"),
        ({"score": [1]}, "score"),
        ({"value": [1, 2]}, "value"),
        ({"value": {"deep": float("inf")}}, "value"),
        ({"value": "x" * 1_048_577}, "value"),
        ({"comment": "ü" * 32_769}, "comment"),
        ({"comment": {"text": "x"}}, "comment"),
        ({"correction": 3}, "correction"),
        ({"correction": ["x"]}, "correction"),
        ({"feedback_source": "api"}, "feedback_source"),
        ({"feedback_source": {"type": "root"}}, "feedback_source.type"),
        ({"feedback_source": {"type": "api", "metadata": []}}, "feedback_source.metadata"),
        ({"feedback_config": {"type": "stars"}}, "feedback_config"),
        ({"extra": "x"}, "extra"),
        ({"feedback_thread_id": "x" * 1_001}, "feedback_thread_id"),
        ({"feedback_group_id": "x"}, "feedback_group_id"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "0001-01-01T00:00:00"}, "created_at"),
        ({"created_at": 1e300}, "created_at"),
        ({"created_at": {}}, "created_at"),
    ],
)
def test_an_unstorable_value_is_refused_by_field(fields, field) -> None:
    with pytest.raises(Unprocessable) as caught:
        sent(**fields)
    assert str(caught.value.detail).startswith(f"{field}: ")


@pytest.mark.parametrize("body", [None, [], "feedback", 3])
def test_a_value_that_is_not_an_object_is_refused(body) -> None:
    for kind in (FeedbackCreate, FeedbackChange):
        with pytest.raises(Unprocessable):
            read(kind, body)


def test_the_largest_permitted_of_everything_is_kept() -> None:
    feedback = sent(key="k" * 180, comment="x" * 65_536, score=1e308, value=nested(200))
    assert len(feedback.key) == 180
    assert feedback.score == 1e308


def nested(depth: int) -> dict:
    document: dict = {}
    for _ in range(depth - 1):
        document = {"a": document}
    return document


def test_nesting_is_bounded() -> None:
    with pytest.raises(Unprocessable, match="value: nested deeper than 200"):
        sent(value=nested(202))


def test_nul_and_lone_surrogates_are_replaced_everywhere() -> None:
    dirty = "a\x00b\ud800c"
    feedback = sent(
        key=dirty, comment=dirty, value={dirty: [dirty]}, correction=dirty, extra={"x": dirty}
    )
    clean = "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert feedback.key == feedback.comment == feedback.correction == clean
    assert feedback.value == {clean: [clean]}
    assert feedback.extra == {"x": clean}


def test_a_patch_changes_what_it_names_and_null_means_keep() -> None:
    body = {"score": 0, "comment": None, "value": False, "user_id": 3}
    assert read(FeedbackChange, body).changes() == {"score": 0.0, "value": False}
    body = {"feedbackConfig": {"type": "freeform"}}
    assert read(FeedbackChange, body).changes()["config"]["type"] == "freeform"


@pytest.mark.parametrize("spelling", ["urn:uuid:{}", "{{{}}}", "{}"])
def test_an_id_is_read_in_every_spelling_of_python(spelling) -> None:
    assert sent(run_id=spelling.format(RUN)).run_id == UUID(RUN)
    assert sent(run_id=UUID(RUN).hex).run_id == UUID(RUN)


@pytest.mark.parametrize(
    ("lifetime", "expires_at"),
    [
        (None, None),
        ({}, None),
        ({"days": 0, "hours": None, "minutes": ""}, None),
        ({"days": 1, "hours": 2, "minutes": 0.5}, NOON + timedelta(hours=26, seconds=30)),
        ({"days": Number("0.50")}, NOON + timedelta(hours=12)),
        ({"days": 1e300}, NOON + timedelta(days=1e6)),
    ],
)
def test_a_lifetime_is_the_sum_of_its_members(lifetime, expires_at) -> None:
    body = {"run_id": RUN, "feedback_key": "k", "expires_in": lifetime}
    assert read(TokenCreate, body).to_input(NOON).expires_at == expires_at


@pytest.mark.parametrize("days", [True, -1, "1", [1]])
def test_a_length_that_is_not_a_number_is_refused(days) -> None:
    body = {"run_id": RUN, "feedback_key": "k", "expires_in": {"days": days}}
    with pytest.raises(Unprocessable, match=r"expires_in\.days: must be a number"):
        read(TokenCreate, body)


@pytest.mark.parametrize("score", ["[1]", "many", "1e999", '"1"'])
def test_the_score_of_a_link_is_a_number(score) -> None:
    assert read_query(TokenUseQuery, QueryDict("score=TRUE")).score == 1.0
    assert read_query(TokenUseQuery, QueryDict("score=&comment=")).comment == ""
    with pytest.raises(Unprocessable, match="score: must be a number"):
        read_query(TokenUseQuery, QueryDict(f"score={score}"))
