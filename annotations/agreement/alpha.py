"""Arithmetic: Krippendorff's alpha, for any number of reviewers and missing ratings.

Source: K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, and (2018) Content
Analysis, 4th ed., ch. 12. The ordinal metric is Krippendorff's, which differs from Gwet's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotations.agreement import intervals
from annotations.agreement.results import (
    FEW_ITEMS,
    WIDE_HALF_WIDTH,
    Agreement,
    Counts,
    Floats,
    Reason,
    Warn,
)

LOW_COVERAGE = 0.1


class Metric(StrEnum):
    """The squared difference function delta between two values."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"  # of numbers from 0


def _distances(totals: Floats, metric: Metric, values: Floats) -> Floats:
    """Return delta (..., k, k); the ordinal one depends on how often each value occurs."""
    k = totals.shape[-1]
    if metric == Metric.NOMINAL:
        return np.broadcast_to(1 - np.eye(k), (*totals.shape, k))
    if metric == Metric.INTERVAL:
        apart: Floats = (values[:, None] - values[None, :]) ** 2
        return np.broadcast_to(apart, (*totals.shape, k))
    if metric == Metric.RATIO:
        sums = values[:, None] + values[None, :]
        share = np.divide(values[:, None] - values, sums, out=np.zeros((k, k)), where=sums != 0)
        return np.broadcast_to(share**2, (*totals.shape, k))
    middle = np.cumsum(totals, axis=-1) - totals / 2  # mid-ranks: the sum between, ends halved
    return (middle[..., :, None] - middle[..., None, :]) ** 2


def _from_coincidences(coincidences: Floats, metric: Metric, values: Floats) -> Floats:
    """Return alpha of coincidence matrices (..., k, k); nan when all values are one."""
    totals = coincidences.sum(-1)
    n = totals.sum(-1)
    delta = _distances(totals, metric, values)
    observed = (coincidences * delta).sum(axis=(-2, -1))
    product = totals[..., :, None] * totals[..., None, :]
    expected = (product * delta).sum(axis=(-2, -1))
    defined = expected > 0
    return np.where(defined, 1 - (n - 1) * observed / np.where(defined, expected, 1.0), np.nan)


def _coincidences(patterns: Floats) -> Floats:
    """Return the (u, k, k) coincidences of unit count patterns (u, k); each pair weighs 1/(m-1)."""
    m = patterns.sum(-1)[:, None, None]
    pairs = patterns[:, :, None] * patterns[:, None, :]
    diagonal = np.eye(patterns.shape[1]) * patterns[:, :, None]
    result: Floats = (pairs - diagonal) / (m - 1)
    return result


def alpha(counts: Any, metric: Metric = Metric.NOMINAL, values: Any = None) -> float:
    """Return Krippendorff's alpha of counts (units, k): how many reviewers gave each value.

    Units with fewer than two ratings are left out of every sum. `values` are the k numbers of an
    interval scale (default: the places 0..k-1). nan when undefined: no unit with two ratings, or
    no variation. Raises ValueError for negative counts or another shape.
    """
    patterns, multiplicity, scale = _patterns(counts, values)
    if len(patterns) == 0:
        return float("nan")
    summed = np.tensordot(multiplicity, _coincidences(patterns), axes=1)
    return float(_from_coincidences(summed, metric, scale))


def _patterns(counts: Any, values: Any) -> tuple[Floats, Counts, Floats]:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or (table < 0).any():
        raise ValueError(f"counts must be (units, k) and not negative, not {table.shape}")
    k = table.shape[1]
    scale = np.arange(k, dtype=np.float64) if values is None else np.asarray(values, np.float64)
    paired = table[table.sum(1) >= 2]
    # 333,334 units of 3 ratings on 5 values are 35 patterns: everything after is small.
    base = int(paired.max(initial=0)) + 1
    if base**k < 2**53:  # one number per unit sorts ten times faster than a row
        codes = (paired @ float(base) ** np.arange(k)).astype(np.int64)
        _, first, multiplicity = np.unique(codes, return_index=True, return_counts=True)
        patterns = paired[first]
    else:
        patterns, multiplicity = np.unique(paired, axis=0, return_counts=True)
    return patterns, multiplicity.astype(np.int64), scale


def of_group(counts: Any, metric: Metric = Metric.NOMINAL, *, values: Any = None) -> Agreement:
    """Return alpha of all reviewers on a categorical scale with an interval over items.

    counts (units, k) as in `alpha`. `percent_agreement` is the mean fraction of agreeing pairs per
    unit.
    """
    table = np.asarray(counts, dtype=np.float64)
    patterns, multiplicity, scale = _patterns(table, values)
    base = Agreement(
        "krippendorff_alpha",
        n_items=len(table),
        n_ratings=int(table.sum()),
        n_overlap=int(multiplicity.sum()),
        params={"metric": str(metric), "categories": table.shape[1]},
    )
    if base.n_overlap == 0:
        return replace(base, reason=Reason.NO_OVERLAP if base.n_ratings else Reason.NO_RATINGS)
    coincidences = _coincidences(patterns)
    m = patterns.sum(1)
    agreeing = (patterns * (patterns - 1)).sum(1) / (m * (m - 1))
    base = replace(base, percent_agreement=float(multiplicity @ agreeing / base.n_overlap))
    k = table.shape[1]

    def of(sums: Floats) -> Floats:
        return _from_coincidences(sums.reshape(*sums.shape[:-1], k, k), metric, scale)

    features = coincidences.reshape(len(patterns), k * k)
    # Two random answers: all pairs of categories equally often, weighted like an item of the data.
    each_rated = float(multiplicity @ m / base.n_overlap)
    prior = np.eye(k * k) + np.eye(k * k).reshape(k, k, k * k).swapaxes(0, 1).reshape(k * k, k * k)
    return _finish(base, features, multiplicity, of, prior=prior * each_rated / 2)


def of_numbers(units: NDArray[np.int64], numbers: Any) -> Agreement:
    """Return alpha (interval metric) of ratings on a continuous scale.

    units[i] is the item of rating i, numbers[i] its value; both (ratings,). The sums of squares
    are taken per item, so the cost is linear in the ratings.
    """
    values = np.asarray(numbers, dtype=np.float64)
    _, unit_index = np.unique(np.asarray(units), return_inverse=True)
    m = np.bincount(unit_index).astype(np.float64)
    base = Agreement(
        "krippendorff_alpha",
        n_items=len(m),
        n_ratings=len(values),
        n_overlap=int((m >= 2).sum()),
        params={"metric": str(Metric.INTERVAL)},
    )
    if base.n_overlap == 0:
        return replace(base, reason=Reason.NO_OVERLAP if base.n_ratings else Reason.NO_RATINGS)
    shifted = values - values.mean()  # the metric is invariant; the sums stay small
    first = np.bincount(unit_index, shifted).astype(np.float64)
    second = np.bincount(unit_index, shifted**2).astype(np.float64)
    paired = m >= 2
    m, first, second = m[paired], first[paired], second[paired]

    def features_of(m: Floats, first: Floats, second: Floats) -> Floats:
        within = 2 * (m * second - first**2) / (m - 1)
        return np.stack([m, first, second, within], axis=1)

    # Two answers at random, each one standard deviation above or below the mean.
    mean, spread = float(first.sum() / m.sum()), float(np.sqrt(second.sum() / m.sum()))
    x = mean + spread * np.array([1.0, 1.0, -1.0, -1.0])
    y = mean + spread * np.array([1.0, -1.0, 1.0, -1.0])
    prior = features_of(np.full(4, 2.0), x + y, x * x + y * y) * float(m.mean() / 2)

    def of(sums: Floats) -> Floats:
        n, total, squares, observed = np.moveaxis(sums, -1, 0)
        expected = 2 * (n * squares - total**2)
        defined = expected > 1e-9
        return np.where(defined, 1 - (n - 1) * observed / np.where(defined, expected, 1), np.nan)

    multiplicity = np.ones(len(m), dtype=np.int64)
    return _finish(base, features_of(m, first, second), multiplicity, of, prior=prior)


def _finish(
    base: Agreement,
    features: Floats,
    multiplicity: Counts,
    of: Callable[[Floats], Floats],
    *,
    prior: Floats,
) -> Agreement:
    """Add value, interval and warnings to `base`."""
    value = float(of(multiplicity @ features))
    if np.isnan(value):
        return replace(base, reason=Reason.NO_VARIATION, warnings=_sizes(base))
    interval = intervals.summed(features, multiplicity, of, prior=prior)
    warnings = _sizes(base)
    if interval is not None and interval.half_width > WIDE_HALF_WIDTH:
        warnings += (Warn.WIDE_CI,)
    return replace(
        base,
        value=value,
        ci=interval,
        se=interval.se if interval else None,
        warnings=warnings,
    )


def _sizes(base: Agreement) -> tuple[Warn, ...]:
    warnings: tuple[Warn, ...] = ()
    if base.n_overlap < FEW_ITEMS:
        warnings += (Warn.FEW_ITEMS,)
    if base.n_overlap < LOW_COVERAGE * base.n_items:
        warnings += (Warn.LOW_COVERAGE,)
    return warnings
