"""Experiments: projects run over a dataset; their progress, and their runs by example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import item_subjects, queue_items
from datasets_app import comparisons, versions
from datasets_app.models import Comparison, Dataset, ExampleRevision, Experiment
from observatory.feedback.sealed import readable
from observatory.runs import search, sizes, sums
from observatory.runs.durations import LATENCY
from observatory.runs.filters.compile import SPENT
from observatory.runs.filters.grammar import Node
from observatory.runs.models import Project
from observatory.runs.paging import chunks
from observatory.runs.search import RunQuery, RunRow
from observatory.workspaces.models import User, Workspace

RANKS = {
    "latency": LATENCY.format(r="r"),
    "total_tokens": SPENT["total_tokens"].format(r="r"),
    "tokens": SPENT["total_tokens"].format(r="r"),
    "total_cost": SPENT["total_cost"].format(r="r"),
    "cost": SPENT["total_cost"].format(r="r"),
    "start_time": "extract(epoch from r.start_time)",
    "error": "(r.error IS NOT NULL)::int",
}
"""What examples are sorted by, besides `created_at` and `feedback.<key>`: the mean of the runs."""


@dataclass(frozen=True, slots=True)
class Place:
    """The position of an example in the requested order. `rank` is the mean to sort by."""

    rank: float | None
    created_at: datetime
    pk: int


@dataclass(frozen=True, kw_only=True)
class ExampleRunsQuery:
    """Which examples of which experiments, and their order. Filters are per experiment.

    `sort_by` is None (newest example first), `created_at`, a key of RANKS or `feedback.<key>`.
    """

    experiments: Sequence[UUID]
    filters: Mapping[UUID, Node | None] = field(default_factory=dict)
    example_ids: Sequence[UUID] | None = None
    sort_by: str | None = None
    is_ascending: bool = False
    offset: int = 0
    limit: int | None = None  # None: all
    after: Place | None = None  # only rows after the example at this position


@dataclass(frozen=True, slots=True)
class ExampleRuns:
    """An example at the experiment's version, and its root runs, oldest first."""

    revision: ExampleRevision
    runs: list[RunRow]
    place: Place


@dataclass(frozen=True, slots=True)
class Placed:
    """An example of a page by the key of its revision, with the ids of its root runs."""

    place: Place
    revision_pk: int
    run_ids: list[UUID]


def plan(project: Project, announced: Mapping[str, Any]) -> None:
    """Store the announced size of the experiment: n_examples, n_repetitions, evaluator_keys."""
    if announced:
        Experiment.objects.update_or_create(project=project, defaults=dict(announced))


_NUMBERS = """
SELECT id, place FROM (
    SELECT id, row_number() OVER (PARTITION BY reference_dataset_id ORDER BY start_time, id) place
    FROM runs_project WHERE workspace_id = %s AND reference_dataset_id = ANY(%s)
) numbered WHERE id = ANY(%s)
"""
_DONE = """
SELECT project_id, count(*) FROM runs_run
WHERE workspace_id = %s AND project_id = ANY(%s) AND parent_run_id IS NULL AND end_time IS NOT NULL
    AND reference_example_id IS NOT NULL
GROUP BY project_id
"""
_JUDGED = f"""
SELECT project_id, key, count(DISTINCT run_id) FROM feedback_feedback
WHERE project_id = ANY(%s) AND workspace_id = %s AND run_id IS NOT NULL AND is_root
    AND comparative_experiment_id IS NULL AND {readable()}
GROUP BY project_id, key
"""


def progress(workspace: Workspace, projects: Sequence[Project]) -> dict[int, dict[str, Any]]:
    """Return by project `test_run_number` (1 = the dataset's first) and `experiment_progress`.

    Projects that are not experiments are left out, and cost no query. Fractions are in [0, 1]: of
    the announced runs, how many ended, and how many have feedback under each key. None when an
    experiment announced no size. Four queries for any number.
    """
    experiments = {p.pk: p for p in projects if p.reference_dataset_id is not None}
    if not experiments:
        return {}
    pks = list(experiments)
    plans = {plan.project_id: plan for plan in Experiment.objects.filter(project__in=pks)}
    done: dict[int, int] = {}
    judged: dict[int, dict[str, int]] = {}
    with connection.cursor() as cursor:
        datasets = list({p.reference_dataset_id for p in experiments.values()})
        cursor.execute(_NUMBERS, [workspace.pk, datasets, pks])
        numbers = dict(cursor.fetchall())
        if plans:
            cursor.execute(_DONE, [workspace.pk, list(plans)])
            done = dict(cursor.fetchall())
            cursor.execute(_JUDGED, [list(plans), workspace.pk])
            for pk, key, n in cursor.fetchall():
                judged.setdefault(pk, {})[key] = n
    return {
        pk: {
            "test_run_number": numbers.get(pk),
            "experiment_progress": (
                _share(plans[pk], done.get(pk, 0), judged.get(pk, {})) if pk in plans else None
            ),
        }
        for pk in pks
    }


def _share(plan: Experiment, n_done: int, judged: Mapping[str, int]) -> dict[str, Any] | None:
    expected = (plan.n_examples or 0) * (plan.n_repetitions or 1)
    if not expected:
        return None
    keys = {*plan.evaluator_keys, *judged}
    return {
        "expected_run_count": expected,
        "run_progress": min(1.0, n_done / expected),
        "evaluator_progress": {
            key: min(1.0, judged.get(key, 0) / expected) for key in sorted(keys)
        },
    }


@dataclass(frozen=True, slots=True)
class Scored:
    """How many runs of an experiment have a score under a key, and of how many examples."""

    n_runs: int
    n_examples: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The number of runs and examples behind an experiment's means.

    Repeated trials of an example are several runs of it.
    """

    n_runs: int = 0
    n_errors: int = 0
    n_examples: int = 0
    most_trials: int = 0  # of one example
    by_key: Mapping[str, Scored] = field(default_factory=dict)


_COVERED = """
SELECT project_id, sum(n), sum(n_errors), count(*), max(n) FROM (
    SELECT project_id, reference_example_id, count(*) AS n,
        count(*) FILTER (WHERE error IS NOT NULL) AS n_errors
    FROM runs_run
    WHERE workspace_id = %(workspace)s AND project_id = ANY(%(projects)s)
        AND parent_run_id IS NULL AND reference_example_id IS NOT NULL
    GROUP BY project_id, reference_example_id
) trials GROUP BY project_id
"""
_SCORED = f"""
SELECT f.project_id, f.key, count(DISTINCT f.run_id), count(DISTINCT r.reference_example_id)
FROM feedback_feedback f
JOIN runs_run r ON r.workspace_id = f.workspace_id AND r.id = f.run_id
WHERE f.workspace_id = %(workspace)s AND f.project_id = ANY(%(projects)s)
    AND f.score IS NOT NULL AND f.comparative_experiment_id IS NULL
    AND {readable("f")}
GROUP BY f.project_id, f.key
"""
_COMMON = """
SELECT count(*) FROM (
    SELECT reference_example_id FROM runs_run
    WHERE workspace_id = %(workspace)s AND project_id = ANY(%(projects)s)
        AND parent_run_id IS NULL AND reference_example_id IS NOT NULL
    GROUP BY reference_example_id HAVING count(DISTINCT project_id) = %(n)s
) common
"""


def coverage(workspace: Workspace, projects: Sequence[Project]) -> tuple[dict[int, Coverage], int]:
    """Return the coverage by project, and how many examples all projects ran.

    Feedback that is still hidden by blind reviewing does not count. Three queries for any number.
    """
    parameters: dict[str, Any] = {
        "workspace": workspace.pk,
        "projects": [project.pk for project in projects],
        "n": len(projects),
    }
    by_key: dict[int, dict[str, Scored]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SCORED, parameters)
        for pk, key, n_runs, n_examples in cursor.fetchall():
            by_key.setdefault(pk, {})[key] = Scored(n_runs, n_examples)
        cursor.execute(_COVERED, parameters)
        covered = {
            pk: Coverage(int(n), int(n_errors), n_examples, most, by_key.get(pk, {}))
            for pk, n, n_errors, n_examples, most in cursor.fetchall()
        }
        cursor.execute(_COMMON, parameters)
        (n_common,) = cursor.fetchone()
    return {project.pk: covered.get(project.pk, Coverage()) for project in projects}, n_common


def by_example(
    dataset: Dataset, selection: ExampleRunsQuery, *, payloads: Sequence[str] = search.PAYLOADS
) -> list[ExampleRuns]:
    """Return one page of the dataset's examples that the experiments ran, with their runs.

    See `placed` and `chunked`. A constant number of queries unless the documents are large.
    """
    chosen = placed(dataset, selection)
    return [row for rows in chunked(dataset.workspace, chosen, payloads=payloads) for row in rows]


def placed(dataset: Dataset, selection: ExampleRunsQuery) -> list[Placed]:
    """Return one page of the dataset's examples that the experiments ran, without documents.

    An example must have a run that passes the filter in every experiment that has one; runs that do
    not pass are left out. Each example is shown as it was at the version the first experiment
    names, also when it was deleted since. Raises search.TooSlow.
    """
    workspace = dataset.workspace
    projects = list(
        Project.objects.filter(
            workspace=workspace, uuid__in=selection.experiments, reference_dataset_id=dataset.uuid
        )
    )
    if not projects:
        return []
    projects.sort(key=lambda project: list(selection.experiments).index(project.uuid))
    with search.bounded():
        page = _page(dataset, projects, selection)
    shown = _revisions([position.pk for position, _ in page], _version_of(projects[0]))
    return [
        Placed(position, shown[position.pk], run_ids)
        for position, run_ids in page
        if position.pk in shown
    ]


def chunked(
    workspace: Workspace, chosen: Sequence[Placed], *, payloads: Sequence[str] = search.PAYLOADS
) -> Iterator[list[ExampleRuns]]:
    """Yield the examples of `placed` with their runs, in order, in groups of limited size."""
    of_runs = dict(
        sizes.of_runs(
            workspace.pk,
            [chosen_run_id for each in chosen for chosen_run_id in each.run_ids],
            payloads,
        )
    )
    revisions = ExampleRevision.objects.filter(pk__in=[each.revision_pk for each in chosen])
    of_revisions = dict(sizes.sized(revisions, ("inputs", "outputs", "metadata")))
    sized = (
        (each, of_revisions.get(each.revision_pk, 0) + sum(map(of_runs.__getitem__, each.run_ids)))
        for each in chosen
    )
    for chunk in chunks(sized):
        run_ids = [run_id for each in chunk for run_id in each.run_ids]
        rows = search.by_ids(workspace, run_ids, payloads=payloads)
        shown = ExampleRevision.objects.select_related("example__dataset").in_bulk(
            [each.revision_pk for each in chunk]
        )
        yield [
            ExampleRuns(
                shown[each.revision_pk],
                [rows[run_id] for run_id in each.run_ids if run_id in rows],
                each.place,
            )
            for each in chunk
            if each.revision_pk in shown
        ]


_PAGE = """
SELECT x.rank, e.created_at, e.id, x.run_ids FROM (
    SELECT r.reference_example_id AS uuid,
        array_agg(r.id ORDER BY array_position(%s::int[], r.project_id), r.start_time, r.id)
            AS run_ids,
        avg({rank})::float8 AS rank
    FROM runs_run r
    WHERE r.workspace_id = %s AND r.project_id = ANY(%s::int[]) AND r.parent_run_id IS NULL
        AND r.reference_example_id IS NOT NULL AND ({passes})
    GROUP BY r.reference_example_id
    HAVING count(DISTINCT r.project_id) FILTER (WHERE r.project_id = ANY(%s::int[])) = %s
) x JOIN datasets_example e ON e.uuid = x.uuid AND e.workspace_id = %s
WHERE e.dataset_id = %s{only}{after}
ORDER BY {order}
LIMIT %s OFFSET %s
"""


def _page(
    dataset: Dataset, projects: Sequence[Project], selection: ExampleRunsQuery
) -> list[tuple[Place, list[UUID]]]:
    pks = [project.pk for project in projects]
    passes, passed = _passes(dataset.workspace, projects, selection)
    filtered = [project.pk for project in projects if selection.filters.get(project.uuid)]
    rank, ranked = _rank(selection.sort_by)
    way = "ASC" if selection.is_ascending else "DESC"
    order = "e.created_at DESC, e.id"
    if selection.sort_by == "created_at":
        order = f"e.created_at {way}, e.id"
    elif selection.sort_by is not None:
        order = f"x.rank {way} NULLS LAST, {order}"
    only, chosen = ("", []) if selection.example_ids is None else (" AND e.uuid = ANY(%s)", [1])
    after, parameters = _after(selection)
    params = [
        *(pks, *ranked, dataset.workspace_id, pks, *passed, filtered, len(filtered)),
        *(
            dataset.workspace_id,
            dataset.pk,
            *([list(selection.example_ids or [])] if chosen else []),
        ),
        *(*parameters, selection.limit, selection.offset),
    ]
    sql = _PAGE.format(rank=rank, passes=passes, only=only, after=after, order=order)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [(Place(*parameters), run_ids) for *parameters, run_ids in cursor.fetchall()]


def _after(selection: ExampleRunsQuery) -> tuple[str, list[Any]]:
    """Return the condition for rows after a position, in the order of `_page`."""
    at = selection.after
    if at is None:
        return "", []
    sign = ">" if selection.is_ascending else "<"
    if selection.sort_by == "created_at":
        return (
            f" AND (e.created_at {sign} %s OR (e.created_at = %s AND e.id > %s))",
            [at.created_at, at.created_at, at.pk],
        )
    older = "(e.created_at < %s OR (e.created_at = %s AND e.id > %s))"
    params: list[Any] = [at.created_at, at.created_at, at.pk]
    if selection.sort_by is None:
        return f" AND {older}", params
    if at.rank is None:
        return f" AND x.rank IS NULL AND {older}", params
    return (
        f" AND (x.rank {sign} %s OR x.rank IS NULL OR (x.rank = %s AND {older}))",
        [at.rank, at.rank, *params],
    )


def _passes(
    workspace: Workspace, projects: Sequence[Project], selection: ExampleRunsQuery
) -> tuple[str, list[Any]]:
    """Return the condition that a run passes the filter of its own experiment."""
    parts, params = [], []
    for project in projects:
        condition, parameters = search.conditions(
            workspace, RunQuery(filter=selection.filters.get(project.uuid))
        )
        parts.append(f"(r.project_id = %s AND {condition})")
        params += [project.pk, *parameters]
    return " OR ".join(parts), params


def _rank(sort_by: str | None) -> tuple[str, list[Any]]:
    if sort_by is None or sort_by == "created_at":
        return "NULL::float8", []
    if sort_by in RANKS:
        return RANKS[sort_by], []
    return (
        f"(SELECT {sums.mean('f.score')} FROM feedback_feedback f"
        " WHERE f.workspace_id = r.workspace_id AND f.run_id = r.id AND f.key = %s"
        f" AND f.comparative_experiment_id IS NULL AND {readable('f')})",
        [sort_by.removeprefix("feedback.")],
    )


def _version_of(project: Project) -> datetime | None:
    """Return the version that the SDK wrote into the experiment's metadata, if it did."""
    extra = project.extra if isinstance(project.extra, dict) else {}
    metadata = extra.get("metadata")
    text = metadata.get("dataset_version") if isinstance(metadata, dict) else None
    return versions.parse_time(text) if isinstance(text, str) else None


def _revisions(example_pks: Sequence[int], as_of: datetime | None) -> dict[int, int]:
    """Return by example the key of its revision at `as_of`, of its first if it is younger."""
    revisions = ExampleRevision.objects.filter(example__in=example_pks).order_by("valid_from")
    chosen: dict[int, int] = {}
    for example, revision, valid_from in revisions.values_list("example_id", "pk", "valid_from"):
        is_too_young = as_of is not None and valid_from > as_of
        if not is_too_young or example not in chosen:
            chosen[example] = revision
    return chosen


# Into queues -----------------------------------------------------------------------------------


@transaction.atomic
def populate(
    queue: AnnotationQueue,
    projects: Sequence[Project],
    *,
    now: datetime,
    added_by: User | None = None,
) -> int:
    """Fill a queue from experiments and return how many items those are; each is there once.

    Single: every root run on an example. Pairwise: for every two experiments the runs of each
    example, as pairs of one comparative experiment.
    """
    source = QueueItem.Source.API
    if queue.queue_type == AnnotationQueue.QueueType.SINGLE:
        run_ids = item_subjects.runs_of_experiments(queue.workspace, projects)
        added = queue_items.add_runs(queue, run_ids, source=source, now=now, added_by=added_by)
        return len(added)
    pairs = item_subjects.pairs_of(queue.workspace, projects)
    comparison_id = _comparison_of(queue, projects, now)
    return len(
        item_subjects.add(
            queue, pairs, source=source, now=now, added_by=added_by, comparison_id=comparison_id
        )
    )


def _comparison_of(
    queue: AnnotationQueue, projects: Sequence[Project], now: datetime
) -> UUID | None:
    """Return the comparative experiment of these projects: the newest, else a new one."""
    project_ids = {project.pk for project in projects}
    dataset_ids: list[Any] = [project.reference_dataset_id for project in projects]
    dataset = Dataset.objects.filter(workspace=queue.workspace, uuid__in=dataset_ids).first()
    if dataset is None:  # deleted since: the queue stands for it
        return None
    known = Comparison.objects.filter(dataset=dataset, projects__in=project_ids).distinct()
    for comparison in known.prefetch_related("projects").order_by("-created_at"):
        if {project.pk for project in comparison.projects.all()} == project_ids:
            return comparison.uuid
    uuids = [project.uuid for project in projects]
    return comparisons.create(dataset, uuids, now=now, name=queue.name).uuid
