"""/v2/logs: Adaline's log API, a face of its own, so that its feedback attributes arrive here.

Errors are `{"error": text}` with 400, 401, 403, 404, 409 or 413. A project is named by its id,
or by its name, and is then made on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory import exact
from observatory.api.adaline import bodies, rows
from observatory.api.adaline import schemas as shapes
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict
from observatory.cursors import BadCursor
from observatory.exact import dumps
from observatory.feedback import record, taxonomies
from observatory.feedback.judgement import InvalidFeedback
from observatory.runs import ingest, logs, paging, projects
from observatory.runs.amend import Amendment, amend
from observatory.runs.documents import BadItem
from observatory.runs.models import Project, Run
from observatory.runs.ops import RunOp, parse_op
from observatory.runs.search import TooSlow

DEFAULT_LIMIT = 50


class LogView(WorkspaceView):
    """Speaks Adaline's errors."""

    max_body_bytes = 20_000_000

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, TooSlow):
            exc = ParseError(str(exc))
        answer: Any = super().handle_exception(exc)
        if isinstance(answer, Response):
            answer.data = {"error": answer.data["detail"]}
        elif isinstance(answer, HttpResponse):
            answer.content = dumps({"error": exact.loads(answer.content)["detail"]})
        return answer  # type: ignore[no-any-return]

    def project(self, named: str, *, is_made: bool = False) -> Project:
        """Return the project of that id or name. Raises NotFound unless it may be made."""
        found = Project.objects.filter(workspace=self.workspace)
        try:
            uuid = UUID(named)
        except ValueError:
            clean = named.replace("\x00", "\N{REPLACEMENT CHARACTER}")
            if is_made:
                projects.resolve(self.workspace, {clean})
            project = found.filter(name=clean).first()
        else:
            project = found.filter(uuid=uuid).first()
        if project is None:
            raise NotFound("projectId: there is no such project")
        return project

    def check_words(self, *attributes: Mapping[str, Any] | None) -> None:
        try:
            taxonomies.check(self.workspace, *filter(None, attributes))
        except InvalidFeedback as error:
            raise ParseError(str(error)) from None

    def store(self, runs: Sequence[dict[str, Any]]) -> None:
        """Store all of these runs, or raise ParseError and store none."""
        try:
            ops: list[RunOp] = [parse_op("create", run) for run in runs]
        except BadItem as bad:
            raise ParseError(bad.reason) from None
        now = timezone.now()

        def work(mode: ingest.Mode) -> None:
            stored = ingest.store(self.workspace, ops, now=now, mode=mode)
            record.attach(self.workspace, stored.run_ids)
            if stored.rejected:
                raise ParseError(stored.rejected[0]["reason"])

        ingest.transact(work)


class LogTraceUpdate(LogView):
    """PATCH /v2/logs/update-log: what an older page of theirs calls PATCH /v2/logs/trace."""

    @endpoint(
        body=bodies.UpdateTrace, answer=shapes.Updated, errors=(404, 409), refusal=shapes.LogError
    )
    def patch(self, request: Request) -> Response:
        """Change status, end, attributes and tags of a trace that is here."""
        body = bodies.read(bodies.UpdateTrace, request.data)
        project = self.project(body.project_id)
        run_id = _given(body.trace_id)
        if run_id is None and body.reference_id is not None:
            run_id = self._trace_id(project, body.reference_id)
        if run_id is None:
            raise ParseError("traceId or referenceId: one of them is needed")
        self.amend(project, run_id, body.log_trace, "trace")
        return Response({"success": True})

    def _trace_id(self, project: Project, reference: str) -> UUID:
        return bodies.trace_id_of(self.workspace.uuid, project.uuid, reference)

    def amend(self, project: Project, run_id: UUID, wish: bodies.Update, kind: str) -> None:
        """Apply `wish` to a run of `project`. Raises NotFound."""
        amendment = _amendment(wish)
        self.check_words(amendment.metadata)
        known = Run.objects.filter(workspace=self.workspace, id=run_id, project=project)
        known = known.filter(parent_run_id__isnull=kind == "trace")
        if not known.exists() or not amend(self.workspace, run_id, amendment, now=timezone.now()):
            raise NotFound(f"There is no such {kind} in this project")


class LogTraces(LogTraceUpdate):
    """POST and PATCH /v2/logs/trace (Monitor.log_trace, logs.traces.update)."""

    @endpoint(
        body=bodies.CreateTrace,
        answer=shapes.TraceCreated,
        errors=(404, 409),
        refusal=shapes.LogError,
    )
    def post(self, request: Request) -> Response:
        """Store a trace with its spans. The same again is the same trace; another is refused."""
        body = bodies.read(bodies.CreateTrace, request.data)
        spans = body.spans or []
        self.check_words(body.trace.attributes, *(span.attributes for span in spans))
        with transaction.atomic():
            project = self.project(body.project_id, is_made=True)
            trace_id = uuid4()
            if body.trace.reference_id is not None:
                trace_id = self._trace_id(project, body.trace.reference_id)
                self._refuse_another(trace_id, body.trace)
            root = bodies.trace_run(body.trace, trace_id, project.uuid)
            span_ids = [_span_id(trace_id, span) for span in spans]
            start = bodies.moment(body.trace.started_at)
            orders = {trace_id: f"{start:%Y%m%dT%H%M%S%f}Z{trace_id}"}
            below = _ordered(spans, span_ids, trace_id, project.uuid, orders)
            self.store([root, *below])
        return Response({"traceId": str(trace_id), "spanIds": list(map(str, span_ids))})

    def _refuse_another(self, trace_id: UUID, trace: bodies.LogTrace) -> None:
        known = Run.objects.filter(workspace=self.workspace, id=trace_id)
        for name, start in known.values_list("name", "start_time"):
            if (name, start) != (trace.name, bodies.moment(trace.started_at)):
                raise Conflict(f"referenceId: {trace.reference_id!r} is another trace's")


class LogSpans(LogTraceUpdate):
    """POST and PATCH /v2/logs/span. Adaline documents no PATCH of a span: it is as a trace's."""

    @endpoint(
        body=bodies.CreateSpan,
        answer=shapes.SpanCreated,
        errors=(404, 409),
        refusal=shapes.LogError,
    )
    def post(self, request: Request) -> Response:
        """Store a span. Its trace may come later if it is named by reference."""
        body = bodies.read(bodies.CreateSpan, request.data)
        span = body.span
        self.check_words(span.attributes)
        with transaction.atomic():
            project = self.project(body.project_id, is_made=True)
            trace_id = self._trace_of(project, span.trace_id, span.trace_reference_id)
            run_id = _span_id(trace_id, span)
            parent_id = trace_id
            if span.parent_reference_id is not None:
                parent_id = bodies.span_id_of(trace_id, span.parent_reference_id)
            known = dict(
                Run.objects.filter(workspace=self.workspace, id__in=[trace_id, parent_id])
                .filter(project=project)
                .values_list("id", "dotted_order")
            )
            if trace_id not in known and span.trace_reference_id is None:
                raise NotFound("traceId: there is no such trace in this project")
            run = bodies.span_run(
                span, run_id, project.uuid, trace_id=trace_id, parent=known.get(parent_id)
            )
            self.store([run])
        return Response({"spanId": str(run_id)})

    @endpoint(
        body=bodies.UpdateSpan, answer=shapes.Updated, errors=(404, 409), refusal=shapes.LogError
    )
    def patch(self, request: Request) -> Response:
        """Change status, end, attributes and tags of a span that is here."""
        body = bodies.read(bodies.UpdateSpan, request.data)
        project = self.project(body.project_id)
        run_id = _given(body.span_id)
        if run_id is None:
            if body.reference_id is None:
                raise ParseError("spanId or referenceId: one of them is needed")
            trace_id = self._trace_of(project, body.trace_id, body.trace_reference_id)
            run_id = bodies.span_id_of(trace_id, body.reference_id)
        self.amend(project, run_id, body.log_span, "span")
        return Response({"success": True})

    def _trace_of(self, project: Project, named: str | None, reference: str | None) -> UUID:
        trace_id = _given(named)
        if trace_id is None and reference is not None:
            trace_id = self._trace_id(project, reference)
        if trace_id is None:
            raise ParseError("traceId or traceReferenceId: one of them is needed")
        return trace_id


class LogPages(LogView):
    """Answers with a page of the traces, or spans, of a project."""

    is_span = False

    def page(self, parameters: Any) -> Response:
        sent = bodies.read(bodies.Search, parameters)
        limit = sent.limit or DEFAULT_LIMIT
        query = logs.LogQuery(
            project=self.project(sent.project_id),
            is_span=self.is_span,
            conditions=rows.conditions(sent),
            order="asc" if sent.sort == "startedAt:asc" else "desc",
            limit=limit,
            after=_read_cursor(sent.cursor) if sent.cursor else None,
        )
        page, has_more = logs.find(self.workspace, query)
        if self.is_span:
            shown = [rows.span_out(row) for row in page]
        else:
            totals = logs.totals_of(self.workspace, [row.id for row in page])
            shown = [rows.trace_out(row, totals.get(row.id, logs.Totals())) for row in page]
        last = page[-1] if has_more and page else None
        pagination = {
            "limit": limit,
            "returned": len(page),
            "hasMore": has_more,
            "nextCursor": paging.cursor_of(last.start_time, last.id)
            if last and last.start_time
            else None,
        }
        # Adaline's pages call the list `data`, its SDKs read `traces` and `spans`.
        name = "spans" if self.is_span else "traces"
        return Response({"data": shown, name: shown, "pagination": pagination})


class LogList(LogPages):
    """GET /v2/logs (logs.list): the traces of a project, by query parameters."""

    @endpoint(
        query=shapes.LogQuery, answer=shapes.TracePage, errors=(404, 409), refusal=shapes.LogError
    )
    def get(self, request: Request) -> Response:
        parameters: dict[str, Any] = dict(request.query_params.items())
        for name in ("startedAfter", "startedBefore", "limit"):
            if name in parameters and len(parameters[name]) <= 18 and parameters[name].isascii():
                parameters[name] = (
                    int(parameters[name]) if parameters[name].isdigit() else parameters[name]
                )
        if "filters" in parameters:
            try:
                parameters["filters"] = exact.loads(parameters["filters"])
            except exact.NotJSON:
                raise ParseError("filters: must be a JSON array") from None
        return self.page(parameters)


class LogTraceSearch(LogPages):
    """POST /v2/logs/traces (logs.traces.search)."""

    @endpoint(
        body=bodies.Search, answer=shapes.TracePage, errors=(404, 409), refusal=shapes.LogError
    )
    def post(self, request: Request) -> Response:
        return self.page(request.data)


class LogSpanSearch(LogPages):
    """POST /v2/logs/spans (logs.spans.search)."""

    is_span = True

    @endpoint(
        body=bodies.Search, answer=shapes.SpanPage, errors=(404, 409), refusal=shapes.LogError
    )
    def post(self, request: Request) -> Response:
        return self.page(request.data)


def _given(text: str | None) -> UUID | None:
    """Return the UUID in a client's id; None for any other text."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"There is nothing with the id {text[:80]!r}") from None


def _span_id(trace_id: UUID, span: bodies.LogSpan) -> UUID:
    return uuid4() if span.reference_id is None else bodies.span_id_of(trace_id, span.reference_id)


def _ordered(
    spans: Sequence[bodies.LogSpan],
    span_ids: Sequence[UUID],
    trace_id: UUID,
    project: UUID,
    orders: dict[UUID, str],
) -> list[dict[str, Any]]:
    """Return the runs of `spans`, parents first, so that each knows its dotted_order.

    `orders` knows the root's. A span whose parent is not among them hangs below it all the
    same: it may be stored, or come later.
    """
    waiting = list(zip(spans, span_ids, strict=True))
    made = []
    while waiting:
        later = []
        for span, run_id in waiting:
            parent = trace_id
            if span.parent_reference_id is not None:
                parent = bodies.span_id_of(trace_id, span.parent_reference_id)
            if parent not in orders and parent in {
                other for _, other in waiting if other != run_id
            }:
                later.append((span, run_id))
                continue
            run = bodies.span_run(
                span, run_id, project, trace_id=trace_id, parent=orders.get(parent)
            )
            made.append(run)
            if "dotted_order" in run:
                orders[run_id] = run["dotted_order"]
        if len(later) == len(waiting):
            raise ParseError("spans: their parentReferenceIds form a circle")
        waiting = later
    return made


def _amendment(wish: bodies.Update) -> Amendment:
    """Return what a PATCH asks; of several operations on one key or tag the last one counts."""
    metadata: dict[str, Any] = {}
    gone: set[str] = set()
    for one in wish.attributes or []:
        metadata.pop(one.key, None)
        gone.discard(one.key)
        if one.operation == "delete":
            gone.add(one.key)
        elif one.value is None:
            raise ParseError(f"attributes: {one.key!r} is created without a value")
        else:
            metadata[one.key] = one.value
    tags: dict[str, bool] = {}
    for other in wish.tags or []:
        tags.pop(other.tag, None)
        tags[other.tag] = other.operation == "create"
    error = None
    if wish.status is not None:
        metadata[logs.LOG_STATUS] = wish.status
        error = wish.status if wish.status in bodies.FAILED else ""
    return Amendment(
        metadata=metadata,
        metadata_gone=frozenset(gone),
        tags=tuple(tag for tag, is_kept in tags.items() if is_kept),
        tags_gone=frozenset(tag for tag, is_kept in tags.items() if not is_kept),
        end_time=None if wish.ended_at is None else bodies.moment(wish.ended_at),
        error=error,
    )


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        return paging.read_cursor(cursor)
    except BadCursor:
        raise ParseError("cursor: invalid; send the nextCursor of an answer") from None
