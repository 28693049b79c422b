"""The ES modules of the pages: short, without circles, each in use, found under hashed names."""

from __future__ import annotations

import posixpath
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.template import Context, Template

from observatory.web.templatetags.modules import imports_of

STATIC = Path(__file__).resolve().parents[2] / "observatory" / "web" / "static"
MODULES = {
    str(path.relative_to(STATIC))
    for path in (STATIC / "obs").rglob("*.js")
    if "-worker" not in path.name
}
ENTRIES = {"obs/core/main.js", "obs/tree.js", "obs/workbench/main.js"}
MAX_LINES, MAX_LINE = 200, 100


def imported(folder: Path, name: str) -> set[str]:
    """Return what the file `name` imports, as paths below `folder`. Its comments are not code."""
    code = re.sub(r"/\*.*?\*/", "", (folder / name).read_text(), flags=re.DOTALL)
    addresses = re.findall(r"""\b(?:import|from|import\()\s*["']([^"']+)["']""", code)
    return {posixpath.normpath(posixpath.join(posixpath.dirname(name), one)) for one in addresses}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_is_short_and_has_one_concern(name) -> None:
    lines = (STATIC / name).read_text().splitlines()
    assert len(lines) <= MAX_LINES
    assert [line for line in lines if len(line) > MAX_LINE] == []
    assert lines[0].startswith("/* ")  # says which


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    order = TopologicalSorter({name: imported(STATIC, name) for name in MODULES}).static_order()
    assert set(order) == MODULES


def test_every_module_is_imported_and_preloaded() -> None:
    assert {name for entry in ENTRIES for name in imports_of(entry)} | ENTRIES == MODULES
    for entry in ENTRIES:
        waiting, reached = {entry}, set()
        while waiting:
            new = imported(STATIC, waiting.pop()) - reached
            reached |= new
            waiting |= new
        assert set(imports_of(entry)) == reached


def test_a_module_that_does_not_exist_is_reported() -> None:
    with pytest.raises(LookupError, match=r"obs/core/nothing\.js"):
        imports_of("obs/core/nothing.js")


def test_imports_name_the_hashed_files_of_production(settings, tmp_path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "observatory.web.storage.QuickStaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    hashed = {name: staticfiles_storage.stored_name(name) for name in MODULES}
    assert not set(hashed) & set(hashed.values())
    for name in MODULES:
        assert imported(tmp_path, hashed[name]) == {
            hashed[other] for other in imported(STATIC, name)
        }
        assert (tmp_path / f"{hashed[name]}.gz").is_file()
    for entry in ENTRIES:
        template = Template(f'{{% load modules %}}{{% module_script "{entry}" %}}')
        addresses = re.findall(r'(?:href|src)="/static/([^"]+)"', template.render(Context()))
        assert addresses == [hashed[name] for name in (*imports_of(entry), entry)]
