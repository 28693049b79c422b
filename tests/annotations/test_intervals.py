"""Intervals of agreement: never narrower than the data can say, and the verdict they give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.agreement import alpha, coefficients, continuous, intervals, looks, verdicts
from annotations.agreement.coefficients import Weighting
from annotations.agreement.results import Agreement, Warn
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
        ([[1, 0], [0, 1]], (-0.5, 0.0), (1.0, 1.0)),  # two items: nearly nothing is known
        ([[118, 5], [2, 0]], (-0.15, -0.05), (0.3, 0.5)),  # Gwet: an empty cell is possible
        (np.diag([30, 30]), (0.82, 0.92), (1.0, 1.0)),
        (np.diag([4, 4, 4, 4, 4]), (0.6, 0.85), (1.0, 1.0)),  # unused cells weigh little
        (COHEN_1960, (0.38, 0.39), (0.57, 0.59)),  # as its standard error says
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


def test_the_error_of_a_group_equals_that_of_the_pair_it_is() -> None:
    """The numeric derivative of a sum of items against the closed form for kappa."""
    table = np.array([[400, 60], [50, 290]])

    def of(sums):
        return coefficients.kappa(sums.reshape(*sums.shape[:-1], 2, 2))

    found = intervals.summed(np.eye(4), table.reshape(-1), of, prior=np.eye(4))
    expected = coefficients.of_pair(table).ci
    assert found is not None
    assert expected is not None
    assert found.low == pytest.approx(expected.low, abs=1e-7)
    assert found.high == pytest.approx(expected.high, abs=1e-7)
    assert found.centre == pytest.approx(expected.centre, abs=1e-12)


# The verdict ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "verdict"),
    [
        ([[480, 20], [25, 475]], Verdict.MET),
        ([[26, 3], [4, 24]], Verdict.OPEN),
        ([[34, 6], [6, 34]], Verdict.OPEN),  # 0.70 exactly
        ([[30, 20], [25, 40]], Verdict.BELOW),
        ([[5, 0], [0, 5]], Verdict.FEW),
        ([[0, 1], [1, 0]], Verdict.FEW),  # disagreement on two items shows nothing either
        ([[0, 0], [0, 0]], Verdict.UNDEFINED),
    ],
)
def test_a_bound_decides_the_verdict_and_not_the_value(table, verdict) -> None:
    held = verdicts.gate(coefficients.of_pair(table))
    assert held.verdict == verdict
    assert held.passes_strict is (verdict == Verdict.MET)


def test_the_bounds_of_a_verdict_are_wide_on_few_items_and_narrow_with_more() -> None:
    quantiles = [looks.quantile(n) for n in (20, 50, 100, 200)]
    assert quantiles == sorted(quantiles, reverse=True)
    assert looks.quantile(200) == pytest.approx(looks.Z)
    reach = [looks.quantile(n) / n**0.5 for n in range(20, 5_000)]
    assert reach == sorted(reach, reverse=True), "another item must not widen the bounds"
    assert looks.confidence(200) == pytest.approx(0.96, abs=0.001)


@pytest.mark.parametrize(
    ("table", "target"),
    [
        ([[26, 3], [4, 24]], 0.7),
        ([[26, 3], [4, 24]], 0.8),
        ([[80, 4], [3, 13]], 0.7),
        ([[45, 5, 1], [4, 40, 3], [2, 4, 46]], 0.75),
    ],
)
def test_the_named_number_of_reviews_would_decide(table, target) -> None:
    counts = np.array(table)
    result = coefficients.of_pair(counts)
    held = verdicts.gate(result, target)
    assert held.n_more
    n = held.n + held.n_more
    for share, is_decided in ((1.2, True), (0.6, False)):
        grown = coefficients.of_pair(counts * (share * n / held.n)).ci
        assert grown is not None
        low, high = looks.bounds(result.value, grown, int(share * n))
        assert (low > target or high < target) is is_decided


def test_a_settled_verdict_needs_no_more_and_one_at_the_target_cannot_be_told() -> None:
    assert verdicts.gate(coefficients.of_pair([[480, 20], [25, 475]])).n_more == 0
    assert verdicts.gate(coefficients.of_pair([[34, 6], [6, 34]])).n_more is None


def verdict_ever(kappa: float, share: float, histories: int) -> tuple[float, float]:
    """Return how many histories were ever called met, and how many are at 200 items."""
    margin = np.array([share, 1 - share])
    truth = (kappa * np.diag(margin) + (1 - kappa) * np.outer(margin, margin)).reshape(-1)
    rng = np.random.default_rng(11)
    counts = rng.multinomial(10, truth, size=(20, histories)).cumsum(axis=0).reshape(-1, 2, 2)
    centre, se = coefficients.adjusted(counts)
    quantiles = np.array([looks.quantile(10 * look) for look in range(1, 21)])
    met = (centre - np.repeat(quantiles, histories) * se).reshape(20, histories) > 0.7
    return float(met[1:].any(axis=0).mean()), float(met[-1].mean())


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_queue_at_the_target_is_rarely_called_met_at_any_of_nineteen_looks(share) -> None:
    assert verdict_ever(0.7, share, 4_000)[0] <= 0.06  # promised: 0.08
    assert verdict_ever(0.6, share, 4_000)[0] <= 0.02


def test_a_queue_well_above_the_target_is_called_met_at_200_items() -> None:
    assert verdict_ever(0.85, 0.5, 4_000)[1] >= 0.9


def test_the_sentence_names_one_interval_and_what_it_means() -> None:
    met = verdicts.sentence(coefficients.of_pair([[480, 20], [25, 475]]))
    assert met.startswith("Almost perfect agreement: kappa 0.91 (95 % interval 0.8")
    assert met.endswith("two or more; the 0.70 target is met, with a lower bound of 0.87.")
    assert "not proven yet: about 1,300 more double reviews." in verdicts.sentence(
        coefficients.of_pair([[26, 3], [4, 24]])
    )
    one = verdicts.sentence(coefficients.of_pair([[1, 0], [0, 1]]))
    assert one.startswith("Too few items to judge: kappa 1.00 (95 % interval -0.")
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
