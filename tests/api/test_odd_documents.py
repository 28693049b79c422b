"""What a client sends comes back as sent, or is refused by name, whichever field it is in."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

pytestmark = pytest.mark.django_db

NUL = {"k\x00": "a\x00b", "path": "C:\\u0000"}
MENDED = {"k\ufffd": "a\ufffdb", "path": "C:\\u0000"}


def dataset_of(api, **fields):
    return api.post("/datasets", {"name": f"d {uuid4()}", **fields}).json()


def example_of(api, **fields):
    sent = {"dataset_id": dataset_of(api)["id"], "inputs": {}, **fields}
    return api.post("/examples", sent).json()


@pytest.mark.parametrize(
    ("path", "field", "extra"),
    [
        ("/datasets", "extra", {}),
        ("/datasets", "metadata", {}),
        ("/annotation-queues", "metadata", {}),
        ("/feedback", "value", {"key": "k", "run_id": str(uuid4())}),
        ("/feedback", "correction", {"key": "k", "run_id": str(uuid4())}),
        ("/feedback", "extra", {"key": "k", "run_id": str(uuid4())}),
    ],
)
def test_a_null_character_in_a_document_is_replaced_and_the_rest_kept(
    api, path, field, extra
) -> None:
    answer = api.post(path, {"name": "n", **extra, field: NUL})
    assert answer.status_code == 200, answer.content
    assert api.get(f"{path}/{answer.json()['id']}").json()[field] == MENDED


def test_a_null_character_in_a_schema_is_replaced(api) -> None:
    schema = {"type": "object", "title": "a\x00b"}
    stored = dataset_of(api, inputs_schema_definition=schema)
    assert stored["inputs_schema_definition"]["title"] == "a\ufffdb"


def test_a_backslash_before_u0000_is_no_null_character(api) -> None:
    extra = {"metadata": {"path": "C:\\u0000"}}
    answer = api.post("/sessions", {"name": "p", "extra": extra})
    assert answer.status_code == 200, answer.content
    assert answer.json()["extra"] == extra


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/datasets", "name"),
        ("/datasets", "description"),
        ("/sessions", "name"),
        ("/sessions", "description"),
        ("/repos", "description"),
        ("/repos", "tags"),
    ],
)
def test_a_null_character_in_a_text_is_refused_by_name(api, path, field) -> None:
    value = ["a\x00b"] if field == "tags" else "a\x00b"
    answer = api.post(path, {"name": "n", "repo_handle": "n", "is_public": False, field: value})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith((f"{field}: ", f"{field}.0: "))


@pytest.mark.parametrize("path", ["/datasets?name=", "/sessions?name=", "/feedback?key="])
def test_a_null_character_in_a_query_is_not_left_out_silently(api, path) -> None:
    answer = api.get(f"{path}a%00b")
    assert answer.status_code == 422
    assert "NUL" in answer.json()["detail"]


@pytest.mark.parametrize("field", ["inputs", "outputs", "metadata"])
def test_a_lone_surrogate_in_an_example_is_replaced_as_everywhere(api, field) -> None:
    dataset_id = dataset_of(api)["id"]
    one = b'{"dataset_id": "%s", "inputs": {}, "%s": {"x": "\\ud800 \\udfff"}}' % (
        dataset_id.encode(),
        field.encode(),
    )
    sent = [
        ("/examples", one),
        ("/examples/bulk", b"[%s]" % one),
    ]
    for path, body in sent:
        answer = api.client.post(path, body, content_type="application/json")
        assert answer.status_code == 200, answer.content
    listed = api.get(f"/examples?dataset={dataset_id}").json()
    assert [example[field]["x"] for example in listed] == ["\ufffd \ufffd"] * 2


@pytest.mark.parametrize("field", ["inputs", "outputs", "metadata"])
def test_a_change_from_true_to_1_and_to_a_fraction_is_a_change(api, field) -> None:
    path = f"/examples/{example_of(api, **{field: {'x': True}})['id']}"
    for number in ("1", "1.0", "true"):
        body = f'{{"{field}": {{"x": {number}}}}}'
        assert api.patch(path, json.loads(body)).status_code == 200
        assert json.dumps(api.get(path).json()[field]["x"]) == number


@pytest.mark.parametrize("digits", ["1e23", "1E5", "1e308", "-2.50e1"])
def test_a_number_with_an_exponent_stays_a_fraction_in_the_metadata_of_a_run(api, digits) -> None:
    run_id = uuid4()
    body = (
        f'{{"id": "{run_id}", "name": "n", "run_type": "chain", "inputs": {{}},'
        f' "start_time": "2026-11-20T12:00:00Z", "session_name": "p",'
        f' "extra": {{"n": {digits}, "metadata": {{"n": {digits}}}}}}}'
    )
    answer = api.client.post("/runs", body.encode(), content_type="application/json")
    assert answer.status_code == 202
    extra = api.get(f"/runs/{run_id}").json()["extra"]
    for number in (extra["n"], extra["metadata"]["n"]):
        assert (number, type(number)) == (float(digits), float)
