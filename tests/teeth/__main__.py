"""Break one promise after the other, and demand that the tests notice.

    python -m tests.teeth              every variant
    python -m tests.teeth S2 R2        the variants of these promises
    python -m tests.teeth --list       what there is, without running anything

Works on a copy of the checkout. Ends with 1 if a variant cannot be applied, leaves its tests
green or keeps them from being collected, or if the test that fails does so without it, too.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.teeth import Variant
from tests.teeth.promises import NOT_YET, PROMISES, VARIANTS

ROOT = Path(__file__).resolve().parent.parent.parent
# Installed by the tests' own set-up and not tracked: the copy borrows them.
BORROWED = (
    "tests/sdk/js/node_modules",
    "tests/sdk/js-old/node_modules",
    "tests/sdk/python-old/site",
)
FAILED_TESTS = 1  # pytest's exit status; 2 and more are errors that prove nothing
TIMEOUT_S = 600


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.teeth", description=__doc__)
    parser.add_argument("promises", nargs="*", metavar="PROMISE", help="such as S2; default: all")
    parser.add_argument("--list", action="store_true", help="list the variants and run nothing")
    options = parser.parse_args(arguments)
    if unknown := set(options.promises) - PROMISES.keys():
        parser.error(f"unknown promise: {', '.join(sorted(unknown))}")
    variants = [v for v in VARIANTS if not options.promises or v.promise in options.promises]
    if options.list:
        for variant in variants:
            print(f"{variant.promise}  {variant.breaks}")
        for promise, reason in NOT_YET.items():
            print(f"{promise}  not promised yet: {reason}")
        return 0
    with tempfile.TemporaryDirectory(prefix="observatory-teeth-") as directory:
        return _run(variants, Path(directory).resolve())


def _run(variants: list[Variant], copy: Path) -> int:
    _copy_checkout(copy)
    try:
        _pytest(copy, ["tests/runs/test_changes.py"], "--create-db")  # what --reuse-db finds
        n_green = sum(not _is_noticed(copy, variant) for variant in variants)
    finally:
        _stop_server(copy)
    n_promises = len({variant.promise for variant in variants})
    print(
        f"\n{n_promises} of {len(PROMISES)} promises, {len(variants)} variants:"
        f" {len(variants) - n_green} red, {n_green} not"
    )
    return 1 if n_green else 0


def _copy_checkout(copy: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, copy / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for name in BORROWED:
        if (ROOT / name).exists():
            (copy / name).symlink_to((ROOT / name).resolve())


def _is_noticed(copy: Path, variant: Variant) -> bool:
    """Run the tests of `variant` with it, and those that fail without it; return if it showed.

    It did if a test fails with the variant and passes without.
    """
    path = copy / variant.file
    text = path.read_text()
    if text.count(variant.old) != 1:
        print(f"{variant.promise}  CANNOT BE APPLIED  {variant.file}: {variant.breaks}", flush=True)
        return False
    database = "--create-db" if variant.is_migration else "--reuse-db"
    started = time.monotonic()
    path.write_text(text.replace(variant.old, variant.new))
    try:
        ended = _pytest(copy, variant.tests, database)
    finally:
        path.write_text(text)
    failed = re.findall(r"^FAILED (.+?)(?: - .*)?$", ended.stdout, re.MULTILINE)
    is_red = ended.returncode == FAILED_TESTS and bool(failed)
    # Names of parameters may hold anything, so the function is repeated, not the case.
    function = failed[0].partition("[")[0] if failed else ""
    is_proven = is_red and _pytest(copy, [function], database).returncode == 0
    verdict = "red" if is_proven else "RED WITHOUT IT, TOO" if is_red else "NOT RED"
    seconds = time.monotonic() - started
    print(f"{variant.promise}  {verdict}  {seconds:3.0f} s  {variant.breaks}", flush=True)
    if is_proven:
        print(f"    {failed[0]}", flush=True)
    else:
        print(f"    pytest ended with {ended.returncode}:\n{ended.stdout[-2_000:]}", flush=True)
    return is_proven


def _pytest(copy: Path, names: object, database: str) -> subprocess.CompletedProcess[str]:
    words = ["-q", "-x", "-rf", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, database, *names],  # type: ignore[misc]
        cwd=copy,
        env=os.environ | {"OBSERVATORY_TEST_KEEP_SERVER": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _stop_server(copy: Path) -> None:
    stop = (
        "import tests.settings as s; from observatory.embedded import postgres;"
        " postgres.stop(s.DATA_DIR, mode='immediate')"
    )
    subprocess.run([sys.executable, "-c", stop], cwd=copy, check=False, timeout=60)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
