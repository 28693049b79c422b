"""/feedback: scores, values and comments on runs and projects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Q, QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.feedback import schemas as shapes
from observatory.api.kit import bodies, streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.feedback import record
from observatory.feedback.judgement import InvalidFeedback, OfAReview
from observatory.feedback.models import Feedback
from observatory.workspaces.models import ApiKey, Workspace

MAX_BATCH = 1_000


def shown_publicly(feedback: Feedback, share: UUID) -> dict[str, Any]:
    """Return feedback for readers with a share token.

    It shows another id, the same at each read: its own may be that of a token (feedback.tokens).
    """
    return {**shown(feedback), "id": uuid5(share, str(feedback.uuid))}


def shown(feedback: Feedback, *, has_user_names: bool = False) -> dict[str, Any]:
    """Return feedback as the wire shows it. `run_id` and `trace_id` are there even when null."""
    author = feedback.user
    source: dict[str, Any] = {
        "type": feedback.source_type,
        "metadata": feedback.source_metadata,
        "user_id": author.uuid if author else None,
        "ls_user_id": author.uuid if author else None,
        "user_name": None,
    }
    if author and has_user_names:
        source["user_name"] = author.get_full_name() or author.username
    return {
        "id": feedback.uuid,
        "created_at": feedback.created_at,
        "modified_at": feedback.modified_at,
        "key": feedback.key,
        "run_id": feedback.run_id,
        "trace_id": feedback.trace_id,
        "session_id": feedback.project.uuid if feedback.project else None,
        "start_time": feedback.run_start_time,
        "is_root": feedback.is_root,
        "score": feedback.score,
        "value": feedback.value,
        "comment": feedback.comment,
        "correction": feedback.correction,
        "feedback_source": source,
        "comparative_experiment_id": feedback.comparative_experiment_id,
        "feedback_group_id": feedback.feedback_group_id,
        "feedback_thread_id": feedback.feedback_thread_id,
        "extra": feedback.extra,
    }


def readable(workspace: Workspace, key: ApiKey | None = None) -> QuerySet[Feedback]:
    """Return the feedback of `workspace` that may be read, with the rows that `shown` needs.

    Answers that blind reviewing still hides are left out, except feedback that `key` itself
    created and no review has taken.
    """
    rows = Feedback.objects.filter(workspace=workspace).select_related("project", "user")
    if key is None:
        return rows.readable()
    return rows.filter(Q(is_sealed=False) | Q(api_key=key, review_uuid=None))


def refusal(error: InvalidFeedback) -> Conflict | Unprocessable:
    """Return the answer to feedback that was refused."""
    return Conflict(str(error)) if isinstance(error, OfAReview) else Unprocessable(str(error))


def conditions(query: shapes.FeedbackFilter) -> Q:
    """Return the conditions of GET /feedback; an unknown id matches nothing."""
    chosen = {
        "run_id__in": query.run,
        "project__uuid__in": query.session,
        "user__uuid__in": query.user,
        "key__in": query.key,
        "comparative_experiment_id": query.comparative_experiment_id,
        "feedback_thread_id": query.feedback_thread_id,
        "created_at__gte": query.min_created_at,
        "created_at__lte": query.max_created_at,
        "score__isnull": None if query.has_score is None else not query.has_score,
        "run_id__isnull": None if query.level is None else query.level == "session",
    }
    condition = Q(**{name: value for name, value in chosen.items() if value is not None})
    if query.source:
        # The Python SDK writes its enum's name, FeedbackSourceType.MODEL, instead of its value.
        sources = [text.rpartition(".")[2].lower() for text in query.source]
        condition &= Q(source_type__in=sources)
    if query.has_comment is not None:
        has_comment = Q(comment__isnull=False) & ~Q(comment="")
        condition &= has_comment if query.has_comment else ~has_comment
    return condition


DOCUMENTS = ("value", "correction", "extra", "source_metadata", "comment")


def listed(
    rows: QuerySet[Feedback], window: slice, shown_as: Callable[[Feedback], dict[str, Any]]
) -> HttpResponseBase:
    """Return the page `window` of `rows`, newest first."""
    newest = rows.order_by("-created_at", "-id")
    every = Feedback.objects.select_related("project", "user")
    pages = streamed.rows_of(newest, window, DOCUMENTS, every)
    return streamed.answer(streamed.array(shown_as(row) for page in pages for row in page))


class FeedbackCollection(WorkspaceView):
    """POST /feedback (create_feedback) and GET /feedback (list_feedback)."""

    @endpoint(query=shapes.FeedbackQuery, answer=list[shapes.Feedback])
    def get(self, request: Request, query: shapes.FeedbackQuery) -> HttpResponseBase:
        rows = readable(self.workspace, self.caller.key).filter(conditions(query))
        return listed(rows, query.window, partial(shown, has_user_names=query.include_user_names))

    @endpoint(body=shapes.FeedbackCreate, answer=shapes.Feedback)
    def post(self, request: Request, body: shapes.FeedbackCreate) -> Response:
        """Store feedback, also of a run that is not here yet: a 404 would block the SDK."""
        try:
            feedback = record.record(
                self.workspace, body.to_input(), now=timezone.now(), api_key=self.caller.key
            )
        except InvalidFeedback as error:
            raise refusal(error) from None
        return Response(shown(feedback))


class FeedbackBatch(WorkspaceView):
    """POST /feedback/batch: an array, or `{"feedback": [...]}`. A bad one costs only itself."""

    @endpoint(
        body=shapes.FeedbackBatch | list[shapes.FeedbackCreate],
        answer=shapes.FeedbackStored,
        status=202,
    )
    def post(self, request: Request) -> Response:
        items = request.data.get("feedback") if isinstance(request.data, dict) else request.data
        if not isinstance(items, list):
            raise Unprocessable("feedback: must be an array")
        if len(items) > MAX_BATCH:
            raise Unprocessable(f"feedback: must have at most {MAX_BATCH} values")
        inputs, errors = [], []
        for place, item in enumerate(items):
            try:
                inputs.append(bodies.read(shapes.FeedbackCreate, item).to_input())
            except Unprocessable as error:
                errors.append({"index": place, "detail": str(error.detail)})
        recorded = record.record_many(
            self.workspace, inputs, now=timezone.now(), api_key=self.caller.key
        )
        errors += [{"id": sent.id, "detail": str(error)} for sent, error in recorded.refused]
        return Response({"n_stored": len(recorded.stored), "errors": errors}, status=202)


class FeedbackDetail(WorkspaceView):
    """GET (read_feedback), PATCH (update_feedback), DELETE (delete_feedback) /feedback/{id}."""

    @endpoint(query=shapes.FeedbackReadQuery, answer=shapes.Feedback)
    def get(self, request: Request, feedback_id: str, query: shapes.FeedbackReadQuery) -> Response:
        feedback = self._feedback_or_404(uuid_or_404(feedback_id))
        return Response(shown(feedback, has_user_names=query.include_user_names))

    @endpoint(body=shapes.FeedbackChange, answer=shapes.Feedback)
    def patch(self, request: Request, feedback_id: str, body: shapes.FeedbackChange) -> Response:
        """Change feedback. What a review wrote is changed by its reviewer only: 409."""
        uuid = self._changeable(feedback_id)
        try:
            record.update(self.workspace, uuid, body.changes(), now=timezone.now())
        except Feedback.DoesNotExist:
            raise NotFound("Feedback not found") from None
        except InvalidFeedback as error:
            raise refusal(error) from None
        return Response(shown(self._feedback_or_404(uuid)))

    @endpoint(answer=Message)
    def delete(self, request: Request, feedback_id: str) -> Response:
        """Delete feedback. What a review wrote goes when its reviewer takes it back: 409."""
        try:
            is_gone = record.delete(self.workspace, self._changeable(feedback_id))
        except InvalidFeedback as error:
            raise refusal(error) from None
        if not is_gone:
            raise NotFound("Feedback not found")
        return Response({"message": "Feedback deleted"})

    def _feedback_or_404(self, uuid: UUID) -> Feedback:
        feedback = readable(self.workspace, self.caller.key).filter(uuid=uuid).first()
        if feedback is None:
            raise NotFound("Feedback not found")
        return feedback

    def _changeable(self, feedback_id: str) -> UUID:
        """Return the id of feedback that this key may change, or that a review keeps it from."""
        uuid = uuid_or_404(feedback_id)
        rows = readable(self.workspace, self.caller.key)
        kept = Feedback.objects.filter(workspace=self.workspace).exclude(review_uuid=None)
        if not (rows.filter(uuid=uuid).exists() or kept.filter(uuid=uuid).exists()):
            raise NotFound("Feedback not found")
        return uuid
