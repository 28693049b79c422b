"""Benchmark next item, submit, pairs per second, and the time from feedback to a queued item.

Each figure is printed with its target, and the claims with what plain SQL reaches in the same run:
SELECT .. FOR UPDATE SKIP LOCKED LIMIT 1, UPDATE and COMMIT through psycopg.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import psycopg
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.db import connection

from annotations.models import AnnotationQueue
from observatory.console.bench import crowd, desk, routing, scratch
from observatory.workspaces.models import User, Workspace

PAIRS_BY_ONE = 300  # a measurement of latency
# (Bound, goal): milliseconds by items in the queue; pairs of next item and submit per second, by
# eight reviewers; milliseconds from stored feedback to the item.
NEXT_MS = {10_000: (12, 3), 100_000: (15, 3)}
PAIRS_PER_S = (120, 400)
ROUTING_P99_MS = (2_000, 500)
PAGE_MS = {10_000: (12, 10), 100_000: (15, 10)}
GROWTH = 1.3  # of the page, from 1,000 items to 100,000


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--items",
        type=int,
        nargs="+",
        default=[1_000, 10_000],
        help="sizes of the queue (1000 10000)",
    )
    parser.add_argument("--reviewers", type=int, default=8, help="reviewers at once (8)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each rate (6)")
    parser.add_argument("--runs-per-s", type=int, default=200, help="load while routing (200)")
    parser.add_argument("--routing-seconds", type=float, default=20.0, help="0 leaves it out (20)")


def run(options: dict[str, Any], out: OutputWrapper) -> None:
    """Measure in a database of its own, and print."""
    with scratch.database() as name:
        workspace = Workspace.objects.create(slug="bench", name="Benchmark")
        people = crowd.reviewers(workspace, options["reviewers"])
        heading = ["", "p50", "p99", "first floor", "goal"]
        rows: list[list[Any]] = [heading]
        for n_items in options["items"]:
            rows += _latencies(workspace, people, n_items)
        out.write("Milliseconds, one reviewer, by the verbs\n" + scratch.table(rows) + "\n")
        n_items = min(max(options["items"]), 10_000)
        rates = [["", "pairs/s", "taken twice", "first floor", "goal"]]
        rates += _rates(workspace, people, n_items, options["seconds"])
        call_command("collectstatic", interactive=False, verbosity=0)  # shown on the pages
        with scratch.web(name) as web:
            over_http = _pages(web.address, workspace, people[0], options["items"])
            queue = crowd.filled_queue(workspace, n_items)
            rate = crowd.crowd(
                [desk.worker(web.address, workspace, queue, person) for person in people],
                options["seconds"],
            )
            rates.append(_rate("pages over HTTP: submit and next in one request", rate))
        out.write("Milliseconds, one reviewer, over HTTP\n" + scratch.table([heading, *over_http]))
        out.write(
            f"\n{options['reviewers']} reviewers at once, {n_items:,} items\n"
            + scratch.table(rates) + "\n"
        )  # fmt: skip
        if options["routing_seconds"]:
            latency = routing.measure(
                name, workspace, options["runs_per_s"], options["routing_seconds"]
            )
            out.write(
                "Milliseconds from POST /feedback to the item in its queue,"
                f" {latency.runs_per_s:.0f} runs/s stored meanwhile\n"
                + scratch.table([
                    [*heading, "routed", "missing"],
                    ["routing", _ms(latency.seconds, 0.5), _ms(latency.seconds, 0.99),
                     *_goals(ROUTING_P99_MS), len(latency.seconds), latency.n_missing],
                ])
            )  # fmt: skip


def _pages(
    address: desk.Address, workspace: Workspace, person: User, sizes: Sequence[int]
) -> list[list[Any]]:
    """Measure the pages at each size, and their growth from the smallest to the largest."""
    rows: list[list[Any]] = []
    p50: dict[int, float] = {}
    for n_items in sizes:
        queue = crowd.filled_queue(workspace, n_items)
        pages = desk.latencies(address, workspace, queue, person, PAIRS_BY_ONE // 2)
        goals = PAGE_MS.get(n_items, (None, 10))
        p50[n_items] = sorted(pages.page_s)[len(pages.page_s) // 2]
        rows += [
            [f"page of the next item, {n_items:,} items", *_both(pages.page_s), *_goals(goals)],
            [f"next item, by the script, {n_items:,} items", *_both(pages.next_s), *_goals(goals)],
            [f"submit and next, {n_items:,} items", *_both(pages.submit_s), "", ""],
        ]
    if len(sizes) > 1:
        least, most = min(sizes), max(sizes)
        growth = f"{p50[most] / p50[least]:.2f}"
        rows.append([f"page, {most:,} against {least:,} items", growth, "", "", f"<= {GROWTH}"])
    return rows


def _latencies(workspace: Workspace, people: list[User], n_items: int) -> list[list[Any]]:
    """Measure a reviewer in a fresh queue, and one halfway through it with seats still open."""
    goals = NEXT_MS.get(n_items, (None, None))
    fresh = crowd.filled_queue(workspace, n_items)
    limit_s = _plain_latency(fresh)
    timings = crowd.work(fresh, people[0], PAIRS_BY_ONE)
    half = crowd.filled_queue(workspace, n_items, reviewers_per_item=2)
    crowd.mark_reviewed(half, people[0], n_items // 2)
    crowd.work(half, people[0], 1)  # the one search that scans them all
    later = crowd.work(half, people[0], min(PAIRS_BY_ONE, n_items // 2 - 1))
    return [
        [f"next item, {n_items:,} items", *_both(timings.next_s), *_goals(goals)],
        [f"next item, {n_items // 2:,} of them done by me", *_both(later.next_s), *_goals(goals)],
        [f"submit, {n_items:,} items", *_both(timings.submit_s), "", ""],
        [f"plain SQL claim, {n_items:,} items", *_both(limit_s), "", ""],
    ]


def _rates(
    workspace: Workspace, people: list[User], n_items: int, seconds: float
) -> list[list[Any]]:
    queue = crowd.filled_queue(workspace, n_items)

    def verbs(person: User) -> crowd.Job:
        return lambda until: crowd.work(queue, person, n_items, until).given

    by_verbs = crowd.crowd([verbs(person) for person in people], seconds)
    plain = _plain_table(queue)
    by_sql = crowd.crowd([_plain_worker(plain, n) for n in range(len(people))], seconds)
    return [
        _rate("verbs", by_verbs),
        ["plain SQL: claim, then close", f"{by_sql.per_s:.0f}", by_sql.taken_twice, "", ""],
    ]


def _rate(label: str, rate: crowd.Rate) -> list[Any]:
    return [label, f"{rate.per_s:.0f}", rate.taken_twice, *(f">= {n}" for n in PAIRS_PER_S)]


def _ms(seconds: Sequence[float], share: float) -> str:
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3:.1f}"


def _both(seconds: Sequence[float]) -> tuple[str, str]:
    return _ms(seconds, 0.5), _ms(seconds, 0.99)


def _goals(goals: tuple[int | None, int | None]) -> list[str]:
    return ["" if goal is None else f"<= {goal}" for goal in goals]


# Plain SQL -------------------------------------------------------------------------------------

_PLAIN_CLAIM = """
UPDATE {table} SET held_by = %s
WHERE id = (SELECT id FROM {table} WHERE held_by IS NULL ORDER BY id LIMIT 1
            FOR UPDATE SKIP LOCKED)
RETURNING id
"""


def _plain_table(queue: AnnotationQueue) -> str:
    """Create a table of the queue's items with nothing but their holders."""
    table = f"plain_{uuid4().hex[:8]}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {table} AS SELECT id, NULL::int AS held_by, false AS is_done"
            " FROM annotations_queueitem WHERE queue_id = %s",
            [queue.pk],
        )
        cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")
        cursor.execute(f"CREATE INDEX ON {table} (id) WHERE held_by IS NULL")
        cursor.execute(f"ANALYZE {table}")
    return table


def _plain_latency(queue: AnnotationQueue) -> list[float]:
    table = _plain_table(queue)
    seconds = []
    database = str(connection.settings_dict["NAME"])
    with psycopg.connect(scratch.connection_string(database), autocommit=True) as plain:
        for _ in range(PAIRS_BY_ONE):
            begun = time.perf_counter()
            plain.execute(_PLAIN_CLAIM.format(table=table), [1])
            seconds.append(time.perf_counter() - begun)
    return seconds


def _plain_worker(table: str, number: int) -> crowd.Job:
    conninfo = scratch.connection_string(str(connection.settings_dict["NAME"]))

    def work(until: float) -> list[tuple[int, int]]:
        pairs = []
        with psycopg.connect(conninfo, autocommit=True) as plain:
            while time.monotonic() < until:
                row = plain.execute(_PLAIN_CLAIM.format(table=table), [number]).fetchone()
                if row is None:
                    break
                plain.execute(f"UPDATE {table} SET is_done = true WHERE id = %s", row)
                pairs.append((row[0], number))
        return pairs

    return work
