"""Intervals of agreement: never narrower than the data can say, and the verdict they give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.agreement import alpha, coefficients, continuous, verdicts
from annotations.agreement.coefficients import Agreement, Warn, Weighting
from annotations.agreement.verdicts import Verdict
from tests.annotations.test_agreement import COHEN_1960, tables


def assert_sound(result: Agreement) -> None:
    if result.value is None or result.ci is None:
        return
    low, high = result.ci.low, result.ci.high
    assert -1 <= low <= result.value <= high <= 1
    n = result.n_overlap
    assert high - low > min(0.5, 1 / n), f"{low} to {high} on {n} items"
    assert result.se is not None
    assert result.se > 0


@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from(list(Weighting)))
def test_an_interval_of_a_pair_holds_its_value_and_has_a_width(table, weighting) -> None:
    assert_sound(coefficients.of_pair(table, weighting))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=30),
    st.sampled_from(list(alpha.Metric)),
)
def test_an_interval_of_a_group_holds_its_value_and_has_a_width(counts, metric) -> None:
    assert_sound(alpha.of_group(counts, metric))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_an_interval_of_numbers_holds_its_value_and_has_a_width(pairs) -> None:
    first, second = zip(*pairs, strict=True)
    assert_sound(continuous.of_pair(first, second))
    units = np.repeat(np.arange(len(pairs)), 2)
    assert_sound(alpha.of_numbers(units, np.array(pairs).reshape(-1)))


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ([[1, 0], [0, 1]], (-0.3, 0.1), (1.0, 1.0)),  # two items: nearly nothing is known
        ([[118, 5], [2, 0]], (-0.06, -0.02), (0.2, 0.5)),  # Gwet: an empty cell is possible
        (np.diag([30, 30]), (0.88, 0.93), (1.0, 1.0)),
        (np.diag([4, 4, 4, 4, 4]), (0.6, 0.85), (1.0, 1.0)),  # unused cells weigh little
        (COHEN_1960, (0.39, 0.42), (0.55, 0.58)),  # as its standard error says
    ],
)
def test_known_tables_have_the_interval_one_expects(table, low, high) -> None:
    found = coefficients.of_pair(table).ci
    assert found is not None
    assert low[0] <= found.low <= low[1]
    assert high[0] <= found.high <= high[1]


def test_a_pair_among_thousands_has_the_interval_it_has_alone() -> None:
    rng = np.random.default_rng(1)
    stack = rng.multinomial(3, [1 / 9] * 9, size=1_000).reshape(-1, 3, 3)
    for table, found in zip(stack, coefficients.of_pairs(stack), strict=True):
        assert_sound(found)
        assert found == coefficients.of_pair(table)


def test_perfect_numbers_have_a_width_however_many() -> None:
    many = np.arange(5_000.0)
    for numbers in (many, many[:30], many[:2]):
        found = continuous.of_pair(numbers, numbers).ci
        assert found is not None
        assert found.high > found.low


@pytest.mark.parametrize(("n", "share"), [(20, 0.5), (50, 0.5), (50, 0.9), (100, 0.9)])
def test_either_end_covers_the_truth_in_about_95_of_100_samples(n, share) -> None:
    """True kappa .70: both agree by knowing the answer, or guess with the same frequencies."""
    margin = np.array([share, 1 - share])
    truth = 0.7 * np.diag(margin) + 0.3 * np.outer(margin, margin)
    rng = np.random.default_rng(3)
    drawn = rng.multinomial(n, truth.reshape(-1), size=400).reshape(-1, 2, 2)
    found = [result.ci for result in coefficients.of_pairs(drawn) if result.ci is not None]
    assert np.mean([ci.low <= 0.7 for ci in found]) > 0.92
    assert np.mean([ci.high >= 0.7 for ci in found]) > 0.87


def test_posterior_and_jackknife_agree_on_many_items() -> None:
    table = np.array([[400, 60], [50, 290]])
    prior = np.eye(4)

    def of(sums):
        return coefficients.kappa(sums.reshape(*sums.shape[:-1], 2, 2))

    drawn = coefficients.resampled_interval(np.eye(4), table.reshape(-1), of, prior=prior, seed=1)
    value = float(coefficients.kappa(table))
    knife = coefficients._jackknife(np.eye(4), table.reshape(-1).astype(float), of, value)
    assert drawn is not None
    assert knife is not None
    assert drawn[0].low == pytest.approx(knife[0].low, abs=0.01)
    assert drawn[0].high == pytest.approx(knife[0].high, abs=0.01)


# The verdict ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "verdict"),
    [
        ([[480, 20], [25, 475]], Verdict.MET),
        ([[26, 3], [4, 24]], Verdict.OPEN),
        ([[30, 20], [25, 40]], Verdict.BELOW),
        ([[5, 0], [0, 5]], Verdict.FEW),
        ([[0, 1], [1, 0]], Verdict.FEW),  # disagreement on two items shows nothing either
        ([[0, 0], [0, 0]], Verdict.UNDEFINED),
    ],
)
def test_the_whole_interval_decides_the_verdict(table, verdict) -> None:
    held = verdicts.gate(coefficients.of_pair(table))
    assert held.verdict == verdict
    assert held.passes_strict is (verdict == Verdict.MET)


def test_the_sentence_names_one_interval_and_what_it_means() -> None:
    met = verdicts.sentence(coefficients.of_pair([[480, 20], [25, 475]]))
    assert met.startswith("Almost perfect agreement: kappa 0.91 (90 % interval 0.8")
    assert met.endswith("on 1000 items rated by two or more; the 0.70 target is met.")
    assert "not shown yet" in verdicts.sentence(coefficients.of_pair([[26, 3], [4, 24]]))
    one = verdicts.sentence(coefficients.of_pair([[1, 0], [0, 1]]))
    assert one.startswith("Too few items to judge: kappa 1.00 (90 % interval -0.")
    nothing = coefficients.of_pair([[0, 0], [0, 0]])
    assert verdicts.sentence(nothing) == "No figure yet: no item has two ratings yet."
    for words in (met, one):
        assert words.count("interval") == 1


@pytest.mark.parametrize("table", [[[16, 4], [4, 36]], [[17, 3], [3, 17]]])
def test_seven_tenths_is_not_above_seven_tenths_however_it_was_computed(table) -> None:
    value = float(coefficients.kappa(table))
    assert value == pytest.approx(0.7)
    result = Agreement("cohen_kappa", value=value, n_overlap=60)
    assert not verdicts.gate(result).passes_point
    assert verdicts.figure(value) == "0.70"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.65, "0.65"),
        (0.71, "0.71"),
        (1.0, "1.00"),
        (-0.001, "0.00"),
        (0.699, "0.699"),
        (0.7, "0.70"),
        (0.704, "0.704"),
        (0.69951, "0.6995"),
        (0.7004, "0.7004"),
    ],
)
def test_near_the_target_enough_digits_are_shown(value, text) -> None:
    assert verdicts.figure(value) == text


def test_a_wide_interval_of_a_sparse_table_is_warned_of() -> None:
    assert Warn.WIDE_CI in coefficients.of_pair([[118, 5], [2, 0]]).warnings
