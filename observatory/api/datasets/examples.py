"""/examples, and the platform's multipart writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import example_filters, examples, files, schemas, selection, versions
from datasets_app.examples import ExampleChange, ExampleInput
from datasets_app.models import Dataset, ExampleRevision
from datasets_app.selection import Selection
from observatory import exact
from observatory.api.datasets import example_bodies
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import dataset_or_404, instant_or_404
from observatory.api.kit import streamed
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
    revisions: QuerySet[ExampleRevision], window: slice, *, without: Sequence[str] = ()
) -> Iterator[list[ExampleRevision]]:
    """Yield examples of a window by chunks; the documents in `without` are not read."""
    documents = {"inputs", "outputs", "metadata"} - {*without}
    rows = ExampleRevision.objects.select_related("example__dataset").defer(*without)
    return streamed.rows_of(revisions, window, sorted(documents), rows)


def _add_files(
    view: WorkspaceView, rows: list[dict[str, Any]], revisions: list[ExampleRevision]
) -> None:
    """Add `attachment_urls` to the examples of `revisions`."""
    links = files.urls(revisions, base_url(view.request), grant=view.caller.grant)
    for row, urls in zip(rows, links, strict=True):
        row["attachment_urls"] = urls


def now_shown(view: WorkspaceView, ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """Return the current examples `ids`, in that order."""
    order = list(ids)
    rows = {
        revision.example.uuid: shown(revision)
        for revision in selection.revisions(view.workspace, Selection(ids=order))
    }
    return [rows[uuid] for uuid in order]


def create_in(dataset: Dataset, inputs: list[ExampleInput]) -> examples.Written:
    """Create all of the examples or none.

    Raises 404 for an unknown source run, 409 for an id of another dataset, and 422 for what
    does not fit the schema.
    """
    try:
        return examples.create(dataset, inputs, now=timezone.now())
    except examples.UnknownRun as error:
        raise NotFound(str(error)) from None
    except examples.DoesNotFit as error:
        raise Unprocessable(str(error)) from None
    except examples.IdTaken as error:
        raise Conflict(str(error)) from None


def update_in(dataset: Dataset, changes: list[ExampleChange]) -> examples.Written:
    """Make all of the changes or none.

    Raises 404 for an unknown example, 409 for one of another dataset, and 422 for what does not
    fit the schema.
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
    dataset = Dataset.objects.filter(
        workspace=view.workspace, examples__workspace=view.workspace, examples__uuid=example_id
    ).first()
    if dataset is None:
        raise NotFound("Example not found")
    return dataset


def selection_of(
    query: shapes.ExampleFilterQuery, dataset: Dataset | None, as_of: datetime | None
) -> Selection:
    """Return the examples of `dataset` (None: of any) at `as_of` (None: now) that `query` names."""
    return Selection(
        dataset=dataset,
        as_of=as_of,
        ids=query.id,
        splits=query.splits,
        metadata=query.metadata or {},
        texts=query.full_text_contains,
    )


def _selection(view: WorkspaceView, query: shapes.ExampleCountQuery) -> Selection:
    """Return the examples of the workspace that `query` names. Raises 404 and 422."""
    dataset = None if query.dataset is None else dataset_or_404(view, query.dataset)
    if dataset is not None:
        as_of = instant_or_404(dataset, query.as_of)
    elif query.as_of in {None, versions.LATEST}:
        as_of = None
    elif (as_of := versions.parse_time(query.as_of or "")) is None:
        raise Unprocessable("as_of: must be a time; a tag is read with `dataset` only")
    try:
        condition = None if query.filter is None else example_filters.condition(query.filter)
    except FilterError as error:
        raise Unprocessable(f"filter: {error}") from None
    return replace(selection_of(query, dataset, as_of), condition=condition)


FIELDS = get_args(shapes.ExampleField)
DEFAULT_FIELDS = FIELDS[:6]  # shown with any `select`, unless excluded


def _selected(query: shapes.ExampleQuery) -> set[str]:
    """Return which fields of an example to show: without `select`, all but the files."""
    if query.exclude_default_fields:
        return {"id", *query.select}
    if query.select:
        return {*DEFAULT_FIELDS, *query.select}
    return {*FIELDS} - {"attachment_urls"}


class Examples(WorkspaceView):
    """GET (list_examples), POST (create_example) and DELETE (delete_examples) /examples."""

    @endpoint(query=shapes.ExampleQuery, answer=list[shapes.Example], errors=(404,))
    def get(self, request: Request, query: shapes.ExampleQuery) -> HttpResponseBase:
        selected = _selected(query)
        ordered = replace(
            _selection(self, query),
            order=query.order,
            is_ascending=not query.descending,
            seed=query.random_seed,
        )
        unread = [name for name in ("inputs", "outputs") if name not in selected]
        window = slice(query.offset, query.offset + query.limit)
        revisions = selection.revisions(self.workspace, ordered)
        pages = revisions_of(revisions, window, without=unread)
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
        example = example_bodies.read(shapes.ExampleCreate, members)
        dataset = dataset_or_404(self, example.dataset_id)
        written = create_in(dataset, [example_bodies.input_of(example)])
        return Response(now_shown(self, written.example_ids)[0])

    @endpoint(query=shapes.ExamplesNamed, answer=Message, errors=(404,))
    def delete(self, request: Request, query: shapes.ExamplesNamed) -> Response:
        delete_all(self, query.example_ids)
        return Response({"message": f"{len(query.example_ids)} examples deleted"})


def delete_all(view: WorkspaceView, ids: list[UUID]) -> None:
    """Delete examples in a new version, all or none. Raises 404 for an unknown id."""
    try:
        examples.delete(view.workspace, ids, now=timezone.now())
    except examples.UnknownExample:
        raise NotFound("Example not found") from None


class ExampleCount(WorkspaceView):
    """GET /examples/count: how many GET /examples would list."""

    @endpoint(query=shapes.ExampleCountQuery, answer=int, errors=(404,))
    def get(self, request: Request, query: shapes.ExampleCountQuery) -> Response:
        revisions = selection.revisions(self.workspace, _selection(self, query))
        return Response(revisions.order_by().count())


class ExampleBulk(WorkspaceView):
    """POST and PATCH /examples/bulk: all of the array, or none."""

    @endpoint(body=list[shapes.ExampleCreate], answer=list[shapes.Example], errors=(404, 409))
    def post(self, request: Request) -> Response:
        raw = example_bodies.raw_body(request)
        by_dataset: dict[UUID, list[tuple[int, ExampleInput]]] = {}
        for index, example in enumerate(example_bodies.read_array(shapes.ExampleCreate, raw)):
            placed = (index, example_bodies.input_of(example))
            by_dataset.setdefault(example.dataset_id, []).append(placed)
        ids: dict[int, UUID] = {}
        with transaction.atomic():
            for dataset_id, placed_inputs in sorted(by_dataset.items()):
                places, inputs = zip(*placed_inputs, strict=True)
                written = create_in(dataset_or_404(self, dataset_id), list(inputs))
                ids |= dict(zip(places, written.example_ids, strict=True))
        return Response(now_shown(self, [ids[index] for index in sorted(ids)]))

    @endpoint(body=list[shapes.ExampleBulkChange], answer=shapes.ExamplesChanged, errors=(404, 409))
    def patch(self, request: Request) -> Response:
        raw = example_bodies.raw_body(request)
        examples_sent = example_bodies.read_array(shapes.ExampleBulkChange, raw)
        by_dataset: dict[int, tuple[Dataset, list[ExampleChange]]] = {}
        for index, example in enumerate(examples_sent):
            dataset = _dataset_of(self, example.id)
            if by_dataset and dataset.pk not in by_dataset:
                raise Conflict(f"{index}.id: the examples belong to more than one dataset")
            change = example_bodies.change_of(example.id, example)
            by_dataset.setdefault(dataset.pk, (dataset, []))[1].append(change)
        with transaction.atomic():
            for _, (dataset, changes) in sorted(by_dataset.items()):
                update_in(dataset, changes)
        count = len(examples_sent)
        return Response({"message": f"{count} examples updated", "count": count})


class ExampleValidation(WorkspaceView):
    """POST /examples/validate[/bulk]: would these examples fit? Nothing is stored."""

    @endpoint(
        body=shapes.ExampleCreate | list[shapes.ExampleCreate],
        answer=shapes.Valid | list[shapes.Valid],
        errors=(404,),
    )
    def post(self, request: Request, bulk: str | None = None) -> Response:
        raw = example_bodies.raw_body(request)
        if bulk:
            examples_sent = example_bodies.read_array(shapes.ExampleCreate, raw)
        else:
            members = example_bodies.members_of(raw)
            examples_sent = [example_bodies.read(shapes.ExampleCreate, members)]
        datasets: dict[UUID, Dataset] = {}
        budget = schemas.budget()
        for index, example in enumerate(examples_sent):
            if example.dataset_id not in datasets:
                datasets[example.dataset_id] = dataset_or_404(self, example.dataset_id)
            try:
                examples.fitted(
                    datasets[example.dataset_id],
                    example.inputs,
                    example.outputs,
                    f"Example {example.id or index}",
                    budget,
                )
            except examples.DoesNotFit as error:
                raise Unprocessable(str(error)) from None
        return Response([{"valid": True} for _ in examples_sent] if bulk else {"valid": True})


class ExampleDetail(WorkspaceView):
    """GET (read_example), PATCH and DELETE (delete_example) /examples/{id}."""

    @endpoint(query=shapes.AsOfQuery, answer=shapes.Example)
    def get(self, request: Request, example_id: str, query: shapes.AsOfQuery) -> Response:
        uuid = uuid_or_404(example_id)
        as_of = instant_or_404(_dataset_of(self, uuid), query.as_of) if query.as_of else None
        revision = selection.revisions(self.workspace, Selection(ids=[uuid], as_of=as_of)).first()
        if revision is None:
            raise NotFound("Example not found")
        row = shown(revision)
        if revision.files:
            _add_files(self, [row], [revision])
        return Response(row)

    @endpoint(body=shapes.ExampleChange, answer=shapes.Example)
    def patch(self, request: Request, example_id: str) -> Response:
        uuid = uuid_or_404(example_id)
        members = example_bodies.members_of(example_bodies.raw_body(request))
        change = example_bodies.read(shapes.ExampleChange, members)
        update_in(_dataset_of(self, uuid), [example_bodies.change_of(uuid, change)])
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
