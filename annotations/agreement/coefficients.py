"""Arithmetic: how far reviewers agree. Chance-corrected coefficients, intervals, warnings.

Everything here is numpy on tables of counts. No Django, no clock, no database. A table of a
pair is (k, k): rows are the first reviewer's categories in the order the rubric declares them,
columns the second's. Stacks of tables are (..., k, k) and are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LEVEL = 0.90  # two-sided: either end alone is a one-sided 95 % bound
Z = 1.6448536269514722  # standard normal quantile at .95
DRAWS = 2000
PRIOR_ITEMS = 2.0  # number of randomly rated items added before drawing
MAX_RESAMPLED = 2000  # distinct units; above, a jackknife gives the same at the cost of one pass
_TINY = 1e-12

MIN_MARGINAL = 5
FEW_ITEMS, WIDE_HALF_WIDTH = 50, 0.15


class Weighting(StrEnum):
    """How much a disagreement of |i - j| places counts as agreement."""

    UNWEIGHTED = "unweighted"
    LINEAR = "linear"  # 1 - |i-j| / (k-1)
    QUADRATIC = "quadratic"  # 1 - (i-j)^2 / (k-1)^2


class Reason(StrEnum):
    """Why a coefficient has no value."""

    NO_RATINGS = "no_ratings"
    SINGLE_RATER = "single_rater"
    NO_OVERLAP = "no_overlap"
    NO_VARIATION = "no_variation"
    UNSUPPORTED_SCALE = "unsupported_scale"


class Warn(StrEnum):
    """What a reader must know before trusting a value."""

    FEW_ITEMS = "few_items"
    FEW_PER_CATEGORY = "few_per_category"
    SKEWED_PREVALENCE = "skewed_prevalence"
    RATER_BIAS = "rater_bias"
    CONSTANT_RATER = "constant_rater"
    WIDE_CI = "wide_ci"
    LOW_COVERAGE = "low_coverage"
    NON_BLIND_EXCLUDED = "non_blind_excluded"
    INVALID_VALUES = "invalid_values"


@dataclass(frozen=True, slots=True)
class Interval:
    """The interval of a coefficient at `level`. A gate compares its ends, and no other bound."""

    low: float
    high: float
    method: str  # posterior | jackknife
    level: float = LEVEL
    seed: int | None = None

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Agreement:
    """One coefficient with everything needed to read it. The same shape everywhere.

    `value` is None exactly when `reason` says why; it is never nan. Shares are in [0, 1],
    coefficients in [-1, 1]. `companions` holds what must be shown beside the value.
    """

    statistic: str
    value: float | None = None
    reason: Reason | None = None
    n_items: int = 0
    n_ratings: int = 0
    n_overlap: int = 0
    ci: Interval | None = None
    se: float | None = None
    percent_agreement: float | None = None
    companions: dict[str, float | None] = field(default_factory=dict)
    warnings: tuple[Warn, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    data_version: str = ""
    computed_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        plain = asdict(self)
        plain["warnings"] = [str(code) for code in self.warnings]
        plain["reason"] = str(self.reason) if self.reason else None
        plain["computed_at"] = self.computed_at.isoformat() if self.computed_at else None
        return plain


def weights(k: int, weighting: Weighting = Weighting.UNWEIGHTED) -> Floats:
    """Return the (k, k) agreement weights in [0, 1], 1 on the diagonal; k >= 1.

    Source: J. Cohen (1968), Psychological Bulletin 70(4), 213-220.
    """
    if weighting == Weighting.UNWEIGHTED or k == 1:
        return np.eye(k)
    position = np.arange(k, dtype=np.float64)
    apart = np.abs(position[:, None] - position[None, :]) / (k - 1)
    return 1 - (apart if weighting == Weighting.LINEAR else apart**2)


def _checked(tables: Any) -> Floats:
    counts = np.asarray(tables, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2] or counts.shape[-1] == 0:
        raise ValueError(f"tables must be (..., k, k) with k >= 1, not {counts.shape}")
    if (counts < 0).any() or not np.isfinite(counts).all():
        raise ValueError("tables must hold counts: finite and not negative")
    return counts


@dataclass(frozen=True, slots=True)
class _Shares:
    """The proportions in kappa; each has the shape of the stack, plus its own axes."""

    n: Floats
    joint: Floats
    first: Floats  # (..., k) row marginal
    second: Floats  # (..., k) column marginal
    observed: Floats
    expected: Floats


def _shares(counts: Floats, weight: Floats) -> _Shares:
    n = counts.sum(axis=(-2, -1))
    joint = counts / np.where(n > 0, n, np.nan)[..., None, None]
    first, second = joint.sum(axis=-1), joint.sum(axis=-2)
    observed = (weight * joint).sum(axis=(-2, -1))
    expected = ((first @ weight) * second).sum(axis=-1)
    return _Shares(n, joint, first, second, observed, expected)


def _kappa(shares: _Shares) -> Floats:
    rest = 1 - shares.expected
    defined = rest > _TINY
    value = (shares.observed - shares.expected) / np.where(defined, rest, np.nan)
    # A reviewer with a single category agrees exactly as chance would: 0, not 1e-17.
    constant = ((shares.first > 0).sum(-1) == 1) | ((shares.second > 0).sum(-1) == 1)
    return np.where(defined & constant, 0.0, value)


def kappa(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> Floats:
    """Return Cohen's kappa of each (k, k) table of a stack, dimensionless in [-1, 1].

    Weights go by the place on the declared scale, so an unused category still counts as a
    place. nan where undefined: an empty table, or both reviewers used one and the same
    category (1 - pe < 1e-12). Exactly 0 when one reviewer used a single category.
    Raises ValueError when the tables are not square, empty (k = 0) or hold a negative count.
    Source: J. Cohen (1960), Educational and Psychological Measurement 20(1), 37-46.
    """
    counts = _checked(tables)
    return _kappa(_shares(counts, weights(counts.shape[-1], weighting)))


def kappa_standard_error(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> Floats:
    """Return the large-sample standard error of kappa of each table, >= 0; nan as `kappa` is.

    It is 0 at perfect agreement, where `interval` is not.
    Source: J. L. Fleiss, J. Cohen, B. S. Everitt (1969), Psychological Bulletin 72(5), 323-327.
    """
    counts = _checked(tables)
    weight = weights(counts.shape[-1], weighting)
    shares = _shares(counts, weight)
    rest = np.where(1 - shares.expected > _TINY, 1 - shares.expected, np.nan)
    by_row = np.einsum("ij,...j->...i", weight, shares.second)
    by_column = np.einsum("ij,...i->...j", weight, shares.first)
    chance = by_row[..., :, None] + by_column[..., None, :]
    inner = weight * rest[..., None, None] - chance * (1 - shares.observed)[..., None, None]
    spread = (shares.joint * inner**2).sum(axis=(-2, -1))
    centre = shares.observed * shares.expected - 2 * shares.expected + shares.observed
    variance = (spread - centre**2) / (shares.n * rest**4)
    error: Floats = np.sqrt(np.maximum(variance, 0))
    return error


def gwet(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> Floats:
    """Return AC1 (AC2 when weighted) of each table: stable when one category is rare.

    nan for an empty table and for k = 1.
    Source: K. L. Gwet (2008), British J. of Math. and Stat. Psychology 61(1), 29-48.
    """
    counts = _checked(tables)
    k = counts.shape[-1]
    weight = weights(k, weighting)
    shares = _shares(counts, weight)
    if k == 1:
        return np.full(shares.n.shape, np.nan)
    share = (shares.first + shares.second) / 2
    expected = weight.sum() / (k * (k - 1)) * (share * (1 - share)).sum(-1)
    coefficient: Floats = (shares.observed - expected) / (1 - expected)
    return coefficient


def brennan_prediger(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> Floats:
    """Return the coefficient whose chance is uniform; with k = 2 it is PABAK, 2 po - 1.

    nan for an empty table and for k = 1.
    Source: R. L. Brennan, D. J. Prediger (1981), Educ. and Psych. Measurement 41, 687-699.
    """
    counts = _checked(tables)
    k = counts.shape[-1]
    weight = weights(k, weighting)
    shares = _shares(counts, weight)
    if k == 1:
        return np.full(shares.n.shape, np.nan)
    expected = weight.sum() / k**2
    coefficient: Floats = (shares.observed - expected) / (1 - expected)
    return coefficient


def kappa_max(tables: Any) -> Floats:
    """Return the greatest unweighted kappa these marginals allow; nan where kappa is undefined."""
    counts = _checked(tables)
    shares = _shares(counts, np.eye(counts.shape[-1]))
    rest = np.where(1 - shares.expected > _TINY, 1 - shares.expected, np.nan)
    greatest: Floats = (np.minimum(shares.first, shares.second).sum(-1) - shares.expected) / rest
    return greatest


def bias(tables: Any) -> Floats:
    """Return half the L1 distance of the two marginals, in [0, 1]; |p10 - p01| when k = 2."""
    counts = _checked(tables)
    shares = _shares(counts, np.eye(counts.shape[-1]))
    distance: Floats = np.abs(shares.first - shares.second).sum(-1) / 2
    return distance


def exact_agreement(tables: Any) -> Floats:
    """Return the fraction of items in the same category for both; nan when empty."""
    counts = _checked(tables)
    return _shares(counts, np.eye(counts.shape[-1])).observed


def resampled_interval(
    units: Floats,
    multiplicity: Floats | Counts,
    statistic: Callable[[Floats], Floats],
    *,
    prior: Floats,
    seed: int,
    draws: int = DRAWS,
) -> tuple[Interval, float] | None:
    """Return the interval and the standard error of a statistic of summed unit features.

    units[u, f] are the features of one kind of item and multiplicity[u] how many such items
    there are: items are drawn whole, never single ratings. `statistic` takes sums (..., f) and
    returns (...), nan where undefined. `prior` are the features of items rated at random, which
    together weigh PRIOR_ITEMS: what was not seen in n items is not impossible, so an interval
    never has width 0. Weights of the kinds are drawn from their Dirichlet posterior (D. B. Rubin
    (1981), The Bayesian Bootstrap, Annals of Statistics 9(1), 130-134); with more than
    MAX_RESAMPLED kinds a jackknife over the same items. None when fewer than half of the draws
    are defined. The same seed gives the same interval.
    """
    n_items = float(multiplicity.sum())
    counts = np.concatenate([multiplicity, np.full(len(prior), PRIOR_ITEMS / len(prior))])
    features = np.concatenate([units, prior])
    value = float(statistic(multiplicity @ units))
    if len(features) > MAX_RESAMPLED:
        return _jackknife(features, counts, statistic, value)
    shares = _dirichlet(counts, seed, draws)
    return _quantiles(value, statistic(n_items * shares @ features), seed)


def _dirichlet(counts: Floats, seed: int, draws: int) -> Floats:
    drawn = np.random.default_rng(seed).standard_gamma(counts, size=(draws, len(counts)))
    fractions: Floats = drawn / drawn.sum(axis=1, keepdims=True)
    return fractions


def _quantiles(value: float, drawn: Floats, seed: int) -> tuple[Interval, float] | None:
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < len(drawn) / 2:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _around(value, float(low), float(high), "posterior", seed), float(defined.std(ddof=1))


def _jackknife(
    features: Floats, counts: Floats, statistic: Callable[[Floats], Floats], value: float
) -> tuple[Interval, float] | None:
    total = counts @ features
    without = statistic(total - features)
    n = float(counts.sum())
    mean = float(counts @ without / n)
    se = float(np.sqrt((n - 1) / n * (counts @ (without - mean) ** 2)))
    if not np.isfinite(value) or not np.isfinite(se):
        return None
    return _around(value, value - Z * se, value + Z * se, "jackknife", None), se


def _around(value: float, low: float, high: float, method: str, seed: int | None) -> Interval:
    """Return the interval, widened to hold the value itself and clipped to [-1, 1]."""
    return Interval(
        low=max(min(low, value), -1.0), high=min(max(high, value), 1.0), method=method, seed=seed
    )


def interval(
    table: Any, weighting: Weighting = Weighting.UNWEIGHTED, *, seed: int = 0, draws: int = DRAWS
) -> tuple[Interval, float] | None:
    """Return the interval of kappa of one (k, k) table and its standard error.

    Quantiles of kappa over draws of the cells' Dirichlet posterior. The prior weighs PRIOR_ITEMS,
    spread evenly over the cells: with two categories it is Jeffreys' 1/2 per cell. The same for one
    table and for many. None when kappa is undefined, or is 0 because a reviewer used one category,
    where an interval is meaningless.
    """
    counts = _checked(table)
    shares = _shares(counts, weights(len(counts), weighting))
    rows, columns = counts.sum(1), counts.sum(0)
    is_undefined = counts.sum() == 0 or 1 - shares.expected <= _TINY
    if is_undefined or min((rows > 0).sum(), (columns > 0).sum()) == 1:
        return None
    return _posterior(counts.tobytes(), len(counts), weighting, seed, draws)


@lru_cache(maxsize=16_384)  # among many reviewers most pairs share a few small tables
def _posterior(
    cells: bytes, k: int, weighting: Weighting, seed: int, draws: int
) -> tuple[Interval, float] | None:
    table = np.frombuffer(cells, dtype=np.float64)
    shares = _dirichlet(table + PRIOR_ITEMS / k**2, seed, draws)
    return _quantiles(
        float(kappa(table.reshape(k, k), weighting)),
        kappa(shares.reshape(draws, k, k), weighting),
        seed,
    )


def of_pair(table: Any, weighting: Weighting = Weighting.UNWEIGHTED, *, seed: int = 0) -> Agreement:
    """Return Cohen's kappa of two reviewers with its interval, companions and warnings.

    table[i, j] is the number of items that the first put in category i and the second in j, over
    the items both rated.
    """
    return of_pairs(_checked(table)[None], weighting, seed=seed)[0]


def of_pairs(
    tables: Any, weighting: Weighting = Weighting.UNWEIGHTED, *, seed: int = 0
) -> list[Agreement]:
    """Return `of_pair` of each table of a stack (pairs, k, k), the figures computed at once."""
    counts = _checked(tables)
    columns = _columns(counts, weighting)
    return [
        _assembled(
            counts[row],
            {name: float(column[row]) for name, column in columns.items()},
            weighting,
            seed=seed,
        )
        for row in range(len(counts))
    ]


def _columns(counts: Floats, weighting: Weighting) -> dict[str, Floats]:
    """Return every figure of a stack of tables, each (pairs,), nan where undefined."""
    k = counts.shape[-1]
    n = counts.sum(axis=(-2, -1))
    used = (counts.sum(-1) > 0) | (counts.sum(-2) > 0)
    smaller = np.minimum(counts.sum(-1), counts.sum(-2))
    nothing = np.full(n.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "n": n,
            "value": kappa(counts, weighting),
            "observed": exact_agreement(counts),
            "ac1": gwet(counts, weighting),
            "bp": brennan_prediger(counts, weighting),
            "prevalence_index": np.abs(counts[:, 1, 1] - counts[:, 0, 0]) / n
            if k == 2
            else nothing,
            "bias_index": bias(counts),
            "kappa_max": kappa_max(counts) if weighting == Weighting.UNWEIGHTED else nothing,
            "least_marginal": np.where(used, smaller, np.inf).min(-1),
            "n_used": np.minimum((counts.sum(-1) > 0).sum(-1), (counts.sum(-2) > 0).sum(-1)),
        }


def _assembled(
    table: Floats,
    figures: dict[str, float],
    weighting: Weighting,
    *,
    seed: int,
) -> Agreement:
    n = int(figures["n"])
    value = None if np.isnan(figures["value"]) else figures["value"]
    params: dict[str, Any] = {
        "weighting": str(weighting),
        "categories": len(table),
        "seed": seed,
    }
    estimated = None if value is None else interval(table, weighting, seed=seed)
    ci = estimated[0] if estimated else None
    reason = None
    if value is None:
        reason = Reason.NO_VARIATION if n else Reason.NO_OVERLAP
    return Agreement(
        "cohen_kappa" if weighting == Weighting.UNWEIGHTED else f"cohen_kappa_{weighting}",
        value=value,
        reason=reason,
        n_items=n,
        n_ratings=2 * n,
        n_overlap=n,
        ci=ci,
        se=estimated[1] if estimated else None,
        percent_agreement=_number(figures["observed"]),
        companions={name: _number(figures[name]) for name in _COMPANIONS} if n else {},
        warnings=_warnings(figures, ci) if n else (),
        params=params,
    )


_COMPANIONS = ("ac1", "bp", "prevalence_index", "bias_index", "kappa_max")


def _number(value: float) -> float | None:
    """Return `value`, or None for nan: nan is not JSON."""
    return None if np.isnan(value) else value


def _warnings(figures: dict[str, float], ci: Interval | None) -> tuple[Warn, ...]:
    raised = {
        Warn.FEW_ITEMS: figures["n"] < FEW_ITEMS,
        Warn.FEW_PER_CATEGORY: figures["least_marginal"] < MIN_MARGINAL,
        Warn.SKEWED_PREVALENCE: figures["observed"] >= 0.8
        and figures["ac1"] - figures["value"] > 0.2,
        Warn.RATER_BIAS: figures["bias_index"] > 0.1,
        Warn.CONSTANT_RATER: figures["n_used"] == 1 and not np.isnan(figures["value"]),
        Warn.WIDE_CI: ci is not None and ci.half_width > WIDE_HALF_WIDTH,
    }
    return tuple(code for code, is_raised in raised.items() if is_raised)
