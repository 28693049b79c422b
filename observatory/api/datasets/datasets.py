"""/datasets: datasets, their versions, tags and splits."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import catalogue, examples, schemas, transformations, versions
from datasets_app.models import Dataset, DatasetVersion, ExampleRevision
from observatory.api.datasets import schemas as shapes
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable


def shown(dataset: Any) -> dict[str, Any]:
    """Return a dataset of `catalogue.of_workspace` as the wire shows it."""
    extra = dataset.extra or {}
    return {
        "id": dataset.uuid,
        "tenant_id": dataset.workspace.uuid,
        "name": dataset.name,
        "description": dataset.description,
        "data_type": dataset.data_type,
        "created_at": dataset.created_at,
        "modified_at": dataset.modified_at,
        "example_count": dataset.example_count,
        "session_count": dataset.session_count,
        "last_session_start_time": dataset.last_session_start_time,
        "inputs_schema_definition": dataset.inputs_schema_definition,
        "outputs_schema_definition": dataset.outputs_schema_definition,
        "transformations": dataset.transformations,
        "metadata": dataset.metadata,
        "extra": extra,
        "externally_managed": dataset.is_externally_managed,
        "baseline_experiment_id": extra.get("baseline_experiment_id"),
    }


def dataset_or_404(view: WorkspaceView, dataset_id: str | UUID) -> Dataset:
    """Return the workspace's dataset. Raises 404, also for one of another workspace."""
    uuid = dataset_id if isinstance(dataset_id, UUID) else uuid_or_404(dataset_id)
    dataset = Dataset.objects.filter(workspace=view.workspace, uuid=uuid).first()
    if dataset is None:
        raise NotFound("Dataset not found")
    return dataset


class VersionNotFound(NotFound):
    default_detail = "Dataset version not found"


def instant_or_404(dataset: Dataset, as_of: str | None) -> datetime | None:
    """Return the time to read at (None: now). Raises 404 for an unknown tag."""
    try:
        return versions.instant(dataset, as_of)
    except versions.UnknownVersion:
        raise VersionNotFound from None


class DatasetExists(Conflict):
    default_detail = "Dataset with this name already exists"


CLEARABLE = (
    *("description", "metadata", "transformations"),
    *("inputs_schema_definition", "outputs_schema_definition"),
)


def model_fields(body: shapes.DatasetFields, *, clears: bool = False) -> dict[str, Any]:
    """Return the model fields that `body` sets, by name. Raises 422.

    With `clears`, null clears the fields of CLEARABLE; otherwise null counts as absent.
    """
    fields = {name: value for name, value in body.given().items() if name in catalogue.WRITABLE}
    for name in ("inputs_schema_definition", "outputs_schema_definition"):
        problem = schemas.schema_problem(fields[name]) if name in fields else None
        if problem is not None:
            raise Unprocessable(f"{name}: is not a valid JSON Schema: {problem}")
    try:
        transformations.parsed(fields.get("transformations", []))
    except transformations.BadTransformation as error:
        raise Unprocessable(f"transformations: {error}") from None
    if clears:
        fields |= {name: None for name in CLEARABLE if getattr(body, name) is None}
    metadata = fields.get("extra", {}).get("metadata")
    if "metadata" not in fields and isinstance(metadata, dict):
        fields["metadata"] = metadata
    return fields


def create_dataset(view: WorkspaceView, body: shapes.DatasetCreate) -> Dataset:
    """Create a dataset. Raises 409 when its name or id is taken, and 422."""
    try:
        return catalogue.create(
            view.workspace, now=timezone.now(), uuid=body.id, **model_fields(body)
        )
    except catalogue.NameTaken:
        raise DatasetExists from None


class Datasets(WorkspaceView):
    """GET /datasets (read_dataset by name, list_datasets) and POST /datasets (create_dataset)."""

    @endpoint(query=shapes.DatasetQuery, answer=list[shapes.Dataset])
    def get(self, request: Request, query: shapes.DatasetQuery) -> Response:
        datasets = catalogue.matching(
            catalogue.of_workspace(self.workspace),
            ids=query.id,
            name=query.name,
            name_contains=query.name_contains,
            data_types=query.data_type,
            metadata=query.metadata,
        )
        if query.tag_value_id:  # no dataset has a resource tag
            datasets = datasets.none()
        sort = F(catalogue.SORTABLE.get(query.sort_by or "", "created_at"))
        order = sort.desc() if query.sort_by_desc else sort.asc()
        page = datasets.select_related("workspace").order_by(order, "-pk")[query.window]
        return Response([shown(dataset) for dataset in page])

    @endpoint(body=shapes.DatasetCreate, answer=shapes.Dataset, errors=(409,))
    def post(self, request: Request, body: shapes.DatasetCreate) -> Response:
        return Response(reread(self, create_dataset(self, body)))


def reread(view: WorkspaceView, dataset: Dataset) -> dict[str, Any]:
    """Return a dataset of the workspace as the wire shows it, counted anew."""
    datasets = catalogue.of_workspace(view.workspace).select_related("workspace")
    return shown(datasets.get(pk=dataset.pk))


def _version_shown(as_of: datetime, tags: list[str], newest: datetime | None) -> dict[str, Any]:
    return {"as_of": as_of, "tags": ([versions.LATEST] if as_of == newest else []) + tags}


def _tagged(dataset: Dataset, version: DatasetVersion) -> dict[str, Any]:
    """Return a version as the wire shows it, with its tags by name."""
    names = list(version.tags.order_by("name").values_list("name", flat=True))
    return _version_shown(version.as_of, names, versions.newest_of(dataset))


class DatasetVersions(WorkspaceView):
    """GET /datasets/{id}/versions (list_dataset_versions), newest first."""

    @endpoint(query=shapes.VersionQuery, answer=list[shapes.Version])
    def get(self, request: Request, dataset_id: str, query: shapes.VersionQuery) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        listed = versions.listed(dataset, search=query.search, example=query.example)
        newest = versions.newest_of(dataset)
        page: list[Any] = list(listed[query.window])
        return Response([_version_shown(version.as_of, version.names, newest) for version in page])


class DatasetVersionAt(WorkspaceView):
    """GET /datasets/{id}/version (read_dataset_version): by `as_of` or by `tag`."""

    @endpoint(query=shapes.VersionAtQuery, answer=shapes.Version)
    def get(self, request: Request, dataset_id: str, query: shapes.VersionAtQuery) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        try:
            version = versions.at(dataset, query.tag or query.as_of)
        except versions.UnknownVersion:
            raise VersionNotFound from None
        return Response(_tagged(dataset, version))


class DatasetTags(WorkspaceView):
    """PUT /datasets/{id}/tags (update_dataset_tag): move a tag to a version."""

    @endpoint(body=shapes.TagMove, answer=shapes.Version)
    def put(self, request: Request, dataset_id: str, body: shapes.TagMove) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        try:
            version = versions.tag(dataset, body.as_of, body.tag)
        except versions.UnknownVersion:
            raise VersionNotFound from None
        except ValueError as error:
            raise Unprocessable(str(error)) from None
        return Response(_tagged(dataset, version))


class DatasetDiff(WorkspaceView):
    """GET /datasets/{id}/versions/diff (diff_dataset_versions)."""

    @endpoint(query=shapes.DiffQuery, answer=shapes.Diff)
    def get(self, request: Request, dataset_id: str, query: shapes.DiffQuery) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        try:
            diff = versions.diff(dataset, query.from_version, query.to_version)
        except versions.UnknownVersion:
            raise VersionNotFound from None
        return Response(
            {
                "examples_added": diff.added,
                "examples_modified": diff.modified,
                "examples_removed": diff.removed,
            }
        )


class DatasetSplits(WorkspaceView):
    """GET (list_dataset_splits) and PUT (update_dataset_splits) /datasets/{id}/splits."""

    @endpoint(query=shapes.AsOfQuery, answer=list[str])
    def get(self, request: Request, dataset_id: str, query: shapes.AsOfQuery) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        as_of = instant_or_404(dataset, query.as_of)
        revisions = ExampleRevision.objects.at(as_of).filter(dataset=dataset)
        splits = revisions.values_list("splits", flat=True).distinct()
        return Response(sorted({name for names in splits for name in names}))

    @endpoint(body=shapes.SplitChange, answer=list[str])
    def put(self, request: Request, dataset_id: str, body: shapes.SplitChange) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        try:
            examples.set_split(
                dataset,
                body.split_name,
                body.examples,
                is_removed=body.remove is True,
                now=timezone.now(),
            )
        except examples.UnknownExample:
            raise NotFound("Example not found") from None
        return Response([body.split_name])
