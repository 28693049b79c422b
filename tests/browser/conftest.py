"""A real browser against the pages. Any CSP violation, script error, console error or request
to another origin fails the test it happens in.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests import scenes

CHROMIUM = os.environ.get("CHROMIUM_PATH", "/usr/bin/chromium")
WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__violations.push(event.violatedDirective + " " + event.blockedURI));
"""


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "args": [
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--force-color-profile=srgb",
            "--font-render-hinting=none",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {
        **browser_context_args,
        "viewport": {"width": 1440, "height": 900},
        "locale": "en-GB",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
    }


class Watch:
    """What went wrong on a page. `allowed` holds texts of console errors a test provokes."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.faults: list[str] = []
        self.allowed: list[str] = []

    def follow(self, page) -> None:
        page.add_init_script(WATCH)
        page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        page.on("console", self._console)
        page.on("request", self._request)

    def _console(self, message) -> None:
        if message.type == "error" and not any(text in message.text for text in self.allowed):
            self.faults.append(f"console: {message.text}")

    def _request(self, request) -> None:
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(request.url))
        if origin != self.origin and not request.url.startswith(("data:", "blob:")):
            self.faults.append(f"request to {request.url}")


@pytest.fixture(autouse=True)
def _answered(transactional_db):
    """Empty the tables only once the server has answered what closing pages sent.

    A page sends a draft as it closes. Emptying the tables meanwhile is a deadlock.
    """
    yield
    n_quiet, deadline = 0, time.monotonic() + 10
    while n_quiet < 3 and time.monotonic() < deadline:
        time.sleep(0.04)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                " AND state <> 'idle'"
            )
            (n_busy,) = cursor.fetchone()
        n_quiet = 0 if n_busy else n_quiet + 1


@pytest.fixture
def watch(live_server):
    return Watch(live_server.url)


@pytest.fixture
def page(page, watch):
    watch.follow(page)
    yield page
    if not page.is_closed() and page.url.startswith(watch.origin):
        watch.faults += page.evaluate("window.__violations || []")
    assert watch.faults == []


@pytest.fixture
def sign_in(live_server):
    """Give a browser context the session of a user: `sign_in(page.context, ada)`."""

    def give(context, user) -> None:
        client = Client()
        client.force_login(user)
        context.add_cookies(
            [
                {
                    "name": "sessionid",
                    "value": client.cookies["sessionid"].value,
                    "url": live_server.url,
                }
            ]
        )

    return give


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def scene(acme, now):
    return scenes.build(acme, now)


@pytest.fixture
def picture():
    """Save a screenshot when OBSERVATORY_TEST_SCREENSHOTS names a folder."""
    folder = os.environ.get("OBSERVATORY_TEST_SCREENSHOTS")

    def save(page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return save
