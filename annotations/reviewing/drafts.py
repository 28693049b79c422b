"""Drafts: a reviewer's unsubmitted input, saved while they type and restored later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from annotations.models import QueueItem, Review, ReviewDraft
from annotations.models.queues import REVIEWABLE
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from observatory import exact
from observatory.feedback.judgement import InvalidFeedback, clean_document
from observatory.workspaces.models import User, Workspace


class DraftConflict(Exception):
    """Another tab has saved. `current` is the stored draft (None: gone), `typed` the other."""

    def __init__(self, current: ReviewDraft | None, typed: dict[str, Any]) -> None:
        super().__init__("the draft was changed elsewhere")
        self.current = current
        self.typed = typed


@dataclass(frozen=True)
class Writer:
    """Which tab of a browser sends a draft, and when its text was typed by that browser's clock.

    A tab that is reloaded sends its last input as it closes, and ignores the response. The writer
    lets the next save of the same tab recognise that version as its own.
    """

    tab: str
    typed_at_ms: int


# The stored draft is an earlier text of the tab that sends this one.
_IS_MINE = """
(d.content -> 'writer' ->> 'tab' = %(tab)s
 AND (d.content -> 'writer' ->> 'typed_at_ms')::bigint <= %(typed_at_ms)s)
"""
_INSERT = f"""
INSERT INTO annotations_reviewdraft AS d (item_id, reviewer_id, version, content, saved_at)
VALUES (%(item)s, %(reviewer)s, 1, %(content)s, %(now)s)
ON CONFLICT (item_id, reviewer_id) DO UPDATE
SET version = d.version + 1, content = excluded.content, saved_at = excluded.saved_at
WHERE {_IS_MINE}
RETURNING d.*
"""
_UPDATE = f"""
UPDATE annotations_reviewdraft d
SET version = version + 1, content = %(content)s, saved_at = %(now)s
WHERE item_id = %(item)s AND reviewer_id = %(reviewer)s
  AND (version = %(version)s OR {_IS_MINE})
RETURNING d.*
"""


@transaction.atomic
def save(
    item: QueueItem,
    reviewer: User,
    content: dict[str, Any],
    version: int,
    now: datetime,
    *,
    writer: Writer | None = None,
) -> ReviewDraft:
    """Store `content` as `reviewer`'s draft of `item` and return it with its new version.

    `version` is that of the draft the form was opened with or last saved; 0 when there was none. It
    is ignored when the stored draft is an earlier text of the same `writer`. Raises DraftConflict
    when it is not the stored one, keeping both texts; Unavailable (REVIEWED) when the review has
    been submitted meanwhile; InvalidFeedback when it is too large.
    """
    if Review.objects.filter(item=item, reviewer=reviewer, retracted_at=None).exists():
        raise Unavailable(Reason.REVIEWED)
    parameters = {
        "item": item.pk,
        "reviewer": reviewer.pk,
        "version": version,
        "content": exact.jsonb(clean_document("draft", signed(content, writer))),
        "now": now,
        "tab": writer.tab if writer else None,
        "typed_at_ms": writer.typed_at_ms if writer else 0,
    }
    saved = list(ReviewDraft.objects.raw(_UPDATE if version else _INSERT, parameters))
    if not saved:
        raise DraftConflict(load(item, reviewer), content)
    return saved[0]


def keep(
    item: QueueItem,
    reviewer: User,
    content: dict[str, Any],
    now: datetime,
    *,
    writer: Writer | None = None,
) -> None:
    """Store the input of a rejected or skipped form as the draft, unless it is too large."""
    try:
        cleaned = clean_document("draft", signed(content, writer))
    except InvalidFeedback:
        return  # the browser keeps the text, and the response names the error
    put_back(item, reviewer, cleaned, now)


def signed(content: dict[str, Any], writer: Writer | None) -> dict[str, Any]:
    """Return `content` with its writer, as it is stored."""
    if writer is None:
        return content
    return {**content, "writer": {"tab": writer.tab, "typed_at_ms": writer.typed_at_ms}}


def drafts_of(workspace: Workspace, user: User) -> QuerySet[ReviewDraft]:
    """Return the drafts of `user` on items that are still open, newest first."""
    return (
        ReviewDraft.objects.filter(
            reviewer=user, item__workspace=workspace, item__state__in=REVIEWABLE
        )
        .select_related("item__queue")
        .order_by("-saved_at")
    )


def load(item: QueueItem, reviewer: User) -> ReviewDraft | None:
    """Return the draft of `reviewer` on `item`, if any."""
    return ReviewDraft.objects.filter(item=item, reviewer=reviewer).first()


def put_back(
    item: QueueItem, reviewer: User, content: dict[str, Any], now: datetime
) -> ReviewDraft:
    """Replace any draft by `content`: the answers of a review that was undone."""
    draft, _ = ReviewDraft.objects.update_or_create(
        item=item,
        reviewer=reviewer,
        defaults={"content": content, "saved_at": now},
        create_defaults={"content": content, "saved_at": now, "version": 1},
    )
    return draft


def discard(item: QueueItem, reviewer: User) -> None:
    """Delete the draft."""
    ReviewDraft.objects.filter(item=item, reviewer=reviewer).delete()
