"""The floors hold in SQL, too: a room names no table of a room above it, and writes only its own.

import-linter sees imports; a table named in a string it does not see.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from tests.test_architecture import FLOORS, ROOT

ROOMS = {  # folder -> label of its tables
    "observatory/workspaces": "workspaces",
    "observatory/runs": "runs",
    "observatory/prompts": "prompts",
    "observatory/feedback": "feedback",
    "annotations": "annotations",
    "datasets_app": "datasets",
}
TABLES = {
    model._meta.db_table: model._meta.app_label
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in ROOMS.values()
}
TABLE = re.compile(
    rf"(?P<verb>\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|COPY)\s+(?:ONLY\s+)?)?"
    rf"\b(?P<table>{'|'.join(TABLES)})\b"
)
# The benchmark and the demonstration fill tables faster, or with other dates, than verbs do.
FILL_TABLES = ("observatory/console/bench/", "observatory/console/demo/")


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of every string that is no docstring, also of the parts of f-strings."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.lineno, node.value


def breaches(statements: Iterator[tuple[int, str]], label: str, *, may_write: bool) -> list[str]:
    """Return what the statements of the room `label` do that it may not, with their lines."""
    wrong = []
    for line, text in statements:
        for named in TABLE.finditer(text):
            owner = TABLES[named["table"]]
            if owner == label:
                continue
            if FLOORS[owner] >= FLOORS[label]:
                wrong.append(f"{line}: names {named['table']}, of a room above or beside")
            elif named["verb"] and not may_write:
                wrong.append(f"{line}: writes {named['table']}, which is for {owner} to write")
    return wrong


def files_of(folder: str) -> list[Path]:
    paths = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.sql")]
    return sorted(path.relative_to(ROOT) for path in paths)


def statements_of(path: Path) -> Iterator[tuple[int, str]]:
    text = (ROOT / path).read_text()
    return iter([(1, text)]) if path.suffix == ".sql" else strings(text)


@pytest.mark.parametrize("folder", ROOMS)
def test_a_room_names_no_table_above_and_writes_only_its_own(folder) -> None:
    for path in files_of(folder):
        is_migration = "migrations" in path.parts  # history: some moved rows of two rooms at once
        wrong = breaches(statements_of(path), ROOMS[folder], may_write=is_migration)
        assert wrong == [], path


def test_only_rooms_write_tables_and_the_ground_names_none() -> None:
    for path in files_of("observatory"):
        if str(path).startswith((*ROOMS, *FILL_TABLES)):
            continue
        named = [match for _, text in statements_of(path) for match in TABLE.finditer(text)]
        is_face = path.parts[1] in {"api", "web", "console"}
        assert [match["table"] for match in named if match["verb"] or not is_face] == [], path


@pytest.mark.parametrize(
    ("label", "source"),
    [
        ("runs", '"""A docstring."""\ncursor.execute("DELETE FROM feedback_feedback")'),
        ("runs", 'sql = f"SELECT 1 FROM feedback_feedback f WHERE {condition}"'),
        ("runs", 'JOINED = """\n  JOIN prompts_commit c ON true\n"""'),
        ("feedback", 'sql = "EXISTS (SELECT FROM annotations_review v WHERE v.uuid = f.review)"'),
        ("annotations", 'sql = "UPDATE runs_run SET name = NULL"'),
        ("annotations", 'sql = "insert"\nmore = f"{with_rows} INSERT INTO feedback_feedback (id)"'),
        ("datasets", 'sql = "DELETE FROM ONLY annotations_seat WHERE id = %s"'),
    ],
)
def test_a_wrong_statement_is_found(label, source) -> None:
    assert len(breaches(strings(source), label, may_write=False)) == 1


@pytest.mark.parametrize(
    ("label", "source"),
    [
        (
            "runs",
            '"""Feedback is in feedback_feedback."""\nsql = "UPDATE runs_run SET name = NULL"',
        ),
        ("annotations", 'sql = "SELECT id FROM runs_run JOIN feedback_feedback ON true"'),
        ("runs", 'name = "feedback_feedback_id_seq"'),
    ],
)
def test_a_right_statement_is_not(label, source) -> None:
    assert breaches(strings(source), label, may_write=False) == []
