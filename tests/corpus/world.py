"""The workspace that every request meets: the same ids and the same time in every run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from unittest import mock
from urllib.parse import quote, urlencode
from uuid import NAMESPACE_URL, uuid5

from django.db import transaction
from django.utils import timezone

from observatory.workspaces.models import Workspace
from tests import tenancy
from tests.conftest import NOON
from tests.corpus.cases import Case
from tests.factories import member
from tests.multipart import multipart
from tests.tenancy import Client, Side

MARK = "text"
UNKNOWN = "0a0b0c0d-1111-4222-8333-444455556666"
FRESH = "f0f0f0f0-aaaa-4bbb-8ccc-ddddeeee0001"
START, END = "2026-11-20T11:00:00Z", "2026-11-20T11:00:01Z"
NAMESPACE = uuid5(NAMESPACE_URL, "corpus")
FIXED = (
    *("experiment", "experiment_2", "experiment_run", "experiment_run_2", "thread_run"),
    *("comparison", "example_with_file"),
)
PLACEHOLDER = re.compile(r"\{([a-z_0-9]+)\}")


@contextlib.contextmanager
def frozen(seed: str, now: datetime = NOON) -> Iterator[None]:
    """Give the same random ids and the same time to what runs inside."""
    count = 0

    def urandom(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(size)

    with (
        mock.patch.object(os, "urandom", urandom),
        mock.patch.object(timezone, "now", return_value=now),
    ):
        yield


@dataclass
class World:
    """A furnished workspace, the key of another one, and the values of the placeholders."""

    side: Side
    rival: Side
    values: dict[str, str]
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def send(self, case: Case) -> Any:
        """Return the answer to `case`; what it wrote is rolled back."""
        headers = {name: self.filled(value) for name, value in case.headers.items()}
        credential = {
            "key": {"x-api-key": self.side.token},
            "rival": {"x-api-key": self.rival.token},
            "wrong": {"x-api-key": "obs_wrong"},
            "bearer": {"authorization": f"Bearer {self.side.token}"},
            "none": {},
        }[case.key]
        query = [(name, self.filled(value)) for name, value in case.query]
        path = self.path(case) + (f"?{urlencode(query)}" if query else "")
        with frozen(f"{case.method} {case.path}"), transaction.atomic():
            answer = self.client.generic(
                case.method,
                path,
                self.filled(case.content.decode("latin-1")).encode("latin-1"),
                content_type=case.content_type,
                headers=headers | credential,
            )
            answer.content  # noqa: B018 - streams are read while their rows are there
            transaction.set_rollback(True)
        return answer

    def filled(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda match: self.values.get(match[1], match[0]), text)

    def path(self, case: Case) -> str:
        overrides = dict(case.overrides)

        def value(match: re.Match[str]) -> str:
            name = match[1]
            right = self.values[_placeholder(case.path, name)]
            wanted = overrides.get(name, quote(right, safe=""))
            return self.filled(wanted.replace("{upper}", right.upper()))

        return PLACEHOLDER.sub(value, case.path)


def _placeholder(path: str, name: str) -> str:
    """Return the placeholder that stands for the parameter `name` of `path`."""
    if name == "token":
        return next(kind for prefix, kind in TOKENS.items() if prefix in path)
    return PATHS[name]


# What is in a path -> which token it takes; the first that is there decides.
TOKENS = {
    "/example-attachments/": "example_file_token",
    "/attachments/": "attachment_token",
    "/feedback/tokens/": "token",
    "{token}/datasets": "dataset_share",
    "{token}/examples": "dataset_share",
    "/public/": "run_share",
}
# A path's parameter -> the placeholder that it is.
PATHS = {
    "run_id": "run",
    "session_id": "project",
    "feedback_id": "feedback",
    "queue_id": "queue",
    "run_or_item": "run",
    "item_id": "item",
    "dataset_id": "dataset",
    "example_id": "example",
    "comparison_id": "comparison",
    "repo_handle": "prompt",
    "commit": "commit",
    "owner": "owner",
    "index": "index",
    "thread_id": "thread",
    "trace_id": "run",
    "experiment_id": "project",
    "key": "rubric_key",
    "which": "which",
    "form": "form",
    "name": "schema_name",
    "bulk": "bulk",
    "rest": "rest",
}


def furnish() -> World:
    """Make the rows. Call it in a transaction of a database without others of its kind."""
    with frozen("furnish"):
        acme = Workspace.objects.create(slug="acme", name="Acme")
        side = tenancy.furnish(acme, member(acme, "ada", "owner"), MARK)
        rival = Workspace.objects.create(slug="rival", name="Rival")
        other = tenancy.furnish(rival, member(rival, "mallory", "owner"), "harmless")
        return _world(side, other)


def _world(side: Side, rival: Side) -> World:
    """Add what tests/tenancy.py does not make, by the API, and name everything."""
    ids = side.ids
    client = Client(headers={"x-api-key": side.token})

    def made(method: str, path: str, body: Any, **more: Any) -> Any:
        answer = client.generic(
            method,
            path,
            body if isinstance(body, bytes) else json.dumps(body),
            content_type=more.get("content_type", "application/json"),
        )
        assert answer.status_code < 300, (method, path, answer.content[:500])
        return json.loads(answer.content or b"null")

    fixed = {name: str(uuid5(NAMESPACE, name)) for name in FIXED}
    for name in ("experiment", "experiment_2"):
        body = {"id": fixed[name], "name": name, "reference_dataset_id": ids["dataset"]}
        made("POST", "/sessions", body | {"start_time": START})
    for name, project, more in (
        ("experiment_run", fixed["experiment"], {"reference_example_id": ids["example"]}),
        ("experiment_run_2", fixed["experiment_2"], {"reference_example_id": ids["example"]}),
        ("thread_run", ids["project"], {"extra": {"metadata": {"session_id": "a-thread"}}}),
    ):
        order = f"20261120T110000000000Z{fixed[name]}"
        run = {"id": fixed[name], "trace_id": fixed[name], "dotted_order": order, "name": name}
        run |= {"run_type": "chain", "start_time": START, "end_time": END, "session_id": project}
        made("POST", "/runs", run | {"inputs": {"a": 1}, "outputs": {"b": 2}} | more)
    experiments = [fixed["experiment"], fixed["experiment_2"]]
    made(
        "POST",
        "/datasets/comparative",
        {"id": fixed["comparison"], "name": "a comparison", "experiment_ids": experiments}
        | {"reference_dataset_id": ids["dataset"]},
    )
    parts = [
        (f"attachment.{ids['run']}.notes", b"some text", "text/plain"),
        (f"patch.{ids['run']}", {"id": ids["run"], "trace_id": ids["run"]}),
    ]
    form = "multipart/form-data; boundary=edge"
    made("POST", "/runs/multipart", multipart(parts, "edge", with_length=True), content_type=form)
    example = fixed["example_with_file"]
    parts = [
        (example, {}),
        (f"{example}.inputs", {"a": 1}),
        (f"{example}.attachment.notes", b"some text", "text/plain"),
    ]
    path = f"/v1/platform/datasets/{ids['dataset']}/examples"
    made("POST", path, multipart(parts, "edge"), content_type=form)
    shown = made("GET", f"/runs/{ids['run']}", b"")["s3_urls"]
    files = made("GET", f"/examples/{example}", b"")["attachment_urls"]
    thread = {"project_id": ids["project"]}
    thread_share = made("POST", "/api/v2/threads/a-thread/share", thread)
    values = ids | fixed
    minted = {"run_id": ids["run"], "feedback_key": "correctness"}
    values |= {
        "commit_hash": made("GET", f"/commits/-/{ids['prompt']}/latest", b"")["commit_hash"],
        "token": made("POST", "/feedback/tokens", minted)["url"].rsplit("/", 1)[1],
        "run_share": made("PUT", f"/runs/{ids['run']}/share", {})["share_token"],
        "dataset_share": made("PUT", f"/datasets/{ids['dataset']}/share", {})["share_token"],
        "thread_share": str(thread_share.get("share_token") or thread_share.get("id")),
        "attachment_token": _token(shown, "notes"),
        "example_file_token": _token(files, "notes"),
        "unknown": UNKNOWN,
        "almost": UNKNOWN[:-1],
        "fresh": FRESH,
        "owner": "-",
        "index": "0",
        "thread": "a-thread",
        "rubric_key": "correctness",
        "which": "size",
        "form": "csv",
        "schema_name": "message",
        "bulk": "bulk",
    }
    values["rest"] = f"share_token={values['run_share']}"
    return World(side, rival, values)


def _token(urls: dict[str, Any], name: str) -> str:
    url = next(each["presigned_url"] for key, each in urls.items() if name in key)
    return str(url).rstrip("/").rsplit("/", 1)[1]
