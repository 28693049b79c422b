"""The quality page: only for those who manage; the reviewers' pages give no gold item away."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from annotations.models import QueueItem
from annotations.quality import gold
from annotations.queues import queues
from annotations.reviewing import reviews
from tests import scenes
from tests.conftest import NOON
from tests.scenes import submission

pytestmark = pytest.mark.django_db


def fresh(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__workspace").get(pk=item.pk)


@pytest.fixture
def scene(acme):
    return scenes.build(acme, NOON - timedelta(days=1), n_items=3, reviewers=2)


@pytest.fixture
def base(scene) -> str:
    return f"/w/acme/queues/{scene.queue.uuid}"


def judge(item: QueueItem, person, correct: int) -> None:
    scores = {"correctness": correct, "polite": 1}
    reviews.submit(
        fresh(item), person, reviews.Submission(submission_id=uuid4(), scores=scores), NOON
    )


def text_of(answer) -> str:
    return " ".join(answer.content.decode().split())


def test_a_manager_makes_an_item_gold_with_the_answers_of_a_review(
    scene, base, client, ada
) -> None:
    client.force_login(ada)
    item = scene.items[0]
    address = f"{base}/items/{item.uuid}/"
    assert "You can read none of this item" in text_of(client.get(address))
    judge(item, ada, 2)
    review = fresh(item).reviews.get()
    client.post(f"{address}gold", {"action": "set", "review": review.uuid, "reason": "Policy 4"})
    page = text_of(client.get(address))
    assert "version 1" in page
    assert "Why: Policy 4" in page
    assert fresh(item).state == QueueItem.State.GOLD
    client.post(f"{address}gold", {"action": "unset"})
    assert fresh(item).state == QueueItem.State.OPEN


@pytest.mark.parametrize("review", ["", "not-an-id", "0b0a6a1e-6f1b-4c86-9f5c-d1e9f7a5c001"])
def test_an_unknown_review_makes_no_gold(scene, base, client, ada, review) -> None:
    client.force_login(ada)
    address = f"{base}/items/{scene.items[0].uuid}/"
    answer = client.post(f"{address}gold", {"action": "set", "review": review}, follow=True)
    assert "Choose whose answers are expected" in text_of(answer)
    assert fresh(scene.items[0]).state == QueueItem.State.OPEN


def test_a_blind_answer_of_another_cannot_be_chosen(scene, base, client, ada, grace) -> None:
    client.force_login(ada)
    judge(scene.items[0], grace, 2)
    review = fresh(scene.items[0]).reviews.get()
    client.post(f"{base}/items/{scene.items[0].uuid}/gold", {"review": review.uuid})
    assert fresh(scene.items[0]).state == QueueItem.State.OPEN


@pytest.mark.parametrize(
    ("percent", "rate"), [("12.5", 0.125), ("0", 0.0), ("101", 0.05), ("nan", 0.05), ("x", 0.05)]
)
def test_the_rate_is_set_in_percent(scene, base, client, ada, percent, rate) -> None:
    client.force_login(ada)
    client.post(f"{base}/quality/", {"percent": percent})
    scene.queue.refresh_from_db()
    assert scene.queue.gold_rate == rate


def test_a_miss_shows_on_the_quality_page(scene, base, client, ada, grace) -> None:
    gold.set_gold(fresh(scene.items[0]), {"correctness": 2}, ada, NOON)
    judge(scene.items[0], grace, 0)
    client.force_login(ada)
    page = text_of(client.get(f"{base}/quality/"))
    assert '<th scope="row"> grace' in page
    assert "0% to 79%" in page
    assert "Correctness: Right" in page


def test_the_workbench_and_the_answer_to_a_review_are_those_of_any_item(
    scene, base, ada, grace, alan
) -> None:
    """Two reviewers at the same place: one is given a gold item, the other an ordinary one."""
    queues.change(scene.queue, {"gold_rate": 1.0}, now=NOON)
    gold.set_gold(fresh(scene.items[2]), {"correctness": 2}, ada, NOON)
    seen = []
    for person, rate in ((grace, 1.0), (alan, 0.0)):
        queues.change(scene.queue, {"gold_rate": rate}, now=NOON)
        client = Client()
        client.force_login(person)
        page = client.get(f"{base}/review/")
        item = page.context["item"]
        assert (item.pk == scene.items[2].pk) == (rate == 1.0)
        shown = client.get(f"{base}/items/{item.uuid}/")
        listed = client.get(f"{base}/?state=open")
        assert str(item.uuid) in listed.content.decode()
        sent = client.post(f"{base}/items/{item.uuid}/submit", submission(scene.queue), follow=True)
        texts = [text_of(answer) for answer in (page, shown, listed, sent)]
        assert not any("gold" in text.lower() for text in texts)
        assert "Saved." in texts[-1]
        marks = re.compile(r' (?:class|name|data-key)="([^"]*)"')
        seen.append([sorted(set(marks.findall(text))) for text in (*texts[:2], texts[3])])
    assert seen[0] == seen[1]


def test_a_completed_item_that_became_gold_shows_no_more_reviews_than_an_open_one(
    scene, base, client, ada, grace, alan
) -> None:
    item = scene.items[0]
    for person in (ada, alan):
        judge(item, person, 2)
    gold.set_gold(fresh(item), {"correctness": 2}, ada, NOON)
    client.force_login(grace)
    page = text_of(client.get(f"{base}/items/{item.uuid}/"))
    assert "1 of 2 reviews" in page
    assert "1 answer of others" in page
    assert "1 / 2" in text_of(client.get(f"{base}/?state=open"))


def test_a_reviewer_cannot_open_the_quality_page(scene, base, client, grace) -> None:
    client.force_login(grace)
    assert client.get(f"{base}/quality/").status_code == 403
    item = scene.items[0]
    assert client.post(f"{base}/items/{item.uuid}/gold", {"action": "unset"}).status_code == 403
    assert client.get(f"{base}/?state=gold").status_code == 200
