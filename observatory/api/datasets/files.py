"""Datasets as files, CSV, JSON Lines and conversations to fine-tune with; and clones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import files, formats, selection, versions
from datasets_app.examples import ExampleInput
from datasets_app.formats import Columns, Exported
from datasets_app.models import Dataset, ExampleRevision
from datasets_app.selection import Selection
from observatory import csv_lines, exact
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import dataset_or_404, instant_or_404
from observatory.api.datasets.examples import create_in, now_shown, revisions_of
from observatory.api.kit import streamed
from observatory.api.kit.base import WorkspaceView, base_url
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.runs import attachments
from observatory.runs.grants import Grant

MAX_NAMED = 20  # fields named in a header


class DatasetClone(WorkspaceView):
    """POST /datasets/clone: copy examples of one dataset into another, under ids of their own."""

    @endpoint(body=shapes.DatasetClone, answer=list[shapes.Example], errors=(404,))
    def post(self, request: Request, body: shapes.DatasetClone) -> Response:
        source = dataset_or_404(self, body.source_dataset_id)
        target = dataset_or_404(self, body.target_dataset_id)
        revisions = selection.revisions(
            self.workspace,
            Selection(
                dataset=source,
                as_of=instant_or_404(source, body.as_of),
                ids=body.examples or (),
                splits=[body.split] if isinstance(body.split, str) else body.split or (),
            ),
        )
        return Response(now_shown(self, self._copied(list(revisions), target)))

    def _copied(self, revisions: list[ExampleRevision], target: Dataset) -> list[UUID]:
        """Write the copies and their files, all or none, and return their ids."""
        ids = {revision.example.uuid: uuid4() for revision in revisions}
        with attachments.kept_on_success() as saved:
            copied_files = files.duplicated(revisions, ids, saved)
            copies = [
                ExampleInput(
                    id=ids[revision.example.uuid],
                    inputs=revision.inputs,
                    outputs=revision.outputs,
                    metadata=revision.metadata,
                    splits=revision.splits,
                    source_run_id=revision.example.source_run_id,
                    created_at=revision.example.created_at,
                    files=copied_files.get(ids[revision.example.uuid], {}),
                )
                for revision in revisions
            ]
            return create_in(target, copies).example_ids


class DatasetFile(WorkspaceView):
    """GET /datasets/{id}/csv, jsonl, openai and openai_ft (read_dataset_openai_finetuning).

    csv and jsonl contain everything of an example, and an upload reads them back. A CSV for a
    spreadsheet (`spreadsheet=true`) has an apostrophe before what could run as a formula.
    """

    @endpoint(query=shapes.FileQuery, answer=Binary, gives=("text/csv", "application/x-ndjson"))
    def get(
        self, request: Request, dataset_id: str, form: str, query: shapes.FileQuery
    ) -> HttpResponseBase:
        dataset = dataset_or_404(self, dataset_id)
        instant = instant_or_404(dataset, query.as_of)
        as_of = instant or versions.newest_of(dataset)  # one version for the whole download
        export = _Export(dataset, as_of=as_of, base_url=base_url(request), grant=self.caller.grant)
        answer: HttpResponseBase
        if form == "csv":
            answer = StreamingHttpResponse(
                _csv(export, is_guarded=query.spreadsheet), content_type="text/csv; charset=utf-8"
            )
        elif form == "jsonl":
            answer = StreamingHttpResponse(
                map(formats.json_line, export), content_type="application/x-ndjson"
            )
        else:
            answer = _conversations(export)
        kind = "csv" if form == "csv" else "jsonl"
        answer["Content-Disposition"] = f'attachment; filename="dataset-{dataset.uuid}.{kind}"'
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


class _Export:
    """The examples of a dataset at one version, oldest first; read anew each time."""

    def __init__(
        self, dataset: Dataset, *, as_of: datetime | None, base_url: str, grant: Grant
    ) -> None:
        standing = ExampleRevision.objects.at(as_of).filter(dataset=dataset)
        self._revisions = standing.order_by("example__created_at", "example_id")
        self._base_url = base_url
        self._grant = grant

    def __iter__(self) -> Iterator[Exported]:
        for batch in revisions_of(self._revisions, slice(0, None)):
            for revision, urls in zip(
                batch, files.urls(batch, self._base_url, grant=self._grant), strict=True
            ):
                source = revision.example.source_run_id
                yield Exported(
                    id=str(revision.example.uuid),
                    inputs=revision.inputs,
                    outputs=revision.outputs,
                    metadata=revision.metadata,
                    splits=revision.splits,
                    created_at=exact.timestamp(revision.example.created_at),
                    source_run_id=None if source is None else str(source),
                    attachment_urls=urls,
                )


def _csv(export: _Export, *, is_guarded: bool) -> Iterator[bytes]:
    columns = Columns(export)
    rows: Iterator[list[Any]] = chain([columns.header], map(columns.cells, export))
    return csv_lines.written(rows, is_guarded=is_guarded)


def _conversations(export: _Export) -> HttpResponse | StreamingHttpResponse:
    """Return the conversations; headers say what the form of the file could not hold.

    The headers come first, so the examples are read twice.
    """
    n_lines = 0
    left_out: dict[str, None] = {}
    n_without = 0
    for example in export:
        if (conversation := formats.conversation(example.inputs, example.outputs)) is None:
            n_without += 1
            continue
        n_lines += 1
        left_out |= dict.fromkeys(conversation.left_out)
    if not n_lines:  # the SDK reads an empty answer as broken JSON
        raise Unprocessable("No example of this dataset has both inputs and an answer")
    conversations = (formats.conversation(example.inputs, example.outputs) for example in export)
    lines = (line.line for line in conversations if line is not None)
    answer = streamed.answer(lines, content_type="application/x-ndjson")
    answer["X-Examples-Left-Out"] = str(n_without)
    if left_out:
        names = [quote(name[:100], safe=" .") for name in [*left_out][:MAX_NAMED]]
        answer["X-Fields-Left-Out"] = ", ".join(names)
    return answer
