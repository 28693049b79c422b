"""A feedback key over time: number, mean and positive share, by day.

Every score is read on the scale stored with it; else on the one declared for its key now, else on
the one sent with it, else from 0 to 1. On a scale with an order, positive means above its middle,
in the declared direction: where lower is better, below it. A nominal scale has no better end: its
answers are counted, each as a share. A score outside its scale counts, but is neither positive nor
negative.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.db import connection
from psycopg.types.json import Jsonb

from observatory.feedback import attributes, scales, sources
from observatory.feedback.models import FeedbackConfig
from observatory.feedback.sealed import readable
from observatory.feedback.summary import short
from observatory.runs import sums
from observatory.workspaces.models import Workspace

MAX_KEYS = 12
MAX_WORDS = 8
MAX_WORD = 60  # characters
NOT_JUDGEMENTS: Final = (attributes.TIMESTAMP, attributes.STATUS)
"""Keys that say something about the feedback or the run, not how good the run was."""


@dataclass(frozen=True)
class Figures:
    """The figures of a key in some time. `n` counts feedback, `n_scored` those with a score.

    `mean` is of the raw scores. `n_placed` counts the scores on a scale with an order, `n_positive`
    those above its middle; `level` is their mean place, 1 is best.
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
class Share:
    """How often one answer of a nominal scale was given."""

    label: str
    n: int
    of: int

    @property
    def share(self) -> float:
        return self.n / self.of


@dataclass(frozen=True)
class Trend:
    """A key: its figures over the whole window, day by day (UTC), and its commonest words.

    `shares` are the answers on nominal scales in the order of the scale, `days_shares` the same
    by day, in the same order.
    """

    key: str
    whole: Figures
    days: dict[date, Figures]
    is_lower_better: bool = False
    words: list[tuple[str, int]] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    days_shares: dict[date, list[Share]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which feedback to count: given in [since, until), on runs, never comparative.

    `project` is an internal id. Feedback that is hidden by blind reviewing is not counted.
    """

    since: datetime
    until: datetime
    project: int | None = None
    key: str | None = None
    source: str | None = None


# Differences below float8's range count as zero: PostgreSQL refuses to underflow. Halved
# before subtracting, as in scales.normalise: the width of a scale may be no float.
_JUDGED = """
WITH declared AS (
    SELECT * FROM unnest(%(keys)s::text[], %(scales)s::jsonb[]) d(key, scale)
), f AS (
    SELECT f.id, f.key, (f.created_at AT TIME ZONE 'UTC')::date AS day, f.score, f.value,
        coalesce((f.scale ->> 'is_lower_score_better')::boolean,
                 (d.scale ->> 'is_lower_score_better')::boolean, false) AS is_lower_better,
        coalesce(nullif(f.scale, 'null'), d.scale, nullif(f.config, 'null'),
                 '{{"type": "continuous", "min": 0, "max": 1}}') AS scale
    FROM feedback_feedback f LEFT JOIN declared d ON d.key = f.key
    WHERE {condition}
), ends AS (
    SELECT f.*, c.n_categories,
        CASE scale ->> 'type' WHEN 'continuous' THEN (scale ->> 'min')::float8
             WHEN 'categorical' THEN c.low END AS low,
        CASE scale ->> 'type' WHEN 'continuous' THEN (scale ->> 'max')::float8
             WHEN 'categorical' THEN c.high END AS high,
        coalesce(c.label, f.value #>> '{{}}', f.score::text) AS label
    FROM f LEFT JOIN LATERAL (
        SELECT count(*) AS n_categories, min((c ->> 'value')::float8) AS low,
            max((c ->> 'value')::float8) AS high,
            min(c ->> 'label') FILTER (WHERE (c ->> 'value')::float8 = f.score) AS label
        FROM jsonb_array_elements(CASE WHEN jsonb_typeof(scale -> 'categories') = 'array'
                                       THEN scale -> 'categories' ELSE '[]' END) c
    ) c ON scale ->> 'type' = 'categorical'
), kinds AS (
    SELECT ends.*, score IS NOT NULL AND scale ->> 'type' = 'categorical' AND CASE
        WHEN scale ->> 'level' IS NOT NULL THEN scale ->> 'level' = 'nominal'
        ELSE n_categories > 2 AND NOT is_lower_better END AS is_nominal,
        CASE WHEN abs(score) < 1e-290 THEN 0 ELSE score END / 2
            - CASE WHEN abs(low) < 1e-290 THEN 0 ELSE low END / 2 AS above,
        CASE WHEN abs(high) < 1e-290 THEN 0 ELSE high END / 2
            - CASE WHEN abs(low) < 1e-290 THEN 0 ELSE low END / 2 AS width
    FROM ends
), placed AS (
    SELECT kinds.*, CASE WHEN NOT is_nominal AND score BETWEEN low AND high AND width > 1e-290
        THEN CASE WHEN above <= width * 1e-15 THEN 0 ELSE above / width END END AS place
    FROM kinds
), judged AS (
    SELECT placed.*, CASE WHEN is_lower_better THEN 1 - place ELSE place END AS level
    FROM placed
)
"""
_FIGURES = (
    _JUDGED
    + """
SELECT key, day, bool_or(is_lower_better), count(*), count(score),
    {mean}, count(level),
    count(*) FILTER (WHERE level > 0.5), avg(level)
FROM judged GROUP BY GROUPING SETS ((key), (key, day)) ORDER BY key, day NULLS FIRST
"""
)
_SHARES = (
    _JUDGED
    + """
SELECT key, day, label, count(*), min(score)
FROM (SELECT key, day, score, {shown} AS label FROM judged
      WHERE is_nominal AND key = ANY(%(shown)s)) said
GROUP BY GROUPING SETS ((key, label), (key, day, label))
ORDER BY key, day NULLS FIRST, min(score), label
"""
)
_WORDS = """
SELECT key, word, n FROM (
    SELECT key, word, count(*) AS n,
        row_number() OVER (PARTITION BY key ORDER BY count(*) DESC, word) AS place
    FROM (SELECT f.key, {word} AS word FROM feedback_feedback f
          WHERE {condition} AND f.key = ANY(%(shown)s)
            AND jsonb_typeof(f.value) IN ('string', 'boolean')) said
    GROUP BY key, word
) counted WHERE place <= %(n_words)s ORDER BY key, place
"""


def read(workspace: Workspace, window: Window, *, max_keys: int = MAX_KEYS) -> list[Trend]:
    """Return the keys with the most feedback in the window, at most `max_keys`, as trends.

    Four queries. `NOT_JUDGEMENTS` are left out unless `window.key` names one.
    """
    condition, parameters = _condition(workspace, window)
    declared = FeedbackConfig.objects.filter(workspace=workspace)
    kept = {
        config.key: scales.kept(config.config, is_lower_better=config.is_lower_score_better)
        for config in declared
    }
    parameters |= {"keys": list(kept), "scales": [Jsonb(scale) for scale in kept.values()]}
    wholes: dict[str, Figures] = {}
    days: dict[str, dict[date, Figures]] = {}
    lower: set[str] = set()
    words: dict[str, list[tuple[str, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES.format(condition=condition, mean=sums.mean("score")), parameters)
        for key, day, is_lower_better, *figures in cursor.fetchall():
            if day is None:
                wholes[key] = Figures(*figures)
                lower |= {key} if is_lower_better else set()
            else:
                days.setdefault(key, {})[day] = Figures(*figures)
        shown = sorted(wholes, key=lambda key: (-wholes[key].n, key))[:max_keys]
        parameters |= {"shown": shown, "n_words": MAX_WORDS}
        word = short("f.value #>> '{}'", MAX_WORD)
        cursor.execute(_WORDS.format(condition=condition, word=word), parameters)
        for key, word, n in cursor.fetchall():
            words.setdefault(key, []).append((word, n))
        label = short("label", MAX_WORD)
        cursor.execute(_SHARES.format(condition=condition, shown=label), parameters)
        shares, days_shares = _shares(cursor.fetchall())
    return [
        Trend(
            key,
            wholes[key],
            days[key],
            key in lower,
            words.get(key, []),
            shares.get(key, []),
            days_shares.get(key, {}),
        )
        for key in shown
    ]


def _shares(
    rows: Iterable[tuple[str, date | None, str, int, float]],
) -> tuple[dict[str, list[Share]], dict[str, dict[date, list[Share]]]]:
    """Return the shares of each key, and of each key by day with every answer of the key."""
    counts: dict[tuple[str, date | None], dict[str, int]] = {}
    for key, day, label, n, _ in rows:
        counts.setdefault((key, day), {})[label] = n
    whole: dict[str, list[Share]] = {}
    by_day: dict[str, dict[date, list[Share]]] = {}
    for (key, day), of in counts.items():  # a key's whole comes before its days
        total = sum(of.values())
        labels = of if day is None else [share.label for share in whole[key]]
        shares = [Share(label, of.get(label, 0), total) for label in labels]
        if day is None:
            whole[key] = shares
        else:
            by_day.setdefault(key, {})[day] = shares
    return whole, by_day


def keys(workspace: Workspace, window: Window) -> list[str]:
    """Return every key with feedback in the window, ignoring `window.key`, by name."""
    every = Window(
        since=window.since,
        until=window.until,
        project=window.project,
        source=window.source,
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
        readable("f"),
    ]
    if window.project is not None:
        parts.append("f.project_id = %(project)s")
    if window.key is None:
        parts.append("f.key <> ALL(%(not_judgements)s)")
    else:
        parts.append("f.key = %(key)s")
    if window.source is not None:
        parts.append(sources.given_by(window.source))
    return " AND ".join(parts), {
        "workspace": workspace.pk,
        "since": window.since,
        "until": window.until,
        "project": window.project,
        "key": window.key,
        "source": window.source,
        "not_judgements": list(NOT_JUDGEMENTS),
    }
