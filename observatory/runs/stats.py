"""Counts, latency, tokens, cost and error rate of runs, by one query over the set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection

from observatory.runs import sums
from observatory.runs.durations import LATENCY, UNTIL_FIRST
from observatory.runs.filters.compile import SQL, where
from observatory.runs.filters.grammar import Node
from observatory.runs.search import RunQuery, bounded, conditions, project_ids
from observatory.workspaces.models import Workspace

Attribute = Literal["name", "run_type", "tag", "metadata"]
MAX_GROUPS = 100

# {counted}: the runs of number, latency and errors; {used}: those of tokens and costs.
_EXPRESSIONS = {
    "run_count": "count(*) FILTER (WHERE {counted})",
    "latency_p50": "percentile_cont(0.5) WITHIN GROUP (ORDER BY {latency})"
    " FILTER (WHERE {counted})",
    "latency_p99": "percentile_cont(0.99) WITHIN GROUP (ORDER BY {latency})"
    " FILTER (WHERE {counted})",
    "latency_avg": "avg({latency}) FILTER (WHERE {counted})",
    "first_token_p50": "percentile_cont(0.5) WITHIN GROUP (ORDER BY {first_token})"
    " FILTER (WHERE {used})",
    "first_token_p99": "percentile_cont(0.99) WITHIN GROUP (ORDER BY {first_token})"
    " FILTER (WHERE {used})",
    "prompt_tokens": f"coalesce({sums.tokens('r.prompt_tokens', where='{used}')}, 0)",
    "completion_tokens": f"coalesce({sums.tokens('r.completion_tokens', where='{used}')}, 0)",
    "total_tokens": f"coalesce({sums.tokens('r.total_tokens', where='{used}')}, 0)",
    "prompt_cost": "sum(r.prompt_cost) FILTER (WHERE {used})",
    "completion_cost": "sum(r.completion_cost) FILTER (WHERE {used})",
    "total_cost": "sum(r.total_cost) FILTER (WHERE {used})",
    "error_rate": "avg((r.error IS NOT NULL)::int) FILTER (WHERE {counted})::float8",
    "streaming_rate": "avg((r.first_token_time IS NOT NULL)::int) FILTER (WHERE {used})::float8",
    "last_run_start_time": "max(r.start_time)",
} | {
    name: f"percentile_disc({share}) WITHIN GROUP (ORDER BY r.{column}) FILTER (WHERE {{used}})"
    for name, share, column in (
        ("median_tokens", 0.5, "total_tokens"),
        ("tokens_p99", 0.99, "total_tokens"),
        ("prompt_tokens_p50", 0.5, "prompt_tokens"),
        ("prompt_tokens_p99", 0.99, "prompt_tokens"),
        ("completion_tokens_p50", 0.5, "completion_tokens"),
        ("completion_tokens_p99", 0.99, "completion_tokens"),
        ("cost_p50", 0.5, "total_cost"),
        ("cost_p99", 0.99, "total_cost"),
    )
}
FIELDS = tuple(_EXPRESSIONS)
"""The figures of a set of runs; percentiles of latency and first token in seconds."""
OF_A_PROJECT = (
    *("run_count", "latency_p50", "latency_p99", "first_token_p50", "first_token_p99"),
    *("median_tokens", *sums.USAGE),
    *("error_rate", "streaming_rate", "last_run_start_time"),
)


def _aggregates(fields: Iterable[str], *, counted: str = "TRUE", used: str = "TRUE") -> str:
    """Return the SELECT list of `fields`, in their order."""
    return ", ".join(
        _EXPRESSIONS[name].format(
            counted=counted,
            used=used,
            latency=LATENCY.format(r="r"),
            first_token=UNTIL_FIRST.format(r="r"),
        )
        for name in fields
    )


# Of a project: traces are counted, and tokens only where they are spent, as a parent's may
# repeat those of its children.
_PROJECT = _aggregates(OF_A_PROJECT, counted="r.parent_run_id IS NULL", used="r.run_type = 'llm'")
_ZERO = frozenset({"run_count", "prompt_tokens", "completion_tokens", "total_tokens"})
NOTHING: dict[str, Any] = {name: 0 if name in _ZERO else None for name in OF_A_PROJECT}


def of_projects(
    workspace_id: int,
    ids: Iterable[int],
    *,
    since: datetime | None = None,
    only: Node | None = None,
) -> dict[int, dict[str, Any]]:
    """Return the statistics of each project (internal id), NOTHING for one without runs.

    `run_count`, `latency_p50`, `latency_p99` (s) and `error_rate` [0, 1] are of root runs; tokens,
    costs (US dollars), `first_token_p50`, `first_token_p99` (s) and `streaming_rate` of llm runs;
    `last_run_start_time` of any. `since` leaves earlier runs out, `only` those that the filter does
    not match. One query. Raises TooSlow.
    """
    project_ids = list(ids)
    stats = {project_id: dict(NOTHING) for project_id in project_ids}
    if not project_ids:
        return stats
    runs = chosen_of_projects(workspace_id, project_ids, since=since, only=only)
    # A project's own index bounds the query; a client's filter may not.
    with bounded() if only is not None else nullcontext(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.project_id, {_PROJECT} FROM {runs.source} WHERE {runs.condition}"
            " GROUP BY r.project_id",
            runs.params,
        )
        for project_id, *row in cursor.fetchall():
            stats[project_id] = dict(zip(OF_A_PROJECT, row, strict=True))
    return stats


# A root without tokens or cost of its own spent what the llm runs of its trace did.
_ROOTS = f"""(
    SELECT root.*, below.* FROM (SELECT * FROM runs_run r WHERE {{condition}}) root, LATERAL (
        SELECT {sums.usage("run.", suffix="_below")}
        FROM runs_run run
        WHERE run.workspace_id = root.workspace_id AND run.trace_id = root.id
            AND run.id <> root.id AND run.run_type = 'llm' AND root.run_type <> 'llm'
            AND (root.total_tokens IS NULL OR root.total_cost IS NULL)
    ) below
)"""


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Group runs by `attribute`; `path` is the metadata's key. At most `max_groups` groups.

    `labels` limits the groups; None among them stands for runs without the attribute, which are
    left out otherwise.
    """

    attribute: Attribute
    path: str = ""
    max_groups: int = MAX_GROUPS
    labels: Sequence[str | None] | None = None


@dataclass(frozen=True)
class Chosen:
    """The runs of a query as a FROM, `{source} r WHERE {condition}`, and the label of each."""

    source: str
    condition: str
    params: list[Any]
    label: str = "NULL::text"
    sums_traces: bool = False

    def rows(self) -> SQL:
        """Return the statement of their ids, labels, projects and threads, columns chosen_*."""
        return (
            f"SELECT r.id AS chosen_id, {self.label} AS chosen_label,"
            " r.project_id AS chosen_project, r.thread_id AS chosen_thread,"
            " r.name AS chosen_name, r.run_type AS chosen_type, r.status AS chosen_status,"
            f" r.tags AS chosen_tags FROM {self.source} WHERE {self.condition}",
            self.params,
        )


def chosen(
    workspace: Workspace,
    run_query: RunQuery,
    grouping: Grouping | None = None,
    *,
    with_sums: bool = False,
) -> Chosen:
    """Return the runs that match `run_query` (without its page), labelled by `grouping`.

    With `with_sums`, for roots only (`is_root`), tokens and costs are summed from below, as on
    reading them. In any other set they are the runs' own, since it may hold a run and its parent.
    """
    condition, params = _where(workspace, run_query)
    sums_traces = bool(run_query.is_root) and with_sums
    runs = "runs_run r"
    if sums_traces:
        runs, condition = f"{_ROOTS.format(condition=condition)} r", "TRUE"
    if grouping is None:
        return Chosen(runs, condition, params, sums_traces=sums_traces)
    label, beside, before = _label(grouping)
    # The label's parameter precedes those of the conditions, unless these are in the FROM.
    ordered = [*params, *before] if sums_traces else [*before, *params]
    if grouping.labels is None:
        condition += f" AND {label} IS NOT NULL"
    else:
        condition += f" AND ({label} = ANY(%s){_or_null(grouping, label)})"
        ordered.append([each for each in grouping.labels if each is not None])
    return Chosen(f"{runs}{beside}", condition, ordered, label, sums_traces)


def chosen_of_projects(
    workspace_id: int,
    ids: Sequence[int],
    *,
    since: datetime | None = None,
    only: Node | None = None,
) -> Chosen:
    """Return the runs of projects (internal ids), labelled by the project's id as text."""
    parts: list[SQL] = [
        ("r.workspace_id = %s AND r.project_id = ANY(%s)", [workspace_id, list(ids)])
    ]
    if since is not None:
        parts.append(("r.start_time >= %s", [since]))
    if only is not None:
        parts.append(where(only))
    return Chosen(
        "runs_run r",
        " AND ".join(sql for sql, _ in parts),
        [param for _, params in parts for param in params],
        "r.project_id::text",
    )


def _label(grouping: Grouping) -> tuple[str, str, list[Any]]:
    """Return (label, join, parameters)."""
    if grouping.attribute == "tag":
        return (
            "tag.label",
            " LEFT JOIN LATERAL (SELECT DISTINCT unnest(r.tags) AS label) tag ON TRUE",
            [],
        )
    if grouping.attribute == "metadata":
        return "value.label", ", LATERAL (SELECT r.metadata ->> %s AS label) value", [grouping.path]
    return f"r.{grouping.attribute}", "", []


def _or_null(grouping: Grouping, label: str) -> str:
    return f" OR {label} IS NULL" if None in (grouping.labels or ()) else ""


def of_runs(
    workspace: Workspace, run_query: RunQuery, fields: Sequence[str] = FIELDS
) -> dict[str, Any]:
    """Return `fields` of exactly the runs that match `run_query`. Raises TooSlow."""
    return next(iter(_counted(workspace, run_query, fields, None).values()))


def grouped(
    workspace: Workspace, run_query: RunQuery, grouping: Grouping, fields: Sequence[str] = FIELDS
) -> dict[str | None, dict[str, Any]]:
    """Return `fields` by name, run_type, tag or the metadata under a path. Raises TooSlow.

    Most frequent groups first; a run with several tags counts in each. `group_count`, always
    present, is the number of groups before `max_groups`.
    """
    return _counted(workspace, run_query, fields, grouping)


def _counted(
    workspace: Workspace, run_query: RunQuery, fields: Sequence[str], grouping: Grouping | None
) -> dict[str | None, dict[str, Any]]:
    runs = chosen(workspace, run_query, grouping, with_sums=True)
    aggregates = _aggregates(fields) or "NULL"
    if runs.sums_traces:
        for name in sums.USAGE:
            aggregates = aggregates.replace(f"r.{name}", f"coalesce(r.{name}, r.{name}_below)")
    names, label, ending, params = tuple(fields), "NULL", "", list(runs.params)
    if grouping is not None:
        label, names = runs.label, ("group_count", *fields)
        aggregates = f"count(*) OVER (), {aggregates}"
        ending = f" GROUP BY {label} ORDER BY count(*) DESC, {label} LIMIT %s"
        params.append(max(0, min(grouping.max_groups, MAX_GROUPS)))
    with bounded(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {label}, {aggregates} FROM {runs.source} WHERE {runs.condition}{ending}",
            params,
        )
        return {name: dict(zip(names, row, strict=False)) for name, *row in cursor.fetchall()}


def _where(workspace: Workspace, run_query: RunQuery) -> SQL:
    if run_query.ids is not None:
        return "r.workspace_id = %s AND r.id = ANY(%s)", [workspace.pk, list(run_query.ids)]
    condition, params = conditions(workspace, run_query)
    return (
        f"r.project_id = ANY(%s) AND {condition}",
        [project_ids(workspace, run_query), *params],
    )


# Facets: values to narrow the set down by -- ----------------------------------------------------

MAX_FACETS = 10
# A run stands once under each label, so that its rows can be counted without looking at ids.
_FACETS = """
WITH chosen AS MATERIALIZED ({chosen}), plain AS (
    SELECT chosen_label, chosen_name, chosen_type, chosen_status, count(*) AS n
    FROM chosen GROUP BY 1, 2, 3, 4
), counted AS (
    SELECT chosen_label, 'name' AS key, chosen_name AS value, sum(n)::bigint AS n
    FROM plain GROUP BY 1, 3
    UNION ALL SELECT chosen_label, 'run_type', chosen_type, sum(n)::bigint FROM plain GROUP BY 1, 3
    UNION ALL SELECT chosen_label, 'status', chosen_status, sum(n)::bigint FROM plain GROUP BY 1, 3
    UNION ALL SELECT chosen_label, 'tag', each.tag, count(*)
    FROM chosen, LATERAL (SELECT DISTINCT unnest(chosen_tags) AS tag) each GROUP BY 1, 3
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY chosen_label, key ORDER BY n DESC, value) AS place
    FROM counted WHERE value IS NOT NULL
)
SELECT chosen_label, key, value, n FROM ranked WHERE place <= %s
ORDER BY chosen_label, array_position(ARRAY['name', 'run_type', 'status', 'tag'], key), place
"""


def facets(runs: Chosen) -> dict[str | None, list[dict[str, Any]]]:
    """Return by label the MAX_FACETS commonest names, run types, states and tags of the runs.

    Each is `{key, value, n, query}`: how many runs have it, and the filter that matches them.
    Raises TooSlow.
    """
    sql, params = runs.rows()
    facets_by_label: dict[str | None, list[dict[str, Any]]] = {}
    with bounded(), connection.cursor() as cursor:
        cursor.execute(_FACETS.format(chosen=sql), [*params, MAX_FACETS])
        for label, key, value, n in cursor.fetchall():
            text = json.dumps(value, ensure_ascii=False)
            query = f"has(tags, {text})" if key == "tag" else f"eq({key}, {text})"
            facet = {"key": key, "value": value, "n": n, "query": query}
            facets_by_label.setdefault(label, []).append(facet)
    return facets_by_label
