"""An example that left as a line of a file is read back as it was, to the digit."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datasets_app import formats
from datasets_app.formats import Columns, Exported
from observatory import csv_lines, exact
from observatory.runs import documents
from tests.hostile import FORMULAS

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
KEYS = TEXTS | st.sampled_from(
    ["a", "b", "a:json", "b:optional", "id", "metadata", "s", "s:json", "=x", ""]
)
NUMBERS = st.sampled_from(["1.10", "1e2", str(2**64 + 1), "-0", "0.1000000000000000055", "-5"])
VALUES = st.recursive(
    TEXTS
    | st.sampled_from(FORMULAS)
    | st.none()
    | st.booleans()
    | st.integers()
    | NUMBERS.map(exact.loads),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=3)
ROWS = st.tuples(
    DOCUMENTS,
    st.none() | DOCUMENTS,
    st.none() | st.dictionaries(KEYS, VALUES, min_size=1, max_size=2),
    st.lists(TEXTS.filter(bool) | st.just("[x"), min_size=1, max_size=2, unique=True),
)
Members = dict[str, Any]


def exported(
    inputs: Any, outputs: Any, metadata: Any, splits: list[str], *, is_indented: bool = True
) -> Exported:
    def text(document: Any) -> str | None:
        return None if document is None else exact.dumps(document, indent=is_indented).decode()

    return Exported(
        id="7b2f0d7e-0000-4000-8000-000000000001",
        inputs=text(inputs),
        outputs=text(outputs),
        metadata=metadata,
        splits=splits,
        created_at="2026-01-01T12:00:00+00:00",
    )


def parsed(members: dict[str, bytes]) -> Members:
    return {name: exact.loads(raw) for name, raw in members.items() if raw != b"null"}


def through_csv(rows: list[Exported], *, is_guarded: bool) -> list[Members]:
    columns = Columns(rows)
    table = [columns.header, *map(columns.cells, rows)]
    content = b"".join(csv_lines.written(table, is_guarded=is_guarded))
    names, lines = csv_lines.read(content, is_guarded=is_guarded)
    kinds = formats.columns_read(names)
    return [parsed(formats.cells_read(kinds, line.cells)) for line in lines]


def without_null(**members: Any) -> Members:
    return {name: value for name, value in members.items() if value is not None}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROWS, max_size=4), st.booleans())
@example([({"a": "="}, {}, None, ["base"]), ({}, None, {"x": 1}, ["[", "b"])], True)
@example([({"": 1}, {"": "x"}, None, ["base"]), ({"a": ""}, {"a": "y"}, None, ["b"])], False)
def test_examples_come_back_from_csv(rows, is_guarded) -> None:
    expected = [
        without_null(
            id="7b2f0d7e-0000-4000-8000-000000000001",
            inputs=inputs,
            outputs=outputs,
            metadata=metadata,
            split=splits if len(splits) > 1 or splits[0].startswith("[") else splits[0],
            created_at="2026-01-01T12:00:00+00:00",
        )
        for inputs, outputs, metadata, splits in rows
    ]
    found = through_csv([exported(*row) for row in rows], is_guarded=is_guarded)
    assert exact.dumps(found, sort_keys=True) == exact.dumps(expected, sort_keys=True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_an_example_comes_back_from_a_line_of_json(row) -> None:
    line = formats.json_line(exported(*row))
    assert line.count(b"\n") == 1
    inputs, outputs, metadata, splits = row
    expected = without_null(
        id="7b2f0d7e-0000-4000-8000-000000000001",
        inputs=inputs,
        outputs=outputs,
        metadata={**(metadata or {}), "dataset_split": splits},
        created_at="2026-01-01T12:00:00+00:00",
    )
    found = parsed(documents.members(line))
    assert exact.dumps(found, sort_keys=True) == exact.dumps(expected, sort_keys=True)


def test_a_column_says_how_its_cells_are_read() -> None:
    rows = [
        exported({"q": "why", "n": 1, "hint": "h"}, None, None, ["base"]),
        exported({"q": "", "n": "1"}, {}, None, ["train"]),
    ]
    columns = Columns(rows)
    assert columns.header[:5] == [
        "id",
        "input_q",
        "input_n:json",
        "input_hint:optional",
        "outputs:json",
    ]
    assert columns.cells(rows[0])[1:5] == ["why", "1", "h", None]
    assert columns.cells(rows[1])[1:5] == ["", '"1"', None, "{}"]
