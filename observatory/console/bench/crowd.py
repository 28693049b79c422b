"""A generated queue and its reviewers, for `observatory bench review`."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, connections
from django.utils import timezone

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import queue_items, queues
from annotations.reviewing import reservations, reviews
from observatory.workspaces.models import Membership, User, Workspace

RUBRIC: list[dict[str, Any]] = [
    {
        "feedback_key": "correctness",
        "level": "ordinal",
        "is_required": True,
        "categories": [
            {"value": 0, "label": "Wrong"},
            {"value": 1, "label": "Partly"},
            {"value": 2, "label": "Right"},
        ],
    },
    {"feedback_key": "polite", "kind": "boolean"},
]
# One process's work until a monotonic time; returns the (item, reviewer) pairs it got.
Job = Callable[[float], list[tuple[int, int]]]
SCORES = {"correctness": {"value": "Right"}, "polite": {"score": 1}}


def reviewers(workspace: Workspace, n: int) -> list[User]:
    """Create `n` reviewers. They cannot sign in: they have no password."""
    people = []
    for _ in range(n):
        person = User(username=f"bench-{uuid4().hex[:12]}")
        person.set_unusable_password()
        person.save()
        Membership.objects.create(workspace=workspace, user=person, role="reviewer")
        people.append(person)
    return people


_RUNS = """
INSERT INTO runs_run (workspace_id, id, trace_id, name, run_type, start_time, end_time, inputs,
                      outputs, is_sanitized, metadata, received_at, modified_at)
SELECT %(workspace)s, id, id, 'support-bot', 'chain', %(then)s, %(then)s + interval '1 second',
       json_build_object('question', repeat('Why was I charged twice for order ', 8)),
       json_build_object('answer', repeat('The second charge is a reservation. ', 12)),
       false, '{}', %(then)s, %(then)s
FROM unnest(%(ids)s::uuid[]) id
"""


def filled_queue(
    workspace: Workspace, n_items: int, *, reviewers_per_item: int = 1
) -> AnnotationQueue:
    """Create a queue of `n_items` stored runs, an hour old, with statistics up to date."""
    then = timezone.now() - timedelta(hours=1)
    queue = queues.create_queue(
        workspace,
        f"bench {uuid4().hex[:6]}",
        now=then,
        rubric=RUBRIC,
        reviewers_per_item=reviewers_per_item,
        reservation_minutes=1440,
    )
    run_ids = [uuid4() for _ in range(n_items)]
    for begin in range(0, n_items, 5_000):
        batch = run_ids[begin : begin + 5_000]
        with connection.cursor() as cursor:
            cursor.execute(_RUNS, {"workspace": workspace.pk, "ids": batch, "then": then})
        queue_items.add_runs(queue, batch, source=QueueItem.Source.API, now=then)
    with connection.cursor() as cursor:
        for table in ("annotations_seat", "annotations_queueitem", "runs_run"):
            cursor.execute(f"VACUUM ANALYZE {table}")
    return queue


def mark_reviewed(queue: AnnotationQueue, reviewer: User, n_items: int) -> None:
    """Mark the first `n_items` as reviewed by `reviewer`, directly in the tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH done AS (SELECT id, workspace_id FROM annotations_queueitem
                          WHERE queue_id = %(queue)s ORDER BY id LIMIT %(n)s),
            seated AS (UPDATE annotations_seat s SET is_taken = true, reviewer_id = %(reviewer)s
                       FROM done WHERE s.item_id = done.id AND s.number = 1),
            counted AS (UPDATE annotations_queueitem i SET n_reviews = 1
                        FROM done WHERE i.id = done.id)
            INSERT INTO annotations_review (workspace_id, uuid, submission_id, queue_id, item_id,
                reviewer_id, rubric_version, scores, note, is_counted, is_blind, submitted_at)
            SELECT workspace_id, gen_random_uuid(), gen_random_uuid(), %(queue)s, id,
                %(reviewer)s, 1, '{}', '', true, true, now() FROM done
            """,
            {"queue": queue.pk, "n": n_items, "reviewer": reviewer.pk},
        )
        cursor.execute("VACUUM ANALYZE annotations_seat")
        cursor.execute("VACUUM ANALYZE annotations_review")


@dataclass
class Timings:
    """Seconds of each call."""

    next_s: list[float] = field(default_factory=list)
    submit_s: list[float] = field(default_factory=list)
    given: list[tuple[int, int]] = field(default_factory=list)  # (item, reviewer)


def work(queue: AnnotationQueue, reviewer: User, n: int, until: float | None = None) -> Timings:
    """Reserve and review up to `n` items with the verbs, until the monotonic time `until`."""
    timings = Timings()
    for _ in range(n):
        if until is not None and time.monotonic() >= until:
            break
        begun = time.perf_counter()
        seat = reservations.reserve_next(queue, reviewer, timezone.now())
        timings.next_s.append(time.perf_counter() - begun)
        if seat is None:
            break
        timings.given.append((seat.item_id, reviewer.pk))
        item = QueueItem.objects.get(pk=seat.item_id)
        item.queue = queue
        submission = reviews.Submission(submission_id=uuid4(), scores=SCORES, lease=seat.lease)
        begun = time.perf_counter()
        reviews.submit(item, reviewer, submission, timezone.now())
        timings.submit_s.append(time.perf_counter() - begun)
    return timings


@dataclass(frozen=True)
class Rate:
    """What all processes did together."""

    pairs: int
    seconds: float
    taken_twice: int

    @property
    def per_s(self) -> float:
        return self.pairs / self.seconds


def crowd(jobs: Sequence[Job], seconds: float) -> Rate:
    """Run each job in its own process for `seconds`; a job returns (item, reviewer) pairs."""
    connections.close_all()  # forked processes must not share connections
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    begin_at = time.monotonic() + 0.5

    def run(job: Job) -> None:
        connection.ensure_connection()
        time.sleep(max(0.0, begin_at - time.monotonic()))
        answers.put(job(begin_at + seconds))
        connections.close_all()

    children = [context.Process(target=run, args=(job,)) for job in jobs]
    for child in children:
        child.start()
    pairs = [pair for _ in children for pair in answers.get(timeout=seconds + 60)]
    for child in children:
        child.join()
    people: Counter[int] = Counter(item for item, _ in set(pairs))
    return Rate(len(pairs), seconds, sum(1 for n in people.values() if n > 1))
