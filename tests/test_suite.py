"""What the suite promises a developer: tests of arithmetic need no database server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_file_without_database_starts_no_server(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_exact.py"],
        cwd=ROOT,
        env=os.environ | {"OBSERVATORY_TEST_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "database_password").exists()  # these were the settings of that run
    assert not (tmp_path / "pg").exists()
