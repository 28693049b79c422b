"""Arithmetic: the shape of an agreement result, the same on pages and the wire."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LEVEL = 0.95  # of the two-sided interval; its one-sided bounds have the same level
MIN_MARGINAL = 5
FEW_ITEMS, WIDE_HALF_WIDTH = 50, 0.15


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
    """The two-sided interval of a coefficient, its one-sided bounds, all at `level`.

    `low` and `high` belong together; `lower` alone, or `upper` alone, is a bound that the truth
    exceeds, or stays under, with probability `level`. They are `centre` -+ a normal quantile times
    `se`, clipped to [-1, 1] and widened to hold the value. See `intervals`.
    """

    low: float
    high: float
    lower: float
    upper: float
    centre: float
    se: float
    method: str = "adjusted"
    level: float = LEVEL
    seed: int | None = None  # of methods that draw; the adjusted interval does not

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
