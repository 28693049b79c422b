"""docs/reference/filters.md tells every field, type and function, and its examples are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from observatory.runs.filters.fields import FIELDS, OPERATORS
from observatory.runs.filters.grammar import FUNCTIONS, parse

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "filters.md").read_text()


@pytest.mark.parametrize("name", list(FIELDS))
def test_every_field_is_documented_with_its_type(name) -> None:
    assert f"| `{name}` | {FIELDS[name].kind} |" in TEXT


@pytest.mark.parametrize("kind", list(OPERATORS))
def test_every_type_is_documented_with_its_functions(kind) -> None:
    assert f"| {kind} | {' '.join(f'`{name}`' for name in OPERATORS[kind])} |" in TEXT


def test_every_function_is_documented() -> None:
    assert [name for name in FUNCTIONS if f"`{name}" not in TEXT] == []


def test_every_example_is_a_filter() -> None:
    examples = re.findall(r"^    ((?:and|or)\(.*)$", TEXT, re.M)
    examples += re.findall(r"^\| `((?:and|neq)\(.*?\))` \| (?!all)", TEXT, re.M)
    examples = [example for example in examples if "..." not in example and "(field" not in example]
    assert len(examples) > 8
    for example in examples:
        parse(example)
