"""The releases of the SDKs that the tests run: the newest, and those of a year ago.

The newest are installed with everything else (`.ci/constraints.txt`, `js/package-lock.json`). Those
of a year ago have directories of their own, `python-old/site` and `js-old/node_modules`, filled
once from their lock files: `python -m tests.sdk.versions`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
JS, JS_OLD, PYTHON_OLD = HERE / "js", HERE / "js-old", HERE / "python-old"
SITE = PYTHON_OLD / "site"
NEWEST, YEAR_OLD = "newest", "year-old"
INSTALL_S = 600
BROUGHT = ("langsmith", "langchain-core")  # of one time: each imports the other


def _is_installed(mark: Path, lock: Path) -> bool:
    return mark.exists() and mark.read_text() == _digest(lock)


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def install_javascript(directory: Path) -> None:
    """Install a JavaScript SDK from its lock file, unless that is what is there."""
    npm = shutil.which("npm")
    assert npm, "the tests of the JavaScript SDK need npm (Debian package npm)"
    lock, mark = directory / "package-lock.json", directory / "node_modules" / ".installed-from"
    if not _is_installed(mark, lock):
        subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=directory,
            check=True,
            timeout=INSTALL_S,
        )
        mark.write_text(_digest(lock))


def lend_javascript_tools() -> None:
    """Let the SDK of a year ago find Jest and Vitest: those that the newest is tested with."""
    own = JS_OLD / "node_modules"
    for lent in (JS / "node_modules").iterdir():
        if lent.name.startswith("."):
            continue
        with contextlib.suppress(FileExistsError):  # its own, or lent before
            (own / lent.name).symlink_to(lent)


def install_python() -> None:
    """Install the Python SDK of a year ago into `python-old/site`, unless it is there."""
    lock, mark = PYTHON_OLD / "constraints.txt", SITE / ".installed-from"
    if not _is_installed(mark, lock):
        shutil.rmtree(SITE, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-conflicts"]
        subprocess.run(
            [*pip, "--target", str(SITE), "--constraint", str(lock), *BROUGHT],
            check=True,
            timeout=INSTALL_S,
        )
        mark.write_text(_digest(lock))


def with_python(version: str, variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a child that imports the SDK of `version`."""
    if version == NEWEST:
        return variables
    install_python()
    path = os.pathsep.join(filter(None, [str(SITE), variables.get("PYTHONPATH", "")]))
    return variables | {"PYTHONPATH": path}


def node_command(node: str, version: str) -> list[str]:
    """Return how a program is run that imports the SDK of `version`."""
    if version == NEWEST:
        return [node]
    return [node, "--import", (JS_OLD / "year-old.mjs").as_uri()]


def releases() -> dict[str, dict[str, str]]:
    """Return the release of each SDK by language and age, from the lock files."""
    pins = (PYTHON_OLD / "constraints.txt").read_text().splitlines()
    common = (HERE.parent.parent / ".ci" / "constraints.txt").read_text().splitlines()

    def pinned(lines: list[str]) -> str:
        return next(line for line in lines if line.startswith("langsmith==")).split("==")[1]

    def locked(directory: Path) -> str:
        lock = json.loads((directory / "package-lock.json").read_text())
        return str(lock["packages"]["node_modules/langsmith"]["version"])

    return {
        "Python": {NEWEST: pinned(common), YEAR_OLD: pinned(pins)},
        "JavaScript": {NEWEST: locked(JS), YEAR_OLD: locked(JS_OLD)},
    }


if __name__ == "__main__":
    with ThreadPoolExecutor() as pool:  # they wait for the network, most of the time
        of_javascript = [pool.submit(install_javascript, directory) for directory in (JS, JS_OLD)]
        of_python = pool.submit(install_python)
        for one in (*of_javascript, of_python):
            one.result()
    lend_javascript_tools()
