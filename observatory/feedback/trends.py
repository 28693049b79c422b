"""A feedback key over time: how much, how good on average, which share is positive, by day.

Positive means above the middle of the key's scale, in the direction the workspace declared:
where lower is better, below it. The scale is the declared one, else the one sent with the
feedback, else 0 to 1. A score that has no place on its scale counts and is not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from observatory.feedback import attributes
from observatory.feedback.models import FeedbackConfig
from observatory.workspaces.models import Workspace

MAX_KEYS = 12
MAX_WORDS = 8
NOT_JUDGEMENTS: Final = (attributes.TIMESTAMP, attributes.STATUS)
"""Keys that say something about the feedback or the run, not how good the run was."""


@dataclass(frozen=True)
class Figures:
    """Of one key in some time. `n` counts feedback, `n_scored` those with a score.

    `mean` is of the scores as they were given. `n_placed` counts the scores that lie on their
    scale, `n_positive` those above its middle; `level` is their mean place, 1 is best.
    """

    n: int
    n_scored: int = 0
    mean: float | None = None
    n_placed: int = 0
    n_positive: int = 0
    level: float | None = None

    @property
    def share_positive(self) -> float | None:
        return self.n_positive / self.n_placed if self.n_placed else None


@dataclass(frozen=True)
class Trend:
    """A key: its figures over the whole window, day by day (UTC), and its commonest words."""

    key: str
    whole: Figures
    days: dict[date, Figures]
    is_lower_better: bool = False
    words: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which feedback: given in [since, until), of runs, comparative feedback never.

    `project` is an internal id. `without` are the uuids of reviews that must not be counted.
    """

    since: datetime
    until: datetime
    project: int | None = None
    key: str | None = None
    source: str | None = None
    without: Sequence[str] = ()


# Halved before subtracting, as in scales.normalise: the width of a scale may be no float.
_FIGURES = """
WITH declared AS (
    SELECT * FROM unnest(%(keys)s::text[], %(lows)s::float8[], %(highs)s::float8[],
                         %(lower)s::boolean[]) d(key, low, high, is_lower_better)
), f AS (
    SELECT f.key, (f.created_at AT TIME ZONE 'UTC')::date AS day, f.score,
        coalesce(d.is_lower_better, false) AS is_lower_better,
        CASE WHEN d.key IS NOT NULL THEN d.low
             WHEN f.config IS NULL OR f.config = 'null' THEN 0
             WHEN f.config ->> 'type' = 'continuous' THEN (f.config ->> 'min')::float8
             WHEN jsonb_typeof(f.config -> 'categories') = 'array' THEN (
                SELECT min((c ->> 'value')::float8)
                FROM jsonb_array_elements(f.config -> 'categories') c) END AS low,
        CASE WHEN d.key IS NOT NULL THEN d.high
             WHEN f.config IS NULL OR f.config = 'null' THEN 1
             WHEN f.config ->> 'type' = 'continuous' THEN (f.config ->> 'max')::float8
             WHEN jsonb_typeof(f.config -> 'categories') = 'array' THEN (
                SELECT max((c ->> 'value')::float8)
                FROM jsonb_array_elements(f.config -> 'categories') c) END AS high
    FROM feedback_feedback f LEFT JOIN declared d ON d.key = f.key
    WHERE {condition}
), placed AS (
    SELECT key, day, score, is_lower_better,
        CASE WHEN low < high AND score BETWEEN low AND high
             THEN (score / 2 - low / 2) / (high / 2 - low / 2) END AS place
    FROM f
), judged AS (
    SELECT key, day, score, CASE WHEN is_lower_better THEN 1 - place ELSE place END AS level
    FROM placed
)
SELECT key, day, count(*), count(score),
    avg(score) FILTER (WHERE abs(score) <= 1e150), count(level),
    count(*) FILTER (WHERE level > 0.5), avg(level)
FROM judged GROUP BY GROUPING SETS ((key), (key, day)) ORDER BY key, day NULLS FIRST
"""
_WORDS = """
SELECT key, word, n FROM (
    SELECT key, word, count(*) AS n,
        row_number() OVER (PARTITION BY key ORDER BY count(*) DESC, word) AS place
    FROM (SELECT f.key, left(f.value #>> '{{}}', 60) AS word FROM feedback_feedback f
          WHERE {condition} AND f.key = ANY(%(shown)s)
            AND jsonb_typeof(f.value) IN ('string', 'boolean')) said
    GROUP BY key, word
) counted WHERE place <= %(n_words)s ORDER BY key, place
"""


def read(workspace: Workspace, window: Window, *, max_keys: int = MAX_KEYS) -> list[Trend]:
    """Return the keys with the most feedback in the window, at most `max_keys`, as trends.

    Three queries. `NOT_JUDGEMENTS` are left out unless `window.key` names one.
    """
    declared = list(FeedbackConfig.objects.filter(workspace=workspace))
    condition, parameters = _condition(workspace, window)
    ends = [_ends(config.config) for config in declared]
    parameters |= {
        "keys": [config.key for config in declared],
        "lows": [low for low, _ in ends],
        "highs": [high for _, high in ends],
        "lower": [config.is_lower_score_better for config in declared],
    }
    wholes: dict[str, Figures] = {}
    days: dict[str, dict[date, Figures]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES.format(condition=condition), parameters)
        for key, day, *figures in cursor.fetchall():
            if day is None:
                wholes[key] = Figures(*figures)
            else:
                days.setdefault(key, {})[day] = Figures(*figures)
        shown = sorted(wholes, key=lambda key: (-wholes[key].n, key))[:max_keys]
        words: dict[str, list[tuple[str, int]]] = {}
        cursor.execute(
            _WORDS.format(condition=condition),
            parameters | {"shown": shown, "n_words": MAX_WORDS},
        )
        for key, word, n in cursor.fetchall():
            words.setdefault(key, []).append((word, n))
    lower = {config.key for config in declared if config.is_lower_score_better}
    return [Trend(key, wholes[key], days[key], key in lower, words.get(key, [])) for key in shown]


def keys(workspace: Workspace, window: Window) -> list[str]:
    """Return every key with feedback in the window, whatever `window.key` says, by name."""
    every = Window(
        since=window.since,
        until=window.until,
        project=window.project,
        source=window.source,
        without=window.without,
    )
    condition, parameters = _condition(workspace, every)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT f.key FROM feedback_feedback f WHERE {condition} ORDER BY f.key",
            parameters,
        )
        return [row[0] for row in cursor.fetchall()]


def _condition(workspace: Workspace, window: Window) -> tuple[str, dict[str, Any]]:
    parts = [
        "f.workspace_id = %(workspace)s",
        "f.created_at >= %(since)s AND f.created_at < %(until)s",
        "f.run_id IS NOT NULL AND f.comparative_experiment_id IS NULL",
    ]
    if window.project is not None:
        parts.append("f.project_id = %(project)s")
    if window.key is None:
        parts.append("f.key <> ALL(%(not_judgements)s)")
    else:
        parts.append("f.key = %(key)s")
    if window.source is not None:
        parts.append("f.source_type = %(source)s")
    if window.without:
        parts.append("coalesce(f.extra ->> 'review', '') <> ALL(%(without)s)")
    return " AND ".join(parts), {
        "workspace": workspace.pk,
        "since": window.since,
        "until": window.until,
        "project": window.project,
        "key": window.key,
        "source": window.source,
        "without": list(window.without),
        "not_judgements": list(NOT_JUDGEMENTS),
    }


def _ends(config: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return the two ends of a declared scale; None where it has none."""
    if config["type"] == "continuous":
        return config.get("min"), config.get("max")
    values = [category["value"] for category in config.get("categories") or []]
    if config["type"] != "categorical" or not values:
        return None, None
    return min(values), max(values)
