"""/annotation-queues/{id}/quality and .../items/{item}/gold."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from annotations.models import QueueItem
from annotations.reviewing import reviews
from observatory.workspaces import keys
from tests import scenes
from tests.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(acme):
    return scenes.build(acme, NOON - timedelta(days=1), n_items=2, reviewers=2)


@pytest.fixture
def gold_path(scene) -> str:
    return f"/platform/annotation-queues/{scene.queue.uuid}/items/{scene.items[0].uuid}/gold"


def test_gold_is_set_read_and_unset(api, scene, gold_path) -> None:
    assert api.get(gold_path).status_code == 404
    made = api.put(gold_path, {"answers": {"correctness": {"score": 2}}, "reason": "Policy 4"})
    assert made.status_code == 200, made.content
    assert made.json()["version"] == 1
    assert made.json()["answers"] == {"correctness": {"score": 2.0, "value": "Right"}}
    assert api.get(gold_path).json() == made.json()
    assert api.delete(gold_path).status_code == 200
    assert api.delete(gold_path).status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"answers": {}}, "answers"),
        ({"answers": {"correctness": 9}}, "answers.correctness"),
        ({"answers": {"nope": 1}}, "answers.nope"),
        ({}, "answers"),
    ],
)
def test_a_wrong_answer_names_its_question(api, scene, gold_path, body, words) -> None:
    refused = api.put(gold_path, body)
    assert refused.status_code == 422
    assert words in refused.content.decode()
    assert QueueItem.objects.get(pk=scene.items[0].pk).state == QueueItem.State.OPEN


def test_the_quality_of_a_queue_is_read_and_its_rate_set(api, scene, gold_path, grace) -> None:
    path = f"/annotation-queues/{scene.queue.uuid}/quality"
    api.put(gold_path, {"answers": {"correctness": 2}})
    item = QueueItem.objects.select_related("queue").get(pk=scene.items[0].pk)
    sent = reviews.Submission(submission_id=uuid4(), scores={"correctness": 0, "polite": 1})
    reviews.submit(item, grace, sent, NOON)
    found = api.patch(path, {"gold_rate": 0.1}).json()
    assert found["gold_rate"] == 0.1
    assert [(row["reviewer"], row["n_right"], row["n_answers"]) for row in found["reviewers"]] == [
        ("grace", 0, 1)
    ]
    assert found["items"][0]["n_answers"] == 1
    assert api.patch(path, {"gold_rate": 1.1}).status_code == 422


def test_the_key_of_a_reviewer_learns_nothing(acme, scene, gold_path, grace, client) -> None:
    _, token = keys.mint(acme, "grace's", created_by=grace)
    for path in (gold_path, f"/annotation-queues/{scene.queue.uuid}/quality"):
        answer = client.get(path, headers={"x-api-key": token})
        assert answer.status_code == 403
