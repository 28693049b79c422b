"""Files of examples through the unmodified Python SDK's calls, version by version."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.core.files.storage import storages
from django.test import Client as Anybody

from datasets_app import catalogue
from datasets_app.models import ExampleFile
from observatory.runs.attachments import STORAGE
from tests.factories import DatasetFactory


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme, name="golden")


def sent(api, method: str, dataset, parts: dict[str, tuple[str, bytes]]):
    boundary = "b0undary"
    content = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n".encode()
        + raw
        + b"\r\n"
        for name, (kind, raw) in parts.items()
    )
    return Anybody(headers={"x-api-key": api.token}).generic(
        method,
        f"/v1/platform/datasets/{dataset.uuid}/examples",
        content + f"--{boundary}--\r\n".encode(),
        content_type=f"multipart/form-data; boundary={boundary}",
    )


JSON = "application/json"


def with_files(api, dataset, **files: bytes) -> UUID:
    uuid = uuid4()
    parts = {str(uuid): (JSON, b"{}"), f"{uuid}.inputs": (JSON, b'{"q":1}')}
    for name, raw in files.items():
        parts[f"{uuid}.attachment.{name}"] = ("text/plain; length=3", raw)
    answer = sent(api, "POST", dataset, parts)
    assert answer.status_code == 200, answer.content
    return uuid


def told(api, uuid, **query) -> dict[str, str]:
    """Return name -> the content at its signed URL, without a key."""
    urls = api.get(f"/examples/{uuid}", **query).json()["attachment_urls"]
    found = {}
    for name, one in urls.items():
        answer = Anybody().get(one["presigned_url"].partition("testserver")[2])
        assert answer.status_code == 200
        assert answer["content-security-policy"] == "default-src 'none'; sandbox"
        found[name] = b"".join(answer.streaming_content).decode()
    return found


def test_files_are_kept_by_name_and_version(api, dataset) -> None:
    uuid = with_files(api, dataset, a=b"one", b=b"two")
    first = api.get(f"/examples/{uuid}").json()["modified_at"]
    assert told(api, uuid) == {"attachment.a": "one", "attachment.b": "two"}
    operations = b'{"rename":{"a":"c.txt"},"retain":[]}'
    parts = {
        str(uuid): (JSON, b"{}"),
        f"{uuid}.attachments_operations": (JSON, operations),
        f"{uuid}.attachment.d.e": ("image/png", b"png"),
    }
    assert sent(api, "PATCH", dataset, parts).status_code == 200
    assert told(api, uuid) == {"attachment.c.txt": "one", "attachment.d.e": "png"}
    assert told(api, uuid, as_of=first) == {"attachment.a": "one", "attachment.b": "two"}
    assert sent(api, "PATCH", dataset, {f"{uuid}.outputs": (JSON, b'{"a":1}')}).status_code == 200
    assert told(api, uuid) == {"attachment.c.txt": "one", "attachment.d.e": "png"}
    [plain] = api.get("/examples", dataset=str(dataset.uuid)).json()
    assert "attachment_urls" not in plain
    [row] = api.get("/examples", dataset=str(dataset.uuid), select="attachment_urls").json()
    assert set(row["attachment_urls"]) == {"attachment.c.txt", "attachment.d.e"}


def test_the_same_request_twice_is_one_version_and_one_file(api, dataset) -> None:
    uuid = with_files(api, dataset, a=b"one")
    parts = {
        str(uuid): (JSON, b"{}"),
        f"{uuid}.inputs": (JSON, b'{"q":1}'),
        f"{uuid}.attachment.a": ("text/plain", b"one"),
    }
    assert sent(api, "POST", dataset, parts).status_code == 200
    assert ExampleFile.objects.count() == 1
    assert len(api.get(f"/datasets/{dataset.uuid}/versions").json()) == 1


@pytest.mark.django_db(transaction=True)
def test_files_go_with_their_example_and_a_refused_request_leaves_none(api, dataset) -> None:
    uuid = with_files(api, dataset, a=b"one")
    [path] = ExampleFile.objects.values_list("path", flat=True)
    body = {"example_ids": [str(uuid)], "hard_delete": True}
    assert api.post("/v1/platform/datasets/examples/delete", body).status_code == 200
    assert not storages[STORAGE].exists(path)
    with_files(api, dataset, a=b"two")
    [path] = ExampleFile.objects.values_list("path", flat=True)
    catalogue.remove(dataset)
    assert not storages[STORAGE].exists(path)


def test_a_forged_token_opens_nothing_and_a_bad_operation_is_named(api, dataset) -> None:
    assert Anybody().get("/api/example-attachments/forged:token").status_code == 404
    uuid = with_files(api, dataset, a=b"one")
    parts = {f"{uuid}.attachments_operations": (JSON, b'{"retain":"a"}')}
    answer = sent(api, "PATCH", dataset, parts)
    assert answer.status_code == 422
    assert "retain" in answer.json()["detail"]


def test_a_clone_has_files_of_its_own(api, dataset) -> None:
    uuid = with_files(api, dataset, note=b"one")
    target = DatasetFactory(workspace=dataset.workspace, name="copy")
    body = {"source_dataset_id": str(dataset.uuid), "target_dataset_id": str(target.uuid)}
    [copy] = api.post("/datasets/clone", body).json()
    assert copy["id"] != str(uuid)
    api.post(
        "/v1/platform/datasets/examples/delete", {"example_ids": [str(uuid)], "hard_delete": True}
    )
    assert told(api, copy["id"]) == {"attachment.note": "one"}
    assert ExampleFile.objects.count() == 1


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        (b'{"rename":{"a":""}}', "attachments_operations.rename.a: "),
        (b'{"rename":{"a":"%s"}}' % (b"x" * 1_001), "attachments_operations.rename.a: "),
        (b'{"retain":"a"}', "attachments_operations.retain: "),
    ],
)
def test_an_operation_that_cannot_be_kept_is_refused_by_name(
    api, dataset, operations, said
) -> None:
    uuid = with_files(api, dataset, a=b"one")
    parts = {str(uuid): (JSON, b"{}"), f"{uuid}.attachments_operations": (JSON, operations)}
    answer = sent(api, "PATCH", dataset, parts)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{uuid}.{said}")
    assert told(api, uuid) == {"attachment.a": "one"}


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        (".metadata", b"{}", "no example has such a part"),
        (".inputs.q", b"1", "no example has such a part"),
        ("", b"{", ": "),
    ],
)
def test_a_part_that_would_be_lost_is_refused_by_name(api, dataset, name, raw, said) -> None:
    uuid = uuid4()
    parts = {f"{uuid}.inputs": (JSON, b"{}"), f"{uuid}{name}": (JSON, raw)}
    answer = sent(api, "POST", dataset, parts)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert detail.startswith(f"{uuid}{name}: ")
    assert said in detail


def test_two_parts_of_one_name_are_refused(api, dataset) -> None:
    uuid = uuid4()
    again = str(uuid).upper()
    parts = {f"{uuid}.inputs": (JSON, b'{"q":1}'), f"{again}.inputs": (JSON, b'{"q":2}')}
    answer = sent(api, "POST", dataset, parts)
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"{again}.inputs: two parts have this name"


def test_one_example_twice_in_a_list_is_refused_and_nothing_is_changed(api, dataset) -> None:
    uuid = with_files(api, dataset)
    changes = [{"id": str(uuid), "inputs": {"q": 2}}, {"id": str(uuid), "outputs": {"a": 1}}]
    answer = api.patch("/examples/bulk", changes)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "1.id: is the id of example 0 too",
    )
    assert api.get(f"/examples/{uuid}").json()["inputs"] == {"q": 1}
    new = {"id": str(uuid4()), "dataset_id": str(dataset.uuid), "inputs": {}}
    assert api.post("/examples/bulk", [new, new]).status_code == 422
