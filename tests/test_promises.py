"""What docs/promises.md says is cited, held by the tests it names, and all there is to cite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.teeth.promises import NOT_YET, PROMISES, TESTS, VARIANTS

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"\b[ABCTRSXL][1-9]\b")
TEST = re.compile(r"^def test_([abctrsxl][1-9])_", re.M)
PAPER = re.compile(r'(?<!["/\w-])[\w/-]+\.md\b|\b[Ii]ssue \d')  # not a name in quotes
FOREIGN = {"programs", "js", "js-old", "python-old", "ecosystem", "node_modules"}  # others' code


def our_files(*suffixes: str) -> list[Path]:
    roots = ["observatory", "annotations", "datasets_app", "templates", "tests", "docs", ".ci"]
    return [
        path.relative_to(ROOT)
        for root in roots
        for path in sorted((ROOT / root).rglob("*"))
        if path.suffix in suffixes and not FOREIGN & set(path.parts)
    ]


def test_every_number_that_is_cited_is_a_promise() -> None:
    for path in our_files(".py", ".md", ".html", ".sql"):
        cited = set(NUMBER.findall((ROOT / path).read_text()))
        assert cited <= PROMISES.keys() | NOT_YET.keys(), path


@pytest.mark.parametrize("number", PROMISES)
def test_a_promise_is_held_by_the_tests_it_names(number) -> None:
    assert TESTS[number]
    assert [name for name in TESTS[number] if not (ROOT / name).is_file()] == []
    of_variants = {
        name.partition("::")[0] for v in VARIANTS if v.promise == number for name in v.tests
    }
    assert of_variants <= set(TESTS[number])


def test_a_test_with_a_number_in_its_name_is_named_by_the_promise() -> None:
    for path in our_files(".py"):
        for number in TEST.findall((ROOT / path).read_text()):
            assert str(path) in TESTS[number.upper()], number


def test_code_refers_to_no_paper_that_is_not_in_the_tree() -> None:
    for path in our_files(".py", ".html", ".sql"):
        for named in PAPER.findall((ROOT / path).read_text()):
            folders = [ROOT, ROOT / "docs", ROOT / "docs/reference", (ROOT / path).parent]
            assert any((folder / named).is_file() for folder in folders), f"{path}: {named}"
