"""/examples, and the platform's multipart writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import example_filters, examples, files, schemas, selection
from datasets_app.examples import ExampleChange, ExampleInput
from datasets_app.models import Dataset, ExampleRevision
from datasets_app.selection import Selection
from observatory import exact
from observatory.api.datasets import example_bodies
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import dataset_or_404, instant_or_404
from observatory.api.kit import parameters, streamed
from observatory.api.kit.base import WorkspaceView, base_url, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.runs.filters.grammar import FilterError


def _fragment(text: str | None) -> exact.Fragment | None:
    return None if text is None else exact.Fragment(text)


def shown(revision: ExampleRevision, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """Return an example at one version as the wire shows it; stored documents go unparsed.

    Documents named in `without` were not read, and are None.
    """
    example = revision.example
    return {
        "id": example.uuid,
        "dataset_id": example.dataset.uuid,
        "name": f"#{example.uuid.hex[:4]} @ {example.dataset.name}",
        "inputs": None if "inputs" in without else _fragment(revision.inputs),
        "outputs": None if "outputs" in without else _fragment(revision.outputs),
        "metadata": {**(revision.metadata or {}), "dataset_split": revision.splits},
        "created_at": example.created_at,
        "modified_at": revision.valid_from,
        "source_run_id": example.source_run_id,
    }


def revisions_of(
    found: QuerySet[ExampleRevision], window: slice, *, without: Sequence[str] = ()
) -> Iterator[list[ExampleRevision]]:
    """Yield examples of a window by chunks; the documents in `without` are not read."""
    documents = {"inputs", "outputs", "metadata"} - {*without}
    rows = ExampleRevision.objects.select_related("example__dataset").defer(*without)
    return streamed.rows_of(found, window, sorted(documents), rows)


def _add_files(
    view: WorkspaceView, rows: list[dict[str, Any]], revisions: list[ExampleRevision]
) -> None:
    """Add `attachment_urls` to the examples of `revisions`."""
    links = files.urls(revisions, base_url(view.request), grant=view.caller.grant)
    for row, urls in zip(rows, links, strict=True):
        row["attachment_urls"] = urls


def now_shown(view: WorkspaceView, ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """Return the examples `ids` as they stand, in that order."""
    order = list(ids)
    found = {
        revision.example.uuid: shown(revision)
        for revision in selection.revisions(view.workspace, Selection(ids=order))
    }
    return [found[uuid] for uuid in order]


def create_in(dataset: Dataset, given: list[ExampleInput]) -> examples.Written:
    """Create examples; 404: no such source run, 409: an id of another dataset, 422: it breaks
    the schema. All or none.
    """
    try:
        return examples.create(dataset, given, now=timezone.now())
    except examples.UnknownRun as error:
        raise NotFound(str(error)) from None
    except examples.DoesNotFit as error:
        raise Unprocessable(str(error)) from None
    except examples.IdTaken as error:
        raise Conflict(str(error)) from None


def update_in(dataset: Dataset, changes: list[ExampleChange]) -> examples.Written:
    """Change examples; 404: an unknown one, 409: one of another dataset, 422: it breaks the
    schema. All or none.
    """
    try:
        return examples.update(dataset, changes, now=timezone.now())
    except examples.IdTaken as error:
        raise Conflict(str(error)) from None
    except examples.DoesNotFit as error:
        raise Unprocessable(str(error)) from None
    except examples.UnknownExample:
        raise NotFound("Example not found") from None


def _dataset_of(view: WorkspaceView, example_id: UUID) -> Dataset:
    found = Dataset.objects.filter(
        workspace=view.workspace, examples__workspace=view.workspace, examples__uuid=example_id
    ).first()
    if found is None:
        raise NotFound("Example not found")
    return found


def _asked(view: WorkspaceView, request: Request) -> Selection:
    """Return what the query parameters of GET /examples ask for. Raises 404 and 422."""
    dataset = None
    if (dataset_id := parameters.uuid(request, "dataset")) is not None:
        dataset = dataset_or_404(view, dataset_id)
    as_of = parameters.one(request, "as_of")
    if dataset is not None:
        instant = instant_or_404(dataset, as_of)
    else:
        instant = None if as_of in {None, "latest"} else parameters.moment(request, "as_of")
    order = parameters.one(request, "order") or "recently_created"
    if order not in selection.ORDERS:
        raise Unprocessable(f"order: must be one of {', '.join(selection.ORDERS)}")
    text = parameters.one(request, "filter")
    try:
        condition = None if text is None else example_filters.condition(text)
    except FilterError as error:
        raise Unprocessable(f"filter: {error}") from None
    return Selection(
        dataset=dataset,
        as_of=instant,
        ids=parameters.uuids(request, "id"),
        splits=parameters.listed(request, "splits"),
        metadata=parameters.document(request, "metadata"),
        condition=condition,
        texts=parameters.listed(request, "full_text_contains"),
        order=order,
        is_ascending=parameters.flag(request, "descending") is False,
        seed=parameters.one(request, "random_seed") or "",
    )


FIELDS = (
    *("id", "created_at", "modified_at", "name", "dataset_id", "inputs"),  # always, unless excluded
    *("outputs", "metadata", "source_run_id", "attachment_urls"),
)


def _selected(request: Request) -> set[str]:
    """Return which fields of an example to tell. Raises 422.

    Without `select` all but the files. With it the first six of FIELDS besides, unless
    `exclude_default_fields`: then the id alone.
    """
    selected = parameters.listed(request, "select")
    for name in selected:
        if name not in FIELDS:
            raise Unprocessable(f"select: {name[:60]!r} is none of {', '.join(FIELDS)}")
    if parameters.flag(request, "exclude_default_fields"):
        return {"id", *selected}
    return {*FIELDS[:6], *selected} if selected else {*FIELDS} - {"attachment_urls"}


class Examples(WorkspaceView):
    """GET (list_examples), POST (create_example) and DELETE (delete_examples) /examples."""

    @endpoint(query=shapes.ExampleQuery, answer=list[shapes.Example], errors=(404,))
    def get(self, request: Request) -> HttpResponseBase:
        selected = _selected(request)
        found = selection.revisions(self.workspace, _asked(self, request))
        unread = [name for name in ("inputs", "outputs") if name not in selected]
        pages = revisions_of(found, parameters.window(request), without=unread)
        return streamed.answer(streamed.array(self._listed(pages, selected, unread)))

    def _listed(
        self, pages: Iterator[list[ExampleRevision]], selected: set[str], unread: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        for page in pages:
            rows = [shown(revision, without=unread) for revision in page]
            if "attachment_urls" in selected:
                _add_files(self, rows, page)
            for row in rows:
                yield {name: row[name] for name in FIELDS if name in selected}

    @endpoint(body=shapes.ExampleCreate, answer=shapes.Example, errors=(404, 409))
    def post(self, request: Request) -> Response:
        members = example_bodies.members_of(example_bodies.raw_body(request))
        dataset_id = example_bodies.id_of(members, "dataset_id")
        if dataset_id is None:
            raise Unprocessable("dataset_id: is required")
        dataset = dataset_or_404(self, dataset_id)
        written = create_in(dataset, [example_bodies.input_of(members)])
        return Response(now_shown(self, written.example_ids)[0])

    @endpoint(query=shapes.ExamplesNamed, answer=Message, errors=(404,))
    def delete(self, request: Request) -> Response:
        ids = parameters.uuids(request, "example_ids")
        if not ids:
            raise Unprocessable("example_ids: is required")
        delete_all(self, ids)
        return Response({"message": f"{len(ids)} examples deleted"})


def delete_all(view: WorkspaceView, ids: list[UUID]) -> None:
    """End examples in a new version; 404 for an id that never was, and then none is ended."""
    try:
        examples.delete(view.workspace, ids, now=timezone.now())
    except examples.UnknownExample:
        raise NotFound("Example not found") from None


class ExampleCount(WorkspaceView):
    """GET /examples/count: how many GET /examples would list."""

    @endpoint(query=shapes.ExampleCountQuery, answer=int, errors=(404,))
    def get(self, request: Request) -> Response:
        return Response(
            selection.revisions(self.workspace, _asked(self, request)).order_by().count()
        )


class ExampleBulk(WorkspaceView):
    """POST and PATCH /examples/bulk: all of the array, or none."""

    @endpoint(body=list[shapes.ExampleCreate], answer=list[shapes.Example], errors=(404, 409))
    def post(self, request: Request) -> Response:
        sent = example_bodies.array_of(example_bodies.raw_body(request))
        by_dataset: dict[UUID, list[tuple[int, ExampleInput]]] = {}
        for place, members in enumerate(sent):
            dataset_id = example_bodies.id_of(members, "dataset_id")
            if dataset_id is None:
                raise Unprocessable(f"[{place}].dataset_id: is required")
            by_dataset.setdefault(dataset_id, []).append((place, example_bodies.input_of(members)))
        ids: dict[int, UUID] = {}
        with transaction.atomic():
            for dataset_id, given in sorted(by_dataset.items()):
                dataset = dataset_or_404(self, dataset_id)
                written = create_in(dataset, [item for _, item in given])
                ids |= dict(zip([place for place, _ in given], written.example_ids, strict=True))
        return Response(now_shown(self, [ids[place] for place in sorted(ids)]))

    @endpoint(body=list[shapes.ExampleBulkChange], answer=shapes.ExamplesChanged, errors=(404, 409))
    def patch(self, request: Request) -> Response:
        sent = example_bodies.array_of(example_bodies.raw_body(request))
        by_dataset: dict[int, tuple[Dataset, list[ExampleChange]]] = {}
        for place, members in enumerate(sent):
            example_id = example_bodies.id_of(members, "id")
            if example_id is None:
                raise Unprocessable(f"[{place}].id: is required")
            dataset = _dataset_of(self, example_id)
            if by_dataset and dataset.pk not in by_dataset:
                raise Conflict(f"[{place}].id: the examples belong to more than one dataset")
            change = example_bodies.change_of(example_id, members)
            by_dataset.setdefault(dataset.pk, (dataset, []))[1].append(change)
        with transaction.atomic():
            for _, (dataset, changes) in sorted(by_dataset.items()):
                update_in(dataset, changes)
        return Response({"message": f"{len(sent)} examples updated", "count": len(sent)})


class ExampleValidation(WorkspaceView):
    """POST /examples/validate[/bulk]: would these examples fit? Nothing is stored."""

    @endpoint(
        body=shapes.ExampleCreate | list[shapes.ExampleCreate],
        answer=shapes.Valid | list[shapes.Valid],
        errors=(404,),
    )
    def post(self, request: Request, bulk: str | None = None) -> Response:
        raw = example_bodies.raw_body(request)
        sent = example_bodies.array_of(raw) if bulk else [example_bodies.members_of(raw)]
        datasets: dict[UUID, Dataset] = {}
        budget = schemas.budget()
        for place, members in enumerate(sent):
            dataset_id = example_bodies.id_of(members, "dataset_id")
            if dataset_id is None:
                raise Unprocessable(f"[{place}].dataset_id: is required")
            if dataset_id not in datasets:
                datasets[dataset_id] = dataset_or_404(self, dataset_id)
            given = example_bodies.input_of(members)
            try:
                examples.fitted(
                    datasets[dataset_id],
                    given.inputs,
                    given.outputs,
                    f"Example {given.id or place}",
                    budget,
                )
            except examples.DoesNotFit as error:
                raise Unprocessable(str(error)) from None
        return Response([{"valid": True} for _ in sent] if bulk else {"valid": True})


class ExampleDetail(WorkspaceView):
    """GET (read_example), PATCH and DELETE (delete_example) /examples/{id}."""

    @endpoint(query=shapes.AsOfQuery, answer=shapes.Example)
    def get(self, request: Request, example_id: str) -> Response:
        uuid = uuid_or_404(example_id)
        as_of = parameters.one(request, "as_of")
        instant = instant_or_404(_dataset_of(self, uuid), as_of) if as_of else None
        found = selection.revisions(self.workspace, Selection(ids=[uuid], as_of=instant)).first()
        if found is None:
            raise NotFound("Example not found")
        row = shown(found)
        if found.files:
            _add_files(self, [row], [found])
        return Response(row)

    @endpoint(body=shapes.ExampleChange, answer=shapes.Example)
    def patch(self, request: Request, example_id: str) -> Response:
        uuid = uuid_or_404(example_id)
        members = example_bodies.members_of(example_bodies.raw_body(request))
        update_in(_dataset_of(self, uuid), [example_bodies.change_of(uuid, members)])
        return Response(now_shown(self, [uuid])[0])

    @endpoint(answer=Message)
    def delete(self, request: Request, example_id: str) -> Response:
        delete_all(self, [uuid_or_404(example_id)])
        return Response({"message": "Example deleted"})


class ExamplesErase(WorkspaceView):
    """POST platform/datasets/examples/delete (delete_examples with hard_delete)."""

    @endpoint(body=shapes.ExamplesErase, answer=shapes.ExamplesErased, errors=(404,))
    def post(self, request: Request, body: shapes.ExamplesErase) -> Response:
        if body.hard_delete:
            examples.erase(self.workspace, body.example_ids)
        else:
            delete_all(self, body.example_ids)
        return Response({"count": len(body.example_ids), "example_ids": body.example_ids})
