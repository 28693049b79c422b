"""The `observatory` command: Django's management commands, with the embedded database running.

`--data DIR` before or after the command's name chooses the data directory, like OBSERVATORY_DATA;
the default is ~/.local/share/observatory. Without DATABASE_URL the embedded server is started for
the command if it is not running, and stopped again after it.
"""

from __future__ import annotations

import contextlib
import os
import sys

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

    from observatory.embedded import postgres

    try:
        run(arguments)
    except (ImproperlyConfigured, postgres.InUse) as error:
        raise SystemExit(f"observatory: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run(arguments: list[str]) -> None:
    """Run the command `arguments`, with its database running."""
    from django.conf import settings
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError, OperationalError, connections

    from observatory.embedded import postgres

    # The statement timeout protects requests; a command may run longer.
    database_options: dict[str, object] = settings.DATABASES["default"]["OPTIONS"]  # type: ignore[assignment]
    database_options.pop("options", None)
    needs_database = bool(arguments) and arguments[0] not in WITHOUT_DATABASE
    with contextlib.ExitStack() as stack:
        if settings.IS_EMBEDDED and needs_database:
            stack.enter_context(postgres.borrowed(settings.DATA_DIR))
            stack.callback(connections.close_all)
        try:
            execute_from_command_line(["observatory", *arguments])
        except OperationalError as error:
            raise SystemExit(f"observatory: the database does not answer: {error}") from None
        except DatabaseError as error:
            if settings.DEBUG or "does not exist" not in str(error):
                raise
            first = str(error).splitlines()[0]
            raise SystemExit(
                f"observatory: the tables are not up to date ({first});"
                " run `observatory migrate` first"
            ) from None
