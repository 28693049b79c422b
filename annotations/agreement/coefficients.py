"""Arithmetic: how far reviewers agree. Chance-corrected coefficients, intervals, warnings.

Everything here is numpy on tables of counts. No Django, no clock, no database. A table of a
pair is (k, k): rows are the first reviewer's categories in the order the rubric declares them,
columns the second's. Stacks of tables are (..., k, k) and are computed at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from annotations.agreement import intervals
from annotations.agreement.results import (
    FEW_ITEMS,
    LEVEL,
    MIN_MARGINAL,
    WIDE_HALF_WIDTH,
    Agreement,
    Counts,
    Floats,
    Interval,
    Reason,
    Warn,
)

__all__ = ["FEW_ITEMS", "LEVEL", "Agreement", "Counts", "Floats", "Interval", "Reason", "Warn"]

_TINY = 1e-12


class Weighting(StrEnum):
    """How much a disagreement of |i - j| places counts as agreement."""

    UNWEIGHTED = "unweighted"
    LINEAR = "linear"  # 1 - |i-j| / (k-1)
    QUADRATIC = "quadratic"  # 1 - (i-j)^2 / (k-1)^2


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

    It is 0 at perfect agreement, where that of `adjusted` is not.
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


def scott(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> Floats:
    """Return Scott's pi of each table: both reviewers share the frequencies of the categories.

    nan where undefined: an empty table, or one category in all ratings.
    Source: W. A. Scott (1955), Public Opinion Quarterly 19(3), 321-325.
    """
    counts = _checked(tables)
    weight = weights(counts.shape[-1], weighting)
    shares = _shares(counts, weight)
    share = (shares.first + shares.second) / 2
    rest = 1 - ((share @ weight) * share).sum(-1)
    coefficient: Floats = 1 - (1 - shares.observed) / np.where(rest > _TINY, rest, np.nan)
    return coefficient


def specific_agreement(tables: Any) -> Floats:
    """Return per category how often one reviewer agrees with the other who chose it, (..., k).

    Of two categories, negative and positive agreement. nan for a category without a rating.
    Source: D. V. Cicchetti, A. R. Feinstein (1990), J. of Clinical Epidemiology 43(6), 551-558.
    """
    counts = _checked(tables)
    chosen = counts.sum(-1) + counts.sum(-2)
    same = np.diagonal(counts, axis1=-2, axis2=-1)
    return 2 * same / np.where(chosen > 0, chosen, np.nan)


def no_agreement_error(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> Floats:
    """Return the standard error of kappa if the reviewers agreed by chance alone; nan as `kappa`.

    kappa divided by it tests that kappa is 0. Source: as of `kappa_standard_error`.
    """
    counts = _checked(tables)
    weight = weights(counts.shape[-1], weighting)
    shares = _shares(counts, weight)
    rest = np.where(1 - shares.expected > _TINY, 1 - shares.expected, np.nan)
    by_row = np.einsum("ij,...j->...i", weight, shares.second)
    by_column = np.einsum("ij,...i->...j", weight, shares.first)
    by_chance = shares.first[..., :, None] * shares.second[..., None, :]
    inner = weight - by_row[..., :, None] - by_column[..., None, :]
    spread = (by_chance * inner**2).sum(axis=(-2, -1)) - shares.expected**2
    error: Floats = np.sqrt(np.maximum(spread, 0) / shares.n) / rest
    return error


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


def adjusted(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> tuple[Floats, Floats]:
    """Return centre and standard error of the interval of kappa of each table (..., k, k).

    Both are those of the table after adding items that both reviewers answered at random, evenly
    over the cells. See `intervals`.
    """
    counts = _checked(tables)
    padded = counts + intervals.PRIOR_ITEMS / counts.shape[-1] ** 2
    return kappa(padded, weighting), kappa_standard_error(padded, weighting)


def of_pair(table: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> Agreement:
    """Return Cohen's kappa of two reviewers with its interval, companions and warnings.

    table[i, j] is the number of items that the first put in category i and the second in j, over
    the items both rated.
    """
    return of_pairs(_checked(table)[None], weighting)[0]


def of_pairs(tables: Any, weighting: Weighting = Weighting.UNWEIGHTED) -> list[Agreement]:
    """Return `of_pair` of each table of a stack (pairs, k, k), the figures computed at once."""
    counts = _checked(tables)
    columns = _columns(counts, weighting)
    figures = np.stack(list(columns.values()), axis=-1).tolist()
    found = intervals.columns(columns["value"], *adjusted(counts, weighting))
    return [
        _assembled(counts.shape[-1], dict(zip(columns, row, strict=True)), weighting, interval)
        for row, interval in zip(figures, found, strict=True)
    ]


def _columns(counts: Floats, weighting: Weighting) -> dict[str, Floats]:
    """Return every figure of a stack of tables, each (pairs,), nan where undefined."""
    k = counts.shape[-1]
    n = counts.sum(axis=(-2, -1))
    used = (counts.sum(-1) > 0) | (counts.sum(-2) > 0)
    smaller = np.minimum(counts.sum(-1), counts.sum(-2))
    nothing = np.full(n.shape, np.nan)
    specific = specific_agreement(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "n": n,
            "value": kappa(counts, weighting),
            "observed": exact_agreement(counts),
            "ac1": gwet(counts, weighting),
            "bp": brennan_prediger(counts, weighting),
            "scott": scott(counts, weighting),
            "weighted_agreement": _shares(counts, weights(k, weighting)).observed
            if weighting != Weighting.UNWEIGHTED
            else nothing,
            "negative_agreement": specific[..., 0] if k == 2 else nothing,
            "positive_agreement": specific[..., 1] if k == 2 else nothing,
            "prevalence_index": np.abs(counts[:, 1, 1] - counts[:, 0, 0]) / n
            if k == 2
            else nothing,
            "bias_index": bias(counts),
            "kappa_max": kappa_max(counts) if weighting == Weighting.UNWEIGHTED else nothing,
            "least_marginal": np.where(used, smaller, np.inf).min(-1),
            "n_used": np.minimum((counts.sum(-1) > 0).sum(-1), (counts.sum(-2) > 0).sum(-1)),
        }


def _assembled(
    k: int, figures: dict[str, float], weighting: Weighting, interval: Interval | None
) -> Agreement:
    n = int(figures["n"])
    value = number(figures["value"])
    reason = None
    if value is None:
        reason = Reason.NO_VARIATION if n else Reason.NO_OVERLAP
    names = [name for name in _COMPANIONS if k == 2 or name not in _OF_TWO_CATEGORIES]
    return Agreement(
        "cohen_kappa" if weighting == Weighting.UNWEIGHTED else f"cohen_kappa_{weighting}",
        value=value,
        reason=reason,
        n_items=n,
        n_ratings=2 * n,
        n_overlap=n,
        ci=interval,
        se=interval.se if interval else None,
        percent_agreement=number(figures["observed"]),
        companions={name: number(figures[name]) for name in names} if n else {},
        warnings=_warnings(figures, interval) if n else (),
        params={"weighting": str(weighting), "categories": k},
    )


_COMPANIONS = (
    *("ac1", "bp", "scott", "weighted_agreement", "negative_agreement", "positive_agreement"),
    *("prevalence_index", "bias_index", "kappa_max"),
)
_OF_TWO_CATEGORIES = {"negative_agreement", "positive_agreement"}


def number(value: float) -> float | None:
    """Return `value`, or None for nan: nan is not JSON."""
    return None if math.isnan(value) else float(value)


def _warnings(figures: dict[str, float], ci: Interval | None) -> tuple[Warn, ...]:
    raised = {
        Warn.FEW_ITEMS: figures["n"] < FEW_ITEMS,
        Warn.FEW_PER_CATEGORY: figures["least_marginal"] < MIN_MARGINAL,
        Warn.SKEWED_PREVALENCE: figures["observed"] >= 0.8
        and figures["ac1"] - figures["value"] > 0.2,
        Warn.RATER_BIAS: figures["bias_index"] > 0.1,
        Warn.CONSTANT_RATER: figures["n_used"] == 1 and not math.isnan(figures["value"]),
        Warn.WIDE_CI: ci is not None and ci.half_width > WIDE_HALF_WIDTH,
    }
    return tuple(code for code, is_raised in raised.items() if is_raised)
