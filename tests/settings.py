"""The settings of the tests: Observatory's own, on a server and a directory of the tests' own.

pytest-django reads the settings before any conftest.py, so the environment is made here.
"""

import hashlib
import os
import tempfile
from pathlib import Path

_checkout = Path(__file__).resolve().parent.parent
_mark = hashlib.sha256(str(_checkout).encode()).hexdigest()[:8]
_default = Path(tempfile.gettempdir()) / f"observatory-test-{_mark}"
# The tests never touch a person's own data directory.
os.environ["OBSERVATORY_DATA"] = os.environ.get("OBSERVATORY_TEST_DATA", str(_default))
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright runs an event loop
if _url := os.environ.get("OBSERVATORY_TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = _url
    os.environ.setdefault("SECRET_KEY", "a-key-for-tests-only-" + "x" * 32)
    os.environ.setdefault("CELERY_BROKER_URL", "filesystem://localhost")

from observatory.settings import *  # noqa: E402, F403
from observatory.settings import STORAGES  # noqa: E402

# Templates are rendered without collecting static files first.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
# A real hash costs 0.1 s a sign-in; that real ones are used is tested on a live server.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
