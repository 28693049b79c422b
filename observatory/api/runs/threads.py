"""The threads of a project (listGroupRuns of the JavaScript SDK), and the messages of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app.messages import Message, extracted, joined
from observatory import exact
from observatory.api.kit import streamed
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs import schemas as shapes
from observatory.api.runs.query import page_size, query_errors
from observatory.feedback import summary
from observatory.runs import search, threads
from observatory.runs.filters.grammar import Term
from observatory.runs.models import Project
from observatory.runs.search import RunQuery, RunRow
from observatory.runs.threads import Thread, ThreadQuery

MAX_TURNS = 1_000
"""The newest traces of a thread, whose messages are returned."""
MAX_CALLS = 10_000
PREVIEWS = ("all_messages",)


def shown(
    thread: Thread, feedback: dict[str, Any], first_inputs: str | None, last_outputs: str | None
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
        "feedback_stats": feedback,
        "first_trace_id": thread.first_trace_id,
        "last_trace_id": thread.last_trace_id,
        "first_inputs": first_inputs or "",
        "last_outputs": last_outputs or "",
        "last_error": thread.last_error,
    }


class RunGroups(WorkspaceView):
    """POST /runs/group (listGroupRuns): a page of the threads of a project, newest first."""

    @endpoint(body=shapes.ThreadQuery, answer=shapes.Threads, errors=(404,))
    def post(self, request: Request, body: shapes.ThreadQuery) -> HttpResponseBase:
        project = Project.objects.filter(workspace=self.workspace, uuid=body.session_id).first()
        if project is None:
            raise NotFound("Project not found")
        query = ThreadQuery(
            filter=body.filter, started_from=body.start_time, started_to=body.end_time
        )
        with query_errors():
            page = threads.listed(
                project, query, limit=page_size(body.limit), offset=body.offset or 0
            )
        feedback = summary.thread_stats(project, [thread.thread_id for thread in page.threads])
        groups = (
            shown(thread, feedback.get(thread.thread_id, {}), *documents)
            for thread, *documents in threads.with_documents(self.workspace, page.threads)
        )
        return streamed.answer(streamed.members(groups=groups, total=page.total))


class ThreadPreview(WorkspaceView):
    """GET /runs/threads/{id}: the messages of a thread, as langsmith-fetch and others ask."""

    @endpoint(query=shapes.ThreadPreviewQuery, answer=shapes.ThreadPreview, errors=(404,))
    def get(self, request: Request, thread_id: str, query: shapes.ThreadPreviewQuery) -> Response:
        if query.session_id is None:
            raise ParseError("session_id: is required")
        if not set(query.select or ()) <= set(PREVIEWS):
            raise ParseError(f"select: must be {' or '.join(PREVIEWS)}")
        if "\x00" in thread_id:
            raise NotFound("The project has no such thread")
        with query_errors():
            messages = self._messages(self._turns(query.session_id, thread_id))
        lines = [exact.dumps(message).decode() for message in messages]
        return Response({"previews": {"all_messages": "\n\n".join(lines)}})

    def _turns(self, project: UUID, thread_id: str) -> list[RunRow]:
        """Return the root runs of the thread, oldest first. Raises NotFound when it has none."""
        query = RunQuery(
            projects=[project],
            is_root=True,
            filter=Term("eq", "thread_id", thread_id),
            limit=MAX_TURNS,
            payloads=("inputs", "outputs"),
        )
        newest = search.query(self.workspace, query).runs
        if not newest:
            raise NotFound("The project has no such thread")
        return newest[::-1]

    def _messages(self, turns: list[RunRow]) -> list[Message]:
        """Return the messages of traces; from the model calls of one whose root holds none."""
        by_trace = {turn.trace_id: _messages_of(turn) for turn in turns}
        silent = [str(trace_id) for trace_id, parts in by_trace.items() if not parts]
        if silent:
            query = RunQuery(
                run_type="llm",
                filter=Term("in", "trace_id", tuple(silent)),
                order="asc",
                limit=MAX_CALLS,
                payloads=("inputs", "outputs"),
            )
            for call in search.query(self.workspace, query).runs:
                by_trace[call.trace_id] += _messages_of(call)
        messages: list[Message] = []
        for parts in by_trace.values():
            for part in parts:
                messages = joined(messages, part)
        return messages


def _messages_of(run: RunRow) -> list[list[Message]]:
    """Return the messages of a run's inputs and of its outputs, where it has some."""
    parts = []
    for text in (run.inputs, run.outputs):
        document = exact.loads(text) if text and text.lstrip()[:1] == "{" else None
        messages = extracted(document) if document else None
        if messages:
            parts.append(messages[0])
    return parts
