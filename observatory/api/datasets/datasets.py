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
from datasets_app.models import Dataset, ExampleRevision
from observatory.api.datasets import schemas as shapes
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable

MISSING = {"__missing__": "__missing__"}  # how the generated clients say "not given"
MAX_NAME = 512
MAX_DESCRIPTION = 100_000


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
    """Return the workspace's dataset; one of another workspace is as unknown as none."""
    uuid = dataset_id if isinstance(dataset_id, UUID) else uuid_or_404(dataset_id)
    found = Dataset.objects.filter(workspace=view.workspace, uuid=uuid).first()
    if found is None:
        raise NotFound("Dataset not found")
    return found


def exactly(request: Request) -> dict[str, Any]:
    """Return what a list of datasets is narrowed to by `id`, `name` and `data_type`: fields to
    filter by.
    """
    exact: dict[str, Any] = {}
    if ids := parameters.uuids(request, "id"):
        exact["uuid__in"] = ids
    if (name := parameters.one(request, "name")) is not None:
        exact["name"] = name
    if kinds := parameters.listed(request, "data_type"):
        exact["data_type__in"] = kinds
    return exact


def instant_or_404(dataset: Dataset, as_of: str | None) -> datetime | None:
    """Return the time to read at (None: now). Raises 404 for an unknown tag."""
    try:
        return versions.instant(dataset, as_of)
    except versions.UnknownVersion:
        raise NotFound("Dataset version not found") from None


def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of the request without what the sender left out. Raises 422."""
    if not isinstance(request.data, dict):
        raise Unprocessable("The body must be an object")
    return {name: value for name, value in request.data.items() if value != MISSING}


def _check_schema(name: str, schema: Any) -> None:
    wrong = schemas.schema_problem(schema)
    if wrong is not None:
        raise Unprocessable(f"{name}: is no JSON Schema: {wrong}")


def _check_transformations(steps: Any) -> None:
    try:
        transformations.parsed(steps)
    except transformations.BadTransformation as error:
        raise Unprocessable(f"transformations: {error}") from None


def _texts_of(body: dict[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, most in (("name", MAX_NAME), ("description", MAX_DESCRIPTION), ("data_type", 4)):
        if body.get(name) is not None:
            if not isinstance(body[name], str) or len(body[name]) > most:
                raise Unprocessable(f"{name}: must be a text of at most {most} characters")
            texts[name] = parameters.without_nul(name, body[name])
    if texts.get("data_type", "kv") not in Dataset.DataType.values:
        raise Unprocessable(f"data_type: must be one of {', '.join(Dataset.DataType.values)}")
    if "name" in texts and not texts["name"].strip():
        raise Unprocessable("name: must not be empty")
    return texts


CLEARABLE = (
    *("description", "metadata", "transformations"),
    *("inputs_schema_definition", "outputs_schema_definition"),
)


def fields_of(body: dict[str, Any], *, clears: bool = False) -> dict[str, Any]:
    """Return the model fields that `body` sets. Raises 422.

    A null says nothing, or with `clears` takes away what CLEARABLE names.
    """
    parameters.refuse_tags(body)
    fields: dict[str, Any] = {}
    if clears:
        fields |= dict.fromkeys(name for name in CLEARABLE if name in body and body[name] is None)
    fields |= _texts_of(body)
    for name, kind in (
        ("inputs_schema_definition", dict),
        ("outputs_schema_definition", dict),
        ("transformations", list),
        ("metadata", dict),
        ("extra", dict),
    ):
        if body.get(name) is not None:
            if not isinstance(body[name], kind):
                raise Unprocessable(
                    f"{name}: must be {'an array' if kind is list else 'an object'}"
                )
            fields[name] = body[name]
            if name.endswith("_schema_definition"):
                _check_schema(name, body[name])
            if name == "transformations":
                _check_transformations(body[name])
    if isinstance(body.get("externally_managed"), bool):
        fields["is_externally_managed"] = body["externally_managed"]
    sent = fields.get("extra", {}).get("metadata")
    if "metadata" not in fields and isinstance(sent, dict):
        fields["metadata"] = sent
    return fields


class Datasets(WorkspaceView):
    """GET /datasets (read_dataset by name, list_datasets) and POST /datasets (create_dataset)."""

    @endpoint(query=shapes.DatasetQuery, answer=list[shapes.Dataset])
    def get(self, request: Request) -> Response:
        found = catalogue.matching(
            catalogue.of_workspace(self.workspace),
            name_contains=parameters.one(request, "name_contains"),
            metadata=parameters.document(request, "metadata"),
            **exactly(request),
        )
        if parameters.listed(request, "tag_value_id"):  # no dataset has a resource tag
            found = found.none()
        sort = catalogue.SORTABLE.get(parameters.one(request, "sort_by") or "", "created_at")
        order = (
            F(sort).asc() if parameters.flag(request, "sort_by_desc") is False else F(sort).desc()
        )
        page = found.select_related("workspace").order_by(order, "-pk")[parameters.window(request)]
        return Response([shown(dataset) for dataset in page])

    @endpoint(body=shapes.DatasetCreate, answer=shapes.Dataset, errors=(409,))
    def post(self, request: Request) -> Response:
        body = body_of(request)
        fields = fields_of(body)
        if "name" not in fields:
            raise Unprocessable("name: is required")
        uuid = parameters.sent_uuid(body, "id")
        try:
            dataset = catalogue.create(self.workspace, now=timezone.now(), uuid=uuid, **fields)
        except catalogue.NameTaken:
            raise Conflict("Dataset with this name already exists") from None
        return Response(reread(self, dataset))


def reread(view: WorkspaceView, dataset: Dataset) -> dict[str, Any]:
    found = catalogue.of_workspace(view.workspace).select_related("workspace")
    return shown(found.get(pk=dataset.pk))


def _version_shown(as_of: datetime, tags: list[str], newest: datetime | None) -> dict[str, Any]:
    return {"as_of": as_of, "tags": ([versions.LATEST] if as_of == newest else []) + tags}


class DatasetVersions(WorkspaceView):
    """GET /datasets/{id}/versions (list_dataset_versions), newest first."""

    @endpoint(query=shapes.VersionQuery, answer=list[shapes.Version])
    def get(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        found = versions.listed(
            dataset,
            search=parameters.one(request, "search") or "",
            example=parameters.uuid(request, "example"),
        )
        newest = versions.newest_of(dataset)
        page: list[Any] = list(found[parameters.window(request)])
        return Response([_version_shown(one.as_of, one.names, newest) for one in page])


class DatasetVersionAt(WorkspaceView):
    """GET /datasets/{id}/version (read_dataset_version): by `as_of` or by `tag`."""

    @endpoint(query=shapes.VersionAtQuery, answer=shapes.Version)
    def get(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        asked = parameters.one(request, "tag") or parameters.one(request, "as_of")
        try:
            version = versions.at(dataset, asked)
        except versions.UnknownVersion:
            raise NotFound("Dataset version not found") from None
        names = list(version.tags.order_by("name").values_list("name", flat=True))
        return Response(_version_shown(version.as_of, names, versions.newest_of(dataset)))


class DatasetTags(WorkspaceView):
    """PUT /datasets/{id}/tags (update_dataset_tag): move a tag to a version."""

    @endpoint(body=shapes.TagMove, answer=shapes.Version)
    def put(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        body = body_of(request)
        name, as_of = body.get("tag"), body.get("as_of")
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            raise Unprocessable("tag: must be a text of 1 to 200 characters")
        if as_of is not None and not isinstance(as_of, str):
            raise Unprocessable("as_of: must be a time or a tag")
        try:
            version = versions.tag(dataset, as_of, parameters.without_nul("tag", name))
        except versions.UnknownVersion:
            raise NotFound("Dataset version not found") from None
        except ValueError as error:
            raise Unprocessable(str(error)) from None
        names = list(version.tags.order_by("name").values_list("name", flat=True))
        return Response(_version_shown(version.as_of, names, versions.newest_of(dataset)))


class DatasetDiff(WorkspaceView):
    """GET /datasets/{id}/versions/diff (diff_dataset_versions)."""

    @endpoint(query=shapes.DiffQuery, answer=shapes.Diff)
    def get(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        start = parameters.one(request, "from_version")
        stop = parameters.one(request, "to_version")
        if start is None or stop is None:
            raise Unprocessable("from_version and to_version are required")
        try:
            found = versions.diff(dataset, start, stop)
        except versions.UnknownVersion:
            raise NotFound("Dataset version not found") from None
        return Response(
            {
                "examples_added": found.added,
                "examples_modified": found.modified,
                "examples_removed": found.removed,
            }
        )


class DatasetSplits(WorkspaceView):
    """GET (list_dataset_splits) and PUT (update_dataset_splits) /datasets/{id}/splits."""

    @endpoint(query=shapes.AsOfQuery, answer=list[str])
    def get(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        as_of = instant_or_404(dataset, parameters.one(request, "as_of"))
        standing = ExampleRevision.objects.at(as_of).filter(dataset=dataset)
        names = standing.values_list("splits", flat=True).distinct()
        return Response(sorted({name for held in names for name in held}))

    @endpoint(body=shapes.SplitChange, answer=list[str])
    def put(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        body = body_of(request)
        name, ids = body.get("split_name"), body.get("examples")
        if not isinstance(name, str) or not 0 < len(name) <= 200 or not isinstance(ids, list):
            raise Unprocessable("split_name and examples (an array of ids) are required")
        wanted = [parameters.sent_uuid({"examples": text}, "examples") for text in ids]
        try:
            examples.set_split(
                dataset,
                parameters.without_nul("split_name", name),
                [uuid for uuid in wanted if uuid is not None],
                is_removed=body.get("remove") is True,
                now=timezone.now(),
            )
        except examples.UnknownExample:
            raise NotFound("Example not found") from None
        return Response([name])
