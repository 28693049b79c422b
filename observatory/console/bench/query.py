"""Benchmark the common queries at a million runs against the same queries in hand-written SQL.

Each is measured through the verb that answers it and as plain SQL for the same rows; the index and
the rows read are those of Observatory's statement that read most.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import psutil
from django.core.management.base import OutputWrapper
from django.db import connection, transaction

from observatory.api.kit.bodies import read
from observatory.api.runs.query import page_query
from observatory.api.runs.schemas import RunQuery as QueryBody
from observatory.console.bench import history, lists, scratch
from observatory.console.bench.history import History
from observatory.feedback import summary
from observatory.runs import search, stats
from observatory.runs.search import RunQuery
from observatory.workspaces.models import Workspace

GOAL_MS = 50
# Milliseconds for the newest 100 negatively rated roots, by runs stored: (at most, goal).
W4_MS = {100_000: (20, 8), 1_000_000: (30, 10)}
REPEATS = 9
_HEADING = ["", "p50 ms", "cpu ms", "by hand", "cpu ms", "floor", "goal", "rows read", "index"]
SLOW_S = 1.0  # slower queries are repeated three times only
SHOWN = ("inputs", "outputs", "extra", "metadata", "events")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=1_000_000, help="runs stored (1000000)")
    parser.add_argument("--only", default="", help="ask only what has this in its name")


@dataclass(frozen=True)
class Question:
    """One query.

    `ask` calls Observatory; `sql` is hand-written and takes `%(project)s` and the other values of
    `History`.
    """

    name: str
    ask: Callable[[], Any]
    sql: str = ""
    goals: tuple[int | None, int] = (None, GOAL_MS)


_BY_HAND = """
SELECT r.id, r.name, r.run_type, r.start_time, r.end_time, r.error, r.tags, r.inputs::text,
       r.outputs::text, r.extra::text, r.metadata::text, r.events::text
FROM runs_run r WHERE r.project_id = %(project)s AND {where}
ORDER BY r.start_time DESC, r.id DESC LIMIT 100
"""
_JUDGED = "EXISTS (SELECT FROM feedback_feedback f WHERE f.run_id = r.id AND f.workspace_id ="
_JUDGED += " r.workspace_id AND {})"
_ROOT = "r.parent_run_id IS NULL"
_TOKENS = "(SELECT sum(b.total_tokens) FROM runs_run b WHERE b.workspace_id = r.workspace_id"
_TOKENS += " AND b.trace_id = r.trace_id AND b.run_type = 'llm')"
# name: (body of POST /runs/query, hand-written WHERE)
_FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "newest page of a project": ({}, "TRUE"),
    "roots": ({"is_root": True}, _ROOT),
    "run_type": ({"run_type": "retriever"}, "r.run_type = 'retriever'"),
    "error": ({"error": True}, "r.error IS NOT NULL"),
    "error, roots": ({"error": True, "is_root": True}, f"r.error IS NOT NULL AND {_ROOT}"),
    "latency, one in 150": ({"filter": 'gt(latency, "10s")'}, "r.latency_s > 10"),
    "tokens of traces, one in 10": ({"filter": "gt(total_tokens, 830)", "is_root": True},
                                    f"{_ROOT} AND {_TOKENS} > 830"),
    "tokens of traces, none": ({"filter": "gt(total_tokens, 100000)", "is_root": True},
                               f"{_ROOT} AND {_TOKENS} > 100000"),
    "tokens of model calls, none": ({"filter": "gt(total_tokens, 100000)", "run_type": "llm"},
                                    "r.run_type = 'llm' AND r.total_tokens > 100000"),
    "name": ({"filter": 'eq(name, "ChatOpenAI")'}, "r.name = 'ChatOpenAI'"),
    "tag, half": ({"filter": 'has(tags, "prod")'}, "r.tags @> '{prod}'"),
    "tag, one in 200": ({"filter": 'has(tags, "vip")'}, "r.tags @> '{vip}'"),
    "tag, none, roots": ({"filter": 'has(tags, "gone")', "is_root": True},
                         f"r.tags @> '{{gone}}' AND {_ROOT}"),
    "metadata, a third": (
        {"filter": 'and(eq(metadata_key, "user_tier"), eq(metadata_value, "enterprise"))'},
        """r.metadata @> '{"user_tier": "enterprise"}'"""),
    "metadata, one in 5000, roots": (
        {"filter": 'and(eq(metadata_key, "customer"), eq(metadata_value, "c123"))',
         "is_root": True}, """r.metadata @> '{"customer": "c123"}' AND """ + _ROOT),
    "metadata, one in 5000": (
        {"filter": 'and(eq(metadata_key, "customer"), eq(metadata_value, "c123"))'},
        """r.metadata @> '{"customer": "c123"}'"""),
    "metadata has, one in 5000, roots": (
        {"filter": """has(metadata, '{"customer": "c123"}')""", "is_root": True},
        """r.metadata @> '{"customer": "c123"}' AND """ + _ROOT),
    "metadata below a number": (
        {"filter": 'and(eq(metadata_key, "confidence"), lt(metadata_value, 20))'},
        "(r.metadata ->> 'confidence')::numeric < 20"),
    "W4: newest negative roots": (
        {"filter": 'and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
         "is_root": True},
        _JUDGED.format("f.key = 'user_rating' AND f.score < 0.4") + f" AND {_ROOT}"),
    "feedback key and score, one in 100": (
        {"filter": 'and(eq(feedback_key, "correctness"), lte(feedback_score, 0.01))'},
        _JUDGED.format("f.key = 'correctness' AND f.score <= 0.01")),
    "feedback key": ({"filter": 'eq(feedback_key, "helpfulness")', "is_root": True},
                     _JUDGED.format("f.key = 'helpfulness'") + f" AND {_ROOT}"),
    "feedback key, none": ({"filter": 'eq(feedback_key, "gone")'},
                           _JUDGED.format("f.key = 'gone'")),
    "negative and a tier": (
        {"filter": 'and(eq(feedback_key, "user_rating"), eq(feedback_score, 0),'
                   ' eq(metadata_key, "user_tier"), eq(metadata_value, "pro"))'},
        _JUDGED.format("f.key = 'user_rating' AND f.score = 0")
        + """ AND r.metadata @> '{"user_tier": "pro"}'"""),
    "error or slow": ({"filter": 'or(neq(error, null), gt(latency, "8s"))'},
                      "(r.error IS NOT NULL OR r.latency_s > 8)"),
    "trace_filter: of negative roots": (
        {"trace_filter": 'and(eq(feedback_key, "user_rating"), eq(feedback_score, 0))',
         "run_type": "llm"},
        "r.run_type = 'llm' AND EXISTS (SELECT FROM feedback_feedback f WHERE f.workspace_id ="
        " r.workspace_id AND f.run_id = r.trace_id AND f.key = 'user_rating' AND f.score = 0)"),
    "tree_filter: with a failed step": (
        {"tree_filter": 'and(eq(run_type, "llm"), neq(error, null))', "is_root": True},
        f"{_ROOT} AND EXISTS (SELECT FROM runs_run m WHERE m.workspace_id = r.workspace_id AND"
        " m.trace_id = r.trace_id AND m.run_type = 'llm' AND m.error IS NOT NULL)"),
    "text, common": ({"query": "reservation"}, "(r.outputs::text ILIKE '%%reservation%%'"
                     " OR r.inputs::text ILIKE '%%reservation%%')"),
    "text, none": ({"query": "zebra crossing"}, "(r.outputs::text ILIKE '%%zebra crossing%%'"
                   " OR r.inputs::text ILIKE '%%zebra crossing%%')"),
}  # fmt: skip


def run(options: dict[str, Any], out: OutputWrapper) -> None:
    """Write the history in a database of its own, measure, and print."""
    with scratch.database():
        workspace = Workspace.objects.create(slug="bench", name="Benchmark")
        begun = time.monotonic()
        written = history.write(workspace, options["runs"])
        out.write(
            f"{written.n_runs:,} runs and {written.n_feedback:,} feedback written in"
            f" {time.monotonic() - begun:.0f} s\n"
        )
        stored = lists.store(written)
        rows: list[list[Any]] = [_HEADING]
        values = _values(written, stored)
        for question in questions(written, stored):
            if options["only"] in question.name:
                rows.append(_measured(question, values))
                out.write("  ".join(str(cell) for cell in rows[-1]))
        out.write("\n" + scratch.table(rows))
        measured = rows[1:]
        slow = [row[0] for row in measured if float(row[1]) > GOAL_MS]
        out.write(f"\n{len(measured) - len(slow)} of {len(measured)} within {GOAL_MS} ms")


def _measured(question: Question, values: dict[str, Any]) -> list[Any]:
    try:
        with _noted() as statements:
            question.ask()
    except search.TooSlow as error:
        return [question.name, "inf", "", "", "", "", f"<= {question.goals[1]}", "", str(error)]
    ours = _timed(question.ask)
    by_hand = ["", ""]
    if question.sql:
        by_hand = _timed(lambda: _fetch(question.sql, values))
    n_read, index = max((_read(*each) for each in statements), key=lambda found: found[0])
    floor, goal = question.goals
    return [
        question.name, *ours, *by_hand,
        "" if floor is None else f"<= {floor}", f"<= {goal}", f"{n_read:,}", index,
    ]  # fmt: skip


def _values(written: History, stored: lists.Stored) -> dict[str, Any]:
    return {
        "dataset": stored.dataset.pk,
        "queue": stored.queue.pk,
        "workspace": written.workspace.pk,
        "project": written.project.pk,
        "trace": written.trace,
        "thread": written.thread,
        "example": written.example,
        "from": written.newest - timedelta(days=2),
        "to": written.newest - timedelta(days=1),
    }


def _fetch(sql: str, values: dict[str, Any]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Parallel workers would hide their processor time.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        cursor.execute(sql, values)
        cursor.fetchall()


def _timed(ask: Callable[[], Any]) -> list[str]:
    """Return the median seconds and the mean processor time, of this process and the database's."""
    backend = _backend()
    seconds: list[float] = []
    ours, database = time.process_time(), _cpu_s(backend)
    while len(seconds) < (3 if seconds and max(seconds) > SLOW_S else REPEATS):
        begun = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - begun)
    spent = time.process_time() - ours + _cpu_s(backend) - database
    median = sorted(seconds)[len(seconds) // 2]
    return [f"{median * 1e3:.1f}", f"{spent / len(seconds) * 1e3:.1f}"]


def _backend() -> psutil.Process | None:
    """Return the process that serves this connection; None when it is on another machine."""
    connection.ensure_connection()
    with suppress(psutil.Error):
        process = psutil.Process(connection.connection.info.backend_pid)
        if "postgres" in process.name():
            return process
    return None


def _cpu_s(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return times.user + times.system


# The queries ----------------------------------------------------------------------------------


def questions(written: History, stored: lists.Stored) -> Iterator[Question]:
    """Yield every query, the forms of the filter language first."""
    workspace = written.workspace

    def query_of(body: dict[str, Any]) -> RunQuery:
        return page_query(read(QueryBody, {"session": [str(written.project.uuid)], **body}))

    def page(body: dict[str, Any]) -> Callable[[], Any]:
        query = replace(query_of(body), payloads=SHOWN)
        return lambda: search.query(workspace, query)

    def form(name: str, body: dict[str, Any], where: str) -> Question:
        goals = W4_MS.get(written.n_runs, (30, 10)) if name.startswith("W4") else (None, GOAL_MS)
        return Question(name, page(body), _BY_HAND.format(where=where), goals)

    for name, (body, where) in _FORMS.items():
        yield form(name, body, where)
    values = _values(written, stored)
    window = {"start_time": values["from"].isoformat(), "end_time": values["to"].isoformat()}
    yield form("a day", window, "r.start_time BETWEEN %(from)s AND %(to)s")
    thread = {"filter": f'eq(thread_id, "{written.thread}")'}
    yield form("thread", thread, "r.thread_id = %(thread)s")
    example = {"reference_example": [str(written.example)]}
    yield form("reference example", example, "r.reference_example_id = %(example)s")
    yield Question(
        "trace", page({"trace": str(written.trace)}),
        "SELECT * FROM runs_run WHERE workspace_id = %(workspace)s AND trace_id = %(trace)s",
    )  # fmt: skip
    yield Question("page 50 by cursor", page({"cursor": _fiftieth(page)}))
    day = query_of(window)
    yield Question("stats of a day", lambda: stats.of_runs(workspace, day))
    yield Question("stats of a day, facets", lambda: stats.facets(stats.chosen(workspace, day)))
    yield Question(
        "stats of a day, feedback",
        lambda: summary.stats_of_chosen(workspace.pk, stats.chosen(workspace, day).rows()),
    )
    every = query_of({})
    yield Question("stats of all runs", lambda: stats.of_runs(workspace, every))
    yield Question(
        "stats of all runs, facets", lambda: stats.facets(stats.chosen(workspace, every))
    )
    yield Question(
        "stats of all runs, feedback",
        lambda: summary.stats_of_chosen(workspace.pk, stats.chosen(workspace, every).rows()),
    )
    yield Question("stats of a project, all", lambda: stats.of_projects(
        workspace.pk, [written.project.pk]))  # fmt: skip
    for listed in lists.questions(written, stored):
        yield Question(listed.name, listed.ask, listed.sql)


def _fiftieth(page: Callable[[dict[str, Any]], Callable[[], Any]]) -> str:
    cursor = None
    for _ in range(49):
        cursor = page({"cursor": cursor} if cursor else {})().next_cursor
        assert cursor is not None
    return cursor or ""


# Rows and indexes read--------------------------------------------------------------------------


@contextmanager
def _noted() -> Iterator[list[tuple[str, Any]]]:
    """Collect the SELECTs of the block."""
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH")) and "set_config" not in sql:
            statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield statements


def _read(sql: str, params: Any) -> tuple[int, str]:
    """Return how many rows a statement reads, and the index (or table) with most of them."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        explained = cursor.fetchone()[0]
    plan = explained if isinstance(explained, list) else json.loads(explained)
    scans = [
        (
            int(
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            ),
            str(node.get("Index Name") or f"{node['Node Type']} of {node.get('Relation Name')}"),
        )
        for node in _nodes(plan[0]["Plan"])
        if "Relation Name" in node or node["Node Type"] == "Bitmap Index Scan"
    ]
    total = sum(n for n, _ in scans)
    return total, max(scans, default=(0, ""))[1]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
