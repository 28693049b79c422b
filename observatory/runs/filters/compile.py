"""Syntax tree -> an SQL boolean over `runs_run`, with parameters.

No text of a user ever becomes SQL: fields come from fields.py, their SQL from the tables
below, and every literal is a parameter.

Missing values: SQL answers NULL, which a WHERE takes as no; `not(..)` is `IS NOT TRUE`, so
that the negation of a comparison with a missing value holds. explain.py does the same.

JSON values (metadata_value, input_value, output_value, feedback_value) compare

* with a string literal as text: a JSON string is its content, anything else its `jsonb`
  text (`5`, `true`, `{"a": 1}`); JSON null is a missing value;
* with a number literal as a number: JSON numbers, and strings that are written as a plain
  number (fields.NUMERIC_TEXT), so `lt(metadata_value, 0.7)` finds 0.65 and "0.65";
* with true or false as the text `true` or `false`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from observatory.runs import judgements, sums
from observatory.runs.durations import LATENCY, UNTIL_FIRST
from observatory.runs.filters.fields import DOCUMENTS, NUMERIC_TEXT, SEARCHED, Field, Kind, typed
from observatory.runs.filters.grammar import And, Node, Not, Term, comparisons
from observatory.runs.filters.pairing import Either, Every, Neither, NoRow, Plan, Rows, plan

SQL = tuple[str, list[Any]]

# A parent without tokens (or cost) of its own spent what the llm runs below it did, as
# runs/spending.py sums it on read. Its own columns are read first, so that most runs cost
# nothing more.
_SPENT = """(CASE WHEN {{r}}.run_type IS DISTINCT FROM 'llm' AND {silent} THEN (
    SELECT {total} FROM runs_run below WHERE below.workspace_id = {{r}}.workspace_id
        AND below.trace_id = {{r}}.trace_id AND below.run_type = 'llm' AND below.id <> {{r}}.id
        AND ({{r}}.trace_id = {{r}}.id OR below.parent_run_id = {{r}}.id
             OR strpos(below.dotted_order, {{r}}.id::text) > 0)
) ELSE {{r}}.{name} END)"""


def _spent(kind: str) -> dict[str, str]:
    names = [f"{part}_{kind}" for part in ("prompt", "completion", "total")]
    silent = " AND ".join(f"{{r}}.{name} IS NULL" for name in names)
    total = sums.tokens if kind == "tokens" else "sum({})".format
    return {
        name: _SPENT.format(silent=silent, name=name, total=total(f"below.{name}"))
        for name in names
    }


SPENT = _spent("tokens") | _spent("cost")
"""Tokens and costs of a run `{r}` as they are read: a parent's are those below it."""
_COMPARISONS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_COLUMNS = {
    "id": "{r}.id",
    "name": "{r}.name",
    "run_type": "{r}.run_type",
    "status": "{r}.status",
    "error": "{r}.error",
    "start_time": "{r}.start_time",
    "end_time": "{r}.end_time",
    "first_token_time": "{r}.first_token_time",
    "latency": LATENCY,
    "first_token_latency": UNTIL_FIRST,
    **SPENT,
    "execution_order": "(CASE WHEN {r}.parent_run_id IS NULL THEN 1 ELSE 2 END)",
    "trace_id": "{r}.trace_id",
    "parent_run_id": "{r}.parent_run_id",
    "session_id": (
        "(SELECT project.uuid FROM runs_project project WHERE project.id = {r}.project_id)"
    ),
    "thread_id": "{r}.thread_id",
    "reference_example": "{r}.reference_example_id",
    "reference_example_id": "{r}.reference_example_id",
    "metadata": "{r}.metadata",
    "inputs": "{r}.inputs",
    "outputs": "{r}.outputs",
    "tags": "{r}.tags",
    "metadata_key": "pair.key",
    "metadata_value": "pair.value",
    "input_key": "pair.key",
    "input_value": "pair.value",
    "output_key": "pair.key",
    "output_value": "pair.value",
    "feedback_key": "judged.key",
    "feedback_score": "judged.score",
    "feedback_value": "judged.value",
    "feedback_comment": "judged.comment",
    "feedback_source": "judged.source_type",
}
_CASTS = {
    Kind.TEXT: "text",
    Kind.NUMBER: "numeric",
    Kind.SECONDS: "float8",
    Kind.TIME: "timestamptz",
    Kind.UUID: "uuid",
}


@dataclass(frozen=True)
class Judged:
    """Which of the readable feedback a filter sees: last modified from `since`, before `until`."""

    since: datetime | None = None
    until: datetime | None = None


EVER = Judged()


def where(node: Node, alias: str = "r", *, judged: Judged = EVER) -> SQL:
    """Return (sql, params): a boolean expression over `runs_run` aliased `alias`.

    The expression may be NULL where a value is missing: use it in WHERE, or as `(sql) IS TRUE`. The
    caller limits `alias` to a workspace, and chooses `alias` itself: it must never come from a
    request. Literal percent signs do not occur.
    """
    if not alias.isidentifier():
        raise ValueError(f"{alias!r} is not an alias")
    return _compile(plan(node), alias, judged)


def named(compiled: SQL, prefix: str = "p") -> tuple[str, dict[str, Any]]:
    """Return `compiled` with named parameters: `prefix` and a number."""
    sql, values = compiled
    names = [f"{prefix}{number}" for number in range(len(values))]
    return sql % tuple(f"%({name})s" for name in names), dict(zip(names, values, strict=True))


def having(node: Node, columns: Mapping[str, str]) -> SQL:
    """Return `node` as a condition over a group of rows, of THREAD_FIELDS: a thread.

    `columns` maps each field to the caller's SQL, with its aggregates.
    """
    if isinstance(node, Term):
        field = node.spec
        if field is None:
            raise ValueError("a group of rows has no text to search through")
        value, column = typed(field, node.operator, node.value), columns[field.name]
        if value is None:
            return f"{column} IS {'' if node.operator == 'eq' else 'NOT '}NULL", []
        return _plain(field, node.operator, value, column)
    if isinstance(node, Not):
        sql, params = having(node.arg, columns)
        return f"({sql}) IS NOT TRUE", params
    word = " AND " if isinstance(node, And) else " OR "
    return _joined([having(arg, columns) for arg in node.args], word)


def where_in_trace(node: Node, alias: str = "r", *, root_only: bool, judged: Judged = EVER) -> SQL:
    """Return `node` as a condition on the root (or on any run) of the run's trace.

    The root's feedback is found by the trace's id, without reading the root.
    """
    if not root_only:
        return _on_a_member(where(node, "member", judged=judged), "member.trace_id", alias)
    conditions: list[SQL] = []
    rest: list[SQL] = []
    for part in _conjuncts(plan(node)):
        if isinstance(part, Rows) and part.family == "feedback":
            conditions.append(_judged_root(list(part.terms), alias, judged))
        else:
            rest.append(_compile(part, "member", judged))
    if rest:
        conditions.append(_on_a_member(_joined(rest, " AND "), "member.id", alias))
    return _joined(conditions, " AND ")


def _on_a_member(condition: SQL, link: str, alias: str) -> SQL:
    sql, params = condition
    return (
        f"EXISTS (SELECT 1 FROM runs_run member WHERE member.workspace_id = {alias}.workspace_id"
        f" AND {link} = {alias}.trace_id AND {sql})",
        params,
    )


def _judged_root(terms: list[Term], alias: str, judged: Judged) -> SQL:
    """Return EXISTS(feedback of the stored root that satisfies every term)."""
    # `is_root` is known once its run is stored (`record.attach`). Looking the root up as well
    # would make the planner expect half the matches, and read all of them to sort a page.
    is_here = "judged.is_root IS NOT NULL"
    condition, params = _joined([_term(term, alias) for term in terms], " AND ")
    condition, params = _seen(f"{condition} AND {is_here}", params, judged)
    return _feedback(condition, alias, "trace_id"), params


def judged_by(node: Node) -> tuple[SQL, SQL] | None:
    """Split `node` into a condition on feedback rows `judged` and the rest on their run `r`.

    Only where it names the feedback's key, so that an index of feedback finds the matches and the
    caller may start from there; else None. Covers the feedback that counts, as in `where`.
    """
    top = plan(node)
    parts: list[Plan] = list(top.args) if isinstance(top, Every) else [top]
    if any(isinstance(part, Every) for part in parts):  # search.all_of
        parts = [
            arg for part in parts for arg in (part.args if isinstance(part, Every) else [part])
        ]
    for part in parts:
        if isinstance(part, Rows) and part.family == "feedback":
            keys = _wanted_keys(list(part.terms))
            if keys is not None and len(keys) == 1:
                condition, params = _joined([_term(each, "r") for each in part.terms], " AND ")
                rest = [_compile(each, "r", EVER) for each in parts if each is not part]
                return (
                    (f"{judgements.RELATION.get().counts} AND {condition}", params),
                    _joined(rest, " AND ") if rest else ("TRUE", []),
                )
    return None


def _conjuncts(node: Plan) -> list[Plan]:
    """Return the parts that must all hold, including those of an `Every` inside."""
    if isinstance(node, Every):
        return [part for arg in node.args for part in _conjuncts(arg)]
    return [node]


def reads_documents(node: Node) -> bool:
    """Return whether `node` has to read the inputs or outputs of each candidate run."""
    return any(term.reads_documents for term in comparisons(node))


def _compile(node: Plan, alias: str, judged: Judged) -> SQL:
    if isinstance(node, Term):
        return _term(node, alias)
    if isinstance(node, Rows):
        return _rows(node.family, list(node.terms), alias, judged)
    if isinstance(node, NoRow):
        sql, params = _rows(node.family, [node.eq], alias, judged)
        return f"NOT {sql}", params
    if isinstance(node, Neither):
        sql, params = _compile(node.arg, alias, judged)
        return f"({sql}) IS NOT TRUE", params
    assert isinstance(node, (Every, Either))
    return _joined(
        [_compile(arg, alias, judged) for arg in node.args],
        " AND " if isinstance(node, Every) else " OR ",
    )


def _joined(parts: list[SQL], word: str) -> SQL:
    return (
        f"({word.join(sql for sql, _ in parts)})",
        [param for _, params in parts for param in params],
    )


def _term(term: Term, alias: str) -> SQL:
    """Return the comparison of one term, on the run or on the current row (pair, judged)."""
    field = term.spec
    if field is None:
        text = str(term.value)
        parts = [_search(name, alias, text) for name in SEARCHED]
        return _joined(parts, " OR ")
    value = typed(field, term.operator, term.value)
    column = _COLUMNS.get(field.name, "").format(r=alias)
    if field.kind is Kind.FLAG:
        return _is_root(term.operator, value, alias)
    if field.kind is Kind.TAGS:
        return _tags(term.operator, value, column)
    if field.kind is Kind.DOCUMENT:
        return _document(term, value, column)
    if value is None:
        is_missing = "IS NULL" if term.operator == "eq" else "IS NOT NULL"
        text = _text_of(column) if field.kind is Kind.JSON else column
        return f"{text} {is_missing}", []
    if field.kind is Kind.JSON:
        return _json(term.operator, value, column)
    return _plain(field, term.operator, value, column)


def _plain(field: Field, operator: str, value: Any, column: str) -> SQL:
    if operator == "like":
        return f"{column} LIKE %s", [value]
    if operator == "search":
        return f"{column} ILIKE %s", [_contains(value)]
    cast = _CASTS[field.kind]
    if field.name == "feedback_score":  # stored as a double: 0.1 is the nearest double to 0.1
        cast = "float8"
        value = [float(item) for item in value] if operator == "in" else float(value)
    if operator == "in":
        return f"{column} = ANY(%s::{cast}[])", [value]
    if field.kind is Kind.TEXT and operator not in {"eq", "neq"}:
        column = f'{column} COLLATE "C"'
    return f"{column} {_COMPARISONS[operator]} %s::{cast}", [value]


def _is_root(operator: str, value: bool | None, alias: str) -> SQL:
    if value is None:  # never missing
        return ("TRUE" if operator == "neq" else "FALSE"), []
    is_root = value == (operator == "eq")
    return f"{alias}.parent_run_id IS {'' if is_root else 'NOT '}NULL", []


def _tags(operator: str, value: Any, column: str) -> SQL:
    if value is None:
        return f"coalesce(cardinality({column}), 0) {'=' if operator == 'eq' else '>'} 0", []
    if operator in {"has", "exists", "eq"}:
        return f"{column} @> ARRAY[%s::text]", [value]
    if operator == "neq":
        return f"({column} @> ARRAY[%s::text]) IS NOT TRUE", [value]
    if operator == "in":
        return f"{column} && %s::text[]", [value]
    word, param = ("LIKE", value) if operator == "like" else ("ILIKE", _contains(value))
    return f"EXISTS (SELECT 1 FROM unnest({column}) tag WHERE tag {word} %s)", [param]


def _document(term: Term, value: Any, column: str) -> SQL:
    name, operator, literal = str(term.field), term.operator, term.value
    if value is None:
        is_missing = "IS NULL" if operator == "eq" else "IS NOT NULL"
        return f"{column} {is_missing}", []
    if operator == "search":
        return _search_document(name, column, value)
    if operator == "has":
        return f"{column}::jsonb @> %s::jsonb", [str(literal)]
    if name == "metadata":
        return f"jsonb_exists({column}, %s)", [value]
    sql, params = _paths(column, [value])
    return f"EXISTS ({sql} SELECT 1 FROM pair WHERE pair.key = %s)", [*params, value]


def _search(name: str, alias: str, text: str) -> SQL:
    column = _COLUMNS[name].format(r=alias)
    if name in {"inputs", "outputs"}:
        return _search_document(name, column, text)
    return f"{column} ILIKE %s", [_contains(text)]


def _search_document(name: str, column: str, text: str) -> SQL:
    """Return whether the document's JSON text contains `text`, as JSON would write it.

    Escapes differ by sender (\\u00e9 or the letter), so a document with a backslash is also
    compared in the normal form of jsonb.
    """
    pattern = _contains(json.dumps(text, ensure_ascii=False)[1:-1])
    if name == "metadata":
        return f"{column}::text ILIKE %s", [pattern]
    sql = (
        f"({column}::text ILIKE %s OR"
        f" (strpos({column}::text, chr(92)) > 0 AND {column}::jsonb::text ILIKE %s))"
    )
    return sql, [pattern, pattern]


def _contains(text: str) -> str:
    """Return the LIKE pattern of "contains `text`"."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _text_of(column: str) -> str:
    return f"({column} #>> '{{}}')"


def _number_of(column: str) -> str:
    text = _text_of(column)
    return (
        f"(CASE jsonb_typeof({column}) WHEN 'number' THEN {column}::numeric"
        f" WHEN 'string' THEN CASE WHEN {text} ~ '{NUMERIC_TEXT}' THEN {text}::numeric END END)"
    )


def _json(operator: str, value: Any, column: str) -> SQL:
    text = _text_of(column)
    if operator == "in":
        parts = [_json("eq", item, column) for item in value]
        return _joined(parts, " OR ") if parts else ("FALSE", [])
    if operator == "like":
        return f"{text} LIKE %s", [value]
    if operator == "search":
        return f"{text} ILIKE %s", [_contains(value)]
    if operator == "neq":
        sql, params = _json("eq", value, column)
        return f"({text} IS NOT NULL AND ({sql}) IS NOT TRUE)", params
    symbol = _COMPARISONS[operator]
    if isinstance(value, Decimal):
        return f"{_number_of(column)} {symbol} %s::numeric", [value]
    if isinstance(value, bool):
        value = "true" if value else "false"
    return f'{text} COLLATE "C" {symbol} %s::text', [value]


def _rows(family: str, terms: list[Term], alias: str, judged: Judged) -> SQL:
    """Return EXISTS(a row of `family` that satisfies every term)."""
    condition, params = _joined([_term(term, alias) for term in terms], " AND ")
    if family == "feedback":
        condition, params = _seen(condition, params, judged)
        return _feedback(condition, alias, "id"), params
    if family == "metadata":
        return _metadata(condition, params, terms, alias)
    sql, before = _paths(f"{alias}.{DOCUMENTS[family]}", _wanted_keys(terms))
    return f"EXISTS ({sql} SELECT 1 FROM pair WHERE {condition})", [*before, *params]


def _seen(condition: str, params: list[Any], judged: Judged) -> SQL:
    """Limit a condition on feedback to what the filter may see."""
    for sql, value in (
        (" AND judged.modified_at >= %s", judged.since),
        (" AND judged.modified_at < %s", judged.until),
    ):
        if value is not None:
            condition, params = condition + sql, [*params, value]
    return condition, params


def _feedback(condition: str, alias: str, link: str) -> str:
    relation = judgements.RELATION.get()
    return (
        f"EXISTS (SELECT 1 FROM {relation.name} judged"
        f" WHERE judged.workspace_id = {alias}.workspace_id AND judged.run_id = {alias}.{link}"
        f" AND {relation.counts} AND {condition})"
    )


def _wanted_keys(terms: list[Term]) -> list[str] | None:
    """Return the only keys that can satisfy the terms, None when any key may."""
    for term in terms:
        if term.operator in {"eq", "in"} and str(term.field).endswith("_key"):
            if isinstance(term.value, tuple):
                return [str(key) for key in dict.fromkeys(term.value)]
            return None if term.value is None else [str(term.value)]
    return None


def _metadata(condition: str, params: list[Any], terms: list[Term], alias: str) -> SQL:
    keys = _wanted_keys(terms)
    if keys is None:
        return f"EXISTS (SELECT 1 FROM jsonb_each({alias}.metadata) pair WHERE {condition})", params
    sql = (  # the keys are known: no walk through the others
        f"(jsonb_exists_any({alias}.metadata, %s::text[]) AND EXISTS ("
        f"SELECT 1 FROM (SELECT wanted.key, {alias}.metadata -> wanted.key AS value"
        f" FROM unnest(%s::text[]) AS wanted(key)"
        f" WHERE jsonb_exists({alias}.metadata, wanted.key)) pair WHERE {condition}))"
    )
    fence, fenced = _contained(terms, keys, alias)
    return f"({fence} AND {sql})" if fence else sql, [*fenced, keys, keys, *params]


def _contained(terms: list[Term], keys: list[str], alias: str) -> SQL:
    """Return the condition that a metadata index can answer and every match meets; empty if none.

    That is a text under one key. A number may be written in many ways, in a string above all.
    """
    for term in terms:
        text = term.value
        if len(keys) == 1 and term.operator == "eq" and isinstance(text, str):
            if str(term.field) != "metadata_value":
                continue
            values: list[Any] = [text]
            with suppress(ValueError, RecursionError):
                values.append(json.loads(text))
            if len(values) > 1 and not isinstance(values[1], int | bool):
                return "", []  # a document or a fraction may be written differently
            parts = [f"{alias}.metadata @> %s::jsonb" for _ in values]
            return f"({' OR '.join(parts)})", [json.dumps({keys[0]: each}) for each in values]
    return "", []


def _paths(column: str, keys: list[str] | None) -> SQL:
    """Return the CTE `pair(key, value)`: every member of the document, dotted inside objects.

    With known paths only the objects on the way to them are expanded.
    """
    params: list[Any] = []
    on_the_way = ""
    if keys is not None:
        on_the_way = (
            " WHERE EXISTS (SELECT 1 FROM unnest(%s::text[]) AS wanted(key)"
            " WHERE starts_with(wanted.key, pair.key || '.'))"
        )
        params.append(keys)
    sql = (
        "WITH RECURSIVE pair(key, value) AS (SELECT top.key, top.value FROM jsonb_each("
        f"CASE WHEN json_typeof({column}) = 'object' THEN {column}::jsonb END) top"
        " UNION ALL SELECT pair.key || '.' || member.key, member.value FROM pair, LATERAL"
        " jsonb_each(CASE WHEN jsonb_typeof(pair.value) = 'object' THEN pair.value END) member"
        f"{on_the_way})"
    )
    return sql, params
