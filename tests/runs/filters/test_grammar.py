"""The text of a filter: what is read, what is refused, and where the error is said to be."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.runs import project_filters
from observatory.runs.filters.fields import FIELDS, THREAD_FIELDS, Kind
from observatory.runs.filters.grammar import (
    And,
    FilterError,
    Not,
    Or,
    Term,
    parse,
    unparse,
)
from tests.runs.filters.strategies import nodes


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('has(tags, "needs_review")', Term("has", "tags", "needs_review")),
        (
            'and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
            And((Term("eq", "feedback_key", "user_rating"), Term("lt", "feedback_score", 0.4))),
        ),
        (
            "and(eq(metadata_key, 'k'), neq(metadata_value, 'v'))",
            And((Term("eq", "metadata_key", "k"), Term("neq", "metadata_value", "v"))),
        ),
        (
            'in(metadata_key, ["session_id","conversation_id","thread_id"])',
            Term("in", "metadata_key", ("session_id", "conversation_id", "thread_id")),
        ),
        (
            """has(metadata, '{"k": "say \\\\"hi\\\\""}')""".replace("\\\\", "\\"),
            Term("has", "metadata", '{"k": "say \\"hi\\""}'),
        ),
        ('exists(metadata, "k")', Term("exists", "metadata", "k")),
        ('search("refund")', Term("search", None, "refund")),
        ("search(inputs, 'it\\'s')", Term("search", "inputs", "it's")),
        ("like(name, '50\\%')", Term("like", "name", "50\\%")),
        ("neq(error, null)", Term("neq", "error", None)),
        ('gt(latency, "5s")', Term("gt", "latency", "5s")),
        ("eq(is_root, true)", Term("eq", "is_root", True)),
        ("and(eq(run_type, 'llm'))", And((Term("eq", "run_type", "llm"),))),
        ("not(eq(error, null))", Not(Term("eq", "error", None))),
        (
            " or ( eq(name,'a') ,not(eq(name,'b')) ) ",
            Or((Term("eq", "name", "a"), Not(Term("eq", "name", "b")))),
        ),
        ("eq(total_tokens, -3e2)", Term("eq", "total_tokens", -300.0)),
        ('eq(name, "caf\\u00e9 \\ud83d\\ude00")', Term("eq", "name", "café 😀")),
    ],
)
def test_a_filter_becomes_its_tree(text: str, tree: object) -> None:
    assert parse(text) == tree
    assert parse(unparse(parse(text))) == tree


@pytest.mark.parametrize("quote", ["'", '"'])
def test_every_field_may_be_written_in_quotes(quote: str) -> None:
    literals = {
        Kind.TEXT: "'a'",
        Kind.NUMBER: "1",
        Kind.SECONDS: "'5s'",
        Kind.TIME: "'2026-01-31T09:30:00Z'",
        Kind.UUID: "'00000000-0000-4000-8000-000000000000'",
        Kind.FLAG: "true",
        Kind.JSON: "'a'",
    }
    for fields in (FIELDS, THREAD_FIELDS, project_filters.FIELDS):
        for name, field in fields.items():
            for operator in field.operators:
                literal = literals.get(field.kind, "'a'")
                if operator in {"exists", "search", "like"}:
                    literal = "'a'"
                elif operator == "has":
                    literal = """'{"a": 1}'"""
                elif operator == "in":
                    literal = f"[{literal}]"
                elif field.kind is Kind.DOCUMENT:
                    literal = "null"
                plain = parse(f"{operator}({name}, {literal})", fields)
                quoted = parse(f"{operator}({quote}{name}{quote}, {literal})", fields)
                assert quoted == plain


def test_infix_words_give_the_tree_of_the_calls() -> None:
    a, b, c = (Term("eq", "name", letter) for letter in "abc")
    text = "eq(name, 'a') and (eq(name, 'b') or eq(name, 'c'))"
    assert parse(text) == And((a, Or((b, c))))
    assert parse("eq(name,'a') or eq(name,'b') and eq(name,'c')") == Or((a, And((b, c))))
    assert parse("eq(name,'a') and eq(name,'b') and eq(name,'c')") == And((a, b, c))


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "found the end"),
        ("eq(name, 'a'", 12, "Expected ')', found the end"),
        ("eq(name 'a')", 8, "Expected ','"),
        ("equals(name, 'a')", 0, "Unknown function 'equals'"),
        ("and(eq(nme, 'a'))", 7, "Unknown field 'nme'; known are id, name"),
        ("eq(name__startswith, 'a')", 3, "Unknown field"),
        ("eq(workspace, 'a')", 3, "Unknown field"),
        ("eq('nme', 'a')", 3, "Unknown field 'nme'"),
        ("eq('name')", 3, "expects a field first"),
        ("eq(5, 'a')", 3, "expects a field first"),
        ("eq('true', 'a')", 3, "Unknown field 'true'"),
        (
            "or(" + ",".join(["search('a')"] * 11) + ")",
            3 + 12 * 10,
            "at most 10 searches of inputs and outputs",
        ),
        ("eq(name, 'a') eq(name, 'b')", 14, "Unexpected 'eq'"),
        ("eq(name, 'a)", 9, "no closing quote"),
        ("eq(name, $x)", 9, "Unexpected '$'"),
        ("eq(name, 5)", 9, "name expects a string"),
        ("gt(is_root, true)", 12, "is_root does not take gt; it takes eq, neq"),
        ("eq(start_time, 'yesterday')", 15, "ISO 8601"),
        ("gt(latency, '5 weeks')", 12, "duration"),
        ("eq(id, 'x')", 7, "UUID"),
        ("in(name, 'a')", 9, "expects a list"),
        ("eq(name, ['a'])", 9, "a list only with in"),
        ("in(name, ['a', null])", 9, "a list of plain values"),
        ("in(name, [['a']])", 10, "A list must not contain lists"),
        ("gt(name, null)", 9, "only by eq and neq"),
        ("has(metadata, 'k')", 14, "JSON object"),
        ("""has(metadata, '{"a": NaN}')""", 14, "JSON object"),
        ("""has(metadata, '{"a": 1e99999}')""", 14, "JSON object"),
        ("""has(metadata, '{"a": "\\u0000"}')""", 14, "JSON object"),
        ('like(name, "a\\\\")', 11, "escape character"),
        ('eq(name, "\\q")', 9, "unknown escape"),
        ("\x1f", 0, "Unexpected"),
        ('eq(name, "\\u0000")', 9, "contains a NUL or an unpaired surrogate"),
        ('eq(name, "\\ud800")', 9, "contains a NUL or an unpaired surrogate"),
        ("eq(total_tokens, 1e999)", 17, "too large"),
        ("eq(total_tokens, " + "9" * 41 + ")", 17, "at most 40 characters"),
        ("not(eq(name,'a'), eq(name,'b'))", 0, "not takes one argument"),
        ("eq(name, 'a'" + " " * 10_240 + ")", 10_240, "at most 10240 bytes"),
        ("not(" * 11 + "eq(name,'a')" + ")" * 11, 40, "at most 10 deep"),
        ("(" * 3000, 10, "at most 10 deep"),
        ("or(" + ",".join(["eq(name,'a')"] * 100) + ")", 3 + 13 * 99, "at most 100 calls"),
    ],
)
def test_an_invalid_filter_has_a_reason_and_a_position(text: str, position: int, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert said in caught.value.message
    assert caught.value.position == position
    assert f"at position {position}" in str(caught.value)


@given(nodes())
def test_unparse_gives_text_of_the_same_tree(node) -> None:
    assert parse(unparse(node)) == node


_MARKS = """and( or( not( eq( in( search( ) , [ ] " ' \\ null true 1 - . e9 ( and or 'a' "b" é"""
_SCRAPS = st.sampled_from([*FIELDS, *_MARKS.split(), " ", "\n"])


@given(
    st.one_of(
        st.text(max_size=60),
        st.text(string.printable, max_size=60),
        st.lists(_SCRAPS, max_size=25).map("".join),
    )
)
def test_any_text_parses_or_fails_with_a_position(text: str) -> None:
    position = 0
    try:
        node = parse(text)
    except FilterError as error:
        position = error.position
    else:
        assert parse(unparse(node)) == node
    assert 0 <= position <= len(text)
