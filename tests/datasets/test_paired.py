"""Paired comparison: equal to scipy and statsmodels, and calm when nothing differs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from datasets_app import paired

NAN = float("nan")


def scores(*values) -> np.ndarray:
    return np.array(values, dtype=float)


def close(value, other, **tolerance) -> bool:
    return value == pytest.approx(other, **tolerance)


def test_only_examples_with_both_scores_are_pairs() -> None:
    result = paired.compare(scores(1, 0, NAN, 1, NAN), scores(1, 1, 1, NAN, NAN))
    assert (result.n, result.n_only_baseline, result.n_only_candidate) == (2, 1, 1)
    assert (result.n_improved, result.n_regressed, result.n_same) == (1, 0, 1)
    assert (result.baseline_mean, result.candidate_mean, result.difference) == (0.5, 1.0, 0.5)


def test_one_discordant_example_of_twenty_is_no_difference() -> None:
    baseline = scores(*[1] * 10, *[0] * 10)
    candidate = scores(*[1] * 11, *[0] * 9)
    result = paired.compare(baseline, candidate)
    assert (result.test, result.p_value) == ("mcnemar", 1.0)
    assert paired.word(result, result.p_value) == "NEUTRAL"


def test_lower_may_be_better() -> None:
    slow, fast = scores(*np.linspace(2, 3, 12)), scores(*np.linspace(1, 2, 12))
    result = paired.compare(slow, fast, is_lower_better=True)
    assert (result.n_improved, result.n_regressed) == (12, 0)
    assert paired.word(result, result.p_value) == "IMPROVED"
    assert paired.word(paired.compare(slow, fast), result.p_value) == "REGRESSED"


@pytest.mark.parametrize("n", [2, 3, 20, 50, 400])
def test_the_interval_is_scipys(n) -> None:
    rng = np.random.default_rng(n)
    baseline, candidate = rng.normal(size=n), rng.normal(0.3, size=n)
    ours = paired.compare(baseline, candidate).interval
    theirs = stats.ttest_rel(candidate, baseline).confidence_interval(0.95)
    assert close(tuple(ours), tuple(theirs))


def test_no_interval_is_invented_where_all_examples_differ_by_the_same() -> None:
    assert paired.compare(scores(1, 2, 3), scores(2, 3, 4)).interval is None
    assert paired.compare(scores(1), scores(2)).interval is None
    assert paired.compare(scores(NAN), scores(2)).difference is None


def test_the_interval_of_grouped_examples_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 30, 200)
    differences = rng.normal(0.1, 1, 200) + rng.normal(0, 1, 30)[groups]
    model = OLS(differences, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    error, freedom = paired.standard_error(differences, groups=groups)
    assert close(error, model.bse[0])
    low, high = paired.t_interval(differences, groups=groups)
    assert close((low, high), tuple(model.conf_int()[0]))
    alone, _ = paired.standard_error(differences)
    assert freedom == np.unique(groups).size - 1
    assert error > alone


@given(up=st.integers(0, 60), down=st.integers(0, 60))
def test_mcnemar_is_that_of_statsmodels(up, down) -> None:
    exact, mid_p = paired.mcnemar(up, down)
    table = [[5, down], [up, 7]]
    assert close(exact, reference_mcnemar(table, exact=True).pvalue, abs=1e-12)
    n, k = up + down, min(up, down)
    if n:
        assert close(mid_p, min(1.0, 2 * stats.binom.cdf(k, n, 0.5)) - stats.binom.pmf(k, n, 0.5))


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=12))
def test_the_exact_sign_flip_test_is_scipys(values) -> None:
    differences = scores(*values)
    ours = paired.sign_flip(differences, rng=np.random.default_rng(0))
    theirs = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="two-sided",
    ).pvalue
    assert close(ours, theirs, abs=1e-9)


@pytest.mark.parametrize("step", [None, 0.5])
def test_random_sign_flips_come_close_to_the_exact_test(step) -> None:
    rng = np.random.default_rng(11)
    differences = rng.normal(0.25, 1, 100)
    if step:
        differences = np.round(differences / step) * step
    ours = paired.sign_flip(differences, rng=rng)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=3
    ).pvalue
    assert close(ours, theirs, abs=0.015)


def test_examples_of_a_group_change_sign_together() -> None:
    differences, groups = np.ones(30), np.repeat(np.arange(5), 6)
    assert paired.sign_flip(differences, rng=np.random.default_rng(0), groups=groups) == 2 / 2**5
    grouped = paired.compare(np.zeros(30), differences, groups=groups)
    assert (grouped.n, grouped.n_groups, grouped.test) == (30, 5, "sign_flip")


def test_wilcoxon_is_shown_as_scipy_has_it() -> None:
    differences = np.random.default_rng(2).normal(0.2, 1, 40)
    result = paired.compare(np.zeros(40), differences)
    assert close(result.wilcoxon_p, stats.wilcoxon(differences).pvalue)
    assert paired.wilcoxon(np.zeros(4)) is None


@pytest.mark.parametrize("is_discrete", [True, False])
def test_the_bootstrap_comes_close_to_scipys_percentile_method(is_discrete) -> None:
    rng = np.random.default_rng(8)
    differences = rng.normal(0.2, 1, 120)
    if is_discrete:
        differences = np.round(differences)
    ours = paired.bootstrap_interval(differences, rng=rng)
    theirs = stats.bootstrap(
        (differences,), np.mean, method="percentile", n_resamples=9_999, rng=1
    ).confidence_interval
    assert close(tuple(ours), tuple(theirs), abs=0.03)


def test_groups_widen_the_bootstrap() -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(20), 10)
    differences = rng.normal(0, 1, 20)[groups] + rng.normal(0, 0.1, 200)
    alone = paired.bootstrap_interval(differences, rng=rng)
    grouped = paired.bootstrap_interval(differences, rng=rng, groups=groups)
    assert (grouped.high - grouped.low) > 2 * (alone.high - alone.low)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values) -> None:
    assert close(paired.holm(p_values), list(multipletests(p_values, method="holm")[1]))


def test_the_same_seed_gives_the_same_figures() -> None:
    rng = np.random.default_rng(6)
    baseline, candidate = rng.normal(size=300), rng.normal(size=300)
    first = paired.compare(baseline, candidate, seed=9)
    assert first == paired.compare(baseline, candidate, seed=9)
    assert first.p_value != paired.compare(baseline, candidate, seed=10).p_value


@pytest.mark.parametrize("kind", ["binary", "mean of three", "continuous"])
@pytest.mark.parametrize("n", [20, 100])
def test_without_a_true_difference_false_alarms_stay_at_five_percent(kind, n) -> None:
    rng = np.random.default_rng(n)
    n_alarms, n_covered, rounds = 0, 0, 400
    for _ in range(rounds):
        chance = rng.beta(4, 1, n)
        if kind == "continuous":
            left, right = rng.normal(chance, 1), rng.normal(chance, 1)
        else:
            trials = 1 if kind == "binary" else 3
            left, right = (rng.binomial(trials, chance) / trials for _ in range(2))
        differences = right - left
        if kind == "binary":
            p_value, _ = paired.mcnemar(int((differences > 0).sum()), int((differences < 0).sum()))
        else:
            p_value = paired.sign_flip(differences, rng=rng)
        n_alarms += p_value < 0.05
        interval = paired.t_interval(differences)
        n_covered += interval is None or interval.low <= 0 <= interval.high
    assert n_alarms / rounds <= 0.08  # 5 %, and three standard errors of 400 rounds
    assert n_covered / rounds >= 0.92
