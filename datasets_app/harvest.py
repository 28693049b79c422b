"""Completed items become examples of their queue's dataset, exactly once.

The dataset row is the lock: harvests and retractions of one dataset run one at a time, and both
read the item again once they hold it, so tasks may run twice, late or at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from annotations.models import AnnotationQueue, QueueItem, Review, RoutingDecision
from annotations.reviewing import disputes
from datasets_app import examples, versions
from datasets_app.examples import ExampleInput
from datasets_app.models import Dataset, Example, Harvest, HarvestedItem
from observatory import exact
from observatory.runs.models import Run

BATCH = 500
Outcome = HarvestedItem.Outcome


def connect(
    queue: AnnotationQueue,
    dataset: Dataset | None,
    *,
    accepts_unchanged: bool | None = None,
    accepts_disputed: bool | None = None,
) -> Harvest | None:
    """Let the completed items of `queue` become examples of `dataset`; None: of none.

    `accepts_disputed`: also items whose reviewers differ, with the newest correction. A harvest
    that was switched off stays off. Raises ValueError when the two are in different workspaces.
    """
    if dataset is None:
        Harvest.objects.filter(queue=queue).delete()
        return None
    if dataset.workspace_id != queue.workspace_id:
        raise ValueError("The queue and the dataset are in different workspaces")
    values: dict[str, Any] = {"dataset": dataset}
    if accepts_unchanged is not None:
        values["accepts_unchanged"] = accepts_unchanged
    if accepts_disputed is not None:
        values["accepts_disputed"] = accepts_disputed
    harvest, _ = Harvest.objects.update_or_create(queue=queue, defaults=values)
    return harvest


def waiting() -> QuerySet[QueueItem]:
    """Return completed items of harvested queues that have to be processed.

    New ones; those reviewed again since, as when a reviewer changed a correction; and those left
    out before that their queue accepts now.
    """
    is_changed = Q(harvested__reviewed_at__lt=F("last_reviewed_at")) | (
        Q(harvested__n_reviews__isnull=False) & ~Q(harvested__n_reviews=F("n_reviews"))
    )
    return QueueItem.objects.filter(
        Q(harvested=None)
        | Q(harvested__outcome=Outcome.RETRACTED)
        | Q(harvested__outcome=Outcome.UNCHANGED, queue__harvest__accepts_unchanged=True)
        | Q(harvested__outcome=Outcome.DISPUTED, queue__harvest__accepts_disputed=True)
        | is_changed,
        state=QueueItem.State.COMPLETED,
        queue__harvest__is_enabled=True,
    )


def held_back(*, queue: AnnotationQueue | None = None, dataset: Dataset | None = None) -> int:
    """Return how many completed items are in no dataset because their reviewers differ."""
    rows = HarvestedItem.objects.filter(
        outcome=Outcome.DISPUTED, item__state=QueueItem.State.COMPLETED
    )
    if queue is not None:
        rows = rows.filter(item__queue=queue)
    if dataset is not None:
        rows = rows.filter(item__queue__harvest__dataset=dataset)
    return rows.count()


def reopened() -> QuerySet[HarvestedItem]:
    """Return the examples harvested from items that are no longer completed."""
    return HarvestedItem.objects.exclude(outcome=Outcome.RETRACTED).filter(
        item__state=QueueItem.State.OPEN
    )


def harvest(item_ids: Sequence[int], *, now: datetime) -> int:
    """Harvest the waiting items among `item_ids`; return how many became examples.

    Each queue's items are one transaction and one version of its dataset. Running it twice or at
    once equals running it once.
    """
    arrows = Harvest.objects.filter(is_enabled=True, queue__items__in=item_ids).distinct()
    return sum(
        _harvest_queue(arrow, item_ids, now)
        for arrow in arrows.select_related("queue", "dataset").order_by("dataset_id", "pk")
    )


@transaction.atomic
def _harvest_queue(arrow: Harvest, item_ids: Sequence[int], now: datetime) -> int:
    dataset = versions.locked(arrow.dataset)
    items = list(waiting().filter(queue=arrow.queue, pk__in=item_ids).order_by("pk"))
    if not items:
        return 0
    reviews = _reviews(items)
    rules = _rules(items)
    runs = {
        run_id: (inputs, outputs)
        for run_id, inputs, outputs in Run.objects.filter(
            workspace_id=arrow.queue.workspace_id, id__in=[item.run_id for item in items]
        ).values_list("id", "inputs", "outputs")
    }
    outcomes: dict[int, Outcome] = {}
    inputs_by_item: dict[int, ExampleInput] = {}
    for item in items:
        counted = reviews[item.pk]
        corrected = [review for review in counted if review.correction is not None]
        if item.run_id not in runs:
            outcomes[item.pk] = Outcome.NO_RUN
        elif not corrected and not arrow.accepts_unchanged:
            outcomes[item.pk] = Outcome.UNCHANGED
        elif not arrow.accepts_disputed and disputes.differing(counted):
            outcomes[item.pk] = Outcome.DISPUTED
        else:
            outcomes[item.pk] = Outcome.EXAMPLE
            inputs_by_item[item.pk] = _example(
                arrow.queue, item, counted, rules[item.pk], runs[item.run_id]
            )
    written = (
        examples.create(dataset, list(inputs_by_item.values()), now=now) if inputs_by_item else None
    )
    uuids = dict(zip(inputs_by_item, written.example_ids, strict=True)) if written else {}
    _take_back(dataset, [item_id for item_id in outcomes if item_id not in inputs_by_item], now)
    _remember(dataset, items, outcomes, uuids, now)
    return len(inputs_by_item)


def _take_back(dataset: Dataset, item_ids: list[int], now: datetime) -> None:
    """End the examples of items that have been reviewed again and no longer qualify."""
    earlier = HarvestedItem.objects.filter(item__in=item_ids, example__dataset=dataset)
    pks = list(earlier.values_list("example_id", flat=True))
    if pks:
        examples.end(dataset, [pk for pk in pks if pk is not None], now=now)


def _remember(
    dataset: Dataset,
    items: list[QueueItem],
    outcomes: dict[int, Outcome],
    uuids: dict[int, UUID],
    now: datetime,
) -> None:
    examples = Example.objects.filter(dataset=dataset, uuid__in=uuids.values())
    pks = dict(examples.values_list("uuid", "pk"))
    HarvestedItem.objects.bulk_create(
        [
            HarvestedItem(
                item=item,
                outcome=outcomes[item.pk],
                example_id=pks.get(uuids[item.pk]) if item.pk in uuids else None,
                harvested_at=now,
                reviewed_at=item.last_reviewed_at,
                n_reviews=item.n_reviews,
            )
            for item in items
        ],
        update_conflicts=True,
        unique_fields=["item"],
        update_fields=["outcome", "example", "harvested_at", "reviewed_at", "n_reviews"],
    )


def retract(item_ids: Iterable[int], *, now: datetime) -> int:
    """Remove the examples of reopened items from their datasets, in a new version of each.

    Older versions keep them. Items that are completed again by now are left alone. Returns how many
    examples were ended. Running it twice equals running it once.
    """
    harvested = reopened().filter(item__in=list(item_ids))
    datasets = set(harvested.exclude(example=None).values_list("example__dataset", flat=True))
    n = sum(
        _retract_from(dataset, harvested, now)
        for dataset in Dataset.objects.filter(pk__in=datasets).order_by("pk")
    )
    harvested.filter(example=None).update(outcome=Outcome.RETRACTED, harvested_at=now)
    return n


@transaction.atomic
def _retract_from(dataset: Dataset, harvested: QuerySet[HarvestedItem], now: datetime) -> int:
    versions.locked(dataset)
    rows = list(harvested.filter(example__dataset=dataset))  # read again under the lock
    pks = [row.example_id for row in rows if row.example_id is not None]
    examples.end(dataset, pks, now=now)
    HarvestedItem.objects.filter(pk__in=[row.pk for row in rows]).update(
        outcome=Outcome.RETRACTED, harvested_at=now
    )
    return len(rows)


def _reviews(items: list[QueueItem]) -> dict[int, list[Review]]:
    """Return the counted standing reviews of each item, oldest first."""
    reviews_by_item: dict[int, list[Review]] = defaultdict(list)
    for review in (
        Review.objects.filter(item__in=items, is_counted=True, retracted_at=None)
        .select_related("reviewer")
        .order_by("submitted_at", "pk")
    ):
        reviews_by_item[review.item_id].append(review)
    return reviews_by_item


def _rules(items: list[QueueItem]) -> dict[int, list[dict[str, Any]]]:
    rules_by_item: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for decision in RoutingDecision.objects.filter(item__in=items).order_by("pk"):
        rules_by_item[decision.item_id].append(
            {
                "id": str(decision.rule_uuid),
                "name": decision.rule_name,
                "version": decision.rule_version,
            }
        )
    return rules_by_item


def _example(
    queue: AnnotationQueue,
    item: QueueItem,
    reviews: list[Review],
    rules: list[dict[str, Any]],
    run: tuple[str | None, str | None],
) -> ExampleInput:
    """Return the example of `item`: its run's inputs, the last correction and the reasons."""
    inputs, outputs = run
    corrections = [review.correction for review in reviews if review.correction is not None]
    if corrections:
        outputs = _outputs_text(corrections[-1])
    return ExampleInput(
        inputs=inputs,
        outputs=outputs,
        source_run_id=item.run_id,
        origin=f"harvest:{item.uuid}",
        metadata={
            "run_id": str(item.run_id),
            "queue_id": str(queue.uuid),
            "queue_name": queue.name,
            "queue_item_id": str(item.uuid),
            "review_ids": [str(review.uuid) for review in reviews],
            "reviewers": [review.reviewer.username for review in reviews],
            "rubric_version": max((review.rubric_version for review in reviews), default=None),
            "rules": rules,
            "corrected": bool(corrections),
            "disputed": bool(disputes.differing(reviews)),
        },
    )


def _outputs_text(correction: Any) -> str | None:
    """Return the corrected outputs as JSON text; a value that is not an object under "output"."""
    outputs = disputes.outputs_of(correction)
    if outputs is None:
        return None
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    return exact.dumps(outputs).decode()
