"""/annotation-queues/{id}/runs: what waits in a queue, what is done, and putting runs in."""

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
from observatory.api.kit import parameters, streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Count, Message, PageQuery
from observatory.api.queues import schemas as shapes
from observatory.api.queues.queues import find, me, readable, shown
from observatory.api.queues.rubric import MISSING
from observatory.api.runs import read as run_read
from observatory.feedback import judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.runs import search, sizes
from observatory.runs.paging import chunks

MAX_ADDED = 10_000
STATUSES = {queue_sections.MINE, queue_sections.OTHERS, queue_sections.DONE}


def _section(view: WorkspaceView, queue: AnnotationQueue, name: str | None) -> Section:
    """Return the part of `queue` a wire status names, as the person of the key sees it."""
    if name is not None and name not in STATUSES:
        raise Unprocessable(f"status: must be one of {', '.join(sorted(STATUSES))}")
    return queue_sections.section(queue, name, me(view))


def _part(view: WorkspaceView, queue: AnnotationQueue) -> Section:
    """Return what `status` and `archived` of the request name; `archived=true` is completed."""
    status = parameters.one(view.request, "status")
    is_archived = parameters.flag(view.request, "archived")
    if is_archived:
        status = queue_sections.DONE
    if status is None and is_archived is False:
        return Section([QueueItem.objects.filter(queue=queue, state=QueueItem.State.OPEN)])
    return _section(view, queue, status)


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
    """Return what stands for a run that has not arrived: the SDK needs a name and inputs."""
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


def queue_runs(
    view: WorkspaceView, queue: AnnotationQueue, items: Sequence[QueueItem], *, has_stats: bool
) -> list[dict[str, Any]]:
    """Return items with their runs, in a fixed number of queries.

    A thread comes as its newest root run, a pair as the run shown as A with the other's id.
    """
    selected = run_read.DEFAULT if has_stats else run_read.DEFAULT - {"feedback_stats"}
    ids = item_subjects.shown_runs(view.workspace.pk, items)
    found = search.by_ids(
        view.workspace,
        [run_id for run_ids in ids.values() for run_id in run_ids[:1]],
        payloads=run_read.payloads(selected),
    )
    shown_runs = run_read.runs_out(
        view.workspace, found.values(), selected, view.request, grant=view.caller.grant
    )
    runs = {run["id"]: run for run in shown_runs}
    done, held = completed_by(items), reserved_by(items)
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
            "completed_by": done.get(item.pk, []),
            "reserved_by": held.get(item.pk, []),
            "source_proposed_example_id": (item.extra or {}).get("source_proposed_example_id"),
        }
        if item.item_type == QueueItem.ItemType.THREAD:
            row["thread_id"] = item.thread_id
        if other:
            row["paired_run_id"] = other[0]
        rows.append(row)
    return rows


def _chunked(view: WorkspaceView, items: Sequence[QueueItem]) -> Iterator[list[QueueItem]]:
    """Yield items in order, as many at once as have small runs together."""
    ids = item_subjects.shown_runs(view.workspace.pk, items)
    shown_ids = [ids.get(item.pk, [item.run_id])[0] for item in items]
    sized = sizes.of_runs(view.workspace.pk, shown_ids, run_read.payloads(run_read.DEFAULT))
    return chunks((item, size) for item, (_, size) in zip(items, sized, strict=True))


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


def take_runs(
    view: WorkspaceView, queue: AnnotationQueue, wanted: Mapping[UUID, str | None]
) -> list[QueueItem]:
    """Add runs to a queue, each once, with their proposed examples. Raises 422 if pairwise."""
    if queue.queue_type == AnnotationQueue.QueueType.PAIRWISE:
        raise Unprocessable("queue_id: a pairwise queue is filled from experiments, by populate")
    added = queue_items.add_runs(
        queue, wanted, source=QueueItem.Source.API, now=timezone.now(), added_by=me(view)
    )
    proposed = [item for item in added if wanted[item.run_id] and item.extra is None]
    for item in proposed:
        item.extra = {"source_proposed_example_id": wanted[item.run_id]}
    QueueItem.objects.bulk_update(proposed, ["extra"])
    return added


class AnnotationQueueRunsByKey(WorkspaceView):
    """POST .../runs/by-key (add_runs_to_annotation_queue, runs=). The run's id is enough."""

    @endpoint(body=list[shapes.QueueRunCreate | UUID], answer=list[shapes.QueueEntry])
    def post(self, request: Request, queue_id: str) -> Response:
        """Add runs, each once. A run that has not arrived yet waits as a pending item."""
        queue = find(self.workspace, queue_id)
        try:
            wanted = _wanted(request.data)
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        return Response([_entry(item, queue) for item in take_runs(self, queue, wanted)])


class AnnotationQueueRuns(AnnotationQueueRunsByKey):
    """GET (list_runs_from_annotation_queue) and POST (add_runs_to_annotation_queue) .../runs."""

    @endpoint(query=shapes.QueueRunQuery, answer=list[shapes.QueueRun])
    def get(self, request: Request, queue_id: str) -> HttpResponseBase:
        queue = find(self.workspace, queue_id)
        rows = parameters.window(request)
        items = _part(self, queue).page(rows.start, rows.stop)
        has_stats = parameters.flag(request, "include_stats") is True
        listed = (
            row
            for part in _chunked(self, items)
            for row in queue_runs(self, queue, part, has_stats=has_stats)
        )
        return streamed.answer(streamed.array(listed))


class AnnotationQueueRun(WorkspaceView):
    """PATCH and DELETE .../runs/{x}: Python deletes by the run's id, JavaScript by the item's."""

    def _item(self, queue_id: str, run_or_item: str) -> QueueItem:
        queue = find(self.workspace, queue_id)
        uuid = uuid_or_404(run_or_item)
        item = QueueItem.objects.filter(Q(run_id=uuid) | Q(uuid=uuid), queue=queue).first()
        if item is None:
            raise NotFound("Run not found in this annotation queue")
        return item

    @endpoint(body=shapes.ItemTimes, answer=shapes.QueueEntry)
    def patch(self, request: Request, queue_id: str, run_or_item: str) -> Response:
        """Set when the item was added and last reviewed; what is null or absent stays."""
        item = self._item(queue_id, run_or_item)
        set_times(item, request.data)
        return Response(_entry(item, item.queue))

    @endpoint(answer=Message)
    def delete(self, request: Request, queue_id: str, run_or_item: str) -> Response:
        queue_items.remove(self._item(queue_id, run_or_item), timezone.now())
        return Response({"message": "Run removed"})


def set_times(item: QueueItem, body: Any) -> None:
    """Store `added_at` and `last_reviewed_time` of a body. Raises 422 for what is no time."""
    if not isinstance(body, dict):
        raise Unprocessable("The body must be an object")
    names = {"added_at": "added_at", "last_reviewed_time": "last_reviewed_at"}
    changed = []
    for sent, field in names.items():
        if body.get(sent) not in (None, MISSING):
            try:
                setattr(item, field, judgement.parse_time(sent, body[sent]))
            except InvalidFeedback as error:
                raise Unprocessable(str(error)) from None
            changed.append(field)
    if changed:
        item.save(update_fields=changed)


class AnnotationQueueRunsDelete(WorkspaceView):
    """POST .../runs/delete: runs by id (or their items'), or all but some."""

    @endpoint(body=shapes.RunsDelete, answer=Message)
    def post(self, request: Request, queue_id: str) -> Response:
        queue = find(self.workspace, queue_id)
        body = request.data if isinstance(request.data, dict) else {}
        standing = QueueItem.objects.filter(queue=queue).exclude(state=QueueItem.State.REMOVED)
        if body.get("delete_all") is True:
            spared = ids_of(body, "exclude_run_ids")
            standing = standing.exclude(Q(run_id__in=spared) | Q(uuid__in=spared))
        else:
            wanted = ids_of(body, "run_ids")
            standing = standing.filter(Q(run_id__in=wanted) | Q(uuid__in=wanted))
        ids = list(standing.values_list("pk", flat=True))
        n = queue_items.remove_many(queue, ids, now=timezone.now())
        return Response({"message": f"{n} runs removed"})


def ids_of(body: Mapping[str, Any], name: str) -> list[UUID]:
    """Return a body's array of ids, empty if absent. Raises 422."""
    given = body.get(name)
    if given in (None, MISSING):
        return []
    if not isinstance(given, list) or len(given) > MAX_ADDED:
        raise Unprocessable(f"{name}: must be an array of at most {MAX_ADDED} ids")
    found = []
    for place, raw in enumerate(given):
        uuid = parameters.sent_uuid({f"{name}.{place}": raw}, f"{name}.{place}")
        if uuid is not None:
            found.append(uuid)
    return found


class AnnotationQueueRunAt(WorkspaceView):
    """GET .../run/{index}: the caller's open items, counted from 0."""

    @endpoint(answer=shapes.QueueRun)
    def get(self, request: Request, queue_id: str, index: str) -> Response:
        queue = find(self.workspace, queue_id)
        if not (index.isascii() and index.isdigit() and len(index) <= 9):
            raise NotFound("Run not found in this annotation queue")
        items = _section(self, queue, queue_sections.MINE).page(int(index), int(index) + 1)
        if not items:
            raise NotFound("Run not found in this annotation queue")
        return Response(queue_runs(self, queue, items, has_stats=False)[0])


class AnnotationQueueSize(WorkspaceView):
    """GET .../size?status, .../total_size and .../total_archived: how many items."""

    @endpoint(query=shapes.QueueSizeQuery, answer=Count)
    def get(self, request: Request, queue_id: str, which: str) -> Response:
        queue = find(self.workspace, queue_id)
        if which == "total_archived":
            done = QueueItem.objects.filter(queue=queue, state=QueueItem.State.COMPLETED)
            if since := parameters.moment(request, "start_time"):
                done = done.filter(completed_at__gte=since)
            if until := parameters.moment(request, "end_time"):
                done = done.filter(completed_at__lte=until)
            return Response({"size": done.count()})
        status = parameters.one(request, "status") if which == "size" else None
        if which == "size" and status is None:
            n = QueueItem.objects.filter(queue=queue, state=QueueItem.State.OPEN).count()
            return Response({"size": n})
        return Response({"size": _section(self, queue, status).count()})


class QueuesOfRun(WorkspaceView):
    """GET /annotation-queues/{run_id}/queues: the queues that hold a run."""

    @endpoint(query=PageQuery, answer=list[shapes.Queue])
    def get(self, request: Request, run_id: str) -> Response:
        uuid = uuid_or_404(run_id)
        holding = QueueItem.objects.filter(
            Q(run_id=uuid) | Q(first_run_id=uuid) | Q(second_run_id=uuid),
            workspace=self.workspace,
        ).exclude(state=QueueItem.State.REMOVED)
        found = readable(self.workspace).filter(pk__in=holding.values("queue_id"))
        page = found.order_by("name", "id")[parameters.window(request)]
        return Response([shown(queue, self.workspace) for queue in page])
