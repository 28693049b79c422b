"""Hostile items and bodies: a clear answer, nothing half-written, and the neighbours stored."""

from __future__ import annotations

import json
import random
from uuid import UUID, uuid4

import pytest

from observatory.runs.models import Change, Rejected, Run
from tests.multipart import multipart, run_parts

pytestmark = pytest.mark.django_db
BOUNDARY = "b0undary"

INPUTS_REFUSED = {
    "deep": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "too_deep"),
    "deep-201": (b'{"a":' * 201 + b"1" + b"}" * 201, "too_deep"),
    "deep-lists": (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", "too_deep"),
    "nan": (b'{"a": NaN}', "invalid_json"),
    "infinity": (b'{"a": -Infinity}', "invalid_json"),
    "1e999": (b'{"a": 1e999}', "number_out_of_range"),
    "1e100000": (b'{"a": [1e100000]}', "number_out_of_range"),
    "1e-20000": (b'{"a": 1e-20000 }', "number_out_of_range"),
    "0e99999": (b'{"a": 0e99999, "id": "0e123"}', "number_out_of_range"),
    "exponent-of-zeros": (b'{"a": 1e' + b"0" * 40 + b"999}", "number_out_of_range"),
    "5000-digits": (b'{"a": ' + b"7" * 5_000 + b"}", "number_too_long"),
    "200k-digits": (b'{"a": ' + b"7" * 200_000 + b"}", "number_too_long"),
    "decimals": (b'{"a": 0.' + b"7" * 20_000 + b"}", "number_too_long"),
    "utf8": (b'{"a": "\xff"}', "invalid_utf8"),
    "utf8-surrogate": (b'{"a": "\xed\xa0\x80"}', "invalid_utf8"),
    "utf8-key": (b'{"\xc3": 1}', "invalid_utf8"),
    "utf16": ('{"a": "b"}'.encode("utf-16"), "invalid_json"),
    "bom": (b'\xef\xbb\xbf{"a": 1}', "invalid_json"),
    "raw-nul": (b'{"a": "\x00"}', "invalid_json"),
    "raw-nul-beside-escaped": (b'{"a": "\x00\\u0000"}', "invalid_json"),
    "control": (b'{"a": "\x1b[31m"}', "invalid_json"),
    "not-json": (b"<html>", "invalid_json"),
    "empty": (b"", "invalid_json"),
    "two-documents": (b"{} {}", "invalid_json"),
    "cut": (b'{"a": "b', "invalid_json"),
    "bad-escape": (b'{"a": "\\x41"}', "invalid_json"),
    "list": (b"[1, 2]", "wrong_type"),
    "string": (b'"text"', "wrong_type"),
    "number": (b"12", "wrong_type"),
}
INPUTS_KEPT = {
    "deep-200": b'{"a":' * 200 + b"1" + b"}" * 200,
    "many-brackets": b'{"a": [' + b",".join([b"[{}]"] * 5_000) + b"]}",
    "brackets-in-text": b'{"a": "' + b"[{" * 5_000 + b'"}',
    "escaped-quotes": b'{"a": "' + b'\\"[\\\\' * 500 + b'"}',
    "4300-digits": b'{"a": ' + b"7" * 4_300 + b"}",
    "float": b'{"a": 1.10, "b": 1E+2, "c": -0.0, "d": 1e308, "e": 5e-300}',
    "beyond-64-bits": b'{"a": 18446744073709551616, "b": -9223372036854775809}',
    "uuid-like-numbers": b'{"a": "3e1234-9e999999, 1e999 ", "b": "7e777"}',
    "same-key-twice": b'{"a": 1, "a": 2}',
    "magic-keys": b'{"__proto__": {"x": 1}, "__class__": 1, "{0.__class__}": 1, "{{7*7}}": 1,'
    b' "a__b__startswith": 1, "$ref": "#/", "": 1, "constructor": {"prototype": 1}}',
    "long-key": b'{"' + b"k" * 1_000_000 + b'": 1}',
    "long-token": b'{"a": "' + b"x" * 1_000_000 + b'"}',
    "many-lines": b'{"a": "' + b"\\n" * 1_000_000 + b'"}',
    "bidi": '{"a": "\u202egnp.exe\u200b\u2066"}'.encode(),
    "escaped-backslash": b'{"a": "\\\\u0000 \\\\ud800"}',
    "surrogate-pair": b'{"a": "\\ud83d\\ude00"}',
    "spaces": b' \r\n\t{ "a" : 1 } \n',
}
MAIN_REFUSED = {
    "uuid": ({"trace_id": "not-a-uuid"}, "invalid_uuid"),
    "nil-trace": ({"trace_id": str(UUID(int=0)), "parent_run_id": "x"}, "invalid_uuid"),
    "uuid-number": ({"trace_id": 5}, "invalid_field"),
    "time": ({"end_time": "yesterday"}, "invalid_time"),
    "year-0": ({"end_time": "0000-01-01T00:00:00Z"}, "invalid_time"),
    "year-9999": ({"end_time": "9999-12-31T23:59:59-12:00"}, "invalid_time"),
    "epoch-1e18": ({"end_time": 10**18}, "invalid_time"),
    "epoch-1e300": ({"end_time": 1e300}, "invalid_time"),
    "time-object": ({"end_time": {"a": 1}}, "invalid_field"),
    "name-object": ({"name": {"a": []}}, "invalid_field"),
    "tags-text": ({"tags": "one"}, "invalid_field"),
    "tags-objects": ({"tags": [{}]}, "invalid_field"),
    "dotted-order": ({"dotted_order": "nonsense"}, "invalid_dotted_order"),
    "dotted-order-of-another": (
        {"dotted_order": f"20260101T000000000000Z{UUID(int=5)}"},
        "invalid_dotted_order",
    ),
    "session-name": ({"session_name": "x" * 513}, "session_name_too_long"),
    "session-id": ({"session_id": str(UUID(int=7))}, "unknown_session"),
    "id": ({"id": str(UUID(int=9))}, "id_mismatch"),
}


@pytest.fixture
def send(api):
    def send(parts):
        return api.client.generic(
            "POST", "/runs/multipart", multipart(parts, BOUNDARY),
            content_type=f"multipart/form-data; boundary={BOUNDARY}",
        )  # fmt: skip

    return send


def _with(run_id: UUID, inputs: bytes | None = None, **main: object) -> list[tuple]:
    parts = run_parts(run_id, inputs=None if inputs is not None else {"q": 1}, **main)
    return parts if inputs is None else [*parts, (f"post.{run_id}.inputs", inputs)]


def _send_around(send, bad: list[tuple], place: int) -> list[UUID]:
    """Send 99 good runs with `bad` at `place`; return the ids of the good ones."""
    good = [uuid4() for _ in range(99)]
    groups = [run_parts(run_id) for run_id in good]
    groups.insert(place, bad)
    answer = send([part for group in groups for part in group])
    assert answer.status_code == 202, answer.content
    return good


def _assert_only_it_was_set_aside(send, bad_id: UUID, parts: list[tuple], code: str) -> None:
    for place in (0, 50, 99):
        Run.objects.all().delete()
        Rejected.objects.all().delete()
        Change.objects.all().delete()
        good = _send_around(send, parts, place)
        assert set(Run.objects.values_list("id", flat=True)) == set(good)
        rejected = Rejected.objects.get()
        assert (rejected.code, rejected.item_id) == (code, str(bad_id))
        assert rejected.reason
        assert len(rejected.raw) <= 1 << 20
        assert set(Change.objects.get().run_ids) == set(good)
    assert send(run_parts(bad_id)).status_code == 202
    assert Run.objects.filter(id=bad_id).exists(), "a good request after it works"


@pytest.mark.parametrize("name", INPUTS_REFUSED)
def test_a3_an_unreadable_document_costs_only_its_run(send, name) -> None:
    inputs, code = INPUTS_REFUSED[name]
    bad_id = uuid4()
    _assert_only_it_was_set_aside(send, bad_id, _with(bad_id, inputs), code)


@pytest.mark.parametrize("name", MAIN_REFUSED)
def test_a3_a_run_that_contradicts_itself_costs_only_itself(send, name) -> None:
    said, code = MAIN_REFUSED[name]
    bad_id = uuid4()
    _assert_only_it_was_set_aside(send, bad_id, _with(bad_id, **said), code)


def test_a3_a_garbage_id_costs_only_its_run(send) -> None:
    for garbage in ("x", "__proto__", "0" * 31, "zz" * 16, str(UUID(int=0)), "1_2" + "0" * 29):
        Rejected.objects.all().delete()
        good = _send_around(send, [(f"post.{garbage}", {"name": "x"})], 50)
        assert Run.objects.filter(id__in=good).count() == 99
        assert Rejected.objects.get().code == "invalid_uuid"


@pytest.mark.parametrize("name", INPUTS_KEPT)
def test_a7_an_odd_document_comes_back_as_the_bytes_that_were_sent(send, api, name) -> None:
    run_id = uuid4()
    answer = send(_with(run_id, INPUTS_KEPT[name]))
    assert answer.status_code == 202
    assert "rejected" not in answer.json(), answer.content
    assert Run.objects.get(id=run_id).inputs.encode() == INPUTS_KEPT[name]
    read = api.get(f"/runs/{run_id}")
    assert read.status_code == 200
    assert INPUTS_KEPT[name] in read.content
    listed = api.post("/runs/query", {"id": [str(run_id)]})
    assert listed.status_code == 200
    assert INPUTS_KEPT[name] in listed.content


def test_a7_random_documents_come_back_exactly(send) -> None:
    rng = random.Random(7)

    def value(level: int) -> object:
        kind = rng.randrange(7 if level < 5 else 5)
        if kind == 0:
            return rng.choice([True, False, None])
        if kind == 1:
            return rng.randrange(-(10 ** rng.randrange(1, 400)), 10 ** rng.randrange(1, 400))
        if kind == 2:
            return rng.uniform(-1e9, 1e9) * 10.0 ** rng.randrange(-200, 200)
        if kind < 5:
            alphabet = 'ab"\\/\u0001\u007f\u00e9\u4e2d\U0001f600{}[]:,e1'
            return "".join(rng.choice(alphabet) for _ in range(rng.randrange(20)))
        if kind == 5:
            return [value(level + 1) for _ in range(rng.randrange(4))]
        return {str(value(9)): value(level + 1) for _ in range(rng.randrange(4))}

    sent = {}
    for _ in range(2_000):
        text = json.dumps(
            {"v": value(0)}, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 1])
        )
        sent[uuid4()] = text.encode()
    ids = list(sent)
    for start in range(0, len(ids), 200):
        assert send([p for i in ids[start : start + 200] for p in _with(i, sent[i])]).status_code == 202  # fmt: skip
    assert Rejected.objects.count() == 0
    stored = dict(Run.objects.values_list("id", "inputs"))
    assert {i: text.encode() for i, text in stored.items()} == sent


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{"a": "x\\u0000y"}', b'{"a": "x\\ufffdy"}'),
        (b'{"a": "\\ud800"}', b'{"a": "\\ufffd"}'),
        (b'{"a": "\\udc00\\ud83d\\ude00\\uD83D"}', b'{"a": "\\ufffd\\ud83d\\ude00\\ufffd"}'),
        (b'{"\\u0000": "\\\\\\u0000"}', b'{"\\ufffd": "\\\\\\ufffd"}'),
    ],
)
def test_e_nul_and_lone_surrogates_are_replaced_and_the_run_says_so(send, sent, kept) -> None:
    run_id = uuid4()
    assert send(_with(run_id, sent, name="na\x00me")).status_code == 202
    run = Run.objects.get()
    assert run.inputs.encode() == kept
    assert run.is_sanitized
    assert run.name == "na\ufffdme"
    other = uuid4()
    send(run_parts(other))
    assert not Run.objects.get(id=other).is_sanitized


@pytest.mark.parametrize(
    "spelling",
    [str.upper, lambda i: i.replace("-", ""), lambda i: f"{{{i}}}", lambda i: f"urn:uuid:{i}"],
)
def test_e_ids_in_any_spelling_are_the_same_run(send, spelling) -> None:
    run_id = str(uuid4())
    odd = spelling(run_id)
    main = {"id": odd, "trace_id": odd, "name": "odd", "dotted_order": f"20260101T000000000000Z{run_id.upper()}"}  # fmt: skip
    assert send([(f"post.{odd}", main), (f"post.{odd}.inputs", {"q": 1})]).status_code == 202
    assert send(run_parts(run_id)).status_code == 202
    run = Run.objects.get()
    assert (str(run.id), str(run.trace_id)) == (run_id, run_id)
    assert run.dotted_order == f"20260101T000000000000Z{run_id}"


def test_e_times_that_run_backwards_are_kept_and_usage_that_cannot_be_is_left_out(send) -> None:
    run_id = uuid4()
    usage = {"input_tokens": 10**30, "output_tokens": -5, "total_tokens": 1.5, "total_cost": "1e40"}
    send(run_parts(run_id, end_time="2025-12-31T00:00:00Z", outputs={"usage_metadata": usage}))
    run = Run.objects.get()
    assert run.latency_s is None
    assert (run.end_time - run.start_time).total_seconds() == -86_400
    assert run.prompt_tokens is run.completion_tokens is run.total_tokens is run.total_cost is None
    assert json.loads(run.outputs)["usage_metadata"] == usage


def test_e_an_index_never_refuses_a_long_value(send) -> None:
    long = "".join(chr(random.Random(3).randrange(0x4E00, 0x9FFF)) for _ in range(100_000))
    run_id = uuid4()
    said = {"metadata": {"note": long}}
    assert send(run_parts(run_id, extra=said, name=long, tags=[long])).status_code == 202
    run = Run.objects.get()
    assert (run.name, run.tags, run.metadata["note"]) == (long, [long], long)


@pytest.mark.parametrize(
    "body",
    [
        b"--b0undary\r\n\r\n\r\n--b0undary--\r\n",
        b"--b0undary\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b0undary--\r\n",
        b'--b0undary\r\nContent-Disposition: form-data; name="post.1"\r\n' + b"X: y\r\n" * 9_000,
        b"--b0undary" * 5_000,
        b"\r\n--b0undary\r\n" * 5_000,
        b'--b0undary\r\nContent-Disposition: form-data; name="post.1"\r\nContent-Length: 99999999999\r\n\r\nx\r\n--b0undary--',
        b'--b0undary\r\nContent-Disposition: form-data; name="' + b"n" * 5_000 + b'"\r\n\r\nx\r\n--b0undary--',
    ],
)  # fmt: skip
def test_e_a_broken_envelope_is_400_json_with_a_code(api, body) -> None:
    answer = api.client.generic(
        "POST", "/runs/multipart", body, content_type=f"multipart/form-data; boundary={BOUNDARY}"
    )
    assert answer.status_code == 400
    assert set(answer.json()) == {"detail", "code"}
    assert Run.objects.count() == Rejected.objects.count() == 0


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "text/html"],
)
def test_e_a_content_type_without_a_boundary_is_400(api, content_type) -> None:
    body = multipart(run_parts(uuid4()), BOUNDARY)
    answer = api.client.generic("POST", "/runs/multipart", body, content_type=content_type)
    assert answer.status_code == 400
