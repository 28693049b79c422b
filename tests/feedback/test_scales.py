"""What a scale accepts, and where a score lies on it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.feedback import scales

STARS = {"type": "continuous", "min": 1, "max": 5}
ANSWER = {
    "type": "categorical",
    "categories": [{"value": 0, "label": "Wrong"}, {"value": 1, "label": "Right"}],
}


@pytest.mark.parametrize(
    ("config", "score", "value", "expected"),
    [
        (STARS, 1, None, None),
        (STARS, 5, "five", None),
        (STARS, None, None, None),
        (STARS, 0.5, None, "score: 0.5 is below the minimum 1"),
        (STARS, 5.1, None, "score: 5.1 is above the maximum 5"),
        (ANSWER, 1, "Right", None),
        (ANSWER, None, "1", None),
        (ANSWER, 2, None, "score: 2 is none of the categories (0, 1)"),
        (ANSWER, None, "Maybe", "value: 'Maybe' is none of the categories (Wrong, Right)"),
        ({"type": "freeform"}, 1e300, "anything", None),
    ],
)
def test_a_score_off_its_scale_is_named(config, score, value, expected) -> None:
    assert scales.complaint(scales.parse(config), score, value) == expected


def test_a_category_declared_by_a_word_gets_its_place_as_number_and_keeps_the_word() -> None:
    config = scales.parse(
        {
            "type": "categorical",
            "categories": [
                {"value": "factual", "label": "Factual Answer"},
                {"value": "7"},
                {"value": True},
            ],
        }
    )
    assert config["categories"] == [
        {"value": 0, "label": "Factual Answer", "name": "factual"},
        {"value": 7.0, "label": None},
        {"value": 1, "label": None},
    ]
    assert scales.complaint(config, None, "factual") is None
    assert scales.complaint(config, 0, "Factual Answer") is None


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ([], "must be"),
        ({"type": "stars"}, "type"),
        ({"type": "continuous", "min": 2, "max": 1}, "min"),
        ({"type": "continuous", "min": "0"}, "min"),
        ({"type": "continuous", "max": float("inf")}, "max"),
        ({"type": "categorical"}, "categories"),
        ({"type": "categorical", "categories": [3]}, "categories.0"),
        ({"type": "categorical", "categories": [{"label": 3}]}, "categories.0.label"),
        ({"type": "categorical", "categories": [{}]}, "categories.0.value"),
        ({"type": "categorical", "categories": [{"value": 1}] * 201}, "categories"),
        ({"type": "categorical", "categories": {"value": 1}}, "categories"),
    ],
)
def test_an_empty_config_is_refused_by_field(config, field) -> None:
    with pytest.raises(ValueError, match=rf"^{field}"):
        scales.parse(config)


finite = st.floats(min_value=-1e308, max_value=1e308)


@given(finite, finite, finite)
def test_normalising_stays_in_the_unit_interval_and_keeps_order(low, high, score) -> None:
    low, high = min(low, high), max(low, high)
    config = scales.parse({"type": "continuous", "min": low, "max": high})
    place = scales.normalise(config, score)
    if scales.complaint(config, score, None) or low == high:
        assert place is None
    else:
        assert place is not None
        assert 0 <= place <= 1
        assert scales.normalise(config, low) == 0
        assert scales.normalise(config, high) == 1


def test_normalising_needs_two_ends() -> None:
    assert scales.normalise(None, 0.25) == 0.25
    assert scales.normalise(None, 85) is None
    assert scales.normalise(scales.parse({"type": "continuous", "min": 0}), 1) is None
    assert scales.normalise(scales.parse({"type": "freeform"}), 1) is None
    assert scales.normalise(scales.parse(ANSWER), 1) == 1
    assert scales.normalise({"type": "categorical", "categories": []}, 1) is None


@pytest.mark.parametrize("kind", [[], {}, 7, True])
def test_a_type_that_is_not_text_is_named(kind) -> None:
    with pytest.raises(ValueError, match="type: must be one of"):
        scales.parse({"type": kind or ["x"]})


def test_a_scale_may_allow_multiple_categories() -> None:
    categories = [{"value": 0, "label": "billing"}, {"value": 1, "label": "shipping"}]
    for said, kept in ((True, {"allows_multiple_categories": True}), (False, {}), (None, {})):
        config = scales.parse({"categories": categories, "allows_multiple_categories": said})
        assert config == scales.parse({"categories": categories}) | kept
    several = scales.parse({"categories": categories, "allows_multiple_categories": True})
    changed = scales.recategorised(several, added=[{"value": 2, "label": "other"}], removed=[])
    assert changed["allows_multiple_categories"] is True
    with pytest.raises(ValueError, match="allows_multiple_categories: "):
        scales.parse({"categories": categories, "allows_multiple_categories": 1})
