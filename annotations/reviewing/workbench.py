"""Read the workbench in two statements: the frame around an item, and the item.

Through the ORM a page took nine, and building them cost more than running them.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from annotations.models import (
    AnnotationQueue,
    QueueItem,
    ReviewDraft,
    RoutingDecision,
    RubricItem,
    Seat,
)
from annotations.queues import item_subjects
from annotations.queues.access import IS_VISIBLE
from annotations.queues.needs_review import N_NEEDING_MINE
from annotations.queues.queue_progress import DONE_BY_ME
from annotations.reviewing.reservations import RESERVE_NEXT, reserve_parameters
from observatory import exact
from observatory.db import prepared
from observatory.db.columns import Columns
from observatory.runs.models import Run
from observatory.workspaces.models import Membership, User
from observatory.workspaces.roles import Permission, allows

N_RECENT = 10
N_PASSED = 200  # newest skips and requeues in all queues, of which those of this queue are shown
EXACT_COUNT_LIMIT = 1_000
"""Of items and reviews: above it a count may be reused, since counting grows with them."""
COUNT_REUSE_FACTOR = 50  # a reused count is valid for this many times as long as it took


_QUEUE = Columns(AnnotationQueue, "q")
_ITEM = Columns(QueueItem, "i")
_SEAT = Columns(Seat, "s")
_DRAFT = Columns(ReviewDraft, "d")
# Columns of the first tab and the editor. Other tabs are another request.
_RUN = Columns(
    Run,
    "r",
    (
        *("workspace_id", "id", "project_id", "trace_id", "parent_run_id", "name", "run_type"),
        *("error", "status", "inputs", "outputs"),
    ),
)


def _decided(text: str | None) -> list[RoutingDecision]:
    rows = exact.loads(text or "[]")
    for row in rows:
        row["decided_at"] = datetime.fromisoformat(row["decided_at"])
    return [RoutingDecision(**row) for row in rows]


def _asked(text: str | None) -> list[RubricItem]:
    return [RubricItem(**row) for row in exact.loads(text or "[]")]


# The frame --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recent:
    """An item the reviewer has reviewed, skipped or requeued. The newest is undone first.

    `kind` is "review", "skip" or "requeue"; only a review has a `uuid`. Name and opening are those
    of the run, None when it is not stored.
    """

    kind: str
    uuid: UUID | None
    item_uuid: UUID
    is_corrected: bool
    run_id: UUID
    is_stored: bool
    name: str | None
    opening: str | None


@dataclass(slots=True)
class Frame:
    """A queue for one reviewer.

    `rubric` is the rubric as its raw text: the same text, the same questions. `n_done` are the
    reviewer's standing reviews, `n_left` the items that need theirs; above EXACT_COUNT_LIMIT it may
    miss others' reviews of the last second or so. `n_at_work` are the reviewers who hold an item
    now; `shown_id` is the id of the item `showing`.
    """

    queue: AnnotationQueue
    questions: list[RubricItem]
    rubric: str
    n_done: int
    n_left: int
    n_at_work: int
    shown_id: int | None
    recent: list[Recent] = field(default_factory=list)

    def has_room(self) -> bool:
        """Whether a reviewer may hold two of the remaining items and leave enough for others."""
        return self.n_left > 2 * max(1, self.n_at_work)


_ASKED = """
(SELECT jsonb_agg(to_jsonb(a) ORDER BY a.position, a.id)::text
 FROM annotations_rubricitem a WHERE a.queue_id = q.id AND a.retired_at IS NULL)
"""
_MAY_OPEN = f"q.workspace_id = %(workspace)s AND q.uuid = %(uuid)s AND {IS_VISIBLE}"
_FRAME = f"""
SELECT {_QUEUE.sql}, {_ASKED}, {DONE_BY_ME.format(queue="q.id")},
    {{n_left}},
    (SELECT count(DISTINCT s.reviewer_id) FROM annotations_seat s
     WHERE s.queue_id = q.id AND NOT s.is_taken AND s.reviewer_id IS NOT NULL
       AND s.expires_at > %(now)s),
    (SELECT i.id FROM annotations_queueitem i WHERE i.uuid = %(showing)s AND i.queue_id = q.id),
    (SELECT jsonb_agg(jsonb_build_array(v.kind, v.uuid, i.uuid, v.is_corrected, i.run_id,
                r.id IS NOT NULL OR i.thread_id IS NOT NULL,
                coalesce('Thread ' || i.thread_id, r.name),
                left(r.inputs::text, %(n_chars)s)) ORDER BY v.at DESC)::text
     FROM ((SELECT 'review' AS kind, v.uuid, v.item_id, v.correction IS NOT NULL AS is_corrected,
                   v.submitted_at AS at
            FROM annotations_review v
            WHERE v.queue_id = q.id AND v.reviewer_id = %(me)s AND v.retracted_at IS NULL
            ORDER BY v.submitted_at DESC LIMIT {N_RECENT})
           UNION ALL
           (SELECT p.kind, NULL, p.item_id, false, p.created_at
            FROM (SELECT d.kind, d.item_id, d.created_at FROM annotations_deferral d
                  WHERE d.reviewer_id = %(me)s
                  ORDER BY d.created_at DESC LIMIT {N_PASSED}) p
            JOIN annotations_queueitem o ON o.id = p.item_id AND o.queue_id = q.id
            WHERE o.state IN ('open', 'gold') AND NOT EXISTS (
                SELECT FROM annotations_review w WHERE w.item_id = p.item_id
                AND w.reviewer_id = %(me)s AND w.retracted_at IS NULL)
            ORDER BY p.created_at DESC LIMIT {N_RECENT})
           ORDER BY at DESC LIMIT {N_RECENT}) v
     JOIN annotations_queueitem i ON i.id = v.item_id
     LEFT JOIN runs_run r ON r.workspace_id = i.workspace_id
         AND r.id = coalesce(i.first_run_id, i.run_id))
FROM annotations_annotationqueue q WHERE {_MAY_OPEN}
"""
# Two texts: one that may count is planned anew each time, because its generic plan is slow.
_COUNTING = _FRAME.format(n_left=N_NEEDING_MINE.format(queue="q.id"))
_NOT_COUNTING = _FRAME.format(n_left="NULL::bigint")


@dataclass(frozen=True, slots=True)
class _Count:
    n_done: int
    n_left: int
    until: float  # monotonic


_counts: dict[tuple[UUID, int], _Count] = {}  # by queue and membership, of this process


def _keep(key: tuple[UUID, int], count: _Count) -> None:
    if len(_counts) >= 1_000:
        _counts.clear()
    _counts[key] = count


def _who(member: Membership, queue_uuid: UUID) -> dict[str, Any]:
    return {
        "workspace": member.workspace_id,
        "me": member.user_id,
        "manages": allows(member.role, Permission.MANAGE_QUEUES),
        "uuid": queue_uuid,
    }


def frame_of(
    member: Membership,
    queue_uuid: UUID,
    now: datetime,
    *,
    showing: UUID | None = None,
    n_chars: int,
) -> Frame | None:
    """Return the frame of the queue, None when `member` may not open it (`access.visible_to`).

    `n_chars` is how much of the inputs of the last reviewed runs is read. One statement.
    """
    key = (queue_uuid, member.pk)
    counted = _counts.get(key)
    begun = time.monotonic()
    is_counting = counted is None or begun >= counted.until
    parameters = {
        **_who(member, queue_uuid),
        "now": now,
        "showing": showing,
        "n_chars": n_chars,
    }
    with prepared.cursor() as cursor:
        cursor.execute(_COUNTING if is_counting else _NOT_COUNTING, parameters)
        fetched = cursor.fetchone()
    if fetched is None:
        return None
    row = list(fetched)
    queue = _QUEUE.instance(_QUEUE.take(row))
    queue.workspace = member.workspace
    questions, n_done, n_left, n_at_work, shown_id, recent = row
    if n_left is None:
        assert counted is not None
        n_left = max(0, counted.n_left + counted.n_done - n_done)
    elif n_left + n_done > EXACT_COUNT_LIMIT:
        ended = time.monotonic()
        _keep(key, _Count(n_done, n_left, ended + COUNT_REUSE_FACTOR * (ended - begun)))
    return Frame(
        queue,
        _asked(questions),
        questions or "",
        n_done,
        n_left,
        n_at_work,
        shown_id,
        [
            Recent(
                kind,
                UUID(uuid) if uuid else None,
                UUID(item),
                is_corrected,
                UUID(run_id),
                *rest,
            )
            for kind, uuid, item, is_corrected, run_id, *rest in exact.loads(recent or "[]")
        ],
    )


# An item ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Opened:
    """An item for its reviewer. `run` has the columns of the first tab; the rest loads later."""

    item: QueueItem
    seat: Seat | None
    run: Run | None
    draft: ReviewDraft | None
    decisions: list[RoutingDecision]


# LIMIT makes the planner expect one seat, so that it does not hash whole tables.
# The function's seat comes from its own snapshot, what is joined to it from the statement's.
_OPEN = f"""
SELECT {_ITEM.sql}, {_SEAT.sql}, {_RUN.sql}, {_DRAFT.sql},
    (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.id)::text
     FROM annotations_routingdecision e WHERE e.item_id = i.id)
FROM {{source}}
LEFT JOIN runs_run r ON r.workspace_id = i.workspace_id AND r.id = i.run_id
LEFT JOIN annotations_reviewdraft d ON d.item_id = i.id AND d.reviewer_id = %(reviewer)s
"""
_OPEN_NEXT = _OPEN.format(
    source=f"({RESERVE_NEXT} LIMIT 1) s JOIN annotations_queueitem i ON i.id = s.item_id"
)
_OPEN_THIS = (
    _OPEN.format(source="annotations_queueitem i LEFT JOIN annotations_seat s ON s.id = %(seat)s")
    + " WHERE i.id = %(item)s"
)


def open_next(
    queue: AnnotationQueue, reviewer: User, now: datetime, *, exclude: Collection[int] = ()
) -> Opened | None:
    """Reserve as `reservations.reserve_next` does and return the opened item. One statement."""
    return _opened(queue, _OPEN_NEXT, reserve_parameters(queue, reviewer, now, exclude))


def open_after(frame: Frame, reviewer: User, now: datetime) -> Opened | None:
    """Reserve and open the item after the current one, so that it can be shown at once.

    None when there is no other, or when holding two would take one of the last from others. Without
    a current item, opens the next one in any case.
    """
    if frame.shown_id is None:
        return open_next(frame.queue, reviewer, now)
    if not frame.has_room():
        return None
    return open_next(frame.queue, reviewer, now, exclude=[frame.shown_id])


def open_item(item: QueueItem, reviewer: User, seat: Seat | None) -> Opened:
    """Return `item` opened under `seat`, both refreshed. One statement."""
    opened = _opened(
        item.queue,
        _OPEN_THIS,
        {"item": item.pk, "reviewer": reviewer.pk, "seat": seat.pk if seat else None},
    )
    assert opened is not None
    return opened


def _opened(queue: AnnotationQueue, sql: str, parameters: dict[str, Any]) -> Opened | None:
    with prepared.cursor() as cursor:
        cursor.execute(sql, parameters)
        fetched = cursor.fetchone()
    if fetched is None:
        return None
    row = list(fetched)
    item = _ITEM.instance(_ITEM.take(row))
    item.queue = queue
    seat, run, draft = (
        table.instance(values) if values[table.names.index("id")] is not None else None
        for table, values in ((table, table.take(row)) for table in (_SEAT, _RUN, _DRAFT))
    )
    if run is not None:
        run.workspace = queue.workspace
    return Opened(item, seat, run, draft, _decided(row[0]))


def shown(opened: Opened, *, is_whole: bool = False) -> item_subjects.Shown:
    """Return the content of the item: as it was opened, or read in full if that is not enough.

    Threads and pairs are read here, and with `is_whole` a run in all its columns.
    """
    item = opened.item
    if item.item_type == QueueItem.ItemType.RUN and not is_whole:
        return item_subjects.Shown(opened.run)
    return item_subjects.shown_of(item.queue.workspace, item)


# Submitted forms --------------------------------------------------------------------------------

_FORM = f"""
SELECT {_QUEUE.sql}, {_ITEM.sql}, r.outputs::text, {_ASKED}
FROM annotations_annotationqueue q
JOIN annotations_queueitem i ON i.queue_id = q.id AND i.uuid = %(item)s
LEFT JOIN runs_run r ON r.workspace_id = i.workspace_id AND r.id = i.run_id
WHERE {_MAY_OPEN}
"""


@dataclass(slots=True)
class Form:
    """The subject of a submitted form. `outputs` is the run's document, None: none."""

    item: QueueItem
    questions: list[RubricItem]
    outputs: str | None


def form_of(member: Membership, queue_uuid: UUID, item_uuid: UUID) -> Form | None:
    """Return the subject of a form for this item; None when `member` may not open it."""
    with prepared.cursor() as cursor:
        cursor.execute(_FORM, {**_who(member, queue_uuid), "item": item_uuid})
        fetched = cursor.fetchone()
    if fetched is None:
        return None
    row = list(fetched)
    queue = _QUEUE.instance(_QUEUE.take(row))
    queue.workspace = member.workspace
    item = _ITEM.instance(_ITEM.take(row))
    item.queue = queue
    outputs, questions = row
    return Form(item, _asked(questions), outputs)
