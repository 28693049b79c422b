"""/annotation-queues/populate: fill a queue from experiments."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from annotations.models import AnnotationQueue
from datasets_app import experiments
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Message
from observatory.api.queues import schemas as shapes
from observatory.api.queues.base import reviewer_of
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace


def experiments_of(
    workspace: Workspace, session_ids: Sequence[UUID], *, is_pairwise: bool
) -> list[Project]:
    """Return the experiments that `session_ids` names, each once, in that order.

    Raises 422 for an id that is no experiment on a dataset. For pairs they must be at least two,
    all on one dataset.
    """
    projects = {
        project.uuid: project
        for project in Project.objects.filter(
            workspace=workspace, uuid__in=session_ids, reference_dataset_id__isnull=False
        )
    }
    for place, session_id in enumerate(session_ids):
        if session_id not in projects:
            raise Unprocessable(f"session_ids.{place}: is not an experiment on a dataset")
    chosen = [projects[session_id] for session_id in dict.fromkeys(session_ids)]
    if is_pairwise and len(chosen) < 2:
        raise Unprocessable("session_ids: a pairwise queue needs at least two experiments")
    if is_pairwise and len({project.reference_dataset_id for project in chosen}) > 1:
        raise Unprocessable("session_ids: must be experiments on one dataset")
    return chosen


class QueuePopulate(WorkspaceView):
    """POST /annotation-queues/populate: add the runs (or pairs) of experiments to a queue."""

    @endpoint(body=shapes.Populate, answer=Message, errors=(404,))
    def post(self, request: Request, body: shapes.Populate) -> Response:
        queue = AnnotationQueue.objects.filter(workspace=self.workspace, uuid=body.queue_id).first()
        if queue is None:
            raise NotFound("Annotation queue not found")
        is_pairwise = queue.queue_type == AnnotationQueue.QueueType.PAIRWISE
        projects = experiments_of(self.workspace, body.session_ids, is_pairwise=is_pairwise)
        n_items = experiments.populate(
            queue, projects, added_by=reviewer_of(self), now=timezone.now()
        )
        return Response({"message": f"{n_items} items in the queue"})
