"""The filter language on examples: their metadata and ids."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Q

from observatory import exact
from observatory.runs.filters.grammar import And, FilterError, Node, Not, Or, Term, parse


def condition(text: str) -> Q:
    """Return `text` as a condition on revisions. Raises FilterError, which has the position.

    has(metadata, '{"a": 1}') holds when the metadata contains the object, exists(metadata, "a")
    when it has the key; eq, neq and in compare the id; and, or and not combine them.
    """
    return _built(parse(text))


def _built(node: Node) -> Q:
    if isinstance(node, Not):
        return ~_built(node.arg)
    if isinstance(node, (And, Or)):
        condition = Q()
        for arg in node.args:
            condition = (
                condition & _built(arg) if isinstance(node, And) else condition | _built(arg)
            )
        return condition
    build = _TERMS.get((node.operator, node.field or ""))
    if build is None:
        raise FilterError(
            "On examples: has(metadata, ..), exists(metadata, ..), eq(id, ..), neq and in",
            node.position,
        )
    return build(node)


def _has(node: Term) -> Q:
    try:
        subset = exact.loads(str(node.value))
    except exact.NotJSON:
        subset = None
    if not isinstance(subset, dict):
        raise FilterError("has(metadata, ..) takes a JSON object as text", node.position)
    # Missing metadata contains nothing; a null would make `not` lose the example.
    return Q(metadata__isnull=False, metadata__contains=subset)


def _exists(node: Term) -> Q:
    return Q(metadata__isnull=False, metadata__has_key=str(node.value))


_TERMS: dict[tuple[str, str], Callable[[Term], Q]] = {
    ("has", "metadata"): _has,
    ("exists", "metadata"): _exists,
    ("eq", "id"): lambda node: Q(example__uuid=node.value),
    ("neq", "id"): lambda node: ~Q(example__uuid=node.value),
    ("in", "id"): lambda node: Q(example__uuid__in=node.value),
}
