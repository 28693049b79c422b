"""Counts, latency, tokens, cost and error rate of runs, by one query over the set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from django.db import connection

from observatory.runs.filters.compile import SQL
from observatory.runs.search import RunQuery, bounded, conditions, project_ids
from observatory.workspaces.models import Workspace

Attribute = Literal["name", "run_type", "tag", "metadata"]
MAX_GROUPS = 100

# {counted}: the runs whose number, latency and errors are told; {used}: whose tokens and costs.
_AGGREGATES = """
    count(*) FILTER (WHERE {counted}) AS run_count,
    percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY r.latency_s)
        FILTER (WHERE {counted}) AS latency,
    percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch from (r.first_token_time - r.start_time))::float8)
        FILTER (WHERE {used}) AS first_token,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY r.total_tokens)
        FILTER (WHERE {used}) AS median_tokens,
    coalesce(sum(r.prompt_tokens) FILTER (WHERE {used}), 0)::bigint AS prompt_tokens,
    coalesce(sum(r.completion_tokens) FILTER (WHERE {used}), 0)::bigint AS completion_tokens,
    coalesce(sum(r.total_tokens) FILTER (WHERE {used}), 0)::bigint AS total_tokens,
    sum(r.prompt_cost) FILTER (WHERE {used}) AS prompt_cost,
    sum(r.completion_cost) FILTER (WHERE {used}) AS completion_cost,
    sum(r.total_cost) FILTER (WHERE {used}) AS total_cost,
    avg((r.error IS NOT NULL)::int) FILTER (WHERE {counted})::float8 AS error_rate,
    avg((r.first_token_time IS NOT NULL)::int) FILTER (WHERE {used})::float8 AS streaming_rate,
    max(r.start_time) AS last_run_start_time
"""
_COLUMNS = (
    *("run_count", "latency", "first_token", "median_tokens"),
    *("prompt_tokens", "completion_tokens", "total_tokens"),
    *("prompt_cost", "completion_cost", "total_cost"),
    *("error_rate", "streaming_rate", "last_run_start_time"),
)
_EVERY_RUN = _AGGREGATES.format(counted="TRUE", used="TRUE")
# Of a project: traces are counted, and tokens only where they are spent, as a parent's may
# repeat those of its children.
_PROJECT = _AGGREGATES.format(counted="r.parent_run_id IS NULL", used="r.run_type = 'llm'")


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row of aggregates under the wire's names; percentiles in seconds or None."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in ("latency", "first_token"):
        p50, p99 = values.pop(name) or (None, None)
        values |= {f"{name}_p50": p50, f"{name}_p99": p99}
    return values


NOTHING = _shown((0, None, None, None, 0, 0, 0, None, None, None, None, None, None))


def of_projects(
    workspace_id: int, ids: Iterable[int], *, since: Any = None
) -> dict[int, dict[str, Any]]:
    """Return the statistics of each project (internal id), NOTHING for one without runs.

    `run_count`, `latency_p50`, `latency_p99` (s) and `error_rate` [0, 1] are of root runs;
    tokens, costs (US dollars), `first_token_p50`, `first_token_p99` (s) and `streaming_rate`
    of llm runs; `last_run_start_time` of any. `since` leaves earlier runs out. One query.
    """
    wanted = list(ids)
    found = {project_id: dict(NOTHING) for project_id in wanted}
    if not wanted:
        return found
    condition = ""
    params: list[Any] = [workspace_id, wanted]
    if since is not None:
        condition, params = " AND r.start_time >= %s", [*params, since]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.project_id, {_PROJECT} FROM runs_run r"
            f" WHERE r.workspace_id = %s AND r.project_id = ANY(%s){condition}"
            " GROUP BY r.project_id",
            params,
        )
        for project_id, *row in cursor.fetchall():
            found[project_id] = _shown(tuple(row))
    return found


# A root that says no tokens or no cost itself spent what the llm runs of its trace did.
_ROOTS = """(
    SELECT root.*, below.* FROM (SELECT * FROM runs_run r WHERE {condition}) root, LATERAL (
        SELECT sum(run.prompt_tokens)::bigint AS prompt_tokens_below,
            sum(run.completion_tokens)::bigint AS completion_tokens_below,
            sum(run.total_tokens)::bigint AS total_tokens_below,
            sum(run.prompt_cost) AS prompt_cost_below,
            sum(run.completion_cost) AS completion_cost_below,
            sum(run.total_cost) AS total_cost_below
        FROM runs_run run
        WHERE run.workspace_id = root.workspace_id AND run.trace_id = root.id
            AND run.id <> root.id AND run.run_type = 'llm' AND root.run_type <> 'llm'
            AND (root.total_tokens IS NULL OR root.total_cost IS NULL)
    ) below
)"""
_SPENT = (
    *("prompt_tokens", "completion_tokens", "total_tokens"),
    *("prompt_cost", "completion_cost", "total_cost"),
)


def _of_every_run(wanted: RunQuery, condition: str) -> tuple[str, str, str]:
    """Return (aggregates, FROM, WHERE) over the runs that `condition` names.

    Of roots alone (`is_root`), tokens and costs are summed up from below, as reading them does.
    Of anything else they are the runs' own, since a set may hold both a run and its parent.
    """
    if not wanted.is_root:
        return _EVERY_RUN, "runs_run r", condition
    aggregates = _EVERY_RUN
    for name in _SPENT:
        aggregates = aggregates.replace(f"r.{name}", f"coalesce(r.{name}, r.{name}_below)")
    return aggregates, f"{_ROOTS.format(condition=condition)} r", "TRUE"


def of_runs(workspace: Workspace, wanted: RunQuery) -> dict[str, Any]:
    """Return the statistics of exactly the runs that `wanted` describes. Raises TooSlow."""
    condition, params = _where(workspace, wanted)
    aggregates, source, condition = _of_every_run(wanted, condition)
    with bounded(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {aggregates} FROM {source} WHERE {condition}", params)
        row = cursor.fetchone()
        assert row is not None
        return _shown(row)


def grouped(
    workspace: Workspace,
    wanted: RunQuery,
    *,
    attribute: Attribute,
    path: str = "",
    max_groups: int = MAX_GROUPS,
) -> dict[str, dict[str, Any]]:
    """Return the statistics by name, run_type, tag or the metadata under `path`.

    Most frequent groups first; a run with several tags counts in each; one without the
    attribute in none. Raises TooSlow.
    """
    condition, params = _where(workspace, wanted)
    aggregates, runs, condition = _of_every_run(wanted, condition)
    source, before = "", []
    label = {"name": "r.name", "run_type": "r.run_type"}.get(attribute, "label")
    if attribute == "tag":
        source = ", LATERAL (SELECT DISTINCT unnest(r.tags) AS label) tag"
    elif attribute == "metadata":
        source, before = ", LATERAL (SELECT r.metadata ->> %s AS label) value", [path]
    # The path of `source` stands before the conditions, unless those are in the FROM already.
    ordered = [*params, *before] if wanted.is_root else [*before, *params]
    with bounded(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {label}, {aggregates} FROM {runs}{source}"
            f" WHERE {condition} AND {label} IS NOT NULL"
            f" GROUP BY {label} ORDER BY count(*) DESC, {label} LIMIT %s",
            [*ordered, max(0, min(max_groups, MAX_GROUPS))],
        )
        return {str(name): _shown(tuple(row)) for name, *row in cursor.fetchall()}


def _where(workspace: Workspace, wanted: RunQuery) -> SQL:
    if wanted.ids is not None:
        return "r.workspace_id = %s AND r.id = ANY(%s)", [workspace.pk, list(wanted.ids)]
    condition, params = conditions(workspace, wanted)
    return (
        f"r.project_id = ANY(%s) AND {condition}",
        [project_ids(workspace, wanted), *params],
    )
