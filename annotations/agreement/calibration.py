"""How far the reviewers of a queue agree, key by key, from their ratings (`ratings`).

`report` is the same for every page, the API and exports. It reads ratings of settled items only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from annotations.agreement import (
    group_results,
    groups,
    number_results,
    pairs,
    ratings,
    verdicts,
)
from annotations.agreement.coefficients import number
from annotations.agreement.pairs import PairAgreement, Reviewer
from annotations.agreement.ratings import Excluded, Ratings, Scale, compared, disputed_items
from annotations.agreement.results import Agreement, Interval, Reason, Warn
from annotations.models import AnnotationQueue, RubricItem
from annotations.question_kinds import kind_of
from observatory.workspaces.models import User

__all__ = [
    "CategoryAgreement",
    "Excluded",
    "KeyAgreement",
    "PairAgreement",
    "Reviewer",
    "compared",
    "disputed_items",
    "report",
]


@dataclass(frozen=True, slots=True)
class CategoryAgreement:
    """One category against the others, over all reviewers.

    `specific` is how often another reviewer agrees with one who chose it, in [0, 1].
    """

    label: str
    share: float
    kappa: float | None  # Fleiss's
    ci: Interval | None
    specific: float | None


@dataclass(frozen=True, slots=True)
class KeyAgreement:
    """Everything the agreement page shows for one rubric key.

    `headline` is the figure that the gate compares with the target: the queue's `gate_statistic` of
    all reviewers, of numbers always Krippendorff's alpha. `statistics` are all of them, `group` is
    alpha.
    """

    rubric_item: RubricItem
    categories: tuple[str, ...]
    reviewers: tuple[Reviewer, ...]
    pairs: tuple[PairAgreement, ...]
    group: Agreement
    headline: Agreement
    gate: verdicts.Gate
    excluded: Excluded
    n_disputed: int
    sentence: str
    statistics: tuple[Agreement, ...] = ()
    by_category: tuple[CategoryAgreement, ...] = ()

    @property
    def key(self) -> str:
        return self.rubric_item.feedback_key

    @property
    def weak_pairs(self) -> tuple[PairAgreement, ...]:
        return tuple(pair for pair in self.pairs if pair.is_weak)


def report(
    queue: AnnotationQueue, *, now: datetime, window: timedelta | None = None
) -> list[KeyAgreement]:
    """Return the agreement on each rubric key of `queue`, in the rubric's order.

    With `window`, ratings older than now - window are left out and counted. The number of
    queries is at most 7 plus two per key, however many items and reviewers there are.
    """
    since = now - window if window else None
    scales = ratings.scales(queue, list(queue.rubric_items.all()))
    tallies = ratings.tallies(queue, scales, since)
    names: dict[int, str] = {}
    return [
        _of_key(queue, scale, tallies.get(scale.item.pk, {}), names=names, since=since, now=now)
        for scale in scales
    ]


def _of_key(
    queue: AnnotationQueue,
    scale: Scale,
    tally: dict[str, Any],
    *,
    names: dict[int, str],
    since: datetime | None,
    now: datetime,
) -> KeyAgreement:
    item = scale.item
    read, people = ratings.read(scale, since)
    if unnamed := set(people) - names.keys():
        names |= dict(User.objects.filter(id__in=unnamed).values_list("id", "username"))
    reviewers = tuple(Reviewer(person, names[person]) for person in people)
    excluded = ratings.excluded_of(item, tally, len(read.items))
    version = f"rubric {queue.rubric_version}, {len(read.items)} ratings, last {tally.get('last')}"
    warnings = _exclusion_warnings(excluded)
    statistics = {
        name: replace(
            result, warnings=result.warnings + warnings, data_version=version, computed_at=now
        )
        for name, result in _statistics(item, read).items()
    }
    # Of numbers and texts there is alpha only.
    headline = statistics.get(queue.gate_statistic, statistics["alpha"])
    return KeyAgreement(
        rubric_item=item,
        categories=kind_of(item).labels(item),
        reviewers=reviewers,
        pairs=tuple(_pairs(item, read, reviewers)),
        group=statistics["alpha"],
        headline=headline,
        gate=verdicts.gate(headline, queue.gate_target),
        excluded=excluded,
        n_disputed=_n_disputed(read, is_continuous=kind_of(item).is_number),
        sentence=verdicts.sentence(
            headline,
            queue.gate_target,
            set_aside=excluded.words if excluded.n_ratings else "",
        ),
        statistics=tuple(statistics.values()),
        by_category=_by_category(item, read),
    )


def _statistics(item: RubricItem, read: Ratings) -> dict[str, Agreement]:
    """Return every statistic of all reviewers, by the name that a queue gives it."""
    k = ratings.n_categories(item)
    if kind_of(item).is_number:
        return number_results.of_ratings(read.items, read.reviewers, read.numbers)
    if k == 0:
        return {"alpha": Agreement("krippendorff_alpha", reason=Reason.UNSUPPORTED_SCALE)}
    metric = ratings.metric_of(item)
    return group_results.of_ratings(
        read.items,
        read.reviewers,
        read.codes,
        k,
        weighting=ratings.weighting_of(item),
        metric=metric,
        values=ratings.scale_values(item, metric),
    )


def _pairs(item: RubricItem, read: Ratings, reviewers: tuple[Reviewer, ...]) -> list[PairAgreement]:
    if kind_of(item).is_number:
        return list(pairs.of_numbers(read, reviewers))
    return pairs.of_categories(item, read, reviewers) if ratings.n_categories(item) else []


def _exclusion_warnings(excluded: Excluded) -> tuple[Warn, ...]:
    warnings: tuple[Warn, ...] = ()
    if excluded.not_blind:
        warnings += (Warn.NON_BLIND_EXCLUDED,)
    if excluded.invalid:
        warnings += (Warn.INVALID_VALUES,)
    return warnings


def _n_disputed(ratings: Ratings, *, is_continuous: bool) -> int:
    """Return the number of items whose answers differ."""
    if len(ratings.items) == 0:
        return 0
    answers = ratings.numbers if is_continuous else ratings.codes.astype(np.float64)
    n_items = int(ratings.items.max()) + 1
    least, greatest = np.full(n_items, np.inf), np.full(n_items, -np.inf)
    np.minimum.at(least, ratings.items, answers)
    np.maximum.at(greatest, ratings.items, answers)
    return int((least < greatest).sum())


def _by_category(item: RubricItem, read: Ratings) -> tuple[CategoryAgreement, ...]:
    """Return each category against the others, of items with two ratings or more."""
    k = ratings.n_categories(item)
    n_items = int(read.items.max(initial=-1)) + 1
    if k == 0 or n_items == 0:
        return ()
    counts = np.bincount(read.items * k + read.codes, minlength=n_items * k).reshape(-1, k)
    counts = counts[counts.sum(1) >= 2]
    if len(counts) == 0:
        return ()
    shares = counts.sum(0) / counts.sum()
    specific = groups.specific_agreement(counts)
    found = []
    for category, label in enumerate(kind_of(item).labels(item)):
        estimate = groups.of_category(counts, category)
        found.append(
            CategoryAgreement(
                label=label,
                share=float(shares[category]),
                kappa=number(estimate.value),
                ci=estimate.interval,
                specific=number(specific[category]),
            )
        )
    return tuple(found)
