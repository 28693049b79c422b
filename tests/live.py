"""A whole Observatory for one test: `observatory up` as a child, on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
START_S = 120.0
OF_THE_TESTS = {
    *("DATABASE_URL", "SECRET_KEY", "CELERY_BROKER_URL", "ALLOWED_HOSTS"),
    "DJANGO_SETTINGS_MODULE",
}


def child_environment(data: Path) -> dict[str, str]:
    """Return the environment of a child process without the tests' own database."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in OF_THE_TESTS and not name.startswith("OBSERVATORY_")
    }
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return kept | {"OBSERVATORY_DATA": str(data), "PYTHONPATH": path}


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that the database's own account can be let into.

    Not pytest's: every pytest that starts closes the common one to other accounts again.
    """
    with tempfile.TemporaryDirectory(prefix="observatory-") as directory:
        yield Path(directory)


def run_apart(program: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what the coroutine of `program` returns, run in a thread of its own.

    The browser tests leave a running event loop in this one.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(program())).result()


@dataclass
class Live:
    """A running installation: where it is, and what its first start printed once."""

    process: subprocess.Popen[str]
    data: Path
    out: Path
    err: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def output(self) -> str:
        return self.out.read_text()

    @property
    def log(self) -> str:
        return self.err.read_text()

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.output)
        assert found is not None, f"{pattern!r} is not in:\n{self.output}\n{self.log}"
        return found[1]

    @property
    def url(self) -> str:
        return self._printed(r"Observatory is at (\S+)")

    @property
    def endpoint(self) -> str:
        return f"{self.url}/api"

    @property
    def key(self) -> str:
        return self._printed(r"LANGSMITH_API_KEY=(\S+)")

    @property
    def password(self) -> str:
        return self._printed(r"Password +(\S+)")

    def observatory(self, *words: str, **options: str) -> subprocess.CompletedProcess[str]:
        """Run another command on this installation."""
        return subprocess.run(
            [sys.executable, "-m", "observatory", *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            input=options.get("input"),
        )

    def status(self, path: str) -> int | None:
        """Return the status of GET path; None while nothing answers."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while "Observatory is at" not in self.output or self.status("/readyz") != 200:
            assert self.process.poll() is None, f"`up` ended:\n{self.output}\n{self.log}"
            assert time.monotonic() < deadline, f"not ready:\n{self.output}\n{self.log}"
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 15.0) -> int:
        """Ask `up` to end and return its status. Raises TimeoutExpired."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)


@contextlib.contextmanager
def live_server(
    data: Path | None = None, *options: str, demo: bool = False, **environment: str
) -> Iterator[Live]:
    """`observatory up` in `data` (a new directory if None), ready, stopped afterwards.

    Use it once a module (a module-scoped fixture): a first start takes seconds.
    """
    with contextlib.ExitStack() as stack:
        if data is None:
            data = stack.enter_context(open_directory())
        files = stack.enter_context(open_directory())
        out, err = files / "out", files / "err"
        words = ["up", "--port", "0", *([] if demo else ["--no-demo"]), *options]
        variables = child_environment(data) | environment
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "observatory", *words],
                env=variables,
                cwd=ROOT,
                stdout=stdout,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        live = Live(process, data, out, err, variables)
        try:
            live.wait_until_ready()
            yield live
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
