"""Files of examples coming in: CSV with columns named by the sender, and what was exported here.

A file is taken whole or not at all: what could not be kept is 422 with the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import msgspec
from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import examples, files, formats
from datasets_app.examples import ExampleInput
from datasets_app.formats import BadLine
from datasets_app.models import Dataset
from observatory import csv_lines, exact
from observatory.api.datasets import example_bodies
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import create_dataset, dataset_or_404, reread
from observatory.api.datasets.examples import create_in, now_shown
from observatory.api.kit import bodies, body, multipart
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.runs import attachments
from observatory.runs.attachments import Saved
from observatory.workspaces.models import Workspace

MAX_FORM_PARTS = 2_000
FORM_TEXT = 65_536  # bytes
KEYS = ("input_keys", "output_keys", "metadata_keys")
JSON_FIELDS = (
    *("inputs_schema_definition", "outputs_schema_definition"),
    *("transformations", "metadata", "extra", "tag_value_ids"),
)
JSON_LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: its fields, and its one file."""

    fields: dict[str, list[str]]
    content: bytes
    is_json_lines: bool

    def one(self, name: str) -> str | None:
        """Return a field that may be sent once, None if absent or empty. Raises 422."""
        values = self.fields.get(name, [])
        if len(values) > 1:
            raise Unprocessable(f"{name}: is sent {len(values)} times")
        return (values[0] if values else "") or None

    def flag(self, name: str) -> bool:
        """Return a boolean field. Raises 422."""
        text = (self.one(name) or "false").lower()
        if text not in {"true", "false", "1", "0"}:
            raise Unprocessable(f"{name}: must be true or false")
        return text in {"true", "1"}


def form_of(request: Request) -> Form:
    """Return the form that was sent. Raises 400, 413 and 422.

    A form without `name` has the file's: JavaScript's uploadCsv need not send one.
    """
    fields: dict[str, list[str]] = {}
    content_of_file: bytes | None = None
    kind, named = "", ""
    boundary = multipart.boundary_of(request.headers.get("content-type", ""))
    with body.received(request._request) as content:
        for part in multipart.split(content, boundary, max_parts=MAX_FORM_PARTS):
            raw = bytes(content[part.start : part.end])
            if part.name == "file":
                if content_of_file is not None:
                    raise Unprocessable("file: is sent twice")
                content_of_file = raw
                kind = multipart.mime_type(content, part)
                named = multipart.file_name(content, part) or ""
                continue
            fields.setdefault(part.name, []).append(_text(part.name, raw))
    if content_of_file is None:
        raise Unprocessable("file: is required")
    if named:
        fields.setdefault("name", [named])
    is_json_lines = kind in JSON_LINES or named.lower().endswith((".jsonl", ".ndjson"))
    return Form(fields, content_of_file, is_json_lines)


def _text(name: str, raw: bytes) -> str:
    if len(raw) > FORM_TEXT:
        raise Unprocessable(f"{name[:60]}: longer than {FORM_TEXT} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Unprocessable(f"{name[:60]}: is not UTF-8") from None
    if "\x00" in text:
        raise Unprocessable(f"{name[:60]}: contains a NUL character")
    return text


# The rows of the file ---------------------------------------------------------------------------


def rows_of(workspace: Workspace, form: Form, saved: list[Saved]) -> list[ExampleInput]:
    """Return the examples of a file; their files are put in `saved`, too. Raises 422.

    With `input_keys`, `output_keys` or `metadata_keys` it is a CSV file whose cells are texts.
    Without any it must be a file that was exported here, CSV or JSON Lines.
    """
    try:
        if form.is_json_lines:
            lines = _json_lines(form.content)
        elif any(form.fields.get(name) for name in KEYS):
            return list(_named_columns(form))
        else:
            lines = _exported_csv(form)
        return _examples(workspace, lines, saved)
    except csv_lines.BadFile as error:
        raise Unprocessable(f"file: {error}") from None


def _limited(index: int) -> None:
    if index >= example_bodies.MAX_EXAMPLES:
        raise Unprocessable(f"file: more than {example_bodies.MAX_EXAMPLES} examples")


def _named_columns(form: Form) -> Iterator[ExampleInput]:
    """Yield an example for each line; every cell is a text."""
    names, rows = csv_lines.read(form.content, is_guarded=form.flag("spreadsheet"))
    if not form.fields.get("input_keys"):
        raise Unprocessable("input_keys: is required")
    places: list[dict[str, int]] = []
    for field in KEYS:
        for key in form.fields.get(field, []):
            if key not in names:
                known = ", ".join(repr(name[:60]) for name in names[:20])
                raise Unprocessable(f"{field}: the file has no column {key[:100]!r}, but {known}")
        places.append({key: names.index(key) for key in form.fields.get(field, [])})
    for place, row in enumerate(rows):
        _limited(place)
        inputs, outputs, metadata = (
            {key: row.cells[index] for key, index in columns.items()} for columns in places
        )
        yield ExampleInput(
            inputs=exact.dumps(inputs).decode(),
            outputs=exact.dumps(outputs).decode() if outputs else None,
            metadata=metadata or None,
        )


def _exported_csv(form: Form) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield the line and the members of each example of a CSV file that was exported here."""
    names, rows = csv_lines.read(form.content, is_guarded=form.flag("spreadsheet"))
    try:
        columns = formats.columns_read(names)
    except BadLine as error:
        raise Unprocessable(
            f"input_keys: is required, unless the file was exported here: {error}"
        ) from None
    for row in rows:
        try:
            yield row.line, formats.cells_read(columns, row.cells)
        except BadLine as error:
            raise csv_lines.BadFile(row.line, str(error)) from None


def _json_lines(content: bytes) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield the line and the members of each example of a JSON Lines file."""
    for line, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            members = example_bodies.members_of(raw, "example")
        except Unprocessable as error:
            raise csv_lines.BadFile(line, str(error.detail)) from None
        if odd := members.keys() - KNOWN:
            raise csv_lines.BadFile(line, f"no example has a member {min(odd)[:60]!r}")
        yield line, members


KNOWN = {
    *("id", "inputs", "outputs", "metadata", "split", "created_at", "source_run_id"),
    *("attachment_urls", "dataset_id", "modified_at", "name"),
}
"""Members of an example in exports and answers. The last three are not imported."""


def _examples(
    workspace: Workspace, lines: Iterator[tuple[int, dict[str, bytes]]], saved: list[Saved]
) -> list[ExampleInput]:
    inputs: list[ExampleInput] = []
    lines_of_ids: dict[UUID, int] = {}
    for line, members in lines:
        _limited(len(inputs))
        try:
            copied = _files(workspace, members.pop("attachment_urls", b"null"))
            saved += copied.values()
            example = example_bodies.read(shapes.ExampleContent, members)
        except Unprocessable as error:
            raise csv_lines.BadFile(line, str(error.detail)) from None
        if example.id is not None:
            if example.id in lines_of_ids:
                raise csv_lines.BadFile(line, f"id: the same as in line {lines_of_ids[example.id]}")
            lines_of_ids[example.id] = line
        inputs.append(example_bodies.input_of(example, copied))
    return inputs


def _files(workspace: Workspace, raw: bytes) -> dict[str, Saved]:
    """Copy the files that an exported example links to. Raises 422 when a link is not open."""
    try:
        urls = msgspec.json.decode(raw, type=dict[str, dict[str, Any]] | None) or {}
    except msgspec.DecodeError as error:
        raise Unprocessable(f"attachment_urls: {error}") from None
    copies: dict[str, Saved] = {}
    for title, link in urls.items():
        name = title.removeprefix("attachment.")
        token = str(link.get("presigned_url", "")).rpartition("/")[2]
        opened = files.opened(token)
        if opened is None or opened[0].example.workspace_id != workspace.pk:
            attachments.discard(copies.values())
            raise Unprocessable(
                f"attachment_urls.{title[:100]}: the link has expired or is not of this"
                " workspace; export the dataset again"
            )
        copies[name] = files.saved_copy(opened[0], name)
    return copies


def _new_ids(dataset: Dataset, inputs: list[ExampleInput]) -> list[ExampleInput]:
    """Return `inputs` with new ids for those whose id an example of another dataset has."""
    used_ids = examples.elsewhere(dataset, [item.id for item in inputs if item.id is not None])
    return [replace(item, id=uuid4()) if item.id in used_ids else item for item in inputs]


# Endpoints --------------------------------------------------------------------------------------


class DatasetUpload(WorkspaceView):
    """POST /datasets/upload (upload_csv): a dataset of a file's lines; all of it or nothing."""

    @endpoint(body=Binary, takes="multipart/form-data", answer=shapes.Dataset, errors=(409,))
    def post(self, request: Request) -> Response:
        form = form_of(request)
        fields: dict[str, Any] = {
            name: form.one(name)
            for name in ("name", "description", "data_type", "id")
            if form.one(name) is not None
        }
        for name in JSON_FIELDS:
            if (text := form.one(name)) is not None:
                try:
                    fields[name] = exact.loads(text)
                except exact.NotJSON as error:
                    raise Unprocessable(f"{name}: must be JSON: {error}") from None
        dataset_sent = bodies.read(shapes.DatasetCreate, fields)
        with attachments.kept_on_success() as saved, transaction.atomic():
            inputs = rows_of(self.workspace, form, saved)
            dataset = create_dataset(self, dataset_sent)
            create_in(dataset, _new_ids(dataset, inputs))
        return Response(reread(self, dataset))


class ExampleUpload(WorkspaceView):
    """POST /examples/upload/{dataset_id}: the lines of a file as examples of a dataset."""

    @endpoint(body=Binary, takes="multipart/form-data", answer=list[shapes.Example])
    def post(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        form = form_of(request)
        with attachments.kept_on_success() as saved:
            inputs = rows_of(self.workspace, form, saved)
            written = create_in(dataset, _new_ids(dataset, inputs))
        return Response(now_shown(self, written.example_ids))
