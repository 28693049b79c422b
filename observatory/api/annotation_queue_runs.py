"""/annotation-queues/{id}/runs: what waits in a queue, what is done, and putting runs in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from annotations import queues
from annotations.models import AnnotationQueue, QueueItem, Review, Seat
from observatory.api import parameters, run_read
from observatory.api.annotation_queues import find, me, readable, shown
from observatory.api.base import WorkspaceView, uuid_or_404
from observatory.api.described import describe
from observatory.api.errors import Unprocessable
from observatory.api.shapes import Count, Message, PageQuery
from observatory.api.shapes import queues as shapes
from observatory.feedback import judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.runs import search
from observatory.workspaces.models import User

MAX_ADDED = 10_000
STATUSES = {"needs_my_review", "needs_others_review", "completed"}


def _items(
    queue: AnnotationQueue, status: str | None, is_archived: bool | None, person: User | None
) -> QuerySet[QueueItem]:
    """Return the items of `queue` in the order in which reviewers get them."""
    if status is not None and status not in STATUSES:
        raise Unprocessable(f"status: must be one of {', '.join(sorted(STATUSES))}")
    found = QueueItem.objects.filter(queue=queue).exclude(state=QueueItem.State.REMOVED)
    if status == "completed" or is_archived:
        found = found.filter(state=QueueItem.State.COMPLETED)
    elif status is not None or is_archived is False:
        found = found.filter(state=QueueItem.State.OPEN)
    if status in {"needs_my_review", "needs_others_review"}:
        mine = Q(
            pk__in=Review.objects.filter(queue=queue, reviewer=person, retracted_at=None).values(
                "item_id"
            )
        )
        found = found.filter(mine if status == "needs_others_review" else ~mine)
    return found.order_by("-priority", "id")


def _entry(item: QueueItem, queue: AnnotationQueue) -> dict[str, Any]:
    """Return an item as POST .../runs answers it."""
    return {
        "id": item.uuid,
        "queue_id": queue.uuid,
        "run_id": item.run_id,
        "added_at": item.added_at,
        "last_reviewed_time": item.last_reviewed_at,
        "source_proposed_example_id": (item.extra or {}).get("source_proposed_example_id"),
    }


def _pending(item: QueueItem) -> dict[str, Any]:
    """Return what stands for a run that has not arrived: the SDK needs a name and inputs."""
    return {
        "id": item.run_id,
        "name": "pending",
        "run_type": "chain",
        "start_time": item.added_at,
        "inputs": {},
        "outputs": None,
        "status": "pending",
        "session_id": None,
        "trace_id": item.run_id,
        "dotted_order": "",
    }


def _people(pairs: QuerySet[Any, tuple[int, UUID]]) -> dict[int, list[str]]:
    """Return item -> reviewers, each once, from (item, reviewer) pairs."""
    people: dict[int, list[str]] = {}
    for item_id, reviewer in pairs:
        names = people.setdefault(item_id, [])
        if str(reviewer) not in names:
            names.append(str(reviewer))
    return people


def queue_runs(
    view: WorkspaceView, items: Sequence[QueueItem], *, has_stats: bool
) -> list[dict[str, Any]]:
    """Return items with their runs, in four queries (five with stats) for any number."""
    selected = run_read.DEFAULT if has_stats else run_read.DEFAULT - {"feedback_stats"}
    found = search.by_ids(
        view.workspace,
        [item.run_id for item in items],
        payloads=run_read.payloads(selected),
    )
    shown_runs = run_read.runs_out(view.workspace, found.values(), selected, view.request)
    runs = {run["id"]: run for run in shown_runs}
    keys = [item.pk for item in items]
    reviewed = Review.objects.filter(item__in=keys, retracted_at=None).order_by("pk")
    completed_by = _people(reviewed.values_list("item_id", "reviewer__uuid"))
    held = Seat.objects.filter(
        item__in=keys, is_taken=False, reviewer__isnull=False, expires_at__gt=timezone.now()
    ).order_by("pk")
    reserved_by = _people(held.values_list("item_id", "reviewer__uuid"))
    return [
        {
            **(runs.get(item.run_id) or _pending(item)),
            "queue_run_id": item.uuid,
            "added_at": item.added_at,
            "effective_added_at": item.added_at,
            "last_reviewed_time": item.last_reviewed_at,
            "completed_by": completed_by.get(item.pk, []),
            "reserved_by": reserved_by.get(item.pk, []),
            "source_proposed_example_id": (item.extra or {}).get("source_proposed_example_id"),
        }
        for item in items
    ]


def _wanted(body: Any) -> dict[UUID, str | None]:
    """Return run id -> proposed example of a bare array of ids or of objects with `run_id`."""
    if not isinstance(body, list):
        raise InvalidFeedback("runs", "must be an array of run ids or of objects with a run_id")
    if len(body) > MAX_ADDED:
        raise InvalidFeedback("runs", f"more than {MAX_ADDED} at once")
    wanted: dict[UUID, str | None] = {}
    for place, entry in enumerate(body):
        raw, proposed = entry, None
        if isinstance(entry, dict):
            raw = entry.get("run_id")
            uuid = judgement.parse_uuid(
                f"runs.{place}.source_proposed_example_id", entry.get("source_proposed_example_id")
            )
            proposed = str(uuid) if uuid else None
        run_id = judgement.parse_uuid(f"runs.{place}", raw)
        if run_id is None:
            raise InvalidFeedback(f"runs.{place}", "is not a UUID")
        wanted[run_id] = proposed
    return wanted


class AnnotationQueueRunsByKey(WorkspaceView):
    """POST .../runs/by-key (add_runs_to_annotation_queue, runs=). The run's id is enough."""

    @describe(body=list[shapes.QueueRunCreate | UUID], answer=list[shapes.QueueEntry])
    def post(self, request: Request, queue_id: str) -> Response:
        """Add runs, each once. A run that has not arrived yet waits as a pending item."""
        queue = find(self.workspace, queue_id)
        try:
            wanted = _wanted(request.data)
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        added = queues.add_runs(
            queue, wanted, source=QueueItem.Source.API, now=timezone.now(), added_by=me(self)
        )
        proposed = [item for item in added if wanted[item.run_id] and item.extra is None]
        for item in proposed:
            item.extra = {"source_proposed_example_id": wanted[item.run_id]}
        QueueItem.objects.bulk_update(proposed, ["extra"])
        return Response([_entry(item, queue) for item in added])


class AnnotationQueueRuns(AnnotationQueueRunsByKey):
    """GET (list_runs_from_annotation_queue) and POST (add_runs_to_annotation_queue) .../runs."""

    @describe(query=shapes.QueueRunQuery, answer=list[shapes.QueueRun])
    def get(self, request: Request, queue_id: str) -> Response:
        found = _items(
            find(self.workspace, queue_id),
            parameters.one(request, "status"),
            parameters.flag(request, "archived"),
            me(self),
        )
        has_stats = parameters.flag(request, "include_stats") is True
        items = list(found[parameters.window(request)])
        return Response(queue_runs(self, items, has_stats=has_stats))


class AnnotationQueueRun(WorkspaceView):
    """DELETE .../runs/{x}: Python sends the run's id, JavaScript the item's. Either removes it."""

    @describe(answer=Message)
    def delete(self, request: Request, queue_id: str, run_or_item: str) -> Response:
        queue = find(self.workspace, queue_id)
        uuid = uuid_or_404(run_or_item)
        item = QueueItem.objects.filter(Q(run_id=uuid) | Q(uuid=uuid), queue=queue).first()
        if item is None:
            raise NotFound("Run not found in this annotation queue")
        queues.remove(item, timezone.now())
        return Response({"message": "Run removed"})


class AnnotationQueueRunAt(WorkspaceView):
    """GET .../run/{index}: the caller's open items, counted from 0."""

    @describe(answer=shapes.QueueRun)
    def get(self, request: Request, queue_id: str, index: str) -> Response:
        queue = find(self.workspace, queue_id)
        if not (index.isascii() and index.isdigit() and len(index) <= 9):
            raise NotFound("Run not found in this annotation queue")
        found = _items(queue, "needs_my_review", None, me(self))
        items = list(found[int(index) : int(index) + 1])
        if not items:
            raise NotFound("Run not found in this annotation queue")
        return Response(queue_runs(self, items, has_stats=False)[0])


class AnnotationQueueSize(WorkspaceView):
    """GET .../size?status, .../total_size and .../total_archived: how many items."""

    @describe(query=shapes.QueueSizeQuery, answer=Count)
    def get(self, request: Request, queue_id: str, which: str) -> Response:
        queue = find(self.workspace, queue_id)
        status = parameters.one(request, "status") if which == "size" else None
        is_archived = {"size": None if status else False, "total_archived": True}.get(which)
        found = _items(queue, status, is_archived, me(self))
        if since := parameters.moment(request, "start_time"):
            found = found.filter(completed_at__gte=since)
        if until := parameters.moment(request, "end_time"):
            found = found.filter(completed_at__lte=until)
        return Response({"size": found.count()})


class QueuesOfRun(WorkspaceView):
    """GET /annotation-queues/{run_id}/queues: the queues that hold a run."""

    @describe(query=PageQuery, answer=list[shapes.Queue])
    def get(self, request: Request, run_id: str) -> Response:
        holding = QueueItem.objects.filter(
            workspace=self.workspace, run_id=uuid_or_404(run_id)
        ).exclude(state=QueueItem.State.REMOVED)
        found = readable(self.workspace).filter(pk__in=holding.values("queue_id"))
        page = found.order_by("name", "id")[parameters.window(request)]
        return Response([shown(queue, self.workspace) for queue in page])
