"""Real PostgreSQL always: the embedded one, or the one OBSERVATORY_TEST_DATABASE_URL names.

ada (owner), grace and alan (reviewers) work in `acme`; mallory owns `rival`, another workspace.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def pytest_configure(config: pytest.Config) -> None:
    """Start the embedded server once, in the process that leads the run."""
    if "DATABASE_URL" in os.environ or hasattr(config, "workerinput"):
        return
    from observatory import embedded

    config.stash[_started] = embedded.start(_data())


def _data() -> Path:
    from django.conf import settings

    return Path(settings.DATA_DIR)


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.stash.get(_started, False) and not os.environ.get("OBSERVATORY_TEST_KEEP_SERVER"):
        from observatory import embedded

        embedded.stop(_data(), mode="immediate")


_started: pytest.StashKey[bool] = pytest.StashKey()


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
def acme(db):
    from tests.factories import WorkspaceFactory

    return WorkspaceFactory(slug="acme", name="Acme")


@pytest.fixture
def rival(db):
    from tests.factories import WorkspaceFactory

    return WorkspaceFactory(slug="rival", name="Rival")


@pytest.fixture
def ada(acme):
    from tests.factories import member

    return member(acme, "ada", "owner")


@pytest.fixture
def grace(acme):
    from tests.factories import member

    return member(acme, "grace", "reviewer")


@pytest.fixture
def alan(acme):
    from tests.factories import member

    return member(acme, "alan", "reviewer")


@pytest.fixture
def mallory(rival):
    from tests.factories import member

    return member(rival, "mallory", "owner")


@pytest.fixture
def api(acme):
    """An API client of acme: `api.post("/runs", {...})` sends JSON with acme's key."""
    from tests.factories import WireClient

    return WireClient(acme)


@pytest.fixture
def rival_api(rival):
    from tests.factories import WireClient

    return WireClient(rival)
