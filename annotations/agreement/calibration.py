"""How far the reviewers of a queue agree, key by key, from their ratings.

Only ratings of settled items, on the question's present scale and made blind, are compared: an
answer given after seeing another's is no second opinion, one given on another scale answers another
question, and the answers on an open blind item must not be revealed (`blindness`). A new version of
the rubric with the same scale (another question, a better wording) starts no new series. Ratings
left out are counted and shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, F, FloatField, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce
from numpy.typing import NDArray

from annotations.agreement import alpha, coefficients, continuous, verdicts
from annotations.agreement.coefficients import Weighting
from annotations.agreement.results import FEW_ITEMS, Agreement, Counts, Floats, Reason, Warn
from annotations.models import AnnotationQueue, Rating, RubricItem, RubricVersion
from annotations.question_kinds import kind_of
from annotations.queues import blindness
from observatory.db import prepared
from observatory.workspaces.models import User

WEAK_BELOW = 0.6
FULL_MATRIX_UP_TO = 30  # reviewers; with more, pairs without a common item are not listed

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reviewer:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two reviewers on one key. `table[i][j]`: how often the first answered i and the second j."""

    first: Reviewer
    second: Reviewer
    agreement: Agreement
    table: tuple[tuple[int, ...], ...] | None
    mean_difference: float | None  # first minus second, in places or in the scale's unit

    @property
    def is_weak(self) -> bool:
        value = self.agreement.value
        return value is not None and value < WEAK_BELOW and self.agreement.n_overlap >= FEW_ITEMS


@dataclass(frozen=True, slots=True)
class Excluded:
    """Ratings of the key that were not compared, by reason."""

    other_scale: int = 0
    not_blind: int = 0
    invalid: int = 0
    before_window: int = 0

    @property
    def words(self) -> str:
        """Return how many ratings were set aside for which reason; "" for none."""
        counts = (
            (self.other_scale, "rated on another scale of this question"),
            (self.not_blind, "rated when another's answer was visible"),
            (self.invalid, "outside the scale"),
            (self.before_window, "older than the window"),
        )
        return ", ".join(f"{n:,} {why}" for n, why in counts if n)


@dataclass(frozen=True, slots=True)
class KeyAgreement:
    """Everything the agreement page shows for one rubric key.

    `headline` is the figure the gate compares with the target: Cohen's kappa when exactly one pair
    of reviewers has common items, else Krippendorff's alpha of all.
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

    @property
    def key(self) -> str:
        return self.rubric_item.feedback_key

    @property
    def weak_pairs(self) -> tuple[PairAgreement, ...]:
        return tuple(pair for pair in self.pairs if pair.is_weak)


@dataclass(frozen=True, slots=True)
class _Ratings:
    """The compared ratings of one key, as columns of one length. Items are numbered 0, 1, ..."""

    items: Ints
    reviewers: Ints
    codes: Ints  # -1: none
    numbers: Floats

    def only(self, mask: NDArray[np.bool_]) -> _Ratings:
        return _Ratings(
            self.items[mask], self.reviewers[mask], self.codes[mask], self.numbers[mask]
        )


def report(
    queue: AnnotationQueue, *, now: datetime, window: timedelta | None = None
) -> list[KeyAgreement]:
    """Return the agreement on each rubric key of `queue`, in the rubric's order.

    With `window`, ratings older than now - window are left out and counted. The number of
    queries is at most 3 plus two per key, however many items and reviewers there are.
    """
    since = now - window if window else None
    scales = _scales(queue, list(queue.rubric_items.all()))
    tallies = _tallies(queue, scales, since)
    names: dict[int, str] = {}
    return [
        _of_key(queue, scale, tallies.get(scale.item.pk, {}), names=names, since=since, now=now)
        for scale in scales
    ]


@dataclass(frozen=True, slots=True)
class _Scale:
    """A question and the rubric versions that have its present scale."""

    item: RubricItem
    versions: frozenset[int]


def _scales(queue: AnnotationQueue, questions: list[RubricItem]) -> list[_Scale]:
    kept = list(RubricVersion.objects.filter(queue=queue).values_list("version", "items"))
    scales = []
    for question in questions:
        now = _scale_of({name: getattr(question, name) for name in _SCALE_FIELDS})
        same = {
            version
            for version, questions_of_version in kept
            for old in questions_of_version
            if old.get("id") == question.pk and _scale_of(old) == now
        }
        scales.append(_Scale(question, frozenset(same | {queue.rubric_version})))
    return scales


_SCALE_FIELDS = ("kind", "level", "categories", "minimum", "maximum")


def _scale_of(question: dict[str, Any]) -> tuple[Any, ...]:
    categories = [(c.get("value"), c.get("label")) for c in question.get("categories") or []]
    return (*(question.get(name) for name in _SCALE_FIELDS if name != "categories"), categories)


def compared(
    queue: AnnotationQueue, rubric_item: RubricItem, since: datetime | None = None
) -> QuerySet[Rating]:
    """Return the ratings of a key that count: on its present scale, blind, in the window."""
    [scale] = _scales(queue, [rubric_item])
    return _compared(scale, since)


def _compared(scale: _Scale, since: datetime | None) -> QuerySet[Rating]:
    ratings = Rating.objects.filter(
        _in_scale(scale.item),
        rubric_item=scale.item,
        rubric_version__in=scale.versions,
        is_blind=True,
    ).exclude(item__in=blindness.unsettled_items(scale.item.queue))
    return ratings if since is None else ratings.filter(rated_at__gte=since)


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


def _n_categories(item: RubricItem) -> int:
    return len(kind_of(item).labels(item))


def _in_scale(item: RubricItem) -> Q:
    if kind_of(item).is_number:
        valid = Q(number__isnull=False)
        if item.minimum is not None:
            valid &= Q(number__gte=item.minimum)
        if item.maximum is not None:
            valid &= Q(number__lte=item.maximum)
        return valid
    return Q(code__gte=0, code__lt=_n_categories(item))


def _tallies(
    queue: AnnotationQueue, scales: list[_Scale], since: datetime | None
) -> dict[int, dict[str, Any]]:
    """Return, per rubric item id, how many ratings there are and how many each reason excludes."""
    is_current, is_blind = Q(pk__in=[]), Q(is_blind=True)
    for scale in scales:
        is_current |= Q(rubric_item=scale.item, rubric_version__in=scale.versions)
    is_recent = Q(rated_at__gte=since) if since else Q(pk__isnull=False)
    rows = (
        Rating.objects.filter(queue=queue, rubric_item__queue=queue)
        .exclude(item__in=blindness.unsettled_items(queue))
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
    return {row["rubric_item_id"]: dict(row) for row in rows}


def _read(scale: _Scale, since: datetime | None) -> tuple[_Ratings, tuple[int, ...]]:
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
    return _Ratings(
        items=np.unique(items, return_inverse=True)[1],
        reviewers=places,
        codes=codes,
        numbers=numbers,
    ), tuple(int(person) for person in known)


def _of_key(
    queue: AnnotationQueue,
    scale: _Scale,
    tally: dict[str, Any],
    *,
    names: dict[int, str],
    since: datetime | None,
    now: datetime,
) -> KeyAgreement:
    item = scale.item
    ratings, people = _read(scale, since)
    if unnamed := set(people) - names.keys():
        names |= dict(User.objects.filter(id__in=unnamed).values_list("id", "username"))
    reviewers = tuple(Reviewer(person, names[person]) for person in people)
    is_continuous = kind_of(item).is_number
    excluded = Excluded(
        other_scale=tally.get("other_scale", 0),
        not_blind=tally.get("not_blind", 0),
        invalid=_n_invalid(item, tally, len(ratings.items)),
        before_window=tally.get("before_window", 0),
    )
    pairs: list[PairAgreement] = []
    if not is_continuous and _n_categories(item) == 0:
        group = Agreement("krippendorff_alpha", reason=Reason.UNSUPPORTED_SCALE)
    elif is_continuous:
        group = alpha.of_numbers(ratings.items, ratings.numbers)
        pairs = list(_continuous_pairs(ratings, reviewers))
    else:
        group = _categorical_group(item, ratings)
        pairs = _categorical_pairs(item, ratings, reviewers)
    if len(reviewers) == 1 and group.reason == Reason.NO_OVERLAP:
        group = replace(group, reason=Reason.SINGLE_RATER)
    version = (
        f"rubric {queue.rubric_version}, {len(ratings.items)} ratings, last {tally.get('last')}"
    )
    mark: dict[str, Any] = {"data_version": version, "computed_at": now}
    warnings = _exclusion_warnings(excluded)
    group = replace(group, warnings=group.warnings + warnings, **mark)
    overlapping = [pair for pair in pairs if pair.agreement.n_overlap > 0]
    headline = group
    if len(overlapping) == 1:
        alone = overlapping[0].agreement
        headline = replace(alone, warnings=alone.warnings + warnings, **mark)
    return KeyAgreement(
        rubric_item=item,
        categories=kind_of(item).labels(item),
        reviewers=reviewers,
        pairs=tuple(pairs),
        group=group,
        headline=headline,
        gate=verdicts.gate(headline),
        excluded=excluded,
        n_disputed=_n_disputed(ratings, is_continuous=is_continuous),
        sentence=verdicts.sentence(headline, set_aside=excluded.words),
    )


def _n_invalid(item: RubricItem, tally: dict[str, Any], n_compared: int) -> int:
    if kind_of(item).is_text:
        return 0
    return int(tally.get("eligible", 0)) - n_compared


def _exclusion_warnings(excluded: Excluded) -> tuple[Warn, ...]:
    warnings: tuple[Warn, ...] = ()
    if excluded.not_blind:
        warnings += (Warn.NON_BLIND_EXCLUDED,)
    if excluded.invalid:
        warnings += (Warn.INVALID_VALUES,)
    return warnings


def _n_disputed(ratings: _Ratings, *, is_continuous: bool) -> int:
    """Return the number of items whose answers differ."""
    if len(ratings.items) == 0:
        return 0
    answers = ratings.numbers if is_continuous else ratings.codes.astype(np.float64)
    n_items = int(ratings.items.max()) + 1
    least, greatest = np.full(n_items, np.inf), np.full(n_items, -np.inf)
    np.minimum.at(least, ratings.items, answers)
    np.maximum.at(greatest, ratings.items, answers)
    return int((least < greatest).sum())


def _categorical_group(item: RubricItem, ratings: _Ratings) -> Agreement:
    k = _n_categories(item)
    n_items = int(ratings.items.max(initial=-1)) + 1
    counts = np.bincount(ratings.items * k + ratings.codes, minlength=n_items * k).reshape(-1, k)
    metric = {
        RubricItem.Level.ORDINAL: alpha.Metric.ORDINAL,
        RubricItem.Level.INTERVAL: alpha.Metric.INTERVAL,
    }.get(RubricItem.Level(item.level), alpha.Metric.NOMINAL)
    return alpha.of_group(counts, metric, values=_scale_values(item, metric))


def _scale_values(item: RubricItem, metric: alpha.Metric) -> list[float] | None:
    """Return the declared numbers of an interval scale, or None: then positions are used."""
    return kind_of(item).distances(item) if metric == alpha.Metric.INTERVAL else None


def pair_tables(items: Ints, columns: Ints, k: int) -> tuple[Ints, Counts]:
    """Return which reviewers share items and their tables, from one sparse product X'X.

    `columns[i]` is reviewer * k + code of rating i. Returns pairs (p, 2) of reviewer numbers,
    first < second, and tables (p, k, k). A loop over pairs would cost hundreds of times more.
    """
    from scipy.sparse import csr_array  # takes 0.1 s and 40 MB, which other pages do not need

    ones = np.ones(len(items), dtype=np.int64)
    shape = (items.max(initial=-1) + 1, columns.max() + 1)
    matrix = csr_array((ones, (items, columns)), shape=shape)
    product = (matrix.T @ matrix).tocoo()
    row, column = (side.astype(np.int64) for side in product.coords)
    kept = row // k < column // k
    row, column = row[kept], column[kept]
    n_reviewers = int(columns.max()) // k + 1
    coded, cell_index = np.unique((row // k) * n_reviewers + column // k, return_inverse=True)
    cells = cell_index * k * k + (row % k) * k + column % k
    counted = np.bincount(cells, weights=product.data[kept], minlength=len(coded) * k * k)
    pairs = np.stack([coded // n_reviewers, coded % n_reviewers], axis=1)
    return pairs, counted.astype(np.int64).reshape(-1, k, k)


def _categorical_pairs(
    item: RubricItem, ratings: _Ratings, reviewers: tuple[Reviewer, ...]
) -> list[PairAgreement]:
    if len(reviewers) < 2:
        return []
    k = _n_categories(item)
    pairs, tables = pair_tables(ratings.items, ratings.reviewers * k + ratings.codes, k)
    if len(reviewers) <= FULL_MATRIX_UP_TO:
        pairs, tables = _with_empty_pairs(pairs, tables, len(reviewers))
    is_ordered = item.level in {RubricItem.Level.ORDINAL, RubricItem.Level.INTERVAL}
    weighting = Weighting.QUADRATIC if is_ordered else Weighting.UNWEIGHTED
    results = coefficients.of_pairs(tables, weighting)
    apart = np.subtract.outer(np.arange(k), np.arange(k))
    return [
        PairAgreement(
            first=reviewers[first],
            second=reviewers[second],
            agreement=result,
            table=tuple(tuple(int(n) for n in row) for row in table),
            mean_difference=float((apart * table).sum() / result.n_overlap)
            if is_ordered and result.n_overlap
            else None,
        )
        for (first, second), table, result in zip(pairs, tables, results, strict=True)
    ]


def _with_empty_pairs(pairs: Ints, tables: Counts, n_reviewers: int) -> tuple[Ints, Counts]:
    k = tables.shape[-1]
    first, second = np.triu_indices(n_reviewers, 1)
    position = np.zeros((n_reviewers, n_reviewers), dtype=np.int64)
    position[first, second] = np.arange(len(first))
    full = np.zeros((len(first), k, k), dtype=np.int64)
    full[position[pairs[:, 0], pairs[:, 1]]] = tables
    return np.stack([first, second], axis=1), full


def _continuous_pairs(
    ratings: _Ratings, reviewers: tuple[Reviewer, ...]
) -> Iterator[PairAgreement]:
    columns = []
    for number in range(len(reviewers)):
        mine = ratings.only(ratings.reviewers == number)
        order = np.argsort(mine.items)
        columns.append((mine.items[order], mine.numbers[order]))
    for first in range(len(reviewers)):
        for second in range(first + 1, len(reviewers)):
            _, here, there = np.intersect1d(
                columns[first][0], columns[second][0], assume_unique=True, return_indices=True
            )
            if len(here) == 0 and len(reviewers) > FULL_MATRIX_UP_TO:
                continue
            agreement = continuous.of_pair(columns[first][1][here], columns[second][1][there])
            yield PairAgreement(
                reviewers[first],
                reviewers[second],
                agreement,
                None,
                agreement.companions.get("bias"),
            )
