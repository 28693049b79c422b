"""What is in a queue, and who sees it."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from annotations.models import (
    AnnotationQueue,
    Deferral,
    QueueItem,
    Review,
    RubricVersion,
    Seat,
)
from annotations.queues import (
    access,
    queue_items,
    queue_progress,
    queue_sections,
    queues,
    reviewer_count,
    rubric_editing,
)
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, QueueItemFactory, member

API, RULE, PERSON = QueueItem.Source.API, QueueItem.Source.RULE, QueueItem.Source.PERSON


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)


def review(item, reviewer) -> Review:
    """Store a counted review as the reviews room would."""
    QueueItem.objects.filter(pk=item.pk).update(n_reviews=item.n_reviews + 1)
    item.refresh_from_db()
    return Review.objects.create(
        workspace=item.workspace,
        submission_id=uuid4(),
        queue=item.queue,
        item=item,
        reviewer=reviewer,
        rubric_version=1,
        scores={},
    )


def test_an_added_run_has_one_item_with_a_seat_for_each_review(queue, ada) -> None:
    runs = [uuid4(), uuid4()]
    items = queue_items.add_runs(
        queue, [*runs, runs[0]], source=PERSON, now=NOON, added_by=ada, priority=3
    )
    assert [item.run_id for item in items] == runs
    assert [(item.state, item.priority, item.added_at) for item in items] == [("open", 3, NOON)] * 2
    seats = Seat.objects.order_by("item", "number").values_list("item", "number", "priority")
    assert list(seats) == [(item.pk, number, 3) for item in items for number in (1, 2)]


def test_a_run_already_in_the_queue_keeps_its_item_and_its_place(queue) -> None:
    run = uuid4()
    first = queue_items.add_runs(queue, [run], source=API, now=NOON, priority=1)
    again = queue_items.add_runs(queue, [run], source=PERSON, now=NOON, priority=9)
    assert [item.pk for item in first] == [item.pk for item in again]
    assert again[0].priority == 1
    assert Seat.objects.count() == 2


@pytest.mark.parametrize("source", [RULE, API])
def test_what_a_person_removed_stays_removed_for_rules_and_the_api(queue, source) -> None:
    (item,) = queue_items.add_runs(queue, [uuid4()], source=RULE, now=NOON)
    assert queue_items.remove(item, NOON)
    assert not queue_items.remove(item, NOON)
    (same,) = queue_items.add_runs(queue, [item.run_id], source=source, now=NOON)
    assert (same.pk, same.state) == (item.pk, "removed")
    assert Seat.objects.count() == 0


def test_a_person_who_adds_a_removed_run_again_brings_its_item_back(queue, ada) -> None:
    (item,) = queue_items.add_runs(queue, [uuid4()], source=RULE, now=NOON)
    queue_items.remove(item, NOON)
    (same,) = queue_items.add_runs(queue, [item.run_id], source=PERSON, now=NOON, added_by=ada)
    assert (same.pk, same.state, same.removed_at, same.added_by) == (item.pk, "open", None, ada)
    assert Seat.objects.filter(item=item).count() == 2


def test_an_item_that_comes_back_with_all_its_reviews_is_complete(queue, ada, grace) -> None:
    item = QueueItemFactory(queue=queue)
    review(item, ada)
    review(item, grace)
    Seat.objects.filter(item=item).update(is_taken=True)
    queue_items.remove(item, NOON)
    (same,) = queue_items.add_runs(queue, [item.run_id], source=PERSON, now=NOON)
    assert same.state == "completed"


@pytest.mark.django_db(transaction=True)
def test_two_callers_adding_the_same_runs_at_once_make_each_item_once(queue) -> None:
    runs = [uuid4() for _ in range(50)]
    barrier = threading.Barrier(4)

    def add() -> None:
        barrier.wait()
        queue_items.add_runs(queue, runs, source=API, now=NOON)
        connection.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert QueueItem.objects.filter(queue=queue).count() == 50
    assert Seat.objects.filter(queue=queue).count() == 100


def test_more_reviews_an_item_adds_seats_to_open_items(queue) -> None:
    item = QueueItemFactory(queue=queue)
    reviewer_count.set_reviewers_per_item(queue, 3, NOON)
    assert Seat.objects.filter(item=item).count() == 3


def test_fewer_reviews_per_item_complete_items_and_drop_free_seats(
    queue, ada, django_capture_on_commit_callbacks
) -> None:
    from annotations import signals

    done, waiting = QueueItemFactory.create_batch(2, queue=queue)
    review(done, ada)
    Seat.objects.filter(item=done, number=1).update(is_taken=True)
    heard: list[list[int]] = []

    def hear(item_ids, **kwargs) -> None:
        heard.append(item_ids)

    signals.item_completed.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            reviewer_count.set_reviewers_per_item(queue, 1, NOON)
    finally:
        signals.item_completed.disconnect(hear)
    done.refresh_from_db()
    assert (done.state, done.completed_at) == ("completed", NOON)
    assert heard == [[done.pk]]
    assert Seat.objects.filter(item=done).count() == 1
    assert Seat.objects.filter(item=waiting).count() == 1


def test_requeue_for_all_forgets_skips_and_holds_and_brings_a_removed_item_back(
    queue, ada, grace
) -> None:
    item = QueueItemFactory(queue=queue)
    Deferral.objects.create(item=item, reviewer=ada, kind="skip")
    Seat.objects.filter(item=item, number=1).update(
        reviewer=grace, lease=uuid4(), reserved_at=NOON, expires_at=NOON
    )
    queue_items.requeue_for_all(item, NOON)
    assert not Deferral.objects.exists()
    assert Seat.objects.filter(item=item, lease=None, is_returned=True).count() == 2
    queue_items.remove(item, NOON)
    queue_items.requeue_for_all(item, NOON)
    assert item.state == "open"
    assert Seat.objects.filter(item=item).count() == 2


def test_release_ends_live_reservations_and_spares_taken_seats(queue, ada, grace) -> None:
    item = QueueItemFactory(queue=queue)
    Seat.objects.filter(item=item, number=1).update(reviewer=ada, is_taken=True)
    Seat.objects.filter(item=item, number=2).update(
        reviewer=grace, lease=uuid4(), reserved_at=NOON, expires_at=NOON
    )
    assert queue_items.release(item) == 1
    assert Seat.objects.get(item=item, number=1).reviewer == ada


def test_progress_tells_mine_others_skipped_and_completed_apart(queue, ada, grace, alan) -> None:
    untouched, skipped, reviewed, done, gone = QueueItemFactory.create_batch(5, queue=queue)
    Deferral.objects.create(item=skipped, reviewer=ada, kind="skip")
    Deferral.objects.create(item=untouched, reviewer=ada, kind="requeue")
    review(reviewed, ada)
    review(done, ada)
    review(done, grace)
    QueueItem.objects.filter(pk=done.pk).update(state="completed")
    queue_items.remove(gone, NOON)
    found = queue_progress.progress(queue, ada)
    assert (found.needs_mine, found.needs_others, found.skipped, found.completed) == (1, 1, 1, 1)
    assert (found.total, found.removed) == (4, 1)
    assert [(p.username, p.n_reviews, p.n_skipped) for p in found.reviewers] == [
        ("ada", 2, 1),
        ("grace", 1, 0),
    ]
    assert queue_progress.progress(queue, alan).needs_mine == 3
    assert queue_progress.progress(queue, grace).needs_mine == 3
    assert queue_progress.progress(queue).needs_mine == 3


def test_a_retracted_review_is_mine_to_do_again(queue, ada) -> None:
    item = QueueItemFactory(queue=queue)
    row = review(item, ada)
    Review.objects.filter(pk=row.pk).update(retracted_at=NOON)
    assert queue_progress.progress(queue, ada).needs_mine == 1


def test_progress_of_many_queues_takes_three_statements(
    acme, ada, django_assert_num_queries
) -> None:
    many = AnnotationQueueFactory.create_batch(5, workspace=acme)
    QueueItemFactory(queue=many[3])
    with django_assert_num_queries(3):
        found = queue_progress.progress_of([queue.pk for queue in many], ada)
    assert [found[queue.pk].needs_mine for queue in many] == [0, 0, 0, 1, 0]


def test_reviewers_see_open_and_assigned_queues_and_managers_all(acme, ada, grace, mallory) -> None:
    anyone = AnnotationQueueFactory(workspace=acme)
    hers = AnnotationQueueFactory(workspace=acme, access="assigned")
    hers.assigned_reviewers.add(grace)
    AnnotationQueueFactory(workspace=acme, access="assigned")
    manager = member(acme, "lin", "manager")
    assert set(access.visible_to(acme, grace)) == {anyone, hers}
    assert access.visible_to(acme, ada).count() == access.visible_to(acme, manager).count() == 3
    assert not access.visible_to(acme, mallory).exists()


def test_a_new_queue_keeps_version_one_of_its_rubric(acme, grace) -> None:
    queue = queues.create_queue(
        acme,
        "Answers",
        now=NOON,
        rubric=[{"feedback_key": "correct", "kind": "boolean", "is_required": True}],
        assigned_reviewers=[grace],
        reviewers_per_item=2,
    )
    version = RubricVersion.objects.get(queue=queue)
    assert (version.version, version.items[0]["feedback_key"]) == (1, "correct")
    assert list(queue.assigned_reviewers.all()) == [grace]


def test_a_changed_rubric_is_a_new_version_and_the_same_one_is_not(acme) -> None:
    first = [{"feedback_key": "correct"}, {"feedback_key": "tone"}]
    queue = queues.create_queue(acme, "Answers", now=NOON, rubric=first)
    kept = queue.rubric_items.get(feedback_key="correct")
    assert not rubric_editing.set_rubric(queue, first, now=NOON)
    assert rubric_editing.set_rubric(
        queue, [{"feedback_key": "correct", "title": "Right?"}], now=NOON
    )
    assert queue.rubric_version == 2
    assert queue.rubric_items.get() == kept
    assert [v.version for v in queue.rubric_versions.order_by("version")] == [1, 2]
    kept.delete()
    assert rubric_editing.keep_rubric_version(queue, now=NOON)
    assert not rubric_editing.keep_rubric_version(queue, now=NOON)
    assert queue.rubric_versions.count() == 3


def test_an_archived_queue_comes_back_as_it_was(queue) -> None:
    item = QueueItemFactory(queue=queue)
    queues.archive(queue, now=NOON)
    assert queue.archived_at == NOON
    queues.unarchive(queue)
    item.refresh_from_db()
    assert (queue.archived_at, item.state) == (None, "open")


def test_all_that_a_queue_holds_pages_in_one_order_whatever_its_state(acme, queue) -> None:
    for number in range(12):
        state = ("open", "completed", "removed")[number % 3]
        QueueItemFactory(queue=queue, priority=number % 4, state=state)
    kept = QueueItem.objects.filter(queue=queue).exclude(state="removed")
    ordered = list(kept.order_by("-priority", "pk"))
    assert {item.state for item in ordered} == {"open", "completed"}
    everything = queue_sections.section(queue, None, None)
    for start, stop in ((0, 3), (2, 7), (0, 100), (8, 9)):
        assert everything.page(start, stop) == ordered[start:stop]
    recent = queue_sections.section(queue, None, None, Q(started_at=None))
    assert recent.page(1, 6) == ordered[1:6]


def test_a_page_of_a_long_queue_reads_no_more_than_it_shows(queue) -> None:
    for _ in range(40):
        QueueItemFactory(queue=queue)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    with CaptureQueriesContext(connection) as asked:
        assert len(queue_sections.section(queue, None, None).page(0, 5)) == 5
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked.captured_queries[0]['sql']}")
        plan = str(cursor.fetchone()[0])
    assert plan.count("queue_item_order") == 3  # open, completed and gold items
    assert "'Node Type': 'Limit'" in plan or '"Node Type": "Limit"' in plan


def test_change_sets_what_is_named_and_leaves_the_rest(queue, ada) -> None:
    question = {"feedback_key": "tone", "kind": "boolean"}
    before = queue.rubric_version
    changes = {
        "name": "renamed",
        "is_paused": True,
        "is_blind": False,
        "assigned_reviewers": [ada],
        "reviewers_per_item": 3,
        "rubric": [question],
    }
    queues.change(queue, changes, now=NOON)
    stored = AnnotationQueue.objects.get(pk=queue.pk)
    for found in (queue, stored):
        assert (found.name, found.is_paused, found.is_blind) == ("renamed", True, False)
        assert (found.reviewers_per_item, found.rubric_version) == (3, before + 1)
    assert list(stored.assigned_reviewers.all()) == [ada]
    assert [item.feedback_key for item in stored.rubric_items.all()] == ["tone"]
    queues.change(stored, {"description": "about tone"}, now=NOON)
    stored.refresh_from_db()
    assert (stored.name, stored.description, stored.is_blind) == ("renamed", "about tone", False)
    assert stored.rubric_version == before + 1


@pytest.mark.parametrize(
    "changes", [{"gate_statistic": "pearson"}, {"gate_target": 1.0}, {"gate_target": -0.1}]
)
def test_a_gate_that_there_is_not_is_refused_and_changes_nothing(queue, changes) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        queues.change(queue, {"name": "renamed", **changes}, now=NOON)
    queue.refresh_from_db()
    assert queue.name != "renamed"


def test_change_follows_the_reviewers_and_asks_one_when_it_stops(queue, ada, grace) -> None:
    item = QueueItemFactory(queue=queue)
    queues.change(queue, {"asks_everybody": True, "assigned_reviewers": [ada, grace]}, now=NOON)
    assert queue.reviewers_per_item == item.seats.count() == 2
    queues.change(queue, {"assigned_reviewers": [ada]}, now=NOON)
    assert queue.reviewers_per_item == item.seats.count() == 1
    queues.change(queue, {"assigned_reviewers": [ada, grace]}, now=NOON)
    queues.change(queue, {"asks_everybody": False}, now=NOON)
    assert queue.reviewers_per_item == item.seats.count() == 1


def test_a_change_that_fails_changes_nothing(queue) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        queues.change(queue, {"name": "renamed", "reviewers_per_item": 21}, now=NOON)
    assert AnnotationQueue.objects.get(pk=queue.pk).name != "renamed"
