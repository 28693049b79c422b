"""Arithmetic: how far two reviewers agree on a continuous scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from annotations.agreement import intervals
from annotations.agreement.results import (
    FEW_ITEMS,
    WIDE_HALF_WIDTH,
    Agreement,
    Floats,
    Reason,
    Warn,
)


def icc(sums: Floats) -> Floats:
    """Return ICC(A,1) of two reviewers from sums (..., 6): n, x, y, xx, yy, xy.

    Two-way, absolute agreement, one rating: a constant shift between the reviewers lowers it.
    nan when nothing varies or n < 2.
    Source: K. O. McGraw, S. P. Wong (1996), Psychological Methods 1(1), 30-46.
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = xx + yy - (x + y) ** 2 / (2 * n)
        rows = (xx + yy + 2 * xy) / 2 - (x + y) ** 2 / (2 * n)
        columns = (x - y) ** 2 / (2 * n)
        mean_rows = rows / (n - 1)
        mean_rest = (total - rows - columns) / (n - 1)
        below = mean_rows + mean_rest + 2 / n * (columns - mean_rest)
        return np.where((n >= 2) & (below > 1e-12), (mean_rows - mean_rest) / below, np.nan)


def _correlation(x: Floats, y: Floats) -> float | None:
    if len(x) < 2 or x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(values: Floats) -> Floats:
    """Return ranks from 1, ties sharing their mean."""
    _, value_index, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[value_index]


def _features(x: Floats, y: Floats) -> Floats:
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)


def of_pair(first: Any, second: Any) -> Agreement:
    """Return ICC(A,1) of two reviewers' numbers on the same items, with what must stand beside.

    first[i] and second[i] judge item i. Companions: spearman, pearson, mae, bias (mean of first
    minus second) and the limits of agreement bias -+ 1.96 sd of J. M. Bland and D. G. Altman
    (1986), all in the unit of the scale but the correlations.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"two vectors of one length, not {x.shape} and {y.shape}")
    n = len(x)
    base = Agreement(
        "icc_a1",
        n_items=n,
        n_ratings=2 * n,
        n_overlap=n,
        params={"scale": "interval"},
    )
    if n == 0:
        return replace(base, reason=Reason.NO_OVERLAP)
    apart = x - y
    deviation = float(apart.std(ddof=1)) if n > 1 else None
    base = replace(
        base,
        percent_agreement=float((apart == 0).mean()),
        companions={
            "spearman": _correlation(_ranks(x), _ranks(y)),
            "pearson": _correlation(x, y),
            "mae": float(np.abs(apart).mean()),
            "bias": float(apart.mean()),
            "limit_low": None if deviation is None else float(apart.mean()) - 1.96 * deviation,
            "limit_high": None if deviation is None else float(apart.mean()) + 1.96 * deviation,
        },
        warnings=(Warn.FEW_ITEMS,) if n < FEW_ITEMS else (),
    )
    centre = np.concatenate([x, y]).mean()  # invariant, and keeps the sums of squares exact
    x, y = x - centre, y - centre
    features = _features(x, y)
    value = float(icc(features.sum(0)))
    if np.isnan(value):
        return replace(base, reason=Reason.NO_VARIATION)
    # Two random answers, each one standard deviation above or below the mean.
    spread = float(np.concatenate([x, y]).std())
    prior = _features(
        *(spread * np.array(signs, float) for signs in ((1, 1, -1, -1), (1, -1, 1, -1)))
    )
    interval = intervals.summed(features, np.ones(n), icc, prior=prior)
    if interval is not None and interval.half_width > WIDE_HALF_WIDTH:
        base = replace(base, warnings=(*base.warnings, Warn.WIDE_CI))
    # Of very few items the estimate may fall below every value that the coefficient can have.
    value = max(value, -1.0)
    return replace(
        base,
        value=value,
        ci=interval,
        se=interval.se if interval else None,
    )
