"""Write a submitted review: itself, its seat and ratings, and its feedback."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from annotations.models import QueueItem, Review, RubricItem, Seat
from annotations.queues import item_subjects, rubrics
from annotations.reviewing import reservations, reviewer_sessions
from annotations.reviewing.reviewer_sessions import ReviewerSession
from observatory import exact
from observatory.db import prepared
from observatory.feedback import record
from observatory.feedback.judgement import FeedbackInput
from observatory.feedback.models import Feedback
from observatory.runs import changes
from observatory.runs.models import Change

NOTE_KEY = "note"  # the reviewer's note is feedback under this key, as LangSmith has it
CORRECTION_KEY = "correction"  # the key of a correction without any score


# A seat of the item if there is one, the review, its ratings, the item's count, and completion.
# One statement, because each would cost a round trip and a plan.
_STORE = f"""
WITH seat AS (
    UPDATE annotations_seat t SET reviewer_id = %(reviewer)s, is_taken = true,
           lease = NULL, reserved_at = NULL, expires_at = NULL
    FROM (SELECT id, lease, expires_at FROM annotations_seat
          WHERE id = ({reservations.OF_ITEM} FOR UPDATE)) chosen
    WHERE t.id = chosen.id AND %(is_open)s
    RETURNING CASE WHEN chosen.expires_at > %(now)s THEN chosen.lease END AS held_by_lease
),
review AS (
    INSERT INTO annotations_review (workspace_id, uuid, submission_id, queue_id, item_id,
        reviewer_id, rubric_version, scores, correction, note, is_counted, is_gold, is_blind,
        dwell_ms, submitted_at)
    SELECT %(workspace)s, %(uuid)s, %(submission_id)s, %(queue)s, %(item)s,
        %(reviewer)s, %(rubric_version)s, %(scores)s, %(correction)s::jsonb, %(note)s,
        EXISTS (SELECT FROM seat), %(is_gold)s, %(is_blind)s, %(dwell_ms)s::integer, %(now)s
    RETURNING id, is_counted
),
rated AS (
    INSERT INTO annotations_rating (queue_id, rubric_item_id, rubric_version, item_id,
        reviewer_id, review_id, code, number, is_blind, rated_at)
    SELECT %(queue)s, r.question, %(rubric_version)s, %(item)s,
        %(reviewer)s, review.id, r.code, r.number, %(is_blind)s, %(now)s
    FROM review CROSS JOIN jsonb_to_recordset(%(ratings)s)
        AS r(question bigint, code smallint, number double precision)
    WHERE review.is_counted
),
counted AS (
    UPDATE annotations_queueitem i SET n_reviews = %(n_reviews)s, last_reviewed_at = %(now)s,
        state = CASE WHEN %(completes)s THEN 'completed' ELSE i.state END,
        completed_at = CASE WHEN %(completes)s THEN %(now)s::timestamptz ELSE i.completed_at END
    FROM seat WHERE i.id = %(item)s
),
drafts AS (
    DELETE FROM annotations_reviewdraft
    WHERE item_id = %(item)s AND reviewer_id = %(reviewer)s
),
deferrals AS (
    DELETE FROM annotations_deferral WHERE item_id = %(item)s AND reviewer_id = %(reviewer)s
),
bookmark AS ({reviewer_sessions.MOVE_BOOKMARK})
SELECT review.id, review.is_counted, (SELECT held_by_lease FROM seat) FROM review
"""


def store(
    session: ReviewerSession,
    item: QueueItem,
    review: Review,
    questions: list[RubricItem],
    now: datetime,
) -> UUID | None:
    """Write `review` and its consequences; `item` is locked, both are updated.

    Returns the lease by which its seat was still held, if any.
    """
    n_reviews = item.n_reviews + 1
    completes = n_reviews >= item.queue.reviewers_per_item
    parameters: dict[str, Any] = {
        **reviewer_sessions.bookmark_parameters(session, item, now),
        "now": now,
        "workspace": item.workspace_id,
        "item": item.pk,
        "is_open": item.state == QueueItem.State.OPEN,
        "is_gold": review.is_gold,
        "uuid": review.uuid,
        "submission_id": review.submission_id,
        "rubric_version": review.rubric_version,
        "scores": Jsonb(review.scores, exact.jsonb),
        "correction": None if review.correction is None else Jsonb(review.correction, exact.jsonb),
        "note": review.note,
        "is_blind": review.is_blind,
        "dwell_ms": review.dwell_ms,
        "ratings": Jsonb(_ratings(review, questions), exact.jsonb),
        "n_reviews": n_reviews,
        "completes": completes,
    }
    held_by_lease: UUID | None
    with prepared.cursor() as cursor:
        cursor.execute(_STORE, parameters)
        review.pk, review.is_counted, held_by_lease = cursor.fetchone()
    review._state.adding = False
    if review.is_gold:
        Seat.objects.filter(item=item, reviewer_id=review.reviewer_id).delete()
    if review.is_counted:
        item.n_reviews, item.last_reviewed_at = n_reviews, now
        if completes:
            item.state, item.completed_at = QueueItem.State.COMPLETED, now
    return held_by_lease


def _ratings(review: Review, questions: list[RubricItem]) -> list[dict[str, Any]]:
    """Return the answers that have a number, as rows of `_STORE`."""
    rows = []
    for question in questions:
        answer = review.scores.get(question.feedback_key)
        rated = None if answer is None else rubrics.rate(question, answer)
        if rated is not None:
            rows.append({"question": question.pk, "code": rated.code, "number": rated.number})
    return rows


def record_feedback(
    item: QueueItem, review: Review, questions: Iterable[RubricItem], now: datetime
) -> dict[str, str]:
    """Store the answers as feedback of the run: source app, its author the reviewer.

    One row per scored question (free text as its comment), with the question's current scale; the
    correction on the first of them, the note under its own key. "Can't judge" is not stored. A
    thread's feedback is its newest run's; a pair's is comparative: see `_sides`. It is sealed
    according to the item, and `blindness.follow` updates the rest. A Change names the run in any
    case. The ids derive from the review's, so that undoing it finds them. Returns complaints by key
    where the workspace enforces another scale; then the caller must roll back.
    """
    extra = {
        "queue": str(item.queue.uuid),
        "item": str(item.uuid),
        "review": str(review.uuid),
        "rubric_version": review.rubric_version,
    }

    is_last = item.n_reviews + 1 >= item.queue.reviewers_per_item  # if a seat is left
    completes = is_last and item.state == QueueItem.State.OPEN
    is_sealed = item.queue.is_blind and item.is_reviewable and not completes
    target = _target(item)
    scales = {question.feedback_key: rubrics.scale_of(question) for question in questions}

    def judgement(key: str, **fields: Any) -> FeedbackInput:
        return FeedbackInput(
            id=feedback_id(review, key),
            key=key,
            source_type=Feedback.Source.APP,
            extra=extra,
            scale=scales.get(key),
            review=review.uuid,
            is_sealed=is_sealed,
            **target,
            **fields,
        )

    rows: list[FeedbackInput] = []
    for key, answer in review.scores.items():
        comment = answer.get("comment")
        if "cant_judge" in answer:
            continue
        if answer.get("score") is None:
            text = answer["value"]
            comment = f"{text}\n\n{comment}" if comment else text
            rows.append(judgement(key, comment=comment))
        else:
            rows.append(
                judgement(key, score=answer["score"], value=answer.get("value"), comment=comment)
            )
    if review.correction is not None:
        if not rows:
            rows.append(judgement(CORRECTION_KEY))
        rows[0] = replace(rows[0], correction=review.correction["outputs"])
    if review.note:
        rows.append(judgement(NOTE_KEY, comment=review.note))
    if item.is_pair:
        rows = [side for row in rows for side in _sides(item, review, row)]
    workspace = item.queue.workspace
    if not rows:  # the run's annotation_status may change all the same
        changes.note(workspace, Change.Kind.RUN, [item.run_id])
        return {}
    recorded = record.record_many(workspace, rows, now=now, user=review.reviewer)
    return {refused_row.key: error.reason for refused_row, error in recorded.refused}


def adopt(review: Review, feedback: Sequence[int]) -> None:
    """Let `review` own the feedback (primary keys) that its answers were read from."""
    Feedback.objects.filter(pk__in=feedback).update(review_uuid=review.uuid)


def _target(item: QueueItem) -> dict[str, Any]:
    """Return the subject of the feedback on `item`; for a thread without a run its project."""
    if item.item_type != QueueItem.ItemType.THREAD:
        return {"run_id": item.run_id}
    newest = item_subjects.shown_runs(item.workspace_id, [item]).get(item.pk)
    about: dict[str, Any] = {"run_id": newest[0]} if newest else {"session_id": item.project_uuid}
    return {**about, "feedback_thread_id": item.thread_id}


def _sides(item: QueueItem, review: Review, row: FeedbackInput) -> list[FeedbackInput]:
    """Return one answer on a pair as feedback of both runs, in one group.

    The preferred run has score 1, the other 0, both 0.5 in a tie. They belong to a comparative
    experiment (the queue, if the pair has none), which keeps them out of the runs' own figures.
    `extra.shown` is the order in which the reviewer saw the runs.
    """
    assert item.first_run_id is not None
    assert item.second_run_id is not None
    shown = item_subjects.in_order(item, item.first_run_id, item.second_run_id)
    group: dict[str, Any] = {
        "feedback_group_id": uuid5(review.uuid, f"{row.key}/group"),
        "comparative_experiment_id": item.comparison_id or item.queue.uuid,
        "extra": {**(row.extra or {}), "shown": [str(run_id) for run_id in shown]},
    }
    other = None if row.score is None else 1 - row.score
    return [
        replace(row, run_id=item.first_run_id, value=None, **group),
        replace(
            row,
            id=feedback_id(review, f"{row.key}/second"),
            run_id=item.second_run_id,
            score=other,
            value=None,
            **group,
        ),
    ]


def feedback_id(review: Review, key: str) -> UUID:
    """Return the id of the feedback that `review` gives under `key`."""
    return uuid5(review.uuid, key)


def delete_feedback(item: QueueItem, review: Review) -> None:
    """Delete the feedback of `record_feedback`; adopted feedback belongs to its sender again."""
    keys = [*review.scores, NOTE_KEY, CORRECTION_KEY]
    keys += [f"{key}/second" for key in keys]
    written = [feedback_id(review, key) for key in keys]
    record.withdraw(item.queue.workspace, review.uuid, written)
