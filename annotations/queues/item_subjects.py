"""Items whose subject is not one run: a thread, or a pair of experiment runs.

Both get an id derived from their subject as the item's `run_id`, so that "once in a queue", removal
and reviews work as for a run. The runs themselves are found from the item when they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid5

from django.db import connection, transaction

from annotations import question_kinds
from annotations.models import AnnotationQueue, QueueItem, RubricItem
from annotations.question_kinds import KINDS
from annotations.queues import queue_items
from observatory import exact
from observatory.runs import listing
from observatory.runs.models import Project, Run
from observatory.workspaces.models import User, Workspace

Side = TypeVar("Side")

_THREADS = UUID("6f0c2a4e-9b7d-5a51-8c0e-2d1f6e7a9b30")  # namespaces of the derived ids
_PAIRS = UUID("b1d3c7f2-4e86-5d0a-9f6b-7c2e8a1d5f43")

TURNS = 30  # of a thread: the newest
PREFERENCE = "preference"
SCALE: list[dict[str, Any]] = [
    {"value": 1, "label": "first"},
    {"value": 0.5, "label": "tie"},
    {"value": 0, "label": "second"},
]
"""What every question of a pairwise queue but free text is answered on, as seen from the first
run: the order on the screen is drawn at random and means nothing across items."""


def preferences(rubric: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the questions of a pairwise queue: all but free text ask which run is better.

    Without any question there is one, PREFERENCE, which is required.
    """
    which = {"feedback_key": PREFERENCE, "title": "Which is better?", "is_required": True}
    return [
        dict(question)
        if (kind := KINDS.get(question.get("kind", ""))) and kind.is_text
        else {
            **question,
            "kind": question_kinds.Categorical.name,
            "level": RubricItem.Level.ORDINAL,
            "categories": SCALE,
            "minimum": None,
            "maximum": None,
        }
        for question in rubric or [which]
    ]


@dataclass(frozen=True)
class Thread:
    project_uuid: UUID
    thread_id: str
    started_at: datetime | None = None

    @property
    def run_id(self) -> UUID:
        """The thread's id in a queue."""
        return uuid5(_THREADS, f"{self.project_uuid}/{self.thread_id}")


@dataclass(frozen=True)
class Pair:
    """Two runs of one example; `first` belongs to the experiment named first."""

    first: UUID
    second: UUID
    example_id: UUID | None = None

    @property
    def run_id(self) -> UUID:
        """The pair's id in a queue, the same in either order."""
        low, high = sorted((self.first, self.second))
        return uuid5(_PAIRS, f"{low}/{high}")


# Putting in -------------------------------------------------------------------------------------

# Only rows added just now are still of type run with a derived id. The order of a pair is drawn
# by the database, once per item.
_DESCRIBE = """
UPDATE annotations_queueitem i SET item_type = s.item_type, project_uuid = s.project_uuid,
    thread_id = s.thread_id, first_run_id = s.first, second_run_id = s.second,
    example_id = s.example_id, comparison_id = %(comparison)s,
    is_swapped = s.item_type = 'pair' AND random() < 0.5,
    extra = CASE WHEN s.started_at IS NULL THEN i.extra
        ELSE jsonb_build_object('start_time', s.started_at) END
FROM jsonb_to_recordset(%(subjects)s) AS s(run_id uuid, item_type text, project_uuid uuid,
    thread_id text, first uuid, second uuid, example_id uuid, started_at text)
WHERE i.queue_id = %(queue)s AND i.run_id = s.run_id AND i.item_type = 'run'
"""


def _row(subject: Thread | Pair) -> dict[str, Any]:
    if isinstance(subject, Thread):
        return {
            "run_id": str(subject.run_id),
            "item_type": QueueItem.ItemType.THREAD,
            "project_uuid": str(subject.project_uuid),
            "thread_id": subject.thread_id,
            "started_at": subject.started_at.isoformat() if subject.started_at else None,
        }
    return {
        "run_id": str(subject.run_id),
        "item_type": QueueItem.ItemType.PAIR,
        "first": str(subject.first),
        "second": str(subject.second),
        "example_id": str(subject.example_id) if subject.example_id else None,
    }


@transaction.atomic
def add(
    queue: AnnotationQueue,
    subjects: Sequence[Thread | Pair],
    *,
    source: str,
    now: datetime,
    added_by: User | None = None,
    comparison_id: UUID | None = None,
) -> list[QueueItem]:
    """Add threads or pairs to a queue, each once, and return their items in that order.

    Works like `queue_items.add_runs`. `comparison_id` is the comparative experiment for the pairs'
    feedback.
    """
    if not subjects:
        return []
    run_ids = [subject.run_id for subject in subjects]
    queue_items.add_runs(queue, run_ids, source=source, now=now, added_by=added_by)
    with connection.cursor() as cursor:
        cursor.execute(
            _DESCRIBE,
            {
                "queue": queue.pk,
                "comparison": comparison_id,
                "subjects": exact.jsonb([_row(subject) for subject in subjects]),
            },
        )
    rows = QueueItem.objects.filter(queue=queue, run_id__in=run_ids)
    items_by_run = {item.run_id: item for item in rows}
    return [items_by_run[run_id] for run_id in dict.fromkeys(run_ids)]


# The n-th run of an example in one experiment is compared with its n-th in another.
_PAIRS_OF = """
WITH run AS (
    SELECT r.id, r.reference_example_id AS example,
        array_position(%(projects)s, r.project_id) AS place,
        row_number() OVER (PARTITION BY r.project_id, r.reference_example_id
                           ORDER BY r.start_time, r.id) AS repetition
    FROM runs_run r
    WHERE r.workspace_id = %(workspace)s AND r.project_id = ANY(%(projects)s)
      AND r.parent_run_id IS NULL AND r.reference_example_id IS NOT NULL
)
SELECT a.id, b.id, a.example FROM run a
JOIN run b ON b.example = a.example AND b.repetition = a.repetition AND b.place > a.place
ORDER BY a.repetition, a.example, a.place, b.place
"""


def pairs_of(workspace: Workspace, experiments: Sequence[Project]) -> list[Pair]:
    """Return the pairs of runs on one example, for every two of `experiments`, in their order."""
    parameters: dict[str, Any] = {
        "workspace": workspace.pk,
        "projects": [experiment.pk for experiment in experiments],
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS_OF, parameters)
        return [Pair(first, second, example) for first, second, example in cursor.fetchall()]


def runs_of_experiments(workspace: Workspace, experiments: Iterable[Project]) -> list[UUID]:
    """Return the root runs on an example of `experiments`, oldest first."""
    roots = Run.objects.filter(
        workspace=workspace,
        project__in=list(experiments),
        parent_run_id=None,
        reference_example_id__isnull=False,
    )
    return list(roots.order_by("start_time", "id").values_list("id", flat=True))


# Finding the runs -------------------------------------------------------------------------------

_NEWEST = """
SELECT w.item, r.id FROM jsonb_to_recordset(%(threads)s)
    AS w(item bigint, project uuid, thread text)
JOIN runs_project p ON p.workspace_id = %(workspace)s AND p.uuid = w.project
CROSS JOIN LATERAL (
    SELECT r.id FROM runs_run r
    WHERE r.project_id = p.id AND r.thread_id = w.thread AND r.parent_run_id IS NULL
    ORDER BY r.start_time DESC, r.id DESC LIMIT 1
) r
"""


def shown_runs(workspace_id: int, items: Iterable[QueueItem]) -> dict[int, list[UUID]]:
    """Return item -> ids of its runs: itself, a thread's newest root, a pair in display order.

    A thread without a run is left out. One query if there are threads, else none.
    """
    runs_by_item: dict[int, list[UUID]] = {}
    threads = []
    for item in items:
        if item.item_type == QueueItem.ItemType.THREAD:
            threads.append(
                {"item": item.pk, "project": str(item.project_uuid), "thread": item.thread_id}
            )
        elif item.first_run_id is not None and item.second_run_id is not None:
            runs_by_item[item.pk] = in_order(item, item.first_run_id, item.second_run_id)
        else:
            runs_by_item[item.pk] = [item.run_id]
    if threads:
        with connection.cursor() as cursor:
            cursor.execute(_NEWEST, {"workspace": workspace_id, "threads": exact.jsonb(threads)})
            runs_by_item |= {pk: [run_id] for pk, run_id in cursor.fetchall()}
    return runs_by_item


def in_order(item: QueueItem, first: Side, second: Side) -> list[Side]:
    """Return the values of the first and the second run as A and B."""
    return [second, first] if item.is_swapped else [first, second]


@dataclass(frozen=True, slots=True)
class Shown:
    """The content of an item for a reviewer, of any of the three kinds.

    `run` is the item's run, of a thread the newest; None: not received, or a pair. `turns` are the
    root runs of a thread, oldest first, at most TURNS of the newest. `pair` holds the two runs of a
    pair as A and B, None for one that is not stored.
    """

    run: Run | None = None
    turns: Sequence[Run] = ()
    pair: Sequence[Run | None] = ()


def shown_of(workspace: Workspace, item: QueueItem) -> Shown:
    """Read the content of `item`: a run, a thread and its turns, or both runs of a pair."""
    if item.item_type == QueueItem.ItemType.RUN:
        return Shown(listing.stored(workspace, item.run_id))
    run_ids = shown_runs(workspace.pk, [item]).get(item.pk, [])
    runs = [listing.stored(workspace, run_id) for run_id in run_ids]
    if item.is_pair:
        return Shown(pair=runs)
    return Shown(runs[0] if runs else None, turns=turns_of(workspace, item, TURNS))


def threads_of(workspace_id: int, run_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Return the queue ids of the threads of these runs, each with its runs."""
    threads: dict[UUID, list[UUID]] = {}
    threaded = Run.objects.filter(
        workspace_id=workspace_id, id__in=run_ids, thread_id__isnull=False
    ).values_list("id", "project__uuid", "thread_id")
    for run_id, project, thread in threaded:
        threads.setdefault(Thread(project, thread or "").run_id, []).append(run_id)
    return threads


def turns_of(workspace: Workspace, item: QueueItem, limit: int) -> list[Run]:
    """Return the newest `limit` root runs of the item's thread, oldest first."""
    projects = Project.objects.filter(workspace=workspace, uuid__in=[item.project_uuid])
    newest = Run.objects.filter(
        workspace=workspace,
        project__in=projects.values("pk"),
        thread_id=item.thread_id,
        parent_run_id=None,
    ).order_by("-start_time", "-id")[:limit]
    return list(reversed(newest))
