"""Gold items: mark an item of a queue as one, with its expected answers, and undo that.

A gold item is given to each reviewer once, mixed into their other items at the queue's rate
(sql/reserve_next.sql). Its answers are sealed for as long as it is gold, also those from before:
only their authors read them. So they are in no agreement, figure, rule, dataset or export, and a
reviewer who has yet to answer cannot look the answer up. Members who manage queues may see which
items are gold, so they are given none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from annotations.models import AnnotationQueue, GoldAnswer, QueueItem, Review, Seat
from annotations.question_kinds import kind_of
from annotations.queues import blindness, reviewer_count, rubrics
from observatory.runs import changes
from observatory.runs.models import Change
from observatory.workspaces.models import User

MAX_REASON = 2_000


class InvalidGold(ValueError):
    """Why an item cannot be gold, or which expected answer is rejected; `field` is its key."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field, self.reason = field, reason


@transaction.atomic
def set_gold(
    item: QueueItem,
    answers: Mapping[str, Any],
    author: User | None,
    now: datetime,
    *,
    reason: str = "",
) -> GoldAnswer:
    """Make `item` gold with these expected answers, or give a gold item a new version of them.

    `answers` are by feedback key, in any form `rubrics` reads; questions without one are not
    checked. The same answers again add no version. Raises InvalidGold for a queue that is not
    blind, a removed item, no answer, and answers that do not fit the rubric.
    """
    locked = QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    locked.queue = item.queue
    if not item.queue.is_blind:
        raise InvalidGold("", "Only a blind queue has gold items: others' answers show in this one")
    if locked.state == QueueItem.State.REMOVED:
        raise InvalidGold("", "The item was removed from the queue")
    if len(reason) > MAX_REASON:
        raise InvalidGold("reason", f"is longer than {MAX_REASON:,} characters")
    expected = _expected(item.queue, answers)
    newest = GoldAnswer.objects.filter(item=item).order_by("-version").first()
    if locked.state != QueueItem.State.GOLD:
        _take_out(locked)
        item.state = locked.state
    if newest is not None and newest.answers == expected and not reason:
        return newest
    return GoldAnswer.objects.create(
        item=item,
        version=newest.version + 1 if newest else 1,
        answers=expected,
        reason=reason,
        created_by=author,
        created_at=now,
    )


def _expected(queue: AnnotationQueue, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers in canonical form, without comments. Raises InvalidGold."""
    questions = list(queue.rubric_items.all())
    settled, complaints = rubrics.settle(questions, answers)
    for key, words in complaints.items():
        if key in answers:
            raise InvalidGold(f"answers.{key}", words)
    if dropped := sorted(set(answers) - set(settled)):
        raise InvalidGold(f"answers.{dropped[0]}", "is not an answer to a question that is asked")
    for question in questions:
        answer = settled.get(question.feedback_key)
        if answer and (kind_of(question).is_text or "cant_judge" in answer):
            raise InvalidGold(f"answers.{question.feedback_key}", "is not an answer on a scale")
    if not settled:
        raise InvalidGold("answers", "name the expected answer to one question or more")
    return {
        key: {name: answer[name] for name in ("score", "value") if name in answer}
        for key, answer in settled.items()
    }


def answers_of(review: Review) -> dict[str, Any]:
    """Return the answers of `review` on a scale, for `set_gold`; empty when it has none."""
    keys = {
        question.feedback_key
        for question in review.queue.rubric_items.all()
        if not kind_of(question).is_text
    }
    return {
        key: answer
        for key, answer in review.scores.items()
        if key in keys and "cant_judge" not in answer
    }


def _take_out(item: QueueItem) -> None:
    item.state = QueueItem.State.GOLD
    item.save(update_fields=["state"])
    Seat.objects.filter(item=item, is_taken=False).delete()
    _follow(item)


@transaction.atomic
def unset_gold(item: QueueItem, now: datetime) -> bool:
    """Make `item` an ordinary item again; return False when it was not gold.

    It is completed if it has its reviews, else open. What was answered while it was gold stays
    with it and is never counted.
    """
    locked = QueueItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    locked.queue = item.queue
    if locked.state != QueueItem.State.GOLD:
        return False
    Seat.objects.filter(item=item, is_taken=False).delete()
    if locked.n_reviews >= item.queue.reviewers_per_item:
        locked.state = QueueItem.State.COMPLETED
        locked.completed_at = locked.completed_at or now
    else:
        locked.state = QueueItem.State.OPEN
    locked.save(update_fields=["state", "completed_at"])
    if locked.state == QueueItem.State.OPEN:
        reviewer_count.fill_up(locked)
        Seat.objects.filter(item=item, is_taken=False).update(is_returned=True)
        blindness.reopen(item.queue.workspace, [item.pk], now)
    _follow(locked)
    item.state, item.completed_at = locked.state, locked.completed_at
    return True


def _follow(item: QueueItem) -> None:
    """Seal or open the item's answers, and let the run's status follow (see run_status.py)."""
    blindness.follow(item.queue.workspace, [item.pk])
    changes.note(item.queue.workspace, Change.Kind.RUN, [item.run_id])


def newest_answer(item: QueueItem) -> GoldAnswer | None:
    """Return the expected answers of a gold item; None when it is not gold."""
    if item.state != QueueItem.State.GOLD:
        return None
    return GoldAnswer.objects.filter(item=item).order_by("-version").first()


def set_rate(queue: AnnotationQueue, rate: float) -> None:
    """Set the share of gold items in each reviewer's stream, 0 to 1. Raises InvalidGold."""
    if not 0 <= rate <= 1:
        raise InvalidGold("gold_rate", "is not between 0 and 1")
    queue.gold_rate = rate
    queue.save(update_fields=["gold_rate", "updated_at"])
