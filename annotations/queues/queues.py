"""Create, archive and unarchive a queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from annotations.models import AnnotationQueue
from annotations.queues import rubric_editing
from observatory.workspaces.models import User, Workspace


@transaction.atomic
def create_queue(
    workspace: Workspace,
    name: str,
    *,
    now: datetime,
    rubric: Sequence[Mapping[str, Any]] = (),
    assigned_reviewers: Iterable[User] = (),
    **settings: Any,
) -> AnnotationQueue:
    """Create a queue with its rubric at version 1.

    `rubric` holds one mapping a question, in order, with the fields of `RubricItem`; `settings`
    are fields of `AnnotationQueue` (uuid, instructions, reviewers_per_item ...). Raises
    IntegrityError when the uuid is taken in the workspace.
    """
    queue = AnnotationQueue.objects.create(
        workspace=workspace, name=name, created_at=now, **settings
    )
    queue.assigned_reviewers.set(assigned_reviewers)
    rubric_editing.write_first(queue, rubric, now=now)
    return queue


def archive(queue: AnnotationQueue, *, now: datetime) -> None:
    """Take the queue out of the way: rules no longer feed it and no item is handed out."""
    AnnotationQueue.objects.filter(pk=queue.pk, archived_at=None).update(archived_at=now)
    queue.refresh_from_db(fields=["archived_at"])


def unarchive(queue: AnnotationQueue) -> None:
    """Bring an archived queue back, with its items as they were."""
    AnnotationQueue.objects.filter(pk=queue.pk).update(archived_at=None)
    queue.archived_at = None
