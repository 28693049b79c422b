"""The threads of a project (listGroupRuns of the JavaScript SDK), and what was said in one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app.messages import Message, extracted, joined
from observatory import exact
from observatory.api.kit import parameters, streamed
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs import schemas as shapes
from observatory.api.runs.query import TooSlow, filter_of, limit_of, moment_of, uuid_of
from observatory.feedback import summary
from observatory.runs import search, threads
from observatory.runs.filters.grammar import Term
from observatory.runs.models import Project
from observatory.runs.search import RunQuery, RunRow
from observatory.runs.threads import Thread, ThreadQuery

MAX_OFFSET = 10_000_000
MAX_TURNS = 1_000
"""Traces of a thread whose messages are told, the newest."""
MAX_CALLS = 10_000
PREVIEWS = ("all_messages",)


def _offset(body: dict[str, Any]) -> int:
    given = body.get("offset")
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MAX_OFFSET:
        raise ParseError(f"offset: expects a whole number from 0 to {MAX_OFFSET}")
    return given


def shown(
    thread: Thread, judged: dict[str, Any], first_inputs: str | None, last_outputs: str | None
) -> dict[str, Any]:
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
        "first_inputs": first_inputs or "",
        "last_outputs": last_outputs or "",
        "last_error": thread.last_error,
    }


class RunGroups(WorkspaceView):
    """POST /runs/group (listGroupRuns): a page of the threads of a project, newest first."""

    @endpoint(body=shapes.ThreadQuery, answer=shapes.Threads, errors=(404,))
    def post(self, request: Request) -> HttpResponseBase:
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
        groups = (
            shown(thread, judged.get(thread.thread_id, {}), *documents)
            for thread, *documents in threads.with_documents(self.workspace, found.threads)
        )
        return streamed.answer(streamed.members(groups=groups, total=found.total))


class ThreadPreview(WorkspaceView):
    """GET /runs/threads/{id}: the messages of a thread, as langsmith-fetch and others ask."""

    @endpoint(query=shapes.ThreadPreviewQuery, answer=shapes.ThreadPreview, errors=(404,))
    def get(self, request: Request, thread_id: str) -> Response:
        session = parameters.uuid(request, "session_id")
        if session is None:
            raise ParseError("session_id: this field is required")
        for name in parameters.listed(request, "select"):
            if name not in PREVIEWS:
                raise ParseError(f"select: expects {', '.join(PREVIEWS)}")
        if "\x00" in thread_id:
            raise NotFound("The project has no such thread")
        try:
            said = self._said(self._turns(session, thread_id))
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        lines = [exact.dumps(message).decode() for message in said]
        return Response({"previews": {"all_messages": "\n\n".join(lines)}})

    def _turns(self, project: UUID, thread_id: str) -> list[RunRow]:
        """Return the root runs of the thread, oldest first. Raises NotFound when it has none."""
        wanted = RunQuery(
            projects=[project],
            is_root=True,
            filter=Term("eq", "thread_id", thread_id),
            limit=MAX_TURNS,
            payloads=("inputs", "outputs"),
        )
        newest = search.query(self.workspace, wanted).runs
        if not newest:
            raise NotFound("The project has no such thread")
        return newest[::-1]

    def _said(self, turns: list[RunRow]) -> list[Message]:
        """Return the messages of a trace; from its model calls if its root holds none."""
        by_trace = {turn.trace_id: _messages(turn) for turn in turns}
        silent = [str(trace_id) for trace_id, parts in by_trace.items() if not parts]
        if silent:
            wanted = RunQuery(
                run_type="llm",
                filter=Term("in", "trace_id", tuple(silent)),
                order="asc",
                limit=MAX_CALLS,
                payloads=("inputs", "outputs"),
            )
            for call in search.query(self.workspace, wanted).runs:
                by_trace[call.trace_id] += _messages(call)
        said: list[Message] = []
        for parts in by_trace.values():
            for part in parts:
                said = joined(said, part)
        return said


def _messages(run: RunRow) -> list[list[Message]]:
    """Return the messages of a run's inputs and of its outputs, where it has some."""
    parts = []
    for text in (run.inputs, run.outputs):
        document = exact.loads(text) if text and text.lstrip()[:1] == "{" else None
        found = extracted(document) if document else None
        if found:
            parts.append(found[0])
    return parts
