"""Which feedback a run's attributes are: arithmetic, no database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.feedback import attributes
from observatory.feedback.attributes import AttributeFeedback, feedback_id, feedback_in
from observatory.feedback.judgement import MAX_COMMENT, clean_document, parse_score, parse_value

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def by_key(found: list[AttributeFeedback]) -> dict[str, AttributeFeedback]:
    return {one.key: one for one in found}


def test_every_documented_name_becomes_one_feedback() -> None:
    found = by_key(
        feedback_in(
            {
                "user_feedback": "negative",
                "user_feedback_rating": 2,
                "user_feedback_comment": "It named the wrong policy",
                "user_feedback_category": "incorrect",
                "user_feedback_timestamp": "2026-03-01T12:00:00Z",
                "feedback_reason": "wrong_policy",
                "annotation_status": "empty",
                "customer": "acme",
            },
            ["beta"],
        )
    )
    assert set(found) == set(attributes.NAMES)
    assert (found["user_feedback"].score, found["user_feedback"].value) == (0.0, "negative")
    assert found["user_feedback_rating"].score == 2.0
    assert found["user_feedback_comment"].comment == "It named the wrong policy"
    assert found["user_feedback_category"].value == "incorrect"
    assert found["feedback_reason"].value == "wrong_policy"
    assert found["annotation_status"].value == "empty"
    assert {found[key].given_at for key in found if key.startswith("user_")} == {AT}
    assert found["annotation_status"].given_at is None


@pytest.mark.parametrize(
    ("tags", "score"),
    [
        (["thumbs-up"], 1.0),
        (["thumbs-down"], 0.0),
        (["x", "thumbs_down"], 0.0),
        (["thumbs-up", "thumbs-down"], 0.0),
        (["Thumbs-Up", "thumbs"], None),
        ([], None),
    ],
)
def test_a_thumb_among_the_tags_is_a_score_and_down_outweighs_up(tags, score) -> None:
    assert [one.score for one in feedback_in({}, tags)] == ([] if score is None else [score])


@pytest.mark.parametrize(
    ("raw", "score", "is_odd"),
    [(4, 4.0, False), ("3.5", 3.5, False), ("good", None, True), (True, None, True)],
)
def test_a_rating_is_a_number_or_the_text_of_one(raw, score, is_odd) -> None:
    (rating,) = feedback_in({"user_feedback_rating": raw}, [])
    assert (rating.score, rating.is_odd) == (score, is_odd)


def test_null_and_empty_text_are_ignored() -> None:
    assert feedback_in(dict.fromkeys(attributes.NAMES), []) == []
    assert feedback_in(dict.fromkeys(attributes.NAMES, ""), []) == []


def test_an_invalid_time_is_kept_as_text_and_flagged() -> None:
    (one,) = feedback_in({"user_feedback_timestamp": "yesterday"}, [])
    assert (one.value, one.given_at, one.is_odd) == ("yesterday", None, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(attributes.NAMES), JSON), st.lists(st.text()))
def test_feedback_from_any_attributes_can_be_stored(metadata, tags) -> None:
    found = feedback_in(metadata, tags)
    assert len({one.key for one in found}) == len(found)
    for one in found:
        assert one.score is None or parse_score(one.score) == one.score
        assert parse_value(one.value) == clean_document("value", one.value) == one.value
        assert len((one.comment or "").encode()) <= MAX_COMMENT
        json.dumps([one.value, one.comment], allow_nan=False)


def test_the_row_of_an_attribute_has_one_id_a_workspace_run_and_key() -> None:
    ids = {
        feedback_id(UUID(int=w), UUID(int=r), key)
        for w in (1, 2)
        for r in (1, 2)
        for key in ("user_feedback", "thumbs")
    }
    assert len(ids) == 8
    assert feedback_id(UUID(int=1), UUID(int=1), "thumbs") in ids
