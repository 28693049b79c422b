"""A reviewer at the workbench over HTTP, for `observatory bench review`."""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.urls import reverse

from annotations.models import AnnotationQueue
from observatory.console.bench.crowd import Job
from observatory.workspaces.models import User, Workspace
from observatory.workspaces.sessions import SessionStore

Address = tuple[str, int]
_ITEM = re.compile(rb'data-item="([0-9a-f-]{36})"')
_TOKEN = "c" * 32  # a CSRF secret: cookie and header only have to match


@dataclass
class Pages:
    """Seconds of each request."""

    page_s: list[float] = field(default_factory=list)
    next_s: list[float] = field(default_factory=list)
    submit_s: list[float] = field(default_factory=list)


class Browser:
    """A client signed in as `person`, with one persistent connection."""

    def __init__(
        self, address: Address, workspace: Workspace, queue: AnnotationQueue, person: User
    ) -> None:
        session = SessionStore()
        session[SESSION_KEY] = str(person.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.save()
        self.headers = {
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key};"
            f" {settings.CSRF_COOKIE_NAME}={_TOKEN}",
            "X-CSRFToken": _TOKEN,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self.place = (workspace.slug, queue.uuid)
        self.answers = {
            f"answer-{question.pk}": "1" for question in queue.rubric_items.order_by("position")
        }
        self.connection = http.client.HTTPConnection(*address, timeout=30)

    def send(self, method: str, path: str, body: str = "", by_script: bool = True) -> bytes:
        """Return the response body. Raises RuntimeError unless the status is 200."""
        script = {"X-Obs-Fetch": "1"} if by_script else {}
        self.connection.request(method, path, body, self.headers | script)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content

    def page(self) -> str | None:
        """Open the workbench; return the item it shows, None when there is none."""
        return _item(self.send("GET", reverse("review", args=self.place), by_script=False))

    def next(self) -> str | None:
        """Request the next item as the page's script does."""
        return _item(self.send("GET", reverse("review-next", args=self.place)))

    def submit(self, item: str) -> str | None:
        """Submit a review of `item`; return the next item, which is in the response."""
        form = {"submission_id": str(uuid4()), **self.answers}
        path = reverse("review-submit", args=(*self.place, item))
        return _item(self.send("POST", path, urlencode(form)))


def _item(content: bytes) -> str | None:
    match = _ITEM.search(content)
    return match[1].decode() if match else None


def latencies(
    address: Address, workspace: Workspace, queue: AnnotationQueue, person: User, n: int
) -> Pages:
    """Open, reserve and submit `n` times each as one reviewer; return the seconds."""
    browser = Browser(address, workspace, queue, person)
    pages = Pages()
    for _ in range(n):
        begun = time.perf_counter()
        browser.page()
        pages.page_s.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        item = browser.next()
        pages.next_s.append(time.perf_counter() - begun)
        if item is None:
            break
        begun = time.perf_counter()
        browser.submit(item)
        pages.submit_s.append(time.perf_counter() - begun)
    return pages


def worker(address: Address, workspace: Workspace, queue: AnnotationQueue, person: User) -> Job:
    """Return a job for `crowd.crowd`: submit each item that the last response brought."""

    def work(until: float) -> list[tuple[int, int]]:
        browser = Browser(address, workspace, queue, person)
        ids = {str(uuid): pk for uuid, pk in queue.items.values_list("uuid", "pk")}
        pairs: list[tuple[int, int]] = []
        item = browser.next()
        while item is not None and time.monotonic() < until:
            pairs.append((ids[item], person.pk))
            item = browser.submit(item)
        return pairs

    return work
