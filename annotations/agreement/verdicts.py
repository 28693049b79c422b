"""Arithmetic: an agreement result in words, and whether it passes the gate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from annotations.agreement import looks
from annotations.agreement.results import FEW_ITEMS, LEVEL, Agreement, Reason

TARGET = 0.70
GREYED_BELOW = 20  # items; with fewer, a value is shown grey, without label and verdict
_SAME = 1e-9  # figures closer than this are equal: 7/10 is not above 0.7, however it was computed
_MOST_DIGITS = 6

_LANDIS_KOCH = (  # Landis, Koch (1977), Biometrics 33(1), 159-174
    (0.0, "poor"),
    (0.2, "slight"),
    (0.4, "fair"),
    (0.6, "moderate"),
    (0.8, "substantial"),
    (1.0, "almost perfect"),
)
_WHY = {
    Reason.NO_RATINGS: "there are no ratings",
    Reason.SINGLE_RATER: "only one reviewer has rated this",
    Reason.NO_OVERLAP: "no item has two ratings yet",
    Reason.NO_VARIATION: "every rating is the same value, so chance cannot be told from agreement",
    Reason.UNSUPPORTED_SCALE: "free text has no scale to agree on",
}
_NAMES = {
    "cohen_kappa": "kappa",
    "conger_kappa": "kappa",
    "krippendorff_alpha": "alpha",
    "fleiss_kappa": "Fleiss's kappa",
    "gwet_ac1": "AC1",
    "gwet_ac2": "AC2",
    "brennan_prediger": "Brennan and Prediger's kappa",
    "icc_a1": "ICC(A,1)",
}
_WEIGHTED = {"_linear": "linearly weighted ", "_quadratic": "quadratically weighted "}


class Verdict(StrEnum):
    """Where the bounds of a result lie relative to the target; see `looks`."""

    UNDEFINED = "undefined"
    FEW = "few"  # not enough items
    MET = "met"  # the lower bound is above the target
    BELOW = "below"  # the upper bound is below it
    OPEN = "open"  # the target is between them


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a result is above the target: strictly (by its lower bound) and by its value.

    The bounds allow for repeated looks at a growing queue (`looks`), so they are wider than the
    interval of the result at few items; each alone has the one-sided level `confidence`. `n_more`
    is about how many more items rated by two would decide, at the present value and spread: 0 when
    it is decided, None when it is not known or too many to name.
    """

    statistic: str
    value: float | None
    lower_bound: float | None
    upper_bound: float | None
    n: int
    target: float
    passes_point: bool
    confidence: float = LEVEL
    n_more: int | None = None

    @property
    def passes_strict(self) -> bool:
        return self.verdict == Verdict.MET

    @property
    def verdict(self) -> Verdict:
        if self.value is None:
            return Verdict.UNDEFINED
        if self.n < GREYED_BELOW:
            return Verdict.FEW
        if self.lower_bound is not None and self.lower_bound > self.target + _SAME:
            return Verdict.MET
        if self.upper_bound is not None and self.upper_bound < self.target - _SAME:
            return Verdict.BELOW
        return Verdict.OPEN


def label(value: float) -> str:
    """Return the Landis-Koch word for `value`: at most 0 poor, .2 slight, ... words only."""
    return next((word for top, word in _LANDIS_KOCH if value <= top + _SAME), "almost perfect")


def gate(result: Agreement, target: float = TARGET) -> Gate:
    """Compare `result` with `target`.

    Strict: the lower bound > target; it holds for every look at the queue, see `looks`. Point:
    value > target with at least 50 items. Both compare > and not >=, and figures within 1e-9 are
    equal; undefined or fewer than 20 items never passes.
    """
    n, value, interval = result.n_overlap, result.value, result.ci
    lower = upper = n_more = None
    if value is not None and interval is not None and n:
        lower, upper = looks.bounds(value, interval, n)
        n_more = looks.items_missing(value, interval, n, target, GREYED_BELOW)
    return Gate(
        statistic=result.statistic,
        value=value,
        lower_bound=lower,
        upper_bound=upper,
        n=n,
        target=target,
        passes_point=n >= FEW_ITEMS and value is not None and value > target + _SAME,
        confidence=looks.confidence(max(n, 1)),
        n_more=n_more,
    )


def name_of(statistic: str) -> str:
    """Return the display name of a statistic."""
    for suffix, words in _WEIGHTED.items():
        if statistic.endswith(suffix):
            return words + name_of(statistic.removesuffix(suffix))
    return _NAMES.get(statistic, statistic)


def why_undefined(reason: Reason | None, *, n_set_aside: int = 0) -> str:
    """Return in words why there is no value. `n_set_aside` ratings were not compared."""
    if n_set_aside and reason == Reason.NO_RATINGS:
        return "no rating is left to compare"
    if n_set_aside and reason == Reason.SINGLE_RATER:
        return "the ratings of only one reviewer are left to compare"
    if n_set_aside and reason == Reason.NO_OVERLAP:
        return "no item has two ratings that can be compared"
    return _WHY.get(reason, "it is undefined") if reason else ""


def figure(value: float, target: float = TARGET) -> str:
    """Return `value` with two digits, or as many as distinguish it from the target."""
    if abs(value - target) <= _SAME:
        return f"{target:.2f}"
    for digits in range(2, _MOST_DIGITS):
        text = f"{value:.{digits}f}"
        if text != f"{target:.{digits}f}":
            break
    return text.removeprefix("-") if float(text) == 0 else text


def sentence(result: Agreement, target: float = TARGET, *, set_aside: str = "") -> str:
    """Return the verdict in one sentence.

    "Substantial agreement: kappa 0.71 (95 % interval 0.65 to 0.76) on 412 items rated by two or
    more; whether it is above 0.70 is not proven yet: about 3,300 more double reviews."
    `set_aside` has in words which ratings were not compared; it is included when no value is left.
    """
    if result.value is None:
        why = why_undefined(result.reason, n_set_aside=1 if set_aside else 0)
        return f"No figure yet: {why}" + (f" ({set_aside})." if set_aside else ".")
    held = gate(result, target)
    few = held.verdict == Verdict.FEW
    opening = "Too few items to judge" if few else f"{label(result.value).capitalize()} agreement"
    interval = ""
    if result.ci:
        low, high = figure(result.ci.low, target), figure(result.ci.high, target)
        interval = f" ({LEVEL:.0%} interval {low} to {high})".replace("%", " %")
    items = "item" if held.n == 1 else "items"
    start = (
        f"{opening}: {name_of(result.statistic)} {figure(result.value, target)}{interval} on "
        f"{held.n} {items} rated by two or more"
    )
    return f"{start}; {about_target(held)}."


def about_target(held: Gate) -> str:
    """Return in words where the truth is relative to the target, and what would decide it."""
    target = f"{held.target:.2f}"
    match held.verdict:
        case Verdict.MET:
            bound = "" if held.lower_bound is None else figure(held.lower_bound, held.target)
            return f"the {target} target is met, with a lower bound of {bound}"
        case Verdict.BELOW:
            return f"it is below the {target} target"
        case Verdict.FEW:
            return f"the {target} target needs {GREYED_BELOW} items or more"
        case Verdict.UNDEFINED:
            return f"nothing can be compared with the {target} target"
    start = f"whether it is above {target} is not proven yet"
    if not held.n_more or held.value is None:
        return start
    more = f"about {_rounded_up(held.n_more):,} more double reviews"
    return f"{start}: {more}" + ("" if held.value > held.target else " would show that it is below")


def _rounded_up(n: int) -> int:
    """Return n, from 20 on rounded up to two digits: an estimate must not look exact."""
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit
