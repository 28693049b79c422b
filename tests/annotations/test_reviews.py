"""Submitting, taking back and passing over; nothing typed is lost, nothing counts twice."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from annotations import signals
from annotations.models import Deferral, Rating, Review, ReviewDraft, Seat
from annotations.queues import blindness, queue_items, reviewer_count, rubric_editing
from annotations.reviewing import drafts, reservations, reviews
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from annotations.reviewing.reviews import Clash, Conflict, InvalidReview, Submission
from observatory.feedback.models import Feedback, FeedbackConfig
from observatory.runs.models import Change, Run
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, QueueItemFactory, RubricItemFactory

HOLD = timedelta(minutes=10)
RIGHT = {"correctness": {"value": "Right"}}


@pytest.fixture
def queue(acme):
    queue = AnnotationQueueFactory(workspace=acme)
    RubricItemFactory(queue=queue, feedback_key="correctness")
    return queue


@pytest.fixture
def pair(acme):
    """A blind queue that asks two reviewers."""
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    RubricItemFactory(queue=queue, feedback_key="correctness")
    return queue


@pytest.fixture
def heard():
    """What was announced, in order: ("completed" | "reopened", item ids)."""
    events: list[tuple[str, list[int]]] = []

    def on_completed(item_ids, **kwargs) -> None:
        events.append(("completed", item_ids))

    def on_reopened(item_ids, **kwargs) -> None:
        events.append(("reopened", item_ids))

    signals.item_completed.connect(on_completed)
    signals.item_reopened.connect(on_reopened)
    yield events
    signals.item_completed.disconnect(on_completed)
    signals.item_reopened.disconnect(on_reopened)


@pytest.fixture
def _commits(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        yield


def submission(scores=RIGHT, **fields) -> Submission:
    return Submission(**{"submission_id": uuid4(), "scores": scores} | fields)


def with_outputs(item, outputs) -> None:
    Run.objects.create(
        workspace=item.workspace,
        id=item.run_id,
        trace_id=item.run_id,
        outputs=json.dumps(outputs),
    )


def test_a_review_becomes_feedback_ratings_and_a_completed_item(
    queue, ada, heard, django_capture_on_commit_callbacks
) -> None:
    RubricItemFactory(queue=queue, feedback_key="tone", kind="continuous", minimum=0, maximum=1)
    RubricItemFactory(queue=queue, feedback_key="why", kind="freeform", is_required=False)
    item = QueueItemFactory(queue=queue)
    with_outputs(item, {"answer": "once"})
    scores = {
        "correctness": {"score": 1, "comment": "a date is off"},
        "tone": 0.25,
        "why": "the invoice",
    }
    with django_capture_on_commit_callbacks(execute=True):
        outcome = reviews.submit(
            item,
            ada,
            submission(scores, correction={"outputs": {"answer": "twice"}}, note="see invoice"),
            NOON,
        )
    review = outcome.review
    assert (review.is_counted, review.is_blind, review.rubric_version) == (True, True, 1)
    assert review.scores["correctness"] == {
        "score": 1.0, "value": "Partly", "comment": "a date is off",
    }  # fmt: skip
    assert (outcome.is_completed, outcome.item.n_reviews) == (True, 1)
    assert (outcome.item.completed_at, outcome.item.last_reviewed_at) == (NOON, NOON)
    assert heard == [("completed", [item.pk])]
    rows = {f.key: f for f in Feedback.objects.all()}
    assert set(rows) == {"correctness", "tone", "why", "note"}
    assert {(f.source_type, f.user_id, f.run_id) for f in rows.values()} == {
        ("app", ada.pk, item.run_id)
    }
    first = rows["correctness"]
    assert (first.score, first.value, first.comment) == (1.0, "Partly", "a date is off")
    assert first.correction == {"answer": "twice"}
    assert first.extra == {
        "queue": str(queue.uuid),
        "item": str(item.uuid),
        "review": str(review.uuid),
        "rubric_version": 1,
    }
    assert (rows["tone"].score, rows["tone"].correction) == (0.25, None)
    assert (rows["why"].score, rows["why"].comment) == (None, "the invoice")
    assert rows["note"].comment == "see invoice"
    assert {(r.rubric_item.feedback_key, r.code, r.number) for r in Rating.objects.all()} == {
        ("correctness", 1, None),
        ("tone", None, 0.25),
    }
    assert list(Change.objects.values_list("run_ids", flat=True)) == [[item.run_id]]


def test_the_same_submission_twice_is_one_review(queue, ada, heard) -> None:
    item = QueueItemFactory(queue=queue)
    sent = submission()
    first = reviews.submit(item, ada, sent, NOON)
    second = reviews.submit(item, ada, sent, NOON + timedelta(hours=1))
    assert (second.is_repeat, second.review, second.is_completed) == (True, first.review, True)
    assert Review.objects.count() == Feedback.objects.count() == Rating.objects.count() == 1


def test_a_submission_that_was_taken_back_stays_so_when_it_is_repeated(queue, ada) -> None:
    item = QueueItemFactory(queue=queue)
    sent = submission()
    reviews.retract(reviews.submit(item, ada, sent, NOON).review, ada, NOON)
    repeat = reviews.submit(item, ada, sent, NOON)
    assert (repeat.is_repeat, repeat.review.retracted_at) == (True, NOON)
    assert not Feedback.objects.exists()


def test_a_submission_id_of_another_form_is_refused(queue, ada, grace) -> None:
    item, other = QueueItemFactory.create_batch(2, queue=queue)
    sent = submission()
    reviews.submit(item, ada, sent, NOON)
    for target, person in ((other, ada), (item, grace)):
        with pytest.raises(Conflict) as refused:
            reviews.submit(target, person, sent, NOON)
        assert refused.value.clash == Clash.OTHER_FORM


def test_a_second_form_on_a_reviewed_item_conflicts_and_keeps_what_was_typed(queue, ada) -> None:
    item = QueueItemFactory(queue=queue)
    standing = reviews.submit(item, ada, submission(), NOON).review
    stale = submission(note="typed in another tab")
    with pytest.raises(Conflict) as refused:
        reviews.submit(item, ada, stale, NOON)
    assert (refused.value.clash, refused.value.standing) == (Clash.REVIEWED, standing)
    assert refused.value.submission.note == "typed in another tab"
    assert Review.objects.count() == 1


def test_an_edit_replaces_my_review(queue, ada, heard, django_capture_on_commit_callbacks) -> None:
    item = QueueItemFactory(queue=queue)
    old = reviews.submit(item, ada, submission(), NOON).review
    edit = submission({"correctness": {"value": "Wrong"}}, replaces=old.uuid)
    with django_capture_on_commit_callbacks(execute=True):
        outcome = reviews.submit(item, ada, edit, NOON)
    assert (outcome.is_completed, outcome.item.n_reviews) == (True, 1)
    assert [event for event, _ in heard] == ["reopened", "completed"]
    assert [f.score for f in Feedback.objects.all()] == [0.0]
    assert [r.code for r in Rating.objects.all()] == [0]
    with pytest.raises(Conflict):  # the edited one no longer stands
        reviews.submit(item, ada, submission(replaces=old.uuid), NOON)


def test_a_rubric_changed_meanwhile_conflicts(queue, ada) -> None:
    item = QueueItemFactory(queue=queue)
    rubric_editing.set_rubric(queue, [{"feedback_key": "helpful", "kind": "boolean"}], now=NOON)
    item.refresh_from_db()
    with pytest.raises(Conflict) as refused:
        reviews.submit(item, ada, submission(rubric_version=1), NOON)
    assert refused.value.clash == Clash.RUBRIC_CHANGED
    answered = submission({"helpful": True}, rubric_version=2)
    assert reviews.submit(item, ada, answered, NOON).review.rubric_version == 2


@pytest.mark.parametrize(
    ("sent", "complaints"),
    [
        ({"scores": {}}, {"correctness"}),
        ({"scores": {"correctness": 7, "other": 1}}, {"correctness", "other"}),
        ({"note": "x" * 20_001}, {"note"}),
        ({"correction": {"answer": "twice"}}, {"correction"}),
        ({"correction": {"outputs": float("nan")}}, {"correction"}),
    ],
)
def test_an_invalid_submission_is_refused_whole(queue, ada, sent, complaints) -> None:
    item = QueueItemFactory(queue=queue)
    with pytest.raises(InvalidReview) as refused:
        reviews.submit(item, ada, submission(**sent), NOON)
    assert set(refused.value.complaints) == complaints
    assert not Review.objects.exists()


def test_a_scale_the_workspace_enforces_refuses_the_review(queue, ada) -> None:
    FeedbackConfig.objects.create(
        workspace=queue.workspace,
        key="correctness",
        config={"type": "continuous", "min": 0, "max": 1},
        is_enforced=True,
    )
    item = QueueItemFactory(queue=queue)
    with pytest.raises(InvalidReview, match="correctness"):
        reviews.submit(item, ada, submission(), NOON)
    assert not Review.objects.exists()
    assert Seat.objects.get().is_taken is False


def test_cant_judge_is_stored_in_the_review_only(queue, ada) -> None:
    item = QueueItemFactory(queue=queue)
    scores = {"correctness": {"cant_judge": "no access to the invoice"}}
    review = reviews.submit(item, ada, submission(scores), NOON).review
    assert review.scores["correctness"] == {
        "score": None, "value": None, "cant_judge": "no access to the invoice",
    }  # fmt: skip
    assert not Feedback.objects.exists()
    assert not Rating.objects.exists()


@pytest.mark.parametrize(
    ("outputs", "correction", "kept"),
    [
        ({"answer": "once"}, {"answer": "once  \r\n"}, False),
        ({"answer": "once"}, {"answer": "twice"}, True),
        (None, {"answer": "twice"}, True),
        ({"answer": "once"}, None, False),
    ],
)
def test_a_correction_is_kept_only_if_it_differs(queue, ada, outputs, correction, kept) -> None:
    item = QueueItemFactory(queue=queue)
    if outputs is not None:
        with_outputs(item, outputs)
    sent = submission({"correctness": {"cant_judge": True}}, correction={"outputs": correction})
    review = reviews.submit(item, ada, sent, NOON).review
    assert review.correction == ({"outputs": correction} if kept else None)
    # without a score to carry it, it has its own key
    rows = list(Feedback.objects.values_list("key", "correction"))
    assert rows == ([("correction", correction)] if kept else [])


def test_an_expired_reservation_still_counts_while_a_seat_is_left(queue, ada, grace) -> None:
    item = QueueItemFactory(queue=queue)
    seat = reservations.reserve_next(queue, ada, NOON)
    outcome = reviews.submit(item, ada, submission(lease=seat.lease), NOON + 2 * HOLD)
    assert (outcome.review.is_counted, outcome.had_lapsed) == (True, True)
    other = QueueItemFactory(queue=queue)
    seat = reservations.reserve_next(queue, ada, NOON)
    in_time = reviews.submit(other, ada, submission(lease=seat.lease), NOON)
    assert (in_time.review.is_counted, in_time.had_lapsed) == (True, False)


def test_a_review_without_a_seat_is_kept_and_not_counted(queue, ada, grace) -> None:
    item = QueueItemFactory(queue=queue)
    reservations.reserve_next(queue, ada, NOON)
    taken_over = NOON + HOLD
    reservations.reserve_next(queue, grace, taken_over)
    late = reviews.submit(item, ada, submission(), taken_over)
    assert (late.review.is_counted, late.is_completed, late.item.n_reviews) == (False, False, 0)
    assert Feedback.objects.count() == 1
    assert not Rating.objects.exists()
    done = reviews.submit(item, grace, submission(), taken_over)
    assert (done.review.is_counted, done.is_completed) == (True, True)
    assert reservations.reserve_next(queue, ada, taken_over + HOLD) is None


@pytest.mark.parametrize("state", ["paused", "archived", "removed"])
def test_a_review_is_accepted_after_the_queue_or_item_is_closed(queue, ada, state) -> None:
    item = QueueItemFactory(queue=queue)
    reservations.reserve_next(queue, ada, NOON)
    if state == "removed":
        queue_items.remove(item, NOON)
    else:
        type(queue).objects.update(
            is_paused=state == "paused", archived_at=NOON if state == "archived" else None
        )
    review = reviews.submit(item, ada, submission(), NOON).review
    assert review.is_counted == (state != "removed")


def test_outsiders_cannot_submit_skip_or_take_back(queue, ada, mallory) -> None:
    item = QueueItemFactory(queue=queue)
    review = reviews.submit(item, ada, submission(), NOON).review
    for attempt in (
        lambda: reviews.submit(item, mallory, submission(), NOON),
        lambda: reviews.skip(item, mallory, "unclear", NOON),
        lambda: reviews.requeue(item, mallory, NOON),
        lambda: reviews.retract(review, mallory, NOON),
    ):
        with pytest.raises(Unavailable) as refused:
            attempt()
        assert refused.value.reason == Reason.NO_ACCESS
    assert Review.objects.count() == 1


def test_taking_back_reopens_the_item_for_me_with_my_answers(
    queue, ada, heard, django_capture_on_commit_callbacks
) -> None:
    item = QueueItemFactory(queue=queue)
    with_outputs(item, {"answer": "once"})
    sent = submission(correction={"outputs": {"answer": "twice"}}, note="n")
    review = reviews.submit(item, ada, sent, NOON).review
    with django_capture_on_commit_callbacks(execute=True):
        back = reviews.retract(review, ada, NOON)
        again = reviews.retract(review, ada, NOON + timedelta(minutes=1))
    assert heard == [("reopened", [item.pk])]
    assert (back.item.state, back.item.n_reviews, back.item.completed_at) == ("open", 0, None)
    assert back.draft.content == {
        "scores": {"correctness": {"score": 2.0, "value": "Right"}},
        "correction": {"outputs": {"answer": "twice"}},
        "note": "n",
    }
    assert (back.seat.reviewer_id, back.seat.expires_at) == (ada.pk, NOON + HOLD)
    assert (again.review.retracted_at, again.seat.pk) == (NOON, back.seat.pk)
    assert not Feedback.objects.exists()
    assert not Rating.objects.exists()
    assert reservations.reserve_next(queue, ada, NOON).item_id == item.pk
    redone = reviews.submit(item, ada, submission(), NOON)
    assert (redone.is_completed, redone.review.is_counted) == (True, True)
    assert Review.objects.filter(retracted_at=None).count() == 1


def test_taking_back_an_uncounted_review_leaves_the_item_complete(queue, ada, grace) -> None:
    item = QueueItemFactory(queue=queue)
    reviews.submit(item, grace, submission(), NOON)
    extra = reviews.submit(item, ada, submission(), NOON).review
    back = reviews.retract(extra, ada, NOON)
    assert (back.item.state, back.item.n_reviews, back.seat) == ("completed", 1, None)


def test_taking_back_more_than_the_quota_asks_announces_the_change(
    pair, ada, grace, heard, django_capture_on_commit_callbacks
) -> None:
    item = QueueItemFactory(queue=pair)
    review = reviews.submit(item, ada, submission(), NOON).review
    reviews.submit(item, grace, submission(), NOON)
    reviewer_count.set_reviewers_per_item(pair, 1, NOON)
    with django_capture_on_commit_callbacks(execute=True):
        back = reviews.retract(review, ada, NOON)
    assert (back.item.state, back.item.n_reviews, back.seat) == ("completed", 1, None)
    assert [event for event, _ in heard] == ["reopened", "completed"]
    assert Seat.objects.filter(item=item).count() == 1


def test_an_item_reopened_after_the_quota_rose_has_seats_for_all_it_now_asks(
    pair, ada, grace, alan
) -> None:
    item = QueueItemFactory(queue=pair)
    reviewer_count.set_reviewers_per_item(pair, 3, NOON)
    mine, theirs, _ = (
        reviews.submit(item, person, submission(), NOON).review for person in (ada, grace, alan)
    )
    reviewer_count.set_reviewers_per_item(pair, 1, NOON)
    reviewer_count.set_reviewers_per_item(pair, 2, NOON)
    assert reviews.retract(mine, ada, NOON).item.state == "completed"
    assert reviews.retract(theirs, grace, NOON).item.state == "open"
    assert list(Seat.objects.order_by("number").values_list("number", "is_taken")) in (
        [(1, True), (2, False)],
        [(1, False), (2, True)],
    )


def test_submitting_forgets_the_draft_and_the_skip(queue, ada) -> None:
    item = QueueItemFactory(queue=queue)
    drafts.save(item, ada, {"note": "typing"}, 0, NOON)
    reviews.skip(item, ada, "unclear", NOON)
    assert ReviewDraft.objects.exists()
    reviews.submit(item, ada, submission(), NOON)
    assert not ReviewDraft.objects.exists()
    assert not Deferral.objects.exists()


def test_skipping_needs_a_known_reason_and_frees_the_seat(queue, ada, grace) -> None:
    item = QueueItemFactory(queue=queue)
    reservations.reserve_next(queue, ada, NOON)
    with pytest.raises(ValueError, match="not_my_field"):
        reviews.skip(item, ada, "boring", NOON)
    skipped = reviews.skip(item, ada, "not_my_field", NOON, note="tax law")
    assert (skipped.kind, skipped.reason, skipped.note) == ("skip", "not_my_field", "tax law")
    assert reservations.reserve_next(queue, grace, NOON).item_id == item.pk
    reviews.submit(item, grace, submission(), NOON)
    for verb in (lambda: reviews.skip(item, grace, "unclear", NOON),
                 lambda: reviews.requeue(item, grace, NOON)):  # fmt: skip
        with pytest.raises(Unavailable) as refused:
            verb()
        assert refused.value.reason == Reason.REVIEWED


# Blindness --------------------------------------------------------------------------------------


def visible(user, item) -> set[str]:
    return {review.reviewer.username for review in blindness.answers_visible_to(user, item)}


def test_others_answers_are_hidden_until_the_reviewer_submits(
    pair, ada, grace, alan, mallory
) -> None:
    item = QueueItemFactory(queue=pair)
    reviews.submit(item, grace, submission(), NOON)
    assert visible(ada, item) == visible(alan, item) == visible(mallory, item) == set()
    assert visible(grace, item) == {"grace"}
    workspace = pair.workspace_id
    assert blindness.hides_answers(ada, workspace, [item.run_id])
    assert not blindness.hides_answers(grace, workspace, [item.run_id])
    reviews.submit(item, ada, submission(), NOON)
    assert visible(ada, item) == visible(alan, item) == {"ada", "grace"}
    assert visible(mallory, item) == set()
    assert not blindness.hides_answers(alan, workspace, [item.run_id])


def test_in_an_open_queue_answers_show_and_later_reviews_are_not_blind(
    pair, ada, grace, alan
) -> None:
    type(pair).objects.update(is_blind=False)
    item = QueueItemFactory(queue=pair)
    assert reviews.submit(item, grace, submission(), NOON).review.is_blind
    assert visible(ada, item) == {"grace"}
    assert not reviews.submit(item, ada, submission(), NOON).review.is_blind
    assert set(Rating.objects.values_list("reviewer__username", "is_blind")) == {
        ("grace", True),
        ("ada", False),
    }


def test_a_reviewer_who_has_seen_answers_is_not_blind(pair, ada, grace, alan) -> None:
    item = QueueItemFactory(queue=pair)
    mine = reviews.submit(item, ada, submission(), NOON).review
    reviews.retract(mine, ada, NOON)
    alone = reviews.submit(item, ada, submission(), NOON).review
    assert alone.is_blind  # no other reviewer had answered: there was nothing to see
    theirs = reviews.submit(item, grace, submission(), NOON).review
    assert theirs.is_blind
    seat = reviews.retract(theirs, grace, NOON).seat
    assert not reviews.submit(item, grace, submission(), NOON).review.is_blind
    again = Review.objects.get(reviewer=grace, retracted_at=None)
    seat = reviews.retract(again, grace, NOON).seat
    reservations.release(seat, grace, seat.lease)
    assert not reviews.submit(item, alan, submission(), NOON).review.is_blind  # it was complete
