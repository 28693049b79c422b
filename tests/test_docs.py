"""What an operator can set, run or call is documented; the README's commands are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class

from observatory import settings
from observatory.config import Environment
from tests import reference

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def document(name: str) -> str:
    return (DOCS / name).read_text()


def our_commands() -> dict[str, str]:
    here = {str(ROOT / package) for package in ("observatory", "annotations", "datasets_app")}
    ours = {c.name for c in apps.get_app_configs() if any(c.path.startswith(p) for p in here)}
    return {name: app for name, app in get_commands().items() if app in ours}


@pytest.mark.parametrize("name", list(settings.env.asked))
def test_every_setting_is_documented(name) -> None:
    assert f"| `{name}` |" in document("reference/settings.md")


def test_every_documented_setting_exists() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", document("reference/settings.md"), re.M))
    assert named == set(settings.env.asked)


@pytest.mark.parametrize("name", list(our_commands()))
def test_every_command_and_its_verbs_are_documented(name) -> None:
    text = document("reference/commands.md")
    parser = load_command_class(our_commands()[name], name).create_parser("observatory", name)
    verbs = [
        verb
        for action in parser._actions
        if action.dest == "verb"
        for verb in (action.choices or [])
    ]
    for wanted in [f"{name} {verb}" for verb in verbs] or [name]:
        assert re.search(rf"\| `{wanted}\b", text), f"`{wanted}` is not in commands.md"


def test_the_endpoints_page_matches_the_url_table() -> None:
    assert reference.TARGET.read_text() == reference.text(), "run `python -m tests.reference`"


def test_the_schema_file_matches_the_servers_response() -> None:
    assert reference.OPENAPI.read_text() == reference.openapi(), "run `python -m tests.reference`"


def test_every_endpoint_is_described() -> None:
    assert [row for row in reference.rows() if row.endswith("|  |")] == []


def test_the_readme_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    start = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/observatory up"
    assert f"```\n{start}\n```" in readme
    command = re.search(r"## Run every test\n\n```\n(.+)\n```", readme)
    assert command is not None
    assert (ROOT / command[1]).stat().st_mode & 0o100


@pytest.mark.parametrize(
    "path", sorted(p for p in [ROOT / "README.md", *DOCS.rglob("*.md")]), ids=str
)
def test_every_link_between_documents_leads_somewhere(path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("name", ["architecture.md", "contributing.md"])
def test_every_file_that_a_developer_is_sent_to_exists(name) -> None:
    paths = re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|toml))`", document(name))
    anywhere = {"models.py", "receivers.py", "admin.py", "apps.py", "_part.html"}
    assert len(paths) > 10
    assert [path for path in paths if path not in anywhere and not (ROOT / path).exists()] == []


def variables_of(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_example_environment_has_settings_only_and_needs_two_secrets() -> None:
    example = variables_of(ROOT / "deploy" / ".env.example")
    assert set(example) - {"POSTGRES_PASSWORD"} <= set(settings.env.asked)
    assert {"DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY"} <= set(example)
    env = Environment(example)
    assert env.secret("SECRET_KEY") == ""  # to be filled in: no secret is shipped
    assert env.database("DATABASE_URL") is not None
    assert env.broker("CELERY_BROKER_URL", "").startswith("redis://")
    # Not filled in, it does not start.
    assert env.mistakes == ["DATABASE_URL: its password is commonly guessed"]
