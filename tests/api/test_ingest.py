"""Runs coming in over the wire."""

from __future__ import annotations

import gzip
import io
import json
import stat
import zlib
from pathlib import Path
from urllib.parse import unquote
from uuid import uuid4

import psycopg
import pytest
import zstandard
from django.core.files.storage import storages
from django.db import connection

import observatory.settings
from observatory.feedback.models import Feedback
from observatory.runs import attachments
from observatory.runs.grants import Grant
from observatory.runs.models import Attachment, Change, Project, Rejected, Run
from tests.multipart import multipart, run_parts

pytestmark = pytest.mark.django_db

BOUNDARY = "b0undary"


@pytest.fixture
def send(api):
    def send(parts, path="/runs/multipart", squeeze=None, **headers):
        body = parts if isinstance(parts, bytes) else multipart(parts, BOUNDARY)
        if squeeze is not None:
            body = squeeze(body)
        return api.client.generic(
            "POST", path, body, content_type=f"multipart/form-data; boundary={BOUNDARY}",
            headers=headers,
        )  # fmt: skip

    return send


def links(workspace, run_id):
    grant = Grant.of_key(workspace.api_keys.get())
    return attachments.s3_urls(workspace.pk, [run_id], grant=grant)[run_id]


@pytest.fixture(autouse=True)
def _attachments_apart(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "attachments": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
    }


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
def test_a_multipart_batch_is_stored_before_the_answer(send, acme, prefix) -> None:
    ids = [uuid4() for _ in range(3)]
    parts = [part for run_id in ids for part in run_parts(run_id)]
    answer = send(parts, path=f"{prefix}/runs/multipart")
    assert answer.status_code == 202, answer.content
    assert set(Run.objects.values_list("id", flat=True)) == set(ids)
    assert Change.objects.get().run_ids == sorted(ids)
    assert Project.objects.get(workspace=acme).name == "bot"


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(body)


def zstd_in_frames(body: bytes) -> bytes:
    return b"".join(zstd(body[start : start + 999]) for start in range(0, len(body), 999))


def gzip_members(body: bytes) -> bytes:
    return gzip.compress(body[:500]) + gzip.compress(body[500:])


@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [("zstd", zstd), ("zstd", zstd_in_frames), ("gzip", gzip.compress), ("gzip", gzip_members)],
)
def test_compressed_bodies_are_read_whole_also_in_several_frames(send, encoding, squeeze) -> None:
    ids = [uuid4() for _ in range(20)]
    parts = [part for run_id in ids for part in run_parts(run_id)]
    answer = send(parts, squeeze=squeeze, content_encoding=encoding)
    assert answer.status_code == 202, answer.content
    assert Run.objects.count() == 20


@pytest.mark.parametrize(("encoding", "squeeze"), [("zstd", zstd), ("gzip", gzip.compress)])
def test_a_compressed_body_cut_short_is_refused_whole(send, encoding, squeeze) -> None:
    answer = send(run_parts(uuid4()), squeeze=lambda b: squeeze(b)[:-3], content_encoding=encoding)
    assert answer.status_code == 400
    assert Run.objects.count() == 0


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_e_a_bomb_is_413_without_retry_after_and_stores_nothing(send, settings, encoding) -> None:
    settings.INGEST_MAX_DECODED_BYTES = 4 << 20
    zeros = bytes(64 << 20)
    squeeze = zstd if encoding == "zstd" else gzip.compress
    answer = send(zeros, squeeze=squeeze, content_encoding=encoding)
    assert answer.status_code == 413
    assert "Retry-After" not in answer
    assert answer.json()["code"] == "too_large"


def test_e_a_giant_zstd_window_is_refused(send) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    chunker = compressor.compressobj()
    body = chunker.compress(bytes(1 << 20)) + chunker.flush()
    answer = send(b"x", squeeze=lambda _: body, content_encoding="zstd")
    assert answer.status_code == 400
    assert "zstd" in answer.json()["detail"]  # and not for what is in it


def test_an_unknown_content_encoding_is_415(send) -> None:
    assert send(run_parts(uuid4()), content_encoding="br").status_code == 415


def test_duplicates_and_replays_are_202_and_change_nothing(send) -> None:
    run_id = uuid4()
    for _ in range(3):
        assert send(run_parts(run_id)).status_code == 202
    assert Run.objects.count() == 1


def test_a_patch_arriving_first_is_not_erased_by_its_post(send) -> None:
    run_id = uuid4()
    patch = [
        (f"patch.{run_id}", {"id": run_id, "trace_id": run_id, "end_time": "2026-01-01T00:00:05Z"}),
        (f"patch.{run_id}.outputs", {"answer": "yes"}),
    ]
    assert send(patch).status_code == 202
    assert send(run_parts(run_id, outputs=None, end_time=None)).status_code == 202
    run = Run.objects.get()
    assert json.loads(run.outputs) == {"answer": "yes"}
    assert (run.status, run.latency_s, run.name) == ("success", 5.0, "answer")


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-20],
        lambda body: body[: len(body) // 2],
        lambda body: b"",
        lambda body: b"nothing of the kind",
        lambda body: body.replace(b"--b0undary--", b"--b0undary"),
    ],
)
def test_a_truncated_body_is_400_and_nothing_of_it_is_stored(send, damage) -> None:
    body = multipart([p for _ in range(5) for p in run_parts(uuid4())], BOUNDARY)
    answer = send(damage(body))
    assert answer.status_code == 400
    assert answer.json()["code"] == "parse_error"
    assert Run.objects.count() == Rejected.objects.count() == Change.objects.count() == 0


def test_a_duplicate_part_is_400_and_nothing_is_stored(send) -> None:
    run_id = uuid4()
    answer = send(run_parts(run_id) + run_parts(run_id)[:1])
    assert answer.status_code == 400
    assert Run.objects.count() == 0


def test_a_part_whose_content_length_lies_is_400(send) -> None:
    body = multipart(run_parts(uuid4()), BOUNDARY, with_length=True)
    assert send(body).status_code == 202
    lying = body.replace(b"Content-Length: ", b"Content-Length: 1")
    assert send(lying).status_code == 400


def test_orphan_parts_and_unknown_names_cost_nothing(send) -> None:
    good, orphan = uuid4(), uuid4()
    parts = [
        *run_parts(good),
        (f"post.{orphan}.inputs", {"q": 1}),
        (f"attachment.{orphan}.file", b"bytes"),
        ("mystery.part", b"?"),
        (f"post.{good}.mystery", {"a": 1}),
    ]
    answer = send(parts)
    assert answer.status_code == 202
    assert Run.objects.get().id == good
    assert sorted(Rejected.objects.values_list("kind", "code")) == [
        ("attachment", "orphan_part"),
        ("part", "orphan_part"),
    ]
    assert {one["id"] for one in answer.json()["rejected"]} == {str(orphan)}


def test_an_attachment_whose_name_is_too_long_costs_only_itself(send) -> None:
    run_id = uuid4()
    name = "".join(chr(0x4E00 + number * 7 % 20_000) for number in range(1_000))
    parts = [
        *run_parts(run_id),
        (f"attachment.{run_id}.{name}", b"bytes"),
        (f"attachment.{run_id}.short", b"bytes"),
    ]
    answer = send(parts)
    assert [one["code"] for one in answer.json()["rejected"]] == ["name_too_long"]
    assert Run.objects.get().id == run_id
    assert Attachment.objects.get().name == "short"


def test_too_many_parts_or_too_long_a_one_is_413(send, settings) -> None:
    settings.INGEST_MAX_PARTS = 10
    assert send([p for _ in range(6) for p in run_parts(uuid4())]).status_code == 413
    settings.INGEST_MAX_PART_BYTES = 100
    assert send(run_parts(uuid4(), inputs={"q": "x" * 200})).status_code == 413
    assert Run.objects.count() == 0


def test_a_body_over_the_limit_is_413(send, settings) -> None:
    settings.INGEST_MAX_DECODED_BYTES = 1_024
    assert send(run_parts(uuid4(), inputs={"q": "x" * 2_000})).status_code == 413


def test_documents_come_back_as_the_bytes_that_were_sent(send) -> None:
    run_id = uuid4()
    inputs = b'{ "n": 12345678901234567890123, "f": 1.10, "e": 1E+2, "u": "\\u00e9\xc3\xa9" }'
    send([*run_parts(run_id, inputs=None), (f"post.{run_id}.inputs", inputs)])
    assert Run.objects.get().inputs.encode() == inputs


def test_a_body_larger_than_what_is_held_in_memory_is_stored_too(send) -> None:
    ids = [uuid4() for _ in range(4)]
    texts = ["0123456789" * 90_000 + str(number) for number in range(4)]
    parts = [
        part
        for run_id, text in zip(ids, texts, strict=True)
        for part in run_parts(run_id, inputs={"text": text})
    ]
    answer = send([*parts, (f"attachment.{ids[0]}.notes", b"n" * 3_000_000)])
    assert answer.status_code == 202, answer.content
    for run_id, text in zip(ids, texts, strict=True):
        assert json.loads(Run.objects.get(id=run_id).inputs) == {"text": text}
    assert Attachment.objects.get().size == 3_000_000


def test_an_attachment_is_read_back_by_its_signed_url_without_a_key(send, acme, client) -> None:
    run_id = uuid4()
    picture = b"\x89PNG\r\n--b0undary is not a boundary here"
    parts = [*run_parts(run_id), (f"attachment.{run_id}.shot", picture, "image/png; length=9")]
    assert send(multipart(parts, BOUNDARY, with_length=True)).status_code == 202
    entry = links(acme, run_id)["attachment.shot"]
    answer = client.get(entry["presigned_url"])
    assert b"".join(answer.streaming_content) == picture
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Disposition"].startswith("inline")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert client.get(entry["presigned_url"][:-2]).status_code == 404


@pytest.mark.parametrize("mime", ["text/html", "image/svg+xml", "application/pdf", ""])
def test_r3_executable_content_is_downloaded_and_never_shown(send, acme, client, mime) -> None:
    run_id = uuid4()
    name = '../../etc/pass"wd\r\nX-Evil: 1 é'.replace("\r\n", "%0D%0A")
    send([*run_parts(run_id), (f"attachment.{run_id}.{name}", b"<script>", mime)])
    (entry,) = links(acme, run_id).values()
    answer = client.get(entry["presigned_url"])
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "/" not in answer["Content-Disposition"].replace("utf-8''", "")
    assert "X-Evil" not in answer
    assert ".." not in Attachment.objects.get().path


def test_an_attachment_sent_again_keeps_one_file(send, tmp_path) -> None:
    run_id = uuid4()
    for content in (b"one", b"one", b"two", b"one"):
        send([*run_parts(run_id), (f"attachment.{run_id}.a", content)])
    assert Attachment.objects.count() == 1


def test_a_refused_batch_leaves_no_attachment_behind(send, tmp_path, monkeypatch) -> None:
    def fail(*_, **__):
        raise RuntimeError("the transaction fails")

    run_id = uuid4()
    monkeypatch.setattr("observatory.api.runs.ingest.ingest.transact", fail)
    assert send([*run_parts(run_id), (f"attachment.{run_id}.a", b"x")]).status_code == 500
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_feedback_parts_are_stored_and_a_bad_one_costs_only_itself(send) -> None:
    run_id, good, bad = uuid4(), uuid4(), uuid4()
    answer = send(
        [
            *run_parts(run_id),
            (f"feedback.{good}", {"id": good, "run_id": run_id, "key": "thumb", "score": 0}),
            (f"feedback.{bad}", {"id": bad, "run_id": run_id, "key": "x" * 900, "score": 1}),
            ("feedback.nonsense", b"{"),
        ]
    )
    assert answer.status_code == 202
    feedback = Feedback.objects.get()
    assert (feedback.uuid, feedback.key, feedback.score, feedback.is_root) == (
        good,
        "thumb",
        0,
        True,
    )
    assert Rejected.objects.filter(kind="feedback").count() == 2


def test_feedback_that_came_first_is_attached_when_its_run_arrives(send) -> None:
    run_id = uuid4()
    send([(f"feedback.{uuid4()}", {"run_id": run_id, "key": "thumb", "score": 1})])
    assert Feedback.objects.get().project is None
    send(run_parts(run_id))
    assert Feedback.objects.get().project.name == "bot"


def test_one_run_by_post_and_patch(api) -> None:
    run_id = str(uuid4())
    run = {"id": run_id, "name": "answer", "run_type": "llm", "inputs": {"q": 1.10},
           "session_name": "bot", "start_time": "2026-01-01 00:00:00+00:00", "child_runs": [],
           "execution_order": 1}  # fmt: skip
    assert api.post("/runs", run).status_code == 202
    done = {"end_time": 1_767_225_601_500, "outputs": {"a": 1}, "name": None}
    assert api.patch(f"/runs/{run_id}", done).status_code == 202
    stored = Run.objects.get()
    assert (str(stored.id), stored.name, stored.latency_s) == (run_id, "answer", 1.5)


def test_a_json_batch_keeps_documents_exact_and_sets_the_bad_run_aside(api) -> None:
    ids = [str(uuid4()) for _ in range(3)]
    items = [b'{"id": "%s", "inputs": {"n": 1.50, "big": 99999999999999999999}}' % i.encode()
             for i in ids]  # fmt: skip
    for bad in (
        b'{"id": "x", "inputs": {"n": NaN}}',
        b'{"id":"%s","inputs":%s%s}'
        % (str(uuid4()).encode(), b'{"a":' * 50_000, b"1" + b"}" * 50_000),
    ):
        for place in range(4):
            Run.objects.all().delete()
            Rejected.objects.all().delete()
            listed = [*items[:place], bad, *items[place:]]
            answer = api.client.generic(
                "POST",
                "/runs/batch",
                b'{"post": [%s], "patch": []}' % b", ".join(listed),
                content_type="application/json",
            )
            assert answer.status_code == 202, answer.content
            assert Rejected.objects.count() == 1
            assert {run.inputs for run in Run.objects.all()} == {
                '{"n": 1.50, "big": 99999999999999999999}'
            }
            assert Run.objects.count() == 3


@pytest.mark.parametrize("path", ["/runs", "/runs/batch"])
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"a":', b"\xff", b'{"post": 3}x'])
def test_a_body_that_is_not_a_json_object_is_400(api, path, body) -> None:
    answer = api.client.generic("POST", path, body, content_type="application/json")
    assert answer.status_code == 400
    assert Run.objects.count() == Rejected.objects.count() == 0


def test_without_a_valid_key_nothing_is_read(client) -> None:
    for headers in ({}, {"x-api-key": "obs_wrong"}):
        answer = client.post("/runs/multipart", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["detail"]


def test_a4_a_database_that_takes_no_writes_is_503_with_retry_after(send) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")
    answer = send(run_parts(uuid4()))
    assert (answer.status_code, answer["Retry-After"]) == (503, "20")


def test_a4_a_dead_database_is_503_with_retry_after(send, monkeypatch) -> None:
    from django.db import OperationalError

    def fail(*_, **__):
        raise OperationalError("connection refused")

    monkeypatch.setattr("observatory.api.runs.ingest.ingest.transact", fail)
    answer = send(run_parts(uuid4()))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "20"


def test_a_chunked_body_is_read_to_its_end(api) -> None:
    body = multipart(run_parts(uuid4()), BOUNDARY)
    answer = api.client.generic(
        "POST", "/runs/multipart", body, content_type=f"multipart/form-data; boundary={BOUNDARY}",
        CONTENT_LENGTH=str(1 << 62), **{"wsgi.input": io.BytesIO(zlib.compress(body) and body)},
    )  # fmt: skip
    assert answer.status_code == 202, answer.content


@pytest.mark.django_db(transaction=True)
def test_a4_a_connection_the_server_has_cut_meanwhile_costs_nothing(send) -> None:
    from django.db import connection

    from observatory.console.bench.scratch import connection_string

    assert send(run_parts(uuid4())).status_code == 202
    pid = connection.connection.info.backend_pid
    with psycopg.connect(connection_string(connection.settings_dict["NAME"])) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert send(run_parts(run := uuid4())).status_code == 202
    assert Run.objects.filter(id=run).exists()


def test_a_part_of_a_run_sent_twice_is_400_in_any_spelling_of_its_neighbours(send) -> None:
    parts = run_parts(uuid4())
    assert send([*parts, parts[-1]]).status_code == 400
    assert not Run.objects.exists()


def test_statements_of_the_hot_path_are_prepared_once_a_connection(send) -> None:
    from django.db import connection

    for _ in range(3):
        assert send(run_parts(uuid4())).status_code == 202
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT statement) FROM pg_prepared_statements")
        n_prepared, n_statements = cursor.fetchone()
    assert n_prepared >= 3
    assert n_prepared <= 2 * n_statements  # an id may be of two sizes, hence of two types


@pytest.mark.parametrize("turn", ["\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\x7f"])
def test_r3_a_file_name_cannot_hide_what_it_ends_with(send, acme, client, turn) -> None:
    run_id = uuid4()
    name = f"invoice{turn}gpj.exe"
    send([*run_parts(run_id), (f"attachment.{run_id}.{name}", b"MZ", "image/png")])
    (entry,) = links(acme, run_id).values()
    header = client.get(entry["presigned_url"])["Content-Disposition"]
    assert "invoice_gpj.exe" in header
    assert turn not in unquote(header)


def test_an_attachment_is_readable_by_the_account_of_the_server_alone(
    send, acme, settings, tmp_path
) -> None:
    installed = observatory.settings.STORAGES["attachments"]
    options = installed["OPTIONS"] | {"location": str(tmp_path)}
    settings.STORAGES = settings.STORAGES | {"attachments": installed | {"OPTIONS": options}}
    run_id = uuid4()
    send([*run_parts(run_id), (f"attachment.{run_id}.note", b"secret", "text/plain")])
    path = Path(storages["attachments"].path(Attachment.objects.get().path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
