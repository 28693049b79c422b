"""Runs as the plain values that filters/explain.py evaluates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from observatory.runs import judgements
from observatory.runs.durations import LATENCY, UNTIL_FIRST
from observatory.runs.filters.compile import SPENT
from observatory.runs.filters.explain import Facts

_FACTS = {
    "id": "r.id",
    "trace_id": "r.trace_id",
    "name": "r.name",
    "run_type": "r.run_type",
    "status": "r.status",
    "error": "r.error",
    "start_time": "r.start_time",
    "end_time": "r.end_time",
    "first_token_time": "r.first_token_time",
    "latency": LATENCY.format(r="r"),
    "first_token_latency": UNTIL_FIRST.format(r="r"),
    **{name: sql.format(r="r") for name, sql in SPENT.items()},
    "parent_run_id": "r.parent_run_id",
    "session_id": "(SELECT p.uuid FROM runs_project p WHERE p.id = r.project_id)",
    "thread_id": "r.thread_id",
    "reference_example_id": "r.reference_example_id",
    "tags": "r.tags",
    "metadata": "r.metadata::text",
    "inputs": "r.inputs::text",
    "outputs": "r.outputs::text",
}


def facts_of(workspace_id: int, run_ids: Iterable[UUID]) -> dict[UUID, Facts]:
    """Return the stored runs among `run_ids` as the plain values that filters/explain.py evaluates.

    Two queries for any number of runs. Contains only feedback that counts, as in compile.where.
    """
    ids = list(run_ids)
    judged: dict[UUID, list[dict[str, Any]]] = {}
    relation = judgements.RELATION.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT judged.run_id, judged.key, judged.score, judged.value::text, judged.comment,"
            f" judged.source_type FROM {relation.name} judged WHERE judged.workspace_id = %s"
            f" AND judged.run_id = ANY(%s) AND {relation.counts} ORDER BY judged.id",
            [workspace_id, ids],
        )
        for run_id, key, score, value, comment, source in cursor.fetchall():
            judged.setdefault(run_id, []).append(
                {"key": key, "score": score, "value": value, "comment": comment, "source": source}
            )
        cursor.execute(
            f"SELECT {', '.join(_FACTS.values())} FROM runs_run r"
            " WHERE r.workspace_id = %s AND r.id = ANY(%s)",
            [workspace_id, ids],
        )
        rows = cursor.fetchall()
    facts_by_run = (dict(zip(_FACTS, row, strict=True)) for row in rows)
    return {
        values["id"]: Facts(**values, feedback=tuple(judged.get(values["id"], ())))
        for values in facts_by_run
    }
