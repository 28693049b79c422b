"""Simulate reviewers whose accuracy falls, and show how soon that is noticed.

Every reviewer answers some double-reviewed items a week on each key; a share of the items is hard.
Easy and hard items are known by their stratum, and the share of hard ones wanders from week
to week. In week 13 one reviewer falls on one key. Looked at every week: the newest four weeks
against those before, all reviewers and keys by Benjamini and Hochberg.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import numpy as np
from django.core.management.base import OutputWrapper
from numpy.typing import NDArray

from annotations.quality import drift
from observatory.console.bench import scratch

STARTS, WEEKS, WINDOW = 12, 25, 4  # the first drifting week, the weeks of a history, of a window
QUARTER = 13
EASY, HARD = 0.92, 0.72


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--histories", type=int, default=100, help="per row (100)")
    parser.add_argument("--reviewers", type=int, default=10, help="(10)")
    parser.add_argument("--keys", type=int, default=3, help="(3)")


def history(
    rng: np.random.Generator, n_series: int, per_week: int, fall: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return outcomes and strata, (series, weeks, per_week); the first series falls by `fall`."""
    hard_share = np.clip(rng.normal(0.35, 0.1, size=(n_series, WEEKS, 1)), 0.05, 0.9)
    strata = (rng.random((n_series, WEEKS, per_week)) < hard_share).astype(np.int64)
    rates = np.where(strata == 1, HARD, EASY)
    rates[0, STARTS:] -= fall
    return rng.random(rates.shape) < rates, strata


def looks(outcomes: NDArray[np.bool_], strata: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the alarms, (series, quarter): one look at the end of each week from STARTS on."""
    flagged = []
    for week in range(STARTS, STARTS + QUARTER):
        begins = week + 1 - WINDOW
        values = [
            drift.accuracy_p(
                right[:begins].ravel(),
                kinds[:begins].ravel(),
                right[begins : week + 1].ravel(),
                kinds[begins : week + 1].ravel(),
                draws=drift.draws_for(len(outcomes)),
                seed=week,
            )
            for right, kinds in zip(outcomes, strata, strict=True)
        ]
        flagged.append(drift.alarms([1.0 if value is None else value for value in values]))
    return np.stack(flagged, axis=1)


def _items(weeks: NDArray[np.int64], share: float, per_week: int) -> str:
    """Return the items until `share` of the histories had an alarm."""
    week = int(np.quantile(weeks, share, method="higher"))
    return f"{per_week * week}" if week <= QUARTER else f"over {per_week * QUARTER}"


def run(options: dict[str, Any], out: OutputWrapper) -> None:
    """Print by items a week and size of the fall: found within weeks, items needed, errors."""
    n_series = options["reviewers"] * options["keys"]
    heading = ["items a week", "fall", "found in 2 weeks", "in 4", "in 8", "in 13"]
    heading += ["items to alarm, median", "90 %", "false alarms per reviewer and quarter"]
    rows: list[list[Any]] = [heading]
    for per_week in (10, 25, 50):
        for fall in (0.0, 0.10, 0.15, 0.20):
            rng = np.random.default_rng(2_026)
            first, n_false = [], 0
            for _ in range(options["histories"]):
                flagged = looks(*history(rng, n_series, per_week, fall))
                others = flagged[1:] if fall else flagged
                n_false += int(np.count_nonzero(others.any(axis=1)))
                found = flagged[0].any() and fall
                first.append(int(flagged[0].argmax()) + 1 if found else QUARTER + 1)
            weeks = np.array(first)
            shares = [f"{np.mean(weeks <= limit):.2f}" if fall else "-" for limit in (2, 4, 8, 13)]
            needed = [_items(weeks, share, per_week) if fall else "-" for share in (0.5, 0.9)]
            rate = n_false / (options["histories"] * options["reviewers"])
            rows.append([per_week, f"{fall:.2f}", *shares, *needed, f"{rate:.4f}"])
    out.write(scratch.table(rows))
