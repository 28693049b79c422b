"""What stays sealed, what opens it, and what a reader may have seen before: `blindness`."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from annotations.agreement import calibration
from annotations.models import QueueItem, Rating, Review, RoutingDecision
from annotations.queues import blindness, queue_items, queue_progress, queues, reviewer_count
from annotations.reviewing import item_status, reservations, reviews
from annotations.reviewing.reviews import Submission
from annotations.routing import routing, rules
from observatory.feedback import record
from observatory.feedback.judgement import FeedbackInput
from observatory.feedback.models import Feedback
from observatory.feedback.summary import feedback_stats
from observatory.workspaces import keys
from tests import scenes
from tests.conftest import NOON
from tests.factories import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(acme):
    return scenes.build(acme, NOON - timedelta(days=1), n_items=3, reviewers=3)


@pytest.fixture
def item(scene) -> QueueItem:
    return scene.items[0]


def judge(item: QueueItem, person, correct: int = 0, **more):
    sent = Submission(
        submission_id=uuid4(),
        scores={"correctness": {"score": correct}, "polite": {"score": 1}},
        **more,
    )
    item = QueueItem.objects.select_related("queue__workspace").get(pk=item.pk)
    return reviews.submit(item, person, sent, NOON).review


def is_sealed(item: QueueItem) -> bool:
    """Return whether answers on the item are sealed, all of them or none."""
    [found] = (
        Feedback.objects.filter(run_id=item.run_id, key__in=["correctness", "polite"])
        .values_list("is_sealed", flat=True)
        .distinct()
        .order_by()
    )
    return bool(found)


def drain() -> None:
    while routing.drain(100, NOON):
        pass


# When answers open ------------------------------------------------------------------------------


def test_answers_open_when_the_item_is_complete(acme, item, ada, grace, alan) -> None:
    for person in (grace, alan):
        judge(item, person)
        assert is_sealed(item)
        assert "correctness" not in feedback_stats(acme.pk, [item.run_id])[item.run_id]
    judge(item, ada)
    assert not is_sealed(item)
    assert feedback_stats(acme.pk, [item.run_id])[item.run_id]["correctness"]["n"] == 3


def test_undoing_a_review_seals_the_answers_again(item, ada, grace, alan) -> None:
    given = [judge(item, person) for person in (ada, grace, alan)]
    reviews.retract(given[0], ada, NOON)
    assert is_sealed(item)
    assert not judge(item, ada).is_blind
    assert not is_sealed(item)


def test_fewer_required_reviews_open_the_answers(scene, item, grace) -> None:
    judge(item, grace)
    reviewer_count.set_reviewers_per_item(scene.queue, 1, NOON)
    assert not is_sealed(item)


def test_a_review_that_is_not_counted_is_sealed_as_long_as_the_item_is_open(
    scene, item, ada, grace
) -> None:
    reviewer_count.set_reviewers_per_item(scene.queue, 1, NOON)
    reservations.reserve(QueueItem.objects.get(pk=item.pk), ada, NOON)
    assert not judge(item, grace).is_counted
    assert is_sealed(item)
    judge(item, ada)
    assert not is_sealed(item)


def test_changing_blindness_seals_and_opens_and_seen_answers_are_not_blind(
    scene, item, ada, grace, alan
) -> None:
    judge(item, grace)
    blindness.set_blind(scene.queue, False, now=NOON)
    assert not is_sealed(item)
    assert not judge(item, ada).is_blind
    blindness.set_blind(scene.queue, True, now=NOON)
    assert is_sealed(item)
    assert not judge(item, alan).is_blind


def test_a_restored_open_item_counts_as_seen(scene, item, ada, grace) -> None:
    reviewer_count.set_reviewers_per_item(scene.queue, 1, NOON)
    judge(item, grace)
    queue_items.remove(QueueItem.objects.get(pk=item.pk), NOON)
    assert not is_sealed(item)
    reviewer_count.set_reviewers_per_item(scene.queue, 2, NOON)
    queue_items.add_runs(scene.queue, [item.run_id], source="person", now=NOON)
    assert is_sealed(item)
    assert not judge(item, ada).is_blind


def test_answers_of_a_removed_item_stay_sealed(item, alan, grace) -> None:
    judge(item, grace)
    queue_items.remove(QueueItem.objects.get(pk=item.pk), NOON)
    assert is_sealed(item)
    assert not blindness.answers_visible_to(alan, item).exists()


def test_the_feedback_of_a_deleted_queue_is_everybodys(scene, item, grace) -> None:
    judge(item, grace)
    blindness.delete(scene.queue)
    assert not is_sealed(item)


# Rules ------------------------------------------------------------------------------------------


def test_a_rule_sees_an_answer_once_the_item_is_settled(
    acme, scene, item, ada, grace, alan
) -> None:
    corner = queues.create_queue(acme, "Corner", now=NOON, rubric=scenes.RUBRIC)
    rules.set_rule(
        acme,
        rules.RuleDefinition(
            name="Rated low",
            filter="and(eq(feedback_key, 'correctness'), lt(feedback_score, 0.5))",
            queue=corner,
        ),
        now=NOON,
        is_enabled=True,
    )
    drain()
    for person in (grace, ada):
        judge(item, person)
        drain()
        assert not corner.items.exists()
    judge(item, alan, 2)
    drain()
    assert [found.run_id for found in corner.items.all()] == [item.run_id]
    assert "correctness" in str(RoutingDecision.objects.get(item__queue=corner).clauses)


def test_the_reason_of_another_rule_does_not_name_a_sealed_answer(acme, scene, item, grace) -> None:
    corner = queues.create_queue(acme, "Corner", now=NOON, rubric=scenes.RUBRIC)
    rules.set_rule(
        acme,
        rules.RuleDefinition(name="Rated at all", filter="lt(feedback_score, 0.5)", queue=corner),
        now=NOON,
        is_enabled=True,
    )
    judge(item, grace)
    drain()
    decision = RoutingDecision.objects.get(item__queue=corner)  # for the user's 0.2
    assert "0.2" in str(decision.clauses)
    assert "0.0" not in str(decision.clauses)


# Agreement and counters ---------------------------------------------------------------------------


def test_agreement_counts_settled_items_only(scene, item, ada, grace, alan) -> None:
    for person, correct in ((grace, 0), (ada, 2)):
        judge(item, person, correct)
    assert Rating.objects.filter(item=item).exists()
    key = scene.queue.rubric_items.get(feedback_key="correctness")
    found = next(k for k in calibration.report(scene.queue, now=NOON) if k.rubric_item == key)
    assert (found.n_disputed, found.pairs, found.reviewers) == (0, (), ())
    assert found.excluded == calibration.Excluded()
    assert not calibration.disputed_items(scene.queue, key)
    judge(item, alan, 1)
    found = next(k for k in calibration.report(scene.queue, now=NOON) if k.rubric_item == key)
    assert (found.n_disputed, len(found.pairs)) == (1, 3)
    assert calibration.disputed_items(scene.queue, key)


def test_corrections_are_counted_on_settled_items_only(scene, item, ada, grace, alan) -> None:
    judge(item, grace, correction={"outputs": {"answer": "another"}})
    assert {row.n_corrections for row in queue_progress.reviewers_of(scene.queue)} == {0}
    judge(item, ada)
    judge(item, alan)
    assert sum(row.n_corrections for row in queue_progress.reviewers_of(scene.queue)) == 1


# Answers sent by an API key -----------------------------------------------------------------------


@pytest.fixture
def key_of_grace(acme, grace):
    return keys.mint(acme, "grace's", created_by=grace)[0]


def send(workspace, sender, run_id, **more) -> Feedback:
    sent = FeedbackInput(**{"run_id": run_id, "key": "correctness", "score": 0.0, **more})
    return record.record(workspace, sent, now=NOON + timedelta(hours=1), api_key=sender)


def test_an_answer_by_key_is_sealed_while_its_item_is_open_and_blind(
    acme, scene, item, key_of_grace
) -> None:
    program = keys.mint(acme, "a program")[0]
    assert send(acme, key_of_grace, item.run_id).is_sealed
    assert not send(acme, key_of_grace, item.run_id, key="user_rating").is_sealed
    assert not send(acme, key_of_grace, uuid4()).is_sealed
    assert not send(acme, key_of_grace, item.run_id, source_type="model").is_sealed
    assert not send(acme, program, item.run_id).is_sealed
    blindness.set_blind(scene.queue, False, now=NOON)
    assert not Feedback.objects.filter(is_sealed=True).exists()
    assert not send(acme, key_of_grace, item.run_id).is_sealed


def test_a_change_by_key_is_an_answer_as_well(acme, item, key_of_grace) -> None:
    sent = send(acme, key_of_grace, item.run_id)
    Feedback.objects.filter(pk=sent.pk).update(is_sealed=False)
    later = NOON + timedelta(hours=2)
    assert record.update(acme, sent.uuid, {"score": 2.0}, now=later).is_sealed


def test_feedback_from_before_the_item_stays_readable(acme, scene, key_of_grace) -> None:
    run = scenes.make_run(acme, scene.project, NOON)
    sent = send(acme, key_of_grace, run.id)
    queue_items.add_runs(scene.queue, [run.id], source="rule", now=NOON + timedelta(hours=2))
    sent.refresh_from_db()
    assert not sent.is_sealed


def test_completing_by_key_makes_the_feedback_the_reviews(
    acme, item, ada, alan, grace, key_of_grace
) -> None:
    sent = send(acme, key_of_grace, item.run_id)
    send(acme, key_of_grace, item.run_id, key="polite", score=1.0)
    given = item_status.complete(item, grace, NOON + timedelta(hours=2))
    sent.refresh_from_db()
    assert (sent.review_uuid, sent.is_sealed) == (given.uuid, True)
    judge(item, ada)
    judge(item, alan)
    sent.refresh_from_db()
    assert not sent.is_sealed
    reviews.retract(Review.objects.get(pk=given.pk), grace, NOON + timedelta(hours=3))
    sent.refresh_from_db()
    assert (sent.review_uuid, sent.is_sealed) == (None, True)


def test_an_answer_by_key_opens_when_others_complete_the_item(
    acme, item, ada, alan, key_of_grace
) -> None:
    sent = send(acme, key_of_grace, item.run_id)
    bob = member(acme, "bob", "reviewer")
    for person in (ada, alan, bob):
        judge(item, person)
    sent.refresh_from_db()
    assert not sent.is_sealed


# The admin ----------------------------------------------------------------------------------------


def test_the_admin_changes_blindness_by_the_verb(acme, scene, item, ada, grace) -> None:
    judge(item, grace)
    client = Client()
    client.force_login(ada)
    page = f"/admin/annotations/annotationqueue/{scene.queue.pk}/change/"
    form = client.get(page).context["adminform"].form
    sent = {name: value if value is not None else "" for name, value in form.initial.items()}
    sent.pop("is_blind")
    sent["assigned_reviewers"] = []
    for formset in client.get(page).context["inline_admin_formsets"]:
        prefix = formset.formset.prefix
        sent |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    answer = client.post(page, sent)
    assert answer.status_code == 302, answer.context["errors"]
    scene.queue.refresh_from_db()
    assert not scene.queue.is_blind
    assert not is_sealed(item)
