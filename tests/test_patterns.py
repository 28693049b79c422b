"""Patterns that clients write end, whatever they are, and mean what JSON Schema says."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory import patterns
from observatory.patterns import BadPattern, TooSlow, compiled

NESTED = ("^(a+)+$", "^(a|aa)+$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*(.*)*(.*)*!")


@pytest.mark.parametrize("pattern", NESTED)
def test_a_pattern_that_backtracks_elsewhere_is_linear_here(pattern) -> None:
    found = compiled(pattern)
    assert found.is_linear
    assert found.occurs_in("a" * 50_000 + "#") is False


@pytest.mark.parametrize("pattern", [f"(?=a){one}(?!b)" for one in NESTED])
def test_a_pattern_with_lookaround_ends_at_its_limit(pattern) -> None:
    found = compiled(pattern)
    assert not found.is_linear
    answer = None
    with contextlib.suppress(TooSlow):
        answer = found.occurs_in("a" * 5_000 + "#", limit_s=0.05)
    assert answer in (None, False)
    with pytest.raises(TooSlow, match="characters at most"):
        found.occurs_in("a" * (patterns.MAX_BACKTRACKED + 1))


@pytest.mark.parametrize(
    ("pattern", "texts", "others"),
    [
        (r"a$", ["a", "ba"], ["a\n"]),
        (r"(?=a)a$", ["a"], ["a\n"]),
        (r"^\d+$", ["12"], ["١٢", "1\n"]),
        (r"^\w+$", ["a_1"], ["é"]),
        (r"^[\p{L}\s]+$", ["żółć\u00a0x"], ["1"]),
        (r"^\S+$", ["ab"], ["a\u00a0b", "a\ufeffb"]),
        (r"^\u0041\x42\u{43}$", ["ABC"], ["abc"]),
        (r"^(?!x)\u0041$", ["A"], ["x"]),
        (r"^\ud83d\ude00$", ["😀"], ["?"]),
        (r"^(?!x)\ud83d\ude00$", ["😀"], ["?"]),
        (r"^\/a\_\-\cJ$", ["/a_-\n"], ["/a_-"]),
        (r"^[^]$", ["x", "\n"], ["", "xx"]),
        (r"[]", [], ["", "x"]),
        (r"^[[a]$", ["[", "a"], ["]"]),
        (r"^(?<year>\d{4})$", ["2026"], ["26"]),
        (r"^.{0,2000}$", ["", "x" * 2000], ["x" * 2001]),
        (r"^(?!\.)([A-Za-z0-9_'+\-\.]*)@([a-z]+\.)+[a-z]{2,}$", ["a.b@c.org"], [".a@c.org"]),
        (r"(a)\1", ["aa"], ["ab"]),
    ],
)
def test_patterns_follow_ecma_262(pattern, texts, others) -> None:
    for text in texts:
        assert compiled(pattern).occurs_in(text), text
    for text in others:
        assert not compiled(pattern).occurs_in(text), text


@pytest.mark.parametrize(
    "pattern", ["(", "[" * 400, "*", "a{2,1}", "\ud800", "a" * 1_001, "(?=" * 330, r"\k<n>"]
)
def test_an_unrunnable_pattern_is_refused_with_a_reason(pattern) -> None:
    with pytest.raises(BadPattern):
        compiled(pattern)


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_a_pattern_or_refused_and_runs_to_its_end(source, text) -> None:
    with contextlib.suppress(BadPattern, TooSlow):
        compiled(source).occurs_in(text)


@given(st.text("ab%_\\.^$[", max_size=12), st.text("ab%_\\.^$[", max_size=12))
def test_like_agrees_with_its_definition(pattern, text) -> None:
    if re.search(r"(?<!\\)(\\\\)*\\$", pattern):
        return  # the grammar of filters refuses an escape at the end
    pieces = re.findall(r"\\(.)|(.)", pattern, re.DOTALL)
    expression = "".join(
        re.escape(escaped) if escaped else {"%": ".*", "_": "."}.get(letter, re.escape(letter))
        for escaped, letter in pieces
    )
    expected = re.fullmatch(expression, text, re.DOTALL) is not None
    assert patterns.like(pattern)(text) is expected


def test_a_like_of_many_wildcards_is_linear() -> None:
    assert patterns.like("%a" * 2_000 + "b")("a" * 20_000) is False
