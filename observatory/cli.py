"""The `observatory` command: Django's management commands, with the embedded database found.

`--data DIR` before or after the command's name chooses the data directory, like
OBSERVATORY_DATA. Without DATABASE_URL the embedded server is started for the command if it is
not running, and stopped again after it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

WITHOUT_DATABASE = {
    "help",
    "version",
    "--help",
    "--version",
    "up",
    "collectstatic",
    "makemigrations",
}


def take_data_option(arguments: list[str]) -> tuple[list[str], str | None]:
    """Return `arguments` without `--data DIR` / `--data=DIR`, and DIR (None if absent)."""
    rest: list[str] = []
    data: str | None = None
    words = iter(arguments)
    for word in words:
        if word == "--data":
            data = next(words, None)
            if data is None:
                raise SystemExit("observatory: --data needs a directory")
        elif word.startswith("--data="):
            data = word.removeprefix("--data=")
        else:
            rest.append(word)
    return rest, data


def main() -> None:
    """Run one management command."""
    arguments, data = take_data_option(sys.argv[1:])
    if data is not None:
        os.environ["OBSERVATORY_DATA"] = data
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "observatory.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    started: Path | None = None
    try:
        from django.conf import settings

        if settings.IS_EMBEDDED and arguments and arguments[0] not in WITHOUT_DATABASE:
            from observatory import embedded

            if embedded.start(settings.DATA_DIR):
                started = settings.DATA_DIR
        execute_from_command_line(["observatory", *arguments])
    except ImproperlyConfigured as error:
        raise SystemExit(f"observatory: {error}") from None
    finally:
        if started is not None:
            from django.db import connections

            from observatory import embedded

            connections.close_all()
            embedded.stop(started)
