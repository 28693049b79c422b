"""When a question is asked, when it needs an answer, and what its text must match."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.queues import question_conditions, rubrics
from annotations.queues.question_conditions import InvalidCondition


@dataclass
class Question:
    feedback_key: str
    kind: str = "continuous"
    categories: list = field(default_factory=list)
    minimum: float | None = None
    maximum: float | None = None
    is_required: bool = False
    extra: dict = field(default_factory=dict)


def when(join, *rules):
    return {
        "join": join,
        "rules": [dict(zip(("key", "op", "values"), r, strict=False)) for r in rules],
    }


def rubric(**conditions_of_b):
    return [Question("a"), Question("b", is_required=True, extra=conditions_of_b)]


@pytest.mark.parametrize(
    ("condition", "a", "is_asked"),
    [
        (when("all", ("a", "is", [1])), 1, True),
        (when("all", ("a", "is", [1])), 2, False),
        (when("all", ("a", "is", [1])), None, False),
        (when("all", ("a", "is_one_of", [1, 2])), 2, True),
        (when("all", ("a", "is_empty")), None, True),
        (when("all", ("a", "is_empty")), 0, False),
        (when("all", ("a", "is_not_empty")), 0, True),
        (when("all", ("a", "is_not_empty")), {"cant_judge": True}, False),
        (when("all", ("a", "is_not_empty"), ("a", "is", [3])), 1, False),
        (when("any", ("a", "is_empty"), ("a", "is", [3])), 3, True),
    ],
)
def test_an_answer_to_a_hidden_question_is_dropped(condition, a, is_asked) -> None:
    sent = {} if a is None else {"a": a}
    complaints = rubrics.check(rubric(visible_if=condition), sent)
    assert complaints == ({"b": "An answer is needed."} if is_asked else {})
    answers, complaints = rubrics.settle(rubric(visible_if=condition), {**sent, "b": 7})
    assert ("b" in answers, complaints) == (is_asked, {})


def test_a_condition_may_need_an_answer_that_is_optional_otherwise() -> None:
    questions = [Question("a"), Question("b", extra={"required_if": when("all", ("a", "is", [0]))})]
    assert rubrics.check(questions, {"a": 1}) == {}
    assert rubrics.check(questions, {"a": 0}) == {"b": "An answer is needed."}
    assert rubrics.check(questions, {"a": 0, "b": {"cant_judge": True}}) == {}


def test_what_is_hidden_is_empty_for_those_that_depend_on_it() -> None:
    questions = [
        Question("a"),
        Question("b", extra={"visible_if": when("all", ("a", "is", [1]))}),
        Question("c", extra={"visible_if": when("all", ("b", "is", [1]))}),
    ]
    assert rubrics.settle(questions, {"a": 1, "b": 1, "c": 1})[0].keys() == {"a", "b", "c"}
    assert rubrics.settle(questions, {"a": 0, "b": 1, "c": 1})[0].keys() == {"a"}


def test_a_wrong_answer_to_a_hidden_question_is_not_a_complaint() -> None:
    questions = [
        Question("a"),
        Question("b", maximum=1, extra={"visible_if": when("all", ("a", "is", [1]))}),
    ]
    assert rubrics.check(questions, {"a": 0, "b": 99}) == {}
    assert rubrics.check(questions, {"a": 1, "b": 99}).keys() == {"b"}


def test_a_text_must_match_its_pattern() -> None:
    question = Question("t", kind="freeform", extra={"regex_validator": r"^[A-Z]{2}-\d+$"})
    assert rubrics.check([question], {"t": "AB-12"}) == {}
    assert rubrics.check([question], {"t": "ab"}).keys() == {"t"}
    assert rubrics.check([question], {}) == {}


def test_a_slow_pattern_is_a_complaint_and_ends_in_time() -> None:
    question = Question("t", kind="freeform", extra={"regex_validator": r"^(a|aa)+b?c$"})
    complaint = rubrics.check([question], {"t": "a" * 5_000 + "b"})["t"]
    assert "too long" in complaint or "must match" in complaint


def test_conditions_in_a_circle_are_refused_and_chains_are_not() -> None:
    a_on_b = {"visible_if": when("all", ("b", "is_empty"))}
    b_on_a = {"visible_if": when("all", ("a", "is_empty"))}
    question_conditions.check([("a", a_on_b), ("b", {})])
    with pytest.raises(InvalidCondition, match="circle"):
        question_conditions.check([("a", a_on_b), ("b", b_on_a)])
    with pytest.raises(InvalidCondition, match="itself"):
        question_conditions.check([("b", a_on_b)])


KEYS = st.sampled_from("abcd")
RULES = st.one_of(
    st.tuples(KEYS, st.sampled_from(["is_empty", "is_not_empty"])),
    st.tuples(KEYS, st.just("is_one_of"), st.lists(st.integers(0, 2), min_size=1)),
)


@given(
    st.lists(st.lists(RULES, max_size=3), min_size=4, max_size=4),
    st.dictionaries(KEYS, st.integers(0, 2)),
    st.sampled_from(["all", "any"]),
)
def test_settling_twice_equals_settling_once(rules, sent, join) -> None:
    questions = [
        Question(key, extra={"visible_if": when(join, *given_)} if given_ else {})
        for key, given_ in zip("abcd", rules, strict=True)
    ]
    answers, complaints = rubrics.settle(questions, sent)
    assert complaints == {}
    visible, _ = question_conditions.asked(questions, answers)
    try:
        question_conditions.check([(one.feedback_key, one.extra) for one in questions])
    except InvalidCondition:
        return  # a circle: never stored
    assert answers.keys() <= visible
    assert rubrics.settle(questions, answers) == (answers, {})
