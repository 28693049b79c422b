"""Holding items: in order, once, for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest

from annotations.models import Bookmark, QueueItem, Seat
from annotations.queues import queue_items
from annotations.reviewing import reservations, reviews
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, QueueItemFactory, member

HOLD = timedelta(minutes=10)
LONG_AGO = NOON - timedelta(days=1)


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme)


def items(queue, n, **fields) -> list[QueueItem]:
    return QueueItemFactory.create_batch(n, queue=queue, added_at=LONG_AGO, **fields)


def next_item(queue, person, now=NOON, **options) -> int | None:
    seat = reservations.reserve_next(queue, person, now, **options)
    return seat and seat.item_id


def submission(**fields) -> reviews.Submission:
    from uuid import uuid4

    return reviews.Submission(**{"submission_id": uuid4(), "scores": {}} | fields)


def test_items_come_by_priority_then_age(queue, ada) -> None:
    low, old, new = items(queue, 1) + items(queue, 2, priority=5)
    got = [next_item(queue, ada, exclude=done) for done in ([], [old.pk], [old.pk, new.pk])]
    assert got == [old.pk, new.pk, low.pk]


def test_a_held_item_is_not_offered_again_until_the_hold_ends(queue, ada, grace) -> None:
    (item,) = items(queue, 1)
    assert next_item(queue, ada) == item.pk
    assert next_item(queue, grace, NOON + HOLD - timedelta(seconds=1)) is None
    assert next_item(queue, grace, NOON + HOLD) == item.pk
    assert next_item(queue, ada, NOON + HOLD) is None


def test_the_reviewers_reservation_is_returned_first_and_renewed(queue, ada) -> None:
    first, second = items(queue, 2)
    held = reservations.reserve_next(queue, ada, NOON)
    later = NOON + timedelta(minutes=4)
    assert next_item(queue, ada, later, exclude=[first.pk]) == second.pk
    again = reservations.reserve_next(queue, ada, later + timedelta(minutes=1))
    assert (again.item_id, again.lease) == (first.pk, held.lease)
    assert again.expires_at == later + timedelta(minutes=1) + HOLD


def test_two_seats_of_an_item_go_to_two_people(acme, ada, grace, alan) -> None:
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    (item,) = items(queue, 1)
    assert next_item(queue, ada) == item.pk
    assert next_item(queue, ada, exclude=[item.pk]) is None
    assert next_item(queue, grace) == item.pk
    assert next_item(queue, alan) is None
    assert {s.reviewer_id for s in Seat.objects.all()} == {ada.pk, grace.pk}


def test_my_lapsed_seat_is_mine_again_although_another_seat_is_free(acme, ada) -> None:
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    items(queue, 1)
    first = reservations.reserve_next(queue, ada, NOON)
    again = reservations.reserve_next(queue, ada, NOON + 2 * HOLD)
    assert again.pk == first.pk
    assert again.lease != first.lease


def test_reviewed_and_skipped_items_never_come_back_and_requeued_ones_come_last(queue, ada) -> None:
    a, b, c, d = items(queue, 4)
    reviews.requeue(a, ada, NOON)
    reviews.skip(b, ada, "unclear", NOON)
    reviews.submit(c, ada, submission(), NOON)
    assert next_item(queue, ada) == d.pk
    reviews.submit(d, ada, submission(), NOON)
    assert next_item(queue, ada) == a.pk
    reviews.requeue(a, ada, NOON)
    assert next_item(queue, ada) == a.pk
    reviews.submit(a, ada, submission(), NOON)
    assert next_item(queue, ada) is None
    assert reservations.why_nothing(queue, ada, NOON).reason == Reason.NOTHING_LEFT


@pytest.mark.parametrize(
    ("field", "reason"), [("is_paused", Reason.PAUSED), ("archived_at", Reason.ARCHIVED)]
)
def test_a_paused_or_archived_queue_reserves_nothing(queue, ada, field, reason) -> None:
    (item,) = items(queue, 1)
    stale = type(queue).objects.get(pk=queue.pk)
    setattr(queue, field, NOON if field == "archived_at" else True)
    queue.save()
    assert next_item(stale, ada) is None
    assert reservations.why_nothing(stale, ada, NOON).reason == reason
    with pytest.raises(Unavailable) as refused:
        reservations.reserve(item, ada, NOON)
    assert refused.value.reason == reason


def test_only_assigned_reviewers_of_the_workspace_get_items(acme, ada, grace, mallory) -> None:
    queue = AnnotationQueueFactory(workspace=acme, access="assigned")
    queue.assigned_reviewers.add(grace, mallory)
    items(queue, 1)
    viewer = member(acme, "vera", "viewer")
    queue.assigned_reviewers.add(viewer)
    for person in (ada, mallory, viewer):
        assert next_item(queue, person) is None
        assert reservations.why_nothing(queue, person, NOON).reason == Reason.NO_ACCESS
    assert next_item(queue, grace) is not None


def test_all_reserved_has_the_time_of_the_first_expiry(queue, ada, grace) -> None:
    items(queue, 1)
    seat = reservations.reserve_next(queue, grace, NOON)
    nothing = reservations.why_nothing(queue, ada, NOON)
    assert nothing == reservations.Nothing(Reason.ALL_RESERVED, 1, seat.expires_at)


def test_a_reservation_can_be_extended_up_to_three_lengths(queue, ada, grace) -> None:
    items(queue, 1)
    seat = reservations.reserve_next(queue, ada, NOON)
    for minutes, until in ((5, 15), (14, 24), (23, 30), (29, 30)):
        seat = reservations.extend(seat, ada, seat.lease, NOON + timedelta(minutes=minutes))
        assert seat.expires_at == NOON + timedelta(minutes=until)
    for person, lease, now in (
        (ada, seat.lease, NOON + timedelta(minutes=30)),
        (grace, seat.lease, NOON),
        (ada, None, NOON),
    ):
        with pytest.raises(Unavailable) as lost:
            reservations.extend(seat, person, lease, now)
        assert lost.value.reason == Reason.LOST


def test_only_the_current_lease_releases_a_seat(queue, ada, grace) -> None:
    (item,) = items(queue, 1)
    old = reservations.reserve_next(queue, ada, NOON)
    new = reservations.reserve(item, ada, NOON)
    assert not reservations.release(old, ada, old.lease)
    assert not reservations.release(new, grace, new.lease)
    assert not reservations.release(new, ada, None)
    assert next_item(queue, grace) is None
    assert reservations.release(new, ada, new.lease)
    assert next_item(queue, grace) == item.pk


def test_a_certain_item_can_be_reserved_unless_it_is_full_done_or_closed(
    acme, queue, ada, grace
) -> None:
    free, held, mine, removed = items(queue, 4)
    assert reservations.reserve(free, ada, NOON).item_id == free.pk
    reservations.reserve(held, grace, NOON)
    reviews.submit(mine, ada, submission(), NOON)
    queue_items.remove(removed, NOON)
    for item, reason in (
        (held, Reason.ALL_RESERVED),
        (mine, Reason.REVIEWED),
        (removed, Reason.CLOSED),
    ):
        with pytest.raises(Unavailable) as refused:
            reservations.reserve(item, ada, NOON)
        assert refused.value.reason == reason


def test_a_skipped_item_can_be_reserved_and_returns_to_the_order(queue, ada) -> None:
    first, second, third = items(queue, 3)
    reviews.skip(first, ada, "broken", NOON)
    reviews.skip(second, ada, "broken", NOON)
    seat = reservations.reserve(first, ada, NOON)
    reservations.release(seat, ada, seat.lease)
    assert next_item(queue, ada) == first.pk
    assert next_item(queue, ada, exclude=[first.pk]) == third.pk


def test_a_queue_that_does_not_reserve_offers_the_same_item_to_all(acme, ada, grace) -> None:
    queue = AnnotationQueueFactory(workspace=acme, is_reserving=False)
    first, second = items(queue, 2)
    seat = reservations.reserve_next(queue, ada, NOON)
    assert (seat.item_id, seat.lease, seat.expires_at) == (first.pk, None, None)
    assert reservations.reserve(first, ada, NOON).lease is None
    assert reservations.extend(seat, ada, seat.lease, NOON) == seat
    assert next_item(queue, grace) == first.pk
    assert next_item(queue, grace, exclude=[first.pk]) == second.pk
    assert reviews.submit(first, ada, submission(), NOON).review.is_counted
    assert not reviews.submit(first, grace, submission(), NOON).review.is_counted
    assert next_item(queue, grace) == second.pk


# Bookmarks --------------------------------------------------------------------------------------


def place(queue, person) -> int:
    return Bookmark.objects.get(queue=queue, reviewer=person).places.get("0", 0)


def test_the_bookmark_follows_the_reviewers_done_items(acme, ada, grace) -> None:
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    a, b, c, d, e = items(queue, 5)
    reviews.submit(b, ada, submission(), NOON)
    assert place(queue, ada) == a.pk - 1
    reviews.skip(a, ada, "unclear", NOON)
    assert place(queue, ada) == b.pk == c.pk - 1
    reviews.requeue(c, ada, NOON)
    reviews.submit(d, ada, submission(), NOON)
    assert place(queue, ada) == d.pk == e.pk - 1
    reviews.submit(e, ada, submission(), NOON)
    assert place(queue, ada) == e.pk
    assert next_item(queue, grace) == a.pk


def test_the_bookmark_waits_before_what_others_hold_and_before_young_items(
    queue, ada, grace
) -> None:
    held, mine, free = items(queue, 3)
    reservations.reserve(held, grace, NOON)
    reviews.submit(mine, ada, submission(), NOON)
    assert place(queue, ada) == held.pk - 1
    assert next_item(queue, ada, NOON + HOLD) == held.pk
    young = QueueItemFactory(queue=queue, added_at=NOON)
    for item in (held, free, young):
        reviews.submit(item, ada, submission(), NOON)
    assert place(queue, ada) < young.pk


def test_a_review_taken_back_is_offered_to_those_whose_bookmark_is_behind_it(
    queue, ada, grace
) -> None:
    first, second, third = items(queue, 3)
    review = reviews.submit(first, grace, submission(), NOON).review
    reviews.submit(second, ada, submission(), NOON)
    assert place(queue, ada) > first.pk
    seat = reviews.retract(review, grace, NOON).seat
    assert next_item(queue, ada) == third.pk
    reservations.release(seat, grace, seat.lease)
    assert next_item(queue, ada, exclude=[third.pk]) == first.pk


def test_undoing_an_uncounted_review_offers_the_item_again(queue, ada, grace) -> None:
    first, second, _ = items(queue, 3)
    reservations.reserve(first, grace, NOON)
    extra = reviews.submit(first, ada, submission(), NOON).review
    reviews.submit(second, ada, submission(), NOON)
    assert place(queue, ada) == second.pk
    assert reviews.retract(extra, ada, NOON).seat is None
    assert next_item(queue, ada, NOON + HOLD) == first.pk


def test_an_item_behind_the_bookmark_is_found_once_per_minute(queue, ada) -> None:
    moved, first = items(queue, 1, priority=3) + items(queue, 1)
    reservations.reserve(moved, ada, NOON)
    reviews.submit(first, ada, submission(), NOON)
    Seat.objects.filter(item=moved).update(
        reviewer=None, lease=None, reserved_at=None, expires_at=None, priority=0
    )
    Bookmark.objects.update(places={"0": first.pk, "3": moved.pk})
    assert next_item(queue, ada) == moved.pk
    assert Bookmark.objects.get().places == {}
    Seat.objects.filter(item=moved).update(
        reviewer=None, lease=None, reserved_at=None, expires_at=None
    )
    Bookmark.objects.update(places={"0": first.pk})
    assert next_item(queue, ada, NOON + timedelta(seconds=59)) is None
    assert next_item(queue, ada, NOON + timedelta(seconds=60)) == moved.pk


def test_items_brought_back_by_a_person_are_seen_behind_the_bookmark(queue, ada, grace) -> None:
    gone, done = items(queue, 2)
    queue_items.remove(gone, NOON)
    reviews.submit(done, ada, submission(), NOON)
    Bookmark.objects.update(places={"0": done.pk}, searched_at=NOON)
    queue_items.requeue_for_all(gone, NOON)
    assert next_item(queue, ada) == gone.pk
