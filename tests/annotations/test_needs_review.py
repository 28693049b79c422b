"""One definition of needing a review and of access, in Django and in SQL: all places agree."""

from __future__ import annotations

from datetime import timedelta

import pytest

from annotations.models import QueueItem
from annotations.queues import access, queue_cards, queue_items, queue_progress, queue_sections
from annotations.queues.needs_review import needs_review_by
from annotations.reviewing import reservations, reviews, workbench
from observatory.workspaces.models import Membership
from tests.annotations.test_reservations import submission
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, QueueItemFactory, member

LONG_AGO = NOON - timedelta(days=1)


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)


@pytest.fixture
def items(queue, ada, grace) -> dict[str, QueueItem]:
    """Return one item for each way an item can stand with ada."""
    names = (
        *("untouched", "held", "reviewed", "taken_back", "skipped", "skipped_then_reviewed"),
        *("requeued", "of_grace", "completed", "removed", "skipped_and_removed"),
    )
    items = {name: QueueItemFactory(queue=queue, added_at=LONG_AGO) for name in names}
    reservations.reserve(items["held"], ada, NOON)
    for name in ("reviewed", "taken_back", "completed"):
        reviews.submit(items[name], ada, submission(), NOON)
    reviews.retract(items["taken_back"].reviews.get(), ada, NOON)
    for name in ("skipped", "skipped_then_reviewed", "skipped_and_removed"):
        reviews.skip(items[name], ada, "unclear", NOON)
    reviews.submit(items["skipped_then_reviewed"], ada, submission(), NOON)
    reviews.requeue(items["requeued"], ada, NOON)
    for name in ("of_grace", "completed"):
        reviews.submit(items[name], grace, submission(), NOON)
    for name in ("removed", "skipped_and_removed"):
        queue_items.remove(items[name], NOON)
    return items


NEEDED = {"untouched", "held", "taken_back", "requeued", "of_grace"}


def handed_out(queue, person) -> set[int]:
    """Return the items the claim gives `person`, one after the other."""
    taken: set[int] = set()
    while seat := reservations.reserve_next(queue, person, NOON, exclude=taken):
        taken.add(seat.item_id)
    return taken


def test_the_claim_lists_and_counts_name_the_same_items(acme, queue, items, ada) -> None:
    needed = {items[name].pk for name in NEEDED}
    condition = QueueItem.objects.filter(needs_review_by(ada), queue=queue)
    assert set(condition.values_list("pk", flat=True)) == needed
    section = queue_sections.section(queue, queue_sections.MINE, ada)
    assert {item.pk for item in section.page(0, 100)} == needed
    assert section.count() == len(needed)
    assert queue_progress.progress(queue, ada).needs_mine == len(needed)
    (card,) = queue_cards.queue_cards(acme, ada, NOON)
    assert card.n_for_me == len(needed)
    membership = Membership.objects.get(user=ada, workspace=acme)
    frame = workbench.frame_of(membership, queue.uuid, NOON, n_chars=10)
    assert frame is not None
    assert frame.n_left == len(needed)
    assert handed_out(queue, ada) == needed


def test_the_other_sections_hold_the_rest(queue, items, ada) -> None:
    others = queue_sections.section(queue, queue_sections.OTHERS, ada).page(0, 100)
    done = queue_sections.section(queue, queue_sections.DONE, ada).page(0, 100)
    names = {item.pk: name for name, item in items.items()}
    assert {names[item.pk] for item in others} == {"reviewed", "skipped", "skipped_then_reviewed"}
    assert {names[item.pk] for item in done} == {"completed"}


def test_only_items_held_by_others_are_the_reason_for_nothing(acme, ada, grace) -> None:
    queue = AnnotationQueueFactory(workspace=acme)
    needed, skipped = QueueItemFactory.create_batch(2, queue=queue, added_at=LONG_AGO)
    reviews.skip(skipped, ada, "unclear", NOON)
    for item in (needed, skipped):
        reservations.reserve(item, grace, NOON)
    nothing = reservations.why_nothing(queue, ada, NOON)
    assert (nothing.reason, nothing.n_reserved) == ("all_reserved", 1)


@pytest.mark.parametrize("role", ["owner", "manager", "reviewer", "viewer"])
@pytest.mark.parametrize("is_assigned", [True, False])
@pytest.mark.parametrize("open_to", ["any", "assigned"])
def test_pages_workbench_and_claim_open_the_same_queues(acme, role, is_assigned, open_to) -> None:
    person = member(acme, "barbara", role)
    queue = AnnotationQueueFactory(workspace=acme, access=open_to)
    QueueItemFactory(queue=queue, added_at=LONG_AGO)
    if is_assigned:
        queue.assigned_reviewers.add(person)
    membership = Membership.objects.get(user=person, workspace=acme)
    is_visible = access.visible_to(acme, person).exists()
    frame = workbench.frame_of(membership, queue.uuid, NOON, n_chars=10)
    assert (frame is not None) == is_visible
    is_reviewer = access.is_reviewer(queue, person, role)
    assert (reservations.reserve_next(queue, person, NOON) is not None) == is_reviewer
    assert is_visible or not is_reviewer
