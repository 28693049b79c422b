"""/annotation-queues/{id}/agreement: how far reviewers agree on each question of a queue."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.agreement import calibration
from annotations.agreement.documents import document
from observatory.api.kit.endpoint import endpoint
from observatory.api.queues import agreement_schemas as schemas
from observatory.api.queues.base import QueueView


class QueueAgreement(QueueView):
    """GET /annotation-queues/{id}/agreement: what the page *Agreement* shows, as JSON.

    Items that still wait for a blind answer are left out, as on the page.
    """

    @endpoint(query=schemas.AgreementQuery, answer=list[schemas.AgreementOnKey])
    def get(self, request: Request, queue_id: str, query: schemas.AgreementQuery) -> Response:
        window = timedelta(days=query.days) if query.days else None
        report = calibration.report(self.queue, now=timezone.now(), window=window)
        return Response([document(agreement) for agreement in report])
