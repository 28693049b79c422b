"""Set a reviewer's status on an item by the API: viewed, completed, or needs review.

These call the workbench's own verbs: viewed reserves, completed submits a review whose answers are
the feedback the reviewer sent by the API, needs review undoes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Q

from annotations.models import Deferral, QueueItem, Review, RubricItem, Seat
from annotations.question_kinds import kind_of
from annotations.queues import item_subjects, rubrics
from annotations.reviewing import reservations, reviews
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from observatory.feedback import scales, sources
from observatory.feedback.models import Feedback
from observatory.workspaces.models import User

VIEWED, COMPLETED = "viewed", "completed"


def review_of(item: QueueItem, person: User) -> Review | None:
    return Review.objects.filter(item=item, reviewer=person, retracted_at=None).first()


def view(item: QueueItem, person: User, now: datetime) -> None:
    """Reserve `item` for `person`, as opening it does. Does nothing after their review.

    Raises Unavailable.
    """
    try:
        reservations.reserve(item, person, now)
    except Unavailable as refusal:
        if refusal.reason is not Reason.REVIEWED:
            raise


def complete(item: QueueItem, person: User, now: datetime) -> Review:
    """Submit `person`'s review of `item` from their feedback under the rubric's keys.

    Repeating it changes nothing. Raises InvalidReview when that feedback does not answer the
    rubric, Unavailable (NO_ACCESS).
    """
    if (known := review_of(item, person)) is not None:
        return known
    rubric = {question.feedback_key: question for question in item.queue.rubric_items.all()}
    answers = _given(item, person, rubric)
    submission = reviews.Submission(
        submission_id=uuid4(),
        scores={key: _answer(rubric[key], row) for key, row in answers.items()},
        is_recorded=True,
        recorded=tuple(row.pk for row in answers.values()),
    )
    try:
        review = reviews.submit(item, person, submission, now).review
    except reviews.Conflict as conflict:
        if conflict.clash is reviews.Clash.REVIEWED and conflict.standing is not None:
            return conflict.standing  # the same call, sent twice at once
        raise
    for key, row in answers.items():  # they answer the rubric, so they are on its scale
        row.scale = scales.kept(rubrics.scale_of(rubric[key]))
    Feedback.objects.bulk_update(answers.values(), ["scale"])
    return review


def show_again(item: QueueItem, person: User, now: datetime, at: datetime | None) -> None:
    """Set `item` to need `person`'s review again: their review is undone, a skip deleted.

    With `at` it goes to the end of their order, sorted by that time. Raises Unavailable
    (NO_ACCESS).
    """
    if (known := review_of(item, person)) is not None:
        reviews.retract(known, person, now)
    if at is None:
        reviews.want_again(item, person)
    else:
        reviews.requeue(item, person, now, at=at)


def of(item: QueueItem, person: User, now: datetime) -> tuple[str | None, datetime | None]:
    """Return `person`'s status on `item`, and the time by which it is ordered at the end."""
    put_at = (
        Deferral.objects.filter(item=item, reviewer=person, kind=Deferral.Kind.REQUEUE)
        .values_list("created_at", flat=True)
        .first()
    )
    if review_of(item, person) is not None:
        return COMPLETED, put_at
    held = Seat.objects.filter(item=item, reviewer=person, is_taken=False, expires_at__gt=now)
    return (VIEWED if held.exists() else None), put_at


def _given(item: QueueItem, person: User, rubric: Mapping[str, RubricItem]) -> dict[str, Feedback]:
    """Return the newest feedback of `person` on the item under each key of its rubric.

    Feedback of a model or an evaluator that was sent with the person's key does not count.
    """
    run_id, is_pair = _judged(item), item.is_pair
    if run_id is None:
        return {}
    rows = Feedback.objects.filter(
        sources.of_people(),
        Q(user=person) | Q(user=None, api_key__created_by=person),
        workspace=item.workspace_id,
        run_id=run_id,
        review_uuid=None,
        key__in=list(rubric),
        feedback_group_id__isnull=not is_pair,
    )
    return {row.key: row for row in rows.order_by("modified_at", "pk")}


def _judged(item: QueueItem) -> UUID | None:
    """Return the run that has the feedback on `item`: of a pair, the first."""
    if item.is_pair:
        return item.first_run_id
    newest = item_subjects.shown_runs(item.workspace_id, [item]).get(item.pk)
    return newest[0] if newest else None


def _answer(question: RubricItem, feedback: Feedback) -> dict[str, Any]:
    if kind_of(question).is_text:
        return {"value": feedback.value if isinstance(feedback.value, str) else feedback.comment}
    value = feedback.value if isinstance(feedback.value, str) else None
    answer: dict[str, Any] = (
        {"value": value} if feedback.score is None else {"score": feedback.score}
    )
    if feedback.comment and (feedback.score is not None or value):
        answer["comment"] = feedback.comment[: rubrics.MAX_TEXT]
    return answer
