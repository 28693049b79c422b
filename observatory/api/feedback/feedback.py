"""/feedback: what people and models thought of a run."""

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
from observatory.api.kit import parameters, streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.feedback import judgement, record
from observatory.feedback.judgement import InvalidFeedback, OfAReview
from observatory.feedback.models import Feedback
from observatory.workspaces.models import ApiKey, Workspace

MAX_BATCH = 1_000


def shown_publicly(feedback: Feedback, share: UUID) -> dict[str, Any]:
    """Return feedback for readers with a share token.

    Its id is another one, the same at each read: its own may be that of a token (feedback.tokens).
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
    """Return the feedback of `workspace` that may be read, with what `shown` tells of it.

    Answers that blind reviewing still hides are left out, but not what `key` itself has sent
    and no review has taken.
    """
    rows = Feedback.objects.filter(workspace=workspace).select_related("project", "user")
    if key is None:
        return rows.readable()
    return rows.filter(Q(is_sealed=False) | Q(api_key=key, review_uuid=None))


def refusal(error: InvalidFeedback) -> Conflict | Unprocessable:
    """Return the answer to feedback that was refused."""
    return Conflict(str(error)) if isinstance(error, OfAReview) else Unprocessable(str(error))


def filters(request: Request) -> Q:
    """Return the conditions of GET /feedback; an unknown id matches nothing."""
    asked = Q()
    for parameter, field in (
        ("run", "run_id"),
        ("session", "project__uuid"),
        ("user", "user__uuid"),
    ):
        if ids := parameters.uuids(request, parameter):
            asked &= Q(**{f"{field}__in": ids})
    if keys := parameters.listed(request, "key"):
        asked &= Q(key__in=keys)
    if sources := parameters.listed(request, "source"):
        # The Python SDK writes its enum's name, FeedbackSourceType.MODEL, instead of its value.
        asked &= Q(source_type__in=[text.rpartition(".")[2].lower() for text in sources])
    if comparison := parameters.uuid(request, "comparative_experiment_id"):
        asked &= Q(comparative_experiment_id=comparison)
    if thread := parameters.one(request, "feedback_thread_id"):
        asked &= Q(feedback_thread_id=thread)
    if since := parameters.moment(request, "min_created_at"):
        asked &= Q(created_at__gte=since)
    if until := parameters.moment(request, "max_created_at"):
        asked &= Q(created_at__lte=until)
    return asked & _presence(request)


def _presence(request: Request) -> Q:
    """Return the conditions on what a feedback has: a score, a comment, a run."""
    asked = Q()
    if (has_score := parameters.flag(request, "has_score")) is not None:
        asked &= Q(score__isnull=not has_score)
    if (has_comment := parameters.flag(request, "has_comment")) is not None:
        commented = Q(comment__isnull=False) & ~Q(comment="")
        asked &= commented if has_comment else ~commented
    level = parameters.one(request, "level")
    if level not in {None, "run", "session"}:
        raise Unprocessable("level: must be run or session")
    if level is not None:
        asked &= Q(run_id__isnull=level == "session")
    return asked


DOCUMENTS = ("value", "correction", "extra", "source_metadata", "comment")


def listed(
    rows: QuerySet[Feedback], request: Request, shown_as: Callable[[Feedback], dict[str, Any]]
) -> HttpResponseBase:
    """Return the page of `rows`, newest first, that the request asks for."""
    found = rows.order_by("-created_at", "-id")
    every = Feedback.objects.select_related("project", "user")
    pages = streamed.rows_of(found, parameters.window(request), DOCUMENTS, every)
    return streamed.answer(streamed.array(shown_as(one) for page in pages for one in page))


class FeedbackCollection(WorkspaceView):
    """POST /feedback (create_feedback) and GET /feedback (list_feedback)."""

    @endpoint(query=shapes.FeedbackQuery, answer=list[shapes.Feedback])
    def get(self, request: Request) -> HttpResponseBase:
        has_names = parameters.flag(request, "include_user_names") is True
        rows = readable(self.workspace, self.caller.key).filter(filters(request))
        return listed(rows, request, partial(shown, has_user_names=has_names))

    @endpoint(body=shapes.FeedbackCreate, answer=shapes.Feedback)
    def post(self, request: Request) -> Response:
        """Store feedback, also of a run that is not here yet: a 404 would block the SDK."""
        try:
            sent = judgement.parse(request.data)
            feedback = record.record(
                self.workspace, sent, now=timezone.now(), api_key=self.caller.key
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
        body = request.data.get("feedback") if isinstance(request.data, dict) else request.data
        if not isinstance(body, list):
            raise Unprocessable("feedback: must be an array")
        if len(body) > MAX_BATCH:
            raise Unprocessable(f"feedback: more than {MAX_BATCH} at once")
        inputs, errors = [], []
        for place, item in enumerate(body):
            try:
                inputs.append(judgement.parse(item))
            except InvalidFeedback as error:
                errors.append({"index": place, "detail": str(error)})
        recorded = record.record_many(
            self.workspace, inputs, now=timezone.now(), api_key=self.caller.key
        )
        errors += [{"id": sent.id, "detail": str(error)} for sent, error in recorded.refused]
        return Response({"n_stored": len(recorded.stored), "errors": errors}, status=202)


class FeedbackDetail(WorkspaceView):
    """GET (read_feedback), PATCH (update_feedback), DELETE (delete_feedback) /feedback/{id}."""

    @endpoint(query=shapes.FeedbackReadQuery, answer=shapes.Feedback)
    def get(self, request: Request, feedback_id: str) -> Response:
        has_names = parameters.flag(request, "include_user_names") is True
        return Response(shown(self._found(feedback_id), has_user_names=has_names))

    @endpoint(body=shapes.FeedbackChange, answer=shapes.Feedback)
    def patch(self, request: Request, feedback_id: str) -> Response:
        """Change feedback. What a review wrote is changed by its reviewer only: 409."""
        uuid = self._changeable(feedback_id)
        try:
            changed = judgement.parse_changes(request.data)
            record.update(self.workspace, uuid, changed, now=timezone.now())
        except Feedback.DoesNotExist:
            raise NotFound("Feedback not found") from None
        except InvalidFeedback as error:
            raise refusal(error) from None
        return Response(shown(self._found(uuid)))

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

    def _found(self, feedback_id: str | UUID) -> Feedback:
        uuid = feedback_id if isinstance(feedback_id, UUID) else uuid_or_404(feedback_id)
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
