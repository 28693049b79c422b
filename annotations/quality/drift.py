"""Arithmetic: has a reviewer's accuracy, label mix or pace changed against their own reference?

Accuracy is watched by a risk-adjusted CUSUM (Steiner, Cook, Farewell and Treasure, Biostatistics
1(4), 2000): each outcome is compared with the rate this reviewer had on items of its kind (its
stratum, such as the answer of the others), so that a harder mix of items is not a drift. Its
p-value is that of its highest point under no change, by Monte Carlo: the rates are drawn anew each
time from what the reference leaves open (Beta), so a short reference raises no alarm by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM

SHIFT = 0.15
"""The drop in the share of right answers that the CUSUM is tuned to."""
DRAWS = 4_999
"""At most, of one p-value; `draws_for` many series at once it takes more."""
BATCH, ENOUGH = 500, 20
MIN_REFERENCE = 40
MIN_RECENT = 20
Q = 0.05  # of Benjamini and Hochberg
_PRIOR = 10.0  # outcomes at the reviewer's overall rate that each stratum begins with
_EDGE = 0.01  # rates stay this far from 0 and 1

Floats = NDArray[np.float64]


def _alike(rates: Floats) -> tuple[Floats, Floats]:
    """Return what a right and a wrong answer add to the CUSUM, for rates in (0, 1)."""
    kept = np.clip(rates, _EDGE, 1 - _EDGE)
    worse = np.clip(kept - SHIFT, _EDGE / 2, 1)
    return np.log(worse / kept), np.log((1 - worse) / (1 - kept))


def peak(outcomes: Any, rates: Any) -> Floats:
    """Return the highest point of the lower CUSUM along the last axis.

    `outcomes` are booleans in order, (..., n); `rates` the expected shares of right answers in
    [0, 1], broadcast against them. 0 for no outcome.
    """
    right, wrong = _alike(np.asarray(rates, dtype=np.float64))
    steps = np.where(np.asarray(outcomes, dtype=bool), right, wrong)
    # max(0, s + step) at each step is the walk minus its running minimum.
    walk = np.concatenate([np.zeros((*steps.shape[:-1], 1)), steps.cumsum(axis=-1)], axis=-1)
    risen: Floats = (walk - np.minimum.accumulate(walk, axis=-1)).max(axis=-1)
    return risen


def accuracy_p(
    reference: Any,
    reference_strata: Any,
    recent: Any,
    recent_strata: Any,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> float | None:
    """Return the p-value of a fall in accuracy among `recent` outcomes, against `reference`.

    Both are booleans in order of time, with the stratum of each as an integer from 0. None when
    there are fewer than MIN_REFERENCE or MIN_RECENT. The same seed gives the same value.
    """
    before, after = np.asarray(reference, dtype=bool), np.asarray(recent, dtype=bool)
    if before.size < MIN_REFERENCE or after.size < MIN_RECENT:
        return None
    old, new = np.asarray(reference_strata, np.int64), np.asarray(recent_strata, np.int64)
    n_strata = int(max(old.max(), new.max())) + 1
    overall = (before.sum() + 0.5) / (before.size + 1)
    right = np.bincount(old, weights=before, minlength=n_strata) + _PRIOR * overall
    wrong = np.bincount(old, weights=~before, minlength=n_strata) + _PRIOR * (1 - overall)
    rates = (right / (right + wrong))[new]
    return _tail(peak(after, rates), rates, np.stack([right, wrong]), new, seed, draws)


def _tail(
    highest: Floats, rates: Floats, counts: Floats, strata: Any, seed: int, draws: int
) -> float:
    """Return how often no change reaches `highest`: in batches, until 20 do (Besag, Clifford)."""
    rng = np.random.default_rng(seed)
    n_drawn = n_reached = 0
    while n_drawn < draws and n_reached < ENOUGH:
        n = min(BATCH, draws - n_drawn)
        true_rates = rng.beta(counts[0], counts[1], size=(n, counts.shape[1]))[:, strata]
        simulated = peak(rng.random(true_rates.shape) < true_rates, rates)
        n_reached += int(np.count_nonzero(simulated >= highest - 1e-12))
        n_drawn += n
    return (1 + n_reached) / (1 + n_drawn)


def draws_for(n_series: int) -> int:
    """Return the draws with which the least p-value is an alarm among `n_series`, twice over."""
    return max(DRAWS, int(2 * n_series / Q))


def label_mix_p(reference: Any, recent: Any, others_before: Any, others_after: Any) -> float | None:
    """Return the p-value of a change of a reviewer's labels that the others' do not share.

    Each is a row of counts per label. Tested is the interaction of who, when and label in the
    log-linear model of all pairs of them (deviance, chi-square), so that items of another kind,
    which move the labels of all, are no drift. Labels with fewer than 5 expected in a row are
    pooled. None below MIN_REFERENCE or MIN_RECENT of the reviewer, or when one label is left.
    """
    table = np.array([reference, recent, others_before, others_after], dtype=np.float64)
    totals = table.sum(axis=1)
    if totals[0] < MIN_REFERENCE or totals[1] < MIN_RECENT or totals.min() < MIN_RECENT:
        return None
    is_rare = table.sum(axis=0) * totals.min() / totals.sum() < 5
    pooled = np.column_stack([table[:, ~is_rare], table[:, is_rare].sum(axis=1)])
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    k = pooled.shape[1]
    if k < 2:
        return None
    labels = np.tile(np.eye(k), (4, 1))  # one row per cell: (who and when, label)
    who, when = np.repeat([0.0, 0, 1, 1], k)[:, None], np.repeat([0.0, 1, 0, 1], k)[:, None]
    rest = labels[:, 1:]
    design = np.hstack([labels, who, when, who * when, who * rest, when * rest])
    counts = pooled.ravel() + 1e-9  # an empty cell must not stop the fit
    fitted = GLM(counts, design, family=families.Poisson()).fit()
    return float(stats.chi2.sf(fitted.deviance, k - 1))


def pace_p(reference_ms: Any, recent_ms: Any) -> float | None:
    """Return the p-value of reviews becoming faster: one-sided, by Mann and Whitney's U.

    None when there are fewer than MIN_REFERENCE or MIN_RECENT times.
    """
    before, after = np.asarray(reference_ms, np.float64), np.asarray(recent_ms, np.float64)
    if before.size < MIN_REFERENCE or after.size < MIN_RECENT:
        return None
    return float(stats.mannwhitneyu(after, before, alternative="less").pvalue)


def alarms(p_values: Any, q: float = Q) -> NDArray[np.bool_]:
    """Return which p-values are alarms at false discovery rate `q` (Benjamini, Hochberg 1995)."""
    values = np.asarray(p_values, dtype=np.float64)
    if values.size == 0:
        return np.zeros(0, dtype=bool)
    flagged: NDArray[np.bool_] = stats.false_discovery_control(values) <= q
    return flagged
