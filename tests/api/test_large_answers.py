"""Answers end with their request, and no list grows without bound."""

from __future__ import annotations

import gc
import json
import weakref
from io import BytesIO
from uuid import uuid4

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from observatory.api.kit import streamed
from observatory.runs import paging
from observatory.runs.models import Run, RunShare
from observatory.workspaces import keys
from tests.factories import WorkspaceFactory
from tests.multipart import multipart, run_parts

pytestmark = pytest.mark.django_db
PATHS = ["/sessions", "/feedback", "/datasets", "/annotation-queues", "/repos", "/runs/query"]


class Watching(WSGIHandler):
    """Django's handler, which notes each response without keeping it."""

    seen: list[weakref.ref]

    def get_response(self, request):
        response = super().get_response(request)
        self.seen.append(weakref.ref(response))
        return response


@pytest.fixture
def acme():
    return WorkspaceFactory(slug="acme-large")


@pytest.fixture
def token(acme) -> str:
    return keys.mint(acme, "large")[1]


@pytest.fixture
def _kept_connection():
    """Keep the test's connection open, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("_kept_connection")
@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_gone_with_its_request_without_the_garbage_collector(token, path) -> None:
    handler = Watching()
    handler.seen = []
    environ = {
        "REQUEST_METHOD": "POST" if path == "/runs/query" else "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_X_API_KEY": token,
        "CONTENT_LENGTH": "0",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
    }
    gc.collect()
    gc.disable()
    try:
        response = handler(environ, lambda status, headers: None)
        assert response.status_code == 200, response.content
        response.close()
        del response
        assert [ref() for ref in handler.seen] == [None]
    finally:
        gc.enable()


@pytest.fixture
def trace(client, token, acme):
    """A trace of 40 runs with outputs of 1,000 characters."""
    root = uuid4()
    parts = run_parts(root, outputs={"a": "x" * 1_000})
    for number in range(39):
        child = uuid4()
        order = f"20260101T000000000000Z{root}.20260101T0000{number:02d}000000Z{child}"
        parts += run_parts(
            child,
            trace_id=root,
            parent_run_id=root,
            dotted_order=order,
            start_time=f"2026-01-01T00:00:{number:02d}+00:00",
            outputs={"a": "x" * 1_000},
        )
    answer = client.post(
        "/runs/multipart",
        multipart(parts, "b"),
        content_type="multipart/form-data; boundary=b",
        headers={"x-api-key": token},
    )
    assert answer.status_code == 202, answer.content
    return root


def test_a_page_of_runs_ends_early_when_its_documents_are_large(
    client, token, trace, monkeypatch
) -> None:
    project = Run.objects.select_related("project").get(id=trace).project
    monkeypatch.setattr(paging, "PAGE_BYTES", 9_500)
    seen: list[str] = []
    cursor = None
    while True:
        answer = client.post(
            "/runs/query",
            json.dumps({"session": [str(project.uuid)], "cursor": cursor}),
            content_type="application/json",
            headers={"x-api-key": token},
        ).json()
        assert len(answer["runs"]) <= 10
        seen += [run["id"] for run in answer["runs"]]
        cursor = answer["cursors"]["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 40


def test_a_large_shared_document_is_streamed(client, acme, trace, monkeypatch) -> None:
    monkeypatch.setattr(streamed, "WHOLE_BYTES", 9_500)
    monkeypatch.setattr(paging, "CHUNK_BYTES", 9_500)
    share = RunShare.objects.create(workspace=acme, run_id=trace, token=uuid4())
    answer = client.get(f"/api/public/{share.token}/runs")
    assert answer.streaming
    listed = json.loads(answer.getvalue())
    assert len({run["id"] for run in listed}) == len(listed) == 40
