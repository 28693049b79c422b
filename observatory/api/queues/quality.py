"""/annotation-queues/{id}/quality and .../items/{item}/gold: gold items, and who knew the answer.

For keys of members who manage queues: a reviewer must not learn which items are gold.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.models import DriftAlarm, GoldAnswer, QueueItem
from annotations.quality import drift_watch, gold, gold_accuracy
from annotations.quality.gold_accuracy import ReviewerAccuracy
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Message
from observatory.api.queues import quality_schemas as schemas
from observatory.api.queues.base import QueueView, reviewer_of
from observatory.api.queues.items import QueueItemView
from observatory.workspaces.memberships import is_allowed
from observatory.workspaces.roles import Permission


def _must_manage(view: WorkspaceView) -> None:
    """Refuse keys of people who may not manage queues; a service's key has no person."""
    person = reviewer_of(view)
    if person and not is_allowed(person, view.workspace, Permission.MANAGE_QUEUES):
        raise PermissionDenied("Only those who manage queues may see which items are gold")


def _shown_accuracy(row: ReviewerAccuracy) -> dict[str, Any]:
    return {
        "reviewer": row.username,
        "feedback_key": row.key,
        "n_answers": row.right.n,
        "n_right": row.right.k,
        "low": row.right.low,
        "high": row.right.high,
        "is_flagged": row.is_flagged,
    }


def _shown_drift(alarm: DriftAlarm) -> dict[str, Any]:
    return {
        "reviewer": alarm.reviewer.username,
        "feedback_key": alarm.rubric_item.feedback_key if alarm.rubric_item else None,
        "kind": alarm.kind,
        "before": alarm.before,
        "after": alarm.after,
        "n_before": alarm.n_before,
        "n_after": alarm.n_after,
        "p_value": alarm.p_value,
        "raised_at": alarm.raised_at,
    }


class QueueQuality(QueueView):
    """GET and PATCH /annotation-queues/{id}/quality: what the page *Quality* shows."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        _must_manage(self)

    @endpoint(answer=schemas.Quality, errors=(403,))
    def get(self, request: Request, queue_id: str) -> Response:
        found = gold_accuracy.report(self.queue)
        return Response(
            {
                "gold_rate": self.queue.gold_rate,
                "target": gold_accuracy.TARGET,
                "items": [
                    {
                        "item_id": item.uuid,
                        "run_id": item.run_id,
                        "version": item.version,
                        "answers": item.answers,
                        "reason": item.reason,
                        "n_answers": item.right.n,
                        "n_right": item.right.k,
                        "is_questionable": item.is_questionable,
                    }
                    for item in found.items
                ],
                "reviewers": [_shown_accuracy(row) for row in found.reviewers],
                "by_key": [_shown_accuracy(row) for row in found.by_key],
                "drift": [
                    _shown_drift(alarm)
                    for alarm in drift_watch.alarms_of(self.queue, timezone.now())
                ],
            }
        )

    @endpoint(body=schemas.QualityChange, answer=schemas.Quality, errors=(403,))
    def patch(self, request: Request, queue_id: str, body: schemas.QualityChange) -> Response:
        gold.set_rate(self.queue, body.gold_rate)
        return self.get(request, queue_id)


class QueueItemGold(QueueItemView):
    """GET, PUT and DELETE .../items/{item}/gold: the expected answers that make an item gold."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        _must_manage(self)

    @endpoint(answer=schemas.GoldAnswer, errors=(403,))
    def get(self, request: Request, queue_id: str, item_id: str) -> Response:
        newest = gold.newest_answer(self.item)
        if newest is None:
            raise NotFound("The item is not gold")
        return Response(_shown_answer(self.item, newest))

    @endpoint(body=schemas.GoldSet, answer=schemas.GoldAnswer, errors=(403,))
    def put(self, request: Request, queue_id: str, item_id: str, body: schemas.GoldSet) -> Response:
        author, now = reviewer_of(self), timezone.now()
        try:
            answer = gold.set_gold(self.item, body.answers, author, now, reason=body.reason)
        except gold.InvalidGold as error:
            raise Unprocessable(str(error)) from None
        return Response(_shown_answer(self.item, answer))

    @endpoint(answer=Message, errors=(403,))
    def delete(self, request: Request, queue_id: str, item_id: str) -> Response:
        if not gold.unset_gold(self.item, timezone.now()):
            raise NotFound("The item is not gold")
        return Response({"message": "The item is an ordinary item again"})


def _shown_answer(item: QueueItem, answer: GoldAnswer) -> dict[str, Any]:
    return {
        "item_id": item.uuid,
        "version": answer.version,
        "answers": answer.answers,
        "reason": answer.reason,
        "created_at": answer.created_at,
    }
