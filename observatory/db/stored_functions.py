"""Functions stored in PostgreSQL: one SQL file each, in the `sql` folder of their room.

A file holds the current version, as CREATE OR REPLACE FUNCTION; `{name}` in it stands for
`sql/conditions/name.sql`, so that a condition is written once. To change a function, edit its
file and add a migration with one operation:

    operations = [stored_functions.install("annotations", "reserve_next", "3f9c2a…")]

The digest is that of the file (tests/test_stored_functions.py says which). Servers of the
version before go on calling the function while it is replaced, so another signature needs
another name; the old function is dropped one release later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from django.db.migrations.operations import RunSQL

_ROOT = Path(__file__).resolve().parent.parent.parent
_CONDITION = re.compile(r"\{([a-z_]+)\}")


class InstallFunction(RunSQL):
    """Install the current text of a function. Reversing keeps it: earlier code calls it, too."""

    def __init__(self, package: str, name: str, digest: str) -> None:
        self.package, self.name, self.digest = package, name, digest
        super().__init__(text_of(package, name), RunSQL.noop)

    def describe(self) -> str:
        return f"Install the function {self.package}_{self.name}"


def install(package: str, name: str, digest: str) -> InstallFunction:
    """Return the operation that installs `<package>/sql/<name>.sql`.

    `digest` is `digest_of` the file when the migration was written: it detects a later edit of the
    file without a migration.
    """
    return InstallFunction(package, name, digest)


def text_of(package: str, name: str) -> str:
    """Return the statement that creates a function, its conditions filled in."""
    return _filled(package, (_ROOT / package / "sql" / f"{name}.sql").read_text())


def digest_of(package: str, name: str) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of `text_of`."""
    return sha256(text_of(package, name).encode()).hexdigest()[:12]


def condition(package: str, name: str, names: Mapping[str, str]) -> str:
    """Return the condition `<package>/sql/conditions/<name>.sql` for a statement in Python.

    `names` maps names in the condition to replacements: {"p_reviewer": "%(reviewer)s"}.
    """
    text = _filled(package, f"{{{name}}}")
    for old, new in names.items():
        text = re.sub(rf"\b{re.escape(old)}\b", new, text)
    return text


def _filled(package: str, text: str) -> str:
    folder = _ROOT / package / "sql" / "conditions"
    while match := _CONDITION.search(text):
        words = (folder / f"{match[1]}.sql").read_text().strip()
        text = text[: match.start()] + words + text[match.end() :]
    return text
