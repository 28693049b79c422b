"""annotation_status and the queues, in step in both directions."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from annotations.models import QueueItem, Seat
from annotations.queues import queue_items, reviewer_count
from annotations.reviewing import reviews
from annotations.reviewing.reviews import Submission
from annotations.routing.presets import install_presets
from observatory.feedback.models import Feedback
from observatory.runs.amend import Amendment, amend
from observatory.runs.filters.grammar import parse
from observatory.runs.search import RunQuery, query
from tests.annotations.routing_world import drain_all, make_run
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, ProjectFactory

FILLED = 'and(eq(metadata_key, "annotation_status"), eq(metadata_value, "filled"))'
FILLED_BY_FEEDBACK = 'and(eq(feedback_key, "annotation_status"), eq(feedback_value, "filled"))'


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, reviewers_per_item=1)


@pytest.fixture
def run(acme):
    run = make_run(acme, project=ProjectFactory(workspace=acme))
    drain_all()
    return run


def add(queue, run) -> QueueItem:
    queue_items.add_runs(queue, [run.id], source=QueueItem.Source.API, now=NOON)
    return QueueItem.objects.get(queue=queue, run_id=run.id)


def review(item, reviewer, now=NOON):
    outcome = reviews.submit(item, reviewer, Submission(submission_id=uuid4(), scores={}), now)
    drain_all()
    return outcome.review


def status(run):
    run.refresh_from_db()
    told = Feedback.objects.filter(run_id=run.id, key="annotation_status").first()
    assert (told.value if told else None) == run.metadata.get("annotation_status")
    return run.metadata.get("annotation_status")


def found(workspace, run, text) -> bool:
    wanted = RunQuery(projects=[run.project.uuid], filter=parse(text))
    return [row.id for row in query(workspace, wanted).runs] == [run.id]


def test_a_completed_item_fills_the_run_and_taking_it_back_empties_it(
    acme, queue, run, ada
) -> None:
    item = add(queue, run)
    drain_all()
    assert status(run) is None
    given = review(item, ada)
    assert status(run) == "filled"
    assert found(acme, run, FILLED)
    assert found(acme, run, FILLED_BY_FEEDBACK)
    reviews.retract(given, ada, NOON + timedelta(minutes=1))
    drain_all()
    assert status(run) == "empty"
    assert not found(acme, run, FILLED)


def test_a_run_that_another_queue_waits_for_is_not_filled_yet(acme, queue, run, ada) -> None:
    other = add(AnnotationQueueFactory(workspace=acme), run)
    review(add(queue, run), ada)
    assert status(run) == "empty"
    queue_items.remove(other, NOON + timedelta(minutes=1))
    drain_all()
    assert status(run) == "filled"


def test_filled_from_outside_leaves_an_open_review_alone(acme, queue, run, ada) -> None:
    item = add(queue, run)
    amend(acme, run.id, Amendment(metadata={"annotation_status": "filled"}), now=NOON)
    drain_all()
    assert status(run) == "filled"
    item.refresh_from_db()
    assert item.state == "open"
    assert Seat.objects.filter(item=item, is_taken=False).count() == 1
    given = review(item, ada, NOON + timedelta(minutes=1))
    reviews.retract(given, ada, NOON + timedelta(minutes=2))
    drain_all()
    assert status(run) == "empty"


def test_the_last_write_of_the_status_counts(acme, queue, run, ada) -> None:
    review(add(queue, run), ada)
    later = NOON + timedelta(minutes=5)
    amend(acme, run.id, Amendment(metadata={"annotation_status": "empty"}), now=later)
    drain_all()
    assert status(run) == "empty"
    assert QueueItem.objects.get(queue=queue).state == "completed"


def test_fewer_reviewers_complete_what_has_enough_and_fill_it(acme, run, ada) -> None:
    pair = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    review(add(pair, run), ada)
    assert status(run) is None
    reviewer_count.set_reviewers_per_item(pair, 1, NOON + timedelta(minutes=1))
    drain_all()
    assert status(run) == "filled"


def test_a_run_marked_empty_by_the_application_is_routed_by_the_preset(acme, queue, run) -> None:
    install_presets(acme, queue, ["needs-annotation"], now=NOON)
    amend(acme, run.id, Amendment(metadata={"annotation_status": "empty"}), now=NOON)
    drain_all()
    assert [item.run_id for item in queue.items.all()] == [run.id]


@pytest.mark.parametrize(
    "wish",
    [
        Amendment(metadata={"user_feedback": "negative"}),
        Amendment(tags=("thumbs-down",)),
    ],
)
def test_negative_feedback_as_an_attribute_fires_the_preset(acme, queue, run, wish) -> None:
    install_presets(acme, queue, ["negative-feedback"], now=NOON)
    drain_all()
    assert not queue.items.exists()
    amend(acme, run.id, wish, now=NOON)
    drain_all()
    assert [item.run_id for item in queue.items.all()] == [run.id]
