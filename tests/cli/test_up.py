"""`observatory up`: one command, one tree, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from uuid import uuid4

import psutil
import pytest

from observatory.embedded import postgres
from tests.live import ROOT, child_environment, live_server, open_directory


def tree_of(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def wait_until_gone(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    return [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def names_in(processes: list[psutil.Process]) -> str:
    return " ".join(" ".join(p.cmdline()) for p in processes)


@pytest.fixture(scope="module")
def installation():
    """A directory for data directories, each first started by the test that comes first."""
    with open_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def live(installation):
    """One installation for the tests that leave it as healthy as they found it."""
    with live_server(installation / "kept") as running:
        yield running


def test_the_first_start_prints_what_is_needed_once_and_the_next_only_the_address(installation):
    with live_server(installation / "once") as live:
        assert live.status("/readyz") == live.status("/livez") == 200
        assert f"export LANGSMITH_ENDPOINT={live.url}/api\n" in live.output
        assert live.key.startswith("obs_")
        assert live.password
        key = live.key
        assert live.stop() == 0
    with live_server(installation / "once") as live:
        assert "LANGSMITH_API_KEY" not in live.output
        assert "Password " not in live.output
        assert "observatory apikey create" in live.output
        assert stat.S_IMODE(live.data.stat().st_mode) & 0o066 == 0  # others neither list nor read
        listed = live.observatory("apikey", "list")
        assert key[:10] in listed.stdout  # the data is still there
        assert key not in listed.stdout


@pytest.mark.faults
def test_sigterm_stops_the_whole_tree_within_ten_seconds(installation) -> None:
    with live_server(installation / "shared") as live:
        tree = tree_of(live.process.pid)
        assert {"gunicorn", "worker", "beat", "postgres"} <= {
            word for word in ("gunicorn", "worker", "beat", "postgres") if word in names_in(tree)
        }
        assert live.stop(signal.SIGTERM, timeout_s=10) == 0
        assert wait_until_gone(tree, 0.5) == []
        # B7: parts are asked to end, not killed. A busy machine may run out of patience with one.
        assert live.log.count("is killed") < 3


@pytest.mark.faults
def test_a_killed_parent_leaves_no_orphan_and_the_next_start_carries_on(installation) -> None:
    with live_server(installation / "shared") as live:
        made = live.observatory("apikey", "create", "before the kill")
        tree = tree_of(live.process.pid)
        assert len(tree) >= 7  # up, postgres and its backends, gunicorn + 2, worker, beat
        live.process.kill()
        live.process.wait()
        assert wait_until_gone(tree, 10) == []
    with live_server(installation / "shared") as live:
        assert made.stdout[:10] in live.observatory("apikey", "list").stdout


def part_of(live, name: str) -> psutil.Process:
    """Return the process of a part; the web answers before the last of them has begun."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in psutil.Process(live.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(name in word for word in process.cmdline()):
                    return process
        time.sleep(0.05)
    raise AssertionError(f"no {name} after a minute: {live.log}")


@pytest.mark.faults
@pytest.mark.parametrize("victim", ["gunicorn", "worker", "beat", "postgres"])
def test_a_part_that_is_killed_comes_back(live, victim) -> None:
    killed = part_of(live, victim)
    below = killed.children(recursive=True)
    said = len(live.log)
    killed.kill()
    assert wait_until_gone([killed, *below], 10) == []
    deadline = time.monotonic() + 60
    while "is started again" not in live.log[said:] or live.status("/readyz") != 200:
        assert time.monotonic() < deadline, live.log
        time.sleep(0.1)
    assert "was ended by signal 9; it is started again in" in live.log[said:]


@pytest.mark.faults
def test_while_the_database_is_away_runs_are_answered_503_and_then_stored(live) -> None:
    """Never 500, on which the SDKs would drop their batch; never a refused connection."""
    database = postgres.server_process(live.data)
    assert database is not None
    database.kill()
    answers = []
    deadline = time.monotonic() + 60
    while answers.count(202) < 20:
        assert time.monotonic() < deadline, answers
        answers.append(send_run(live.url, live.key))
    assert set(answers) <= {202, 503}


def send_run(url: str, key: str) -> int:
    """Send one run; return the status, or 0 for a connection that was refused or cut."""
    run = str(uuid4())
    body = {
        "id": run,
        "trace_id": run,
        "dotted_order": f"20261120T120000000000Z{run}",
        "name": "answer",
        "run_type": "chain",
        "start_time": "2026-11-20T12:00:00Z",
    }
    request = urllib.request.Request(
        f"{url}/runs",
        data=json.dumps(body).encode(),
        headers={"x-api-key": key, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def refused(*words: str, data, **environment: str) -> str:
    """Return the one line with which `observatory up` refuses to start."""
    ended = subprocess.run(
        [sys.executable, "-m", "observatory", "up", "--no-demo", *words],
        env=child_environment(data) | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def test_a_taken_port_is_one_clear_line(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("--port", str(port), data=tmp_path)
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in line


def test_a_second_up_on_the_same_data_is_one_clear_line(live) -> None:
    line = refused("--port", "0", data=live.data)
    assert f"another `observatory up` (process {live.process.pid}) uses {live.data}" in line


def test_a_data_directory_that_cannot_be_written_is_one_clear_line(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    line = refused("--port", "0", data=tmp_path / "file" / "data")
    assert "cannot be used (Not a directory)" in line
    assert "--data DIR" in line
