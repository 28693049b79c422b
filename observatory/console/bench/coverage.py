"""Simulate how often the intervals of agreement hold the truth, and how wide they are.

Reviewers know the answer of an item, or else guess with the frequencies of the answers, so that the
true kappa and alpha of any two of them are the same. Every table is computed by what the agreement
page calls. Of pairs with up to 50 items all tables are enumerated; the rest is sampled. Two-sided,
93 to 97 % should hold the truth, of the lower bounds 94.5 % or more.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from django.core.management.base import OutputWrapper
from numpy.random import Generator
from scipy.stats import multinomial

from annotations.agreement import alpha, coefficients
from annotations.agreement.results import Floats, Interval
from observatory.console.bench import scratch

KAPPAS = (0.4, 0.7, 0.85)
SHARES = (0.5, 0.9)
SIZES = (20, 50, 100, 200, 500)
ENUMERATED = 50


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=10_000, help="per cell of a pair (10000)")
    parser.add_argument("--groups", type=int, default=1_000, help="per cell of a group (1000)")
    parser.add_argument("--reviewers", type=int, default=3, help="of a group (3)")


def answers(
    kappa: float, share: float, n: int, reviewers: int, samples: int, rng: Generator
) -> Floats:
    """Return how many reviewers chose each of two categories, (samples, n, 2)."""
    truth = rng.random((samples, n, 1)) < share
    knows = rng.random((samples, n, reviewers)) < np.sqrt(kappa)
    guess = rng.random((samples, n, reviewers)) < share
    first = np.where(knows, truth, guess).sum(-1)
    return np.stack([first, reviewers - first], axis=-1).astype(np.float64)


def pair_tables(
    kappa: float, share: float, n: int, samples: int, rng: Generator
) -> tuple[Floats, Floats]:
    """Return the distinct tables of two reviewers, (tables, 2, 2), and their probabilities."""
    margin = np.array([share, 1 - share])
    cells = (kappa * np.diag(margin) + (1 - kappa) * np.outer(margin, margin)).reshape(-1)
    if n <= ENUMERATED:
        first = np.indices([n + 1] * 3).reshape(3, -1)
        tables = np.vstack([first, n - first.sum(0)])[:, first.sum(0) <= n].T
        probability = multinomial.pmf(tables, n, cells)
        likely = probability > 1e-9
        return tables[likely].reshape(-1, 2, 2).astype(np.float64), probability[likely]
    drawn = rng.multinomial(n, cells, size=samples)
    tables, times = np.unique(drawn, axis=0, return_counts=True)
    return tables.reshape(-1, 2, 2).astype(np.float64), times / samples


def held(found: Sequence[Interval | None], truth: float, weight: Floats) -> list[float]:
    """Return the shares of two-sided and of lower bounds that hold, half-width, share with none."""
    is_shown = np.array([interval is not None for interval in found])
    shown = [interval for interval in found if interval is not None]
    each = [(i.low <= truth <= i.high, i.lower <= truth, i.half_width) for i in shown]
    shares = np.average(np.array(each, dtype=np.float64), axis=0, weights=weight[is_shown])
    return [*shares.tolist(), float(weight[~is_shown].sum() / weight.sum())]


def of_pairs(kappa: float, share: float, n: int, samples: int) -> list[float]:
    tables, weight = pair_tables(kappa, share, n, samples, np.random.default_rng(n))
    return held([pair.ci for pair in coefficients.of_pairs(tables)], kappa, weight)


def of_groups(kappa: float, share: float, n: int, reviewers: int, samples: int) -> list[float]:
    counts = answers(kappa, share, n, reviewers, samples, np.random.default_rng(n))
    return held([alpha.of_group(table).ci for table in counts], kappa, np.ones(samples))


def run(options: dict[str, Any], out: OutputWrapper) -> None:
    """Print the coverage of every cell, of pairs and of groups."""
    for who in ("two reviewers, kappa", f"{options['reviewers']} reviewers, alpha"):
        rows: list[list[Any]] = [
            ["share", "truth", "items", "two-sided", "lower", "half-width", "none"]
        ]
        for share, kappa, n in product(SHARES, KAPPAS, SIZES):
            if who.startswith("two"):
                cell = of_pairs(kappa, share, n, options["samples"])
            else:
                cell = of_groups(kappa, share, n, options["reviewers"], options["groups"])
            two, lower, width, none = cell
            row = [f"{share:.1f}", f"{kappa:.2f}", n, f"{two:.3f}", f"{lower:.3f}"]
            rows.append([*row, f"{width:.2f}", f"{none:.2f}"])
        out.write(who)
        out.write(scratch.table(rows))
