"""Statistics of groups: published tables, second libraries, brute force, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from annotations.agreement import alpha, coefficients, conger, group_results, groups, icc
from annotations.agreement.coefficients import Weighting
from annotations.agreement.groups import Chance
from annotations.agreement.results import Reason, Warn
from tests.annotations.test_agreement import COHEN_1960, tables

# Fleiss (1971), table 1: 30 patients, six psychiatrists, five diagnoses.
FLEISS_1971 = np.array([
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0],
    [2, 0, 4, 0, 0], [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6],
    [1, 0, 0, 5, 0], [1, 1, 0, 4, 0], [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1],
    [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0], [0, 2, 0, 4, 0], [1, 0, 2, 0, 3],
    [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0], [1, 0, 0, 4, 1],
    [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
])  # fmt: skip

# Gwet (2014), Handbook of Inter-Rater Reliability: four raters, twelve units; 0 is missing.
GWET_2014 = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 0],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 3],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
])  # fmt: skip

# Shrout, Fleiss (1979), table 2: six targets, four judges.
SHROUT_FLEISS_1979 = [
    [9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]
]  # fmt: skip


def counts_of(ratings, k: int) -> np.ndarray:
    return np.stack([(ratings == value).sum(0) for value in range(1, k + 1)], axis=1)


def columns_of(ratings) -> tuple:
    """Return units, reviewers and codes of ratings (reviewers, units), 0 is missing."""
    reviewers, units = np.nonzero(ratings)
    return units, reviewers, ratings[reviewers, units] - 1


def test_fleiss_kappa_of_1971_and_of_each_diagnosis() -> None:
    assert groups.coefficient(FLEISS_1971, Chance.FLEISS).value == pytest.approx(0.430, abs=5e-4)
    by_category = [groups.of_category(FLEISS_1971, category).value for category in range(5)]
    # Fleiss, Levin, Paik (2003), and the R package irr, kappam.fleiss(detail = TRUE)
    assert by_category == pytest.approx([0.245, 0.245, 0.520, 0.471, 0.566], abs=1e-3)


@pytest.mark.parametrize(
    ("chance", "value", "se"),
    [
        (Chance.FLEISS, 0.76117, 0.15302),
        (Chance.GWET, 0.77544, 0.14295),
        (Chance.UNIFORM, 0.77273, 0.14472),
    ],
)
def test_gwets_four_raters_with_missing_ratings(chance, value, se) -> None:
    found = groups.coefficient(counts_of(GWET_2014, 5), chance)
    assert found.value == pytest.approx(value, abs=6e-6)
    assert found.se == pytest.approx(se, abs=6e-6)


def test_congers_kappa_of_gwets_four_raters() -> None:
    by_reviewer = np.stack([(value == GWET_2014).sum(1) for value in range(1, 6)], axis=1)
    counts = counts_of(GWET_2014, 5).astype(float)
    found = conger.equally_weighted(counts, by_reviewer.astype(float))
    assert found == pytest.approx(0.76282, abs=6e-6)


def test_the_six_correlations_of_shrout_and_fleiss_with_their_intervals() -> None:
    found = {each.name: each for each in icc.intraclass(SHROUT_FLEISS_1979)}
    published = {
        "icc_1_1": (0.17, -0.13, 0.72),
        "icc_a_1": (0.29, 0.02, 0.76),
        "icc_c_1": (0.71, 0.34, 0.95),
        "icc_1_k": (0.44, -0.88, 0.91),
        "icc_a_k": (0.62, 0.07, 0.93),
        "icc_c_k": (0.91, 0.68, 0.99),
    }
    for name, (value, low, high) in published.items():
        each = found[name]
        assert (each.value, each.low, each.high) == pytest.approx((value, low, high), abs=6e-3)


def test_correlations_of_numbers_that_do_not_vary_are_undefined() -> None:
    assert all(np.isnan(each.value) for each in icc.intraclass([[2, 2], [2, 2], [2, 2]]))
    with pytest.raises(ValueError, match="at least 2 by 2"):
        icc.intraclass([[1, 2]])


complete = st.integers(2, 4).flatmap(
    lambda reviewers: st.lists(
        st.lists(st.integers(1, 3), min_size=reviewers, max_size=reviewers),
        min_size=2,
        max_size=15,
    )
)
with_gaps = st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=15)


@settings(max_examples=100, deadline=None)
@given(complete)
def test_fleiss_equals_statsmodels_on_complete_designs(rows) -> None:
    counts = counts_of(np.array(rows).T, 3)
    assume((counts.sum(0) > 0).sum() > 1)
    found = groups.coefficient(counts, Chance.FLEISS).value
    assert found == pytest.approx(fleiss_kappa(counts), abs=1e-9)
    uniform = groups.coefficient(counts, Chance.UNIFORM).value
    assert uniform == pytest.approx(fleiss_kappa(counts, method="randolph"), abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(complete)
def test_conger_equals_the_mean_over_pairs_on_complete_designs(rows) -> None:
    """Brute force: pooled observed and expected agreement of all pairs of reviewers."""
    ratings = np.array(rows).T
    observed, expected = [], []
    for first in range(len(ratings)):
        for second in range(first + 1, len(ratings)):
            observed.append((ratings[first] == ratings[second]).mean())
            shares = [
                [(ratings[who] == value).mean() for value in (1, 2, 3)] for who in (first, second)
            ]
            expected.append(np.dot(*shares))
    chance = np.mean(expected)
    found = conger.conger(conger.design(*columns_of(ratings), 3)).value
    if 1 - chance < 1e-9:
        assert np.isnan(found)
    else:
        assert found == pytest.approx((np.mean(observed) - chance) / (1 - chance), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(tables(2, 4), st.sampled_from(list(Weighting)))
def test_of_two_reviewers_the_group_is_the_pair(table, weighting) -> None:
    k = len(table)
    cells = np.array([cell for cell, n in np.ndenumerate(table) for _ in range(n)], dtype=int)
    cells = cells.reshape(-1, 2)
    units, reviewers = np.repeat(np.arange(len(cells)), 2), np.tile([0, 1], len(cells))
    found = group_results.of_ratings(units, reviewers, cells.reshape(-1), k, weighting=weighting)
    pair = coefficients.of_pair(table, weighting)
    kappa = found["kappa"]
    assert kappa.statistic == (pair.statistic if len(cells) else kappa.statistic)
    if pair.value is None:
        assert kappa.value is None
        return
    assert kappa.value == pytest.approx(pair.value, abs=1e-9)
    assert (kappa.ci.low, kappa.ci.high) == pytest.approx((pair.ci.low, pair.ci.high), abs=1e-7)
    assert kappa.companions == pair.companions
    assert found["ac1"].value == pytest.approx(float(coefficients.gwet(table, weighting)))
    scott = float(coefficients.scott(table, weighting))
    assert found["fleiss"].value == pytest.approx(scott, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(with_gaps, st.randoms(use_true_random=False))
def test_no_statistic_depends_on_the_order_of_items_reviewers_or_names(rows, rng) -> None:
    ratings = np.array(rows).T
    order, people = list(range(ratings.shape[1])), list(range(ratings.shape[0]))
    rng.shuffle(order)
    rng.shuffle(people)
    renamed = np.array([0, *rng.sample([1, 2, 3], 3)])[ratings[people][:, order]]
    before = group_results.of_ratings(*columns_of(ratings), 3)
    after = group_results.of_ratings(*columns_of(renamed), 3)
    for name, result in before.items():
        assert after[name].reason == result.reason
        if result.value is not None:
            assert after[name].value == pytest.approx(result.value, abs=1e-9)
            assert after[name].ci.low == pytest.approx(result.ci.low, abs=1e-6)
            assert result.ci.low <= result.value <= result.ci.high
            assert result.ci.high > result.ci.low


def test_no_value_is_below_minus_one_or_outside_its_interval() -> None:
    """With gaps, chance is of all ratings and agreement only of items rated twice: here -5/3."""
    ratings = np.array([[0, 0, 0, 1], [0, 0, 1, 2]]).T
    fleiss = group_results.of_ratings(*columns_of(ratings), 3)["fleiss"]
    assert fleiss.value == fleiss.ci.low == -1.0


def test_scotts_pi_and_the_error_of_kappa_under_chance_alone() -> None:
    reference = cohens_kappa(COHEN_1960)
    found = float(coefficients.no_agreement_error(COHEN_1960))
    assert found == pytest.approx(reference.std_kappa0, abs=1e-9)
    share = (COHEN_1960.sum(0) + COHEN_1960.sum(1)) / 400
    chance = (share**2).sum()
    pi = (0.7 - chance) / (1 - chance)
    assert float(coefficients.scott(COHEN_1960)) == pytest.approx(pi)


def test_positive_and_negative_agreement() -> None:
    # Cicchetti, Feinstein (1990): 2a / (2a + b + c)
    assert coefficients.specific_agreement([[40, 9], [6, 45]]) == pytest.approx([80 / 95, 90 / 105])
    counts = np.repeat([[2, 0], [1, 1], [0, 2]], [40, 15, 45], axis=0)
    assert groups.specific_agreement(counts) == pytest.approx([80 / 95, 90 / 105])


def test_the_ratio_metric_of_krippendorff() -> None:
    # Krippendorff (2011): ratio alpha .797 of the data with missing ratings
    found = alpha.alpha(counts_of(GWET_2014, 5), alpha.Metric.RATIO, [1, 2, 3, 4, 5])
    assert found == pytest.approx(0.797, abs=6e-4)


def test_three_reviewers_have_the_warnings_of_two() -> None:
    skewed = np.zeros((3, 200), dtype=int) + 1
    skewed[0, :6], skewed[1, 6:11] = 2, 2
    found = group_results.of_ratings(*columns_of(skewed), 2)["kappa"]
    assert Warn.SKEWED_PREVALENCE in found.warnings
    assert Warn.CONSTANT_RATER in found.warnings
    assert found.companions["ac1"] > 0.9
    one_way = np.where(np.arange(60) % 2 == 0, 1, 2)
    lenient = np.stack([one_way, one_way, np.where(np.arange(60) % 4 == 0, 1, 2)])
    assert Warn.RATER_BIAS in group_results.of_ratings(*columns_of(lenient), 2)["alpha"].warnings


def test_without_a_second_rating_there_is_a_reason() -> None:
    alone = np.array([[1, 2, 1]])
    apart = np.array([[1, 0], [0, 2]])
    for ratings, reason in ((alone, Reason.SINGLE_RATER), (apart, Reason.NO_OVERLAP)):
        found = group_results.of_ratings(*columns_of(ratings), 2)
        assert {result.reason for result in found.values()} == {reason}
    none = group_results.of_ratings(*(np.empty(0, dtype=np.int64) for _ in range(3)), 2)
    assert {result.reason for result in none.values()} == {Reason.NO_RATINGS}
