"""The agreement page says what was compared, what was not, and no more than the figures show."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from annotations.agreement.calibration import PairAgreement, Reviewer
from annotations.agreement.results import Agreement
from annotations.models import QueueItem, Rating
from annotations.queues import queues, rubric_editing
from annotations.reviewing import reviews
from annotations.reviewing.reviews import Submission
from observatory.web.agreement import weakest_first
from tests.conftest import NOON
from tests.factories import QueueItemFactory

RIGHT = {"feedback_key": "right", "kind": "boolean", "title": "Is it right?"}
THREE = [{"value": n, "label": label} for n, label in enumerate(("Wrong", "Partly", "Right"))]


def judged(queue, *people, n: int) -> None:
    """Have each of `people` review `n` items, and agree on all."""
    for number in range(n):
        item = QueueItemFactory(queue=queue)
        for person in people:
            scores = {"right": {"score": number % 2}}
            sent = Submission(submission_id=uuid4(), scores=scores)
            reviews.submit(QueueItem.objects.get(pk=item.pk), person, sent, timezone.now())


@pytest.fixture
def text_of(client, ada):
    client.force_login(ada)

    def text(queue) -> str:
        answer = client.get(f"/w/acme/queues/{queue.uuid}/agreement/")
        assert answer.status_code == 200
        return " ".join(answer.content.decode().split())

    return text


def made(acme, **settings):
    return queues.create_queue(
        acme, "Refunds", now=NOON, rubric=[RIGHT], reviewers_per_item=2, **settings
    )


def test_after_a_change_of_scale_the_ratings_are_set_aside_and_counted(
    acme, ada, grace, text_of
) -> None:
    queue = made(acme)
    judged(queue, ada, grace, n=15)
    rubric = [{"feedback_key": "right", "kind": "categorical", "categories": THREE}]
    rubric_editing.set_rubric(queue, rubric, now=NOON)
    text = text_of(queue)
    assert "there are no ratings" not in text
    assert "No figure yet: no rating is left to compare" in text
    assert "30 rated on another scale of this question" in text


def test_a_queue_that_is_not_blind_reports_excluded_ratings(acme, ada, grace, text_of) -> None:
    queue = made(acme, is_blind=False)
    judged(queue, ada, grace, n=20)
    text = text_of(queue)
    assert "only one reviewer has rated" not in text
    assert "the ratings of only one reviewer are left to compare" in text
    assert "20 rated when another&#x27;s answer was visible" in text
    assert "This queue is not blind" in text


def test_one_item_has_no_verdict_and_a_wide_interval(acme, ada, grace, text_of) -> None:
    queue = made(acme)
    judged(queue, ada, grace, n=2)
    text = text_of(queue)
    assert "not enough items yet" in text
    assert "below the target" not in text
    assert "1.00 to 1.00" not in text
    assert "0.00 to 0.00" not in text


def test_a_key_without_ratings_is_reported(acme, text_of) -> None:
    assert "No figure yet: there are no ratings." in text_of(made(acme))


def test_one_item_gives_no_warning_about_reviewers_habits(acme, ada, grace, text_of) -> None:
    queue = made(acme)
    item = QueueItemFactory(queue=queue)
    for person, answer in ((ada, 1), (grace, 0)):
        sent = Submission(submission_id=uuid4(), scores={"right": {"score": answer}})
        reviews.submit(QueueItem.objects.get(pk=item.pk), person, sent, timezone.now())
    text = text_of(queue)
    assert "on 1 item rated by two or more" in text
    assert "gave the same answer every time" not in text
    assert "differ in how often" not in text


def test_excluded_ratings_are_counted_once_on_the_page(acme, ada, grace, text_of) -> None:
    queue = made(acme)
    judged(queue, ada, grace, n=3)
    rubric = [{"feedback_key": "right", "kind": "categorical", "categories": THREE}]
    rubric_editing.set_rubric(queue, rubric, now=NOON)
    assert text_of(queue).count("6 rated on another scale of this question") == 1


def test_ratings_older_than_the_window_are_left_out_and_counted(acme, ada, grace, client) -> None:
    queue = made(acme)
    judged(queue, ada, grace, n=20)
    Rating.objects.update(rated_at=timezone.now() - timedelta(days=100))
    client.force_login(ada)
    path = f"/w/acme/queues/{queue.uuid}/agreement/"
    assert "40 older than the window" in client.get(path).content.decode()
    assert "older than the window" not in client.get(f"{path}?window=all").content.decode()
    assert "40 older than the window" in client.get(f"{path}?window=no").content.decode()
    lines = client.get(f"{path[:-1]}.csv?window=30").getvalue().decode().splitlines()
    assert "no_ratings" in lines[1]


def test_pairs_are_listed_weakest_first_and_chance_on_few_items_after_them() -> None:
    def pair(first: str, value: float | None, n: int) -> PairAgreement:
        result = Agreement("cohen_kappa", value, n_overlap=n)
        return PairAgreement(Reviewer(1, first), Reviewer(2, "z"), result, None, None)

    pairs = [pair("a", None, 0), pair("b", 0.9, 50), pair("c", -1.0, 2), pair("d", 0.4, 30)]
    assert [p.first.name for p in sorted(pairs, key=weakest_first)] == ["d", "b", "c", "a"]


def test_the_pairs_of_one_reviewer_can_be_chosen(acme, ada, grace, alan, client) -> None:
    queue = made(acme)
    judged(queue, ada, grace, n=2)
    judged(queue, grace, alan, n=2)
    client.force_login(ada)
    text = client.get(f"/w/acme/queues/{queue.uuid}/agreement/?reviewer=alan").content.decode()
    assert "What grace and alan said" in text
    assert "What ada and grace said" not in text
