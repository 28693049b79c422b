"""/annotation-queues: queues and their rubrics. What is in them: see annotation_queue_runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import blindness, item_subjects, queues
from annotations.queues.reviewer_count import MAX_REVIEWERS
from datasets_app import experiments, harvest
from datasets_app.models import Dataset, Harvest
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.api.queues import experiments as queue_experiments
from observatory.api.queues import rubric as rubric_items
from observatory.api.queues import schemas as shapes
from observatory.api.queues.rubric import MISSING
from observatory.feedback import configs, judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.feedback.models import FeedbackConfig
from observatory.wire_values import clean_text
from observatory.workspaces.models import User, Workspace

MAX_NAME = 200
MAX_TEXT = 100_000
MAX_ASSIGNED = 200
SORTS = {"name": "name", "created_at": "created_at", "updated_at": "updated_at"}


def readable(workspace: Workspace) -> QuerySet[AnnotationQueue]:
    """Return the queues of `workspace` with `n_items` and what `shown` needs, in few queries."""
    counted = (
        QueueItem.objects.filter(queue=OuterRef("pk"))
        .exclude(state=QueueItem.State.REMOVED)
        .order_by()
        .values("queue")
        .annotate(n=Count("*"))
        .values("n")
    )
    return (
        AnnotationQueue.objects.filter(workspace=workspace)
        .select_related("harvest__dataset")
        .prefetch_related("assigned_reviewers")
        .annotate(n_items=Coalesce(Subquery(counted), 0))
    )


def find(workspace: Workspace, queue_id: str, *, to_be_shown: bool = False) -> AnnotationQueue:
    """Return a queue of `workspace` by its uuid, `to_be_shown` as `readable` does. Raises 404.

    Counting the items of a large queue takes longer than most of what is asked of it.
    """
    queues = (
        readable(workspace) if to_be_shown else AnnotationQueue.objects.filter(workspace=workspace)
    )
    queue = queues.filter(uuid=uuid_or_404(queue_id)).first()
    if queue is None:
        raise NotFound("Annotation queue not found")
    return queue


def shown(queue: AnnotationQueue, workspace: Workspace) -> dict[str, Any]:
    """Return a queue as the wire shows it, without its rubric."""
    connection: Harvest | None = getattr(queue, "harvest", None)
    return {
        "id": queue.uuid,
        "name": queue.name,
        "description": queue.description or None,
        "tenant_id": workspace.uuid,
        "created_at": queue.created_at,
        "updated_at": queue.updated_at,
        "queue_type": queue.queue_type,
        "default_dataset": connection.dataset.uuid if connection else None,
        "num_reviewers_per_item": None if queue.asks_everybody else queue.reviewers_per_item,
        "enable_reservations": queue.is_reserving,
        "reservation_minutes": queue.reservation_minutes,
        "reviewer_access_mode": queue.access,
        "assigned_reviewers": [
            {"id": user.uuid, "name": user.get_full_name() or user.username, "email": user.email}
            for user in queue.assigned_reviewers.all()
        ],
        "rubric_instructions": queue.instructions or None,
        "metadata": queue.metadata,
        "run_rule_id": None,
        "source_rule_id": None,
        "total_runs": getattr(queue, "n_items", 0),
    }


def detailed(queue: AnnotationQueue, workspace: Workspace) -> dict[str, Any]:
    """Return a queue with its rubric."""
    items = list(queue.rubric_items.select_related("queue"))
    return {
        **shown(queue, workspace),
        "rubric_items": [rubric_items.shown(item, workspace) for item in items],
    }


def me(view: WorkspaceView) -> User | None:
    """Return the person whose key is used, for "needs my review" and "assigned to me"."""
    return view.caller.key.created_by


# Reading a body -------------------------------------------------------------------------------


def _given(body: Any) -> dict[str, Any]:
    """Return what a body provides; `__missing__` counts as absent."""
    if not isinstance(body, dict):
        raise InvalidFeedback("queue", "must be an object")
    return {name: value for name, value in body.items() if value != MISSING}


def _text(name: str, raw: Any, most: int) -> str:
    if not isinstance(raw, str) or len(raw) > most:
        raise InvalidFeedback(name, f"must be a text of at most {most} characters")
    return clean_text(raw)


def _whole(name: str, raw: Any, low: int, high: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
        raise InvalidFeedback(name, f"must be a whole number, {low} to {high}")
    return raw


def _flag(name: str, raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise InvalidFeedback(name, "must be true or false")
    return raw


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of AnnotationQueue that a body sets. A null leaves a field alone."""
    fields: dict[str, Any] = {}
    present = {name: value for name, value in given.items() if value is not None}
    if "name" in present:
        fields["name"] = _text("name", present["name"], MAX_NAME)
        if not fields["name"].strip():
            raise InvalidFeedback("name", "is empty")
    if "description" in present:
        fields["description"] = _text("description", present["description"], MAX_TEXT)
    if "rubric_instructions" in present:
        instructions = present["rubric_instructions"]
        fields["instructions"] = _text("rubric_instructions", instructions, MAX_TEXT)
    if "enable_reservations" in present:
        fields["is_reserving"] = _flag("enable_reservations", present["enable_reservations"])
    if "reservation_minutes" in present:
        minutes = present["reservation_minutes"]
        fields["reservation_minutes"] = _whole("reservation_minutes", minutes, 1, 1_440)
    if "reviewer_access_mode" in present:
        if present["reviewer_access_mode"] not in AnnotationQueue.Access.values:
            raise InvalidFeedback("reviewer_access_mode", "must be any or assigned")
        fields["access"] = present["reviewer_access_mode"]
    if "metadata" in present:
        fields["metadata"] = judgement.parse_object("metadata", present["metadata"])
    return fields


def _queue_type(given: dict[str, Any], default: str) -> str:
    queue_type = given.get("queue_type") or default
    if queue_type not in AnnotationQueue.QueueType.values:
        raise InvalidFeedback("queue_type", "must be single or pairwise")
    return str(queue_type)


def _dataset(workspace: Workspace, raw: Any) -> Dataset | None:
    uuid = judgement.parse_uuid("default_dataset", raw)
    if uuid is None:
        return None
    dataset = Dataset.objects.filter(workspace=workspace, uuid=uuid).first()
    if dataset is None:
        raise InvalidFeedback("default_dataset", "names no dataset")
    return dataset


def _wants_everybody(given: dict[str, Any], queue: AnnotationQueue | None) -> bool | None:
    """Return whether an item needs all its reviewers; None when the body does not say.

    A null number says so, and so does assigned access that comes without a number: every
    assigned reviewer must submit. Any access without a number says that they need not.
    """
    if "num_reviewers_per_item" in given:
        return given["num_reviewers_per_item"] is None
    access = given.get("reviewer_access_mode")
    if access is None or (queue is not None and access == queue.access):
        return None
    return bool(access == AnnotationQueue.Access.ASSIGNED)


def _number(given: dict[str, Any]) -> int | None:
    raw = given.get("num_reviewers_per_item")
    return None if raw is None else _whole("num_reviewers_per_item", raw, 1, MAX_REVIEWERS)


def _reviewers(workspace: Workspace, given: dict[str, Any]) -> list[User] | None:
    """Return the members that `assigned_reviewers` names by id, or by object with an id."""
    raw = given.get("assigned_reviewers")
    if raw is None:
        return None
    if not isinstance(raw, list) or len(raw) > MAX_ASSIGNED:
        raise InvalidFeedback("assigned_reviewers", f"must be an array of at most {MAX_ASSIGNED}")
    ids: list[Any] = [
        judgement.parse_uuid(
            f"assigned_reviewers.{place}", one.get("id") if isinstance(one, dict) else one
        )
        for place, one in enumerate(raw)
    ]
    found = {
        user.uuid: user
        for user in User.objects.filter(memberships__workspace=workspace, uuid__in=ids)
    }
    for place, uuid in enumerate(ids):
        if uuid not in found:
            raise InvalidFeedback(f"assigned_reviewers.{place}", "names no member")
    return list(found.values())


def _rubric(
    workspace: Workspace, raw: Any, queue: AnnotationQueue | None = None, *, is_pairwise: bool
) -> list[dict[str, Any]]:
    items = [item for item in (raw if isinstance(raw, list) else []) if isinstance(item, dict)]
    stored = FeedbackConfig.objects.filter(workspace=workspace)
    if not any(item.get("feedback_config_id") for item in items):  # an id names any of them
        keys = [item.get("feedback_key") for item in items]
        stored = stored.filter(key__in=[key for key in keys if isinstance(key, str)])
    existing = {item.feedback_key: item for item in queue.rubric_items.all()} if queue else None
    declared = {config.key: config.config for config in stored}
    declared |= {str(configs.id_of(workspace, key)): config for key, config in declared.items()}
    rubric = rubric_items.read(raw, declared=declared, existing=existing)
    return item_subjects.preferences(rubric) if is_pairwise else rubric


# Endpoints ------------------------------------------------------------------------------------


class AnnotationQueues(WorkspaceView):
    """GET (list_annotation_queues) and POST (create_annotation_queue) /annotation-queues."""

    @endpoint(query=shapes.QueueQuery, answer=list[shapes.Queue])
    def get(self, request: Request) -> Response:
        found = readable(self.workspace).filter(self._filters(request))
        sort = SORTS.get(parameters.one(request, "sort_by") or "created_at", "created_at")
        is_descending = parameters.flag(request, "sort_by_desc")
        sign = "-" if is_descending or is_descending is None else ""
        found = found.order_by(f"{sign}{sort}", f"{sign}id")
        has_keys = parameters.flag(request, "include_rubric_keys") is True
        if has_keys:
            found = found.prefetch_related("rubric_items")
        rows = []
        for queue in found[parameters.window(request)]:
            row = shown(queue, self.workspace)
            if has_keys:
                row["rubric_keys"] = [item.feedback_key for item in queue.rubric_items.all()]
            rows.append(row)
        return Response(rows)

    def _filters(self, request: Request) -> Q:
        ids = parameters.uuids(request, "ids")
        asked = Q(uuid__in=ids) if ids else Q(archived_at=None)
        if name := parameters.one(request, "name"):
            asked &= Q(name=name)
        if part := parameters.one(request, "name_contains"):
            asked &= Q(name__icontains=part)
        if queue_type := parameters.one(request, "queue_type"):
            asked &= Q(queue_type=queue_type)
        if parameters.listed(request, "tag_value_id"):  # no queue has a resource tag
            asked &= Q(pk__in=[])
        if dataset := parameters.uuid(request, "dataset_id"):
            asked &= Q(harvest__dataset__uuid=dataset)
        if parameters.flag(request, "assigned_to_me"):
            person = me(self)
            asked &= Q(pk__in=person.assigned_queues.values("pk") if person else [])
        return asked

    @endpoint(body=shapes.QueueCreate, answer=shapes.QueueWithRubric, errors=(409,))
    def post(self, request: Request) -> Response:
        """Create a queue. The same id and name again is a retry and answers what is there."""
        now = timezone.now()
        parameters.refuse_tags(request.data)
        try:
            given = _given(request.data)
            uuid = judgement.parse_uuid("id", given.get("id"))
            fields = _fields(given)
            if "name" not in fields:
                raise InvalidFeedback("name", "is missing")
            fields["queue_type"] = _queue_type(given, AnnotationQueue.QueueType.SINGLE)
            is_pairwise = fields["queue_type"] == AnnotationQueue.QueueType.PAIRWISE
            created_at = judgement.parse_time("created_at", given.get("created_at")) or now
            dataset = _dataset(self.workspace, given.get("default_dataset"))
            sent = [] if given.get("rubric_items") is None else given["rubric_items"]
            rubric = _rubric(self.workspace, sent, is_pairwise=is_pairwise)
            fields["assigned_reviewers"] = _reviewers(self.workspace, given) or []
            fields["asks_everybody"] = _wants_everybody(given, None) or False
            if (number := _number(given)) is not None:
                fields["reviewers_per_item"] = number
            chosen = []
            if sessions := given.get("session_ids"):
                chosen = queue_experiments.chosen(self.workspace, sessions, is_pairwise=is_pairwise)
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        name = fields.pop("name")
        if uuid is not None:
            fields["uuid"] = uuid
        try:
            with transaction.atomic():
                queue = queues.create_queue(
                    self.workspace, name, now=created_at, rubric=rubric, **fields
                )
                if dataset is not None:
                    harvest.connect(queue, dataset)
                if chosen:
                    experiments.populate(queue, chosen, added_by=me(self), now=now)
        except IntegrityError:
            if uuid is None:
                raise
            return self._repeated(uuid, name, given)
        stored = find(self.workspace, str(queue.uuid), to_be_shown=True)
        return self._created(stored, given)

    def _repeated(self, uuid: UUID, name: str, given: dict[str, Any]) -> Response:
        queue = readable(self.workspace).filter(uuid=uuid, name=name).first()
        if queue is None:
            raise Conflict("An annotation queue with this id exists already")
        return self._created(queue, given)

    def _created(self, queue: AnnotationQueue, given: dict[str, Any]) -> Response:
        """Answer with the queue, without instructions when none were sent.

        A release of the SDK passes those that it sent on beside the answer.
        """
        answer = detailed(queue, self.workspace)
        if given.get("rubric_instructions") is None and answer["rubric_instructions"] is None:
            del answer["rubric_instructions"]
        return Response(answer)


class AnnotationQueueDetail(WorkspaceView):
    """GET, PATCH and DELETE /annotation-queues/{id}: read, update, delete_annotation_queue."""

    @endpoint(answer=shapes.QueueWithRubric)
    def get(self, request: Request, queue_id: str) -> Response:
        queue = find(self.workspace, queue_id, to_be_shown=True)
        return Response(detailed(queue, self.workspace))

    @endpoint(body=shapes.QueueChange, answer=shapes.QueueWithRubric)
    def patch(self, request: Request, queue_id: str) -> Response:
        queue = find(self.workspace, queue_id)
        now = timezone.now()
        parameters.refuse_tags(request.data)
        try:
            given = _given(request.data)
            fields = _fields(given)
            if _queue_type(given, queue.queue_type) != queue.queue_type:
                raise InvalidFeedback("queue_type", "cannot be changed")
            dataset = _dataset(self.workspace, given.get("default_dataset"))
            is_pairwise = queue.queue_type == AnnotationQueue.QueueType.PAIRWISE
            rubric = (
                _rubric(self.workspace, given["rubric_items"], queue, is_pairwise=is_pairwise)
                if given.get("rubric_items") is not None
                else None
            )
            fields |= {
                "rubric": rubric,
                "assigned_reviewers": _reviewers(self.workspace, given),
                "reviewers_per_item": _number(given),
                "asks_everybody": _wants_everybody(given, queue),
            }
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        changes: Any = {name: value for name, value in fields.items() if value is not None}
        with transaction.atomic():
            queues.change(queue, changes, now=now)
            if "default_dataset" in given:
                harvest.connect(queue, dataset)
        queue = find(self.workspace, queue_id, to_be_shown=True)
        return Response(detailed(queue, self.workspace))

    @endpoint(answer=Message)
    def delete(self, request: Request, queue_id: str) -> Response:
        """Delete the queue, its items and reviews. The feedback that reviewers gave stays."""
        blindness.delete(find(self.workspace, queue_id))
        return Response({"message": "Annotation queue deleted"})
