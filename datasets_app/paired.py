"""Arithmetic: two experiments compared on the same examples. No Django, no clock, no database.

Scores are one number per example: the mean over its repetitions, so that thirty runs of one example
count as one. An example without a score is nan; a pair is an example with a score on both sides.
`scipy.stats` takes half a second to import, so the functions that need it import it themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[Any]

LEVEL = 0.95
ALPHA = 0.05
FLIPS = 9_999  # random sign patterns, where enumerating all is too many
DRAWS = 2_000  # bootstrap samples
EXACT = 20  # differences up to which every sign pattern is enumerated
MIN_PAIRS = 6  # with fewer, no sign-flip test can reach p < .05
_FEW_DISTINCT = 64
_CHUNK = 4_000_000  # numbers drawn at once
_SLACK = 1e-12  # relative: sums that differ by rounding are equal


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The difference candidate - baseline under one key, over `n` pairs, in units of the score.

    `test` is `mcnemar` or `sign_flip`; p-values are two-sided. `interval` is Student's t, None
    when fewer than two pairs or no two differences differ. An example has improved when its score
    moved in the better direction. `n_groups` is None unless examples were grouped.
    """

    n: int
    n_only_baseline: int
    n_only_candidate: int
    n_improved: int
    n_regressed: int
    baseline_mean: float | None = None
    candidate_mean: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    bootstrap: Interval | None = None
    test: str = "sign_flip"
    p_value: float | None = None
    mid_p: float | None = None
    wilcoxon_p: float | None = None
    n_groups: int | None = None
    is_lower_better: bool = False

    @property
    def n_same(self) -> int:
        return self.n - self.n_improved - self.n_regressed


def compare(
    baseline: Floats,
    candidate: Floats,
    *,
    is_lower_better: bool = False,
    groups: Labels | None = None,
    seed: int = 0,
) -> Paired:
    """Return the paired comparison of two vectors of scores, both of shape (n_examples,).

    nan is "no score". `groups` (same shape) names the conversation or other cluster of each
    example: intervals and the test then treat a group as the unit that varies. The same seed gives
    the same result. Raises ValueError when the shapes differ.
    """
    if baseline.shape != candidate.shape or (groups is not None and groups.shape != baseline.shape):
        raise ValueError("baseline, candidate and groups must have one entry per example")
    has_baseline, has_candidate = ~np.isnan(baseline), ~np.isnan(candidate)
    is_pair = has_baseline & has_candidate
    left, right = baseline[is_pair], candidate[is_pair]
    of_pairs = None if groups is None else groups[is_pair]
    differences = right - left
    n_up, n_down = int((differences > 0).sum()), int((differences < 0).sum())
    counts: dict[str, Any] = {
        "n": int(is_pair.sum()),
        "n_only_baseline": int((has_baseline & ~has_candidate).sum()),
        "n_only_candidate": int((has_candidate & ~has_baseline).sum()),
        "n_improved": n_down if is_lower_better else n_up,
        "n_regressed": n_up if is_lower_better else n_down,
    }
    if not counts["n"]:
        return Paired(**counts, is_lower_better=is_lower_better)
    rng = np.random.default_rng(seed)
    is_binary = of_pairs is None and np.unique(np.concatenate([left, right])).size <= 2
    exact_p, mid_p = mcnemar(n_up, n_down) if is_binary else (None, None)
    return Paired(
        **counts,
        baseline_mean=float(left.mean()),
        candidate_mean=float(right.mean()),
        difference=float(differences.mean()),
        interval=t_interval(differences, groups=of_pairs),
        bootstrap=bootstrap_interval(differences, rng=rng, groups=of_pairs),
        test="mcnemar" if is_binary else "sign_flip",
        p_value=exact_p if is_binary else sign_flip(differences, rng=rng, groups=of_pairs),
        mid_p=mid_p,
        wilcoxon_p=wilcoxon(differences) if of_pairs is None else None,
        n_groups=None if of_pairs is None else int(np.unique(of_pairs).size),
        is_lower_better=is_lower_better,
    )


# Intervals --------------------------------------------------------------------------------------


def _by_group(differences: Floats, groups: Labels | None) -> tuple[Floats, Floats]:
    """Return the sum of the differences and the number of pairs of each group."""
    if groups is None:
        return differences, np.ones_like(differences)
    _, places = np.unique(groups, return_inverse=True)
    sums: Floats = np.bincount(places, weights=differences).astype(np.float64)
    return sums, np.bincount(places).astype(np.float64)


def standard_error(differences: Floats, *, groups: Labels | None = None) -> tuple[float, int]:
    """Return the standard error of the mean difference and its degrees of freedom.

    With `groups`, the cluster-robust error (CR1) on G - 1 degrees of freedom: what statsmodels
    gives for `OLS(d, 1).fit(cov_type="cluster", use_t=True)`. nan with fewer than two units.
    Source: Liang and Zeger (1986), Biometrika 73(1), 13-22.
    """
    sums, sizes = _by_group(differences, groups)
    n_units = sums.size
    if n_units < 2:
        return float("nan"), 0
    residuals = sums - sizes * differences.mean()
    variance = n_units / (n_units - 1) * float(residuals @ residuals) / differences.size**2
    return variance**0.5, n_units - 1


def t_interval(
    differences: Floats, *, groups: Labels | None = None, level: float = LEVEL
) -> Interval | None:
    """Return Student's t interval of the mean difference, shape of `differences` (n_pairs,).

    None with fewer than two units, or when all differ by the same amount: then no interval exists.
    """
    from scipy import special

    error, freedom = standard_error(differences, groups=groups)
    center = float(differences.mean()) if differences.size else 0.0
    if freedom == 0 or not error > _SLACK * max(1e-300, float(np.abs(differences).max())):
        return None
    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    return Interval(center - reach, center + reach)


def bootstrap_interval(
    differences: Floats,
    *,
    rng: np.random.Generator,
    groups: Labels | None = None,
    level: float = LEVEL,
) -> Interval | None:
    """Return the percentile bootstrap interval of the mean difference, from DRAWS samples.

    Examples are resampled, or whole groups. The percentile method, because BCa (scipy's default)
    covers the truth too rarely on small discrete data. None without differences.
    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    sums, sizes = _by_group(differences, groups)
    if not sums.size:
        return None
    units, counts = np.unique(np.column_stack([sums, sizes]), axis=0, return_counts=True)
    if len(units) <= _FEW_DISTINCT:
        drawn = rng.multinomial(sums.size, counts / sums.size, size=DRAWS) @ units
        means = drawn[:, 0] / drawn[:, 1]
    else:
        means = np.empty(DRAWS)
        step = max(1, _CHUNK // sums.size)
        for start in range(0, DRAWS, step):
            shape = (min(step, DRAWS - start), sums.size)
            chosen = rng.integers(0, sums.size, size=shape)
            means[start : start + step] = sums[chosen].sum(1) / sizes[chosen].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


# Tests ------------------------------------------------------------------------------------------


def mcnemar(n_up: int, n_down: int) -> tuple[float, float]:
    """Return McNemar's exact two-sided p and mid-p from the two counts of discordant pairs.

    Both are 1 without a discordant pair. Source: Fagerland, Lydersen and Laake (2013), BMC Medical
    Research Methodology 13:91.
    """
    from scipy import special

    n, least = n_up + n_down, min(n_up, n_down)
    if not n:
        return 1.0, 1.0
    tail = float(special.bdtr(least, n, 0.5))
    at_least = tail - (float(special.bdtr(least - 1, n, 0.5)) if least else 0.0)
    exact = min(1.0, 2 * tail)
    return exact, exact - at_least


def sign_flip(
    differences: Floats, *, rng: np.random.Generator, groups: Labels | None = None
) -> float:
    """Return the two-sided p of the sign-flip permutation test of a mean difference of zero.

    Every sign pattern up to EXACT differences that are not zero, else FLIPS random ones, where the
    observed pattern counts as one more. The differences of a group change sign together.
    Source: Fisher (1935), The Design of Experiments, section 21; Phipson and Smyth (2010).
    """
    sums, _ = _by_group(differences, groups)
    moved = sums[sums != 0]
    magnitudes = np.abs(moved)
    if not moved.size:
        return 1.0
    least = abs(float(moved.sum())) - _SLACK * float(magnitudes.sum())
    if moved.size <= EXACT:
        totals = np.zeros(1)
        for magnitude in magnitudes:
            totals = np.concatenate([totals + magnitude, totals - magnitude])
        return float((np.abs(totals) >= least).mean())
    n_extreme = int((np.abs(_flipped(magnitudes, rng)) >= least).sum())
    return (n_extreme + 1) / (FLIPS + 1)


def _flipped(magnitudes: Floats, rng: np.random.Generator) -> Floats:
    """Return FLIPS sums of `magnitudes` with random signs."""
    distinct, counts = np.unique(magnitudes, return_counts=True)
    if distinct.size <= _FEW_DISTINCT:  # of m equal ones only the number of pluses matters
        pluses = rng.binomial(counts, 0.5, size=(FLIPS, distinct.size))
        few: Floats = (2 * pluses - counts) @ distinct
        return few
    totals = np.empty(FLIPS)
    step = max(1, _CHUNK // magnitudes.size)
    for start in range(0, FLIPS, step):
        n = min(step, FLIPS - start)
        packed = np.frombuffer(rng.bytes((n * magnitudes.size + 7) // 8), dtype=np.uint8)
        signs = np.unpackbits(packed, count=n * magnitudes.size).reshape(n, magnitudes.size)
        totals[start : start + n] = 2 * (signs @ magnitudes) - magnitudes.sum()
    return totals


def wilcoxon(differences: Floats) -> float | None:
    """Return the two-sided p of Wilcoxon's signed-rank test; None when no difference is left.

    scipy's `wilcoxon`, without the zero differences. Source: Wilcoxon (1945), Biometrics 1(6).
    """
    from scipy import stats

    moved = differences[differences != 0]
    return float(stats.wilcoxon(moved).pvalue) if moved.size else None


def holm(p_values: list[float]) -> list[float]:
    """Return the p-values adjusted for their number, in their order.

    Source: Holm (1979), Scandinavian Journal of Statistics 6(2), 65-70.
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


# Words --------------------------------------------------------------------------------


def word(paired: Paired, p_value: float | None) -> str:
    """Return IMPROVED, REGRESSED, NEUTRAL or insufficient_data, by the (adjusted) p-value."""
    if paired.n < MIN_PAIRS or p_value is None or paired.difference is None:
        return "insufficient_data"
    if p_value >= ALPHA or not paired.difference:
        return "NEUTRAL"
    return "IMPROVED" if (paired.difference < 0) == paired.is_lower_better else "REGRESSED"
