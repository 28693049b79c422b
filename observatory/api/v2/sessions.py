"""/api/v2/sessions: projects and experiments, listed by cursor, with a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import experiments
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.projects.sessions import (
    ProjectView,
    condition_of,
    counted_of,
    metadata_of,
    ordered,
    planned_of,
    shown,
    uuid_in,
    values_of,
)
from observatory.api.v2 import list_schemas as shapes
from observatory.api.v2 import pages
from observatory.runs import catalogue
from observatory.runs.catalogue import ProjectExists, ProjectQuery
from observatory.runs.models import Project

PROJECT, EXPERIMENT, AGENT = "PROJECT", "EXPERIMENT", "AGENT"
TYPES = (PROJECT, EXPERIMENT, AGENT)
TIERS = {"LONG_LIVED": "longlived", "SHORT_LIVED": "shortlived"}  # by how version 1 says it
_TIERS_SHOWN = {stored: shown for shown, stored in TIERS.items()}
CLEARABLE = ("description", "default_dataset_id", "end_time", "extra")
_JUDGED = ("feedback_stats", "session_feedback_stats")


def session_v2(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a project of version 1 as version 2 shows it."""
    judged = {
        name: {key: {**stats, "type": "PRIMARY"} for key, stats in told[name].items()}
        for name in _JUDGED
        if name in told
    }
    return {
        **told,
        **judged,
        "type": PROJECT if told["reference_dataset_id"] is None else EXPERIMENT,
        "trace_tier": _TIERS_SHOWN.get(told["trace_tier"]),
    }


def _values_v2(body: Any) -> dict[str, Any]:
    """Return the fields of a project that the body sets. Raises 422."""
    values = values_of(body)
    tier = values.get("trace_tier")
    if tier is not None:
        if tier not in TIERS:
            raise Unprocessable(f"trace_tier: expects one of {', '.join(TIERS)}")
        values["trace_tier"] = TIERS[tier]
    return values


def _is_reference_free(request: Request) -> bool | None:
    """Return whether projects (True), experiments (False) or both (None) are asked for.

    Raises 422 for an unknown type. Agents are not kept: nothing is one.
    """
    asked = parameters.listed(request, "type")
    for kind in asked:
        if kind not in TYPES:
            raise Unprocessable(f"type: expects one of {', '.join(TYPES)}")
    if (PROJECT in asked) == (EXPERIMENT in asked):
        return None
    return PROJECT in asked


class SessionsV2(WorkspaceView):
    """GET and POST /api/v2/sessions (client.sessions.list_v2, create_v2)."""

    @endpoint(query=shapes.SessionQueryV2, answer=shapes.SessionPageV2)
    def get(self, request: Request) -> Response:
        place = pages.place_of(request, Project.objects.filter(workspace=self.workspace))
        found = catalogue.listed(
            self.workspace,
            ProjectQuery(
                uuids=parameters.uuids(request, "id") or None,
                name=parameters.one(request, "name"),
                name_contains=parameters.one(request, "name_contains"),
                reference_datasets=parameters.uuids(request, "reference_dataset_id") or None,
                is_reference_free=_is_reference_free(request),
                dataset_version=parameters.one(request, "dataset_version"),
                metadata=metadata_of(request),
                filter=condition_of(request),
            ),
        ).filter(pk__lte=place.newest)
        types = parameters.listed(request, "type")
        if parameters.listed(request, "tag_value_id") or (types and set(types) == {AGENT}):
            found = found.none()
        asked = counted_of(request, facets="include_facets")
        level = parameters.one(request, "sort_by_feedback_source") or "RUN"
        if level not in ("RUN", "SESSION"):
            raise Unprocessable("sort_by_feedback_source: expects RUN or SESSION")
        everyone = ordered(
            self.workspace,
            found,
            (parameters.one(request, "sort_by") or "START_TIME").lower(),
            asked,
            is_descending=pages.is_descending(request),
            feedback_key=parameters.one(request, "sort_by_feedback_key") or "",
            feedback_level=_JUDGED[level == "SESSION"],
        )
        page, cursor = place.page(list(everyone[place.window]))
        has_stats = parameters.flag(request, "include_stats") is True
        told = shown(self.workspace, page, asked if has_stats else None)
        return Response({"items": [session_v2(one) for one in told], "next_cursor": cursor})

    @endpoint(
        query=shapes.SessionUpsertQueryV2,
        body=shapes.SessionCreateV2,
        answer=shapes.SessionV2,
        errors=(409,),
    )
    def post(self, request: Request) -> Response:
        body: Any = request.data
        values, planned = _values_v2(body), planned_of(body)
        parameters.refuse_tags(body)
        kind = body.get("type")
        if kind == AGENT:
            raise Unprocessable("type: this server keeps no agents")
        if kind not in TYPES:
            raise Unprocessable(f"type: expects one of {', '.join(TYPES)}")
        if (kind == EXPERIMENT) != ("reference_dataset_id" in values):
            raise Unprocessable("reference_dataset_id: an EXPERIMENT has one, a PROJECT has none")
        given = body.get("id")
        try:
            with transaction.atomic():
                project = catalogue.create(
                    self.workspace,
                    {"name": f"{kind.lower()}-{uuid4().hex[:8]}", **values},
                    uuid=None if given is None else uuid_in("id", given),
                    upsert=parameters.flag(request, "upsert") is True,
                )
                experiments.plan(project, planned)
        except ProjectExists as error:
            raise Conflict(str(error)) from None
        return Response(session_v2(shown(self.workspace, [project], None)[0]))


class SessionDetailV2(ProjectView):
    """GET and PATCH /api/v2/sessions/{id} (client.sessions.retrieve_v2, update_v2)."""

    @endpoint(query=shapes.SessionReadQueryV2, answer=shapes.SessionV2)
    def get(self, request: Request, session_id: str) -> Response:
        has_stats = parameters.flag(request, "include_stats") is True
        asked = counted_of(request, facets="include_facets") if has_stats else None
        [told] = shown(self.workspace, [self.project(session_id)], asked)
        return Response(session_v2(told))

    @endpoint(body=shapes.SessionChangeV2, answer=shapes.SessionV2, errors=(409,))
    def patch(self, request: Request, session_id: str) -> Response:
        project = self.project(session_id)
        body: Any = request.data
        parameters.refuse_tags(body)
        values = _values_v2(body)
        cleared = [name for name in CLEARABLE if name in body and body[name] is None]
        try:
            project = catalogue.change(project, values, cleared=cleared)
        except ProjectExists as error:
            raise Conflict(str(error)) from None
        return Response(session_v2(shown(self.workspace, [project], None)[0]))
