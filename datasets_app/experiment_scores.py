"""The scores of experiments by example, read from the database in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_app.models import Dataset
from observatory.db import prepared
from observatory.feedback.sealed import readable
from observatory.runs import search
from observatory.runs.models import Project
from observatory.runs.sums import MAX_AVERAGED

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
MAX_KEYS = 50
"""Keys that are compared at once: those with the most scores."""


@dataclass(frozen=True, slots=True)
class KeyScores:
    """The scores under one key, each array of shape (n_experiments, n_examples).

    `n` counts runs with a score, `total` is the sum of their scores.
    """

    n: Counts
    total: Floats


@dataclass(frozen=True, slots=True)
class Scores:
    """The root runs of experiments by example, and their scores by key.

    Rows are the experiments, in the order they were asked for; columns the examples (their primary
    keys, ascending) that at least one of them ran. `n_keys` also counts keys beyond MAX_KEYS.
    """

    projects: list[Project]
    examples: Counts
    n_runs: Counts
    n_failed: Counts
    by_key: dict[str, KeyScores]
    n_keys: int

    def means(self, key: str) -> Floats:
        """Return each example's mean over its repetitions, nan where it has no score."""
        scores = self.by_key[key]
        n, total = scores.n, scores.total
        means: Floats = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
        return means


# Trials, and the score of each under each key: the mean of what judges gave it.
_SCORES = f"""
WITH trial AS MATERIALIZED (
    SELECT r.id, r.project_id, e.id AS example, r.error IS NOT NULL AS is_failed
    FROM runs_run r JOIN datasets_example e
        ON e.workspace_id = r.workspace_id AND e.uuid = r.reference_example_id
    WHERE r.workspace_id = %(workspace)s AND r.project_id = ANY(%(projects)s::int[])
        AND r.parent_run_id IS NULL AND e.dataset_id = %(dataset)s
), score AS (
    SELECT t.project_id, t.example, f.key, avg(f.score) AS score
    FROM trial t JOIN feedback_feedback f
        ON f.workspace_id = %(workspace)s AND f.run_id = t.id
    WHERE f.project_id = ANY(%(projects)s::int[]) AND abs(f.score) <= {MAX_AVERAGED!r}
        AND f.comparative_experiment_id IS NULL AND {readable("f")}
    GROUP BY t.project_id, t.example, t.id, f.key
)
SELECT project_id, example, NULL AS key, count(*), count(*) FILTER (WHERE is_failed), 0.0
FROM trial GROUP BY project_id, example
UNION ALL
SELECT project_id, example, key, count(*), 0, sum(score)
FROM score GROUP BY project_id, example, key
"""


def read(dataset: Dataset, projects: Sequence[Project]) -> Scores:
    """Return the scores of experiments of `dataset` under every key, in one query.

    Several scores of one run under one key (a judge that was called three times) are one: their
    mean. Feedback that is still hidden by blind reviewing, feedback of comparisons and scores
    beyond MAX_AVERAGED are left out. Raises search.TooSlow.
    """
    parameters: dict[str, Any] = {
        "workspace": dataset.workspace_id,
        "dataset": dataset.pk,
        "projects": [project.pk for project in projects],
    }
    with search.bounded(), prepared.cursor() as cursor:
        cursor.execute(_SCORES, parameters)
        rows = cursor.fetchall()
    return _arranged(list(projects), rows)


def _arranged(projects: list[Project], rows: list[tuple[Any, ...]]) -> Scores:
    row_of = {project.pk: row for row, project in enumerate(projects)}
    examples = np.unique(np.array([row[1] for row in rows], dtype=np.int64))
    shape = (len(projects), examples.size)
    by_key: dict[str | None, list[tuple[Any, ...]]] = {None: []}
    for row in rows:
        by_key.setdefault(row[2], []).append(row)

    def grid(chosen: list[tuple[Any, ...]], column: int, dtype: Any) -> NDArray[Any]:
        values = np.zeros(shape, dtype=dtype)
        if chosen:
            at = (
                [row_of[row[0]] for row in chosen],
                np.searchsorted(examples, [row[1] for row in chosen]),
            )
            values[at] = [row[column] for row in chosen]
        return values

    runs = by_key.pop(None)
    by_size = sorted(by_key, key=lambda key: (-len(by_key[key]), str(key)))
    return Scores(
        projects,
        examples,
        grid(runs, 3, np.int64),
        grid(runs, 4, np.int64),
        {
            str(key): KeyScores(
                grid(by_key[key], 3, np.int64),
                grid(by_key[key], 5, np.float64),
            )
            for key in sorted(by_size[:MAX_KEYS], key=str)
        },
        len(by_key),
    )
