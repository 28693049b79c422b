"""/api/v2/sessions: projects and experiments, listed by cursor, with a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.projects.schemas import SessionFields
from observatory.api.projects.sessions import (
    ProjectView,
    change,
    condition_in,
    create,
    shown,
    values_of,
)
from observatory.api.projects.statistics import ordered, selection_of
from observatory.api.v2 import list_schemas as shapes
from observatory.api.v2 import pages
from observatory.runs import catalogue
from observatory.runs.catalogue import ProjectQuery
from observatory.runs.models import Project

PROJECT, EXPERIMENT, AGENT = "PROJECT", "EXPERIMENT", "AGENT"
TIERS: Final = {"LONG_LIVED": "longlived", "SHORT_LIVED": "shortlived"}
"""Trace tier of version 2 -> of version 1, as it is stored."""
_TIERS_SHOWN: Final = {stored: shown for shown, stored in TIERS.items()}
CLEARABLE: Final = ("description", "default_dataset_id", "end_time", "extra")
_FEEDBACK_LEVELS: Final = {"RUN": "feedback_stats", "SESSION": "session_feedback_stats"}


def session_v2(session: Mapping[str, Any]) -> dict[str, Any]:
    """Return a project of version 1 as version 2 shows it."""
    feedback = {
        name: {key: {**stats, "type": "PRIMARY"} for key, stats in session[name].items()}
        for name in _FEEDBACK_LEVELS.values()
        if name in session
    }
    return {
        **session,
        **feedback,
        "type": PROJECT if session["reference_dataset_id"] is None else EXPERIMENT,
        "trace_tier": _TIERS_SHOWN.get(session["trace_tier"]),
    }


def _values_v2(body: SessionFields) -> dict[str, Any]:
    """Return the fields of a project that the body sets, as they are stored."""
    values = values_of(body)
    if body.trace_tier is not None:
        values["trace_tier"] = TIERS[body.trace_tier]
    return values


def _is_reference_free(types: list[str]) -> bool | None:
    """Return whether projects (True), experiments (False) or both (None) are asked for."""
    if (PROJECT in types) == (EXPERIMENT in types):
        return None
    return PROJECT in types


class SessionsV2(WorkspaceView):
    """GET and POST /api/v2/sessions (client.sessions.list_v2, create_v2)."""

    @endpoint(query=shapes.SessionQueryV2, answer=shapes.SessionPageV2)
    def get(self, request: Request, query: shapes.SessionQueryV2) -> Response:
        everything = Project.objects.filter(workspace=self.workspace)
        window = pages.place_of(query.cursor, query.page_size, everything)
        projects = catalogue.listed(
            self.workspace,
            ProjectQuery(
                uuids=query.id,
                name=query.name,
                name_contains=query.name_contains,
                reference_datasets=query.reference_dataset_id,
                is_reference_free=_is_reference_free([*query.type]),
                dataset_version=query.dataset_version,
                metadata=query.metadata,
                filter=condition_in(query.filter),
            ),
        ).filter(pk__lte=window.newest)
        if query.tag_value_id or set(query.type) == {AGENT}:  # neither is kept
            projects = projects.none()
        selection = selection_of(query, has_facets=query.include_facets)
        everyone = ordered(
            self.workspace,
            projects,
            query.sort_by.lower(),
            selection,
            is_descending=query.sort_order == "desc",
            feedback_key=query.sort_by_feedback_key,
            feedback_level=_FEEDBACK_LEVELS[query.sort_by_feedback_source],
        )
        page, cursor = window.page(list(everyone[window.window]))
        sessions = shown(self.workspace, page, selection if query.include_stats else None)
        return Response(
            {"items": [session_v2(session) for session in sessions], "next_cursor": cursor}
        )

    @endpoint(
        query=shapes.SessionUpsertQueryV2,
        body=shapes.SessionCreateV2,
        answer=shapes.SessionV2,
        errors=(409,),
    )
    def post(
        self, request: Request, body: shapes.SessionCreateV2, query: shapes.SessionUpsertQueryV2
    ) -> Response:
        values = {"name": f"{body.type.lower()}-{uuid4().hex[:8]}", **_values_v2(body)}
        project = create(self.workspace, body, values, upsert=query.upsert)
        return Response(session_v2(shown(self.workspace, [project], None)[0]))


class SessionDetailV2(ProjectView):
    """GET and PATCH /api/v2/sessions/{id} (client.sessions.retrieve_v2, update_v2)."""

    @endpoint(query=shapes.SessionReadQueryV2, answer=shapes.SessionV2)
    def get(self, request: Request, session_id: str, query: shapes.SessionReadQueryV2) -> Response:
        selection = (
            selection_of(query, has_facets=query.include_facets) if query.include_stats else None
        )
        [session] = shown(self.workspace, [self.project(session_id)], selection)
        return Response(session_v2(session))

    @endpoint(body=shapes.SessionChangeV2, answer=shapes.SessionV2, errors=(409,))
    def patch(self, request: Request, session_id: str, body: shapes.SessionChangeV2) -> Response:
        cleared = [name for name in CLEARABLE if getattr(body, name) is None]
        project = change(self.project(session_id), _values_v2(body), cleared=cleared)
        return Response(session_v2(shown(self.workspace, [project], None)[0]))
