"""/platform/annotation-queues: the items of a queue, runs and threads, and their statuses."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import item_subjects, queue_items, queue_sections
from annotations.queues.queue_sections import Place
from annotations.reviewing import item_status, reviews
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from observatory import exact
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import Error, endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.api.queues import schemas as shapes
from observatory.api.queues.base import QueueView, reviewer_of
from observatory.api.queues.runs import (
    add_runs,
    completed_by,
    effective_added_at,
    reserved_by,
    set_times,
)
from observatory.workspaces.models import User

SECTIONS = {
    "needs_my_review": queue_sections.MINE,
    "needs_others_review": queue_sections.OTHERS,
    "archived": queue_sections.DONE,
}
NAMES = {part: name for name, part in SECTIONS.items()}
INVALID_CURSOR = "cursor: is not a cursor of this list"
UNKNOWN_ITEM = "Item not found in this annotation queue"
ALL_SECTIONS: dict[str, str | None] = {**SECTIONS, "all": None}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else exact.timestamp(moment)


def _client_start(item: QueueItem) -> str | None:
    """Return the start that the client named when it added the item."""
    start = (item.extra or {}).get("start_time")
    return exact.timestamp(datetime.fromisoformat(start)) if isinstance(start, str) else None


def shown(item: QueueItem, queue: AnnotationQueue, run_id: UUID | None) -> dict[str, Any]:
    """Return an item as the platform shows it, without its reviewers."""
    started_at = _time(getattr(item, "started_at", None)) or _client_start(item)
    is_thread = item.item_type == QueueItem.ItemType.THREAD
    return {
        "id": item.uuid,
        "queue_id": queue.uuid,
        # A pair is shown as its first run; the wire has no type for it.
        "item_type": "THREAD" if is_thread else "RUN",
        "run_id": None if is_thread else run_id,
        "thread_id": item.thread_id,
        "project_id": item.project_uuid,
        "start_time": started_at,
        "added_at": _time(item.added_at),
        "last_reviewed_time": _time(item.last_reviewed_at),
        "source_proposed_example_id": (item.extra or {}).get("source_proposed_example_id"),
    }


def _all_shown(
    view: WorkspaceView, queue: AnnotationQueue, items: Sequence[QueueItem]
) -> list[dict[str, Any]]:
    without_thread = [item for item in items if not item.thread_id]
    run_ids = item_subjects.shown_runs(view.workspace.pk, without_thread)
    return [shown(item, queue, run_ids.get(item.pk, [None])[0]) for item in items]


# Cursors ----------------------------------------------------------------------------------------


def _cursor(section: str, place: Place) -> str:
    """Return a place in a section as text that a client hands back."""
    key = place.key.isoformat() if isinstance(place.key, datetime) else place.key
    parts = exact.dumps([section, place.phase, key, place.item_id, place.is_inside])
    return base64.urlsafe_b64encode(parts).decode().rstrip("=")


def _place(cursor: str | None, section: str) -> Place | None:
    """Read a cursor of `section`. Raises 422 for that of another section and anything else."""
    if cursor is None:
        return None
    try:
        parts = exact.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        section_of_cursor, phase, key, item_id, is_inside = parts
        if section_of_cursor != section or phase not in {0, 1} or not 0 <= int(item_id) < 2**63:
            raise ValueError
        key = datetime.fromisoformat(key) if phase else int(key)
        return Place(phase, key, int(item_id), bool(is_inside))
    except (binascii.Error, ValueError, TypeError, exact.NotJSON, OverflowError):
        raise Unprocessable(INVALID_CURSOR) from None


# Lists and counts -------------------------------------------------------------------------------


def _condition(query: shapes.ItemFilter) -> Q | None:
    """Return the condition of the type and the start of the trace, None for no condition."""
    condition = Q()
    if query.item_type is not None:
        is_thread = Q(item_type=QueueItem.ItemType.THREAD)
        condition &= is_thread if query.item_type == "THREAD" else ~is_thread
    if query.min_start_time is not None:
        condition &= Q(started_at__gte=query.min_start_time)
    if query.max_start_time is not None:
        condition &= Q(started_at__lte=query.max_start_time)
    return condition or None


class QueueItems(QueueView):
    """GET and POST /platform/annotation-queues/{id}/items: a section by cursor; adding."""

    @endpoint(query=shapes.ItemQuery, answer=shapes.ItemPage)
    def get(self, request: Request, queue_id: str, query: shapes.ItemQuery) -> Response:
        page, edge = self._page(query)
        return Response(
            {
                "items": self._listed(page),
                "next_cursor": None
                if edge is None
                else _cursor(query.status, queue_sections.place_of(edge)),
            }
        )

    def _page(self, query: shapes.ItemQuery) -> tuple[Sequence[QueueItem], QueueItem | None]:
        """Return the items of a page, and that which the next page continues from, if any."""
        size, place = query.page_size, _place(query.cursor, query.status)
        section = queue_sections.section(
            self.queue, SECTIONS[query.status], reviewer_of(self), _condition(query)
        )
        if place is not None and place.phase >= len(section.phases):
            raise Unprocessable(INVALID_CURSOR)
        if query.direction == "forward":
            items = section.after(place, size + 1)
            page = items[:size]
            return page, page[-1] if len(items) > size else None
        if place is None:
            raise Unprocessable("cursor: is required to go backward")
        items = section.before(place, size + 1)
        page = items[-size:]
        return page, page[0] if len(items) > size else None

    def _listed(self, page: Sequence[QueueItem]) -> list[dict[str, Any]]:
        item_ids = [item.pk for item in page]
        starts = dict(queue_sections.started(QueueItem.objects.filter(pk__in=item_ids), self.queue))
        completed, reserved = completed_by(page), reserved_by(page)
        rows = _all_shown(self, self.queue, page)
        for item, row in zip(page, rows, strict=True):
            row |= {
                "start_time": _time(starts.get(item.pk)) or _client_start(item),
                "effective_added_at": _time(effective_added_at(item)),
                "completed_by": completed.get(item.pk, []),
                "reserved_by": reserved.get(item.pk, []),
            }
        return rows

    @endpoint(body=shapes.ItemsCreate, answer=shapes.ItemsCreated)
    @transaction.atomic
    def post(self, request: Request, queue_id: str, body: shapes.ItemsCreate) -> Response:
        """Add runs and threads, each once; all of them or, for one that cannot be read, none."""
        subjects = [_subject(item) for item in body.items]
        examples = {
            subject: item.source_proposed_example_id
            for subject, item in zip(subjects, body.items, strict=True)
            if isinstance(subject, UUID)
        }
        threads = [subject for subject in subjects if isinstance(subject, item_subjects.Thread)]
        items = {item.run_id: item for item in add_runs(self, examples)}
        added = item_subjects.add(
            self.queue,
            threads,
            source=QueueItem.Source.API,
            now=timezone.now(),
            added_by=reviewer_of(self),
        )
        items |= {item.run_id: item for item in added}
        run_ids = [subject if isinstance(subject, UUID) else subject.run_id for subject in subjects]
        rows = [items[run_id] for run_id in dict.fromkeys(run_ids)]
        return Response({"items": _all_shown(self, self.queue, rows)})


def _subject(item: shapes.ItemCreate) -> UUID | item_subjects.Thread:
    """Return the run or the thread that `item` names; which of them it must name is checked."""
    if item.item_type != "THREAD":
        assert item.run_id is not None
        return item.run_id
    assert item.project_id is not None
    assert item.thread_id is not None
    return item_subjects.Thread(item.project_id, item.thread_id, item.start_time)


class QueueItemCount(QueueView):
    """GET .../items/count: how many items are in a section, or in all of them."""

    @endpoint(query=shapes.ItemCountQuery, answer=shapes.ItemCount)
    def get(self, request: Request, queue_id: str, query: shapes.ItemCountQuery) -> Response:
        condition = _condition(query) or Q()
        if query.status == "archived":
            if query.start_time is not None:
                condition &= Q(completed_at__gt=query.start_time)
            if query.end_time is not None:
                condition &= Q(completed_at__lt=query.end_time)
        name = ALL_SECTIONS[query.status]
        section = queue_sections.section(self.queue, name, reviewer_of(self), condition or None)
        return Response({"count": section.count()})


# One item ---------------------------------------------------------------------------------------


class QueueItemView(QueueView):
    """A view of one item of a queue, found before the body is read."""

    item: QueueItem

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        item = (
            QueueItem.objects.filter(queue=self.queue, uuid=uuid_or_404(kwargs["item_id"]))
            .exclude(state=QueueItem.State.REMOVED)
            .first()
        )
        if item is None:
            raise NotFound(UNKNOWN_ITEM)
        item.queue = self.queue
        self.item = item


class QueueItemDetail(QueueItemView):
    """PATCH .../items/{item}: when it was added and last reviewed."""

    @endpoint(body=shapes.ItemTimes, answer=shapes.Item)
    def patch(
        self, request: Request, queue_id: str, item_id: str, body: shapes.ItemTimes
    ) -> Response:
        set_times(self.item, body)
        (row,) = _all_shown(self, self.queue, [self.item])
        return Response(row)


class QueueItemsDelete(QueueView):
    """POST .../items/delete: remove items from the queue for good, open or completed."""

    @endpoint(body=shapes.ItemsDelete, answer=Message)
    def post(self, request: Request, queue_id: str, body: shapes.ItemsDelete) -> Response:
        items = QueueItem.objects.filter(queue=self.queue, uuid__in=body.item_ids or [])
        item_ids = list(items.values_list("pk", flat=True))
        n_removed = queue_items.remove_many(self.queue, item_ids, now=timezone.now())
        return Response({"message": f"{n_removed} items removed"})


class QueueItemPlacement(QueueItemView):
    """GET .../items/{item}/placement: its section, its position there, and a cursor to it."""

    @endpoint(answer=shapes.Placement)
    def get(self, request: Request, queue_id: str, item_id: str) -> Response:
        reviewer = reviewer_of(self)
        whereabouts = queue_sections.whereabouts(self.queue, self.item, reviewer)
        if whereabouts is None:  # removed meanwhile
            raise NotFound(UNKNOWN_ITEM)
        part, item = whereabouts
        place = queue_sections.place_of(item, is_inside=True)
        return Response(
            {
                "item_type": "THREAD" if item.thread_id else "RUN",
                "section": NAMES[part],
                "position": queue_sections.section(self.queue, part, reviewer).position(place),
                "cursor": _cursor(NAMES[part], place),
            }
        )


class QueueItemFinal(WorkspaceView):
    """PUT and DELETE .../items/{item}/finals/{key}: not offered."""

    @endpoint(status=404, answer=Error)
    def put(self, request: Request, queue_id: str, item_id: str, key: str) -> Response:
        raise NotFound("Final answers of an item are not offered here")

    delete = put


# The caller's own status -------------------------------------------------------------------------


class QueueItemStatus(WorkspaceView):
    """POST /platform/annotation-queues/items/{item}/status and /annotation-queues/status/{item}.

    `viewed` holds the item as opening it does; `completed` submits the review that the caller's
    feedback on the run makes; null shows it to them again, at the end with `override_added_at`.
    """

    reviewer: User
    item: QueueItem

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        reviewer = reviewer_of(self)
        if reviewer is None:
            raise PermissionDenied("A status is a person's: use a key that a person created")
        item = (
            QueueItem.objects.filter(workspace=self.workspace, uuid=uuid_or_404(kwargs["item_id"]))
            .exclude(state=QueueItem.State.REMOVED)
            .select_related("queue__workspace")
            .first()
        )
        if item is None:
            raise NotFound("Item not found")
        self.reviewer, self.item = reviewer, item

    @endpoint(body=shapes.ItemStatus, answer=shapes.ItemStatusSet, errors=(403, 409))
    def post(self, request: Request, item_id: str, body: shapes.ItemStatus) -> Response:
        self._set(body)
        self.item.refresh_from_db(fields=["state"])
        status, override_added_at = item_status.of(self.item, self.reviewer, timezone.now())
        return Response(
            {
                "queue_item_id": self.item.uuid,
                "status": status,
                "is_archived": self.item.state == QueueItem.State.COMPLETED,
                "override_added_at": _time(override_added_at),
            }
        )

    def _set(self, body: shapes.ItemStatus) -> None:
        item, reviewer, now = self.item, self.reviewer, timezone.now()
        try:
            if body.status == item_status.COMPLETED:
                item_status.complete(item, reviewer, now)
            elif body.status == item_status.VIEWED:
                item_status.view(item, reviewer, now)
            else:
                item_status.show_again(item, reviewer, now, body.override_added_at)
        except reviews.InvalidReview as error:
            raise Unprocessable(f"Your feedback does not answer the rubric: {error}") from None
        except Unavailable as refusal:
            if refusal.reason is Reason.NO_ACCESS:
                raise PermissionDenied("You are not a reviewer of this queue") from None
            raise Conflict(f"The item is not available: {refusal.reason.value}") from None
