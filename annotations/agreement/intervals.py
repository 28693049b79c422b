"""Arithmetic: the interval of any coefficient, from its value after adding a few random items.

The method is that of A. Agresti and B. A. Coull (1998), The American Statistician 52(2), 119-126,
carried over from a proportion to a coefficient of agreement: PRIOR_ITEMS items that were rated at
random are added to the data, and the interval is the coefficient of that, plus and minus a normal
quantile times its standard error. What was not seen in n items is not impossible, so no interval
has width 0. The number of added items is the least with which the intervals of kappa hold: see
`observatory bench coverage`. It is a closed form, so one pair of reviewers and 20,000 pairs have
the same interval, and the same data always give the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from annotations.agreement.results import Counts, Floats, Interval

PRIOR_ITEMS = 5.0
TWO_SIDED = 1.959963984540054  # standard normal quantiles of LEVEL
ONE_SIDED = 1.6448536269514722
_STEP = 1e-4  # of the numeric derivative, relative to the sum of all items


def ends(value: float, centre: float, se: float, z: float) -> tuple[float, float]:
    """Return centre -+ z * se, clipped to [-1, 1] and widened to hold `value`."""
    return max(min(centre - z * se, value), -1.0), min(max(centre + z * se, value), 1.0)


def around(value: float, centre: float, se: float) -> Interval:
    """Return the interval of a coefficient with this value, from its adjusted centre and error."""
    value, centre, se = float(value), float(centre), float(se)
    low, high = ends(value, centre, se, TWO_SIDED)
    lower, upper = ends(value, centre, se, ONE_SIDED)
    return Interval(low, high, lower, upper, centre, se)


def summed(
    units: Floats,
    multiplicity: Floats | Counts,
    statistic: Callable[[Floats], Floats],
    *,
    prior: Floats,
) -> Interval | None:
    """Return the interval of a statistic of summed unit features, None where it is undefined.

    units[u, f] are the features of one kind of item and multiplicity[u] how many such items there
    are: an item counts whole, never a single rating of it. `statistic` takes sums (..., f) and
    returns (...), nan where undefined. `prior` are the features of items rated at random, which
    together weigh PRIOR_ITEMS. The standard error is the infinitesimal jackknife: L. A. Jaeckel
    (1972), Bell Laboratories Memorandum 72-1215-11; for kappa it is that of Fleiss, Cohen, Everitt.
    """
    counts = np.concatenate([multiplicity, np.full(len(prior), PRIOR_ITEMS / len(prior))])
    features = np.concatenate([units, prior])
    n, total = float(counts.sum()), counts @ features
    value, centre = float(statistic(multiplicity @ units)), float(statistic(total))
    step = _STEP * (n * features - total)
    influence = (statistic(total + step) - statistic(total - step)) / (2 * _STEP)
    se = float(np.sqrt(counts @ influence**2)) / n
    if not np.isfinite([value, centre, se]).all():
        return None
    return around(value, centre, se)


def columns(value: Floats, centre: Floats, se: Floats) -> Sequence[Interval | None]:
    """Return `around` of each of many coefficients, None where one is nan."""
    return [
        around(*row) if np.isfinite(row).all() else None
        for row in np.stack([value, centre, se], axis=-1).reshape(-1, 3).tolist()
    ]
