"""What every view of a queue starts from."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from annotations.models import AnnotationQueue, QueueItem
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.workspaces.models import User, Workspace


def counted_queues(workspace: Workspace) -> QuerySet[AnnotationQueue]:
    """Return the queues of `workspace` with `n_items` and what answers show, in few queries."""
    counts = (
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
        .annotate(n_items=Coalesce(Subquery(counts), 0))
    )


def queue_or_404(
    workspace: Workspace, queue_id: str, *, is_counted: bool = False
) -> AnnotationQueue:
    """Return a queue of `workspace` by its uuid, with `is_counted` as `counted_queues` does.

    Counting the items of a large queue takes longer than most requests for it.
    """
    queues = (
        counted_queues(workspace)
        if is_counted
        else AnnotationQueue.objects.filter(workspace=workspace)
    )
    queue = queues.filter(uuid=uuid_or_404(queue_id)).first()
    if queue is None:
        raise NotFound("Annotation queue not found")
    return queue


def reviewer_of(view: WorkspaceView) -> User | None:
    """Return the person whose key is used, for "needs my review" and "assigned to me"."""
    return view.caller.key.created_by


class QueueView(WorkspaceView):
    """A view of one queue of the workspace, found before parameters and body are read."""

    is_counted_by_get: ClassVar[bool] = False
    queue: AnnotationQueue

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        is_counted = self.is_counted_by_get and request.method in {"GET", "HEAD"}
        self.queue = queue_or_404(self.workspace, kwargs["queue_id"], is_counted=is_counted)
