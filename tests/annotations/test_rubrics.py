"""Answers against the scales of their questions."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.queues import rubrics
from annotations.queues.rubrics import Rated


@dataclass
class Question:
    feedback_key: str = "q"
    kind: str = "categorical"
    categories: list = field(
        default_factory=lambda: [
            {"value": 0, "label": "Wrong"},
            {"value": 5, "label": "Partly"},
            {"value": 10, "label": "Right"},
        ]
    )
    minimum: float | None = None
    maximum: float | None = None
    is_required: bool = True
    extra: dict = field(default_factory=dict)


YES_NO = Question(kind="boolean")
NUMBER = Question(kind="continuous", minimum=0, maximum=1)
TEXT = Question(kind="freeform")
CATEGORY = Question()


@pytest.mark.parametrize(
    ("question", "sent", "answer"),
    [
        (CATEGORY, "Right", {"score": 10.0, "value": "Right"}),
        (CATEGORY, 5, {"score": 5.0, "value": "Partly"}),
        (CATEGORY, {"score": "5"}, {"score": 5.0, "value": "Partly"}),
        (CATEGORY, {"value": 0}, {"score": 0.0, "value": "Wrong"}),
        (CATEGORY, {"score": 0, "value": "Wrong"}, {"score": 0.0, "value": "Wrong"}),
        (
            CATEGORY,
            {"score": 0, "comment": " ab "},
            {"score": 0.0, "value": "Wrong", "comment": "ab"},
        ),
        (Question(categories=[{"label": "a"}, {"label": "b"}]), "b", {"score": 1.0, "value": "b"}),
        (YES_NO, True, {"score": 1.0}),
        (YES_NO, {"value": "no"}, {"score": 0.0}),
        (YES_NO, {"score": 0}, {"score": 0.0}),
        (YES_NO, {"score": 1, "value": True}, {"score": 1.0}),
        (NUMBER, 0.5, {"score": 0.5}),
        (NUMBER, {"value": "0.5"}, {"score": 0.5}),
        # The widest scale, as a frozen rubric reads it back: integers of 309 digits.
        (
            Question(kind="continuous", minimum=-(10**308), maximum=10**308),
            "1e308",
            {"score": 1e308},
        ),
        (TEXT, "  why ", {"value": "why"}),
        (NUMBER, {"cant_judge": True}, {"score": None, "value": None, "cant_judge": ""}),
        (NUMBER, {"cant_judge": "dark"}, {"score": None, "value": None, "cant_judge": "dark"}),
    ],
)
def test_an_answer_has_one_canonical_form(question, sent, answer) -> None:
    assert rubrics.settle([question], {"q": sent}) == ({"q": answer}, {})


@pytest.mark.parametrize(
    ("question", "sent", "complaint"),
    [
        (CATEGORY, None, "An answer is needed."),
        (CATEGORY, {}, "An answer is needed."),
        (CATEGORY, {"score": None, "value": ""}, "An answer is needed."),
        (CATEGORY, {"comment": "only"}, "A comment needs an answer, or say that you can't judge."),
        (CATEGORY, 3, "Choose one of: Wrong, Partly, Right."),
        (CATEGORY, "right", "Choose one of: Wrong, Partly, Right."),
        (CATEGORY, True, "Choose one of: Wrong, Partly, Right."),
        (
            CATEGORY,
            {"score": 0, "value": "Right"},
            "The number and the label name different answers.",
        ),
        (YES_NO, "perhaps", "Answer yes or no."),
        (YES_NO, 2, "Answer yes or no."),
        (YES_NO, {"score": 1, "value": False}, "Answer yes or no."),
        (NUMBER, 1.5, "Give a number from 0 to 1."),
        (NUMBER, "1e999", "Give a number."),
        (NUMBER, True, "Give a number."),
        (NUMBER, "x", "Give a number."),
        (Question(kind="continuous", minimum=2), 1, "Give a number of at least 2."),
        (Question(kind="continuous", maximum=2), 3, "Give a number of at most 2."),
        (TEXT, "x" * 20_001, "The answer is longer than 20,000 characters."),
        (TEXT, 7, "The answer must be a text."),
        (TEXT, "   ", "An answer is needed."),
        (NUMBER, [1], "This is not an answer."),
        (NUMBER, {"score": 1, "comment": 3}, "The comment must be a text."),
    ],
)
def test_an_invalid_answer_is_a_complaint(question, sent, complaint) -> None:
    if sent == 7:
        sent = {"value": 7}
    assert rubrics.check([question], {"q": sent}) == {"q": complaint}


def test_questions_that_need_no_answer_may_be_left_out_and_unknown_ones_may_not_come() -> None:
    optional = Question(is_required=False)
    assert rubrics.settle([optional], {}) == ({}, {})
    assert rubrics.check([optional], {"x": 1}) == {"x": "This question is not in the rubric."}


def test_ratings_are_places_on_the_scale_or_numbers() -> None:
    assert rubrics.rate(CATEGORY, {"score": 10.0, "value": "Right"}) == Rated(code=2)
    assert rubrics.rate(CATEGORY, {"score": 7.0}) is None  # the scale has changed since
    assert rubrics.rate(YES_NO, {"score": 1.0}) == Rated(code=1)
    assert rubrics.rate(NUMBER, {"score": 0.5}) == Rated(number=0.5)
    assert rubrics.rate(TEXT, {"value": "why"}) is None
    assert rubrics.rate(TEXT, {"score": 1.0, "value": "why"}) is None
    assert rubrics.rate(NUMBER, {"score": None, "cant_judge": ""}) is None


junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["Right", "Wrong", "yes", "0.5"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["score", "value", "comment", "cant_judge"]), inner),
    max_leaves=4,
)  # fmt: skip


@given(sent=junk, question=st.sampled_from([CATEGORY, YES_NO, NUMBER, TEXT]))
@settings(max_examples=400, deadline=None)
def test_whatever_is_sent_is_settled_or_refused_and_settling_twice_is_settling_once(
    sent, question
) -> None:
    answers, complaints = rubrics.settle([question], {"q": sent})
    assert set(answers) | set(complaints) == {"q"}
    if answers:
        assert rubrics.settle([question], answers) == (answers, {})
        rated = rubrics.rate(question, answers["q"])
        assert (rated is None) == (question.kind == "freeform" or "cant_judge" in answers["q"])
