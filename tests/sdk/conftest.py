"""A live server, the unmodified SDKs, and the programs of people who use them.

Programs run as they would at home: another process, configured by LANGSMITH_* alone. Each ends
by printing one JSON document, which the tests hold against what the SDK reads back.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langsmith import Client

from tests.live import Live, live_server

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
JS = HERE / "js"
PATIENCE_S = 120
Run = Callable[..., Any]


@pytest.fixture(scope="session")
def server() -> Iterator[Live]:
    with live_server() as live:
        yield live


@pytest.fixture
def client(server: Live) -> Iterator[Client]:
    client = Client(api_url=server.endpoint, api_key=server.key)
    yield client
    client.flush()
    client.close()


def environment(server: Live, project: str, **more: str) -> dict[str, str]:
    """Return what a person would export, and nothing of the tests' own settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LANGSMITH_", "LANGCHAIN_", "OBSERVATORY_", "DJANGO_", "PYTEST_"))
    }
    return kept | {
        "LANGSMITH_ENDPOINT": server.endpoint,
        "LANGSMITH_API_KEY": server.key,
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_PROJECT": project,
        **more,
    }


def _printed(command: list[str], directory: Path, variables: dict[str, str]) -> Any:
    done = subprocess.run(
        command,
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def run_python(server: Live) -> Run:
    """`run_python("feedback", project, NAME=value)` runs programs/feedback.py."""

    def run(program: str, project: str, **variables: str) -> Any:
        command = [sys.executable, str(PROGRAMS / f"{program}.py")]
        return _printed(command, PROGRAMS, environment(server, project, **variables))

    return run


@pytest.fixture(scope="session")
def node() -> str:
    """The JavaScript SDK, installed from the lock file once; returns the path of node."""
    found, npm = shutil.which("node"), shutil.which("npm")
    assert found, "the tests of the JavaScript SDK need node (Debian package nodejs)"
    assert npm, "the tests of the JavaScript SDK need npm (Debian package npm)"
    lock = hashlib.sha256((JS / "package-lock.json").read_bytes()).hexdigest()
    mark = JS / "node_modules" / ".installed-from"
    if not mark.exists() or mark.read_text() != lock:
        subprocess.run([npm, "ci", "--ignore-scripts"], cwd=JS, check=True, timeout=600)
        mark.write_text(lock)
    return found


@pytest.fixture
def run_node(server: Live, node: str) -> Run:
    """`run_node("feedback", project, NAME=value)` runs js/feedback.mjs."""

    def run(program: str, project: str, **variables: str) -> Any:
        command = [node, str(JS / f"{program}.mjs")]
        return _printed(command, JS, environment(server, project, **variables))

    return run
