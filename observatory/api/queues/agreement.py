"""/annotation-queues/{id}/agreement: how far reviewers agree on each question of a queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.agreement import calibration
from annotations.agreement.calibration import KeyAgreement, PairAgreement
from annotations.agreement.results import Agreement
from annotations.agreement.verdicts import Gate
from observatory.api.kit.endpoint import endpoint
from observatory.api.queues import schemas
from observatory.api.queues.base import QueueView


def _shown(result: Agreement) -> dict[str, Any]:
    return {**result.as_json(), "computed_at": result.computed_at}


def _shown_pair(pair: PairAgreement) -> dict[str, Any]:
    return {
        "reviewers": [pair.first.name, pair.second.name],
        "agreement": _shown(pair.agreement),
        "table": pair.table,
        "mean_difference": pair.mean_difference,
    }


def _shown_gate(gate: Gate) -> dict[str, Any]:
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


def shown(agreement: KeyAgreement) -> dict[str, Any]:
    """Return the agreement on a question as the wire shows it."""
    excluded = agreement.excluded
    return {
        "feedback_key": agreement.key,
        "categories": agreement.categories,
        "reviewers": [reviewer.name for reviewer in agreement.reviewers],
        "headline": _shown(agreement.headline),
        "group": _shown(agreement.group),
        "pairs": [_shown_pair(pair) for pair in agreement.pairs],
        "gate": _shown_gate(agreement.gate),
        "excluded": {
            "other_scale": excluded.other_scale,
            "not_blind": excluded.not_blind,
            "invalid": excluded.invalid,
            "before_window": excluded.before_window,
        },
        "n_disputed": agreement.n_disputed,
        "sentence": agreement.sentence,
    }


class QueueAgreement(QueueView):
    """GET /annotation-queues/{id}/agreement: what the page *Agreement* shows, as JSON.

    Items that still wait for a blind answer are left out, as on the page.
    """

    @endpoint(query=schemas.AgreementQuery, answer=list[schemas.AgreementOnKey])
    def get(self, request: Request, queue_id: str, query: schemas.AgreementQuery) -> Response:
        window = timedelta(days=query.days) if query.days else None
        report = calibration.report(self.queue, now=timezone.now(), window=window)
        return Response([shown(agreement) for agreement in report])
