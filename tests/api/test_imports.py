"""Any module of the API can be the first that is imported, as the test of one view imports it."""

from __future__ import annotations

import subprocess
import sys

# Django is loaded once; each module is then imported in a fork that has seen no other.
IMPORTS = """
import os, pkgutil, sys
import django
django.setup()
import observatory.api
failed = []
for module in pkgutil.walk_packages(observatory.api.__path__, "observatory.api."):
    if (child := os.fork()) == 0:
        try:
            __import__(module.name)
        except ImportError as error:
            print(module.name, error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(module.name)
sys.exit(f"cannot be imported first: {failed}" if failed else 0)
"""


def test_every_module_of_the_api_can_be_imported_first() -> None:
    finished = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
