"""/sessions: the projects of a workspace (an experiment is one with a reference dataset)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import experiments
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Object
from observatory.api.projects import schemas as shapes
from observatory.api.projects.statistics import Selection, ordered, selection_of, statistics_of
from observatory.feedback.removal import remove_project
from observatory.runs import catalogue, project_filters
from observatory.runs.catalogue import ProjectExists, ProjectQuery
from observatory.runs.filters.grammar import FilterError
from observatory.runs.models import Project
from observatory.runs.projects import EVALUATORS
from observatory.workspaces.models import Workspace

_FIELDS = frozenset(shapes.SessionChange.__struct_fields__) - {"tag_value_ids"}


def session_out(
    project: Project, workspace: Workspace, statistics: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a project as the wire shows it, with its statistics.

    `reference_dataset_id` is there even when null: the SDK's model demands the key.
    """
    return {
        "id": project.uuid,
        "tenant_id": workspace.uuid,
        "name": project.name,
        "description": project.description,
        "start_time": project.start_time,
        "end_time": project.end_time,
        "extra": project.extra,
        "reference_dataset_id": project.reference_dataset_id,
        "default_dataset_id": project.default_dataset_id,
        "trace_tier": project.trace_tier,
        **(statistics or {}),
    }


def shown(
    workspace: Workspace, projects: Sequence[Project], selection: Selection | None
) -> list[dict[str, Any]]:
    """Return projects as the wire shows them; `selection` None leaves their statistics out."""
    figures: dict[int, dict[str, Any]] = experiments.progress(workspace, projects)
    if selection is not None:
        for project_id, statistics in statistics_of(workspace, projects, selection).items():
            figures[project_id] = {**figures.get(project_id, {}), **statistics}
    return [session_out(project, workspace, figures.get(project.pk)) for project in projects]


def listed_out(workspace: Workspace, query: ProjectQuery, window: slice) -> list[dict[str, Any]]:
    """Return a page of projects, newest first, with statistics without sealed feedback."""
    return shown(workspace, list(catalogue.listed(workspace, query)[window]), Selection())


def values_of(body: shapes.SessionFields) -> dict[str, Any]:
    """Return the fields of a project that a body sets; null and absent keep."""
    return {name: value for name, value in body.given().items() if name in _FIELDS}


def create(
    workspace: Workspace, body: shapes.NewSession, values: Mapping[str, Any], *, upsert: bool
) -> Project:
    """Create a project with `values`, and keep the plan of its experiment. Raises Conflict."""
    plan = {
        "n_examples": body.num_examples,
        "n_repetitions": body.num_repetitions,
        "evaluator_keys": body.evaluator_keys,
    }
    try:
        with transaction.atomic():
            project = catalogue.create(workspace, values, uuid=body.id, upsert=upsert)
            experiments.plan(project, {k: v for k, v in plan.items() if v is not None})
    except ProjectExists as error:
        raise Conflict(str(error)) from None
    return project


def change(project: Project, values: Mapping[str, Any], *, cleared: Sequence[str] = ()) -> Project:
    """Set the fields of a project, and clear others. Raises Conflict."""
    try:
        return catalogue.change(project, values, cleared=cleared)
    except ProjectExists as error:
        raise Conflict(str(error)) from None


def condition_in(text: str | None) -> Q | None:
    """Return `filter` as a condition on projects. Raises ParseError with the position."""
    if text is None:
        return None
    try:
        return project_filters.condition(text)
    except FilterError as error:
        raise ParseError(f"filter: {error}") from None


class Sessions(WorkspaceView):
    """/sessions, as both SDKs' create_project, list_projects and read_project send it."""

    @endpoint(query=shapes.SessionQuery, answer=list[shapes.Session])
    def get(self, request: Request, query: shapes.SessionQuery) -> Response:
        projects = catalogue.listed(
            self.workspace,
            ProjectQuery(
                uuids=query.id,
                name=query.name,
                name_contains=query.name_contains,
                reference_datasets=query.reference_dataset,
                is_reference_free=query.reference_free,
                dataset_version=query.dataset_version,
                metadata=query.metadata,
                filter=condition_in(query.filter),
            ),
        )
        if query.tag_value_id:  # no project has a resource tag
            projects = projects.none()
        selection = selection_of(query, has_facets=query.facets)
        everyone = ordered(
            self.workspace,
            projects,
            query.sort_by,
            selection,
            is_descending=query.sort_by_desc,
            feedback_key=query.sort_by_feedback_key,
        )
        page = list(everyone[query.offset : query.offset + query.limit])
        return Response(shown(self.workspace, page, selection if query.include_stats else None))

    @endpoint(
        query=shapes.SessionUpsertQuery,
        body=shapes.SessionCreate,
        answer=shapes.Session,
        errors=(409,),
    )
    def post(
        self, request: Request, body: shapes.SessionCreate, query: shapes.SessionUpsertQuery
    ) -> Response:
        project = create(self.workspace, body, values_of(body), upsert=query.upsert)
        return Response(shown(self.workspace, [project], None)[0])


class SessionResolution(WorkspaceView):
    """GET /sessions/resolutions (client.sessions.resolve): the project that an address names."""

    @endpoint(query=shapes.SessionResolutionQuery, answer=shapes.Resolved, errors=(404,))
    def get(self, request: Request, query: shapes.SessionResolutionQuery) -> Response:
        projects = Project.objects.filter(workspace=self.workspace)
        if query.kind == "EVALUATOR":
            projects = projects.filter(name=EVALUATORS)
        elif query.kind == "EXPERIMENT":
            if query.id is None:
                raise Unprocessable("id: is required for the kind EXPERIMENT")
            projects = projects.filter(
                uuid=uuid_or_404(query.id), reference_dataset_id__isnull=False
            )
        else:
            raise NotFound("This server keeps no agents: name the project by its session_id")
        project = projects.first()
        if project is None:
            raise NotFound("Project not found")
        return Response({"session_id": project.uuid})


class ProjectView(WorkspaceView):
    """A view of one project, named in the path by its id."""

    def project(self, session_id: str) -> Project:
        """Return the project of the caller's workspace. Raises NotFound."""
        project = Project.objects.filter(
            workspace=self.workspace, uuid=uuid_or_404(session_id)
        ).first()
        if project is None:
            raise NotFound("Project not found")
        return project


class SessionDetail(ProjectView):
    """/sessions/{id}, as both SDKs' read_project, update_project and delete_project send it."""

    @endpoint(query=shapes.SessionReadQuery, answer=shapes.Session)
    def get(self, request: Request, session_id: str, query: shapes.SessionReadQuery) -> Response:
        project = self.project(session_id)
        selection = selection_of(query, has_facets=query.facets) if query.include_stats else None
        return Response(shown(self.workspace, [project], selection)[0])

    @endpoint(body=shapes.SessionChange, answer=shapes.Session, errors=(409,))
    def patch(self, request: Request, session_id: str, body: shapes.SessionChange) -> Response:
        project = change(self.project(session_id), values_of(body))
        return Response(shown(self.workspace, [project], None)[0])

    @endpoint(answer=Object)
    def delete(self, request: Request, session_id: str) -> Response:
        remove_project(self.project(session_id))
        return Response({})
