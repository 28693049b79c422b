"""/platform/annotation-queues: items of a queue, runs and threads; and filling it by experiment."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
from datasets_app import experiments
from observatory import exact
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import Error, endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.api.queues import experiments as queue_experiments
from observatory.api.queues import schemas as shapes
from observatory.api.queues.queues import find, me, readable
from observatory.api.queues.rubric import MISSING
from observatory.api.queues.runs import (
    MAX_ADDED,
    completed_by,
    effective_added_at,
    ids_of,
    reserved_by,
    set_times,
    take_runs,
)
from observatory.feedback import judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.runs.ops import MAX_THREAD_ID
from observatory.wire_values import clean_text
from observatory.workspaces.models import User

SECTIONS = {
    "needs_my_review": queue_sections.MINE,
    "needs_others_review": queue_sections.OTHERS,
    "archived": queue_sections.DONE,
}
NAMES = {part: name for name, part in SECTIONS.items()}
TYPES = {"RUN": QueueItem.ItemType.RUN, "THREAD": QueueItem.ItemType.THREAD}
MAX_PAGE = 100
NEVER = datetime(1, 1, 1, tzinfo=UTC)  # "the zero time", which bounds nothing


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else exact.timestamp(moment)


def _sent_start(item: QueueItem) -> str | None:
    sent = (item.extra or {}).get("start_time")
    return exact.timestamp(datetime.fromisoformat(sent)) if isinstance(sent, str) else None


def shown(item: QueueItem, queue: AnnotationQueue, run: UUID | None) -> dict[str, Any]:
    """Return an item as the platform shows it, without who has done what."""
    started_at = _time(getattr(item, "started_at", None)) or _sent_start(item)
    is_thread = item.item_type == QueueItem.ItemType.THREAD
    return {
        "id": item.uuid,
        "queue_id": queue.uuid,
        # A pair is shown as its first run; the wire has no type for it.
        "item_type": "THREAD" if is_thread else "RUN",
        "run_id": None if is_thread else run,
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
    runs = item_subjects.shown_runs(view.workspace.pk, [i for i in items if not i.thread_id])
    return [shown(item, queue, runs.get(item.pk, [None])[0]) for item in items]


# Cursors ----------------------------------------------------------------------------------------


def _cursor(name: str, place: Place) -> str:
    """Return a place in a section as text that a client hands back."""
    key = place.key.isoformat() if isinstance(place.key, datetime) else place.key
    told = exact.dumps([name, place.phase, key, place.item_id, place.is_inside])
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def _place(text: str | None, name: str) -> Place | None:
    """Read a cursor of the section `name`. Raises 422 for another's and for anything else."""
    if text is None:
        return None
    try:
        told = exact.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        of, phase, key, item_id, is_inside = told
        if of != name or phase not in {0, 1} or not 0 <= int(item_id) < 2**63:
            raise ValueError
        key = datetime.fromisoformat(key) if phase else int(key)
        return Place(phase, key, int(item_id), bool(is_inside))
    except (binascii.Error, ValueError, TypeError, exact.NotJSON, OverflowError):
        raise Unprocessable("cursor: is not a cursor of this list") from None


# Lists and counts -------------------------------------------------------------------------------


def _condition(request: Request) -> Q | None:
    """Return what `item_type` and the two bounds of the trace's start ask for; None: nothing."""
    asked = Q()
    if (item_type := parameters.one(request, "item_type")) is not None:
        if item_type not in TYPES:
            raise Unprocessable("item_type: must be RUN or THREAD")
        is_thread = Q(item_type=QueueItem.ItemType.THREAD)
        asked &= is_thread if item_type == "THREAD" else ~is_thread
    for name, lookup in (("min_start_time", "gte"), ("max_start_time", "lte")):
        if (parameters.one(request, name) or "").startswith("0001-01-01"):
            continue
        if (bound := parameters.moment(request, name)) is not None:
            asked &= Q(**{f"started_at__{lookup}": bound})
    return asked or None


def _without_agreement(request: Request) -> None:
    for name in ("agreement", "has_unresolved_keys"):
        if parameters.one(request, name) is not None:
            raise Unprocessable(f"{name}: agreement is not a filter of items here")


def _status(request: Request, known: Mapping[str, Any]) -> str:
    status = parameters.one(request, "status")
    if status is None or status not in known:
        raise Unprocessable(f"status: must be one of {', '.join(sorted(known))}")
    return status


class QueueItems(WorkspaceView):
    """GET and POST /platform/annotation-queues/{id}/items: a section by cursor; adding."""

    @endpoint(query=shapes.ItemQuery, answer=shapes.ItemPage)
    def get(self, request: Request, queue_id: str) -> Response:
        queue = find(self.workspace, queue_id)
        _without_agreement(request)
        name = _status(request, SECTIONS)
        direction = parameters.one(request, "direction") or "forward"
        if direction not in {"forward", "backward"}:
            raise Unprocessable("direction: must be forward or backward")
        n = parameters.number(request, "page_size", 20, 1, MAX_PAGE)
        place = _place(parameters.one(request, "cursor"), name)
        part = queue_sections.section(queue, SECTIONS[name], me(self), _condition(request))
        if place is not None and place.phase >= len(part.phases):
            raise Unprocessable("cursor: is not a cursor of this list")
        if direction == "forward":
            found = part.after(place, n + 1)
            page, edge = found[:n], found[n - 1 : n]
        elif place is None:
            raise Unprocessable("cursor: is needed to go backward")
        else:
            found = part.before(place, n + 1)
            page, edge = found[-n:], found[-n : len(found) - n + 1]
        more = len(found) > n
        return Response(
            {
                "items": self._listed(queue, page),
                "next_cursor": _cursor(name, queue_sections.place_of(edge[0])) if more else None,
            }
        )

    def _listed(self, queue: AnnotationQueue, page: Sequence[QueueItem]) -> list[dict[str, Any]]:
        started = dict(
            queue_sections.started(
                QueueItem.objects.filter(pk__in=[item.pk for item in page]), queue
            )
        )
        done, held = completed_by(page), reserved_by(page)
        rows = _all_shown(self, queue, page)
        for item, row in zip(page, rows, strict=True):
            row |= {
                "start_time": _time(started.get(item.pk)) or _sent_start(item),
                "effective_added_at": _time(effective_added_at(item)),
                "completed_by": done.get(item.pk, []),
                "reserved_by": held.get(item.pk, []),
            }
        return rows

    @endpoint(body=shapes.ItemsCreate, answer=shapes.ItemsCreated)
    @transaction.atomic
    def post(self, request: Request, queue_id: str) -> Response:
        """Add runs and threads, each once; all of them or, for one that cannot be read, none."""
        queue = find(self.workspace, queue_id)
        body = request.data if isinstance(request.data, dict) else {}
        given = body.get("items")
        if not isinstance(given, list) or len(given) > MAX_ADDED:
            raise Unprocessable(f"items: must be an array of at most {MAX_ADDED}")
        try:
            wanted = [_subject(f"items.{place}", one) for place, one in enumerate(given)]
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        runs = {subject: proposed for subject, proposed in wanted if isinstance(subject, UUID)}
        threads = [one for one, _ in wanted if isinstance(one, item_subjects.Thread)]
        items = {item.run_id: item for item in take_runs(self, queue, runs)}
        added = item_subjects.add(
            queue,
            threads,
            source=QueueItem.Source.API,
            now=timezone.now(),
            added_by=me(self),
        )
        items |= {item.run_id: item for item in added}
        order = [one if isinstance(one, UUID) else one.run_id for one, _ in wanted]
        rows = [items[run_id] for run_id in dict.fromkeys(order)]
        return Response({"items": _all_shown(self, queue, rows)})


def _subject(field: str, raw: Any) -> tuple[UUID | item_subjects.Thread, str | None]:
    """Return the run or the thread an item names, and its proposed example."""
    if not isinstance(raw, Mapping):
        raise InvalidFeedback(field, "must be an object")
    given = {name: one for name, one in raw.items() if one != MISSING}
    proposed = judgement.parse_uuid(
        f"{field}.source_proposed_example_id", given.get("source_proposed_example_id")
    )
    started_at = judgement.parse_time(f"{field}.start_time", given.get("start_time"))
    item_type = given.get("item_type") or "RUN"
    if item_type == "RUN":
        run_id = judgement.parse_uuid(f"{field}.run_id", given.get("run_id"))
        if run_id is None:
            raise InvalidFeedback(f"{field}.run_id", "is missing")
        return run_id, str(proposed) if proposed else None
    if item_type != "THREAD":
        raise InvalidFeedback(f"{field}.item_type", "must be RUN or THREAD")
    thread = given.get("thread_id")
    if not isinstance(thread, str) or not thread:
        raise InvalidFeedback(f"{field}.thread_id", "is missing")
    if len(thread) > MAX_THREAD_ID:
        raise InvalidFeedback(f"{field}.thread_id", f"longer than {MAX_THREAD_ID} characters")
    project = judgement.parse_uuid(
        f"{field}.project_id", given.get("project_id") or given.get("session_id")
    )
    if project is None:
        raise InvalidFeedback(f"{field}.project_id", "is missing")
    return item_subjects.Thread(project, clean_text(thread), started_at), None


class QueueItemCount(WorkspaceView):
    """GET .../items/count: how many items are in a section, or in all of them."""

    @endpoint(query=shapes.ItemCountQuery, answer=shapes.ItemCount)
    def get(self, request: Request, queue_id: str) -> Response:
        queue = find(self.workspace, queue_id)
        _without_agreement(request)
        known: dict[str, str | None] = {**SECTIONS, "all": None}
        name = _status(request, known)
        condition = _condition(request) or Q()
        if name == "archived":
            if since := parameters.moment(request, "start_time"):
                condition &= Q(completed_at__gt=since)
            if until := parameters.moment(request, "end_time"):
                condition &= Q(completed_at__lt=until)
        part = queue_sections.section(queue, known[name], me(self), condition or None)
        return Response({"count": part.count()})


# One item ---------------------------------------------------------------------------------------


def _item(queue: AnnotationQueue, item_id: str) -> QueueItem:
    found = (
        QueueItem.objects.filter(queue=queue, uuid=uuid_or_404(item_id))
        .exclude(state=QueueItem.State.REMOVED)
        .first()
    )
    if found is None:
        raise NotFound("Item not found in this annotation queue")
    found.queue = queue
    return found


class QueueItemDetail(WorkspaceView):
    """PATCH .../items/{item}: when it was added and last reviewed."""

    @endpoint(body=shapes.ItemTimes, answer=shapes.Item)
    def patch(self, request: Request, queue_id: str, item_id: str) -> Response:
        queue = find(self.workspace, queue_id)
        item = _item(queue, item_id)
        set_times(item, request.data)
        (row,) = _all_shown(self, queue, [item])
        return Response(row)


class QueueItemsDelete(WorkspaceView):
    """POST .../items/delete: take items out of the queue for good, open or completed."""

    @endpoint(body=shapes.ItemsDelete, answer=Message)
    def post(self, request: Request, queue_id: str) -> Response:
        queue = find(self.workspace, queue_id)
        wanted = ids_of(request.data if isinstance(request.data, dict) else {}, "item_ids")
        ids = QueueItem.objects.filter(queue=queue, uuid__in=wanted).values_list("pk", flat=True)
        n = queue_items.remove_many(queue, list(ids), now=timezone.now())
        return Response({"message": f"{n} items removed"})


class QueueItemPlacement(WorkspaceView):
    """GET .../items/{item}/placement: its section, its position there, and a cursor to it."""

    @endpoint(answer=shapes.Placement)
    def get(self, request: Request, queue_id: str, item_id: str) -> Response:
        queue = find(self.workspace, queue_id)
        item = _item(queue, item_id)
        found = queue_sections.whereabouts(queue, item, me(self))
        if found is None:  # removed meanwhile
            raise NotFound("Item not found in this annotation queue")
        part, there = found
        place = queue_sections.place_of(there, is_inside=True)
        return Response(
            {
                "item_type": "THREAD" if item.thread_id else "RUN",
                "section": NAMES[part],
                "position": queue_sections.section(queue, part, me(self)).position(place),
                "cursor": _cursor(NAMES[part], place),
            }
        )


class QueueItemFinal(WorkspaceView):
    """PUT and DELETE .../items/{item}/finals/{key}: not offered."""

    @endpoint(status=404, answer=Error)
    def put(self, request: Request, queue_id: str, item_id: str, key: str) -> Response:
        raise NotFound("Final answers of an item are not offered here")

    delete = put


# The caller's own standing ----------------------------------------------------------------------


class QueueItemStatus(WorkspaceView):
    """POST /platform/annotation-queues/items/{item}/status and /annotation-queues/status/{item}.

    `viewed` holds the item as opening it does; `completed` submits the review that the caller's
    feedback on the run makes; null shows it to them again, at the end with `override_added_at`.
    """

    @endpoint(body=shapes.ItemStatus, answer=shapes.ItemStatusSet, errors=(403, 409))
    def post(self, request: Request, item_id: str) -> Response:
        person = me(self)
        if person is None:
            raise PermissionDenied("A review status is a person's: use a key that somebody made")
        item = self._item(item_id)
        body = request.data if isinstance(request.data, dict) else {}
        status = None if body.get("status") == MISSING else body.get("status")
        # A tuple, not a set: what was sent may be unhashable.
        if status not in (None, item_status.VIEWED, item_status.COMPLETED):
            raise Unprocessable("status: must be viewed, completed or null")
        try:
            at = judgement.parse_time("override_added_at", body.get("override_added_at"))
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        self._set(item, person, status, at)
        item.refresh_from_db(fields=["state"])
        status, put_at = item_status.of(item, person, timezone.now())
        return Response(
            {
                "queue_item_id": item.uuid,
                "status": status,
                "is_archived": item.state == QueueItem.State.COMPLETED,
                "override_added_at": _time(put_at),
            }
        )

    def _item(self, item_id: str) -> QueueItem:
        found = (
            QueueItem.objects.filter(workspace=self.workspace, uuid=uuid_or_404(item_id))
            .exclude(state=QueueItem.State.REMOVED)
            .select_related("queue__workspace")
            .first()
        )
        if found is None:
            raise NotFound("Item not found")
        return found

    def _set(self, item: QueueItem, person: User, status: str | None, at: datetime | None) -> None:
        now = timezone.now()
        try:
            if status == item_status.COMPLETED:
                item_status.complete(item, person, now)
            elif status == item_status.VIEWED:
                item_status.view(item, person, now)
            else:
                item_status.show_again(item, person, now, at)
        except reviews.InvalidReview as error:
            raise Unprocessable(f"The rubric is not answered by your feedback: {error}") from None
        except Unavailable as refusal:
            if refusal.reason is Reason.NO_ACCESS:
                raise PermissionDenied("You are not a reviewer of this queue") from None
            raise Conflict(f"The item cannot be had now: {refusal.reason.value}") from None


# Experiments ------------------------------------------------------------------------------------


class QueuePopulate(WorkspaceView):
    """POST /annotation-queues/populate: add the runs (or pairs) of experiments to a queue."""

    @endpoint(body=shapes.Populate, answer=Message, errors=(404,))
    def post(self, request: Request) -> Response:
        body = request.data if isinstance(request.data, dict) else {}
        queue_id = parameters.sent_uuid(body, "queue_id")
        if queue_id is None:
            raise Unprocessable("queue_id: is missing")
        queue = readable(self.workspace).filter(uuid=queue_id).first()
        if queue is None:
            raise NotFound("Annotation queue not found")
        is_pairwise = queue.queue_type == AnnotationQueue.QueueType.PAIRWISE
        try:
            projects = queue_experiments.chosen(
                self.workspace, body.get("session_ids"), is_pairwise=is_pairwise
            )
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        n = experiments.populate(queue, projects, added_by=me(self), now=timezone.now())
        return Response({"message": f"{n} items in the queue"})
