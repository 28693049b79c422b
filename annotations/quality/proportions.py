"""Arithmetic: a share of successes with its interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Proportion:
    """`k` successes of `n`, and the ends of Wilson's score interval at LEVEL, in [0, 1].

    Without a trial the interval is [0, 1] and the share 1.
    """

    k: int
    n: int
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Proportion:
        """Return the proportion of true outcomes."""
        listed = list(outcomes)
        return cls.counted(sum(listed), len(listed))

    @classmethod
    def counted(cls, k: int, n: int) -> Proportion:
        """Return the proportion of `k` successes in `n` trials, 0 <= k <= n."""
        if n == 0:
            return cls(0, 0, 0.0, 1.0)
        interval = stats.binomtest(k, n).proportion_ci(LEVEL, method="wilson")
        return cls(k, n, float(interval.low), float(interval.high))

    @property
    def share(self) -> float:
        return self.k / self.n if self.n else 1.0
