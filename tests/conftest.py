"""Real PostgreSQL always: the embedded one, or the one OBSERVATORY_TEST_DATABASE_URL names.

ada (owner), grace and alan (reviewers) work in `acme`; mallory owns `rival`, another workspace.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# How fast a machine is says nothing about the code.
hypothesis_settings.register_profile(
    "observatory", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("observatory")

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


STARTED_BY = (
    "started-by"  # in the data directory: process number of the run that started the server
)


def pytest_configure(config: pytest.Config) -> None:
    sent = getattr(config, "workerinput", {})
    config.stash[_lead] = int(sent.get("lead", os.getpid()))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Tell a worker of pytest-xdist which process leads the run."""
    node.workerinput["lead"] = os.getpid()


_lead: pytest.StashKey[int] = pytest.StashKey()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> None:
    """The server of the tests, started by the first test that needs the database.

    The workers of one run share it: the first starts it, the leading process stops it.
    """
    from django.conf import settings

    if not settings.IS_EMBEDDED:
        return
    from observatory.embedded import postgres

    with (settings.DATA_DIR / "tests.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if postgres.start(settings.DATA_DIR):
            (settings.DATA_DIR / STARTED_BY).write_text(str(pytestconfig.stash[_lead]))


@pytest.fixture(scope="session")
def django_db_setup(postgres_server: None, django_db_setup: None) -> None:
    """Make the test database of pytest-django on a running server."""


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server this run has started, unless OBSERVATORY_TEST_KEEP_SERVER is set."""
    from django.conf import settings

    if not settings.configured or os.environ.get("OBSERVATORY_TEST_KEEP_SERVER"):
        return
    started_by = settings.DATA_DIR / STARTED_BY
    if started_by.exists() and started_by.read_text() == str(os.getpid()):
        from observatory.embedded import postgres

        postgres.stop(settings.DATA_DIR, mode="immediate")
        started_by.unlink()


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
