"""An item whose reviewers differ becomes no example unless its queue says so."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.utils import timezone

from annotations.models import QueueItem, Review
from annotations.queues import queues
from annotations.reviewing import disputes, reviews
from annotations.reviewing.reviews import Submission
from datasets_app import harvest, tasks
from datasets_app.models import ExampleRevision, HarvestedItem
from observatory.runs.models import Run
from tests.conftest import NOON
from tests.factories import DatasetFactory, QueueItemFactory

RIGHT = {"feedback_key": "right", "kind": "boolean"}
QUALITY = {"feedback_key": "quality", "kind": "continuous", "minimum": 0, "maximum": 10}
WHY = {"feedback_key": "why", "kind": "freeform", "level": "text"}
THREE, FIVE = ({"outputs": {"answer": f"In {n} days"}} for n in (3, 5))


def reviewed(scores, correction=None) -> Review:
    return Review(scores=scores, correction=correction)


@pytest.mark.parametrize(
    ("given", "differing"),
    [
        ([({"right": {"score": 1.0}}, None), ({"right": {"score": 0.0}}, None)], ["right"]),
        ([({"right": {"score": 1.0}}, THREE), ({"right": {"score": 1.0}}, FIVE)], ["correction"]),
        ([({"q": {"score": 7.0}}, None), ({"q": {"score": 8.0}}, None)], ["q"]),
        ([({"q": {"score": 7.0, "comment": "a"}}, None), ({"q": {"score": 7}}, None)], []),
        ([({"why": {"value": "a"}}, None), ({"why": {"value": "b"}}, None)], []),
        (
            [({"right": {"score": None, "cant_judge": ""}}, None), ({"right": {"score": 1}}, None)],
            [],
        ),
        ([({"right": {"score": 1.0}}, None), ({}, None)], []),
        ([({}, THREE), ({}, None)], []),
        ([({}, THREE), ({}, {"outputs": {"answer": "In 3 days "}})], []),
        ([({"right": {"score": 1.0}}, THREE)], []),
    ],
)
def test_reviewers_differ_where_two_of_them_say_different_things(given, differing) -> None:
    assert disputes.differing([reviewed(*one) for one in given]) == differing


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme)


@pytest.fixture
def queue(acme):
    return queues.create_queue(
        acme, "Refunds", now=NOON, rubric=[RIGHT, QUALITY, WHY], reviewers_per_item=2
    )


@pytest.fixture
def item(queue):
    item = QueueItemFactory(queue=queue)
    Run.objects.create(
        workspace=queue.workspace,
        id=item.run_id,
        trace_id=item.run_id,
        inputs='{"question": "When?"}',
        outputs='{"answer": "Never"}',
    )
    return item


def say(item, person, right, correction=None, *, replaces=None) -> Review:
    sent = Submission(
        submission_id=uuid4(),
        scores={"right": {"score": right}, "why": {"value": f"{person} thinks so"}},
        correction=correction,
        replaces=replaces,
    )
    return reviews.submit(QueueItem.objects.get(pk=item.pk), person, sent, timezone.now()).review


def standing(dataset) -> list[ExampleRevision]:
    return list(ExampleRevision.objects.at(None).filter(dataset=dataset))


@pytest.mark.parametrize("second", [(1, THREE), (0, FIVE)], ids=["answers", "corrections"])
def test_a_disputed_item_is_held_back_and_pages_report_it(
    queue, dataset, item, ada, grace, client, second
) -> None:
    harvest.connect(queue, dataset)
    say(item, ada, 0, THREE)
    say(item, grace, *second)
    tasks.sweep_completed_items()
    assert standing(dataset) == []
    assert HarvestedItem.objects.get().outcome == "disputed"
    assert not harvest.waiting().exists()
    client.force_login(ada)
    for page, words in (
        (f"queues/{queue.uuid}/", "1 of them is left out, because its"),
        (f"queues/{queue.uuid}/items/{item.uuid}/", "not an example"),
        (f"datasets/{dataset.uuid}/", "1 reviewed item is not in this dataset"),
    ):
        assert words in client.get(f"/w/acme/{page}").content.decode(), page


def test_a_disputed_item_is_accepted_if_allowed_and_marked(
    queue, dataset, item, ada, grace, client
) -> None:
    harvest.connect(queue, dataset)
    say(item, ada, 1, THREE)
    say(item, grace, 0)
    tasks.sweep_completed_items()
    harvest.connect(queue, dataset, accepts_disputed=True)
    tasks.sweep_completed_items()
    [revision] = standing(dataset)
    assert json.loads(revision.outputs) == THREE["outputs"]
    assert revision.metadata["disputed"] is True
    client.force_login(ada)
    assert "reviewers differ" in client.get(f"/w/acme/datasets/{dataset.uuid}/").content.decode()


def test_a_review_that_is_changed_afterwards_settles_or_starts_a_dispute(
    queue, dataset, item, ada, grace
) -> None:
    harvest.connect(queue, dataset)
    say(item, ada, 0, THREE)
    hers = say(item, grace, 1)
    tasks.sweep_completed_items()
    assert standing(dataset) == []
    hers = say(item, grace, 0, replaces=hers.uuid)
    tasks.sweep_completed_items()
    [revision] = standing(dataset)
    assert revision.metadata["disputed"] is False
    hers = say(item, grace, 0, FIVE, replaces=hers.uuid)
    tasks.sweep_completed_items()
    assert standing(dataset) == []
    say(item, grace, 0, THREE, replaces=hers.uuid)
    tasks.sweep_completed_items()
    [revision] = standing(dataset)
    assert json.loads(revision.outputs) == THREE["outputs"]
    assert len(revision.metadata["review_ids"]) == 2


def test_an_item_without_a_correction_is_not_reported_as_held_back(
    queue, dataset, item, ada, grace
) -> None:
    harvest.connect(queue, dataset)
    say(item, ada, 0)
    say(item, grace, 1)
    tasks.sweep_completed_items()
    assert HarvestedItem.objects.get().outcome == "unchanged"
    assert harvest.held_back(queue=queue) == 0
    harvest.connect(queue, dataset, accepts_unchanged=True)
    tasks.sweep_completed_items()
    assert harvest.held_back(queue=queue) == 1
    assert standing(dataset) == []
