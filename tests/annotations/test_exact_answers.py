"""An answer's number is shown so that it can be sent back, whatever its digits are."""

from __future__ import annotations

import pytest

from annotations.models import RubricItem
from annotations.question_kinds import kind_of
from annotations.queues import rubrics
from observatory.exact import digits_of, double

NUMBERS = [1 / 3, 2 / 3, 1_234_567, 0.1 + 0.2, 1e-7, 1e22, 2**53, -0.5, 3.0, 1e308, 5e-324]


@pytest.mark.parametrize("number", NUMBERS)
def test_what_a_choice_sends_is_the_answer_that_it_shows(number) -> None:
    categories = [{"value": number, "label": None}, {"value": -7, "label": "other"}]
    question = RubricItem(feedback_key="k", kind="categorical", categories=categories)
    worth = kind_of(question).choices(question)[0].value
    assert float(worth) == number
    answers, _ = rubrics.settle([question], {"k": {"score": worth}})
    assert answers["k"]["score"] == number


@pytest.mark.parametrize("number", NUMBERS)
def test_the_shortest_text_of_a_number_reads_back_as_it(number) -> None:
    assert float(digits_of(number)) == number


def test_an_integer_without_an_equal_double_is_not_a_score() -> None:
    for number in (2**53 + 1, 2**64 + 1, 10**400, float("inf")):
        with pytest.raises(ValueError, match=r"double|finite"):
            double(number)
