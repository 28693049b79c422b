"""/annotation-queues: queues and their rubrics. Their items: see `runs` and `items`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.models import AnnotationQueue
from annotations.queues import blindness, queues
from datasets_app import experiments, harvest
from datasets_app.models import Dataset, Harvest
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.api.queues import rubric as rubric_items
from observatory.api.queues import schemas as shapes
from observatory.api.queues.base import QueueView, counted_queues, queue_or_404, reviewer_of
from observatory.api.queues.experiments import experiments_of
from observatory.workspaces.models import User, Workspace

SORTABLE = ("name", "created_at", "updated_at")


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
        "gate_statistic": queue.gate_statistic,
        "gate_target": queue.gate_target,
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


# Reading a body -------------------------------------------------------------------------------


def _changes(
    workspace: Workspace, body: shapes.QueueFields, queue: AnnotationQueue | None = None
) -> dict[str, Any]:
    """Return what a body sets, by the names of `queues.QueueChanges`. Raises 422."""
    queue_type = queue.queue_type if queue else body.queue_type
    is_pairwise = queue_type == AnnotationQueue.QueueType.PAIRWISE
    # A new pairwise queue asks for a preference, also without a rubric.
    rubric = [] if queue is None and body.rubric_items is None else body.rubric_items
    reviewers = body.assigned_reviewers
    number = body.num_reviewers_per_item
    fields = {
        "description": body.description,
        "instructions": body.rubric_instructions,
        "metadata": body.metadata,
        "access": body.reviewer_access_mode,
        "is_reserving": body.enable_reservations,
        "reservation_minutes": body.reservation_minutes,
        "asks_everybody": _asks_everybody(body, queue),
        "reviewers_per_item": None if number is UNSET else number,
        "assigned_reviewers": None if reviewers is None else _members(workspace, reviewers),
        "gate_statistic": body.gate_statistic,
        "gate_target": body.gate_target,
        "rubric": None
        if rubric is None
        else rubric_items.questions_of(workspace, rubric, queue, is_pairwise=is_pairwise),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _dataset(workspace: Workspace, body: shapes.QueueFields) -> Dataset | None:
    """Return the dataset that `default_dataset` names. Raises 422."""
    if not body.default_dataset:
        return None
    dataset = Dataset.objects.filter(workspace=workspace, uuid=body.default_dataset).first()
    if dataset is None:
        raise Unprocessable("default_dataset: is not a dataset of the workspace")
    return dataset


def _asks_everybody(body: shapes.QueueFields, queue: AnnotationQueue | None) -> bool | None:
    """Return whether an item needs all its reviewers; None when the body does not say.

    A null number says so, and so does assigned access that comes without a number: every
    assigned reviewer must submit. Any access without a number says that they need not.
    """
    if body.num_reviewers_per_item is not UNSET:
        return body.num_reviewers_per_item is None
    access = body.reviewer_access_mode
    if access is None or (queue is not None and access == queue.access):
        return None
    return AnnotationQueue.Access(access) is AnnotationQueue.Access.ASSIGNED


def _members(
    workspace: Workspace, reviewers: Sequence[UUID | shapes.AssignedReviewer]
) -> list[User]:
    """Return the members that `assigned_reviewers` names. Raises 422."""
    ids = [reviewer if isinstance(reviewer, UUID) else reviewer.id for reviewer in reviewers]
    members = {
        member.uuid: member
        for member in User.objects.filter(memberships__workspace=workspace, uuid__in=ids)
    }
    for place, uuid in enumerate(ids):
        if uuid not in members:
            raise Unprocessable(f"assigned_reviewers.{place}: is not a member of the workspace")
    return list(members.values())


# Endpoints ------------------------------------------------------------------------------------


class AnnotationQueues(WorkspaceView):
    """GET (list_annotation_queues) and POST (create_annotation_queue) /annotation-queues."""

    @endpoint(query=shapes.QueueQuery, answer=list[shapes.Queue])
    def get(self, request: Request, query: shapes.QueueQuery) -> Response:
        listed = counted_queues(self.workspace).filter(self._condition(query))
        field = query.sort_by if query.sort_by in SORTABLE else "created_at"
        sign = "-" if query.sort_by_desc else ""
        listed = listed.order_by(f"{sign}{field}", f"{sign}id")
        if query.include_rubric_keys:
            listed = listed.prefetch_related("rubric_items")
        rows = []
        for queue in listed[query.window]:
            row = shown(queue, self.workspace)
            if query.include_rubric_keys:
                row["rubric_keys"] = [item.feedback_key for item in queue.rubric_items.all()]
            rows.append(row)
        return Response(rows)

    def _condition(self, query: shapes.QueueQuery) -> Q:
        condition = Q(uuid__in=query.ids) if query.ids else Q(archived_at=None)
        if query.name is not None:
            condition &= Q(name=query.name)
        if query.name_contains is not None:
            condition &= Q(name__icontains=query.name_contains)
        if query.queue_type is not None:
            condition &= Q(queue_type=query.queue_type)
        if query.tag_value_id:  # no queue has a resource tag
            condition &= Q(pk__in=[])
        if query.dataset_id is not None:
            condition &= Q(harvest__dataset__uuid=query.dataset_id)
        if query.assigned_to_me:
            reviewer = reviewer_of(self)
            condition &= Q(pk__in=reviewer.assigned_queues.values("pk") if reviewer else [])
        return condition

    @endpoint(body=shapes.QueueCreate, answer=shapes.QueueWithRubric, errors=(409,))
    def post(self, request: Request, body: shapes.QueueCreate) -> Response:
        """Create a queue. The same id and name again is a retry and answers what is there."""
        now = timezone.now()
        settings = {
            "name": body.name,
            "queue_type": body.queue_type or AnnotationQueue.QueueType.SINGLE,
            **({} if body.id is None else {"uuid": body.id}),
            **_changes(self.workspace, body),
        }
        is_pairwise = settings["queue_type"] == AnnotationQueue.QueueType.PAIRWISE
        dataset = _dataset(self.workspace, body)
        projects = body.session_ids and experiments_of(
            self.workspace, body.session_ids, is_pairwise=is_pairwise
        )
        try:
            with transaction.atomic():
                queue = queues.create_queue(self.workspace, now=body.created_at or now, **settings)
                if dataset is not None:
                    harvest.connect(queue, dataset)
                if projects:
                    experiments.populate(queue, projects, added_by=reviewer_of(self), now=now)
        except IntegrityError:
            if body.id is None:
                raise
            return self._repeated(body.id, body)
        return self._created(queue_or_404(self.workspace, str(queue.uuid), is_counted=True), body)

    def _repeated(self, uuid: UUID, body: shapes.QueueCreate) -> Response:
        queue = counted_queues(self.workspace).filter(uuid=uuid, name=body.name).first()
        if queue is None:
            raise Conflict("An annotation queue with this id exists already")
        return self._created(queue, body)

    def _created(self, queue: AnnotationQueue, body: shapes.QueueCreate) -> Response:
        """Answer with the queue, without instructions when none were sent.

        A release of the SDK passes those that it sent on beside the answer.
        """
        answer = detailed(queue, self.workspace)
        if body.rubric_instructions is None and answer["rubric_instructions"] is None:
            del answer["rubric_instructions"]
        return Response(answer)


class AnnotationQueueDetail(QueueView):
    """GET, PATCH and DELETE /annotation-queues/{id}: read, update, delete_annotation_queue."""

    is_counted_by_get = True

    @endpoint(answer=shapes.QueueWithRubric)
    def get(self, request: Request, queue_id: str) -> Response:
        return Response(detailed(self.queue, self.workspace))

    @endpoint(body=shapes.QueueChange, answer=shapes.QueueWithRubric)
    def patch(self, request: Request, queue_id: str, body: shapes.QueueChange) -> Response:
        if body.queue_type not in {None, "", self.queue.queue_type}:
            raise Unprocessable("queue_type: cannot be changed")
        dataset = _dataset(self.workspace, body)
        changes: Any = _changes(self.workspace, body, self.queue)
        if body.name is not None:
            changes["name"] = body.name
        with transaction.atomic():
            queues.change(self.queue, changes, now=timezone.now())
            if body.default_dataset is not UNSET:
                harvest.connect(self.queue, dataset)
        queue = queue_or_404(self.workspace, queue_id, is_counted=True)
        return Response(detailed(queue, self.workspace))

    @endpoint(answer=Message)
    def delete(self, request: Request, queue_id: str) -> Response:
        """Delete the queue, its items and reviews. The feedback that reviewers gave stays."""
        blindness.delete(self.queue)
        return Response({"message": "Annotation queue deleted"})
