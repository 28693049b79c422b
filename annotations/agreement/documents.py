"""An agreement report as the API, the command and the CSV file show it: one shape, said once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

from annotations.agreement.calibration import KeyAgreement, PairAgreement
from annotations.agreement.results import Agreement
from annotations.agreement.verdicts import Gate

COLUMNS: Final = (
    "feedback_key",
    "scope",  # headline, group or pair
    "first_reviewer",
    "second_reviewer",
    "statistic",
    "value",
    "reason",
    "low",
    "high",
    "lower",
    "upper",
    "n_items",
    "n_ratings",
    "n_overlap",
    "percent_agreement",
    "ac1",
    "mean_difference",
    "target",
    "verdict",
    "n_disputed",
    "warnings",
    "other_scale",
    "not_blind",
    "invalid",
    "before_window",
    "removed",
    "cant_judge",
    "not_of_a_reviewer",
    "data_version",
    "computed_at",
)


def document(agreement: KeyAgreement) -> dict[str, Any]:
    """Return the agreement on a question as plain values; only `computed_at` is a datetime."""
    return {
        "feedback_key": agreement.key,
        "categories": agreement.categories,
        "reviewers": [reviewer.name for reviewer in agreement.reviewers],
        "headline": _result(agreement.headline),
        "group": _result(agreement.group),
        "statistics": [_result(result) for result in agreement.statistics],
        "by_category": [asdict(category) for category in agreement.by_category],
        "pairs": [_pair(pair) for pair in agreement.pairs],
        "gate": _gate(agreement.gate),
        "excluded": asdict(agreement.excluded),
        "n_disputed": agreement.n_disputed,
        "sentence": agreement.sentence,
    }


def _result(result: Agreement) -> dict[str, Any]:
    return {**result.as_json(), "computed_at": result.computed_at}


def _pair(pair: PairAgreement) -> dict[str, Any]:
    return {
        "reviewers": [pair.first.name, pair.second.name],
        "agreement": _result(pair.agreement),
        "table": pair.table,
        "mean_difference": pair.mean_difference,
    }


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "statistic": gate.statistic,
        "target": gate.target,
        "lower_bound": gate.lower_bound,
        "upper_bound": gate.upper_bound,
        "confidence": gate.confidence,
        "n_items": gate.n,
        "n_more": gate.n_more,
        "verdict": str(gate.verdict),
    }


def lines(agreements: Iterable[KeyAgreement]) -> Iterator[list[Any]]:
    """Yield the header and the lines of the CSV file: per key its headline, group and pairs.

    The verdict, the disputed items and the ratings left out are about the key, so they are on the
    line of its headline only. Empty cells have no value; `reason` says why a coefficient has none.
    """
    yield list(COLUMNS)
    for agreement in agreements:
        yield _line(agreement.key, "headline", agreement.headline, _about_key(agreement))
        yield _line(agreement.key, "group", agreement.group, {})
        for pair in agreement.pairs:
            names = {"first_reviewer": pair.first.name, "second_reviewer": pair.second.name}
            difference = {"mean_difference": pair.mean_difference}
            yield _line(agreement.key, "pair", pair.agreement, names | difference)


def _about_key(agreement: KeyAgreement) -> dict[str, Any]:
    return {
        **asdict(agreement.excluded),
        "target": agreement.gate.target,
        "verdict": str(agreement.gate.verdict),
        "n_disputed": agreement.n_disputed,
    }


def _line(key: str, scope: str, result: Agreement, more: dict[str, Any]) -> list[Any]:
    plain = result.as_json()
    interval = plain["ci"] or {}
    cells = {
        **plain,
        **{name: interval.get(name) for name in ("low", "high", "lower", "upper")},
        **more,
        "feedback_key": key,
        "scope": scope,
        "ac1": result.companions.get("ac1"),
        "warnings": " ".join(plain["warnings"]),
    }
    return [cells.get(column) for column in COLUMNS]
