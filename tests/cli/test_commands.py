"""Commands find the database of a data directory, running or stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from observatory.cli import take_data_option
from observatory.embedded import postgres
from tests.live import ROOT, child_environment, live_server, open_directory
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data directory that `up` has prepared, and stopped."""
    with open_directory() as directory:
        with live_server(directory):
            pass
        yield directory


def run(data: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environment = child_environment(data)
    del environment["OBSERVATORY_DATA"]
    return subprocess.run(
        [sys.executable, "-m", "observatory", *words, "--data", str(data)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        input=text,
    )


def test_apikey_create_prints_the_key_and_nothing_else(data) -> None:
    made = run(data, "apikey", "create", "for ci", "--workspace", "default")
    assert made.returncode == 0, made.stderr
    key = made.stdout.removesuffix("\n")
    assert key.startswith("obs_")
    assert not set(key) & set(" \n\t")
    assert made.stderr == ""


def test_a_stopped_database_is_started_for_a_command_and_stopped_after_it(data) -> None:
    assert not postgres.is_running(data)
    listed = run(data, "apikey", "list")
    assert "first key" in listed.stdout
    assert not postgres.is_running(data)
    assert postgres.server_process(data) is None


def test_a_running_database_is_used_and_left_running(data) -> None:
    with live_server(data) as live:
        made = run(data, "apikey", "create", "while it runs")
        assert made.returncode == 0, made.stderr
        assert live.status("/readyz") == 200


def test_two_commands_at_once_share_one_server_and_the_last_one_stops_it(data) -> None:
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda n: run(data, "apikey", "create", f"key {n}"), range(3)))
    assert [e.returncode for e in ended] == [0, 0, 0], [e.stderr for e in ended]
    assert len({e.stdout for e in ended}) == 3
    assert postgres.server_process(data) is None


def test_a_command_waits_for_a_server_that_is_stopping(data) -> None:
    postgres.start(data)
    server = postgres.server_process(data)
    assert server is not None
    settings = postgres.connection_settings(data)
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(
            host=str(settings["HOST"]),
            user=str(settings["USER"]),
            password=str(settings["PASSWORD"]),
            dbname=postgres.DATABASE,
        ):
            # It refuses new connections, and stays until this one is closed.
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: not postgres.is_running(data))
            listing = pool.submit(run, data, "apikey", "list")
            time.sleep(2)
            assert not listing.done(), listing.result().stderr
        assert "first key" in listing.result().stdout, listing.result().stderr
    assert postgres.server_process(data) is None


def test_a_server_that_cannot_start_says_why(data) -> None:
    configuration = data / "pg" / "postgresql.auto.conf"
    before = configuration.read_text()
    configuration.write_text("shared_buffers = 'many'\n")
    try:
        listed = run(data, "apikey", "list")
    finally:
        configuration.write_text(before)
    assert listed.returncode == 1
    assert "does not start" in listed.stderr
    assert "shared_buffers" in listed.stderr
    assert "Traceback" not in listed.stderr


def test_people_get_roles_passwords_and_only_leads_the_admin(data) -> None:
    made = run(data, "user", "create", "grace", "--role", "reviewer")
    assert made.returncode == 0, made.stderr
    assert len(made.stdout.strip()) >= 20  # the password, and nothing else
    given = run(
        data,
        *("user", "create", "ada", "--role", "owner", "--password-stdin"),
        text="correct horse battery\n",
    )
    assert (given.returncode, given.stdout) == (0, "")
    assert run(data, "user", "role", "grace", "manager").returncode == 0
    listed = run(data, "user", "list").stdout
    assert "grace: manager of default" in listed
    assert "ada: owner of default" in listed
    assert run(data, "user", "remove", "grace").returncode == 0
    assert "grace: no workspace" in run(data, "user", "list").stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["apikey", "create", "x", "--workspace", "none"], "there is no workspace 'none'"),
        (["apikey", "revoke", "none"], "0 keys are called 'none'"),
        (["workspace", "create", "default"], "there is a workspace 'default' already"),
        (["workspace", "create", "not a slug"], "valid “slug”"),
        (["user", "password", "nobody"], "there is no user called 'nobody'"),
        (["user", "create", "eve", "--role", "viewer", "--password-stdin"], "too short"),
    ],
)
def test_a_wrong_word_is_one_clear_line(data, words, line) -> None:
    ended = run(data, *words, text="short\n")
    assert ended.returncode != 0
    assert line in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_revoked_key_is_listed_as_such_and_a_new_workspace_has_its_project(data) -> None:
    key = run(data, "apikey", "create", "short lived").stdout
    assert run(data, "apikey", "revoke", "short lived").returncode == 0
    states = {
        line.split()[1]: line.split()[3] for line in run(data, "apikey", "list").stdout.splitlines()
    }
    assert states[key[:10]] == "revoked"
    assert run(data, "workspace", "create", "rival", "--name", "Rival").returncode == 0
    shown = run(
        data,
        "shell",
        text="from observatory.runs.models import *\nprint(Project.objects.filter(workspace__slug='rival').values_list('name', flat=True))\n",
    )
    assert "'default'" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "rest", "data"),
    [
        (["--data", "d", "migrate"], ["migrate"], "d"),
        (["migrate", "--data=d"], ["migrate"], "d"),
        (["migrate", "-v", "2"], ["migrate", "-v", "2"], None),
    ],
)
def test_the_data_option_stands_anywhere(arguments, rest, data) -> None:
    assert take_data_option(arguments) == (rest, data)
