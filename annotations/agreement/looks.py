"""Arithmetic: a verdict that survives being looked at as often as anyone likes.

A reader who compares a 95 % bound with the target every day sees it pass, some day, on a queue that
does not deserve it. So the bound of a verdict widens where there are few items: its quantile is
z(n) = Z * (HORIZON / n) ** (1/4) up to HORIZON items, a boundary of S. K. Wang and A. A. Tsiatis
(1987), Biometrics 43(1), 193-199, and sqrt(Z ** 2 + 2 log(n / HORIZON)) beyond, where every
doubling may add only half of what the one before may. It depends on n alone, so a verdict needs no
record of earlier looks. `observatory bench looks` measures what it keeps and what it costs.
"""

from __future__ import annotations

import math
from typing import Final

from annotations.agreement import intervals
from annotations.agreement.results import Interval

Z: Final = 1.75
HORIZON: Final = 200
MOST_ITEMS: Final = 100_000  # beyond, the number of missing items is not worth naming
_SAME: Final = 1e-9


def quantile(n: int) -> float:
    """Return the normal quantile of either bound of a verdict on n >= 1 items."""
    if n <= HORIZON:
        return Z * math.sqrt(math.sqrt(HORIZON / n))
    return math.sqrt(Z**2 + 2 * math.log(n / HORIZON))


def confidence(n: int) -> float:
    """Return the one-sided level of either bound on n >= 1 items, as if it were the only look."""
    return (1 + math.erf(quantile(n) / math.sqrt(2))) / 2


def bounds(value: float, interval: Interval, n: int) -> tuple[float, float]:
    """Return the lower and the upper bound that a verdict on n items compares with its target."""
    return intervals.ends(value, interval.centre, interval.se, quantile(n))


def items_missing(
    value: float, interval: Interval, n: int, target: float, least: int
) -> int | None:
    """Return about how many more items would settle on which side of the target the truth is.

    At the present value and spread, and with `least` items or more in all. 0 when it is settled.
    None when the value is the target, or more than MOST_ITEMS would be needed.
    """
    if abs(value - target) <= _SAME:
        return None
    shrunk = (value - interval.centre) * (n + intervals.PRIOR_ITEMS)
    spread = interval.se * math.sqrt(n + intervals.PRIOR_ITEMS)

    def is_settled(items: int) -> bool:
        weight = items + intervals.PRIOR_ITEMS
        centre = value - shrunk / weight
        reach = quantile(items) * spread / math.sqrt(weight)
        return centre - reach > target if value > target else centre + reach < target

    low = max(n, least)
    if is_settled(low):
        return low - n
    high = low
    while not is_settled(high):
        low, high = high, 2 * high
        if high > MOST_ITEMS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_settled(middle) else (middle, high)
    return high - n
