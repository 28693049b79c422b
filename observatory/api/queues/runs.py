"""/annotation-queues/{id}/runs: the open and completed runs of a queue, and adding runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.models import AnnotationQueue, QueueItem, Review, Seat
from annotations.queues import item_subjects, queue_items, queue_sections
from annotations.queues.queue_sections import Section
from observatory.api.kit import streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.bodies import PageQuery
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Count, Message
from observatory.api.queues import schemas as shapes
from observatory.api.queues.base import QueueView, counted_queues, reviewer_of
from observatory.api.queues.queues import shown
from observatory.api.runs import read as run_read
from observatory.runs import search, sizes
from observatory.runs.paging import chunks

UNKNOWN_RUN = "Run not found in this annotation queue"


def _section(view: QueueView, status: str | None) -> Section:
    """Return the part of the queue that a wire status names, as the caller sees it."""
    return queue_sections.section(view.queue, status, reviewer_of(view))


def _part(view: QueueView, query: shapes.QueueRunQuery) -> Section:
    """Return what `status` and `archived` name; `archived=true` is completed."""
    if query.status is None and query.archived is False:
        return Section([QueueItem.objects.filter(queue=view.queue, state=QueueItem.State.OPEN)])
    return _section(view, queue_sections.DONE if query.archived else query.status)


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


def _pending(item: QueueItem, run_id: UUID) -> dict[str, Any]:
    """Return a placeholder for a run that has not arrived: the SDK needs a name and inputs."""
    return {
        "id": run_id,
        "name": "pending",
        "run_type": "chain",
        "start_time": item.added_at,
        "inputs": {},
        "outputs": None,
        "status": "pending",
        "session_id": item.project_uuid,
        "trace_id": run_id,
        "dotted_order": "",
        "app_path": "",
    }


def _people(pairs: QuerySet[Any, tuple[int, UUID]]) -> dict[int, list[str]]:
    """Return item -> reviewers, each once, from (item, reviewer) pairs."""
    people: dict[int, list[str]] = {}
    for item_id, reviewer in pairs:
        names = people.setdefault(item_id, [])
        if str(reviewer) not in names:
            names.append(str(reviewer))
    return people


def completed_by(items: Sequence[QueueItem]) -> dict[int, list[str]]:
    """Return item -> ids of the people whose reviews of it stand."""
    keys = [item.pk for item in items]
    reviewed = Review.objects.filter(item__in=keys, retracted_at=None).order_by("pk")
    return _people(reviewed.values_list("item_id", "reviewer__uuid"))


def reserved_by(items: Sequence[QueueItem]) -> dict[int, list[str]]:
    """Return item -> ids of the people who hold it now."""
    held = Seat.objects.filter(
        item__in=[item.pk for item in items],
        is_taken=False,
        reviewer__isnull=False,
        expires_at__gt=timezone.now(),
    ).order_by("pk")
    return _people(held.values_list("item_id", "reviewer__uuid"))


def effective_added_at(item: QueueItem) -> datetime:
    """Return when the caller put the item at the end of their order, else when it was added."""
    return getattr(item, "requeued_at", None) or item.added_at


def _runs(view: QueueView, items: Sequence[QueueItem], *, has_stats: bool) -> list[dict[str, Any]]:
    """Return items with their runs, in a fixed number of queries.

    A thread comes as its newest root run, a pair as the run shown as A with the other's id.
    """
    selected = run_read.DEFAULT if has_stats else run_read.DEFAULT - {"feedback_stats"}
    ids = item_subjects.shown_runs(view.workspace.pk, items)
    stored_runs = search.by_ids(
        view.workspace,
        [run_id for run_ids in ids.values() for run_id in run_ids[:1]],
        payloads=run_read.payloads(selected),
    )
    shown_runs = run_read.runs_out(
        view.workspace, stored_runs.values(), selected, view.request, grant=view.caller.grant
    )
    runs = {run["id"]: run for run in shown_runs}
    completed, reserved = completed_by(items), reserved_by(items)
    rows = []
    for item in items:
        first, *other = ids.get(item.pk, [item.run_id])
        row = {
            **(runs.get(first) or _pending(item, first)),
            "queue_run_id": item.uuid,
            "item_type": item.item_type.upper(),
            "added_at": item.added_at,
            "effective_added_at": effective_added_at(item),
            "last_reviewed_time": item.last_reviewed_at,
            "completed_by": completed.get(item.pk, []),
            "reserved_by": reserved.get(item.pk, []),
            "source_proposed_example_id": (item.extra or {}).get("source_proposed_example_id"),
        }
        if item.item_type == QueueItem.ItemType.THREAD:
            row["thread_id"] = item.thread_id
        if other:
            row["paired_run_id"] = other[0]
        rows.append(row)
    return rows


def _chunked(view: QueueView, items: Sequence[QueueItem]) -> Iterator[list[QueueItem]]:
    """Yield items in order, as many at once as have small runs together."""
    ids = item_subjects.shown_runs(view.workspace.pk, items)
    shown_ids = [ids.get(item.pk, [item.run_id])[0] for item in items]
    sized = sizes.of_runs(view.workspace.pk, shown_ids, run_read.payloads(run_read.DEFAULT))
    return chunks((item, size) for item, (_, size) in zip(items, sized, strict=True))


def add_runs(view: QueueView, examples: Mapping[UUID, UUID | None]) -> list[QueueItem]:
    """Add the runs that are the keys, each once, with their proposed examples.

    Raises 422 for a pairwise queue.
    """
    if view.queue.queue_type == AnnotationQueue.QueueType.PAIRWISE:
        raise Unprocessable("queue_id: a pairwise queue is filled from experiments, by populate")
    items = queue_items.add_runs(
        view.queue,
        examples,
        source=QueueItem.Source.API,
        now=timezone.now(),
        added_by=reviewer_of(view),
    )
    proposed = [item for item in items if examples[item.run_id] and item.extra is None]
    for item in proposed:
        item.extra = {"source_proposed_example_id": str(examples[item.run_id])}
    QueueItem.objects.bulk_update(proposed, ["extra"])
    return items


class AnnotationQueueRunsByKey(QueueView):
    """POST .../runs/by-key (add_runs_to_annotation_queue, runs=). The run's id is enough."""

    @endpoint(body=shapes.QueueRunsCreate, answer=list[shapes.QueueEntry])
    def post(
        self, request: Request, queue_id: str, body: list[UUID | shapes.QueueRunCreate]
    ) -> Response:
        """Add runs, each once. A run that has not arrived yet waits as a pending item."""
        examples: dict[UUID, UUID | None] = {}
        for run in body:
            if isinstance(run, UUID):
                examples[run] = None
            else:
                examples[run.run_id] = run.source_proposed_example_id
        return Response([_entry(item, self.queue) for item in add_runs(self, examples)])


class AnnotationQueueRuns(AnnotationQueueRunsByKey):
    """GET (list_runs_from_annotation_queue) and POST (add_runs_to_annotation_queue) .../runs."""

    @endpoint(query=shapes.QueueRunQuery, answer=list[shapes.QueueRun])
    def get(self, request: Request, queue_id: str, query: shapes.QueueRunQuery) -> HttpResponseBase:
        items = _part(self, query).page(query.window.start, query.window.stop)
        rows = (
            row
            for chunk in _chunked(self, items)
            for row in _runs(self, chunk, has_stats=query.include_stats)
        )
        return streamed.answer(streamed.array(rows))


class AnnotationQueueRun(QueueView):
    """PATCH and DELETE .../runs/{x}: Python deletes by the run's id, JavaScript by the item's."""

    item: QueueItem

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        uuid = uuid_or_404(kwargs["run_or_item"])
        item = QueueItem.objects.filter(Q(run_id=uuid) | Q(uuid=uuid), queue=self.queue).first()
        if item is None:
            raise NotFound(UNKNOWN_RUN)
        self.item = item

    @endpoint(body=shapes.ItemTimes, answer=shapes.QueueEntry)
    def patch(
        self, request: Request, queue_id: str, run_or_item: str, body: shapes.ItemTimes
    ) -> Response:
        """Set when the item was added and last reviewed; what is null or absent stays."""
        set_times(self.item, body)
        return Response(_entry(self.item, self.queue))

    @endpoint(answer=Message)
    def delete(self, request: Request, queue_id: str, run_or_item: str) -> Response:
        queue_items.remove(self.item, timezone.now())
        return Response({"message": "Run removed"})


def set_times(item: QueueItem, times: shapes.ItemTimes) -> None:
    """Store when an item was added and last reviewed; null leaves a time alone."""
    fields = {"added_at": times.added_at, "last_reviewed_at": times.last_reviewed_time}
    changes = {name: time for name, time in fields.items() if time is not None}
    for name, time in changes.items():
        setattr(item, name, time)
    if changes:
        item.save(update_fields=list(changes))


class AnnotationQueueRunsDelete(QueueView):
    """POST .../runs/delete: runs by id (or their items'), or all but some."""

    @endpoint(body=shapes.RunsDelete, answer=Message)
    def post(self, request: Request, queue_id: str, body: shapes.RunsDelete) -> Response:
        items = QueueItem.objects.filter(queue=self.queue).exclude(state=QueueItem.State.REMOVED)
        if body.delete_all:
            kept = body.exclude_run_ids or []
            items = items.exclude(Q(run_id__in=kept) | Q(uuid__in=kept))
        else:
            run_ids = body.run_ids or []
            items = items.filter(Q(run_id__in=run_ids) | Q(uuid__in=run_ids))
        item_ids = list(items.values_list("pk", flat=True))
        n_removed = queue_items.remove_many(self.queue, item_ids, now=timezone.now())
        return Response({"message": f"{n_removed} runs removed"})


class AnnotationQueueRunAt(QueueView):
    """GET .../run/{index}: the caller's open items, counted from 0."""

    @endpoint(answer=shapes.QueueRun)
    def get(self, request: Request, queue_id: str, index: str) -> Response:
        if not (index.isascii() and index.isdigit() and len(index) <= 9):
            raise NotFound(UNKNOWN_RUN)
        items = _section(self, queue_sections.MINE).page(int(index), int(index) + 1)
        if not items:
            raise NotFound(UNKNOWN_RUN)
        return Response(_runs(self, items, has_stats=False)[0])


class AnnotationQueueSize(QueueView):
    """GET .../size?status, .../total_size and .../total_archived: how many items."""

    @endpoint(query=shapes.QueueSizeQuery, answer=Count)
    def get(
        self, request: Request, queue_id: str, which: str, query: shapes.QueueSizeQuery
    ) -> Response:
        items = QueueItem.objects.filter(queue=self.queue)
        if which == "total_archived":
            completed = items.filter(state=QueueItem.State.COMPLETED)
            if query.start_time is not None:
                completed = completed.filter(completed_at__gte=query.start_time)
            if query.end_time is not None:
                completed = completed.filter(completed_at__lte=query.end_time)
            return Response({"size": completed.count()})
        if which == "total_size":
            return Response({"size": _section(self, None).count()})
        if query.status is None:
            return Response({"size": items.filter(state=QueueItem.State.OPEN).count()})
        return Response({"size": _section(self, query.status).count()})


class QueuesOfRun(WorkspaceView):
    """GET /annotation-queues/{run_id}/queues: the queues that hold a run."""

    @endpoint(query=PageQuery, answer=list[shapes.Queue])
    def get(self, request: Request, run_id: str, query: PageQuery) -> Response:
        uuid = uuid_or_404(run_id)
        items = QueueItem.objects.filter(
            Q(run_id=uuid) | Q(first_run_id=uuid) | Q(second_run_id=uuid),
            workspace=self.workspace,
        ).exclude(state=QueueItem.State.REMOVED)
        queues = counted_queues(self.workspace).filter(pk__in=items.values("queue_id"))
        page = queues.order_by("name", "id")[query.window]
        return Response([shown(queue, self.workspace) for queue in page])
