"""Arithmetic: chance-corrected coefficients of any number of reviewers, with missing ratings.

What is counted per unit (an item on a key) is how many reviewers gave each category: counts
(units, k). Coefficients differ in what they take for agreement by chance:

- Fleiss: the shares of the categories over all reviewers. J. L. Fleiss (1971), Psychological
  Bulletin 76(5), 378-382. Of two reviewers it is Scott's pi (1955).
- AC1, weighted AC2: K. L. Gwet (2008), British J. of Math. and Stat. Psychology 61(1), 29-48.
- Brennan-Prediger: every category equally often (1981), Educ. and Psych. Measurement 41, 687-699.
- Conger: each reviewer has shares of their own: see `conger`.

Missing ratings, weights and standard errors are as in K. L. Gwet (2014), Handbook of Inter-Rater
Reliability, 4th ed.: agreement is over units with two ratings or more, shares over all units. Fewer
than two units with two ratings have no standard error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from annotations.agreement import intervals
from annotations.agreement.coefficients import Weighting, weights
from annotations.agreement.results import Counts, Floats, Interval

_TINY = 1e-12


class Chance(StrEnum):
    """What a coefficient takes for agreement by chance."""

    FLEISS = "fleiss_kappa"
    GWET = "gwet_ac1"
    UNIFORM = "brennan_prediger"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A coefficient of a group, nan where undefined, its large-sample error and its interval."""

    value: float
    se: float
    interval: Interval | None


def checked(counts: Any) -> Floats:
    """Return counts (units, k) as floats. Raises ValueError for another shape or a negative."""
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0 or (table < 0).any() or not np.isfinite(table).all():
        raise ValueError(f"counts must be (units, k), finite and not negative, not {table.shape}")
    return table


def patterns(counts: Floats) -> tuple[Floats, Counts]:
    """Return the distinct rows of counts and how often each occurs, rows without a rating left out.

    333,334 units of 3 ratings in 5 categories are 35 patterns: everything after is small.
    """
    rated = counts[counts.sum(1) > 0]
    k = counts.shape[1]
    base = int(rated.max(initial=0)) + 1
    if base**k < 2**53:  # one number per unit sorts ten times faster than a row
        codes = (rated @ float(base) ** np.arange(k)).astype(np.int64)
        _, first, multiplicity = np.unique(codes, return_index=True, return_counts=True)
        return rated[first], multiplicity.astype(np.int64)
    distinct, multiplicity = np.unique(rated, axis=0, return_counts=True)
    return distinct, multiplicity.astype(np.int64)


def agreement(counts: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> float:
    """Return the mean over units of the share of agreeing pairs, in [0, 1]; nan without a pair."""
    table = checked(counts)
    rows, multiplicity = patterns(table)
    times = np.where(rows.sum(1) >= 2, multiplicity, 0)
    if times.sum() == 0:
        return float("nan")
    return float(times @ _agreeing(rows, weights(table.shape[1], weighting)) / times.sum())


def _agreeing(counts: Floats, weight: Floats) -> Floats:
    """Return the share of agreeing pairs of each row; 0 for a row with fewer than two ratings."""
    n = counts.sum(1)
    agreeing = (counts * (counts @ weight - 1)).sum(1)
    share: Floats = np.divide(agreeing, n * (n - 1), out=np.zeros_like(n), where=n >= 2)
    return share


def _scores(
    rows: Floats, times: Floats, chance: Chance, weight: Floats
) -> tuple[float, Floats, float]:
    """Return the coefficient, the score of each row (their mean is the coefficient), and units."""
    k = rows.shape[1]
    n, n_paired = float(times.sum()), float(times[rows.sum(1) >= 2].sum())
    within = rows / rows.sum(1, keepdims=True)
    share = times @ within / n
    agreeing = _agreeing(rows, weight)
    if chance == Chance.FLEISS:
        by_chance = (weight + weight.T) @ share / 2
        expected, of_row = float(share @ weight @ share), within @ by_chance
    elif chance == Chance.GWET:
        scale = weight.sum() / (k * (k - 1)) if k > 1 else np.nan
        expected, of_row = float(scale * (share @ (1 - share))), scale * (within @ (1 - share))
    else:
        expected = float(weight.sum()) / k**2
        of_row = np.full(len(rows), expected)
    if n_paired == 0 or not 1 - expected > _TINY:
        return float("nan"), np.zeros(len(rows)), n
    observed = float(times @ agreeing) / n_paired
    value = (observed - expected) / (1 - expected)
    own = n / n_paired * (agreeing - expected * (rows.sum(1) >= 2)) / (1 - expected)
    return value, own - 2 * (1 - value) * (of_row - expected) / (1 - expected), n


def random_rows(k: int) -> Floats:
    """Return the counts of every pair of answers in k categories, (k * k, k)."""
    each = np.eye(k)
    return (each[:, None, :] + each[None, :, :]).reshape(k * k, k)


def coefficient(
    counts: Any, chance: Chance, weighting: Weighting = Weighting.UNWEIGHTED
) -> Estimate:
    """Return a coefficient of counts (units, k) of any number of reviewers.

    nan where undefined: no unit with two ratings, or only one category used (Fleiss).
    """
    table = checked(counts)
    k = table.shape[1]
    weight = weights(k, weighting)
    rows, multiplicity = patterns(table)
    times = multiplicity.astype(np.float64)
    if len(rows) == 0:
        return Estimate(float("nan"), float("nan"), None)
    value, scores, n = _scores(rows, times, chance, weight)
    if np.isnan(value):
        return Estimate(value, float("nan"), None)
    se = np.sqrt(times @ (scores - value) ** 2 / (n * (n - 1))) if n > 1 else np.nan
    added = np.full(k * k, intervals.PRIOR_ITEMS / k**2)
    padded = np.concatenate([times, added])
    centre, scores, n = _scores(np.vstack([rows, random_rows(k)]), padded, chance, weight)
    spread = float(np.sqrt(padded @ (scores - centre) ** 2)) / n
    # Of few ratings with gaps the estimate may fall below every value the coefficient can have.
    value = max(value, -1.0)
    return Estimate(value, float(se), intervals.around(value, centre, spread))


def of_category(counts: Any, category: int) -> Estimate:
    """Return Fleiss's kappa of one category against all others."""
    table = checked(counts)
    chosen = table[:, category]
    return coefficient(np.stack([chosen, table.sum(1) - chosen], axis=1), Chance.FLEISS)


def specific_agreement(counts: Any) -> Floats:
    """Return per category how often another reviewer agrees with one who chose it, nan for none.

    With two reviewers and two categories these are positive and negative agreement.
    Source: J. Uebersax (1982), Educational and Psychological Measurement 42(1), 181-183.
    """
    table = checked(counts)
    others = table.sum(1, keepdims=True) - 1
    same, possible = (table * (table - 1)).sum(0), (table * others).sum(0)
    nothing = np.full(table.shape[1], np.nan)
    share: Floats = np.divide(same, possible, out=nothing, where=possible > 0)
    return share
