"""Arithmetic: a filter with a numeric bound, at other values of the bound.

`lt(metadata_value, 0.7)` becomes a family of filters, one for each threshold. Bounds of one
direction that mean the same number, as 0.7 and 70 of the presets of confidence, move together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from observatory.runs.filters.grammar import And, Node, Not, Or, Term

N_STEPS = 20
_BELOW, _ABOVE = ("lt", "lte"), ("gt", "gte")
_FIELDS = (
    *("metadata_value", "input_value", "output_value", "feedback_score", "feedback_value"),
    *("latency", "first_token_latency", "total_tokens", "prompt_tokens", "completion_tokens"),
    *("total_cost", "prompt_cost", "completion_cost"),
)


@dataclass(frozen=True)
class Bound:
    """A numeric bound of a filter: its direction, and its value, in [0, 1] for a percentage."""

    is_upper: bool
    value: float


def bound_of(node: Node) -> Bound | None:
    """Return the first bound on a number that selects more runs the looser it is, or None.

    A bound inside not(..) is none, nor is a value of zero or less. `gt` of exactly 1 only tells
    percentages from shares.
    """
    terms = list(_bounds(node))
    for term in terms:
        bound = Bound(term.operator in _BELOW, _number(term))
        share = replace(bound, value=bound.value / 100)
        return share if any(_number(other) == share.value for other in terms) else bound
    return None


def thresholds(bound: Bound) -> list[float]:
    """Return the values to try, from the loosest to the strictest: up to 1, or twice the bound."""
    top = 1.0 if bound.value <= 1 else 2 * bound.value
    values = {round(top * number / N_STEPS, 10) for number in range(1, N_STEPS + 1)}
    return sorted(values | {bound.value}, reverse=bound.is_upper)


def at(node: Node, bound: Bound, value: float) -> Node:
    """Return `node` with every term of `bound` at `value` instead."""
    if isinstance(node, Term):
        if not _is_bound(node) or (node.operator in _BELOW) != bound.is_upper:
            return node
        for scale in (1, 100):
            if math.isclose(_number(node), bound.value * scale) and (scale == 1 or value <= 1):
                return replace(node, value=round(value * scale, 10))
        return node
    if isinstance(node, Not):
        return node
    return replace(node, args=tuple(at(arg, bound, value) for arg in node.args))


def _bounds(node: Node) -> Iterator[Term]:
    if isinstance(node, Term):
        if _is_bound(node):
            yield node
    elif isinstance(node, And | Or):
        for arg in node.args:
            yield from _bounds(arg)


def _is_bound(term: Term) -> bool:
    is_number = isinstance(term.value, int | float) and not isinstance(term.value, bool)
    if term.field not in _FIELDS or term.operator not in (*_BELOW, *_ABOVE) or not is_number:
        return False
    return _number(term) > 0 and not (term.operator == "gt" and _number(term) == 1)


def _number(term: Term) -> float:
    assert isinstance(term.value, int | float)
    return float(term.value)
