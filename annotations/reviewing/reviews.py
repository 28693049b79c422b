"""Reviews: submit, undo, skip, requeue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction

from annotations import signals
from annotations.models import Deferral, QueueItem, Rating, Review, ReviewDraft, RubricItem, Seat
from annotations.queues import blindness, reviewer_count, rubrics
from annotations.reviewing import corrections, drafts, recording, reservations, reviewer_sessions
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from observatory import exact
from observatory.db import prepared
from observatory.db.columns import Columns
from observatory.events import announce
from observatory.feedback.judgement import InvalidFeedback, clean_document
from observatory.runs import changes
from observatory.runs.models import Change, Run
from observatory.wire_values import clean_text
from observatory.workspaces.models import User


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The content of a review form.

    `submission_id` is issued with the form: repeating it does not store a second review. `scores`
    are answers by feedback key in any form `rubrics` reads. `correction` is `{"outputs": ...}` or
    None; one that changes nothing is dropped. `lease` is the reservation under which the form was
    opened. `rubric_version`, if given, is the rubric the form showed. `replaces` is the uuid of the
    reviewer's standing review when the form edits it. `is_recorded`: the scores were read from
    stored feedback, `recorded` (primary keys), so none is written.
    """

    submission_id: UUID
    scores: Mapping[str, Any]
    correction: Mapping[str, Any] | None = None
    note: str = ""
    dwell_ms: int | None = None
    lease: UUID | None = None
    rubric_version: int | None = None
    replaces: UUID | None = None
    is_recorded: bool = False
    recorded: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The result of a submission.

    `review.is_counted` is False for a late extra: it is kept, but the item was completed by other
    reviews. `is_repeat`: this submission had arrived before, with this result
    (`review.retracted_at` is set if it was undone since). `had_lapsed`: the reservation had expired
    or was another one; the review counts nevertheless.
    """

    review: Review
    item: QueueItem
    is_repeat: bool = False
    had_lapsed: bool = False

    @property
    def is_completed(self) -> bool:
        return self.item.state == QueueItem.State.COMPLETED


@dataclass(frozen=True)
class Retracted:
    """An undone review: its answers as a draft, and the seat held again, if any."""

    review: Review
    item: QueueItem
    draft: ReviewDraft
    seat: Seat | None


class Clash(StrEnum):
    REVIEWED = "reviewed"  # another standing review by the reviewer, from another tab
    RUBRIC_CHANGED = "rubric_changed"
    OTHER_FORM = "other_form"  # the submission id belongs to another item or reviewer


class Conflict(Exception):
    """The form is stale. Nothing was stored; `submission` is its content, to be shown again."""

    def __init__(self, clash: Clash, submission: Submission, standing: Review | None = None):
        super().__init__(clash.value)
        self.clash = clash
        self.submission = submission
        self.standing = standing


class InvalidReview(ValueError):
    """Rejected answers; `complaints` has the reasons by feedback key ("": the whole review)."""

    def __init__(self, complaints: dict[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {text}" for key, text in complaints.items()))
        self.complaints = complaints


# Submit -----------------------------------------------------------------------------------------


@transaction.atomic
def submit(item: QueueItem, reviewer: User, submission: Submission, now: datetime) -> Outcome:
    """Store a review of `item`: answers, correction, their feedback and ratings; all or nothing.

    The same `submission_id` again returns the first outcome. A review counts if its reviewer holds
    a seat, or one is free or lapsed, however late it is; else it is kept, uncounted. The review
    that fills the last seat completes the item and announces `item_completed`. A paused or archived
    queue or a removed item still accept it: a submitted review is never lost.

    Raises InvalidReview (answers), Conflict (a stale form, nothing stored), Unavailable (NO_ACCESS
    only).
    """
    session = reviewer_sessions.open_session(item.queue, reviewer)
    item, questions, known = _open(item, submission.submission_id)
    for earlier in known:
        if earlier.submission_id == submission.submission_id:
            if (earlier.item_id, earlier.reviewer_id) != (item.pk, reviewer.pk):
                raise Conflict(Clash.OTHER_FORM, submission)
            return Outcome(Review.objects.get(pk=earlier.id), item, is_repeat=True)
    if session.refusal is Reason.NO_ACCESS:
        raise Unavailable(Reason.NO_ACCESS)
    standing = next(
        (
            Review.objects.get(pk=earlier.id)
            for earlier in known
            if earlier.reviewer_id == reviewer.pk and earlier.is_standing
        ),
        None,
    )
    if standing is not None and standing.uuid != submission.replaces:
        raise Conflict(Clash.REVIEWED, submission, standing)
    if submission.rubric_version not in (None, item.queue.rubric_version):
        raise Conflict(Clash.RUBRIC_CHANGED, submission, standing)
    submission = _settled(submission, questions)
    is_blind = _is_blind(item, reviewer, known)
    if standing is not None:
        _withdraw(item, standing, now)
    review = Review(
        workspace_id=item.workspace_id,
        submission_id=submission.submission_id,
        queue_id=item.queue_id,
        item=item,
        reviewer=reviewer,
        rubric_version=item.queue.rubric_version,
        scores=submission.scores,
        correction=_real_correction(item, submission.correction),
        note=submission.note,
        is_blind=is_blind,
        is_gold=item.state == QueueItem.State.GOLD,
        dwell_ms=submission.dwell_ms,
        submitted_at=now,
    )
    if not submission.is_recorded:
        complaints = recording.record_feedback(item, review, questions, now)
        if complaints:
            raise InvalidReview(complaints)
    held_by_lease = recording.store(session, item, review, questions, now)
    _seal(item, review, submission)
    if review.is_counted and item.state == QueueItem.State.COMPLETED:
        announce(signals.item_completed, QueueItem, item_ids=[item.pk])
    had_lapsed = review.is_counted and submission.lease not in (None, held_by_lease)
    return Outcome(review, item, had_lapsed=had_lapsed)


def _seal(item: QueueItem, review: Review, submission: Submission) -> None:
    """Update the sealing of the feedback on `item` after `review`."""
    is_settled = not item.is_reviewable
    if submission.is_recorded:
        recording.adopt(review, submission.recorded)
    elif not item.queue.is_blind or ((review.is_counted or review.is_gold) and not is_settled):
        return  # it was stored as it has to be
    blindness.follow(item.queue.workspace, [item.pk])


@dataclass(frozen=True)
class _Earlier:
    """The fields of an existing review that `submit` reads."""

    id: int
    submission_id: UUID
    item_id: int
    reviewer_id: int
    is_standing: bool


# The lock on the reviewer's bookmark keeps their reviews as they are while the item is locked.
_ITEM = Columns(QueueItem, "i")
_OPEN = f"""
SELECT {_ITEM.sql},
    (SELECT jsonb_agg(to_jsonb(q) ORDER BY q.position, q.id)
     FROM annotations_rubricitem q
     WHERE q.queue_id = i.queue_id AND q.retired_at IS NULL)::text,
    (SELECT jsonb_agg(jsonb_build_array(
        v.id, v.submission_id, v.item_id, v.reviewer_id, v.retracted_at IS NULL) ORDER BY v.id)
     FROM annotations_review v
     WHERE v.item_id = i.id OR v.submission_id = %(submission_id)s)::text
FROM annotations_queueitem i WHERE i.id = %(item)s FOR NO KEY UPDATE OF i
"""


def _open(
    item: QueueItem, submission_id: UUID
) -> tuple[QueueItem, list[RubricItem], list[_Earlier]]:
    """Lock `item` as `_lock` does; return it, its questions, and the reviews that `submit` needs.

    Those are the reviews of the item and the one with `submission_id`. One statement: three would
    cost as many round trips, and this runs for every review.
    """
    with prepared.cursor() as cursor:
        cursor.execute(_OPEN, {"item": item.pk, "submission_id": submission_id})
        fetched = cursor.fetchone()
    if fetched is None:
        raise QueueItem.DoesNotExist
    row = list(fetched)
    locked: QueueItem = _ITEM.instance(_ITEM.take(row))
    locked.queue = item.queue
    rubric, earlier = row
    questions = [RubricItem(**question) for question in exact.loads(rubric or "[]")]
    known = [
        _Earlier(pk, UUID(submission_uuid), item_id, reviewer_id, is_standing)
        for pk, submission_uuid, item_id, reviewer_id, is_standing in exact.loads(earlier or "[]")
    ]
    return locked, questions, known


def _lock(item: QueueItem) -> QueueItem:
    """Return the current row of `item` with its queue, locked against other reviews of it."""
    locked = QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    locked.queue = item.queue
    return locked


def _settled(submission: Submission, questions: list[RubricItem]) -> Submission:
    """Return the submission with canonical answers and clean texts. Raises InvalidReview."""
    answers, complaints = rubrics.settle(questions, submission.scores)
    note = clean_text(submission.note).strip()
    if len(note) > rubrics.MAX_TEXT:
        complaints[recording.NOTE_KEY] = f"The note is longer than {rubrics.MAX_TEXT:,} characters."
    correction = submission.correction
    if correction is not None and set(correction) != {"outputs"}:
        complaints[recording.CORRECTION_KEY] = 'A correction is {"outputs": ...}.'
    if complaints:
        raise InvalidReview(complaints)
    try:
        return replace(
            submission,
            scores=clean_document("scores", answers),
            note=note,
            correction=clean_document("correction", correction),
        )
    except InvalidFeedback as error:
        raise InvalidReview({error.field: error.reason}) from None


def _is_blind(item: QueueItem, reviewer: User, reviews: list[_Earlier]) -> bool:
    """Return whether `reviewer` cannot have seen another's answers on `item` before now."""
    if all(review.reviewer_id == reviewer.pk for review in reviews):
        return True  # there were no answers to see
    was_shown_them = any(review.reviewer_id == reviewer.pk for review in reviews)
    return item.queue.is_blind and item.reopened_at is None and not was_shown_them


def outputs_of(item: QueueItem) -> Any:
    """Return the outputs of the item's run as a JSON value; None when there are none."""
    raw = (
        Run.objects.filter(workspace_id=item.workspace_id, id=item.run_id)
        .values_list("outputs", flat=True)
        .first()
    )
    return None if raw is None else exact.loads(raw)


def _real_correction(item: QueueItem, correction: Mapping[str, Any] | None) -> Any:
    """Return the correction if it differs from the run's outputs."""
    if correction is None or correction["outputs"] is None:
        return None
    if item.item_type != QueueItem.ItemType.RUN:  # a thread or a pair has no single answer
        return None
    if not corrections.differs(outputs_of(item), correction["outputs"]):
        return None
    return dict(correction)


# Undo, skip, requeue ----------------------------------------------------------------------------


@transaction.atomic
def retract(review: Review, reviewer: User, now: datetime) -> Retracted:
    """Undo a review: its feedback and ratings are deleted, its answers become a draft.

    The seat it filled is reserved again. An item that was complete is open again, and
    `item_reopened` announced. Repeating it changes nothing. Raises Unavailable (NO_ACCESS) for
    another user's review.
    """
    if review.reviewer_id != reviewer.pk:
        raise Unavailable(Reason.NO_ACCESS)
    session = reviewer_sessions.open_session(review.queue, reviewer)
    item = _lock(review.item)
    item.queue = session.queue
    review = Review.objects.get(pk=review.pk)
    if review.retracted_at is None:
        _withdraw(item, review, now)
    content = {"scores": review.scores, "correction": review.correction, "note": review.note}
    has_other = Review.objects.filter(item=item, reviewer=reviewer, retracted_at=None).exists()
    seat = None
    if item.is_reviewable and session.refusal is not Reason.NO_ACCESS:
        seat = None if has_other else reservations.hold(session, item, now)
    return Retracted(review, item, drafts.put_back(item, reviewer, content, now), seat)


def _withdraw(item: QueueItem, review: Review, now: datetime) -> None:
    """Undo `submit` for `review`; `item` is locked. The row stays, marked retracted."""
    review.retracted_at = now
    review.save(update_fields=["retracted_at"])
    Rating.objects.filter(review=review).delete()
    recording.delete_feedback(item, review)
    if not review.is_counted:
        reservations.mark_returned([item.pk])  # the reviewer may get it again, once a seat is free
        return
    Seat.objects.filter(item=item, reviewer_id=review.reviewer_id, is_taken=True).update(
        is_taken=False
    )
    item.n_reviews -= 1
    fields = ["n_reviews"]
    is_short = item.n_reviews < item.queue.reviewers_per_item
    if item.state == QueueItem.State.COMPLETED and is_short:
        item.state, item.completed_at, item.reopened_at = QueueItem.State.OPEN, None, now
        fields += ["state", "completed_at", "reopened_at"]
        changes.note(item.queue.workspace, Change.Kind.RUN, [item.run_id])  # see run_status.py
        announce(signals.item_reopened, QueueItem, item_ids=[item.pk])
    item.save(update_fields=fields)
    if item.state == QueueItem.State.OPEN:
        if item.reopened_at == now:
            reviewer_count.fill_up(item)
            blindness.follow(item.queue.workspace, [item.pk])
        reservations.mark_returned([item.pk])
        return
    # It was removed, or has enough reviews without this one: the seat is not needed.
    Seat.objects.filter(item=item, is_taken=False).delete()
    if item.state == QueueItem.State.COMPLETED:  # by other reviews than announced
        announce(signals.item_reopened, QueueItem, item_ids=[item.pk])
        announce(signals.item_completed, QueueItem, item_ids=[item.pk])


def skip(
    item: QueueItem, reviewer: User, reason: str, now: datetime, *, note: str = ""
) -> Deferral:
    """Skip `item` for good: it is not offered to `reviewer` again. Frees their seat.

    `reason` is one of Deferral.Reason. Raises ValueError for another, Unavailable (NO_ACCESS,
    REVIEWED). Unsubmitted input stays a draft.
    """
    if reason not in Deferral.Reason.values:
        raise ValueError(f"reason must be one of {', '.join(Deferral.Reason.values)}")
    return _defer(item, reviewer, now, kind=Deferral.Kind.SKIP, reason=reason, note=note)


def requeue(
    item: QueueItem, reviewer: User, now: datetime, *, at: datetime | None = None
) -> Deferral:
    """Move `item` to the end of `reviewer`'s own order. Frees their seat; the draft stays.

    Items at the end are sorted by `at` (None: now). Raises Unavailable (NO_ACCESS, REVIEWED).
    """
    return _defer(item, reviewer, now, at=at, kind=Deferral.Kind.REQUEUE)


@transaction.atomic
def want_again(item: QueueItem, reviewer: User) -> None:
    """Delete `reviewer`'s skip or requeue of `item`, which returns to its place in the order."""
    reviewer_sessions.open_session(item.queue, reviewer)
    if Deferral.objects.filter(item=item, reviewer=reviewer).delete()[0]:
        reservations.mark_returned([item.pk])


@transaction.atomic
def _defer(
    item: QueueItem,
    reviewer: User,
    now: datetime,
    *,
    at: datetime | None = None,
    **fields: str,
) -> Deferral:
    session = reviewer_sessions.open_session(item.queue, reviewer)
    if session.refusal is Reason.NO_ACCESS:
        raise Unavailable(Reason.NO_ACCESS)
    if Review.objects.filter(item=item, reviewer=reviewer, retracted_at=None).exists():
        raise Unavailable(Reason.REVIEWED)
    deferral, _ = Deferral.objects.update_or_create(
        item=item,
        reviewer=reviewer,
        defaults={"reason": "", "note": "", "created_at": at or now, **fields},
    )
    reservations.release_mine(item, reviewer)
    reviewer_sessions.move_bookmark(session, item, now)
    return deferral
