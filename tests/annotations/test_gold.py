"""Gold items: given to each reviewer once, at a rate, like any other; counted nowhere."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from annotations.agreement import calibration
from annotations.models import GoldAnswer, QueueItem, Rating, Review, Seat
from annotations.quality import gold, gold_accuracy
from annotations.quality.proportions import Proportion
from annotations.queues import blindness, queue_items, queue_progress, queues
from annotations.reviewing import reservations, reviews
from annotations.reviewing.reviews import Submission
from datasets_app.models import HarvestedItem
from observatory.db import stored_functions
from observatory.feedback.models import Feedback
from observatory.workspaces.roles import PERMISSIONS, Permission
from tests import scenes
from tests.conftest import NOON
from tests.factories import member

pytestmark = pytest.mark.django_db
EXPECTED = {"correctness": 2, "polite": True}


@pytest.fixture
def scene(acme):
    return scenes.build(acme, NOON - timedelta(days=1), n_items=6, reviewers=2)


@pytest.fixture
def queue(scene):
    gold.set_rate(scene.queue, 1.0)
    return scene.queue


@pytest.fixture
def golden(scene, queue, ada) -> QueueItem:
    item = fresh(scene.items[3])
    gold.set_gold(item, EXPECTED, ada, NOON)
    return item


def fresh(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__workspace").get(pk=item.pk)


def judge(item: QueueItem, person, correct: int = 2, polite: int = 1, **more) -> Review:
    scores = {"correctness": {"score": correct}, "polite": {"score": polite}}
    sent = Submission(submission_id=uuid4(), scores=scores, **more)
    return reviews.submit(fresh(item), person, sent, NOON).review


def stream(queue, person) -> list[int]:
    """Return the items the person gets until nothing is left, answering each."""
    order = []
    while (seat := reservations.reserve_next(queue, person, NOON)) is not None:
        order.append(seat.item_id)
        judge(seat.item, person)
    return order


def test_a_gold_item_comes_to_each_reviewer_once(queue, golden, grace, alan) -> None:
    for person in (grace, alan):
        order = stream(queue, person)
        assert order.count(golden.pk) == 1
        assert order[0] == golden.pk  # at a rate of 1
        assert len(order) == 6


def test_at_a_rate_of_zero_there_is_none(queue, golden, grace) -> None:
    gold.set_rate(queue, 0.0)
    assert golden.pk not in stream(queue, grace)


def test_gold_items_come_at_the_rate_of_the_queue(acme, ada, grace) -> None:
    made = scenes.build(acme, NOON, n_items=120, reviewers=2, mark="many")
    gold.set_rate(made.queue, 0.3)
    golds = {item.pk for item in made.items[:60]}
    for item in made.items[:60]:
        gold.set_gold(fresh(item), EXPECTED, ada, NOON)
    order = []
    for _ in range(80):
        seat = reservations.reserve_next(made.queue, grace, NOON)
        if seat is None:
            break
        order.append(seat.item_id)
        reviews.skip(fresh(seat.item), grace, "unclear", NOON)
    share = sum(pk in golds for pk in order) / len(order)
    assert 0.1 < share < 0.5


def test_no_gold_item_is_given_when_nothing_else_is_left(queue, golden, scene, grace) -> None:
    gold.set_rate(queue, 0.0)
    stream(queue, grace)
    gold.set_rate(queue, 1.0)
    assert reservations.reserve_next(queue, grace, NOON) is None


def test_those_who_may_see_which_items_are_gold_get_none(queue, golden, ada) -> None:
    assert golden.pk not in stream(queue, ada)
    text = stored_functions.condition("annotations", "is_given_gold", {})
    managing = {role for role, may in PERMISSIONS.items() if Permission.MANAGE_QUEUES in may}
    assert all(f"'{role}'" in text for role in managing)
    assert text.count("'") == 2 * len(managing)


@pytest.mark.parametrize("is_reserving", [True, False])
def test_a_gold_item_stays_while_the_page_is_reloaded(queue, golden, grace, is_reserving) -> None:
    queue.is_reserving = is_reserving
    queue.save()
    for _ in range(3):
        seat = reservations.reserve_next(queue, grace, NOON)
        assert seat is not None
        assert seat.item_id == golden.pk
        assert (seat.lease is not None) == is_reserving
    assert Seat.objects.filter(item=golden, is_taken=False).count() == 1


def test_two_reviewers_hold_a_gold_item_at_once_and_no_other_takes_a_lapsed_seat(
    queue, golden, grace, alan
) -> None:
    first = reservations.reserve_next(queue, grace, NOON)
    second = reservations.reserve_next(queue, alan, NOON)
    assert first is not None
    assert second is not None
    assert first.item_id == second.item_id == golden.pk
    assert first.pk != second.pk
    later = NOON + timedelta(hours=3)
    again = reservations.reserve_next(queue, alan, later)
    assert again is not None
    assert again.pk == second.pk


def test_a_released_gold_item_leaves_one_seat_behind_at_most(queue, golden, grace) -> None:
    for _ in range(4):
        seat = reservations.reserve_next(queue, grace, NOON)
        assert seat is not None
        assert reservations.release(seat, grace, seat.lease)
    assert Seat.objects.filter(item=golden).count() <= 1


def test_gold_answers_are_counted_nowhere(scene, queue, golden, grace, alan) -> None:
    before = queue_progress.progress(queue)
    for person in (grace, alan, member(scene.workspace, "linus", "reviewer")):
        review = judge(golden, person)
        assert review.is_gold
        assert not review.is_counted
    item = fresh(golden)
    assert (item.state, item.n_reviews) == (QueueItem.State.GOLD, 0)
    assert not Rating.objects.filter(item=item).exists()
    assert not HarvestedItem.objects.filter(item=item).exists()
    assert queue_progress.progress(queue).completed == before.completed
    assert all(result.headline.n_overlap == 0 for result in calibration.report(queue, now=NOON))
    written = Feedback.objects.filter(run_id=item.run_id, review_uuid__isnull=False)
    assert written
    assert all(row.is_sealed for row in written)


def test_no_other_reads_an_answer_on_a_gold_item(acme, queue, golden, ada, grace, alan) -> None:
    judge(golden, grace, correct=0)
    item = fresh(golden)
    for person in (ada, alan):
        assert not blindness.answers_visible_to(person, item).exists()
        visible = Feedback.objects.filter(blindness.feedback_visible_to(person, acme.pk))
        assert not visible.filter(run_id=item.run_id, review_uuid__isnull=False).exists()
    assert blindness.answers_visible_to(grace, item).count() == 1


def test_marking_a_completed_item_seals_its_answers_again(scene, queue, ada, grace, alan) -> None:
    item = scene.items[0]
    for person in (grace, alan):
        judge(item, person)
    assert fresh(item).state == QueueItem.State.COMPLETED
    gold.set_gold(fresh(item), EXPECTED, ada, NOON)
    rows = Feedback.objects.filter(run_id=item.run_id, review_uuid__isnull=False)
    assert all(row.is_sealed for row in rows)
    gold.unset_gold(fresh(item), NOON)
    assert fresh(item).state == QueueItem.State.COMPLETED
    assert not any(row.is_sealed for row in rows.all())


def test_an_item_that_is_no_longer_gold_needs_its_reviews(queue, golden, grace, alan, ada) -> None:
    judge(golden, grace)
    assert gold.unset_gold(fresh(golden), NOON)
    assert not gold.unset_gold(fresh(golden), NOON)
    assert fresh(golden).state == QueueItem.State.OPEN
    assert Seat.objects.filter(item=golden, is_taken=False).count() == 2
    for person in (alan, ada):
        assert judge(golden, person).is_counted
    assert fresh(golden).state == QueueItem.State.COMPLETED


def test_undoing_a_gold_answer_gives_it_back(queue, golden, grace) -> None:
    review = judge(golden, grace)
    undone = reviews.retract(review, grace, NOON)
    assert undone.seat is not None
    assert undone.seat.item_id == golden.pk
    assert judge(golden, grace, correct=0).is_gold


def test_a_requeued_gold_item_comes_back_and_a_skipped_one_does_not(queue, golden, grace) -> None:
    reviews.requeue(fresh(golden), grace, NOON)
    seat = reservations.reserve_next(queue, grace, NOON)
    assert seat is not None
    assert seat.item_id == golden.pk
    reviews.skip(fresh(golden), grace, "unclear", NOON)
    assert golden.pk not in stream(queue, grace)


def test_the_state_is_open_to_those_who_look(queue, golden) -> None:
    assert fresh(golden).shown_state == "open"
    assert golden.pk in {item.pk for item in queue_items.items_of(queue, "open")}
    assert queue_items.items_of(queue, "gold").count() == 6  # no filter tells them apart


# Expected answers --------------------------------------------------------------------------------


def test_expected_answers_have_versions(golden, ada) -> None:
    same = gold.set_gold(fresh(golden), EXPECTED, ada, NOON)
    assert same.version == 1
    gold.set_gold(fresh(golden), {"correctness": 0}, ada, NOON, reason="The policy changed")
    newest = gold.newest_answer(fresh(golden))
    assert newest is not None
    assert newest.version == 2
    assert newest.answers == {"correctness": {"score": 0.0, "value": "Wrong"}}
    assert GoldAnswer.objects.filter(item=golden).count() == 2


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({}, "answers"),
        ({"correctness": 7}, "answers.correctness"),
        ({"unknown": 1}, "answers.unknown"),
        ({"reason": "because"}, "answers.reason"),
        ({"polite": {"cant_judge": True}}, "answers.polite"),
    ],
)
def test_an_expected_answer_must_fit_the_rubric(scene, ada, answers, field) -> None:
    with pytest.raises(gold.InvalidGold) as refused:
        gold.set_gold(fresh(scene.items[0]), answers, ada, NOON)
    assert refused.value.field == field
    assert fresh(scene.items[0]).state == QueueItem.State.OPEN


def test_only_a_blind_queue_has_gold_items(scene, ada) -> None:
    queues.change(scene.queue, {"is_blind": False}, now=NOON)
    with pytest.raises(gold.InvalidGold, match="blind"):
        gold.set_gold(fresh(scene.items[0]), EXPECTED, ada, NOON)


# Accuracy ----------------------------------------------------------------------------------------


def test_accuracy_is_per_reviewer_and_per_question(scene, queue, ada, grace, alan) -> None:
    for item in scene.items[:5]:
        gold.set_gold(fresh(item), EXPECTED, ada, NOON)
    for number, item in enumerate(scene.items[:5]):
        judge(item, grace)
        judge(item, alan, correct=0 if number else 2)
    found = gold_accuracy.report(queue)
    assert [(row.username, row.right.k, row.right.n) for row in found.reviewers] == [
        ("alan", 1, 5),
        ("grace", 5, 5),
    ]
    by_key = {(row.username, row.key): row.right.share for row in found.by_key}
    assert by_key["alan", "correctness"] == 0.2
    assert by_key["alan", "polite"] == 1.0
    assert [row.is_flagged for row in found.reviewers] == [True, False]


def test_bad_luck_on_few_items_flags_nobody(scene, queue, golden, grace) -> None:
    judge(golden, grace, correct=0)
    [row] = gold_accuracy.report(queue).reviewers
    assert row.right.share == 0
    assert not row.is_flagged


def test_a_new_version_judges_earlier_answers_too(queue, golden, ada, grace) -> None:
    judge(golden, grace, correct=0)
    gold.set_gold(fresh(golden), {"correctness": 0}, ada, NOON)
    [row] = gold_accuracy.report(queue).reviewers
    assert row.right.share == 1


def test_a_continuous_answer_is_right_within_a_twentieth_of_the_scale(
    queue, golden, ada, grace, alan
) -> None:
    gold.set_gold(fresh(golden), {"effort": 5}, ada, NOON)
    for person, effort in ((grace, 5.4), (alan, 5.6)):
        scores = {"correctness": 2, "polite": 1, "effort": effort}
        sent = Submission(submission_id=uuid4(), scores=scores)
        reviews.submit(fresh(golden), person, sent, NOON)
    rows = gold_accuracy.report(queue).reviewers
    assert {row.username: row.right.k for row in rows} == {"grace": 1, "alan": 0}


def test_an_item_that_most_people_miss_is_under_review_itself(
    scene, queue, golden, grace, alan
) -> None:
    linus = member(scene.workspace, "linus", "reviewer")
    for person, correct in ((grace, 0), (alan, 0)):
        judge(golden, person, correct=correct)
    assert not gold_accuracy.report(queue).items[0].is_questionable  # two answers are too few
    judge(golden, linus)
    assert gold_accuracy.report(queue).items[0].is_questionable


def test_wilson_intervals_are_those_of_the_book() -> None:
    """Agresti, Categorical Data Analysis, 3rd ed. (2013), section 1.4.3: 0 of 25 vegetarians."""
    none = Proportion.counted(0, 25)
    assert none.low == pytest.approx(0.0, abs=1e-12)
    assert none.high == pytest.approx(0.133, abs=5e-4)
    assert Proportion.counted(0, 0).high == 1.0
