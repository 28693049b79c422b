"""What PostgreSQL runs is what the files say, and no file changes without a migration."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from observatory.db import stored_functions

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = sorted(
    (path.parent.parent.name, path.stem) for path in ROOT.glob("*/sql/*.sql") if path.is_file()
)


def installed(function: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [function])
        (definition,) = cursor.fetchone()
    return str(definition)


def test_the_functions_of_the_claim_are_found() -> None:
    assert {("annotations", "open_session"), ("annotations", "reserve_next")} <= set(FUNCTIONS)


@pytest.mark.parametrize(("package", "name"), FUNCTIONS)
def test_the_installed_function_equals_its_file(db, package, name) -> None:
    before = installed(f"{package}_{name}")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(stored_functions.text_of(package, name))
    assert installed(f"{package}_{name}") == before


@pytest.mark.parametrize(("package", "name"), FUNCTIONS)
def test_a_changed_file_has_a_migration(package, name) -> None:
    """A new database has the newest text whatever migration installs it; an old one has not."""
    loader = MigrationLoader(None)
    (newest,) = loader.graph.leaf_nodes(package)
    digests = [
        operation.digest
        for node in loader.graph.forwards_plan(newest)
        for operation in loader.graph.nodes[node].operations
        if isinstance(operation, stored_functions.InstallFunction)
        and (operation.package, operation.name) == (package, name)
    ]
    current = stored_functions.digest_of(package, name)
    assert digests[-1:] == [current], f"add a migration that installs {name}, digest {current}"


def test_a_condition_takes_the_names_of_its_statement() -> None:
    text = stored_functions.condition(
        "annotations", "is_undeferred", {"s.item_id": "i.id", "p_reviewer": "%(me)s"}
    )
    assert "d.item_id = i.id" in text
    assert "d.reviewer_id = %(me)s" in text
    assert "p_reviewer" not in text
