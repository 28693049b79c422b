"""Links to files end with the access that they were made for, at once."""

from __future__ import annotations

import json
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from datasets_app.models import Example
from observatory.runs import sharing, thread_sharing
from observatory.runs.models import Project
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey
from tests.factories import DatasetFactory, WireClient
from tests.multipart import multipart


def status_of(url: str) -> int:
    """Request a file without key and session."""
    return Client().get(urlsplit(url).path).status_code


@pytest.fixture
def run_id(api):
    """A run of a thread, with one file."""
    run_id = uuid4()
    at = "20260701T120000000000Z"
    run = {
        "id": str(run_id),
        "trace_id": str(run_id),
        "dotted_order": f"{at}{run_id}",
        "name": "chat",
        "run_type": "chain",
        "start_time": "2026-07-01T12:00:00Z",
        "session_name": "support",
        "extra": {"metadata": {"thread_id": "t-1"}},
    }
    parts = [(f"post.{run_id}", run), (f"attachment.{run_id}.note", b"hello", "text/plain")]
    send(api, "/runs/multipart", parts, expected=202)
    return run_id


@pytest.fixture
def example(api, acme):
    """An example with one file."""
    dataset = DatasetFactory(workspace=acme)
    uuid = uuid4()
    parts = [
        (str(uuid), {}),
        (f"{uuid}.inputs", {"q": 1}),
        (f"{uuid}.attachment.note", b"hello", "text/plain"),
    ]
    send(api, f"/v1/platform/datasets/{dataset.uuid}/examples", parts, expected=200)
    return Example.objects.get(uuid=uuid)


def send(api, path: str, parts: list, *, expected: int) -> None:
    answer = api.client.post(
        path,
        multipart(parts, "edge"),
        content_type="multipart/form-data; boundary=edge",
        headers={"x-api-key": api.token},
    )
    assert answer.status_code == expected, answer.content


def links_in(content: bytes) -> list[str]:
    """Return every link to a file in an answer, wherever it stands."""
    text = content.decode()
    starts = [at for at in range(len(text)) if text.startswith(PREFIXES, at)]
    return [text[at:].split('"')[0].rstrip("\\") for at in starts]


PREFIXES = ("/api/attachments/", "/api/example-attachments/")


def answers_with_links(api, run_id, example) -> dict[str, bytes]:
    """Return what each kind of view says of the run and the example."""
    dataset = example.dataset.uuid
    project = str(Project.objects.get(name="support").uuid)
    query = {"id": [str(run_id)], "select": ["id", "s3_urls"]}
    v2 = {
        "ids": [str(run_id)],
        "selects": ["ID", "ATTACHMENTS"],
        "project_ids": [project],
        "min_start_time": "2026-07-01T00:00:00Z",
    }
    answers = {
        "run": api.get(f"/runs/{run_id}"),
        "runs": api.post("/runs/query", query),
        "runs of v2": api.post("/api/v2/runs/query", v2),
        "example": api.get(f"/examples/{example.uuid}"),
        "examples": api.get("/examples", dataset=str(dataset), select="attachment_urls"),
        "export": api.get(f"/datasets/{dataset}/jsonl"),
    }
    contents = {}
    for name, answer in answers.items():
        assert answer.status_code == 200, (name, answer.content)
        is_streamed = getattr(answer, "streaming", False)
        contents[name] = b"".join(answer.streaming_content) if is_streamed else answer.content
    return contents


@pytest.mark.parametrize("end", ["revoked", "expired", "deleted"])
def test_the_links_that_a_key_got_end_with_the_key(api, acme, run_id, example, end) -> None:
    links = {
        name: links_in(content)
        for name, content in answers_with_links(api, run_id, example).items()
    }
    assert all(links.values()), links
    assert {status_of(one) for found in links.values() for one in found} == {200}
    other = links_in(WireClient(acme).get(f"/runs/{run_id}").content)
    key = keys.find(api.token, timezone.now())
    if end == "revoked":
        keys.revoke(key, timezone.now())
    elif end == "expired":
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    else:
        key.delete()
    assert {status_of(one) for found in links.values() for one in found} == {404}
    assert {status_of(one) for one in other} == {200}  # another key's links are not touched


def test_the_links_on_a_shared_run_end_when_it_is_unshared(api, acme, run_id) -> None:
    share = sharing.share(acme, run_id)
    pages = [
        Client().get(f"/api/public/{share.token}/run"),
        Client().post(
            f"/api/public/{share.token}/runs/query",
            json.dumps({"select": ["s3_urls"]}),
            content_type="application/json",
        ),
        Client().get(f"/api/v2/public/{share.token}/run/{run_id}?selects=ATTACHMENTS"),
    ]
    links = [one for page in pages for one in links_in(page.content)]
    assert len(links) == len(pages), [page.content for page in pages]
    assert {status_of(one) for one in links} == {200}
    sharing.unshare(acme, run_id)
    assert {status_of(one) for one in links} == {404}
    sharing.share(acme, run_id)  # under another token: old links stay shut
    assert {status_of(one) for one in links} == {404}


def test_the_links_on_a_shared_thread_end_when_it_is_unshared(api, acme, run_id) -> None:
    project = Project.objects.get(name="support")
    share = thread_sharing.share(project, "t-1")
    page = Client().get(f"/api/v2/public/{share.token}/run/{run_id}?selects=ATTACHMENTS")
    [link] = links_in(page.content)
    assert status_of(link) == 200
    thread_sharing.unshare(project, "t-1")
    assert status_of(link) == 404
