"""Agreement: published cases, second libraries, and properties."""

from __future__ import annotations

import warnings

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from annotations.agreement import alpha, coefficients, continuous, verdicts
from annotations.agreement.coefficients import Weighting
from annotations.agreement.results import Reason, Warn

COHEN_1960 = np.array([[88, 10, 2], [14, 40, 6], [18, 10, 12]])
PERFECT = np.diag([30, 30])

cells = st.integers(0, 12)


@st.composite
def tables(draw, least: int = 2, most: int = 5):
    k = draw(st.integers(least, most))
    return np.array(draw(st.lists(st.lists(cells, min_size=k, max_size=k), min_size=k, max_size=k)))


def ratings_of(table):
    pairs = [(i, j) for (i, j), n in np.ndenumerate(table) for _ in range(n)]
    return [p[0] for p in pairs], [p[1] for p in pairs]


def test_kappa_of_cohens_own_example() -> None:
    # Cohen (1960), table 1: proportions of 200 cases; po = .70, pe = .41, kappa = .492
    assert coefficients.exact_agreement(COHEN_1960) == pytest.approx(0.70)
    assert coefficients.kappa(COHEN_1960) == pytest.approx(0.492, abs=5e-4)


def test_the_standard_error_of_fleiss_cohen_and_everitt() -> None:
    # Fleiss, Levin, Paik (2003), Statistical Methods for Rates and Proportions, table 18.1:
    # 100 subjects, kappa .676; its standard error when kappa is not assumed 0.
    table = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    assert coefficients.kappa(table) == pytest.approx(0.676, abs=5e-4)
    assert coefficients.kappa_standard_error(table) == pytest.approx(0.088, abs=1e-3)


def test_ac1_of_gwets_example_stays_high_where_kappa_falls() -> None:
    # Gwet (2002), Kappa statistic is not satisfactory, table 2: kappa -.0234, AC1 .9408
    result = coefficients.of_pair([[118, 5], [2, 0]])
    assert result.companions["ac1"] == pytest.approx(0.9408, abs=5e-5)
    assert result.value == pytest.approx(-0.0234, abs=5e-5)
    assert Warn.SKEWED_PREVALENCE in result.warnings


KRIPPENDORFF_2011 = [  # reviewers A..D over 12 units, as in the paper's section D
    [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
    [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
]


def counts_of(matrix) -> np.ndarray:
    values = np.array(matrix, dtype=float)
    return np.stack([(values == v).sum(0) for v in (1, 2, 3, 4, 5)], axis=1)


@pytest.mark.parametrize(
    ("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_krippendorffs_2011_data(metric, published) -> None:
    counts = counts_of(KRIPPENDORFF_2011)
    assert alpha.alpha(counts, alpha.Metric(metric)) == pytest.approx(published, abs=6e-4)


def test_continuous_alpha_is_the_interval_alpha() -> None:
    matrix = np.array(KRIPPENDORFF_2011)
    units = np.broadcast_to(np.arange(12), matrix.shape)[~np.isnan(matrix)]
    found = alpha.of_numbers(units, matrix[~np.isnan(matrix)])
    assert found.value == pytest.approx(0.849, abs=6e-4)
    assert found.n_overlap == 11


@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from(list(Weighting)))
def test_kappa_and_its_error_equal_two_libraries(table, weighting) -> None:
    ours = float(coefficients.kappa(table, weighting))
    first, second = ratings_of(table)
    named = None if weighting == Weighting.UNWEIGHTED else str(weighting)
    if not first:
        assert np.isnan(ours)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = cohen_kappa_score(first, second, labels=range(len(table)), weights=named)
        reference = cohens_kappa(table, wt=named) if np.isfinite(ours) else None
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)
    if reference is not None and np.isfinite(reference.std_kappa):
        error = float(coefficients.kappa_standard_error(table, weighting))
        assert error == pytest.approx(reference.std_kappa, abs=1e-7)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=25),
    st.sampled_from(list(alpha.Metric)),
)
def test_alpha_equals_the_reference_library(units, metric) -> None:
    """Value 3 stands for a missing rating."""
    matrix = np.array(units, dtype=float)
    matrix[matrix == 3] = np.nan
    counts = np.stack([(matrix == v).sum(1) for v in range(3)], axis=1)
    ours = alpha.alpha(counts, metric)
    paired = counts[counts.sum(1) >= 2]
    if len(paired) == 0 or (paired.sum(0) > 0).sum() < 2:
        assert np.isnan(ours)
        return
    theirs = krippendorff.alpha(
        value_counts=counts, level_of_measurement=str(metric), value_domain=[0, 1, 2]
    )
    assert ours == pytest.approx(theirs, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(tables(), st.sampled_from(list(Weighting)), st.randoms(use_true_random=False))
def test_agreement_does_not_depend_on_who_is_first_or_on_names(table, weighting, rng) -> None:
    straight = coefficients.kappa(table, weighting)
    assert coefficients.kappa(table.T, weighting) == pytest.approx(straight, nan_ok=True, abs=1e-9)
    order = list(range(len(table)))
    rng.shuffle(order)
    renamed = table[np.ix_(order, order)]
    plain = coefficients.kappa(table)
    assert coefficients.kappa(renamed) == pytest.approx(plain, nan_ok=True, abs=1e-9)
    assert coefficients.gwet(table) == pytest.approx(
        coefficients.gwet(renamed), nan_ok=True, abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(tables(2, 2))
def test_with_two_categories_quadratic_kappa_is_kappa(table) -> None:
    plain = coefficients.kappa(table)
    assert coefficients.kappa(table, Weighting.QUADRATIC) == pytest.approx(
        plain, nan_ok=True, abs=1e-9
    )


def test_alpha_of_two_reviewers_tends_to_scotts_pi() -> None:
    table = np.array([[300, 40], [60, 200]]) * 50
    n = table.sum()
    share = (table.sum(0) + table.sum(1)) / (2 * n)
    pi = (np.trace(table) / n - (share**2).sum()) / (1 - (share**2).sum())
    counts = np.repeat(
        [[2, 0], [1, 1], [0, 2]], [table[0, 0], table[0, 1] + table[1, 0], table[1, 1]], axis=0
    )
    assert alpha.alpha(counts) == pytest.approx(pi, abs=1e-4)


def test_an_unused_category_keeps_its_place_on_the_scale() -> None:
    """The trap of reading the scale off the data: places, not ranks among what occurred."""
    wide = np.zeros((6, 6), dtype=int)
    wide[0, 0], wide[3, 3], wide[0, 5], wide[5, 3], wide[5, 5] = 4, 3, 2, 2, 3
    narrow = wide[np.ix_([0, 3, 5], [0, 3, 5])]
    assert coefficients.kappa(wide, Weighting.QUADRATIC) != pytest.approx(
        coefficients.kappa(narrow, Weighting.QUADRATIC)
    )


def test_a_stack_of_tables_is_computed_at_once() -> None:
    rng = np.random.default_rng(1)
    stack = rng.integers(0, 9, size=(7, 11, 4, 4))
    at_once = coefficients.kappa(stack, Weighting.LINEAR)
    assert at_once.shape == (7, 11)
    assert at_once[3, 5] == pytest.approx(float(coefficients.kappa(stack[3, 5], Weighting.LINEAR)))


def test_a_constant_reviewer_has_kappa_zero_and_a_warning() -> None:
    result = coefficients.of_pair([[7, 3], [0, 0]])
    assert result.value == 0
    assert result.ci is not None
    assert result.ci.high > 0.2  # ten items do not show that it is exactly 0
    assert Warn.CONSTANT_RATER in result.warnings


def test_undefined_has_a_reason_and_never_a_number() -> None:
    assert coefficients.of_pair([[0, 0], [0, 0]]).reason == Reason.NO_OVERLAP
    same = coefficients.of_pair([[9, 0], [0, 0]])
    assert (same.value, same.reason) == (None, Reason.NO_VARIATION)
    assert same.percent_agreement == 1
    assert alpha.of_group([[3, 0], [2, 0]]).reason == Reason.NO_VARIATION
    assert alpha.of_group([[1, 0], [0, 1]]).reason == Reason.NO_OVERLAP
    assert alpha.of_group(np.zeros((0, 2))).reason == Reason.NO_RATINGS
    assert continuous.of_pair([], []).reason == Reason.NO_OVERLAP
    assert continuous.of_pair([1, 1], [1, 1]).reason == Reason.NO_VARIATION


def test_the_result_is_json_whatever_happened() -> None:
    import json

    for table in ([[0, 0], [0, 0]], [[9, 0], [0, 0]], [[7, 3], [0, 0]], COHEN_1960, [[4]]):
        json.dumps(coefficients.of_pair(table).as_json(), allow_nan=False)


def test_icc_is_that_of_the_analysis_of_variance_and_sees_bias() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=40)
    y = x + rng.normal(scale=0.4, size=40)
    data = np.stack([x, y], axis=1)
    grand = data.mean()
    rows = 2 * ((data.mean(1) - grand) ** 2).sum() / 39
    columns = 40 * ((data.mean(0) - grand) ** 2).sum()
    rest = (((data - grand) ** 2).sum() - rows * 39 - columns) / 39
    expected = (rows - rest) / (rows + rest + 2 / 40 * (columns - rest))
    found = continuous.of_pair(x, y)
    assert found.value == pytest.approx(expected)
    shifted = continuous.of_pair(x, y + 3)
    assert shifted.value < found.value / 2
    assert shifted.companions["pearson"] == pytest.approx(found.companions["pearson"])
    assert shifted.companions["bias"] == pytest.approx(found.companions["bias"] - 3)


def test_spearman_equals_scipys() -> None:
    from scipy.stats import spearmanr

    x, y = [1, 2, 2, 3, 9, 4], [2, 1, 3, 3, 8, 8]
    assert continuous.of_pair(x, y).companions["spearman"] == pytest.approx(
        spearmanr(x, y).statistic
    )


@pytest.mark.parametrize("bad", [[[1, 2]], [], [[-1, 0], [0, 1]], [[float("nan")]]])
def test_an_invalid_table_is_refused(bad) -> None:
    with pytest.raises(ValueError):
        coefficients.kappa(bad)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (-0.3, "poor"),
        (0, "poor"),
        (0.2, "slight"),
        (0.41, "moderate"),
        (0.61, "substantial"),
        (1, "almost perfect"),
    ],
)
def test_labels_are_landis_and_kochs(value, word) -> None:
    assert verdicts.label(value) == word
