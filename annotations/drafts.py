"""What a reviewer has typed and not submitted: kept while they type, restored later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from annotations.bookmarks import Reason, Unavailable
from annotations.models import QueueItem, Review, ReviewDraft
from observatory import exact
from observatory.feedback.judgement import clean_document
from observatory.workspaces.models import User


class DraftConflict(Exception):
    """Another tab saved meanwhile. `current` is what is stored (None: gone), `typed` what came."""

    def __init__(self, current: ReviewDraft | None, typed: dict[str, Any]) -> None:
        super().__init__("the draft was changed elsewhere")
        self.current = current
        self.typed = typed


_INSERT = """
INSERT INTO annotations_reviewdraft (item_id, reviewer_id, version, content, saved_at)
VALUES (%(item)s, %(reviewer)s, 1, %(content)s, %(now)s)
ON CONFLICT (item_id, reviewer_id) DO NOTHING
RETURNING *
"""
_UPDATE = """
UPDATE annotations_reviewdraft SET version = version + 1, content = %(content)s, saved_at = %(now)s
WHERE item_id = %(item)s AND reviewer_id = %(reviewer)s AND version = %(version)s
RETURNING *
"""


@transaction.atomic
def save(
    item: QueueItem, reviewer: User, content: dict[str, Any], version: int, now: datetime
) -> ReviewDraft:
    """Keep `content` as `reviewer`'s draft of `item` and return it with its new version.

    `version` is that of the draft the form was opened with or last saved; 0 when there was
    none. Raises DraftConflict when it is not the stored one, keeping both texts; Unavailable
    (REVIEWED) when the review has been submitted meanwhile; InvalidFeedback when it is too large.
    """
    if Review.objects.filter(item=item, reviewer=reviewer, retracted_at=None).exists():
        raise Unavailable(Reason.REVIEWED)
    parameters = {
        "item": item.pk,
        "reviewer": reviewer.pk,
        "version": version,
        "content": exact.jsonb(clean_document("draft", content)),
        "now": now,
    }
    saved = list(ReviewDraft.objects.raw(_UPDATE if version else _INSERT, parameters))
    if not saved:
        raise DraftConflict(load(item, reviewer), content)
    return saved[0]


def load(item: QueueItem, reviewer: User) -> ReviewDraft | None:
    """Return what `reviewer` had typed on `item`, if anything."""
    return ReviewDraft.objects.filter(item=item, reviewer=reviewer).first()


def put_back(
    item: QueueItem, reviewer: User, content: dict[str, Any], now: datetime
) -> ReviewDraft:
    """Make `content` the draft whatever was there: the answers of a review taken back."""
    draft, _ = ReviewDraft.objects.update_or_create(
        item=item,
        reviewer=reviewer,
        defaults={"content": content, "saved_at": now},
        create_defaults={"content": content, "saved_at": now, "version": 1},
    )
    return draft


def discard(item: QueueItem, reviewer: User) -> None:
    """Forget the draft."""
    ReviewDraft.objects.filter(item=item, reviewer=reviewer).delete()
