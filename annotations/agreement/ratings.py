"""Which ratings of a question are compared, which are left out and why, and its scale.

Only ratings of settled items, on the question's present scale and made blind, are compared: an
answer given after seeing another's is no second opinion, one given on another scale answers another
question, and the answers on an open blind item must not be revealed (`blindness`). A new version of
the rubric with the same scale (another question, a better wording) starts no new series.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Count, F, FloatField, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce
from numpy.typing import NDArray

from annotations.agreement import alpha, left_out
from annotations.agreement.coefficients import Weighting
from annotations.agreement.results import Floats
from annotations.models import AnnotationQueue, QueueItem, Rating, RubricItem, RubricVersion
from annotations.question_kinds import kind_of
from observatory.db import prepared

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Excluded:
    """Answers under the key that were not compared, by reason.

    The ratings among them, `n_ratings`, would count if it were not for the reason.
    """

    other_scale: int = 0
    not_blind: int = 0
    invalid: int = 0
    before_window: int = 0
    removed: int = 0
    cant_judge: int = 0
    not_of_a_reviewer: int = 0

    @property
    def n_ratings(self) -> int:
        return self.other_scale + self.not_blind + self.invalid + self.before_window + self.removed

    @property
    def words(self) -> str:
        """Return how many answers were set aside for which reason; "" for none."""
        counts = (
            (self.other_scale, "rated on another scale of this question"),
            (self.not_blind, "rated when another's answer was visible"),
            (self.invalid, "outside the scale"),
            (self.before_window, "older than the window"),
            (self.removed, "of items that were removed from the queue"),
            (self.cant_judge, '"can\'t judge"'),
            (self.not_of_a_reviewer, "of judges, API clients or end users"),
        )
        return ", ".join(f"{n:,} {why}" for n, why in counts if n)


@dataclass(frozen=True, slots=True)
class Ratings:
    """The compared ratings of one key, as columns of one length. Items are numbered 0, 1, ..."""

    items: Ints
    reviewers: Ints
    codes: Ints  # -1: none
    numbers: Floats

    def only(self, mask: NDArray[np.bool_]) -> Ratings:
        return Ratings(self.items[mask], self.reviewers[mask], self.codes[mask], self.numbers[mask])


@dataclass(frozen=True, slots=True)
class Scale:
    """A question and the rubric versions that have its present scale."""

    item: RubricItem
    versions: frozenset[int]


def scales(queue: AnnotationQueue, questions: list[RubricItem]) -> list[Scale]:
    kept = list(RubricVersion.objects.filter(queue=queue).values_list("version", "items"))
    found = []
    for question in questions:
        now = _scale_of({name: getattr(question, name) for name in _SCALE_FIELDS})
        same = {
            version
            for version, questions_of_version in kept
            for old in questions_of_version
            if old.get("id") == question.pk and _scale_of(old) == now
        }
        found.append(Scale(question, frozenset(same | {queue.rubric_version})))
    return found


_SCALE_FIELDS = ("kind", "level", "categories", "minimum", "maximum")


def _scale_of(question: dict[str, Any]) -> tuple[Any, ...]:
    categories = [(c.get("value"), c.get("label")) for c in question.get("categories") or []]
    return (*(question.get(name) for name in _SCALE_FIELDS if name != "categories"), categories)


def compared(
    queue: AnnotationQueue, rubric_item: RubricItem, since: datetime | None = None
) -> QuerySet[Rating]:
    """Return the ratings of a key that count: on its present scale, blind, in the window."""
    [scale] = scales(queue, [rubric_item])
    return _compared(scale, since)


def _compared(scale: Scale, since: datetime | None) -> QuerySet[Rating]:
    ratings = Rating.objects.filter(
        _in_scale(scale.item),
        rubric_item=scale.item,
        rubric_version__in=scale.versions,
        is_blind=True,
    ).exclude(item__in=_left_out_items(scale.item.queue))
    return ratings if since is None else ratings.filter(rated_at__gte=since)


def _left_out_items(queue: AnnotationQueue) -> QuerySet[QueueItem]:
    """Return the items whose ratings are not compared: not settled, or removed."""
    condition = Q(state=QueueItem.State.REMOVED)
    if queue.is_blind:
        condition |= Q(state=QueueItem.State.OPEN)
    return QueueItem.objects.filter(condition, queue=queue)


def _removed_items(queue: AnnotationQueue) -> QuerySet[QueueItem]:
    """Return the removed items whose answers may be counted: those that were settled."""
    removed = QueueItem.objects.filter(queue=queue, state=QueueItem.State.REMOVED)
    return removed.exclude(completed_at=None) if queue.is_blind else removed


def disputed_items(
    queue: AnnotationQueue, rubric_item: RubricItem, since: datetime | None = None
) -> QuerySet[Rating, Any]:
    """Return the items whose reviewers differ on a key, the furthest apart first.

    Each is {item_id, item__uuid, item__run_id, spread, n_values, n_ratings}: spread is the
    greatest minus the least answer (places of the scale, or its unit). A queryset, so a page
    of it costs a page.
    """
    answer = Coalesce(Cast("code", FloatField()), F("number"))
    return (
        compared(queue, rubric_item, since)
        .values("item_id", "item__uuid", "item__run_id")
        .annotate(
            spread=Max(answer) - Min(answer),
            n_values=Count(answer, distinct=True),
            n_ratings=Count("id"),
        )
        .filter(n_values__gte=2)
        .order_by("-spread", "-n_ratings", "item_id")
    )


def n_categories(item: RubricItem) -> int:
    return len(kind_of(item).labels(item))


def _in_scale(item: RubricItem) -> Q:
    if kind_of(item).is_number:
        valid = Q(number__isnull=False)
        if item.minimum is not None:
            valid &= Q(number__gte=item.minimum)
        if item.maximum is not None:
            valid &= Q(number__lte=item.maximum)
        return valid
    return Q(code__gte=0, code__lt=n_categories(item))


def tallies(
    queue: AnnotationQueue, scales: list[Scale], since: datetime | None
) -> dict[int, dict[str, Any]]:
    """Return, per rubric item id, how many ratings there are and how many each reason excludes."""
    is_current, is_blind = Q(pk__in=[]), Q(is_blind=True)
    for scale in scales:
        is_current |= Q(rubric_item=scale.item, rubric_version__in=scale.versions)
    is_recent = Q(rated_at__gte=since) if since else Q(pk__isnull=False)
    ratings = Rating.objects.filter(queue=queue, rubric_item__queue=queue)
    rows = (
        ratings.exclude(item__in=_left_out_items(queue))
        .values("rubric_item_id")
        .annotate(
            other_scale=Count("id", filter=~is_current),
            not_blind=Count("id", filter=is_current & ~is_blind),
            before_window=Count("id", filter=is_current & is_blind & ~is_recent),
            eligible=Count("id", filter=is_current & is_blind & is_recent),
            newest=Max("rated_at"),
            last=Max("id"),
        )
    )
    removed = dict(
        ratings.filter(item__in=_removed_items(queue))
        .values_list("rubric_item_id")
        .annotate(n=Count("id"))
    )
    unable = left_out.cant_judge(queue, since)
    keys = [scale.item.feedback_key for scale in scales]
    others = left_out.of_no_reviewer(queue, keys, since)
    found = {row["rubric_item_id"]: dict(row) for row in rows}
    return {
        scale.item.pk: {
            **found.get(scale.item.pk, {}),
            "removed": removed.get(scale.item.pk, 0),
            "cant_judge": unable.get(scale.item.feedback_key, 0),
            "not_of_a_reviewer": others.get(scale.item.feedback_key, 0),
        }
        for scale in scales
    }


def excluded_of(item: RubricItem, tally: dict[str, Any], n_compared: int) -> Excluded:
    """Return what was left out of `n_compared` ratings, from a tally of `tallies`."""
    counts = {field.name: tally.get(field.name, 0) for field in fields(Excluded)}
    if not kind_of(item).is_text:
        counts["invalid"] = int(tally.get("eligible", 0)) - n_compared
    return Excluded(**counts)


def read(scale: Scale, since: datetime | None) -> tuple[Ratings, tuple[int, ...]]:
    """Return the compared ratings with reviewers numbered 0.., and the reviewer of each number."""
    rows = _compared(scale, since).values_list(
        "item_id",
        "reviewer_id",
        Coalesce("code", -1),
        Coalesce("number", Value(float("nan"))),
    )
    items, people, codes, numbers = prepared.columns(
        rows, "bigint", "bigint", "bigint", "double precision"
    )
    known, places = np.unique(people, return_inverse=True)
    return Ratings(
        items=np.unique(items, return_inverse=True)[1],
        reviewers=places,
        codes=codes,
        numbers=numbers,
    ), tuple(int(person) for person in known)


# The scale in numbers -------------------------------------------------------------------------


_METRICS = {
    RubricItem.Level.ORDINAL: alpha.Metric.ORDINAL,
    RubricItem.Level.INTERVAL: alpha.Metric.INTERVAL,
    RubricItem.Level.RATIO: alpha.Metric.RATIO,
}


def metric_of(item: RubricItem) -> alpha.Metric:
    return _METRICS.get(RubricItem.Level(item.level), alpha.Metric.NOMINAL)


def weighting_of(item: RubricItem) -> Weighting:
    """Return the weights of the question's kappa: its own on an ordered scale, else none."""
    is_ordered = RubricItem.Level(item.level) in _METRICS
    return Weighting(item.weights) if is_ordered else Weighting.UNWEIGHTED


def scale_values(item: RubricItem, metric: alpha.Metric) -> list[float] | None:
    """Return the declared numbers of an interval or ratio scale; None: then places are used."""
    has_distances = metric in {alpha.Metric.INTERVAL, alpha.Metric.RATIO}
    return kind_of(item).distances(item) if has_distances else None
