"""feedback_stats: statistics of feedback on runs and projects, by key, in one query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from observatory import exact
from observatory.feedback.sealed import readable
from observatory.runs import sums
from observatory.runs.filters.compile import SQL, named
from observatory.runs.models import Project
from observatory.runs.search import bounded

MAX_LABELS = 50
MAX_LABEL = 200  # characters
MAX_COMMENTS = 10
MAX_COMMENT = 2_000  # characters

_STATS = """
WITH f AS (
    SELECT {subject} AS subject, id, created_at, key, score, value, comment, source_type, is_error,
           feedback_thread_id
    FROM {source}
    WHERE workspace_id = %(workspace)s AND comparative_experiment_id IS NULL
      AND {readable} AND {condition}
), numbers AS (
    SELECT subject, key, count(*) AS n,
        {mean} AS avg,
        min(score) AS low, max(score) AS high,
        {deviation} AS stdev,
        count(*) FILTER (WHERE is_error) AS errors,
        array_agg(DISTINCT source_type::text) AS sources,
        bool_or(feedback_thread_id IS NOT NULL) AS has_thread
    FROM f GROUP BY subject, key
), labels AS (
    SELECT subject, key, jsonb_object_agg(label, n) AS labels
    FROM (
        SELECT subject, key, label, count(*) AS n,
            row_number() OVER (PARTITION BY subject, key ORDER BY count(*) DESC, label) AS place
        FROM (SELECT subject, key, {label} AS label
            FROM f WHERE jsonb_typeof(value) IN ('string', 'number', 'boolean')) said
        GROUP BY subject, key, label
    ) counted WHERE place <= %(labels)s GROUP BY subject, key
), notes AS (
    SELECT subject, key, array_agg(left(comment, %(comment)s) ORDER BY place) AS comments
    FROM (
        SELECT subject, key, comment,
            row_number() OVER (PARTITION BY subject, key ORDER BY created_at DESC, id DESC) AS place
        FROM f WHERE comment <> ''
    ) newest WHERE place <= %(comments)s GROUP BY subject, key
)
SELECT subject, key, n, avg, low, high, stdev, errors, sources, has_thread,
    coalesce(labels, '{{}}'::jsonb), coalesce(comments, '{{}}')
FROM numbers LEFT JOIN labels USING (subject, key) LEFT JOIN notes USING (subject, key)
ORDER BY subject, key
"""


def short(text: str, n_chars: int) -> str:
    """Return SQL that shortens the expression `text` so that different texts stay different."""
    return (
        f"CASE WHEN length({text}) <= {n_chars} THEN {text}"
        f" ELSE left({text}, {n_chars}) || '... ' || left(md5({text}), 8) END"
    )


def _stats(*, subject: str, condition: str, source: str = "feedback_feedback") -> str:
    return _STATS.format(
        subject=subject,
        condition=condition,
        source=source,
        readable=readable(),
        label=short("value #>> '{}'", MAX_LABEL),
        mean=sums.mean("score"),
        deviation=sums.mean("score", aggregate="stddev_pop"),
    )


def _collect(sql: str, parameters: dict[str, Any]) -> dict[Any, dict[str, dict[str, Any]]]:
    bounds = {
        "labels": MAX_LABELS,
        "comment": MAX_COMMENT,
        "comments": MAX_COMMENTS,
    }
    stats: dict[Any, dict[str, dict[str, Any]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters | bounds)
        for row in cursor.fetchall():
            subject, key, n, avg, low, high, stdev, errors, sources, has_thread = row[:10]
            stats.setdefault(subject, {})[key] = {
                "n": n,
                "avg": avg,
                "min": low,
                "max": high,
                "stdev": stdev,
                "errors": errors,
                "values": exact.loads(row[10]),
                "comments": row[11],
                "sources": sources,
                "contains_thread_feedback": has_thread,
            }
    return stats


def feedback_stats(workspace_id: int, run_ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return `{run id: {key: {n, avg, min, max, stdev, errors, values, comments, sources, ..}}}`.

    A run without feedback is absent. `n` counts feedback with and without a score; `stdev` is the
    population's (0 for one score); `avg` and `stdev` are null without scores and beyond
    sums.MAX_AVERAGED. `values` counts the commonest MAX_LABELS labels, `comments` are the newest
    MAX_COMMENTS, cut at MAX_COMMENT characters. Comparative feedback does not count, nor, here
    and below, what blind reviewing still hides.
    """
    runs = list(run_ids)
    if not runs:
        return {}
    sql = _stats(subject="run_id", condition="run_id = ANY(%(subjects)s)")
    return _collect(sql, {"workspace": workspace_id, "subjects": runs})


def project_stats(
    workspace_id: int,
    project_ids: Iterable[int],
    *,
    level: Literal["run", "session"] = "run",
) -> dict[int, dict[str, Any]]:
    """Return the same by project (internal id): of its runs, or (`session`) of the project itself.

    Wire: `feedback_stats` and `session_feedback_stats` of a session.
    """
    projects = list(project_ids)
    if not projects:
        return {}
    about = "run_id IS NOT NULL" if level == "run" else "run_id IS NULL"
    sql = _stats(subject="project_id", condition=f"project_id = ANY(%(subjects)s) AND {about}")
    return _collect(sql, {"workspace": workspace_id, "subjects": projects})


def traces_stats(workspace_id: int, trace_ids: Iterable[UUID]) -> dict[str, Any]:
    """Return `{key: {n, avg, ..}}` of all runs of the traces together, in one query."""
    traces = list(trace_ids)
    if not traces:
        return {}
    condition = (
        "run_id IN (SELECT id FROM runs_run WHERE workspace_id = %(workspace)s"
        " AND trace_id = ANY(%(subjects)s))"
    )
    sql = _stats(subject="0", condition=condition)
    return _collect(sql, {"workspace": workspace_id, "subjects": traces}).get(0, {})


def stats_of_chosen(
    workspace_id: int, chosen: SQL, *, level: Literal["run", "thread"] = "run"
) -> dict[str | None, dict[str, Any]]:
    """Return `{label: {key: {n, avg, ..}}}` of the runs that a statement selects, in one query.

    `chosen` is one of runs.stats.Chosen.rows: its `chosen_label` is the group. `thread` counts
    feedback on their threads instead.
    """
    statement, params = named(chosen)
    if level == "run":
        source = f"({statement}) chosen JOIN feedback_feedback ON run_id = chosen_id"
    else:
        source = (
            "(SELECT DISTINCT chosen_label, chosen_project, chosen_thread"
            f" FROM ({statement}) runs) chosen JOIN feedback_feedback"
            " ON project_id = chosen_project AND feedback_thread_id = chosen_thread"
        )
    # A label may be null, but joins by subject need one: other labels begin with "=".
    sql = _stats(subject="coalesce('=' || chosen_label, '')", condition="TRUE", source=source)
    with bounded():
        found = _collect(sql, {"workspace": workspace_id, **params})
    return {label[1:] if label else None: stats for label, stats in found.items()}


def said_of_projects(workspace_id: int, project_ids: Iterable[int]) -> dict[str, Any]:
    """Return `{key: {n, avg, ..}}` of the feedback on the projects themselves, in one query."""
    condition = "project_id = ANY(%(subjects)s) AND run_id IS NULL"
    sql = _stats(subject="0", condition=condition)
    return _collect(sql, {"workspace": workspace_id, "subjects": list(project_ids)}).get(0, {})


def said_of_threads(project: Project, thread_ids: Iterable[str]) -> dict[str, Any]:
    """Return `{key: {n, avg, ..}}` of the feedback on the threads themselves, in one query."""
    threads = list(thread_ids)
    if not threads:
        return {}
    condition = "project_id = %(project)s AND feedback_thread_id = ANY(%(subjects)s)"
    sql = _stats(subject="0", condition=condition)
    stats = _collect(
        sql, {"workspace": project.workspace_id, "project": project.pk, "subjects": threads}
    )
    return stats.get(0, {})


def thread_stats(project: Project, thread_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the same by thread of `project`: of all runs of its traces, roots and below."""
    threads = list(thread_ids)
    if not threads:
        return {}
    root = (
        "(SELECT root.thread_id FROM runs_run run JOIN runs_run root"
        " ON root.workspace_id = run.workspace_id AND root.id = run.trace_id"
        " WHERE run.workspace_id = feedback_feedback.workspace_id"
        " AND run.id = feedback_feedback.run_id)"
    )
    traces = (
        "run_id IN (SELECT run.id FROM runs_run root JOIN runs_run run"
        " ON run.workspace_id = root.workspace_id AND run.trace_id = root.id"
        " WHERE root.project_id = %(project)s AND root.thread_id = ANY(%(subjects)s)"
        " AND root.parent_run_id IS NULL AND root.workspace_id = %(workspace)s)"
    )
    sql = _stats(subject=root, condition=traces)
    return _collect(
        sql, {"workspace": project.workspace_id, "project": project.pk, "subjects": threads}
    )
