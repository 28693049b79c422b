"""Simulate how often a queue is called "target met" by a reader who looks every ten items.

Two reviewers, two categories, a true kappa, a target of 0.70. `ever` is the share of histories in
which the verdict was "met" at one look or more between 20 and the named number of items, `at 200`
the share in which it is at that number: of a queue at or below the target an error, else the power.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import numpy as np
from django.core.management.base import OutputWrapper
from numpy.typing import NDArray

from annotations.agreement import coefficients, looks, verdicts
from observatory.console.bench import scratch
from observatory.console.bench.coverage import SHARES

KAPPAS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
SIZES = np.concatenate(
    [np.arange(20, 201, 10), np.arange(250, 1001, 50), np.arange(1200, 5001, 200)]
)

Flags = NDArray[np.bool_]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--histories", type=int, default=10_000, help="per cell (10000)")
    parser.add_argument("--target", type=float, default=verdicts.TARGET, help="(0.70)")


def verdicts_of(kappa: float, share: float, target: float, histories: int) -> tuple[Flags, Flags]:
    """Return whether each history was called met, and below, at each of SIZES, (sizes, n)."""
    margin = np.array([share, 1 - share])
    cells = (kappa * np.diag(margin) + (1 - kappa) * np.outer(margin, margin)).reshape(-1)
    rng = np.random.default_rng(2_026)
    added = np.diff(SIZES, prepend=0)
    counts = np.stack([rng.multinomial(n, cells, size=histories) for n in added]).cumsum(axis=0)
    centre, se = coefficients.adjusted(counts.reshape(*counts.shape[:2], 2, 2))
    reach = np.array([looks.quantile(int(n)) for n in SIZES])[:, None] * se
    return centre - reach > target, centre + reach < target


def run(options: dict[str, Any], out: OutputWrapper) -> None:
    """Print the shares of each verdict by true kappa and share of the first category."""
    heading = ["share", "truth", "ever met, to 200", "to 1000", "to 5000"]
    heading += ["met at 50", "at 100", "at 200", "at 400", "ever below, to 200"]
    rows: list[list[Any]] = [heading]
    for share in SHARES:
        for kappa in KAPPAS:
            met, below = verdicts_of(kappa, share, options["target"], options["histories"])
            ever = [met[limit >= SIZES].any(axis=0).mean() for limit in (200, 1_000, 5_000)]
            at = [met[n == SIZES].mean() for n in (50, 100, 200, 400)]
            figures = [*ever, *at, below[SIZES <= 200].any(axis=0).mean()]
            rows.append([f"{share:.1f}", f"{kappa:.2f}", *(f"{figure:.3f}" for figure in figures)])
    out.write(scratch.table(rows))
    levels = ", ".join(f"{n} items {looks.confidence(n):.2%}" for n in (20, 50, 100, 200, 400))
    out.write(f"one-sided level of a verdict's bound: {levels}")
