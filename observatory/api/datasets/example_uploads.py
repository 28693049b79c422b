"""The platform's multipart writes of examples: what both SDKs use to create and change them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
            one = sent.setdefault(uuid, Sent())
            kind, _, name = rest.partition(".")
            if rest in (*example_bodies.DOCUMENTS, "attachments_operations"):
                one.members[rest] = bytes(content[part.start : part.end])
            elif rest == "":
                raw = bytes(content[part.start : part.end])
                main = example_bodies.members_of(raw, f"{part.name}: ")
                for member, value in main.items():
                    one.members.setdefault(member, value)
            elif kind == "attachment":
                name = example_bodies.file_name(part.name, name)
                mime_type = multipart.mime_type(content, part)
                file = attachments.save(uuid, name, mime_type, _pieces(content, part))
                saved.append(file)
                one.files[name] = file
            else:
                raise Unprocessable(f"{part.name[:100]}: no example has such a part")
        yield sent


def _pieces(content: body.Content, part: multipart.Part) -> Iterator[bytes]:
    for start in range(part.start, part.end, body.PIECE):
        yield bytes(content[start : min(part.end, start + body.PIECE)])


def _input(uuid: UUID, sent: Sent) -> ExampleInput:
    named = {**sent.members, "id": b'"%s"' % str(uuid).encode()}
    return example_bodies.input_of(named, sent.files)


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
        with read(request) as sent:
            return _answer(create_in(dataset, [_input(*pair) for pair in sent.items()]))

    @endpoint(
        body=Binary, takes="multipart/form-data", answer=shapes.ExamplesWritten, errors=(409,)
    )
    def patch(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        with read(request) as sent:
            for uuid, one in sent.items():
                named = example_bodies.id_of(one.members, "dataset_id")
                if named not in (None, dataset.uuid):
                    raise Conflict(f"{uuid}.dataset_id: an example stays in its dataset")
            changes = [
                example_bodies.change_of(uuid, one.members, one.files) for uuid, one in sent.items()
            ]
            return _answer(update_in(dataset, changes))


class ExamplesUpsert(WorkspaceView):
    """POST platform/examples/multipart (upsert_examples_multipart): `dataset_id` in each."""

    @endpoint(
        body=Binary, takes="multipart/form-data", answer=shapes.ExamplesWritten, errors=(404, 409)
    )
    def post(self, request: Request) -> Response:
        with read(request) as sent:
            return _answer(self._upserted(sent))

    def _upserted(self, sent: dict[UUID, Sent]) -> Written:
        by_dataset: dict[UUID, list[tuple[UUID, Sent]]] = {}
        for uuid, one in sent.items():
            dataset_id = example_bodies.id_of(one.members, "dataset_id")
            if dataset_id is None:
                raise Unprocessable(f"{uuid}.dataset_id: is required")
            by_dataset.setdefault(dataset_id, []).append((uuid, one))
        written = []
        with transaction.atomic():
            for dataset_id, rows in sorted(by_dataset.items()):
                given = [_input(*pair) for pair in rows]
                written.append(create_in(dataset_or_404(self, dataset_id), given))
        newest = max((one.as_of for one in written if one.as_of is not None), default=None)
        return Written(newest, list(sent))
