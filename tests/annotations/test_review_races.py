"""Many people at once on real PostgreSQL: nothing is booked twice, and the naive way would be."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction

from annotations.models import QueueItem, Review, Seat
from annotations.queues import reviewer_count
from annotations.reviewing import reservations, reviews
from annotations.reviewing.reviewer_sessions import Unavailable
from observatory.feedback.models import Feedback
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, QueueItemFactory, RubricItemFactory, member

LONG_AGO = NOON - timedelta(days=1)
pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*jobs: Callable[[], object]) -> list[BaseException]:
    """Run the jobs in threads that start together; return what they raised."""
    gate = threading.Barrier(len(jobs))
    errors: list[BaseException] = []

    def run(job: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            gate.wait(30)
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return errors


def submission() -> reviews.Submission:
    return reviews.Submission(submission_id=uuid4(), scores={})


def test_sixteen_people_claiming_at_once_never_share_a_seat(acme) -> None:
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    people = [member(acme, f"r{n}", "reviewer") for n in range(16)]
    QueueItemFactory.create_batch(60, queue=queue, added_at=LONG_AGO)
    claims: list[tuple[int, int]] = []  # (seat, person); appending is atomic

    def claim_all(person) -> None:
        passed: list[int] = []
        while seat := reservations.reserve_next(queue, person, NOON, exclude=passed):
            passed.append(seat.item_id)
            claims.append((seat.pk, person.pk))

    errors = at_once(*(lambda p=p: claim_all(p) for p in people))
    assert errors == []
    taken = Counter(seat for seat, _ in claims)
    assert taken.most_common(1)[0][1] == 1
    # SKIP LOCKED may let a reviewer miss a seat that is just being claimed, but then it was claimed.
    assert len(taken) == 120
    assert Seat.objects.filter(reviewer=None).count() == 0


def naive_reserve_next(queue, reviewer, now) -> int | None:
    """The textbook: lock an item, count its holds in another table. Only for this test."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.id FROM annotations_queueitem i
            WHERE i.queue_id = %s AND (
                SELECT count(*) FROM annotations_reviewdraft d WHERE d.item_id = i.id) < 1
            ORDER BY i.id LIMIT 1 FOR UPDATE OF i SKIP LOCKED
            """,
            [queue.pk],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(  # drafts stand in for a table of holds
            "INSERT INTO annotations_reviewdraft (item_id, reviewer_id, version, content, saved_at)"
            " VALUES (%s, %s, 1, '{}', %s) ON CONFLICT DO NOTHING",
            [row[0], reviewer.pk, now],
        )
        return row[0]


def test_the_textbook_claim_does_share_seats_so_the_test_above_has_teeth(acme) -> None:
    queue = AnnotationQueueFactory(workspace=acme)
    people = [member(acme, f"r{n}", "reviewer") for n in range(16)]
    for _ in range(40):
        QueueItemFactory.create_batch(60, queue=queue, added_at=LONG_AGO)
        claims: list[int] = []

        def claim_all(person, claims=claims) -> None:
            while (item := naive_reserve_next(queue, person, NOON)) is not None:
                claims.append(item)

        assert at_once(*(lambda p=p: claim_all(p) for p in people)) == []
        if max(Counter(claims).values()) > 1:
            return
        QueueItem.objects.all().delete()
    raise AssertionError("the naive claim never double-booked: the race test proves nothing")


def test_one_person_in_two_tabs_never_gets_two_seats_of_an_item(acme, ada) -> None:
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=4)
    for _ in range(15):
        (item,) = QueueItemFactory.create_batch(1, queue=queue, added_at=LONG_AGO)
        got: list[int] = []

        def tab(got=got) -> None:
            seat = reservations.reserve_next(queue, ada, NOON)
            got.append(seat.pk)

        assert at_once(*[tab] * 4) == []
        assert len(set(got)) == 1
        assert Seat.objects.filter(item=item, reviewer=ada).count() == 1
        reviews.submit(item, ada, submission(), NOON)


def test_one_submission_sent_by_eight_threads_is_one_review(acme, ada) -> None:
    queue = AnnotationQueueFactory(workspace=acme)
    RubricItemFactory(queue=queue, feedback_key="ok", kind="boolean")
    item = QueueItemFactory(queue=queue)
    sent = reviews.Submission(submission_id=uuid4(), scores={"ok": True})
    outcomes: list[reviews.Outcome] = []

    def post() -> None:
        mine = QueueItem.objects.get(pk=item.pk)
        outcomes.append(reviews.submit(mine, ada, sent, NOON))

    assert at_once(*[post] * 8) == []
    assert len({outcome.review.pk for outcome in outcomes}) == 1
    assert sum(not outcome.is_repeat for outcome in outcomes) == 1
    assert Review.objects.count() == Feedback.objects.count() == 1


def test_more_people_than_seats_submitting_at_once_count_exactly_the_quota(acme) -> None:
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=3)
    people = [member(acme, f"r{n}", "reviewer") for n in range(8)]
    for _ in range(5):
        item = QueueItemFactory(queue=queue)

        def post(person, item=item) -> None:
            reviews.submit(QueueItem.objects.get(pk=item.pk), person, submission(), NOON)

        assert at_once(*(lambda p=p, post=post: post(p) for p in people)) == []
        item.refresh_from_db()
        assert (item.state, item.n_reviews) == ("completed", 3)
        assert Review.objects.filter(item=item, is_counted=True).count() == 3
        assert Review.objects.filter(item=item).count() == 8
        assert Seat.objects.filter(item=item, is_taken=True).count() == 3


def test_everything_at_once_ends_without_deadlock_and_adds_up(acme) -> None:
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    people = [member(acme, f"r{n}", "reviewer") for n in range(6)]
    QueueItemFactory.create_batch(12, queue=queue, added_at=LONG_AGO)

    def work(person, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(25):
            seat = reservations.reserve_next(queue, person, NOON)
            mine = Review.objects.filter(reviewer=person, retracted_at=None)
            if seat is None or dice.random() < 0.2:
                if review := mine.order_by("?").first():
                    reviews.retract(review, person, NOON)
                continue
            item = QueueItem.objects.get(pk=seat.item_id)
            step = dice.random()
            try:
                if step < 0.7:
                    reviews.submit(item, person, submission(), NOON)
                elif step < 0.8:
                    reviews.requeue(item, person, NOON)
            except (reviews.Conflict, Unavailable):
                continue  # the reviewer's other tab was first
            if 0.8 <= step < 0.9:
                reservations.release(seat, person, seat.lease)

    def lead() -> None:
        for n in (1, 3, 2, 1, 2, 3, 2):
            reviewer_count.set_reviewers_per_item(queue, n, NOON)

    jobs = [lambda n=n, p=p: work(p, n) for n, p in enumerate(people)]
    assert at_once(*jobs, *jobs[:3], lead) == []  # three of them in two tabs
    for item in QueueItem.objects.filter(queue=queue):
        counted = Review.objects.filter(item=item, is_counted=True, retracted_at=None)
        taken = Seat.objects.filter(item=item, is_taken=True)
        assert item.n_reviews == counted.count() == taken.count()
        assert set(counted.values_list("reviewer", flat=True)) == set(
            taken.values_list("reviewer", flat=True)
        )
        if item.state == "open":
            assert item.n_reviews < 2
            assert Seat.objects.filter(item=item).count() == 2
