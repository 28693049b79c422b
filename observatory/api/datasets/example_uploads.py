"""The platform's multipart writes of examples: what both SDKs use to create and change them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app.examples import ExampleInput, Written
from observatory.api.datasets import example_bodies
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import dataset_or_404
from observatory.api.datasets.examples import create_in, update_in
from observatory.api.kit import body, multipart
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.runs import attachments
from observatory.runs.attachments import Saved

E = TypeVar("E", bound=shapes.ExampleFields)
Members = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Sent:
    """One example of a multipart body: its members, unparsed, and its files by name."""

    members: Members = field(default_factory=dict)
    files: dict[str, Saved] = field(default_factory=dict)


@contextmanager
def read(request: Request) -> Iterator[dict[UUID, Sent]]:
    """Yield each example of a multipart body, in the order sent.

    The part named by the id holds the small members; `inputs` and `outputs` have their own
    parts, kept as bytes, and so has each file, which is removed again if the block raises.
    Raises 400, 413 and 422; then nothing was stored.
    """
    sent: dict[UUID, Sent] = {}
    seen: set[tuple[UUID, str]] = set()
    boundary = multipart.boundary_of(request.headers.get("content-type", ""))
    with (
        body.received(request._request) as content,
        attachments.kept_on_success() as saved,
    ):
        for part in multipart.split(content, boundary, max_parts=3 * example_bodies.MAX_EXAMPLES):
            example_id, _, rest = part.name.partition(".")
            uuid = _uuid(example_id)
            if (uuid, rest) in seen:
                raise Unprocessable(f"{part.name[:100]}: two parts have this name")
            seen.add((uuid, rest))
            example = sent.setdefault(uuid, Sent())
            kind, _, name = rest.partition(".")
            if rest in (*example_bodies.DOCUMENTS, "attachments_operations"):
                example.members[rest] = bytes(content[part.start : part.end])
            elif rest == "":
                raw = bytes(content[part.start : part.end])
                main = example_bodies.members_of(raw, part.name)
                for member, value in main.items():
                    example.members.setdefault(member, value)
            elif kind == "attachment":
                name = example_bodies.file_name(part.name, name)
                mime_type = multipart.mime_type(content, part)
                file = attachments.save(uuid, name, mime_type, _pieces(content, part))
                saved.append(file)
                example.files[name] = file
            else:
                raise Unprocessable(f"{part.name[:100]}: no example has such a part")
        yield sent


def _pieces(content: body.Content, part: multipart.Part) -> Iterator[bytes]:
    for start in range(part.start, part.end, body.PIECE):
        yield bytes(content[start : min(part.end, start + body.PIECE)])


@contextmanager
def _naming(uuid: UUID) -> Iterator[None]:
    """Name the example in refusals that are raised in the block."""
    try:
        yield
    except Unprocessable as error:
        raise Unprocessable(f"{uuid}.{error.detail}") from None


def _read(kind: type[E], uuid: UUID, sent: Sent) -> E:
    """Return the members of one example as `kind`. Raises 422, naming the example."""
    with _naming(uuid):
        return example_bodies.read(kind, {**sent.members, "id": b'"%s"' % str(uuid).encode()})


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Unprocessable(f"{text[:60]!r}: a part must be named by the example's id") from None


def _answer(written: Written) -> Response:
    return Response(
        {
            "count": len(written.example_ids),
            "example_ids": written.example_ids,
            "as_of": written.as_of,
        }
    )


class DatasetExamples(WorkspaceView):
    """POST (create_examples) and PATCH (update_examples) platform/datasets/{id}/examples."""

    @endpoint(
        body=Binary, takes="multipart/form-data", answer=shapes.ExamplesWritten, errors=(409,)
    )
    def post(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        with read(request) as examples:
            inputs = [
                example_bodies.input_of(_read(shapes.ExampleContent, uuid, sent), sent.files)
                for uuid, sent in examples.items()
            ]
            return _answer(create_in(dataset, inputs))

    @endpoint(
        body=Binary, takes="multipart/form-data", answer=shapes.ExamplesWritten, errors=(409,)
    )
    def patch(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        with read(request) as examples:
            changes = []
            for uuid, sent in examples.items():
                change = _read(shapes.ExampleUpdate, uuid, sent)
                if change.dataset_id not in (None, dataset.uuid):
                    raise Conflict(f"{uuid}.dataset_id: an example stays in its dataset")
                with _naming(uuid):
                    changes.append(example_bodies.change_of(uuid, change, sent.files))
            return _answer(update_in(dataset, changes))


class ExamplesUpsert(WorkspaceView):
    """POST platform/examples/multipart (upsert_examples_multipart): `dataset_id` in each."""

    @endpoint(
        body=Binary, takes="multipart/form-data", answer=shapes.ExamplesWritten, errors=(404, 409)
    )
    def post(self, request: Request) -> Response:
        with read(request) as examples:
            return _answer(self._upserted(examples))

    def _upserted(self, examples: dict[UUID, Sent]) -> Written:
        by_dataset: dict[UUID, list[ExampleInput]] = {}
        for uuid, sent in examples.items():
            example = _read(shapes.ExampleCreate, uuid, sent)
            inputs = by_dataset.setdefault(example.dataset_id, [])
            inputs.append(example_bodies.input_of(example, sent.files))
        with transaction.atomic():
            versions = [
                create_in(dataset_or_404(self, dataset_id), inputs).as_of
                for dataset_id, inputs in sorted(by_dataset.items())
            ]
        newest = max((as_of for as_of in versions if as_of is not None), default=None)
        return Written(newest, list(examples))
