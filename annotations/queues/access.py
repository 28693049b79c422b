"""Which members may open a queue, and which are invited to review in it.

sql/conditions/is_invited.sql is `is_invited` for PostgreSQL.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotations.models import AnnotationQueue
from observatory.db.stored_functions import condition
from observatory.workspaces.models import Membership, User, Workspace
from observatory.workspaces.roles import Permission, allows


def is_invited(user: User) -> Q:
    """Return the condition on queues that are open to any reviewer or have `user` assigned."""
    assigned = AnnotationQueue.assigned_reviewers.through.objects.filter(
        annotationqueue_id=OuterRef("pk"), user_id=user.pk
    )
    return Q(access=AnnotationQueue.Access.ANY) | Q(Exists(assigned))


def is_reviewer(queue: AnnotationQueue, user: User, role: str) -> bool:
    """Return whether `user`, a member with `role`, is invited to review items of `queue`."""
    if not allows(role, Permission.REVIEW):
        return False
    return AnnotationQueue.objects.filter(is_invited(user), pk=queue.pk).exists()


def visible_to(workspace: Workspace, user: User) -> QuerySet[AnnotationQueue]:
    """Return the queues of `workspace` that `user` may open, archived ones included.

    Members who manage queues see all of them; other members see those they are invited to. Users
    who are not members see none.
    """
    queues = AnnotationQueue.objects.filter(workspace=workspace)
    role = (
        Membership.objects.filter(workspace=workspace, user=user)
        .values_list("role", flat=True)
        .first()
    )
    if role is None:
        return queues.none()
    return queues if allows(role, Permission.MANAGE_QUEUES) else queues.filter(is_invited(user))


# Of a queue `q`, what `visible_to` says of a member `%(me)s`, who `%(manages)s` queues or not:
_IS_INVITED = condition("annotations", "is_invited", {"p_reviewer": "%(me)s"})
IS_VISIBLE = f"(%(manages)s OR {_IS_INVITED})"
