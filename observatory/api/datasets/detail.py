"""/datasets/{id}: read, change and delete one dataset."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from msgspec import UNSET
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import catalogue, examples, metadata_operations
from datasets_app.examples import ExampleChange
from datasets_app.metadata_operations import Operation
from datasets_app.models import Dataset
from observatory import exact
from observatory.api.datasets import example_bodies
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import (
    DatasetExists,
    dataset_or_404,
    model_fields,
    reread,
)
from observatory.api.datasets.examples import delete_all, update_in
from observatory.api.kit import bodies
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.members import uuid_of
from observatory.api.kit.types import Message, Object
from observatory.runs.models import Project

BASELINE = "baseline_experiment_id"


def _change_of(raw: dict[str, bytes]) -> shapes.DatasetChange:
    """Return the change of the dataset itself, without `patch_examples`. Raises 422."""
    members: dict[str, Any] = {}
    for name, text in raw.items():
        if name == "patch_examples":
            continue
        try:
            members[name] = exact.loads(text)
        except exact.NotJSON as error:
            raise Unprocessable(f"{name}: {error}") from None
    return bodies.read(shapes.DatasetChange, members)


def _patches(raw: dict[str, bytes]) -> list[ExampleChange]:
    """Return the changes that `patch_examples` maps ids of examples to. Raises 422."""
    text = raw.get("patch_examples", b"null")
    if text.strip() == b"null":
        return []
    changes = example_bodies.members_of(text, "patch_examples")
    if changes.keys() == bodies.MISSING.keys():
        return []
    patches = []
    for name, part in changes.items():
        where = f"patch_examples.{name[:60]}"
        members = example_bodies.members_of(part, where)
        try:
            change = example_bodies.read(shapes.ExampleChange, members)
            patches.append(example_bodies.change_of(uuid_of(name), change))
        except ValueError as error:
            raise Unprocessable(f"{where}: {error}") from None
        except Unprocessable as error:
            raise Unprocessable(f"{where}.{error.detail}") from None
    return patches


class DatasetDetail(WorkspaceView):
    """GET (read_dataset), PATCH (updateDataset) and DELETE (delete_dataset) /datasets/{id}."""

    @endpoint(answer=shapes.Dataset)
    def get(self, request: Request, dataset_id: str) -> Response:
        return Response(reread(self, dataset_or_404(self, dataset_id)))

    @endpoint(body=shapes.DatasetChange, answer=shapes.Dataset, errors=(409,))
    def patch(self, request: Request, dataset_id: str) -> Response:
        """Change the dataset and, with `patch_examples`, examples of it: all of it or nothing."""
        dataset = dataset_or_404(self, dataset_id)
        raw = example_bodies.members_of(example_bodies.raw_body(request))
        change = _change_of(raw)
        fields = model_fields(change, clears=True)
        if change.baseline_experiment_id is not UNSET:
            extra = fields.get("extra") or dataset.extra or {}
            fields["extra"] = self._with_baseline(dataset, change.baseline_experiment_id, extra)
        patches = _patches(raw)
        with transaction.atomic():
            try:
                catalogue.change(dataset, now=timezone.now(), **fields)
            except catalogue.NameTaken:
                raise DatasetExists from None
            if patches:
                update_in(dataset, patches)
        return Response(reread(self, dataset))

    def _with_baseline(
        self, dataset: Dataset, baseline: UUID | None, extra: dict[str, Any]
    ) -> dict[str, Any]:
        """Return `extra` with the baseline, or without one for None. Raises 404."""
        kept = {name: value for name, value in extra.items() if name != BASELINE}
        if baseline is None:
            return kept
        if not Project.objects.filter(
            workspace=self.workspace, uuid=baseline, reference_dataset_id=dataset.uuid
        ).exists():
            raise NotFound("Experiment not found")
        return {**kept, BASELINE: str(baseline)}

    @endpoint(answer=Message)
    def delete(self, request: Request, dataset_id: str) -> Response:
        catalogue.remove(dataset_or_404(self, dataset_id))
        return Response({"message": "Dataset deleted"})


class DatasetExample(WorkspaceView):
    """DELETE platform/datasets/{id}/examples/{id} (client.datasets.examples.delete)."""

    @endpoint(status=204)
    def delete(self, request: Request, dataset_id: str, example_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        uuid = uuid_or_404(example_id)
        if not dataset.examples.filter(uuid=uuid).exists():
            raise NotFound("Example not found")
        delete_all(self, [uuid])
        return Response(status=204)


class DatasetExampleMetadata(WorkspaceView):
    """PATCH platform/datasets/{id}/examples/metadata (datasets.examples.update_metadata)."""

    @endpoint(
        body=shapes.MetadataChanges, answer=shapes.MetadataStatuses, status=207, errors=(404,)
    )
    def patch(self, request: Request, dataset_id: str, body: shapes.MetadataChanges) -> Response:
        """Answer 207: each id was UPDATED, or NOT_FOUND and skipped; all in one version."""
        dataset = dataset_or_404(self, dataset_id)
        operations = [
            Operation(change.operation.upper(), change.key, change.value, change.values or ())
            for change in body.operations
        ]
        try:
            metadata_operations.check(operations)
        except metadata_operations.BadOperation as error:
            raise Unprocessable(str(error)) from None
        updated = examples.change_metadata(
            dataset, body.example_ids, operations, now=timezone.now()
        )
        texts: list[str] = request.data["example_ids"]  # type: ignore[call-overload]  # answered as they were spelled
        statuses = [
            {"id": text, "status": "UPDATED"}
            if uuid in updated
            else {"id": text, "status": "NOT_FOUND", "description": "Not in the dataset now"}
            for text, uuid in zip(texts, body.example_ids, strict=True)
        ]
        return Response({"statuses": statuses}, status=207)


class DatasetIndex(WorkspaceView):
    """POST /datasets/{id}/index[/sync], /search (index_dataset, similar_examples): not offered."""

    @endpoint(body=Object, status=404)
    def post(self, request: Request, dataset_id: str) -> Response:
        dataset_or_404(self, dataset_id)
        raise NotFound(
            "Similarity search over examples is not offered here; "
            "list_examples takes full_text_contains, metadata and filter"
        )
