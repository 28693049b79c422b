"""Which terms of a filter bind to the same feedback, or to the same key and value.

A run has many feedback rows and many metadata pairs. The rule (docs/reference/filters.md):

* Directly inside one and(..), the terms of a family bind to ONE row: one feedback, or one
  key with its value. A term elsewhere (alone, in or(..), in not(..)) binds to a row of its own.
* When all of them are neq with a value, each says that NO row is so: neq(metadata_key, "k")
  is "has no key k". Beside another term, neq is about that term's row:
  and(eq(metadata_key, "k"), neq(metadata_value, "v")) is "k is there, with another value".

Arithmetic: no Django, no clock, no database.
"""

from __future__ import annotations

from dataclasses import dataclass

from observatory.runs.filters.grammar import And, Node, Not, Or, Term


@dataclass(frozen=True)
class Rows:
    """Some row of `family` satisfies every one of `terms`."""

    family: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class NoRow:
    """No row of the family satisfies `eq`; `said` is the neq term it comes from."""

    family: str
    eq: Term
    said: Term


@dataclass(frozen=True)
class Every:
    args: tuple[Plan, ...]


@dataclass(frozen=True)
class Either:
    args: tuple[Plan, ...]


@dataclass(frozen=True)
class Neither:
    arg: Plan
    said: Not


Plan = Term | Rows | NoRow | Every | Either | Neither


def plan(node: Node) -> Plan:
    """Return the tree that both evaluators walk, with the terms of one row grouped."""
    if isinstance(node, And):
        return Every(tuple(_together(node.args)))
    if isinstance(node, Or):
        return Either(tuple(plan(arg) for arg in node.args))
    if isinstance(node, Not):
        return Neither(plan(node.arg), node)
    family = _family(node)
    if family is None:
        return node
    return _bound(family, [node])[0]


def speaks_of(node: Node, family: str) -> bool:
    """Return whether any term of `node` is about a row of `family`."""
    if isinstance(node, Term):
        return _family(node) == family
    args = (node.arg,) if isinstance(node, Not) else node.args
    return any(speaks_of(arg, family) for arg in args)


def _family(node: Node) -> str | None:
    return node.spec.family if isinstance(node, Term) and node.spec else None


def _together(args: tuple[Node, ...]) -> list[Plan]:
    plans: list[Plan] = []
    groups: dict[str, list[Term]] = {}
    for arg in args:
        family = _family(arg)
        if family is None or not isinstance(arg, Term):
            plans.append(plan(arg))
        else:
            groups.setdefault(family, []).append(arg)
    for family, terms in groups.items():
        plans += _bound(family, terms)
    return plans


def _bound(family: str, terms: list[Term]) -> list[Plan]:
    if all(term.operator == "neq" and term.value is not None for term in terms):
        return [
            NoRow(family, Term("eq", term.field, term.value, term.position), term) for term in terms
        ]
    return [Rows(family, tuple(terms))]
