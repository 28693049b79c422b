"""A full disk, or a temporary folder that is gone, is 503: nothing half-written, and SDKs repeat."""

from __future__ import annotations

import errno
import gzip
import io
import tempfile
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.files.storage import FileSystemStorage
from django.db import InternalError, OperationalError
from django.db.backends.utils import CursorWrapper

from datasets_app.models import Dataset, Example, ExampleFile
from observatory.outages import reason_of_outage
from observatory.runs.models import Attachment, Run
from tests.factories import DatasetFactory
from tests.multipart import multipart, run_parts

ERRORS = {
    "full": OSError(errno.ENOSPC, "No space left on device"),
    "read-only": OSError(errno.EROFS, "Read-only file system"),
    "gone": FileNotFoundError(errno.ENOENT, "No such file or directory"),
    "over the quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
}
LARGE = b"n" * 3_000_000


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "attachments": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
    }
    return tmp_path


def posted(api, path: str, parts: list, **headers: str):
    body = multipart(parts, "edge")
    if headers:
        body = gzip.compress(body)
    return api.client.generic(
        "POST",
        path,
        body,
        content_type="multipart/form-data; boundary=edge",
        headers={"x-api-key": api.token} | headers,
    )


def runs_with_a_file(api, acme):
    run_id = uuid4()
    return posted(
        api,
        "/runs/multipart",
        [*run_parts(run_id), (f"attachment.{run_id}.note", LARGE, "text/plain")],
        **{"content-encoding": "gzip"},
    )


def example_with_a_file(api, acme):
    dataset = Dataset.objects.filter(name="golden").first()
    dataset = dataset or DatasetFactory(workspace=acme, name="golden")
    uuid = UUID(int=7, version=4)
    return posted(
        api,
        f"/v1/platform/datasets/{dataset.uuid}/examples",
        [
            (str(uuid), {}),
            (f"{uuid}.inputs", {"q": 1}),
            (f"{uuid}.attachment.note", LARGE, "text/plain"),
        ],
    )


def dataset_of_a_file(api, acme):
    content = b"q\n" + b"x" * 3_000_000 + b"\n"
    parts = [
        ("name", b"uploaded", "text/plain"),
        ("input_keys", b"q", "text/plain"),
        ("file", content, "text/csv"),
    ]
    return posted(api, "/api/v1/datasets/upload", parts)


SENDERS = [runs_with_a_file, example_with_a_file, dataset_of_a_file]


def stored() -> list[int]:
    models = (Run, Attachment, Example, ExampleFile)
    uploaded = Dataset.objects.filter(name="uploaded").count()
    return [*(model.objects.count() for model in models), uploaded]


def check_refused(answer, folder) -> None:
    assert (answer.status_code, answer["Retry-After"]) == (503, "20"), answer.content
    assert answer.json()["code"] == "unavailable"
    assert stored() == [0] * 5
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("send", SENDERS[:2])
def test_no_room_for_a_file_is_503_and_leaves_nothing(
    api, acme, folder, monkeypatch, send, error
) -> None:
    def refuse(*_, **__):
        raise error

    with monkeypatch.context() as full:
        full.setattr(FileSystemStorage, "_save", refuse)
        check_refused(send(api, acme), folder)
    assert send(api, acme).status_code in {200, 202}
    assert sum(stored()) == 2  # the run or the example, and its file


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("send", SENDERS)
def test_a_read_only_temporary_folder_is_503_and_leaves_nothing(
    api, acme, folder, monkeypatch, send, error
) -> None:
    asked = []

    def refuse(*_, **__):
        asked.append(True)
        raise error

    with monkeypatch.context() as full:
        for name in ("TemporaryFile", "NamedTemporaryFile"):
            full.setattr(tempfile, name, refuse)
        answer = send(api, acme)
        if asked:
            check_refused(answer, folder)
        else:  # it needed no temporary file
            assert answer.status_code in {200, 202}
    assert asked or send is not runs_with_a_file
    if asked:
        assert send(api, acme).status_code in {200, 202}


class _Failing(io.RawIOBase):
    """A body in a file that cannot be read."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    "path",
    ["/runs/batch", "/runs/multipart", "/otel/v1/traces", "/feedback", "/api/v1/datasets/upload"],
)
def test_a_body_that_the_server_cannot_read_from_its_own_file_is_503(api, path) -> None:
    is_multipart = path.endswith(("/multipart", "/upload"))
    sent = {
        "wsgi.input": _Failing(),
        "CONTENT_LENGTH": "100",
        "CONTENT_TYPE": "multipart/form-data; boundary=edge"
        if is_multipart
        else "application/json",
    }
    answer = api.client.generic("POST", path, headers={"x-api-key": api.token}, **sent)
    assert (answer.status_code, answer["Retry-After"]) == (503, "20"), answer.content
    assert stored() == [0] * 5


STATES = {
    "out of connections": psycopg.errors.TooManyConnections("too many clients already"),
    "reserved slots": psycopg.OperationalError("remaining connection slots are reserved"),
    "read-only": psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT"),
    "stopped by its administrator": psycopg.errors.AdminShutdown("terminating connection"),
    "starting": psycopg.errors.CannotConnectNow("the database system is starting up"),
    "full": psycopg.errors.DiskFull("could not extend file"),
    "down": psycopg.OperationalError("connection refused"),
}


def raised(cause: psycopg.Error) -> Exception:
    """Return `cause` as Django raises it."""
    kinds = {psycopg.OperationalError: OperationalError, psycopg.InternalError: InternalError}
    kind = next(ours for theirs, ours in kinds.items() if isinstance(cause, theirs))
    error = kind(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("cause", STATES.values(), ids=STATES)
@pytest.mark.parametrize("send", [runs_with_a_file, example_with_a_file, dataset_of_a_file])
def test_a_read_only_database_is_503_and_leaves_nothing(
    api, acme, folder, monkeypatch, send, cause
) -> None:
    assert reason_of_outage(raised(cause))
    if send is example_with_a_file:
        DatasetFactory(workspace=acme, name="golden")
    execute = CursorWrapper.execute

    def refuse(self, sql, params=None):
        if "INSERT" in str(sql):
            raise raised(cause)
        return execute(self, sql, params)

    with monkeypatch.context() as away:
        away.setattr(CursorWrapper, "execute", refuse)
        check_refused(send(api, acme), folder)
    assert send(api, acme).status_code in {200, 202}
