"""The scale a judgement was given on is kept with it, and the trends read it."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection

from annotations.models import QueueItem
from annotations.queues import queues
from annotations.reviewing import reviews
from annotations.reviewing.reviews import Submission
from observatory.feedback import configs, record, trends
from observatory.feedback.judgement import FeedbackInput
from observatory.feedback.models import Feedback
from observatory.feedback.trends import Window
from tests.conftest import NOON
from tests.factories import QueueItemFactory

WEEK = Window(since=NOON - timedelta(days=7), until=NOON + timedelta(days=1))
ANSWERS = [
    {"value": 0, "label": "Wrong"},
    {"value": 1, "label": "Partly"},
    {"value": 2, "label": "Right"},
]
ORDINAL = {"kind": "categorical", "level": "ordinal", "categories": ANSWERS}
NOMINAL = {"kind": "categorical", "level": "nominal", "categories": ANSWERS}


def judged(workspace, person, question, scores) -> None:
    """Have `person` review an item a score under the key `q`."""
    queue = queues.create_queue(
        workspace, f"Queue {uuid4()}", now=NOON, rubric=[{"feedback_key": "q", **question}]
    )
    for score in scores:
        item = QueueItem.objects.get(pk=QueueItemFactory(queue=queue).pk)
        sent = Submission(submission_id=uuid4(), scores={"q": {"score": score}})
        reviews.submit(item, person, sent, NOON)


def shown(workspace) -> trends.Trend:
    (trend,) = trends.read(workspace, WEEK)
    return trend


def test_right_14_and_wrong_10_of_three_answers_are_58_percent_positive(acme, ada) -> None:
    judged(acme, ada, ORDINAL, [2] * 14 + [0] * 10)
    assert f"{shown(acme).whole.share_positive:.0%}" == "58%"
    assert shown(acme).shares == []


def test_a_nominal_key_has_shares_and_is_never_positive(acme, ada, client) -> None:
    judged(acme, ada, NOMINAL, [2] * 14 + [0] * 10)
    trend = shown(acme)
    assert (trend.whole.n_placed, trend.whole.share_positive) == (0, None)
    assert [(share.label, share.n) for share in trend.shares] == [("Wrong", 10), ("Right", 14)]
    assert trend.days_shares[NOON.date()] == trend.shares


def test_the_page_reads_58_percent_for_either_kind(acme, ada, client, monkeypatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    client.force_login(ada)
    for question in (ORDINAL, NOMINAL):
        Feedback.objects.all().delete()
        judged(acme, ada, question, [2] * 14 + [0] * 10)
        text = client.get("/w/acme/trends/").content.decode()
        assert "58" in text.split('<dl class="stats spaced">')[1].split("</dl>")[0]
        assert ("<dt>positive</dt>" in text) is (question is ORDINAL)


@pytest.mark.parametrize(
    ("question", "scores", "n_positive", "shares"),
    [
        (
            {"kind": "continuous", "level": "interval", "minimum": 0, "maximum": 10},
            [9, 4, 5],
            1,
            [],
        ),
        ({"kind": "continuous", "level": "interval", "minimum": -1, "maximum": 1}, [1, 0.5], 2, []),
        ({"kind": "boolean", "level": "nominal"}, [1, 1, 0], 0, [("No", 1), ("Yes", 2)]),
        ({"kind": "boolean", "level": "ordinal"}, [1, 1, 0], 2, []),
        ({"kind": "continuous", "level": "interval"}, [7, 8], 0, []),
    ],
)
def test_every_kind_of_question_is_read_on_its_own_scale(
    acme, ada, question, scores, n_positive, shares
) -> None:
    judged(acme, ada, question, scores)
    trend = shown(acme)
    assert trend.whole.n_positive == n_positive
    assert [(share.label, share.n) for share in trend.shares] == shares


def test_a_rubric_changed_later_does_not_change_what_was_said(acme, ada) -> None:
    judged(acme, ada, ORDINAL, [2, 0])
    judged(acme, ada, {**ORDINAL, "categories": ANSWERS[:2]}, [1])
    assert shown(acme).whole.n_positive == 2


def test_a_declared_scale_is_kept_as_it_was_when_the_feedback_came(acme) -> None:
    sent = FeedbackInput(key="q", run_id=uuid4(), score=4.0)
    lower = {"is_lower_score_better": True}
    five = {"type": "continuous", "min": 0, "max": 5, "categories": None}
    configs.declare(acme, "q", five, lower, now=NOON)
    record.record(acme, sent, now=NOON)
    configs.withdraw(acme, "q")
    trend = shown(acme)
    assert (trend.whole.n_placed, trend.whole.n_positive, trend.is_lower_better) == (1, 0, True)
    hundred = {**five, "max": 100}
    configs.declare(acme, "q", hundred, {}, now=NOON)
    assert shown(acme).whole.level == pytest.approx(0.2)


def test_a_declared_key_of_three_words_has_no_better_end_by_default(acme) -> None:
    three = {"type": "categorical", "min": None, "max": None, "categories": ANSWERS}
    configs.declare(acme, "q", three, {}, now=NOON)
    for score in (2.0, 0.0, 0.0):
        record.record(acme, FeedbackInput(key="q", run_id=uuid4(), score=score), now=NOON)
    assert [(share.label, share.n) for share in shown(acme).shares] == [("Wrong", 2), ("Right", 1)]


@pytest.mark.parametrize("score", [5e-324, -5e-324, 1e-300, 1e308, -1e308])
@pytest.mark.parametrize("ends", [(0, 1), (-1e308, 1e308), (0, 5e-324), (1e-300, 2e-300)])
def test_extreme_numbers_are_counted(acme, score, ends) -> None:
    config = {"type": "continuous", "min": ends[0], "max": ends[1], "categories": None}
    sent = FeedbackInput(key="q", run_id=uuid4(), score=score, config=config)
    record.record(acme, sent, now=NOON)
    assert shown(acme).whole.n == 1


@pytest.mark.parametrize(
    "question", [ORDINAL, NOMINAL, {"kind": "boolean", "level": "nominal"}], ids=str
)
def test_reviews_of_before_get_the_scale_of_the_rubric_they_answered(acme, ada, question) -> None:
    judged(acme, ada, question, [1, 0])
    kept = list(Feedback.objects.order_by("pk").values_list("scale", flat=True))
    Feedback.objects.update(scale=None)
    migration = import_module("annotations.migrations.0007_scales_of_earlier_reviews")
    with connection.schema_editor() as editor:
        migration.fill(apps, editor)
    assert list(Feedback.objects.order_by("pk").values_list("scale", flat=True)) == kept
