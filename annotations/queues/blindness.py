"""Which reviews, and the feedback they wrote, a reader may read (promise C4).

An item is *settled* when its queue is not blind, or it was completed and is not open again. Answers
on an item that is not settled are only visible to their author and to reviewers whose own review of
the item stands. Managers and operators are no exception, for they may be the next reviewer. No
other reader gets them: not API keys, shared pages, rules, filters, figures, orders, agreement or
exports.

Feedback repeats the rule as `Feedback.is_sealed`, so that rooms below and statements over millions
of rows read it without knowing items: see `feedback/sealed.py`. `follow` keeps it in step, and must
be called by each verb that changes an item's state or a queue's blindness.

Feedback that a user sends with an API key, under a key of the rubric and while the item is open, is
an answer as well: setting the item to completed makes it their review. It is sealed like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotations.models import AnnotationQueue, QueueItem, Review
from annotations.models.queues import REVIEWABLE
from annotations.queues.locks import lock_queue
from observatory.feedback import sealed
from observatory.feedback.models import Feedback
from observatory.feedback.sources import MADE_BY
from observatory.runs import changes
from observatory.runs.models import Change
from observatory.workspaces.models import Membership, User, Workspace
from observatory.workspaces.roles import Permission, allows

OPEN: Final = QueueItem.State.OPEN
_OF_PEOPLE: Final = (Feedback.Source.API, Feedback.Source.APP)

# Of an item `i` and its queue `q`; `settled` is the same for Django.
_SETTLED = """
(NOT q.is_blind OR i.state = 'completed' OR (i.state = 'removed' AND i.completed_at IS NOT NULL))
"""


def settled(item: str = "item", queue: str = "queue") -> Q:
    """Return the condition of a settled item, over the relations of those names."""
    was_completed = Q(
        **{f"{item}__state": QueueItem.State.REMOVED, f"{item}__completed_at__isnull": False}
    )
    is_completed = Q(**{f"{item}__state": QueueItem.State.COMPLETED})
    return Q(**{f"{queue}__is_blind": False}) | is_completed | was_completed


def unsettled_items(queue: AnnotationQueue) -> QuerySet[QueueItem]:
    """Return the items of `queue` whose answers are not settled."""
    if not queue.is_blind:
        return QueueItem.objects.none()
    never_completed = Q(state=QueueItem.State.REMOVED, completed_at=None)
    return QueueItem.objects.filter(Q(state__in=REVIEWABLE) | never_completed, queue=queue)


# People ---------------------------------------------------------------------------------------


def reviews_visible_to(user: User, workspace_id: int) -> QuerySet[Review]:
    """Return the reviews of a workspace that `user` may read now, with their own retracted ones.

    Users who are not members read none.
    """
    role = (
        Membership.objects.filter(workspace_id=workspace_id, user=user)
        .values_list("role", flat=True)
        .first()
    )
    if role is None or not allows(role, Permission.VIEW):
        return Review.objects.none()
    mine = Review.objects.filter(item=OuterRef("item"), reviewer=user, retracted_at=None)
    return Review.objects.filter(
        Q(reviewer=user) | Q(retracted_at=None) & (settled() | Exists(mine)),
        workspace_id=workspace_id,
    )


def answers_visible_to(user: User, item: QueueItem) -> QuerySet[Review]:
    """Return the standing reviews of `item` whose answers `user` may read now."""
    return reviews_visible_to(user, item.workspace_id).filter(item=item, retracted_at=None)


def hides_answers(user: User, workspace_id: int, subjects: Sequence[UUID]) -> bool:
    """Return whether there are reviews of these runs or threads that `user` may not read now.

    The reviews decide, not the feedback: a review may have none, and its absence would reveal that.
    """
    of_subjects = (
        Q(item__run_id__in=subjects)
        | Q(item__first_run_id__in=subjects)
        | Q(item__second_run_id__in=subjects)
    )
    reviews = Review.objects.filter(of_subjects, workspace_id=workspace_id, retracted_at=None)
    return reviews.exclude(pk__in=reviews_visible_to(user, workspace_id).values("pk")).exists()


def feedback_visible_to(user: User, workspace_id: int) -> Q:
    """Return the condition of the feedback of a workspace that `user` may read now."""
    reviews = reviews_visible_to(user, workspace_id).values("uuid")
    sent_by_user = Q(review_uuid=None, api_key__created_by=user)
    return Q(is_sealed=False) | Q(review_uuid__in=reviews) | sent_by_user


# Feedback in step -------------------------------------------------------------------------------

# Feedback `f` that a user sent while an item waited for their answer under that key. Sealed rows
# stay sealed until the item is settled, also while the item is out of its queue.
_IS_ANSWER = f"""
f.source_type IN ('api', 'app') AND NOT f.is_error AND NOT f.is_attribute
AND NOT coalesce(jsonb_exists(f.source_metadata, '{MADE_BY}'), false)
AND EXISTS (SELECT FROM workspaces_apikey k
            WHERE k.id = f.api_key_id AND k.created_by_id IS NOT NULL)
AND EXISTS (
    SELECT FROM annotations_queueitem i
    JOIN annotations_annotationqueue q ON q.id = i.queue_id
    JOIN annotations_rubricitem a
        ON a.queue_id = q.id AND a.feedback_key = f.key AND a.retired_at IS NULL
    WHERE i.workspace_id = f.workspace_id AND NOT {_SETTLED}
      AND (f.is_sealed OR i.state IN ('open', 'gold') AND i.added_at <= f.modified_at)
      AND (i.run_id = f.run_id OR i.first_run_id = f.run_id OR i.second_run_id = f.run_id
           OR i.thread_id = (SELECT r.thread_id FROM runs_run r
                WHERE r.workspace_id = f.workspace_id AND r.id = f.run_id)
              AND i.project_uuid = (SELECT p.uuid FROM runs_project p WHERE p.id = f.project_id)))
"""
_IS_SEALED = f"""
CASE WHEN f.review_uuid IS NULL THEN {_IS_ANSWER}
ELSE EXISTS (
    SELECT FROM annotations_review v
    JOIN annotations_queueitem i ON i.id = v.item_id
    JOIN annotations_annotationqueue q ON q.id = i.queue_id
    WHERE v.workspace_id = f.workspace_id AND v.uuid = f.review_uuid AND NOT {_SETTLED})
END
"""
_SEALED_AS_STORED = f"f.id = ANY(%(rows)s::bigint[]) AND f.review_uuid IS NULL AND {_IS_ANSWER}"
_OF_ITEMS = """
SELECT f.id FROM annotations_review v
JOIN feedback_feedback f ON f.workspace_id = v.workspace_id AND f.review_uuid = v.uuid
WHERE v.item_id = ANY(%(items)s)
UNION
SELECT f.id FROM annotations_queueitem i
JOIN feedback_feedback f ON f.workspace_id = i.workspace_id
    AND f.run_id IN (i.run_id, i.first_run_id, i.second_run_id)
WHERE i.id = ANY(%(items)s) AND f.review_uuid IS NULL AND f.api_key_id IS NOT NULL
UNION
SELECT f.id FROM annotations_queueitem i
JOIN runs_project p ON p.workspace_id = i.workspace_id AND p.uuid = i.project_uuid
JOIN runs_run r ON r.project_id = p.id AND r.thread_id = i.thread_id
JOIN feedback_feedback f ON f.workspace_id = i.workspace_id AND f.run_id = r.id
WHERE i.id = ANY(%(items)s) AND f.review_uuid IS NULL AND f.api_key_id IS NOT NULL
"""
_FOLLOW = f"f.id IN ({{feedback}}) AND f.is_sealed <> ({_IS_SEALED})"
_FOLLOW_ITEMS = _FOLLOW.format(feedback=_OF_ITEMS)
_FOLLOW_ROWS = _FOLLOW.format(feedback="SELECT unnest(%(rows)s::bigint[])")


def seal(workspace: Workspace, stored: Sequence[Feedback]) -> None:
    """Seal new feedback that answers an open item of a blind queue."""
    feedback_by_subject = {
        row.pk: row
        for row in stored
        if row.api_key_id and row.run_id and not row.review_uuid and row.source_type in _OF_PEOPLE
    }
    if not feedback_by_subject:
        return
    for pk in sealed.seal(_SEALED_AS_STORED, {"rows": list(feedback_by_subject)}):
        feedback_by_subject[pk].is_sealed = True


@transaction.atomic
def follow(workspace: Workspace, item_ids: Sequence[int]) -> None:
    """Seal or open the feedback on these items, according to their state.

    A Change names the runs of opened feedback, so that rules see it from now on.
    """
    if item_ids:
        _follow(workspace, _FOLLOW_ITEMS, {"items": list(item_ids)})


def _follow(workspace: Workspace, condition: str, parameters: dict[str, list[int]]) -> None:
    changed = sealed.toggle(condition, parameters)
    opened = {run_id for run_id, is_sealed in changed if run_id and not is_sealed}
    changes.note(workspace, Change.Kind.FEEDBACK, opened)


@transaction.atomic
def set_blind(queue: AnnotationQueue, is_blind: bool, *, now: datetime) -> None:
    """Make `queue` blind, or show all answers in it.

    Answers that were readable until now have been seen: later reviews of those items are not blind.
    """
    locked = lock_queue(queue)
    if locked.is_blind != is_blind:
        locked.is_blind = is_blind
        locked.save(update_fields=["is_blind", "updated_at"])
        items = QueueItem.objects.filter(queue=locked)
        if is_blind:
            reviewed = Review.objects.filter(item=OuterRef("pk"), retracted_at=None)
            items.filter(Exists(reviewed), state=OPEN).update(reopened_at=now)
        follow(locked.workspace, list(items.values_list("pk", flat=True)))
    queue.is_blind = is_blind


@transaction.atomic
def delete(queue: AnnotationQueue) -> None:
    """Delete `queue` with its items and reviews. The feedback stays, readable for all members."""
    items = list(QueueItem.objects.filter(queue=queue).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_OF_ITEMS, {"items": items})
        feedback = [pk for (pk,) in cursor.fetchall()]
    workspace = queue.workspace
    queue.delete()
    _follow(workspace, _FOLLOW_ROWS, {"rows": feedback})


# Items that come back ---------------------------------------------------------------------------

_REOPEN = """
UPDATE annotations_queueitem SET completed_at = NULL, reopened_at = %(now)s
WHERE id = ANY(%(items)s) AND state = 'open' AND completed_at IS NOT NULL
"""


def reopen(workspace: Workspace, item_ids: Sequence[int], now: datetime) -> None:
    """Record that the answers on reopened items were readable, and seal them again."""
    with connection.cursor() as cursor:
        cursor.execute(_REOPEN, {"items": list(item_ids), "now": now})
    follow(workspace, item_ids)
