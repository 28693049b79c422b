"""The platform's multipart writes of examples: what both SDKs use to create and change them."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app.examples import Written
from observatory.api import body, example_bodies, multipart
from observatory.api.base import WorkspaceView
from observatory.api.datasets import dataset_or_404
from observatory.api.errors import Unprocessable
from observatory.api.examples import create_in, update_in

Members = dict[str, bytes]


def read(request: Request) -> dict[UUID, Members]:
    """Return the members of each example of a multipart body, in the order sent.

    The part named by the id holds the small members; `inputs` and `outputs` have their own
    parts, kept as bytes. Raises 400, 413 and 422; then nothing was stored.
    """
    examples: dict[UUID, Members] = {}
    boundary = multipart.boundary_of(request.headers.get("content-type", ""))
    with body.received(request._request) as content:
        for part in multipart.split(content, boundary, max_parts=3 * example_bodies.MAX_EXAMPLES):
            example_id, _, rest = part.name.partition(".")
            members = examples.setdefault(_uuid(example_id), {})
            if rest in example_bodies.DOCUMENTS:
                members[rest] = bytes(content[part.start : part.end])
            elif rest == "":
                main = example_bodies.members_of(bytes(content[part.start : part.end]))
                members |= {name: raw for name, raw in main.items() if name not in members}
            elif rest.startswith("attachment"):
                raise Unprocessable(f"{part.name[:200]}: examples cannot have attachments yet")
    return examples


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

    def post(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        given = [
            example_bodies.input_of({**members, "id": b'"%s"' % str(uuid).encode()})
            for uuid, members in read(request).items()
        ]
        return _answer(create_in(dataset, given))

    def patch(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        changes = [
            example_bodies.change_of(uuid, members) for uuid, members in read(request).items()
        ]
        return _answer(update_in(dataset, changes))


class ExamplesUpsert(WorkspaceView):
    """POST platform/examples/multipart (upsert_examples_multipart): `dataset_id` in each."""

    def post(self, request: Request) -> Response:
        by_dataset: dict[UUID, list[tuple[UUID, Members]]] = {}
        sent = read(request)
        for uuid, members in sent.items():
            dataset_id = example_bodies.id_of(members, "dataset_id")
            if dataset_id is None:
                raise Unprocessable(f"{uuid}.dataset_id: is required")
            by_dataset.setdefault(dataset_id, []).append((uuid, members))
        written = []
        with transaction.atomic():
            for dataset_id, rows in sorted(by_dataset.items()):
                given = [
                    example_bodies.input_of({**members, "id": b'"%s"' % str(uuid).encode()})
                    for uuid, members in rows
                ]
                written.append(create_in(dataset_or_404(self, dataset_id), given))
        newest = max((one.as_of for one in written if one.as_of is not None), default=None)
        return _answer(Written(newest, list(sent)))
