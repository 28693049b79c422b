"""What import-linter cannot see: relations by name, migrations, sizes, names and nudges."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import AddIndex, CreateModel
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {  # label -> floor; a room may point at its own floor's room and below
    **dict.fromkeys(["auth", "contenttypes", "sessions", "admin", "messages"], 0),
    "workspaces": 1,
    "runs": 2,
    "prompts": 2,
    "feedback": 3,
    "annotations": 4,
    "datasets": 5,
}
FACES = {"api", "web", "console"}
PACKAGES = ["observatory", "annotations", "datasets_app"]
DRAWERS = {
    *("utils", "util", "helpers", "helper", "common", "misc", "services", "selectors", "manager"),
    *("managers", "data", "info", "process", "processing", "handlers", "handle", "base_utils"),
}
ALLOWED = {Path("observatory/api/info.py")}  # GET /info is the wire's own word
LONGEST = 500


def sources() -> list[Path]:
    return [
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts and "templates" not in path.parts
    ]


def floor_of(label: str) -> int:
    assert label in FLOORS, f"{label} has tables but is on no floor: rooms own tables, faces none"
    return FLOORS[label]


def test_no_relation_points_up() -> None:
    for model in apps.get_models():
        if model._meta.app_label in {"admin", "sessions", "contenttypes", "auth"}:
            continue
        for field in model._meta.get_fields(include_parents=False):
            if not field.is_relation or field.auto_created or field.related_model is None:
                continue
            target = field.related_model._meta.app_label
            assert floor_of(target) <= floor_of(model._meta.app_label), f"{field} points up"


def test_no_migration_depends_on_a_room_above() -> None:
    loader = MigrationLoader(None)
    for (label, name), migration in loader.disk_migrations.items():
        for other, _ in migration.dependencies:
            if label in FLOORS and other in FLOORS and floor_of(label) > 0:
                assert floor_of(other) <= floor_of(label), f"{label}.{name} depends on {other}"


def test_every_room_has_one_newest_migration() -> None:
    assert MigrationLoader(None).detect_conflicts() == {}


# Made before anything was released: they run on empty tables only.
BEFORE_THE_FIRST_RELEASE = {
    ("annotations", "0004_pairs_and_threads"),
    ("feedback", "0002_attributes"),
    ("feedback", "0003_newest_by_key"),
    ("runs", "0005_find_by_metadata"),
}


def test_l2_an_index_of_a_table_in_use_is_built_concurrently() -> None:
    """CREATE INDEX holds up every write to its table until it is built."""
    for key, migration in MigrationLoader(None).disk_migrations.items():
        if key[0] not in FLOORS or floor_of(key[0]) == 0 or key in BEFORE_THE_FIRST_RELEASE:
            continue
        operations = migration.operations
        created = {op.name_lower for op in operations if isinstance(op, CreateModel)}
        for operation in operations:
            if isinstance(operation, AddIndex) and operation.model_name.lower() not in created:
                assert isinstance(operation, AddIndexConcurrently), key
                assert not migration.atomic, key


def test_faces_own_no_table() -> None:
    for label in FACES:
        assert list(apps.get_app_config(label).get_models()) == []


@pytest.mark.parametrize("path", sources(), ids=str)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= LONGEST


def test_every_package_describes_itself_and_its_limits() -> None:
    """Two paragraphs: what it holds; what it must not do or what does not belong in it."""
    plain = {"management", "commands", "templatetags"}  # Django's own folders
    for path in sources():
        if path.name == "__init__.py" and not plain & set(path.parts):
            docstring = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
            assert len(docstring.split("\n\n")) >= 2, path


def test_no_module_is_a_drawer() -> None:
    assert [path for path in sources() if path.stem in DRAWERS and path not in ALLOWED] == []


def test_only_receivers_and_tasks_send_messages() -> None:
    """Everywhere else a row is written, and a sweeper finds it: no broker on the way to a 202."""
    calls = re.compile(r"\.(delay|apply_async|send_task)\(")
    for path in sources():
        if path.stem not in {"receivers", "tasks"}:
            assert not calls.search((ROOT / path).read_text()), f"{path} sends a message"


def test_json_has_one_reader_and_one_writer() -> None:
    """Others turn an integer past 64 bits into a double, or refuse it."""
    for path in sources():
        if path != Path("observatory/exact.py") and path.parts[1] != "console":
            assert "import orjson" not in (ROOT / path).read_text(), (
                f"{path}: use observatory.exact"
            )


def test_signals_are_our_own_and_safe_text_has_one_source() -> None:
    for path in sources():
        text = (ROOT / path).read_text()
        assert "post_save" not in text, path
        if path != Path("observatory/web/rendering.py"):
            assert "mark_safe" not in text, path
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"\|\s*safe\b", text), template
        assert "autoescape off" not in text, template


MUTATORS = {"append", "extend", "insert", "update", "setdefault", "pop", "remove", "clear"}


def foreign_changes(source: str) -> list[int]:
    """Return the lines that set or change an attribute of something imported from the project's packages."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES
        for alias in node.names
    }
    lines = []
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "append":  # `catalogue.remove(...)` is a verb; no verb is `append`
                targets = [node.func.value, ast.Attribute(node.func.value)]
            elif node.func.attr in MUTATORS:
                targets = [node.func.value]
        owners = [target.value for target in targets if isinstance(target, ast.Attribute)]
        if any(isinstance(owner, ast.Name) and owner.id in imported for owner in owners):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", sources(), ids=str)
def test_no_module_changes_another_from_outside(path: Path) -> None:
    """What a room may add to is declared in it: see observatory/extensions.py."""
    assert foreign_changes((ROOT / path).read_text()) == []


@pytest.mark.parametrize(
    ("statement", "is_wrong"),
    [
        ("AnnotationQueueAdmin.inlines.append(HarvestInline)", True),
        ("queues.append(1)", True),
        ("queues.LIMIT = 5", True),
        ("queues.KINDS.update(pair=1)", True),
        ("queues.remove(queue)", False),
        ("QUEUE_INLINES.add(HarvestInline)", False),
        ("mine = []; mine.append(queues)", False),
    ],
)
def test_a_change_from_outside_is_found(statement: str, is_wrong: bool) -> None:
    source = f"from annotations.admin import AnnotationQueueAdmin, queues\n{statement}"
    assert bool(foreign_changes(source)) == is_wrong


def test_no_exception_is_swallowed_in_silence() -> None:
    for path in sources():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ExceptHandler):
                is_wide = node.type is None or (
                    isinstance(node.type, ast.Name)
                    and node.type.id in {"Exception", "BaseException"}
                )
                is_silent = all(isinstance(part, (ast.Pass, ast.Continue)) for part in node.body)
                assert not (is_wide and is_silent), f"{path}:{node.lineno}"
