"""Create, change, list and delete the projects of a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.files.storage import storages
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet

from observatory.runs import projects
from observatory.runs.attachments import STORAGE
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace

CHANGEABLE = (
    *("name", "description", "extra", "start_time", "end_time", "trace_tier"),
    *("reference_dataset_id", "default_dataset_id"),
)


class ProjectExists(Exception):
    """The workspace has a project with that name or id."""


@transaction.atomic
def create(
    workspace: Workspace, values: Mapping[str, Any], *, uuid: UUID | None = None, upsert: bool
) -> Project:
    """Create a project with `values` (fields of CHANGEABLE; None = default), under `uuid` if given.

    Raises ProjectExists when the name or the uuid is taken. With `upsert` the project of that name
    is changed and returned instead, and keeps its own uuid.
    """
    fields = {name: value for name, value in values.items() if value is not None}
    if uuid is not None:
        fields["uuid"] = uuid
    try:
        with transaction.atomic():
            project = Project.objects.create(workspace=workspace, **fields)
    except IntegrityError:
        named = Project.objects.filter(workspace=workspace, name=fields["name"]).first()
        if not upsert or named is None:
            raise ProjectExists(_taken(named, fields)) from None
        return change(named, {k: v for k, v in fields.items() if k != "uuid"})
    project.refresh_from_db()
    return project


def _taken(named: Project | None, fields: Mapping[str, Any]) -> str:
    what = f"name {fields['name']!r}" if named else f"id {fields.get('uuid')}"
    return f"A project with the {what} already exists"


def change(project: Project, values: Mapping[str, Any], *, cleared: Sequence[str] = ()) -> Project:
    """Set the fields that are not None. Raises ProjectExists.

    `cleared` fields are set to null.
    """
    fields = {name: value for name, value in values.items() if value is not None}
    fields |= {name: {} if name == "extra" else None for name in cleared}
    for name, value in fields.items():
        setattr(project, name, value)
    if fields:
        try:
            with transaction.atomic():
                project.save(update_fields=list(fields))
        except IntegrityError:
            raise ProjectExists(_taken(project, fields)) from None
    return project


def lock(project: Project) -> bool:
    """Lock the project until the transaction ends. Return False if it has been deleted meanwhile.

    Ingestion into the project has ended or waits; afterwards it creates a new project of that name.
    """
    return Project.objects.select_for_update().filter(pk=project.pk).exists()


@transaction.atomic
def remove(project: Project) -> int:
    """Delete the project with its runs, their files and shares; return how many runs that was.

    Set-based: one statement per table. Feedback on the runs stays: see feedback/removal.py.
    """
    if not lock(project):
        return 0
    of_project = "SELECT id FROM runs_run WHERE project_id = %(project)s"
    scope = {"project": project.pk, "workspace": project.workspace_id}
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM runs_attachment"
            f" WHERE workspace_id = %(workspace)s AND run_id IN ({of_project}) RETURNING path",
            scope,
        )
        files = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "DELETE FROM runs_runshare"
            f" WHERE workspace_id = %(workspace)s AND run_id IN ({of_project})",
            scope,
        )
        cursor.execute("DELETE FROM runs_run WHERE project_id = %(project)s", scope)
        n_runs = int(cursor.rowcount)
    project.delete()

    def delete_files() -> None:
        for path in files:
            storages[STORAGE].delete(path)

    transaction.on_commit(delete_files, robust=True)
    return n_runs


@dataclass(frozen=True, kw_only=True)
class ProjectQuery:
    """Which projects to list. None means "any"; all restrictions must hold."""

    uuids: Sequence[UUID] | None = None
    name: str | None = None
    name_contains: str | None = None
    reference_datasets: Sequence[UUID] | None = None
    is_reference_free: bool | None = None
    dataset_version: str | None = None
    metadata: Mapping[str, Any] | None = None
    filter: Q | None = None


def listed(workspace: Workspace, project_query: ProjectQuery) -> QuerySet[Project]:
    """Return the projects of `workspace` that match `project_query`, newest first.

    Creates the project `default` when the workspace has none: both SDKs read the tenant id from its
    first project.
    """
    conditions = Q(workspace=workspace)
    if project_query.uuids is not None:
        conditions &= Q(uuid__in=project_query.uuids)
    if project_query.name is not None:
        conditions &= Q(name=project_query.name)
    if project_query.name_contains is not None:
        conditions &= Q(name__icontains=project_query.name_contains)
    if project_query.reference_datasets is not None:
        conditions &= Q(reference_dataset_id__in=project_query.reference_datasets)
    if project_query.is_reference_free is not None:
        conditions &= Q(reference_dataset_id__isnull=project_query.is_reference_free)
    if project_query.dataset_version is not None:
        conditions &= Q(extra__metadata__dataset_version=project_query.dataset_version)
    if project_query.metadata is not None:
        conditions &= Q(extra__contains={"metadata": dict(project_query.metadata)})
    if project_query.filter is not None:
        conditions &= project_query.filter
    if project_query == ProjectQuery() and not Project.objects.filter(workspace=workspace).exists():
        with transaction.atomic():
            projects.resolve(workspace, {projects.DEFAULT})
    return Project.objects.filter(conditions).order_by("-start_time", "-id")
