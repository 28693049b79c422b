"""POST /runs/group: the threads of a project, as the JavaScript SDK's listGroupRuns asks."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.base import WorkspaceView
from observatory.api.described import describe
from observatory.api.run_query import TooSlow, filter_of, limit_of, moment_of, uuid_of
from observatory.api.shapes import runs as shapes
from observatory.feedback import summary
from observatory.runs import search, threads
from observatory.runs.models import Project
from observatory.runs.threads import Thread, ThreadQuery

MAX_OFFSET = 10_000_000


def _offset(body: dict[str, Any]) -> int:
    given = body.get("offset")
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MAX_OFFSET:
        raise ParseError(f"offset: expects a whole number from 0 to {MAX_OFFSET}")
    return given


def shown(thread: Thread, judged: dict[str, Any]) -> dict[str, Any]:
    """Return a thread as the wire shows it. Inputs and outputs are JSON text, as the SDK reads."""
    return {
        "group_key": thread.thread_id,
        "thread_id": thread.thread_id,
        "filter": thread.filter,
        "count": thread.count,
        "total_tokens": thread.total_tokens,
        "prompt_tokens": thread.prompt_tokens,
        "completion_tokens": thread.completion_tokens,
        "total_cost": thread.total_cost,
        "prompt_cost": thread.prompt_cost,
        "completion_cost": thread.completion_cost,
        "min_start_time": thread.first_start,
        "max_start_time": thread.last_start,
        "latency_p50": thread.latency_p50,
        "latency_p99": thread.latency_p99,
        "feedback_stats": judged,
        "first_trace_id": thread.first_trace_id,
        "last_trace_id": thread.last_trace_id,
        "first_inputs": thread.first_inputs or "",
        "last_outputs": thread.last_outputs or "",
        "last_error": thread.last_error,
    }


class RunGroups(WorkspaceView):
    """POST /runs/group (listGroupRuns): a page of the threads of a project, newest first."""

    @describe(body=shapes.ThreadQuery, answer=shapes.Threads, errors=(404,))
    def post(self, request: Request) -> Response:
        body: Any = request.data
        if not isinstance(body, dict):
            raise ParseError("The body must be a JSON object")
        if body.get("group_by") not in (None, "conversation"):
            raise ParseError("group_by: expects conversation")
        session = uuid_of(body, "session_id")
        if session is None:
            raise ParseError("session_id: this field is required")
        project = Project.objects.filter(workspace=self.workspace, uuid=session).first()
        if project is None:
            raise NotFound("Project not found")
        try:
            found = threads.listed(
                project,
                ThreadQuery(
                    filter=filter_of(body, "filter"),
                    started_from=moment_of(body, "start_time"),
                    started_to=moment_of(body, "end_time"),
                ),
                limit=limit_of(body),
                offset=_offset(body),
            )
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        judged = summary.thread_stats(project, [thread.thread_id for thread in found.threads])
        return Response(
            {
                "groups": [
                    shown(thread, judged.get(thread.thread_id, {})) for thread in found.threads
                ],
                "total": found.total,
            }
        )
