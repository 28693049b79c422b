"""The filter language on projects: their columns and their metadata."""

from __future__ import annotations

import re
from typing import Any, Final

from django.db.models import Q

from observatory import exact
from observatory.runs.filters.fields import Field, Kind, typed
from observatory.runs.filters.grammar import And, FilterError, Node, Not, Or, Term, parse

FIELDS: Final = {
    field.name: field
    for field in (
        Field("id", Kind.UUID, "the project"),
        Field("name", Kind.TEXT, "its name"),
        Field("description", Kind.TEXT, "its description"),
        Field("start_time", Kind.TIME, "when it started"),
        Field("end_time", Kind.TIME, "when it ended; missing while it runs"),
        Field("reference_dataset_id", Kind.UUID, "the dataset of an experiment"),
        Field("metadata", Kind.DOCUMENT, "metadata as a whole"),
        Field("metadata_key", Kind.TEXT, "a key of the metadata", "metadata"),
        Field("metadata_value", Kind.JSON, "the value of that key", "metadata"),
    )
}
_LOOKUPS: Final = {
    "eq": "",
    "in": "__in",
    "gt": "__gt",
    "gte": "__gte",
    "lt": "__lt",
    "lte": "__lte",
    "search": "__icontains",
    "like": "__regex",
}


def condition(text: str) -> Q:
    """Return `text` as a condition on projects. Raises FilterError, which has the position.

    Within one `and`, metadata_key and metadata_value bind to one pair, as they do for runs.
    """
    return _built(parse(text, FIELDS))


def _built(node: Node) -> Q:
    if isinstance(node, Not):
        return ~_built(node.arg)
    if isinstance(node, Or):
        condition = Q()
        for arg in node.args:
            condition |= _built(arg)
        return condition
    if isinstance(node, And):
        return _all(node)
    return _term(node)


def _all(node: And) -> Q:
    args = list(node.args)
    key, value = _asked(args, "metadata_key"), _asked(args, "metadata_value")
    condition = Q()
    if key is not None and value is not None:
        args = [arg for arg in args if arg is not key and arg is not value]
        pair = _pair(str(key.value), value.value)
        has_key = _has_key(str(key.value))
        condition = pair if value.operator == "eq" else has_key & ~pair
    for arg in args:
        condition &= _built(arg)
    return condition


def _asked(args: list[Node], field: str) -> Term | None:
    """Return the first comparison of `field` that can be part of a pair."""
    operators = ("eq",) if field == "metadata_key" else ("eq", "neq")
    for arg in args:
        if isinstance(arg, Term) and arg.field == field and arg.operator in operators:
            return arg
    return None


def _pair(key: str, value: Any) -> Q:
    """Return that the metadata has `value` at `key`, as text or as the JSON in it."""
    values = [value]
    if isinstance(value, str):
        try:
            parsed = exact.loads(value)
        except exact.NotJSON:
            parsed = None
        if isinstance(parsed, (bool, int, float)):
            values.append(parsed)
    condition = Q()
    for candidate in values:
        condition |= Q(extra__contains={"metadata": {key: candidate}})
    return condition


def _has_key(key: str) -> Q:
    # Missing metadata has no key; a null would make `not` lose the project.
    return Q(extra__has_key="metadata") & Q(extra__metadata__has_key=key)


def _of_metadata(node: Term) -> Q:
    if node.field == "metadata" and node.operator == "has":
        try:
            subset = exact.loads(str(node.value))
        except exact.NotJSON:
            subset = None
        if not isinstance(subset, dict):
            raise FilterError("has(metadata, ..) takes a JSON object as text", node.position)
        return Q(extra__contains={"metadata": subset})
    if (node.field, node.operator) in (("metadata", "exists"), ("metadata_key", "eq")):
        return _has_key(str(node.value))
    if (node.field, node.operator) == ("metadata_key", "neq"):
        return ~_has_key(str(node.value))
    if node.field == "metadata_key" and isinstance(node.value, tuple):
        condition = Q(pk__in=[])
        for key in node.value:
            condition |= _has_key(str(key))
        return condition
    raise FilterError(
        "On projects: has(metadata, ..), exists(metadata, ..), metadata_key with eq, neq or in,"
        " and metadata_value with eq or neq beside one eq(metadata_key, ..)",
        node.position,
    )


def _term(node: Term) -> Q:
    if node.field is None or node.field.startswith("metadata"):
        return _of_metadata(node)
    field = FIELDS[node.field]
    value: Any = typed(field, node.operator, node.value)
    column = "uuid" if field.name == "id" else field.name
    if value is None:
        return Q(**{f"{column}__isnull": node.operator == "eq"})
    if node.operator == "neq":
        return ~Q(**{column: value})
    if node.operator == "like":
        value = f"^{_PIECE.sub(_as_regex, value)}$"
    return Q(**{f"{column}{_LOOKUPS[node.operator]}": value})


_PIECE: Final = re.compile(r"\\(.)|(.)", re.DOTALL)
_LIKE: Final = {"%": ".*", "_": "."}


def _as_regex(piece: re.Match[str]) -> str:
    """Return a letter of a LIKE pattern, or an escaped one, as a regular expression."""
    escaped, letter = piece.groups()
    return re.escape(escaped) if escaped else _LIKE.get(letter, re.escape(letter))
