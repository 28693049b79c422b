"""What holds for every kind of question, so that a new kind is tested by being listed."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import get_template

from annotations.models import RubricItem
from annotations.question_kinds import KINDS, Kind, Rated, of_wire
from annotations.queues import rubrics
from observatory.feedback import scales

CATEGORIES = [
    {"value": 2, "label": "good"},
    {"value": 1, "label": "fair"},
    {"value": 0, "label": "poor"},
]
KINDS_AS_PARAMETERS = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
ANSWERS: tuple[Any, ...] = (0, 1, 2, 3.5, True, "good", "1", "yes", "a text", {"score": 1}, {"value": "fair"})  # fmt: skip


def question_of(kind: Kind) -> RubricItem:
    return RubricItem(
        feedback_key="k",
        kind=kind.name,
        level=kind.level,
        categories=CATEGORIES if kind.has_categories else [],
        minimum=0 if kind.has_bounds else None,
        maximum=5 if kind.has_bounds else None,
    )


def answers_to(question: RubricItem) -> list[dict[str, Any]]:
    settled = [rubrics.settle([question], {"k": answer}) for answer in ANSWERS]
    return [answers["k"] for answers, complaints in settled if answers and not complaints]


@KINDS_AS_PARAMETERS
def test_a_kind_takes_some_answers_and_refuses_others(kind: Kind) -> None:
    assert 0 < len(answers_to(question_of(kind))) < len(ANSWERS)


@KINDS_AS_PARAMETERS
def test_a_canonical_answer_is_read_as_itself(kind: Kind) -> None:
    question = question_of(kind)
    for answer in answers_to(question):
        assert rubrics.settle([question], {"k": answer}) == ({"k": answer}, {})


@KINDS_AS_PARAMETERS
def test_every_choice_of_the_form_is_an_answer_with_its_label(kind: Kind) -> None:
    question = question_of(kind)
    choices = kind.choices(question)
    assert bool(choices) == (kind.input == "choices")
    for choice in choices:
        answers, complaints = rubrics.settle([question], {"k": {"score": choice.value}})
        assert complaints == {}
        assert kind.in_words(answers["k"]["score"], answers["k"].get("value")) == choice.label


@KINDS_AS_PARAMETERS
def test_answers_are_counted_on_the_scale_or_not_at_all(kind: Kind) -> None:
    question = question_of(kind)
    rated = [rubrics.rate(question, answer) for answer in answers_to(question)]
    if kind.is_text:
        assert rated == [None] * len(rated)
        return
    for rating in rated:
        assert rating is not None
        assert (rating.number is not None) == kind.is_number
        assert kind.is_number or rating.code in range(len(kind.labels(question)))


@KINDS_AS_PARAMETERS
def test_the_scale_is_a_feedback_config_that_its_answers_fit(kind: Kind) -> None:
    question = question_of(kind)
    config = scales.parse(rubrics.scale_of(question))
    assert config["type"] == kind.wire_type
    for answer in answers_to(question):
        assert scales.complaint(config, answer.get("score"), answer.get("value")) is None


@KINDS_AS_PARAMETERS
def test_a_kind_has_a_template_and_a_wire_type_that_declares_one_kind(kind: Kind) -> None:
    assert get_template(f"annotations/answers/{kind.input}.html")
    declared = [k for k in KINDS.values() if k.wire_type == kind.wire_type and k.is_of_wire]
    assert declared == [of_wire(kind.wire_type)]


@KINDS_AS_PARAMETERS
def test_the_fields_of_a_question_that_can_be_answered_have_no_errors(kind: Kind) -> None:
    question = question_of(kind)
    fields = {name: getattr(question, name) for name in ("categories", "minimum", "maximum")}
    assert kind.errors(fields) == {}


def rating(low: float | None = None, high: float | None = None) -> RubricItem:
    return RubricItem(feedback_key="k", kind="rating", level="ordinal", minimum=low, maximum=high)


@pytest.mark.parametrize(("answer", "score"), [(1, 1), ("5", 5), ({"value": 3.0}, 3)])
def test_a_rating_is_a_whole_number_of_its_steps(answer: Any, score: float) -> None:
    assert rubrics.settle([rating()], {"k": answer}) == ({"k": {"score": score}}, {})


@pytest.mark.parametrize("answer", [0, 6, 2.5, "many", True])
def test_anything_else_is_refused_with_the_steps(answer: Any) -> None:
    _, complaints = rubrics.settle([rating()], {"k": answer})
    assert complaints == {"k": "Give a whole number from 1 to 5."}


def test_a_rating_is_counted_by_its_place_from_the_least() -> None:
    assert rubrics.rate(rating(-2, 2), {"score": 0.0}) == Rated(code=2)


@pytest.mark.parametrize(
    ("low", "high", "field"), [(0.5, 5, "minimum"), (1, 1, "maximum"), (0, 20, "maximum")]
)
def test_a_rating_has_whole_bounds_and_few_steps(low: float, high: float, field: str) -> None:
    assert list(KINDS["rating"].errors({"minimum": low, "maximum": high})) == [field]
