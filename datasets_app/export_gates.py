"""Whether the labels behind a dataset are proven good enough to train on.

The queues that a dataset's examples came from are its sources. On each of their questions that has
a scale, the lower bound of the agreement must be above the target (`verdicts.gate`); free text has
no agreement and is not asked. A dataset of which no example came from a queue has nothing to prove.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q

from annotations.agreement import calibration, verdicts
from annotations.agreement.calibration import KeyAgreement
from annotations.agreement.results import Reason
from annotations.models import AnnotationQueue
from datasets_app.models import Dataset, ExampleRevision, HarvestedItem

WINDOW: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold before a training export: a sentence, and the figures behind it."""

    sentence: str
    is_met: bool
    figures: dict[str, Any]


def conditions(dataset: Dataset, *, as_of: datetime | None, now: datetime) -> list[Condition]:
    """Return what must hold for an export of `dataset` at `as_of`; empty: it has no source queue.

    Ratings of the last 90 days count.
    """
    listed: list[Condition] = []
    for queue in source_queues(dataset):
        report = calibration.report(queue, now=now, window=WINDOW)
        scaled = [key for key in report if key.group.reason != Reason.UNSUPPORTED_SCALE]
        listed += [_of_key(queue, key) for key in scaled]
        if not scaled:
            listed.append(
                Condition(
                    f"{queue.name}: no question has a scale, so agreement cannot be shown",
                    is_met=False,
                    figures={"queue": queue.name, "queue_id": str(queue.uuid)},
                )
            )
    if n := _n_without_queue(dataset, as_of):
        listed.append(
            Condition(
                f"{n:,} examples come from a queue that is deleted, so its agreement is unknown",
                is_met=False,
                figures={"n_examples_of_deleted_queues": n},
            )
        )
    return listed


def source_queues(dataset: Dataset) -> list[AnnotationQueue]:
    """Return the queues whose items became, or may become, examples of `dataset`, by name."""
    harvested = HarvestedItem.objects.filter(example__dataset=dataset).values("item__queue")
    queues = AnnotationQueue.objects.filter(Q(harvest__dataset=dataset) | Q(pk__in=harvested))
    return list(queues.order_by("name", "pk"))


def _of_key(queue: AnnotationQueue, agreement: KeyAgreement) -> Condition:
    gate = agreement.gate
    return Condition(
        f"{queue.name}, {agreement.key}: {_in_words(agreement)}",
        is_met=gate.passes_strict,
        figures={
            "queue": queue.name,
            "queue_id": str(queue.uuid),
            "rubric_version": queue.rubric_version,
            "feedback_key": agreement.key,
            "mode": "strict",
            "statistic": gate.statistic,
            "value": gate.value,
            "lower_bound": gate.lower_bound,
            "upper_bound": gate.upper_bound,
            "confidence": gate.confidence,
            "n_items": gate.n,
            "n_more": gate.n_more,
            "target": gate.target,
            "verdict": str(gate.verdict),
            "passed": gate.passes_strict,
            "window_days": WINDOW.days,
            "data_version": agreement.headline.data_version,
        },
    )


def _in_words(agreement: KeyAgreement) -> str:
    """Return the verdict; with few or no items, also how many more double reviews are the least."""
    gate = agreement.gate
    if gate.verdict in {verdicts.Verdict.FEW, verdicts.Verdict.UNDEFINED}:
        least = max(verdicts.GREYED_BELOW - gate.n, 1)
        return f"{agreement.sentence} At least {least} more double reviews are needed."
    return agreement.sentence


def _n_without_queue(dataset: Dataset, as_of: datetime | None) -> int:
    """Return how many examples were harvested from items that are no longer stored."""
    item = HarvestedItem.objects.filter(example=OuterRef("example"))
    return (
        ExampleRevision.objects.at(as_of)
        .filter(~Exists(item), dataset=dataset, example__origin__startswith="harvest:")
        .count()
    )
