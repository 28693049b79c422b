"""Replay the corpus, print what differs, and record it anew by default."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str]) -> int:
    """Return pytest's exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("--check", action="store_true", help="print what differs, write nothing")
    parser.add_argument(
        "--against", metavar="COMMIT", help="like --check, but with what COMMIT has recorded"
    )
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    is_read_only = options.check or options.against
    os.environ["OBSERVATORY_TEST_CORPUS"] = "check" if is_read_only else "record"
    words = ["-q", "-s", "-p", "no:randomly", "--no-header", "--create-db"]
    with tempfile.TemporaryDirectory() as folder:
        if options.against:
            _copy(options.against, folder)
            os.environ["OBSERVATORY_TEST_CORPUS_FROM"] = f"{folder}/tests/corpus"
        return int(pytest.main([*words, "tests/corpus/test_corpus.py"]))


def _copy(commit: str, folder: str) -> None:
    """Put the recorded answers of `commit` into `folder`."""
    names = ["tests/corpus/answers", "tests/corpus/texts"]
    packed = subprocess.run(["git", "archive", commit, *names], check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
