"""Arithmetic: every statistic of all reviewers of a categorical scale, as results of one shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from annotations.agreement import alpha, coefficients, conger, groups
from annotations.agreement.coefficients import Weighting
from annotations.agreement.groups import Chance, Estimate
from annotations.agreement.results import (
    FEW_ITEMS,
    MIN_MARGINAL,
    WIDE_HALF_WIDTH,
    Agreement,
    Counts,
    Floats,
    Reason,
    Warn,
)

LOW_COVERAGE = 0.1
ENOUGH_TO_JUDGE_A_REVIEWER = 20  # ratings; habits of one with fewer are not spoken of
_WEIGHTED = {"cohen_kappa", "conger_kappa", "fleiss_kappa", "brennan_prediger"}


def of_ratings(
    units: Counts,
    reviewers: Counts,
    codes: Counts,
    k: int,
    *,
    weighting: Weighting = Weighting.UNWEIGHTED,
    metric: alpha.Metric = alpha.Metric.NOMINAL,
    values: Any = None,
) -> dict[str, Agreement]:
    """Return every statistic of a categorical scale, by the name that a queue gives it.

    units, reviewers and codes are columns of one length, each numbered from 0; k categories.
    `kappa` is Cohen's if only two reviewers have common items, else Conger's. All have the same
    counts, companions and warnings, which need not be read again when the statistic changes.
    """
    n_units = int(units.max(initial=-1)) + 1
    counts = np.bincount(units * k + codes, minlength=n_units * k).reshape(n_units, k)
    data = conger.design(units, reviewers, codes, k)
    weights = {"weighting": str(weighting), "categories": k}
    base = Agreement(
        "kappa", n_items=n_units, n_ratings=len(codes), n_overlap=data.n_units, params=weights
    )
    of_alpha = alpha.of_group(counts, metric, values=values)
    if data.n_units == 0:
        reason = Reason.NO_RATINGS
        if len(codes):
            is_alone = len(np.unique(reviewers)) == 1
            reason = Reason.SINGLE_RATER if is_alone else Reason.NO_OVERLAP
        none = replace(base, reason=reason)
        named = {name: replace(none, statistic=name) for name in _names(2, weighting)}
        return _by_choice(named, replace(of_alpha, reason=reason))
    common = np.flatnonzero(data.common.sum(1) > 0)
    estimates: dict[str, Estimate] = {
        "kappa": conger.conger(data, weighting),
        **{str(chance): groups.coefficient(counts, chance, weighting) for chance in Chance},
    }
    observed = groups.agreement(counts)
    if len(common) == 2:
        habits = _of_pair(data, weighting)
    else:
        habits = _of_group(data, counts, estimates, observed)
    base = replace(base, **habits, percent_agreement=observed)
    names = _names(len(common), weighting)
    results = {
        name: _with(replace(base, statistic=name), estimate)
        for name, estimate in zip(names, estimates.values(), strict=True)
    }
    shown = replace(
        of_alpha, companions=base.companions, warnings=_joined(base.warnings, of_alpha.warnings)
    )
    return _by_choice(results, shown)


def _names(n_reviewers: int, weighting: Weighting) -> list[str]:
    """Return the names of kappa and of each Chance, in its order."""
    names = ["cohen_kappa" if n_reviewers == 2 else "conger_kappa", *map(str, Chance)]
    if weighting == Weighting.UNWEIGHTED:
        return names
    return [
        f"{name}_{weighting}" if name in _WEIGHTED else f"gwet_ac2_{weighting}" for name in names
    ]


def _by_choice(results: dict[str, Agreement], of_alpha: Agreement) -> dict[str, Agreement]:
    kappa, fleiss, gwet, uniform = results.values()
    return {
        "kappa": kappa,
        "alpha": of_alpha,
        "ac1": gwet,
        "fleiss": fleiss,
        "brennan_prediger": uniform,
    }


def _with(base: Agreement, estimate: Estimate) -> Agreement:
    if np.isnan(estimate.value):
        return replace(base, reason=Reason.NO_VARIATION)
    interval = estimate.interval
    wide = interval is not None and interval.half_width > WIDE_HALF_WIDTH
    return replace(
        base,
        value=float(estimate.value),
        ci=interval,
        se=interval.se if interval else None,
        warnings=_joined(base.warnings, (Warn.WIDE_CI,) if wide else ()),
    )


def _joined(first: tuple[Warn, ...], second: tuple[Warn, ...]) -> tuple[Warn, ...]:
    return tuple(dict.fromkeys(first + second))


def _of_pair(data: conger.Design, weighting: Weighting) -> dict[str, Any]:
    """Return companions and warnings of the only two reviewers with common items."""
    first, second = data.pairs.first, data.pairs.second
    is_ordered = data.reviewers[first] < data.reviewers[second]
    row = np.where(is_ordered, data.codes[first], data.codes[second])
    column = np.where(is_ordered, data.codes[second], data.codes[first])
    table = np.bincount(row * data.k + column, minlength=data.k**2).reshape(data.k, data.k)
    pair = coefficients.of_pair(table, weighting)
    return {
        "companions": pair.companions,
        "warnings": tuple(code for code in pair.warnings if code != Warn.WIDE_CI),
    }


def _of_group(
    data: conger.Design, counts: Counts, estimates: dict[str, Estimate], observed: float
) -> dict[str, Any]:
    """Return companions and warnings of three or more reviewers.

    Indices of two reviewers are means over all pairs, a pair weighing the items it has in common.
    """
    rows, multiplicity = groups.patterns(counts.astype(np.float64))
    times = np.where(rows.sum(1) >= 2, multiplicity, 0)
    share = times @ (rows / rows.sum(1, keepdims=True)) / times.sum()
    shares, n = data.shares
    expected = _pairwise(shares @ shares.T, data.common)
    greatest = sum(_pairwise(np.minimum.outer(each, each), data.common) for each in shares.T)
    specific = groups.specific_agreement(counts)
    kappa, ac1 = estimates["kappa"].value, estimates[Chance.GWET].value
    companions = {
        "ac1": ac1,
        "bp": estimates[Chance.UNIFORM].value,
        "scott": estimates[Chance.FLEISS].value,
        "prevalence_index": abs(share[1] - share[0]) if data.k == 2 else np.nan,
        "bias_index": 1 - greatest,  # half the distance of two sets of shares
        "kappa_max": (greatest - expected) / (1 - expected) if expected < 1 else np.nan,
    }
    if data.k == 2:
        companions |= {"negative_agreement": specific[0], "positive_agreement": specific[1]}
    is_known = n >= ENOUGH_TO_JUDGE_A_REVIEWER
    is_constant = is_known & (shares.max(1) == 1) & (share.max() < 1)
    n_chosen = times @ (rows > 0)
    raised = {
        Warn.FEW_ITEMS: data.n_units < FEW_ITEMS,
        Warn.FEW_PER_CATEGORY: bool(((n_chosen > 0) & (n_chosen < MIN_MARGINAL)).any()),
        Warn.SKEWED_PREVALENCE: observed >= 0.8 and ac1 - kappa > 0.2,
        Warn.RATER_BIAS: bool(_differs(shares, n, share, is_known).any()),
        Warn.CONSTANT_RATER: bool(is_constant.any()),
        Warn.LOW_COVERAGE: data.n_units < LOW_COVERAGE * len(counts),
    }
    return {
        "companions": {name: coefficients.number(value) for name, value in companions.items()},
        "warnings": tuple(code for code, is_raised in raised.items() if is_raised),
    }


def _pairwise(values: Floats, common: Floats) -> float:
    """Return the mean of values (reviewers, reviewers) over all pairs, by their common items."""
    return float((values * common).sum() / common.sum())


def _differs(shares: Floats, n: Floats, share: Floats, is_known: Any) -> Any:
    """Return which reviewers' answers differ from all reviewers' by more than 0.1 and by chance."""
    apart = np.abs(shares - share).sum(1) / 2
    noise = np.sqrt((share * (1 - share)).sum() / 2 / np.maximum(n, 1))
    return is_known & (apart > 0.1) & (apart > 2 * noise)
