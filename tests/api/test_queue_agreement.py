"""GET /annotation-queues/{id}/agreement: the report of the page, for programs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from sklearn.metrics import cohen_kappa_score

from annotations.models import Rating
from tests.annotations.test_calibration import rate
from tests.factories import AnnotationQueueFactory, QueueItemFactory, RubricItemFactory

pytestmark = pytest.mark.django_db
PAIRS = [(0, 0), (0, 1), (1, 1), (2, 2), (2, 0), (1, 1), (2, 2)]


@pytest.fixture
def queue(acme, ada, grace):
    queue = AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)
    key = RubricItemFactory(queue=queue, feedback_key="quality")
    for first, second in PAIRS:
        item = QueueItemFactory(queue=queue)
        rate(item, ada, key, first)
        rate(item, grace, key, second)
    return queue


def test_agreement_has_kappa_its_interval_and_the_pairs_table(api, queue) -> None:
    [quality] = api.get(f"/annotation-queues/{queue.uuid}/agreement").json()
    kappa = quality["headline"]
    assert quality["feedback_key"] == "quality"
    assert kappa["statistic"] == "cohen_kappa"
    assert kappa["value"] == pytest.approx(cohen_kappa_score(*zip(*PAIRS, strict=True)))
    assert kappa["ci"]["low"] < kappa["value"] < kappa["ci"]["high"]
    [pair] = quality["pairs"]
    assert pair["reviewers"] == ["ada", "grace"]
    assert pair["table"] == [[1, 1, 0], [0, 2, 0], [1, 0, 2]]
    assert quality["n_disputed"] == 2
    assert quality["gate"]["verdict"] == "few"


def test_a_window_leaves_older_ratings_out_and_counts_them(api, queue) -> None:
    Rating.objects.update(rated_at=timezone.now() - timedelta(days=40))
    path = f"/annotation-queues/{queue.uuid}/agreement"
    [recent] = api.get(f"{path}?days=30").json()
    assert recent["headline"]["value"] is None
    assert recent["headline"]["reason"] == "no_ratings"
    assert recent["excluded"]["before_window"] == 14
    assert api.get(f"{path}?days=60").json()[0]["excluded"]["before_window"] == 0
    assert api.get(f"{path}?days=0").status_code == 422


def test_a_question_without_ratings_has_a_reason_instead_of_a_figure(api, acme) -> None:
    queue = AnnotationQueueFactory(workspace=acme)
    RubricItemFactory(queue=queue)
    [key] = api.get(f"/annotation-queues/{queue.uuid}/agreement").json()
    assert (key["headline"]["value"], key["headline"]["reason"]) == (None, "no_ratings")
