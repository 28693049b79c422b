"""Arithmetic: kappa of two or more reviewers, each of whom has shares of their own.

Of two reviewers it is Cohen's kappa, of a complete design that of A. J. Conger (1980),
Psychological Bulletin 88(2), 322-328. With missing ratings a pair of reviewers counts as much as
the items that they have in common (an item weighs one, over all pairs that rated it), so that a
reviewer with a single rating hardly moves it. In K. L. Gwet's form every pair weighs the same:
`equally_weighted`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotations.agreement import intervals
from annotations.agreement.coefficients import Weighting, weights
from annotations.agreement.groups import Estimate
from annotations.agreement.results import Counts, Floats

_TINY = 1e-12
_CHUNK = 100_000  # pairs of reviewers whose random items are summed at once, times k * k


@dataclass(frozen=True, slots=True)
class Pairs:
    """Every pair of ratings of one unit, as columns of one length; `weight` sums to 1 per unit."""

    unit: Counts
    first: Counts  # number of the rating
    second: Counts
    weight: Floats


@dataclass(frozen=True, slots=True)
class Design:
    """Ratings of units with two or more, as columns sorted by unit, and their pairs.

    `common[g, h]` is the weight of the units that reviewers g and h have in common, symmetric.
    """

    units: Counts
    reviewers: Counts
    codes: Counts
    k: int
    n_units: int
    pairs: Pairs
    common: Floats

    @property
    def shares(self) -> tuple[Floats, Floats]:
        """Return the shares of each reviewer, (reviewers, k), and the number of their ratings."""
        size = len(self.common)
        cells = np.bincount(self.reviewers * self.k + self.codes, minlength=size * self.k)
        counts = cells.reshape(size, self.k).astype(np.float64)
        n = counts.sum(1)
        return counts / np.maximum(n, 1)[:, None], n


def design(units: Counts, reviewers: Counts, codes: Counts, k: int) -> Design:
    """Return the design of ratings, columns of one length; each (unit, reviewer) once at most.

    Units and reviewers are numbered from 0. Units with one rating are left out. The pairs are as
    many as the ratings times half of the others on the same unit.
    """
    per_unit = np.bincount(units)
    kept = per_unit[units] >= 2
    order = np.argsort(units[kept], kind="stable")
    unit, reviewer, code = (column[kept][order] for column in (units, reviewers, codes))
    firsts, seconds = [], []
    for lag in range(1, int(per_unit.max(initial=0))):
        same = np.flatnonzero(unit[lag:] == unit[:-lag])
        firsts.append(same)
        seconds.append(same + lag)
    first = np.concatenate(firsts) if firsts else np.empty(0, dtype=np.int64)
    second = np.concatenate(seconds) if seconds else np.empty(0, dtype=np.int64)
    n = per_unit[unit[first]]
    pairs = Pairs(unit[first], first, second, 2 / (n * (n - 1)))
    size = int(reviewers.max(initial=-1)) + 1
    cells = reviewer[first] * size + reviewer[second]
    weighed = np.bincount(cells, pairs.weight, minlength=size * size).astype(np.float64)
    common = weighed.reshape(size, size)
    n_units = int((per_unit >= 2).sum())
    return Design(unit, reviewer, code, k, n_units, pairs, common + common.T)


@dataclass(frozen=True, slots=True)
class _Chance:
    """What the shares of the reviewers give by chance, and how a rating moves it."""

    disagreement: Floats  # (reviewers, reviewers): 1 - expected agreement
    moves: Floats  # (reviewers, k): how a rating of k by a reviewer moves the summed expectation
    expected: float  # summed disagreement over all units


def _chance(shares: Floats, n: Floats, common: Floats, weight: Floats) -> _Chance:
    disagreement = 1 - shares @ weight @ shares.T
    slope = common @ shares @ weight / np.maximum(n, _TINY)[:, None]
    moves = slope - (slope * shares).sum(1, keepdims=True)
    return _Chance(disagreement, moves, float((common * disagreement).sum()) / 2)


def conger(data: Design, weighting: Weighting = Weighting.UNWEIGHTED) -> Estimate:
    """Return kappa of all reviewers together, in [-1, 1], with its error and interval.

    nan where undefined: no unit with two ratings, or no disagreement by chance.
    """
    weight = weights(data.k, weighting)
    pairs = data.pairs
    apart = pairs.weight * (1 - weight[data.codes[pairs.first], data.codes[pairs.second]])
    observed: Floats = np.bincount(pairs.unit, apart).astype(np.float64)
    shares, n = data.shares
    chance = _chance(shares, n, data.common, weight)
    if data.n_units == 0 or chance.expected / data.n_units <= _TINY:
        return Estimate(float("nan"), float("nan"), None)
    value = 1 - float(observed.sum()) / chance.expected
    if (shares.max(1) == 1).sum() >= len(shares) - 1 and len(shares) == 2:
        value = 0.0  # one answers always the same: exactly as chance, not 1e-17
    influence = _influence(data, observed, chance, value, data.n_units)
    se = float(np.sqrt((influence**2).sum())) / data.n_units

    added = intervals.PRIOR_ITEMS
    common = data.common * (1 + added / data.n_units)
    more = data.common.sum(1) * added / data.n_units
    padded = (shares * n[:, None] + more[:, None] / data.k) / np.maximum(n + more, _TINY)[:, None]
    chance = _chance(padded, n + more, common, weight)
    total = data.n_units + added
    centre = 1 - (float(observed.sum()) + added * float(1 - weight.mean())) / chance.expected
    influence = _influence(data, observed, chance, centre, total)
    squares = float((influence**2).sum()) + _of_random_items(data, chance, centre, weight)
    return Estimate(value, se, intervals.around(value, centre, np.sqrt(squares) / total))


def _influence(
    data: Design, observed: Floats, chance: _Chance, value: float, total: float
) -> Floats:
    """Return the influence of each unit on the coefficient, by the number of the unit."""
    pairs = data.pairs
    first, second = data.reviewers[pairs.first], data.reviewers[pairs.second]
    expected = np.bincount(pairs.unit, pairs.weight * chance.disagreement[first, second])
    expected -= np.bincount(data.units, chance.moves[data.reviewers, data.codes])
    influence: Floats = -(observed - (1 - value) * expected) * total / chance.expected
    return influence


def _of_random_items(data: Design, chance: _Chance, centre: float, weight: Floats) -> float:
    """Return the summed squares of the influence of the items that are added at random."""
    total = data.n_units + intervals.PRIOR_ITEMS
    first, second = np.nonzero(np.triu(data.common, 1))
    summed = 0.0
    step = max(_CHUNK // data.k**2, 1)
    for start in range(0, len(first), step):
        g, h = first[start : start + step], second[start : start + step]
        moved = chance.moves[g][:, :, None] + chance.moves[h][:, None, :]
        expected = chance.disagreement[g, h][:, None, None] - moved
        influence = ((1 - weight) - (1 - centre) * expected) * total / chance.expected
        times = data.common[g, h] * intervals.PRIOR_ITEMS / data.n_units
        summed += float(times @ (influence**2).mean(axis=(1, 2)))
    return summed


def equally_weighted(
    counts: Floats, by_reviewer: Floats, weighting: Weighting = Weighting.UNWEIGHTED
) -> float:
    """Return Conger's kappa as K. L. Gwet (2014) extends it to missing ratings.

    counts (units, k) as in `groups`, by_reviewer (reviewers, k): all ratings of each reviewer.
    """
    weight = weights(counts.shape[1], weighting)
    paired = counts[counts.sum(1) >= 2]
    n = paired.sum(1)
    observed = float(((paired * (paired @ weight - 1)).sum(1) / (n * (n - 1))).mean())
    shares = by_reviewer / by_reviewer.sum(1, keepdims=True)
    size = len(shares)
    each = shares @ weight @ shares.T
    expected = float((each.sum() - np.trace(each)) / (size * (size - 1)))
    return (observed - expected) / (1 - expected)
