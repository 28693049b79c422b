"""Comparisons: experiments of one dataset, with feedback against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction

from datasets_app.models import Comparison, Dataset
from observatory.feedback.models import Feedback
from observatory.feedback.sealed import readable
from observatory.runs import sums
from observatory.runs.models import Project

Stats = dict[str, dict[str, Any]]


class UnknownExperiment(Exception):
    """No such experiment of the dataset in the workspace."""


class IdTaken(Exception):
    """The workspace has a comparison with that id already."""


@transaction.atomic
def create(
    dataset: Dataset,
    experiments: Sequence[UUID],
    *,
    now: datetime,
    uuid: UUID | None = None,
    name: str = "",
    description: str | None = None,
    extra: dict[str, Any] | None = None,
    created_at: datetime | None = None,
) -> Comparison:
    """Store a comparison of `experiments`, in this order; `created_at` defaults to `now`.

    Raises UnknownExperiment and IdTaken.
    """
    projects = {
        project.uuid: project
        for project in Project.objects.filter(
            workspace=dataset.workspace_id,
            uuid__in=experiments,
            reference_dataset_id=dataset.uuid,
        )
    }
    if missing := set(experiments) - projects.keys():
        raise UnknownExperiment(str(min(missing)))
    comparison = Comparison(
        workspace_id=dataset.workspace_id,
        dataset=dataset,
        uuid=uuid or uuid4(),
        name=name,
        description=description,
        extra=extra,
        created_at=created_at or now,
        modified_at=now,
        order=list(experiments),
    )
    try:
        with transaction.atomic():
            comparison.save(force_insert=True)
    except IntegrityError:
        raise IdTaken(str(comparison.uuid)) from None
    comparison.projects.set([projects[experiment] for experiment in experiments])
    return comparison


@transaction.atomic
def remove(comparison: Comparison) -> None:
    """Delete a comparison and its feedback; the runs keep their own feedback."""
    Feedback.objects.filter(
        workspace=comparison.workspace, comparative_experiment_id=comparison.uuid
    ).delete()
    comparison.delete()


_STATS = f"""
SELECT {{subject}}, key, count(*), {sums.mean("score")}, min(score), max(score),
    {sums.mean("score", aggregate="stddev_pop")},
    array_remove(array_agg(DISTINCT source_type::text), NULL)
FROM feedback_feedback
WHERE workspace_id = %s AND {{condition}} AND {{readable}}
GROUP BY 1, key ORDER BY 1, key
"""


def _stats(subject: str, condition: str, params: list[Any]) -> dict[UUID, Stats]:
    stats_by_id: dict[UUID, Stats] = {}
    with connection.cursor() as cursor:
        sql = _STATS.format(subject=subject, condition=condition, readable=readable())
        cursor.execute(sql, params)
        for about, key, n, avg, low, high, stdev, sources in cursor.fetchall():
            stats_by_id.setdefault(about, {})[key] = {
                "n": n,
                "avg": avg,
                "min": low,
                "max": high,
                "stdev": stdev,
                "values": {},
                "comments": [],
                "sources": sources,
            }
    return stats_by_id


def feedback_stats(workspace_id: int, comparisons: Iterable[UUID]) -> dict[UUID, Stats]:
    """Return `{comparison: {key: {n, avg, min, max, stdev, ..}}}`, in one query."""
    return _stats(
        "comparative_experiment_id",
        "comparative_experiment_id = ANY(%s)",
        [workspace_id, list(comparisons)],
    )


def run_stats(workspace_id: int, comparison: UUID, run_ids: Sequence[UUID]) -> dict[UUID, Stats]:
    """Return the statistics of `comparison` for each run."""
    return _stats(
        "run_id",
        "comparative_experiment_id = %s AND run_id = ANY(%s)",
        [workspace_id, comparison, list(run_ids)],
    )
