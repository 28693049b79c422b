"""What is sent to the browser: rules for templates, sizes, and vendored files."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import brotli
import pytest

from observatory.web.templatetags.modules import imports_of

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "observatory" / "web" / "static"
TEMPLATES = sorted(
    path for path in (ROOT / "templates").rglob("*.html") if "admin" not in path.parts
)
STYLES = sorted((STATIC / "obs" / "css").glob("*.css"))
SCRIPTS = sorted((STATIC / "obs").rglob("*.js"))
RULES = {
    r"\shx-on[:-]": "inline handlers need eval",
    r"\son[a-z]+\s*=": "inline handlers are refused by the CSP",
    r"\sstyle\s*=": "style attributes are dropped by the CSP",
    r"<script(?![^>]*\ssrc=)": "inline scripts are refused by the CSP",
    r"<style": "inline styles are refused by the CSP",
    r"hx-trigger=\"[^\"]*\[": "with eval off htmx sends whatever the filter says",
    r"hx-vals='js:|hx-vals=\"js:|hx-vars": "need eval",
    r"hx-disinherit|hx-inherit": "every element names its own target",
    r"(src|href|action)=\"https?://": "everything comes from here",
}


@pytest.mark.parametrize("rule", RULES)
def test_templates_keep_the_rules_of_the_house(rule) -> None:
    guilty = [
        f"{path.relative_to(ROOT)}: {found.group(0)}"
        for path in TEMPLATES
        for found in re.finditer(rule, path.read_text())
    ]
    assert guilty == [], RULES[rule]


def test_every_request_names_its_target() -> None:
    for path in TEMPLATES:
        for tag in re.findall(r"<[a-z]+[^>]*\shx-(?:get|post)=[^>]*>", path.read_text(), re.S):
            assert "hx-target=" in tag, f"{path.name}: {tag}"
            assert "hx-swap=" in tag, f"{path.name}: {tag}"


def test_every_form_works_without_scripts() -> None:
    for path in TEMPLATES:
        text = path.read_text()
        for form in re.findall(r"<form[^>]*>", text, re.S):
            assert re.search(r"action=.*method=|method=.*action=", form, re.S), (
                f"{path.name}: {form}"
            )
        assert text.count('method="post"') <= text.count("csrf_token %}"), path.name


def compressed(*names: str) -> int:
    return sum(len(brotli.compress((STATIC / name).read_bytes(), quality=11)) for name in names)


def test_pages_stay_light() -> None:
    import django_htmx

    htmx = Path(django_htmx.__file__).parent / "static" / "django_htmx" / "htmx-2.min.js"
    base = len(brotli.compress(htmx.read_bytes(), quality=11))
    core = {"obs/core/main.js", *imports_of("obs/core/main.js")}
    workbench = {"obs/workbench/main.js", *imports_of("obs/workbench/main.js")} - core
    workbench |= {"obs/tree.js", "obs/workbench/diff-worker.js", "vendor/diff-9.0.0/diff.min.js"}
    base += compressed(*core)
    assert base <= 40_000
    assert base + compressed(*workbench) <= 55_000
    assert compressed(*(f"obs/css/{path.name}" for path in STYLES)) <= 20_000


def test_vendored_files_are_as_published() -> None:
    vendored = tomllib.loads((STATIC / "vendor" / "vendor.toml").read_text())
    folders = {path.name for path in (STATIC / "vendor").iterdir() if path.is_dir()}
    assert folders == {entry["folder"] for entry in vendored.values()}
    for entry in vendored.values():
        folder = STATIC / "vendor" / entry["folder"]
        assert (folder / "LICENSE").is_file()
        for name, digest in entry["files"].items():
            assert hashlib.sha512((folder / name).read_bytes()).hexdigest() == digest
            assert "sourceMappingURL" not in (folder / name).read_text()


def test_scripts_use_nothing_the_csp_refuses() -> None:
    for path in SCRIPTS:
        text = path.read_text()
        assert not re.search(
            r"\beval\(|new Function|\.style\s*=[^=]|\.cssText|setAttribute\(\"style\"|document\.write",
            text,
        ), path.name


def test_styles_are_written_one_declaration_a_line() -> None:
    for path in STYLES:
        for line in path.read_text().splitlines():
            assert len(line) <= 110, f"{path.name}: {line}"
            assert line.count(";") <= 1, f"{path.name}: {line}"
            assert "{" not in line.rstrip("{"), f"{path.name}: {line}"


def test_every_style_sheet_is_loaded_and_none_waits_for_another() -> None:
    pages = "".join(path.read_text() for path in TEMPLATES)
    for path in STYLES:
        assert pages.count(f"{{% static 'obs/css/{path.name}' %}}") == 1
        assert "@import" not in path.read_text()
