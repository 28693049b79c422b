"""CSV is written in one place, guarded when it is for a spreadsheet, and read whole or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory import csv_lines
from observatory.csv_lines import BadFile, guarded, read, unguarded, written
from tests.hostile import FORMULAS

ROOT = Path(__file__).parent.parent


def cells(content: bytes, *, is_guarded: bool = False) -> list[list[str]]:
    names, rows = read(content, is_guarded=is_guarded)
    return [names, *(list(row.cells) for row in rows)]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
ODD_TEXTS = TEXTS | st.sampled_from(["", "'", "''=", '"', ",", "\r", "\n", "-5", *FORMULAS])


@given(st.lists(st.lists(ODD_TEXTS, min_size=2, max_size=2), max_size=6), st.booleans())
def test_what_is_written_is_read_back(rows, is_guarded) -> None:
    table = [["id", "=name"], *rows]
    content = b"".join(written(table, is_guarded=is_guarded))
    assert cells(content, is_guarded=is_guarded) == table


@given(ODD_TEXTS)
def test_a_guard_comes_off_and_is_never_needed_twice(text) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] in {"", "'"} or guarded(text) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_possible_formulas_are_guarded(text) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "plain", "'quoted'", "a=b", "5", " x", "(1)", "日本"])
def test_other_texts_are_left_alone(text) -> None:
    assert guarded(text) == text


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"\n\n", 1),
        (b"a,a\n1,2\n", 1),
        (b"a,\n1,2\n", 1),
        (b"a, \n1,2\n", 1),
        (b"a,b\n1,2\n1,2,3\n", 3),
        (b"a,b\n1,2\n3\n", 3),
        (b'a,b\n1,2\n"x,1\n2,3\n', 3),
        (b'a,b\n1,"2"x\n', 2),
        (b"a,b\n1,\xe9\n", 2),
        ("a,b\né,1\n".encode("latin-1"), 2),
        ("a,b\né,1\n".encode("utf-16-le"), 2),
        ("a,b\n1,2\n".encode("utf-32"), 1),
        (b"a,b\n1,\x002\n", 2),
        (b"a\n1\n\n2\n", 3),
        (b"a,b\n1,2\n  \n3,4\n", 3),
        (b'a,b\n"1\n2",3\n4\n', 4),
    ],
)
def test_a_file_that_would_lose_something_is_refused_by_its_line(content, line) -> None:
    with pytest.raises(BadFile) as refused:
        cells(content)
    assert refused.value.line == line
    assert str(refused.value).startswith(f"line {line}: ")


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"a,b\r1,2\r3,4",
        b"\xef\xbb\xbfa,b\n1,2\n\n3,4\n\n\n",
        "a,b\n1,2\n3,4\n".encode("utf-16"),
        b'"a","b"\n"1","2"\n"3","4"',
    ],
)
def test_encodings_and_line_ends_that_are_sure_are_read(content) -> None:
    assert cells(content) == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_a_cell_may_be_long() -> None:
    long = "x" * 300_000
    assert cells(b"".join(written([["a"], [long], [""]], is_guarded=False)))[1:] == [[long], [""]]


def test_nothing_else_of_the_product_writes_or_reads_csv() -> None:
    own = re.compile(r"^\s*(import csv\b|from csv import)|csv\.(writer|reader|DictReader)", re.M)
    found = [
        str(path.relative_to(ROOT))
        for room in ("observatory", "annotations", "datasets_app")
        for path in (ROOT / room).rglob("*.py")
        if own.search(path.read_text())
    ]
    assert found == [str(Path(csv_lines.__file__).relative_to(ROOT))]
