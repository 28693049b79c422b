"""Arithmetic: the six intraclass correlations of numbers, each with its F-based interval.

Sources: P. E. Shrout, J. L. Fleiss (1979), Psychological Bulletin 86(2), 420-428; K. O. McGraw,
S. P. Wong (1996), Psychological Methods 1(1), 30-46, whose names are used: (1) other reviewers for
each item, (A) agreement and (C) consistency of the same reviewers; of one rating, or of their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annotations.agreement.results import LEVEL


@dataclass(frozen=True, slots=True)
class Intraclass:
    """One coefficient, nan where undefined, and its two-sided interval at LEVEL.

    The interval assumes normal numbers; it has no width when nothing varies within the items.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Squares:
    """Mean squares of n items by k reviewers: items, reviewers, within items, residual."""

    n: int
    k: int
    items: float
    reviewers: float
    within: float
    residual: float


def squares(ratings: Any) -> Squares:
    """Return the mean squares of ratings (items, reviewers), complete.

    Raises ValueError for fewer than two items or reviewers, and for a missing number.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise ValueError(f"ratings must be (items, reviewers), at least 2 by 2, not {table.shape}")
    n, k = table.shape
    table = table - table.mean()
    of_items = k * float((table.mean(1) ** 2).sum())
    of_reviewers = n * float((table.mean(0) ** 2).sum())
    total = float((table**2).sum())
    within = max(total - of_items, 0.0)
    residual = max(within - of_reviewers, 0.0)
    return Squares(
        n,
        k,
        items=of_items / (n - 1),
        reviewers=of_reviewers / (k - 1),
        within=within / (n * (k - 1)),
        residual=residual / ((n - 1) * (k - 1)),
    )


def intraclass(ratings: Any) -> list[Intraclass]:
    """Return the six coefficients of complete ratings (items, reviewers), see `squares`."""
    found = squares(ratings)
    if found.items + found.within <= 1e-12:
        nothing = float("nan")
        return [Intraclass(name, nothing, nothing, nothing) for name in NAMES]
    one_way = _of_ratio(found, found.within, found.n * (found.k - 1))
    consistent = _of_ratio(found, found.residual, (found.n - 1) * (found.k - 1))
    agreeing = _agreement(found)
    single = [one_way, agreeing, consistent]
    means = [tuple(_of_mean(value, found.k) for value in row) for row in single]
    rows = [*single, *means]
    return [Intraclass(name, *row) for name, row in zip(NAMES, rows, strict=True)]


NAMES = ("icc_1_1", "icc_a_1", "icc_c_1", "icc_1_k", "icc_a_k", "icc_c_k")

Row = tuple[float, float, float]


def _of_ratio(found: Squares, error: float, degrees: int) -> Row:
    """Return value, low and high of ICC(1) or ICC(C,1): a function of one ratio of squares."""
    from scipy.special import fdtri  # takes 0.1 s, which other pages do not need

    rise = (1 + LEVEL) / 2
    ratio = found.items / error if error > 0 else float("inf")
    low = float(ratio / fdtri(found.n - 1, degrees, rise))
    high = float(ratio * fdtri(degrees, found.n - 1, rise))
    return _of_f(ratio, found.k), _of_f(low, found.k), _of_f(high, found.k)


def _of_f(ratio: float, k: int) -> float:
    return 1.0 if np.isinf(ratio) else float((ratio - 1) / (ratio + k - 1))


def _agreement(found: Squares) -> Row:
    """Return value, low and high of ICC(A,1), with Satterthwaite's degrees of freedom."""
    from scipy.special import fdtri

    n, k = found.n, found.k
    items, reviewers, rest = found.items, found.reviewers, found.residual
    below = items + (k - 1) * rest + k * (reviewers - rest) / n
    value = (items - rest) / below if below > 0 else float("nan")
    if rest <= 0 and reviewers <= 0:
        return value, 1.0, 1.0
    a = k * value / (n * (1 - value)) if value < 1 else np.inf
    b = 1 + k * value * (n - 1) / (n * (1 - value)) if value < 1 else np.inf
    degrees = (a * reviewers + b * rest) ** 2 / (
        (a * reviewers) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1))
    )
    rise = (1 + LEVEL) / 2
    lower, upper = fdtri(n - 1, degrees, rise), fdtri(degrees, n - 1, rise)
    others = k * reviewers + (k * n - k - n) * rest
    low = n * (items - lower * rest) / (lower * others + n * items)
    high = n * (upper * items - rest) / (others + n * upper * items)
    return value, float(low), float(high)


def _of_mean(value: float, k: int) -> float:
    """Return the coefficient of the mean of k ratings from that of one (Spearman, Brown)."""
    below = 1 + (k - 1) * value
    return k * value / below if abs(below) > 1e-12 else float("nan")
