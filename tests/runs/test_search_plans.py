"""Which index a list of runs is read by, once there are many: asked of the planner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from observatory.console.bench import history
from observatory.runs import search
from observatory.runs.filters.grammar import parse
from observatory.runs.search import RunQuery

N_RUNS = 20_000


@pytest.fixture(scope="module")
def written(django_db_setup, django_db_blocker) -> Iterator[history.History]:
    """A history of N_RUNS runs, taken away afterwards."""
    from observatory.workspaces.models import Workspace

    with django_db_blocker.unblock():
        workspace = Workspace.objects.create(slug="plans", name="Plans")
        yield history.write(workspace, N_RUNS)
        with connection.cursor() as cursor:
            for table in ("feedback_feedback", "runs_run", "runs_project"):
                cursor.execute(f"DELETE FROM {table} WHERE workspace_id = %s", [workspace.pk])
        workspace.delete()


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _plan_of(written: history.History, **wanted: Any) -> tuple[set[str], int, bool]:
    """Return the indexes that the page's statement uses, the rows it reads, whether it scans all."""
    wanted = {name: parse(text) if "filter" in name else text for name, text in wanted.items()}
    query = RunQuery(projects=[written.project.uuid], payloads=(), **wanted)
    seen: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if " LIMIT " in sql:
            seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        search.query(written.workspace, query)
    [(sql, params)] = seen
    with search.bounded(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    found = plan if isinstance(plan, list) else json.loads(plan)
    nodes = list(_nodes(found[0]["Plan"]))
    n_read = sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes
        if "Relation Name" in node or node["Node Type"] == "Bitmap Index Scan"
    )
    scans = any(node["Node Type"] == "Seq Scan" for node in nodes)
    return {node["Index Name"] for node in nodes if "Index Name" in node}, n_read, scans


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wanted", "index", "n_most"),
    [
        ({}, "run_project_newest", 110),
        ({"is_root": True}, "run_project_newest_root", 110),
        ({"run_type": "llm"}, "run_project_newest", 600),
        (
            {
                "is_root": True,
                "filter": 'and(eq(metadata_key, "customer"), eq(metadata_value, "c77"))',
            },
            "run_root_metadata",
            100,
        ),
        (
            {"is_root": True, "filter": 'and(eq(feedback_key, "user_rating"), '
             'lt(feedback_score, 0.4))'},
            "feedback_project_key",
            4_000,
        ),
        ({"filter": 'eq(feedback_key, "never")'}, "feedback_project_key", 10),
        ({"filter": 'eq(thread_id, "thread-7")'}, "run_thread", 100),
    ],
)  # fmt: skip
def test_a_page_of_runs_reads_little_by_its_index(written, wanted, index, n_most) -> None:
    indexes, n_read, scans = _plan_of(written, **wanted)
    assert any(name.startswith(index) for name in indexes), indexes
    assert n_read <= n_most
    assert not scans
