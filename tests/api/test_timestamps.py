"""Every time leaves in one form, UTC with six digits and a Z: the SDKs compare times as texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from langsmith import schemas

from observatory import exact
from observatory.runs.models import Run
from tests import tenancy
from tests.conftest import NOON
from tests.tenancy import Client, Side
from tests.test_tenancy import ALL, PUBLIC

TIME = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
EXPECTED = {
    *("created_at", "modified_at", "updated_at", "start_time", "end_time", "as_of"),
    *("first_token_time", "last_run_start_time", "added_at", "expires_at"),
}
FORM = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


def times(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each time of a JSON answer with the name of its field."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from times(member, key)
    elif isinstance(value, list):
        for member in value:
            yield from times(member, name)
    elif isinstance(value, str) and TIME.match(value):
        yield name, value


@pytest.fixture
def side(acme, ada) -> Side:
    side = tenancy.furnish(acme, ada, "times")
    Run.objects.filter(workspace=acme).update(
        start_time=NOON, end_time=NOON, first_token_time=NOON + timedelta(microseconds=1)
    )
    return side


def reads(side: Side) -> Iterator[tuple[str, str, Any]]:
    """Yield every GET of the wire, and the lists that are asked for by POST."""
    for route in ALL:
        if (route.view or route.callback).__name__ in PUBLIC or not route.takes("GET"):
            continue
        for values in tenancy.combinations(route, side, side):
            yield "GET", route.path(**values), None
    project, dataset = side.ids["project"], side.ids["dataset"]
    since = {"min_start_time": "0001-01-01T00:00:00Z"}
    yield "GET", f"/sessions/{project}?include_stats=true", None
    yield "POST", "/runs/query", {"session": [project]}
    yield "POST", "/runs/stats", {"session": [project]}
    yield "POST", "/runs/group", {"session_id": project, "group_by": "conversation"}
    yield "POST", "/api/v2/runs/query", since | {"project_ids": [project], "selects": FIELDS}
    yield "POST", "/api/v2/traces/query", since | {"project_id": project}
    yield "POST", "/api/v2/threads/query", since | {"project_id": project}
    yield "POST", f"/datasets/{dataset}/runs", {"session_ids": [project]}
    queue = f"/platform/annotation-queues/{side.ids['queue']}/items?status="
    for status in ("needs_my_review", "needs_others_review", "archived"):
        yield "GET", f"/api/v1{queue}{status}", None


FIELDS = ["ID", "START_TIME", "END_TIME", "FIRST_TOKEN_TIME"]


@pytest.mark.django_db
def test_every_response_has_times_in_one_format(side) -> None:
    client = Client(headers={"x-api-key": side.token})
    seen: set[str] = set()
    for method, path, body in reads(side):
        answer = client.generic(
            method, path, b"" if body is None else json.dumps(body), content_type="application/json"
        )
        if answer.status_code != 200 or "json" not in answer.get("content-type", ""):
            continue
        for name, value in times(exact.loads(answer.content)):
            assert FORM.match(value), (path, name, value)
            seen.add(name)
    assert seen >= EXPECTED, EXPECTED - seen


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000000Z"),
        (datetime.fromisoformat("2026-01-02T03:04:05.000060"), "2026-01-02T03:04:05.000060Z"),
        (
            datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-02T01:04:00.000000Z",
        ),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_written_in_utc_with_six_digits(moment, text) -> None:
    assert exact.timestamp(moment) == text
    assert exact.loads(exact.dumps({"at": moment})) == {"at": text}


@pytest.mark.django_db
def test_times_that_are_compared_as_texts_sort_as_times_do(api, acme) -> None:
    """As upload_examples of the SDK does with the versions of its batches."""
    dataset = api.post("/datasets", {"name": "d"}).json()["id"]
    api.post("/examples", {"dataset_id": dataset, "inputs": {"a": 1}})
    api.post("/examples", {"dataset_id": dataset, "inputs": {"a": 2}})
    versions = [one["as_of"] for one in api.get(f"/datasets/{dataset}/versions").json()]
    assert versions == sorted(versions, reverse=True)
    assert all(FORM.match(version) for version in versions)
    read = [schemas.DatasetVersion(as_of=version).as_of for version in versions]
    assert read == sorted(read, reverse=True)
