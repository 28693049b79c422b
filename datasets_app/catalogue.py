"""Datasets: create, change, delete, list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from datasets_app import files
from datasets_app.models import Dataset, ExampleFile, ExampleRevision
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace

WRITABLE = {
    "name",
    "description",
    "data_type",
    "inputs_schema_definition",
    "outputs_schema_definition",
    "transformations",
    "metadata",
    "extra",
    "is_externally_managed",
}
SORTABLE = {
    "name": "name",
    "created_at": "created_at",
    "modified_at": "modified_at",
    "example_count": "example_count",
    "session_count": "session_count",
    "last_session_start_time": "last_session_start_time",
}


class NameTaken(Exception):
    """Another dataset of the workspace has this name or id."""


def create(
    workspace: Workspace, *, now: datetime, uuid: UUID | None = None, **fields: Any
) -> Dataset:
    """Create a dataset with exactly the id `uuid`, if given. Raises NameTaken."""
    assert fields.keys() <= WRITABLE, fields.keys() - WRITABLE
    dataset = Dataset(workspace=workspace, created_at=now, modified_at=now, **fields)
    if uuid is not None:
        dataset.uuid = uuid
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError:
        raise NameTaken(dataset.name) from None
    return dataset


def change(dataset: Dataset, *, now: datetime, **fields: Any) -> Dataset:
    """Change the given fields and nothing else. Raises NameTaken."""
    assert fields.keys() <= WRITABLE, fields.keys() - WRITABLE
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.modified_at = now
    try:
        with transaction.atomic():
            dataset.save(update_fields=[*fields, "modified_at"])
    except IntegrityError:
        raise NameTaken(dataset.name) from None
    return dataset


@transaction.atomic
def remove(dataset: Dataset) -> None:
    """Delete a dataset with its examples and their files; experiments keep their runs."""
    paths = ExampleFile.objects.filter(example__dataset=dataset).values_list("path", flat=True)
    files.remove(paths)
    dataset.delete()


def of_workspace(workspace: Workspace) -> QuerySet[Dataset]:
    """Return the workspace's datasets with their counts."""
    return counted(Dataset.objects.filter(workspace=workspace))


def counted(datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    """Return `datasets` annotated with counts, in one query.

    Adds example_count (now), session_count, last_session_start_time.
    """
    examples = (
        ExampleRevision.objects.filter(dataset=OuterRef("pk"), valid_to=None)
        .order_by()
        .values("dataset")
    )
    experiments = (
        Project.objects.filter(
            workspace=OuterRef("workspace"), reference_dataset_id=OuterRef("uuid")
        )
        .order_by()
        .values("reference_dataset_id")
    )

    def number_of(rows: QuerySet[Any, Any]) -> Coalesce:
        return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0)

    return datasets.annotate(
        example_count=number_of(examples),
        session_count=number_of(experiments),
        last_session_start_time=Subquery(
            experiments.annotate(last=Max("start_time")).values("last"),
            output_field=models.DateTimeField(),
        ),
    )


def matching(
    datasets: QuerySet[Dataset],
    *,
    ids: Sequence[UUID] = (),
    name: str | None = None,
    name_contains: str | None = None,
    data_types: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
) -> QuerySet[Dataset]:
    """Return the `datasets` that match every condition that is not empty."""
    if ids:
        datasets = datasets.filter(uuid__in=ids)
    if name is not None:
        datasets = datasets.filter(name=name)
    if name_contains:
        datasets = datasets.filter(name__icontains=name_contains)
    if data_types:
        datasets = datasets.filter(data_type__in=data_types)
    if metadata:
        datasets = datasets.filter(metadata__contains=metadata)
    return datasets
