"""How far each two reviewers agree on a key: from one sparse product, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from annotations.agreement import coefficients, continuous
from annotations.agreement.coefficients import Weighting
from annotations.agreement.ratings import Ints, Ratings, n_categories, weighting_of
from annotations.agreement.results import FEW_ITEMS, Agreement, Counts
from annotations.models import RubricItem

WEAK_BELOW = 0.6
FULL_MATRIX_UP_TO = 30  # reviewers; with more, pairs without a common item are not listed


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


def of_categories(
    item: RubricItem, ratings: Ratings, reviewers: tuple[Reviewer, ...]
) -> list[PairAgreement]:
    if len(reviewers) < 2:
        return []
    k = n_categories(item)
    pairs, tables = pair_tables(ratings.items, ratings.reviewers * k + ratings.codes, k)
    if len(reviewers) <= FULL_MATRIX_UP_TO:
        pairs, tables = _with_empty_pairs(pairs, tables, len(reviewers))
    weighting = weighting_of(item)
    is_ordered = weighting != Weighting.UNWEIGHTED
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


def of_numbers(ratings: Ratings, reviewers: tuple[Reviewer, ...]) -> Iterator[PairAgreement]:
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
