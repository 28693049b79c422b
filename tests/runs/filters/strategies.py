"""Random filters and runs whose values collide often."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from observatory.runs.filters.fields import FIELDS, Field, Kind
from observatory.runs.filters.grammar import MAX_SEARCHES, And, Node, Not, Or, Term, comparisons
from observatory.runs.filters.grammar import _depth as depth

WORDS = [
    "a",
    "b",
    "A",
    "a.b",
    "é",
    "É",
    "5",
    "0.7",
    "-1",
    "true",
    "50%",
    "a_b",
    "",
    'q"t',
    "x\\y",
    "null",
]
NUMBERS: list[int | float] = [0, 1, 2, 5, -1, 0.7, 0.4, 0.1, 100, 1.5]
TIMES = ["2026-11-20T10:00:00Z", "2026-11-20 11:00:00+00:00", "2026-11-20T11:00:01"]
UUIDS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
DURATIONS = [0, 1, "1s", "500ms", "0.0166666666666666666m", 2.5, "1m"]
SUBSETS = ["{}", '{"a": 1}', '{"a": 1.0}', '{"a": {"b": "a"}}', '{"b": [1]}', '{"b": [[2], "a"]}']
SUBSETS += ['{"a": null}', '{"a": true}', '{"é": "é"}', '{"a": [{"b": 1}]}']

scalars = st.sampled_from([*WORDS, *NUMBERS, True, False, None, 1e5, 1e-7, 150.50])
documents: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(WORDS), documents, max_size=4)

_LITERALS: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.sampled_from([*WORDS, "answer", "llm", "success", "error", "app", "api"]),
    Kind.NUMBER: st.sampled_from([*NUMBERS, "0.7", True]),
    Kind.SECONDS: st.sampled_from(DURATIONS),
    Kind.TIME: st.sampled_from(TIMES),
    Kind.UUID: st.sampled_from(UUIDS),
    Kind.FLAG: st.sampled_from([True, False, 0, 1, "true"]),
    Kind.TAGS: st.sampled_from(WORDS),
    Kind.DOCUMENT: st.none(),
    Kind.JSON: st.sampled_from([*WORDS, *NUMBERS, True, False]),
}
_PATTERNS = st.sampled_from(
    ["%", "a%", "_", "%b", "50\\%", "a\\_b", "%.%", "é", "", "%{%", "\\\\%"]
)


@st.composite
def terms(draw: st.DrawFn, names: tuple[str, ...] = tuple(FIELDS)) -> Term:
    if draw(st.integers(0, 19)) == 0:
        return Term("search", None, draw(st.sampled_from(WORDS)))
    field: Field = FIELDS[draw(st.sampled_from(names))]
    operator = draw(st.sampled_from(field.operators))
    literal = _LITERALS[field.kind]
    value: Any
    if operator == "in":
        value = tuple(draw(st.lists(literal, max_size=3)))
    elif operator == "like":
        value = draw(_PATTERNS)
    elif operator in {"search", "exists"}:
        value = draw(st.sampled_from(WORDS))
    elif operator == "has":
        value = draw(st.sampled_from(SUBSETS if field.kind is Kind.DOCUMENT else WORDS))
    elif operator in {"eq", "neq"} and (
        field.kind is Kind.DOCUMENT or draw(st.integers(0, 5)) == 0
    ):
        value = None
    else:
        is_ordered = operator not in {"eq", "neq"}
        value = draw(literal.filter(lambda item: not (is_ordered and isinstance(item, bool))))
    return Term(operator, field.name, value)


def _one_family() -> st.SearchStrategy[Node]:
    """and(..) of terms about one family, where the pairing rule matters."""
    families: dict[str, list[str]] = {}
    for field in FIELDS.values():
        if field.family:
            families.setdefault(field.family, []).append(field.name)
    return st.sampled_from(sorted(families)).flatmap(
        lambda family: st.lists(terms(tuple(families[family])), min_size=1, max_size=3).map(
            lambda args: And(tuple(args))
        )
    )


def nodes() -> st.SearchStrategy[Node]:
    leaves: st.SearchStrategy[Node] = st.one_of(terms(), _one_family())
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=1, max_size=3).map(lambda args: And(tuple(args))),
            st.lists(inner, min_size=1, max_size=3).map(lambda args: Or(tuple(args))),
        ),
        max_leaves=6,
    ).filter(lambda node: depth(node) <= 10 and searches(node) <= MAX_SEARCHES)


def searches(node: Node) -> int:
    return sum(term.reads_documents for term in comparisons(node))


KEYS = ["a", "b", "a.b"]
VALUES: list[Any] = [5, "5", 0.7, "0.7", "0.70", 0.70, True, "true", None, "b", [5], 6]
small_objects = st.dictionaries(
    st.sampled_from(KEYS),
    st.one_of(
        st.sampled_from(VALUES),
        st.dictionaries(st.sampled_from(["b", "c"]), st.sampled_from(VALUES), max_size=2),
    ),
    max_size=3,
)


@st.composite
def pairs(draw: st.DrawFn, family: str) -> Node:
    """Filters on one key and its value, from so few of each that they often meet."""
    key_field, value_field = f"{family}_key", f"{family}_value"
    key = draw(
        st.one_of(
            st.builds(Term, st.sampled_from(["eq", "neq"]), st.just(key_field), _one_of(KEYS)),
            st.builds(
                Term,
                st.just("in"),
                st.just(key_field),
                st.lists(_one_of(KEYS), max_size=2).map(tuple),
            ),
        )
    )
    plain = [value for value in VALUES if not isinstance(value, list)]
    numbers = [5, 0.7, 5.5, "5", "0.7"]
    value = draw(
        st.one_of(
            st.builds(Term, st.sampled_from(["eq", "neq"]), st.just(value_field), _one_of(plain)),
            st.builds(
                Term, _one_of(["gt", "gte", "lt", "lte"]), st.just(value_field), _one_of(numbers)
            ),
            st.builds(
                Term,
                st.just("in"),
                st.just(value_field),
                st.lists(_one_of([v for v in plain if v is not None]), max_size=2).map(tuple),
            ),
        )
    )
    both = And((key, value))
    return draw(st.sampled_from([both, both, value, Not(both), Not(value), Or((key, value))]))


def _one_of(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)
