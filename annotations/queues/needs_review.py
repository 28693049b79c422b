"""Which items of a queue need a reviewer's review: the one definition.

An item needs it while it is open, the reviewer has no standing review of it, and they have not
skipped it. An item they requeued still needs it. All code that lists, counts or hands out such
items uses this module or sql/conditions, the same rule for PostgreSQL.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from annotations.models import Deferral, QueueItem, Review
from observatory.db.stored_functions import condition
from observatory.workspaces.models import User


def reviewed_by(user: User, item: str = "pk") -> Exists:
    """Return whether `user` has a standing review; `item` is the field with the item's key."""
    return Exists(Review.objects.filter(item=OuterRef(item), reviewer=user, retracted_at=None))


def skipped_by(user: User, item: str = "pk") -> Exists:
    """Return whether `user` has skipped the item; a review they wrote later prevails."""
    return Exists(
        Deferral.objects.filter(item=OuterRef(item), reviewer=user, kind=Deferral.Kind.SKIP)
    )


def requeued_by(user: User, item: str = "pk") -> Exists:
    """Return whether `user` has moved the item to the end of their order."""
    return Exists(
        Deferral.objects.filter(item=OuterRef(item), reviewer=user, kind=Deferral.Kind.REQUEUE)
    )


def needs_review_by(user: User, item: str = "") -> Q:
    """Return the condition of an item that needs `user`'s review.

    Without `item` it is one of QueueItem; else of a model whose relation `item` leads there.
    """
    key, prefix = (f"{item}_id", f"{item}__") if item else ("pk", "")
    is_open = Q(**{f"{prefix}state": QueueItem.State.OPEN})
    return is_open & ~reviewed_by(user, key) & ~skipped_by(user, key)


# In SQL -----------------------------------------------------------------------------------------

# Of a deferral `d` and its item `i`: a skip that keeps an open item from its reviewer.
KEEPS_FROM_REVIEWER = "d.kind = 'skip' AND i.state = 'open' AND " + condition(
    "annotations", "is_unreviewed", {"s.item_id": "i.id", "p_reviewer": "d.reviewer_id"}
)
# How many items of the queue `{queue}` need the review of `%(me)s`. By subtraction: what a
# reviewer has done is few rows compared with what is open.
N_NEEDING_MINE = f"""
((SELECT count(*) FROM annotations_queueitem WHERE queue_id = {{queue}} AND state = 'open')
 - (SELECT count(*) FROM annotations_review r JOIN annotations_queueitem i ON i.id = r.item_id
    WHERE r.queue_id = {{queue}} AND r.reviewer_id = %(me)s AND r.retracted_at IS NULL
      AND i.state = 'open')
 - (SELECT count(*) FROM annotations_deferral d JOIN annotations_queueitem i ON i.id = d.item_id
    WHERE d.reviewer_id = %(me)s AND i.queue_id = {{queue}} AND {KEEPS_FROM_REVIEWER}))
"""
