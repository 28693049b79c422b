"""Datasets as files: CSV in, CSV, JSON Lines and fine-tuning conversations out; and clones."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import orjson
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import catalogue, files, formats, selection
from datasets_app.examples import ExampleInput
from datasets_app.models import Dataset, ExampleRevision
from datasets_app.selection import Selection
from observatory.api import body, example_bodies, multipart, parameters
from observatory.api.base import WorkspaceView
from observatory.api.datasets import body_of, dataset_or_404, fields_of, instant_or_404, reread
from observatory.api.described import Binary, describe
from observatory.api.errors import Conflict, Unprocessable
from observatory.api.examples import create_in, now_shown
from observatory.api.shapes import datasets as shapes
from observatory.runs import attachments

MAX_FORM_PARTS = 2_000
CHUNK = 500
FORM_TEXT = 65_536  # bytes


def _form(request: Request) -> tuple[dict[str, list[str]], bytes]:
    """Return the fields of a multipart form and its `file`. Raises 400, 413 and 422.

    A form without `name` has the file's: JavaScript's uploadCsv need not send one.
    """
    fields: dict[str, list[str]] = {}
    file: bytes | None = None
    boundary = multipart.boundary_of(request.headers.get("content-type", ""))
    with body.received(request._request) as content:
        for part in multipart.split(content, boundary, max_parts=MAX_FORM_PARTS):
            raw = bytes(content[part.start : part.end])
            if part.name == "file":
                file = raw
                if named := multipart.file_name(content, part):
                    fields.setdefault("file_name", [named])
                continue
            if len(raw) > FORM_TEXT:
                raise Unprocessable(f"{part.name[:60]}: longer than {FORM_TEXT} bytes")
            text = raw.decode("utf-8", "replace").replace("\x00", "")
            fields.setdefault(part.name, []).append(text)
    if file is None:
        raise Unprocessable("file: is required")
    fields.setdefault("name", fields.get("file_name", []))
    return fields, file


def _rows(file: bytes, form: dict[str, list[str]]) -> list[ExampleInput]:
    """Return an example for each line of a CSV file; every cell is a text. Raises 422."""
    try:
        text = file.decode("utf-8-sig").replace("\x00", "")
    except UnicodeDecodeError:
        raise Unprocessable("file: is not UTF-8") from None
    lines = csv.DictReader(io.StringIO(text, newline=""))
    columns = {name: form.get(name, []) for name in ("input_keys", "output_keys", "metadata_keys")}
    if not columns["input_keys"]:
        raise Unprocessable("input_keys: is required")
    for name, keys in columns.items():
        for key in keys:
            if key not in (lines.fieldnames or []):
                raise Unprocessable(f"{name}: the file has no column {key[:100]!r}")

    def document(line: dict[str, str], name: str) -> dict[str, str]:
        return {key: line.get(key) or "" for key in columns[name]}

    given = []
    try:
        for line in lines:
            outputs = document(line, "output_keys")
            given.append(
                ExampleInput(
                    inputs=orjson.dumps(document(line, "input_keys")).decode(),
                    outputs=orjson.dumps(outputs).decode() if outputs else None,
                    metadata=document(line, "metadata_keys") or None,
                )
            )
            if len(given) > example_bodies.MAX_EXAMPLES:
                raise Unprocessable(f"file: more than {example_bodies.MAX_EXAMPLES} lines")
    except csv.Error as error:
        raise Unprocessable(f"file: line {lines.line_num}: {error}") from None
    return given


class DatasetUpload(WorkspaceView):
    """POST /datasets/upload (upload_csv): a dataset of a CSV file's lines; all of it or nothing."""

    @describe(body=Binary, takes="multipart/form-data", answer=shapes.Dataset, errors=(409,))
    def post(self, request: Request) -> Response:
        form, file = _form(request)
        sent: dict[str, Any] = {
            name: form[name][-1] for name in ("name", "description", "data_type") if form.get(name)
        }
        for name in ("inputs_schema_definition", "outputs_schema_definition", "extra"):
            if form.get(name):
                try:
                    sent[name] = orjson.loads(form[name][-1])
                except orjson.JSONDecodeError:
                    raise Unprocessable(f"{name}: must be JSON") from None
        fields = fields_of(sent)
        if "name" not in fields:
            raise Unprocessable("name: is required")
        uuid = parameters.sent_uuid({"id": form["id"][-1] if form.get("id") else None}, "id")
        given = _rows(file, form)
        with transaction.atomic():
            try:
                dataset = catalogue.create(self.workspace, now=timezone.now(), uuid=uuid, **fields)
            except catalogue.NameTaken:
                raise Conflict("Dataset with this name already exists") from None
            create_in(dataset, given)
        return Response(reread(self, dataset))


class ExampleUpload(WorkspaceView):
    """POST /examples/upload/{dataset_id}: the lines of a CSV file as examples of a dataset."""

    @describe(body=Binary, takes="multipart/form-data", answer=list[shapes.Example])
    def post(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        form, file = _form(request)
        written = create_in(dataset, _rows(file, form))
        return Response(now_shown(self, written.example_ids))


class DatasetClone(WorkspaceView):
    """POST /datasets/clone: copy examples of one dataset into another, under ids of their own."""

    @describe(body=shapes.DatasetClone, answer=list[shapes.Example], errors=(404,))
    def post(self, request: Request) -> Response:
        sent = body_of(request)
        ids = [
            parameters.sent_uuid(sent, name) for name in ("source_dataset_id", "target_dataset_id")
        ]
        if ids[0] is None or ids[1] is None:
            raise Unprocessable("source_dataset_id and target_dataset_id are required")
        source, target = dataset_or_404(self, ids[0]), dataset_or_404(self, ids[1])
        as_of, split = sent.get("as_of"), sent.get("split")
        chosen = sent.get("examples") or []
        if not isinstance(as_of, (str, type(None))):
            raise Unprocessable("as_of: must be a time or a tag")
        splits = [split] if isinstance(split, str) else split or []
        if not isinstance(splits, list) or not all(isinstance(one, str) for one in splits):
            raise Unprocessable("split: must be a text or an array of texts")
        if not isinstance(chosen, list) or len(chosen) > example_bodies.MAX_EXAMPLES:
            raise Unprocessable("examples: must be an array of ids")
        wanted = [parameters.sent_uuid({"examples": text}, "examples") for text in chosen]
        found = selection.revisions(
            self.workspace,
            Selection(
                dataset=source,
                as_of=instant_or_404(source, as_of),
                ids=[uuid for uuid in wanted if uuid is not None],
                splits=splits,
            ),
        )
        return Response(now_shown(self, self._copied(list(found), target)))

    def _copied(self, found: list[ExampleRevision], target: Dataset) -> list[UUID]:
        """Write the copies and their files, all or none, and return their ids."""
        owner = {one.example.uuid: uuid4() for one in found}
        with attachments.kept_on_success() as saved:
            copies = files.duplicated(found, owner, saved)
            given = [
                ExampleInput(
                    id=owner[one.example.uuid],
                    inputs=one.inputs,
                    outputs=one.outputs,
                    metadata=one.metadata,
                    splits=one.splits,
                    source_run_id=one.example.source_run_id,
                    created_at=one.example.created_at,
                    files=copies.get(owner[one.example.uuid], {}),
                )
                for one in found
            ]
            return create_in(target, given).example_ids


class DatasetFile(WorkspaceView):
    """GET /datasets/{id}/csv, jsonl, openai and openai_ft (read_dataset_openai_finetuning)."""

    @describe(query=shapes.AsOfQuery, answer=Binary, gives=("text/csv", "application/x-ndjson"))
    def get(self, request: Request, dataset_id: str, form: str) -> HttpResponseBase:
        dataset = dataset_or_404(self, dataset_id)
        instant = instant_or_404(dataset, parameters.one(request, "as_of"))
        standing = ExampleRevision.objects.at(instant).filter(dataset=dataset)
        found = standing.select_related("example").order_by("example__created_at", "example_id")
        answer: HttpResponseBase
        if form == "csv":
            answer = _download(_csv(found), "text/csv; charset=utf-8")
        elif form == "jsonl":
            answer = _download(_json_lines(found), "application/x-ndjson")
        else:
            lines = (formats.openai_line(one.inputs, one.outputs) for one in found.iterator(CHUNK))
            whole = b"".join(line for line in lines if line is not None)
            if not whole:  # the SDK reads an empty answer as broken JSON
                raise Unprocessable("No example of this dataset is a conversation")
            answer = HttpResponse(whole, content_type="application/x-ndjson")
        kind = "csv" if form == "csv" else "jsonl"
        answer["Content-Disposition"] = f'attachment; filename="dataset-{dataset.uuid}.{kind}"'
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


def _download(lines: Iterator[bytes], kind: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(lines, content_type=kind)


def _json_lines(found: Any) -> Iterator[bytes]:
    for one in found.iterator(CHUNK):
        rest = {**(one.metadata or {}), "dataset_split": one.splits}
        yield formats.json_line(str(one.example.uuid), one.inputs, one.outputs, rest)


def _csv(found: Any) -> Iterator[bytes]:
    """Yield a CSV file: a column for each key of the inputs and of the outputs."""
    keys: dict[str, None] = {}
    for one in found.iterator(CHUNK):
        keys |= dict.fromkeys(_cells(one))
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["id", *keys])
    for one in found.iterator(CHUNK):
        cells = _cells(one)
        lines.writerow([one.example.uuid, *(formats.cell(cells.get(key)) for key in keys)])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _cells(one: ExampleRevision) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, document in (("input", one.inputs), ("output", one.outputs)):
        read = orjson.loads(document) if document else {}
        cells |= {f"{name}_{key}": value for key, value in read.items()}
    return cells
