"""Who may open a queue."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from annotations.models import AnnotationQueue
from observatory.workspaces.models import Membership, User, Workspace
from observatory.workspaces.roles import Permission, allows


def visible_to(workspace: Workspace, user: User) -> QuerySet[AnnotationQueue]:
    """Return the queues of `workspace` that `user` may open, archived ones included.

    Whoever manages queues sees all; others those open to any reviewer and those they are
    assigned to. Someone who is not a member sees none.
    """
    queues = AnnotationQueue.objects.filter(workspace=workspace)
    role = (
        Membership.objects.filter(workspace=workspace, user=user)
        .values_list("role", flat=True)
        .first()
    )
    if role is None:
        return queues.none()
    if allows(role, Permission.MANAGE_QUEUES):
        return queues
    assigned = AnnotationQueue.assigned_reviewers.through.objects.filter(user_id=user.pk)
    return queues.filter(
        Q(access=AnnotationQueue.Access.ANY) | Q(pk__in=assigned.values("annotationqueue_id"))
    )
