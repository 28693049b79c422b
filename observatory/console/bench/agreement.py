"""Benchmark kappa of stored pairs of ratings against hand-written SQL and scikit-learn.

Every item is rated twice on every key, by two of the reviewers. The report is what the agreement
page shows: every pair of reviewers, the group, intervals, disputed items. The hand-written SQL is
one GROUP BY over the pairs of one key; scikit-learn gets that key's rows fetched as tuples.
"""

from __future__ import annotations

import resource
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import OutputWrapper
from django.db import connection
from django.utils import timezone

from annotations.agreement import calibration
from annotations.models import AnnotationQueue, RubricItem
from annotations.queues import queues
from observatory.console.bench import scratch
from observatory.workspaces.models import User, Workspace

_CATEGORIES = [{"value": n, "label": label} for n, label in enumerate(("Wrong", "Partly", "Right"))]
# Item i is rated by reviewers i and i + 1 + i / n of n; the second differs on a quarter.
_RATINGS = """
INSERT INTO annotations_rating
    (queue_id, rubric_item_id, rubric_version, item_id, reviewer_id, review_id, code, is_blind)
SELECT %(queue)s, k.key, %(version)s, i,
    (%(reviewers)s::bigint[])[1 + (i + r * (1 + i / %(n)s %% (%(n)s - 1))) %% %(n)s],
    i * 2 + r, (i + (r = 1 AND hashint8(i * 31 + k.key) %% 4 = 0)::int) %% 3, true
FROM generate_series(1, %(pairs)s::bigint) i, generate_series(0, 1) r,
    unnest(%(keys)s::bigint[]) AS k(key)
"""
_BY_HAND = """
SELECT a.reviewer_id, b.reviewer_id, a.code, b.code, count(*)
FROM annotations_rating a JOIN annotations_rating b ON b.rubric_item_id = a.rubric_item_id
    AND b.item_id = a.item_id AND b.reviewer_id > a.reviewer_id
WHERE a.rubric_item_id = %s AND a.is_blind AND b.is_blind GROUP BY 1, 2, 3, 4
"""
_ROWS = """
SELECT a.code, b.code FROM annotations_rating a JOIN annotations_rating b
    ON b.rubric_item_id = a.rubric_item_id AND b.item_id = a.item_id
    AND b.reviewer_id > a.reviewer_id WHERE a.rubric_item_id = %s
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--pairs", type=int, default=1_000_000, help="items, rated twice (1000000)")
    parser.add_argument("--reviewers", type=int, default=2, help="of all items together (2)")
    parser.add_argument("--keys", type=int, default=1, help="rubric keys (1)")


def _filled(options: dict[str, Any]) -> tuple[AnnotationQueue, RubricItem]:
    """Return a queue with the ratings, without items and reviews, which would be as many rows."""
    workspace = Workspace.objects.create(slug="bench", name="Benchmark")
    rubric = [
        {
            "feedback_key": f"key {n}",
            "title": f"Key {n}",
            "kind": "categorical",
            "level": "nominal",
            "categories": _CATEGORIES,
        }
        for n in range(options["keys"])
    ]
    queue = queues.create_queue(workspace, "Agreement", now=timezone.now(), rubric=rubric)
    people = [
        User.objects.create(username=f"reviewer {n}") for n in range(max(2, options["reviewers"]))
    ]
    questions = list(queue.rubric_items.all())
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # skips foreign key checks
        cursor.execute(
            _RATINGS,
            {
                "queue": queue.pk,
                "version": queue.rubric_version,
                "reviewers": [person.pk for person in people],
                "n": len(people),
                "pairs": options["pairs"],
                "keys": [question.pk for question in questions],
            },
        )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE annotations_rating")
    return queue, questions[0]


def _timed(work: Callable[[], object], repeat: int = 3) -> float:
    """Return the median of the seconds that `work` takes."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[repeat // 2]


def run(options: dict[str, Any], out: OutputWrapper) -> None:
    """Measure and print the figures with their targets."""
    from sklearn.metrics import (
        cohen_kappa_score,
    )  # takes 0.4 s, which other benchmarks should not pay

    with scratch.database():
        queue, question = _filled(options)

        def fetched(sql: str) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(sql, [question.pk])
                return list(cursor.fetchall())

        report = calibration.report(queue, now=timezone.now())  # warm
        ours_s = _timed(lambda: calibration.report(queue, now=timezone.now()))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        by_hand_s = _timed(lambda: fetched(_BY_HAND))
        fetched_s = _timed(lambda: cohen_kappa_score(*zip(*fetched(_ROWS), strict=True)))
        heading = ["pairs", "reviewers", "keys", "report ms", "MB", "one key by hand ms"]
        row = [options["pairs"], options["reviewers"], options["keys"], round(ours_s * 1000)]
        row += [memory, round(by_hand_s * 1000), round(fetched_s * 1000)]
        out.write(scratch.table([[*heading, "one key fetched, scikit-learn ms"], row]))
        out.write(report[0].sentence)
        out.write("floor / goal for 1000000 pairs of one key: 110 / 75 ms")
