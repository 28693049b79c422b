"""Arithmetic: what an agreement result means in words, and whether it passes the gate."""

from __future__ import annotations

from dataclasses import dataclass

from annotations.agreement import FEW_ITEMS, Agreement, Reason

TARGET = 0.70
GREYED_BELOW = 20  # items; a value is shown grey, has no label and never passes

_LANDIS_KOCH = (  # Landis, Koch (1977), Biometrics 33(1), 159-174
    (0.0, "poor"),
    (0.2, "slight"),
    (0.4, "fair"),
    (0.6, "moderate"),
    (0.8, "substantial"),
    (1.0, "almost perfect"),
)
_WHY = {
    Reason.NO_RATINGS: "nobody has rated this yet",
    Reason.SINGLE_RATER: "only one reviewer has rated this",
    Reason.NO_OVERLAP: "no item has two ratings yet",
    Reason.NO_VARIATION: "every rating is the same value, so chance cannot be told from agreement",
    Reason.UNSUPPORTED_SCALE: "free text has no scale to agree on",
}
_NAMES = {
    "cohen_kappa": "kappa",
    "cohen_kappa_linear": "linearly weighted kappa",
    "cohen_kappa_quadratic": "quadratically weighted kappa",
    "krippendorff_alpha": "alpha",
    "icc_a1": "ICC(A,1)",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a result is above the target: strictly (by its lower bound) and by its value."""

    statistic: str
    value: float | None
    lower_bound: float | None
    n: int
    target: float
    passes_strict: bool
    passes_point: bool


def label(value: float) -> str:
    """Return the Landis-Koch word for `value`: at most 0 poor, .2 slight, ... words only."""
    return next((word for top, word in _LANDIS_KOCH if value <= top + 1e-12), "almost perfect")


def gate(result: Agreement, target: float = TARGET) -> Gate:
    """Hold `result` against `target`.

    Strict: the one-sided 95 % lower bound > target. Point: value > target with at least 50
    items. Both compare > and not >=; undefined or fewer than 20 items never passes.
    """
    bound = result.ci.lower_bound if result.ci else None
    n = result.n_overlap
    return Gate(
        statistic=result.statistic,
        value=result.value,
        lower_bound=bound,
        n=n,
        target=target,
        passes_strict=n >= GREYED_BELOW and bound is not None and bound > target,
        passes_point=n >= FEW_ITEMS and result.value is not None and result.value > target,
    )


def name_of(statistic: str) -> str:
    """Return the reader's name of a statistic."""
    return _NAMES.get(statistic, statistic)


def why_undefined(reason: Reason | None) -> str:
    """Return in words why there is no value."""
    return _WHY.get(reason, "it is undefined") if reason else ""


def sentence(result: Agreement, target: float = TARGET) -> str:
    """Return the verdict in one sentence, e.g.

    "Substantial agreement: kappa 0.71, 95 % CI 0.64 to 0.77, 412 items rated by two or more;
    the 0.70 target is not proven yet (lower bound 0.65)."
    """
    if result.value is None:
        return f"No figure yet: {why_undefined(result.reason)}."
    verdict = gate(result, target)
    few = verdict.n < GREYED_BELOW
    opening = "Too few items to judge" if few else f"{label(result.value).capitalize()} agreement"
    interval = f", 95 % CI {result.ci.low:.2f} to {result.ci.high:.2f}" if result.ci else ""
    items = "item" if verdict.n == 1 else "items"
    start = (
        f"{opening}: {name_of(result.statistic)} {result.value:.2f}{interval}, "
        f"{verdict.n} {items} rated by two or more"
    )
    return f"{start}; {_about_target(result.value, verdict)}."


def _about_target(value: float, verdict: Gate) -> str:
    target = f"the {verdict.target:.2f} target"
    if verdict.passes_strict:
        return f"{target} is met"
    if value <= verdict.target:
        return f"{target} is not met"
    if verdict.lower_bound is None:
        return f"{target} is not proven yet"
    return f"{target} is not proven yet (lower bound {verdict.lower_bound:.2f})"
