"""A live server, the unmodified SDKs, and the programs of people who use them.

Programs run as they would at home: another process, configured by LANGSMITH_* alone. Each ends
by printing one JSON document, which the tests hold against what the SDK reads back.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langsmith import Client

from tests.live import Live, live_server
from tests.sdk import versions

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
JS = versions.JS
PATIENCE_S = 120
collect_ignore = [str(versions.SITE)]  # packages of others, with tests of their own
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The SDK has deprecated half of what is proved here, and the seeds call it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Borrowed:
    """The server of the tests that started these tests."""

    url: str
    key: str

    @property
    def endpoint(self) -> str:
        return f"{self.url}/api"


Server = Live | Borrowed


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if url := os.environ.get("SDK_TESTS_URL"):
        yield Borrowed(url, os.environ["SDK_TESTS_KEY"])
    else:
        with live_server() as live:
            yield live


def wait_until_it_compresses(client: Client) -> None:
    """Wait until the SDK of a year ago has heard of /info that runs may come compressed.

    What it is given before goes another way, for which its `flush` then does not wait.
    """
    deadline = time.monotonic() + PATIENCE_S
    while client.compressed_traces is None:
        assert time.monotonic() < deadline, "nothing heard of /info"
        time.sleep(0.005)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = Client(api_url=server.endpoint, api_key=server.key)
    if isinstance(server, Borrowed):
        wait_until_it_compresses(client)
    yield client
    client.flush()
    client.cleanup()


def environment(server: Server, project: str, **more: str) -> dict[str, str]:
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


@pytest.fixture(params=[versions.NEWEST, versions.YEAR_OLD])
def release(request: pytest.FixtureRequest) -> str:
    """Which SDK runs the programs; `parametrize("release", [versions.NEWEST])` chooses."""
    return str(request.param)


@pytest.fixture
def run_python(release: str, server: Server) -> Run:
    """`run_python("feedback", project, NAME=value)` runs programs/feedback.py, by either SDK."""

    def run(program: str, project: str, **variables: str) -> Any:
        command = [sys.executable, str(PROGRAMS / f"{program}.py")]
        exported = environment(server, project, **variables)
        return _printed(command, PROGRAMS, versions.with_python(release, exported))

    return run


@pytest.fixture(scope="session")
def node() -> str:
    """The JavaScript SDKs, installed from their lock files once; returns the path of node."""
    found = shutil.which("node")
    assert found, "the tests of the JavaScript SDK need node (Debian package nodejs)"
    for directory in (versions.JS, versions.JS_OLD):
        versions.install_javascript(directory)
    versions.lend_javascript_tools()
    return found


@pytest.fixture
def run_node(release: str, server: Server, node: str) -> Run:
    """`run_node("feedback", project, NAME=value)` runs js/feedback.mjs, by either SDK."""

    def run(program: str, project: str, **variables: str) -> Any:
        command = [*versions.node_command(node, release), str(JS / f"{program}.mjs")]
        return _printed(command, JS, environment(server, project, **variables))

    return run
