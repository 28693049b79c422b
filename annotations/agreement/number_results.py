"""Arithmetic: every statistic of all reviewers of a continuous scale, as results of one shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotations.agreement import alpha, continuous, icc
from annotations.agreement.coefficients import number
from annotations.agreement.results import Agreement, Counts, Floats, Reason, Warn

LEAST_COMPLETE = 3  # items that all have rated, of which an analysis of variance says something
MOST_REVIEWERS = 20  # with more, hardly an item is rated by all


def of_ratings(units: Counts, reviewers: Counts, numbers: Floats) -> dict[str, Agreement]:
    """Return `alpha`, and the six intraclass correlations of the items that all have rated.

    units, reviewers and numbers are columns of one length. Companions of alpha are the differences
    of the two reviewers if only two have common items (`continuous`), else the single-rating
    correlations.
    """
    result = alpha.of_numbers(units, numbers)
    if result.reason == Reason.NO_OVERLAP and len(np.unique(reviewers)) == 1:
        result = replace(result, reason=Reason.SINGLE_RATER)
    kept = np.isin(units, units[_repeated(units)])
    complete = _complete(units[kept], reviewers[kept], numbers[kept])
    correlations = {} if complete is None else _correlations(complete)
    companions: dict[str, float | None] = {
        name: found.value for name, found in correlations.items() if name.endswith("_1")
    }
    warnings = result.warnings
    if complete is not None and complete.shape[1] == 2:
        pair = continuous.of_pair(*complete.T)
        companions |= {"icc_a1": pair.value, **pair.companions}
        more = tuple(code for code in pair.warnings if code != Warn.WIDE_CI)
        warnings = tuple(dict.fromkeys(warnings + more))
    return {
        "alpha": replace(result, companions=companions, warnings=warnings),
        **correlations,
    }


def _repeated(units: Counts) -> Counts:
    _, index, times = np.unique(units, return_inverse=True, return_counts=True)
    return np.flatnonzero(times[index] >= 2)


def _complete(units: Counts, reviewers: Counts, numbers: Floats) -> Floats | None:
    """Return (items, reviewers) of the items that all reviewers have rated; None for too few."""
    people, column = np.unique(reviewers, return_inverse=True)
    if not 2 <= len(people) <= MOST_REVIEWERS:
        return None
    items, row = np.unique(units, return_inverse=True)
    table = np.full((len(items), len(people)), np.nan)
    table[row, column] = numbers
    table = table[np.isfinite(table).all(axis=1)]
    return table if len(table) >= LEAST_COMPLETE else None


def _correlations(complete: Floats) -> dict[str, Agreement]:
    n, k = complete.shape
    base = Agreement(
        "icc", n_items=n, n_ratings=n * k, n_overlap=n, params={"scale": "interval", "reviewers": k}
    )
    found = {}
    for each in icc.intraclass(complete):
        value = number(each.value)
        found[each.name] = replace(
            base,
            statistic=each.name,
            value=value,
            reason=Reason.NO_VARIATION if value is None else None,
            companions={"f_low": number(each.low), "f_high": number(each.high)},
        )
    return found
