"""/sessions: the projects of a workspace (an experiment is one with a reference dataset)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import experiments
from observatory import exact
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Object
from observatory.api.projects import schemas as shapes
from observatory.api.runs.query import TooSlow, filter_of
from observatory.feedback import summary
from observatory.feedback.removal import remove_project
from observatory.runs import catalogue, project_filters, search, stats
from observatory.runs.catalogue import ProjectExists, ProjectQuery
from observatory.runs.documents import BadItem
from observatory.runs.filters.grammar import FilterError, Node
from observatory.runs.models import Project
from observatory.runs.projects import EVALUATORS, MAX_NAME_LENGTH
from observatory.runs.times import parse_time
from observatory.workspaces.models import Workspace

MAX_LISTED = 100
MAX_OFFSET = 1_000_000
_SORTED_BY_STATS = ("last_run_start_time", "latency_p50", "latency_p99", "error_rate")
LIVE = "last_run_start_time_live"
STATS = frozenset(
    {*stats.OF_A_PROJECT, LIVE, "run_facets", "feedback_stats", "session_feedback_stats"}
)
"""What `stats_select` may name."""


def session_out(
    project: Project, workspace: Workspace, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a project as the wire shows it; `told` are its statistics.

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
        **(told or {}),
    }


@dataclass(frozen=True)
class Counted:
    """Which statistics of projects are asked for, and over which of their runs.

    `select` None means all; facets cost a query and are told only when they are asked for.
    """

    since: datetime | None = None
    only: Node | None = None
    select: frozenset[str] | None = None
    facets: bool = False

    def wants(self, name: str) -> bool:
        return self.select is None or name in self.select


def told_of(
    workspace: Workspace, projects: Sequence[Project], asked: Counted
) -> dict[int, dict[str, Any]]:
    """Return the statistics of each project, in a constant number of queries."""
    ids = [project.pk for project in projects]
    counted, of_runs, of_project, facets = {}, {}, {}, {}
    chosen = stats.chosen_of_projects(workspace.pk, ids, since=asked.since, only=asked.only)
    try:
        if any(asked.wants(name) for name in (*stats.OF_A_PROJECT, LIVE)):
            counted = stats.of_projects(workspace.pk, ids, since=asked.since, only=asked.only)
        if asked.wants("feedback_stats"):
            of_runs = _judged(workspace, ids, asked, chosen)
        if asked.facets and asked.wants("run_facets") and ids:
            facets = stats.facets(chosen)
    except search.TooSlow as error:
        raise TooSlow(str(error)) from None
    if asked.wants("session_feedback_stats"):
        of_project = summary.project_stats(workspace.pk, ids, level="session")
    told = {}
    for project_id in ids:
        figures = counted.get(project_id, stats.NOTHING)
        every = {
            **figures,
            LIVE: figures["last_run_start_time"],
            "run_facets": facets.get(str(project_id), []),
            "feedback_stats": of_runs.get(project_id, {}),
            "session_feedback_stats": of_project.get(project_id, {}),
        }
        told[project_id] = {name: value for name, value in every.items() if asked.wants(name)}
    return told


def _judged(
    workspace: Workspace, ids: list[int], asked: Counted, chosen: stats.Chosen
) -> dict[int, Any]:
    if asked.since is None and asked.only is None:
        return summary.project_stats(workspace.pk, ids, level="run")
    if not ids:
        return {}
    found = summary.stats_of_chosen(workspace.pk, chosen.rows())
    return {int(label): told for label, told in found.items() if label is not None}


def _shown_alone(
    workspace: Workspace, project: Project, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    come = experiments.progress(workspace, [project]).get(project.pk, {})
    return session_out(project, workspace, {**come, **(told or {})})


def listed_out(workspace: Workspace, asked: ProjectQuery, window: slice) -> list[dict[str, Any]]:
    """Return a page of projects, newest first, with statistics that anybody may read."""
    page = list(catalogue.listed(workspace, asked)[window])
    counted = told_of(workspace, page, Counted())
    come = experiments.progress(workspace, page)
    return [
        session_out(project, workspace, {**come.get(project.pk, {}), **counted[project.pk]})
        for project in page
    ]


# Reading a body --------------------------------------------------------------------------------


def _text(name: str, value: Any, limit: int) -> str:
    if not isinstance(value, str):
        raise Unprocessable(f"{name}: expects a string")
    if len(value) > limit:
        raise Unprocessable(f"{name}: at most {limit} characters")
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Unprocessable(f"{name}: holds a character that no text holds")
    return value


def _name(name: str, value: Any) -> str:
    text = _text(name, value, MAX_NAME_LENGTH)
    if not text.strip():
        raise Unprocessable(f"{name}: must not be empty")
    return text


def uuid_in(name: str, value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise Unprocessable(f"{name}: expects a UUID") from None


def _moment(name: str, value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Unprocessable(f"{name}: expects a time")
    try:
        return parse_time(value)
    except BadItem as error:
        raise Unprocessable(f"{name}: {error.reason}") from None


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unprocessable(f"{name}: expects an object")
    if exact.has_nul(exact.dumps(value)):
        raise Unprocessable(f"{name}: holds a character that no text holds")
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "name": _name,
    "description": lambda name, value: _text(name, value, 65_536),
    "extra": _object,
    "start_time": _moment,
    "end_time": _moment,
    "reference_dataset_id": uuid_in,
    "default_dataset_id": uuid_in,
    "trace_tier": lambda name, value: _text(name, value, 32),
}


def values_of(body: Any) -> dict[str, Any]:
    """Return the fields of a project that the body sets; null keeps. Raises 422."""
    if not isinstance(body, dict):
        raise Unprocessable("The body must be a JSON object")
    return {
        name: read(name, body[name])
        for name, read in _READERS.items()
        if body.get(name) is not None
    }


def planned_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an experiment announces of itself, as datasets_app keeps it. Raises 422."""
    planned: dict[str, Any] = {}
    for name, field in (("num_examples", "n_examples"), ("num_repetitions", "n_repetitions")):
        if body.get(name) is not None:
            value = body[name]
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
                raise Unprocessable(f"{name}: expects a whole number")
            planned[field] = value
    if body.get("evaluator_keys") is not None:
        keys = body["evaluator_keys"]
        if not isinstance(keys, list) or len(keys) > MAX_LISTED:
            raise Unprocessable(f"evaluator_keys: expects an array of at most {MAX_LISTED} keys")
        planned["evaluator_keys"] = [_text("evaluator_keys", key, 180) for key in keys]
    return planned


def metadata_of(request: Request) -> dict[str, Any] | None:
    text = parameters.one(request, "metadata")
    if text is None:
        return None
    try:
        return _object("metadata", exact.loads(text))
    except exact.NotJSON:
        raise Unprocessable("metadata: expects a JSON object") from None


def condition_of(request: Request) -> Q | None:
    """Return what `filter` asks of projects. Raises ParseError with the position."""
    text = parameters.one(request, "filter")
    if not text:
        return None
    try:
        return project_filters.condition(text)
    except FilterError as error:
        raise ParseError(f"filter: {error}") from None


def counted_of(request: Request, *, facets: str = "facets") -> Counted:
    """Return what the query asks of statistics; `facets` is the name of that flag.

    Raises 422, and 400 for a malformed filter.
    """
    select = parameters.listed(request, "stats_select")
    for name in select:
        if name not in STATS:
            raise Unprocessable(f"stats_select: {name[:60]!r} is no statistic of a project")
    text = parameters.one(request, "stats_filter")
    return Counted(
        since=parameters.moment(request, "stats_start_time"),
        only=filter_of({"stats_filter": text}, "stats_filter"),
        select=frozenset(select) or None,
        facets=parameters.flag(request, facets) is True,
    )


def ordered(
    workspace: Workspace,
    found: QuerySet[Project],
    sort_by: str,
    asked: Counted,
    *,
    is_descending: bool,
    feedback_key: str = "",
    feedback_level: str = "feedback_stats",
) -> QuerySet[Project] | list[Project]:
    """Return projects by a column, or all of them by a statistic; those without it last.

    `feedback_level` is `feedback_stats` or `session_feedback_stats`. Raises 422.
    """
    if sort_by in ("name", "start_time"):
        sign = "-" if is_descending else ""
        return found.order_by(f"{sign}{sort_by}", f"{sign}id")
    ranks: dict[int, Any]
    projects = list(found)
    if sort_by == "feedback":
        only = Counted(asked.since, asked.only, frozenset({feedback_level}))
        judged = {
            pk: told[feedback_level] for pk, told in told_of(workspace, projects, only).items()
        }
        ranks = {pk: of.get(feedback_key, {}).get("avg") for pk, of in judged.items()}
    elif sort_by in _SORTED_BY_STATS:
        only = Counted(since=asked.since, only=asked.only, select=frozenset({sort_by}))
        counted = told_of(workspace, projects, only)
        ranks = {pk: of[sort_by] for pk, of in counted.items()}
    else:
        known = ", ".join(("name", "start_time", *_SORTED_BY_STATS, "feedback"))
        raise Unprocessable(f"sort_by: expects one of {known}")
    have = [project for project in projects if ranks[project.pk] is not None]
    have.sort(key=lambda project: ranks[project.pk], reverse=is_descending)
    return have + [project for project in projects if ranks[project.pk] is None]


def shown(
    workspace: Workspace, page: Sequence[Project], asked: Counted | None
) -> list[dict[str, Any]]:
    """Return projects as the wire shows them; `asked` None leaves their statistics out."""
    told = experiments.progress(workspace, page)
    if asked is not None:
        for pk, counted in told_of(workspace, page, asked).items():
            told[pk] = {**told.get(pk, {}), **counted}
    return [session_out(project, workspace, told.get(project.pk)) for project in page]


class Sessions(WorkspaceView):
    """/sessions, as both SDKs' create_project, list_projects and read_project send it."""

    @endpoint(query=shapes.SessionQuery, answer=list[shapes.Session])
    def get(self, request: Request) -> Response:
        found = catalogue.listed(
            self.workspace,
            ProjectQuery(
                uuids=parameters.uuids(request, "id") or None,
                name=parameters.one(request, "name"),
                name_contains=parameters.one(request, "name_contains"),
                reference_datasets=parameters.uuids(request, "reference_dataset") or None,
                is_reference_free=parameters.flag(request, "reference_free"),
                dataset_version=parameters.one(request, "dataset_version"),
                metadata=metadata_of(request),
                filter=condition_of(request),
            ),
        )
        if parameters.listed(request, "tag_value_id"):  # no project has a resource tag
            found = found.none()
        limit = parameters.number(request, "limit", MAX_LISTED, 1, MAX_LISTED)
        offset = parameters.number(request, "offset", 0, 0, MAX_OFFSET)
        asked = counted_of(request)
        sort_by = parameters.one(request, "sort_by") or "start_time"
        is_descending = parameters.flag(request, "sort_by_desc") is not False
        everyone = ordered(
            self.workspace,
            found,
            sort_by,
            asked,
            is_descending=is_descending,
            feedback_key=parameters.one(request, "sort_by_feedback_key") or "",
        )
        page = everyone[offset : offset + limit]
        has_stats = parameters.flag(request, "include_stats") is True
        return Response(shown(self.workspace, list(page), asked if has_stats else None))

    @endpoint(
        query=shapes.SessionUpsertQuery,
        body=shapes.SessionCreate,
        answer=shapes.Session,
        errors=(409,),
    )
    def post(self, request: Request) -> Response:
        body: Any = request.data
        values = values_of(body)
        if "name" not in values:
            raise Unprocessable("name: this field is required")
        parameters.refuse_tags(body)
        given, planned = body.get("id"), planned_of(body)
        try:
            with transaction.atomic():
                project = catalogue.create(
                    self.workspace,
                    values,
                    uuid=None if given is None else uuid_in("id", given),
                    upsert=parameters.flag(request, "upsert") is True,
                )
                experiments.plan(project, planned)
        except ProjectExists as error:
            raise Conflict(str(error)) from None
        return Response(_shown_alone(self.workspace, project))


class SessionResolution(WorkspaceView):
    """GET /sessions/resolutions (client.sessions.resolve): the project that an address names."""

    @endpoint(query=shapes.SessionResolutionQuery, answer=shapes.Resolved, errors=(404,))
    def get(self, request: Request) -> Response:
        kind, wanted = parameters.one(request, "kind"), parameters.one(request, "id")
        found = Project.objects.filter(workspace=self.workspace)
        if kind == "EVALUATOR":
            found = found.filter(name=EVALUATORS)
        elif kind == "EXPERIMENT":
            if wanted is None:
                raise Unprocessable("id: is required for the kind EXPERIMENT")
            found = found.filter(uuid=uuid_or_404(wanted), reference_dataset_id__isnull=False)
        elif kind == "AGENT":
            raise NotFound("This server keeps no agents: name the project by its session_id")
        else:
            raise Unprocessable("kind: expects AGENT, EXPERIMENT or EVALUATOR")
        project = found.first()
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
    def get(self, request: Request, session_id: str) -> Response:
        project = self.project(session_id)
        told = {}
        if parameters.flag(request, "include_stats"):
            told = told_of(self.workspace, [project], counted_of(request))[project.pk]
        return Response(_shown_alone(self.workspace, project, told))

    @endpoint(body=shapes.SessionChange, answer=shapes.Session, errors=(409,))
    def patch(self, request: Request, session_id: str) -> Response:
        project = self.project(session_id)
        parameters.refuse_tags(request.data)
        try:
            project = catalogue.change(project, values_of(request.data))
        except ProjectExists as error:
            raise Conflict(str(error)) from None
        return Response(_shown_alone(self.workspace, project))

    @endpoint(answer=Object)
    def delete(self, request: Request, session_id: str) -> Response:
        remove_project(self.project(session_id))
        return Response({})
