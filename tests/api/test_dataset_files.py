"""Datasets as files: what goes out comes in again, and a file is taken whole or refused."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from datasets_app import examples
from datasets_app.examples import ExampleInput
from datasets_app.models import Dataset, Example, ExampleRevision
from observatory import csv_lines, exact
from tests.conftest import NOON
from tests.factories import DatasetFactory
from tests.hostile import FORMULAS
from tests.multipart import multipart

FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
BIG = 2**64 + 1


@pytest.fixture
def dataset(acme) -> Dataset:
    return DatasetFactory(workspace=acme, name="golden")


def uploaded(api, content: bytes, *, into: Dataset | None = None, kind: str = "text/csv", **fields):
    parts = [
        (name, value.encode(), "text/plain")
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    parts.append(("file", content, kind))
    path = "/datasets/upload" if into is None else f"/examples/upload/{into.uuid}"
    return api.client.post(
        f"/api/v1{path}",
        multipart(parts, "edge"),
        content_type="multipart/form-data; boundary=edge",
        headers={"x-api-key": api.token},
    )


def downloaded(api, dataset_id, form: str, **query) -> bytes:
    answer = api.get(f"/datasets/{dataset_id}/{form}", **query)
    assert answer.status_code == 200, answer.content
    return answer.content if form.startswith("openai") else b"".join(answer.streaming_content)


def held(dataset: Dataset) -> list[tuple]:
    """Return what the dataset holds now, but for the ids, numbers by their digits."""
    return [
        (
            *(None if text is None else exact.loads(text) for text in (one.inputs, one.outputs)),
            one.metadata,
            one.splits,
            one.example.created_at,
            one.example.source_run_id,
        )
        for one in dataset_revisions(dataset)
    ]


def dataset_revisions(dataset: Dataset):
    standing = ExampleRevision.objects.at(None).filter(dataset=dataset)
    return standing.select_related("example").order_by("example__created_at", "example_id")


def copied(api, dataset: Dataset, form: str, **query) -> Dataset:
    """Return a dataset made from the file of another."""
    content = downloaded(api, dataset.uuid, form, **query)
    answer = uploaded(api, content, kind=FORMATS[form], name=f"copy {uuid4()}", **query)
    assert answer.status_code == 200, answer.content
    return Dataset.objects.get(uuid=answer.json()["id"])


ODD = {text: [text, {text: text}] for text in FORMULAS}
ROWS = [
    {
        "inputs": {"q": "=1", "n": BIG, "note": ""},
        "outputs": {"a": "-5"},
        "splits": ["train", "[x"],
    },
    {"inputs": {"q": "'=1", "more": None}, "metadata": {"x": BIG, "y": [1.5]}},
    {"inputs": {}, "outputs": {}, "source_run_id": uuid4()},
    {"inputs": {"q": 'line\r\nend, "quoted"', "odd": ODD}, "outputs": {"a": ""}},
    {"inputs": {"q:json": "x", "b:optional": "y", "": "z", "s": 1}},
]


@pytest.mark.parametrize("form", [*FORMATS, "guarded"])
def test_a_dataset_comes_back_from_its_file_as_it_was(api, dataset, form) -> None:
    given = []
    for row in ROWS:
        texts = {
            side: exact.dumps(row[side], indent=True).decode()
            for side in ("inputs", "outputs")
            if side in row
        }
        given.append(ExampleInput(**{**row, **texts}))
    examples.create(dataset, given, now=NOON)
    query = {"spreadsheet": "true"} if form == "guarded" else {}
    kind = "csv" if form == "guarded" else form
    copy = copied(api, dataset, kind, **query)
    assert exact.dumps(held(copy)) == exact.dumps(held(dataset))
    assert downloaded_rows(api, copy, kind) == downloaded_rows(api, dataset, kind)


def downloaded_rows(api, dataset: Dataset, kind: str) -> list:
    content = downloaded(api, dataset.uuid, kind)
    if kind == "jsonl":
        return [{**exact.loads(line), "id": ""} for line in content.splitlines() if line]
    _, rows = csv_lines.read(content)
    return [row.cells[1:] for row in rows]


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_goes_back_under_its_own_ids_or_under_new_ones_beside_them(
    api, acme, dataset, form
) -> None:
    ids = examples.create(
        dataset, [ExampleInput(inputs='{"a":"1"}'), ExampleInput(inputs='{"a":"2"}')], now=NOON
    ).example_ids
    content = downloaded(api, dataset.uuid, form)
    assert uploaded(api, content, into=dataset, kind=FORMATS[form]).status_code == 200
    assert [one.uuid for one in dataset.examples.order_by("pk")] == ids  # the same, and no more
    copy = copied(api, dataset, form)
    assert {one.uuid for one in copy.examples.all()}.isdisjoint(ids)
    api.delete(f"/datasets/{dataset.uuid}")
    api.delete(f"/datasets/{copy.uuid}")
    uploaded(api, content, kind=FORMATS[form], name="restored")
    assert [one.uuid for one in Example.objects.filter(workspace=acme).order_by("pk")] == ids


@pytest.mark.parametrize("form", FORMATS)
def test_files_of_examples_are_copied_while_their_links_are_open(
    api, rival_api, dataset, form
) -> None:
    uuid = uuid4()
    parts = [
        (str(uuid), {}),
        (f"{uuid}.inputs", {"a": 1}),
        (f"{uuid}.attachment.photo.png", b"pixels", "image/png"),
    ]
    api.client.post(
        f"/v1/platform/datasets/{dataset.uuid}/examples",
        multipart(parts, "edge"),
        content_type="multipart/form-data; boundary=edge",
        headers={"x-api-key": api.token},
    )
    copy = copied(api, dataset, form)
    [example] = copy.examples.all()
    told = api.get(f"/examples/{example.uuid}").json()["attachment_urls"]
    assert told["attachment.photo.png"]["mime_type"] == "image/png"
    url = told["attachment.photo.png"]["presigned_url"]
    assert b"".join(api.client.get(url[url.index("/api/") :]).streaming_content) == b"pixels"
    content = downloaded(api, dataset.uuid, form)
    refused = uploaded(rival_api, content, kind=FORMATS[form], name="stolen")
    assert refused.status_code == 422
    assert "attachment.photo.png" in refused.json()["detail"]


def test_digits_leave_and_arrive_as_sent(api, dataset) -> None:
    sent = f'{{"n": {BIG}, "x": 1.10, "y": 1e2}}'
    examples.create(dataset, [ExampleInput(inputs=sent, outputs=sent)], now=NOON)
    [line] = downloaded(api, dataset.uuid, "jsonl").splitlines()
    assert sent.encode() in line
    names, [row] = csv_lines.read(downloaded(api, dataset.uuid, "csv"))
    assert dict(zip(names, row.cells, strict=True))["input_n:json"] == str(BIG)
    [chat] = downloaded(api, dataset.uuid, "openai_ft").splitlines()
    assert str(BIG) in chat.decode()
    for form in FORMATS:
        [copy] = dataset_revisions(copied(api, dataset, form))
        assert [part.replace(" ", "") for part in (copy.inputs, copy.outputs)] == [
            sent.replace(" ", "")
        ] * 2


def test_a_line_without_its_cells_is_refused_and_nothing_is_stored(api, dataset) -> None:
    for content, reason in (
        (b"q,a\n1,2\n1,2,3\n", "line 3"),
        (b"q,a\n1,2\n1\n", "line 3"),
        (b"q,q\n1,2\n", "line 1"),
        (b'q,a\n"1,2\n', "line 2"),
        (b"q,a\n\xff,2\n", "line 2"),
        (b"q,a\n1,\x00\n", "line 2"),
        (b"q;a\n1;2\n", "no column 'q'"),
        (b"", "line 1"),
    ):
        for into in (None, dataset):
            answer = uploaded(
                api, content, into=into, name="new", input_keys=["q"], output_keys=["a"]
            )
            assert answer.status_code == 422, content
            assert reason in answer.json()["detail"]
    assert not Dataset.objects.filter(name="new").exists()
    assert not Example.objects.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"inputs":{}}\n{"inputs":7}\n', "line 2: inputs"),
        (b'{"inputs":{}}\nnot json\n', "line 2"),
        (b'{"inputs":{},"colour":1}\n', "line 1: no example has a member 'colour'"),
        (2 * b'{"id":"11111111-2222-4333-8444-555555555555"}\n\n', "line 3: id"),
        (
            b'{"inputs":{},"attachment_urls":{"attachment.a":{"presigned_url":"/x/forged"}}}',
            "line 1: attachment_urls",
        ),
        ('{"inputs":{}}'.encode("utf-16"), "line 1"),
    ],
)
def test_json_lines_are_taken_whole_or_refused_by_their_line(api, content, reason) -> None:
    answer = uploaded(api, content, kind="application/x-ndjson", name="new")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("file: line")
    assert reason in answer.json()["detail"]
    assert not Dataset.objects.exists()


def test_a_file_that_was_not_exported_here_needs_its_columns_named(api) -> None:
    answer = uploaded(api, b"q,a\n1,2\n", name="new")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("input_keys")
    named = uploaded(api, b"q,a\n=1,'-5\n", name="new", input_keys=["q"], output_keys=["a"])
    assert named.json()["example_count"] == 1
    [example] = api.get("/examples", dataset=named.json()["id"]).json()
    assert (example["inputs"], example["outputs"]) == ({"q": "=1"}, {"a": "'-5"})


def test_a_repeated_or_non_text_field_is_refused(api) -> None:
    for fields in (
        {"name": ["a", "b"]},
        {"name": "a\x00"},
        {"name": "a", "metadata": "{"},
        {"name": "a", "spreadsheet": "maybe"},
    ):
        answer = uploaded(api, b"q\n1\n", input_keys=["q"], **fields)
        assert answer.status_code == 422, fields


# Conversations ----------------------------------------------------------------------------------


def conversations(api, dataset, *documents) -> list[dict]:
    given = [
        ExampleInput(inputs=json.dumps(asked), outputs=None if said is None else json.dumps(said))
        for asked, said in documents
    ]
    examples.create(dataset, given, now=NOON)
    return [json.loads(line) for line in downloaded(api, dataset.uuid, "openai_ft").splitlines()]


def test_an_example_of_several_fields_is_exported_whole(api, dataset) -> None:
    asked = {"question": "Refund?", "channel": "email"}
    said = {"answer": "Yes", "days": 14}
    [line] = conversations(api, dataset, (asked, said))
    assert [message["role"] for message in line["messages"]] == ["user", "assistant"]
    assert [json.loads(message["content"]) for message in line["messages"]] == [asked, said]


def test_messages_and_tools_are_kept_and_what_is_left_out_is_named(api, dataset) -> None:
    message = {"role": "user", "content": "hi"}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    asked = {"messages": [message], "tools": [tool], "model": "m-1"}
    [line] = conversations(api, dataset, (asked, {"answer": "yes"}), ({"question": "open"}, None))
    assert line == {"messages": [message, {"role": "assistant", "content": "yes"}], "tools": [tool]}
    answer = api.get(f"/datasets/{dataset.uuid}/openai_ft")
    assert answer["X-Fields-Left-Out"] == "inputs.model"
    assert answer["X-Examples-Left-Out"] == "1"


# Guards -----------------------------------------------------------------------------------------


def test_the_formula_guard_is_a_parameter_of_the_download(api, dataset) -> None:
    given = [ExampleInput(inputs=exact.dumps({text: text}).decode()) for text in FORMULAS]
    examples.create(dataset, given, now=NOON)
    exact_file = downloaded(api, dataset.uuid, "csv")
    _, rows = csv_lines.read(exact_file)
    assert set(FORMULAS) <= {cell for row in rows for cell in row.cells}
    guarded_file = downloaded(api, dataset.uuid, "csv", spreadsheet="true")
    names, rows = csv_lines.read(guarded_file)
    for cell in [*names, *(cell for row in rows for cell in row.cells)]:
        assert cell == csv_lines.guarded(csv_lines.unguarded(cell))
    assert {csv_lines.guarded(text) for text in FORMULAS} <= {
        cell for row in csv_lines.read(guarded_file)[1] for cell in row.cells
    }


def test_a_cell_beyond_the_csv_modules_default_limit_round_trips(api, dataset) -> None:
    long = "x" * 200_000
    examples.create(dataset, [ExampleInput(inputs=json.dumps({"q": long}))], now=NOON)
    assert held(copied(api, dataset, "csv"))[0][0] == {"q": long}
    by_name = uploaded(api, f"q\n{long}\n".encode(), name="by name", input_keys=["q"])
    assert by_name.status_code == 200
