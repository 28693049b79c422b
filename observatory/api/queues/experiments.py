"""Experiments into annotation queues: their runs one by one, or against each other in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import item_subjects, queue_items
from datasets_app import comparisons
from datasets_app.models import Comparison, Dataset
from observatory.feedback import judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.runs.models import Project
from observatory.workspaces.models import User, Workspace

MAX_EXPERIMENTS = 20


def chosen(workspace: Workspace, raw: Any, *, is_pairwise: bool) -> list[Project]:
    """Return the experiments that `session_ids` names, in that order. Raises InvalidFeedback."""
    if not isinstance(raw, list) or len(raw) > MAX_EXPERIMENTS:
        most = f"must be an array of at most {MAX_EXPERIMENTS} ids"
        raise InvalidFeedback("session_ids", most)
    ids = [
        uuid
        for place, one in enumerate(raw)
        if (uuid := judgement.parse_uuid(f"session_ids.{place}", one)) is not None
    ]
    found = {
        project.uuid: project
        for project in Project.objects.filter(
            workspace=workspace, uuid__in=ids, reference_dataset_id__isnull=False
        )
    }
    for place, uuid in enumerate(ids):
        if uuid not in found:
            raise InvalidFeedback(f"session_ids.{place}", "names no experiment on a dataset")
    projects = [found[uuid] for uuid in dict.fromkeys(ids)]
    if is_pairwise and len(projects) < 2:
        raise InvalidFeedback("session_ids", "a pairwise queue needs two experiments or more")
    if is_pairwise and len({project.reference_dataset_id for project in projects}) > 1:
        raise InvalidFeedback("session_ids", "must be experiments on one dataset")
    return projects


def populate(queue: AnnotationQueue, projects: Sequence[Project], *, added_by: User | None) -> int:
    """Fill a queue from experiments and return how many items those are; each is there once.

    Its transaction is the caller's.

    Single: every root run on an example. Pairwise: for every two experiments the runs of each
    example, as pairs of one comparative experiment.
    """
    now = timezone.now()
    more: dict[str, Any] = {"source": QueueItem.Source.API, "now": now, "added_by": added_by}
    if queue.queue_type == AnnotationQueue.QueueType.SINGLE:
        run_ids = item_subjects.runs_of_experiments(queue.workspace, projects)
        return len(queue_items.add_runs(queue, run_ids, **more))
    pairs = item_subjects.pairs_of(queue.workspace, projects)
    comparison = _comparison(queue, projects)
    return len(item_subjects.add(queue, pairs, comparison_id=comparison, **more))


def _comparison(queue: AnnotationQueue, projects: Sequence[Project]) -> UUID | None:
    """Return the comparative experiment of these projects: the newest, else a new one."""
    wanted = {project.pk for project in projects}
    datasets: list[Any] = [project.reference_dataset_id for project in projects]
    dataset = Dataset.objects.filter(workspace=queue.workspace, uuid__in=datasets).first()
    if dataset is None:  # deleted since: the queue stands for it
        return None
    known = Comparison.objects.filter(dataset=dataset, projects__in=wanted).distinct()
    for comparison in known.prefetch_related("projects").order_by("-created_at"):
        if {project.pk for project in comparison.projects.all()} == wanted:
            return comparison.uuid
    uuids = [project.uuid for project in projects]
    made = comparisons.create(dataset, uuids, now=timezone.now(), name=queue.name)
    return made.uuid
