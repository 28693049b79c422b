"""The agreement of a queue, from its ratings."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from sklearn.metrics import cohen_kappa_score

from annotations.agreement import calibration
from annotations.agreement import pairs as pairs_of
from annotations.agreement.results import Reason, Warn
from annotations.models import QueueItem, Rating, Review, RubricItem
from annotations.queues import queues, rubric_editing
from observatory.feedback.models import Feedback
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, QueueItemFactory, RubricItemFactory, member


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)


def rate(item, reviewer, rubric_item, code=None, *, number=None, **fields) -> Rating:
    review = Review.objects.filter(item=item, reviewer=reviewer).first() or Review.objects.create(
        workspace=item.workspace,
        submission_id=uuid4(),
        queue=item.queue,
        item=item,
        reviewer=reviewer,
        rubric_version=1,
        scores={},
    )
    QueueItem.objects.filter(pk=item.pk).update(state="completed", completed_at=NOON)
    return Rating.objects.create(
        **{
            "queue": item.queue,
            "rubric_item": rubric_item,
            "rubric_version": 1,
            "item": item,
            "reviewer": reviewer,
            "review": review,
            "code": code,
            "number": number,
            "rated_at": NOON,
            **fields,
        }
    )


def report(queue, **options):
    return calibration.report(queue, now=NOON, **options)


def test_the_kappa_of_two_reviewers_is_the_headline(queue, ada, grace) -> None:
    key = RubricItemFactory(queue=queue, level=RubricItem.Level.ORDINAL)
    answers = [(0, 0), (0, 1), (1, 1), (2, 2), (2, 0), (1, 1), (2, 2)]
    for first, second in answers:
        item = QueueItemFactory(queue=queue)
        rate(item, ada, key, first)
        rate(item, grace, key, second)
    QueueItemFactory(queue=queue)
    [found] = report(queue)
    expected = cohen_kappa_score(*zip(*answers, strict=True), labels=[0, 1, 2], weights="quadratic")
    assert found.headline.value == pytest.approx(expected)
    assert found.headline.statistic == "cohen_kappa_quadratic"
    assert found.headline.ci is not None
    [pair] = found.pairs
    assert {pair.first.name, pair.second.name} == {"ada", "grace"}
    assert np.trace(pair.table) == 5
    assert abs(pair.mean_difference) == pytest.approx(1 / 7)
    assert found.group.statistic == "krippendorff_alpha"
    assert found.n_disputed == 2
    assert found.categories == ("Wrong", "Partly", "Right")
    assert not found.gate.passes_strict
    assert found.sentence.startswith("Too few items to judge: quadratically weighted kappa")


def test_three_reviewers_are_held_to_the_statistic_that_the_queue_names(
    queue, ada, grace, alan
) -> None:
    key = RubricItemFactory(queue=queue)
    rng = np.random.default_rng(2)
    people = [ada, grace, alan]
    given = {}
    for number in range(40):
        item = QueueItemFactory(queue=queue)
        truth = number % 3
        for reviewer in people[: 2 + number % 2]:
            code = truth if rng.random() < 0.8 else int(rng.integers(3))
            given[number, reviewer.pk] = code
            rate(item, reviewer, key, code)
    [found] = report(queue)
    assert found.headline.statistic == "conger_kappa"
    assert found.group.statistic == "krippendorff_alpha"
    assert found.group.n_overlap == 40
    assert found.group.companions == found.headline.companions
    assert found.headline.companions["ac1"] is not None
    names = ["conger_kappa", "krippendorff_alpha", "gwet_ac1", "fleiss_kappa", "brennan_prediger"]
    assert [result.statistic for result in found.statistics] == names
    assert [category.label for category in found.by_category] == ["Wrong", "Partly", "Right"]
    for statistic, name in zip(queue.GateStatistic.values, names, strict=True):
        queues.change(queue, {"gate_statistic": statistic, "gate_target": 0.2}, now=NOON)
        [key_of_queue] = report(queue)
        assert key_of_queue.headline.statistic == key_of_queue.gate.statistic == name
        assert key_of_queue.gate.target == 0.2
    assert len(found.pairs) == 3
    for pair in found.pairs:
        common = [n for n in range(40) if {(n, pair.first.id), (n, pair.second.id)} <= given.keys()]
        expected = cohen_kappa_score(
            [given[n, pair.first.id] for n in common],
            [given[n, pair.second.id] for n in common],
            labels=[0, 1, 2],
        )
        assert pair.agreement.value == pytest.approx(expected)


def test_excluded_ratings_are_counted(queue, ada, grace) -> None:
    key = RubricItemFactory(queue=queue)
    queue.rubric_version = 2
    queue.save()
    for fields in (
        {"code": 1, "rubric_version": 1},
        {"code": 1, "is_blind": False},
        {"code": 7},
        {"code": 1, "rated_at": NOON - timedelta(days=91)},
        {"code": 1},
    ):
        rate(QueueItemFactory(queue=queue), ada, key, **{"rubric_version": 2, **fields})
    [found] = report(queue, window=timedelta(days=90))
    assert found.excluded == calibration.Excluded(
        other_scale=1, not_blind=1, invalid=1, before_window=1
    )
    assert found.group.n_ratings == 1
    assert found.headline.reason == Reason.SINGLE_RATER
    assert {Warn.NON_BLIND_EXCLUDED, Warn.INVALID_VALUES} <= set(found.headline.warnings)


def test_a_key_without_ratings_has_that_reason(queue) -> None:
    RubricItemFactory(queue=queue)
    RubricItemFactory(queue=queue, kind="freeform", level="text", categories=[])
    RubricItemFactory(queue=queue, kind="continuous", level="interval", categories=[])
    first, second, third = report(queue)
    assert first.headline.reason == Reason.NO_RATINGS
    assert second.headline.reason == Reason.UNSUPPORTED_SCALE
    assert third.headline.reason == Reason.NO_RATINGS
    assert first.sentence == "No figure yet: there are no ratings."
    assert first.n_disputed == 0


def test_two_reviewers_without_a_common_item_have_no_overlap(queue, ada, grace) -> None:
    key = RubricItemFactory(queue=queue)
    rate(QueueItemFactory(queue=queue), ada, key, 1)
    rate(QueueItemFactory(queue=queue), grace, key, 1)
    [found] = report(queue)
    assert found.headline.reason == Reason.NO_OVERLAP
    assert found.pairs[0].agreement.reason == Reason.NO_OVERLAP


def test_numbers_are_compared_by_alpha_with_icc_beside_it(queue, ada, grace) -> None:
    key = RubricItemFactory(
        queue=queue, kind="continuous", level="interval", minimum=0, maximum=1, categories=[]
    )
    for number in range(6):
        item = QueueItemFactory(queue=queue)
        rate(item, ada, key, number=number / 6)
        rate(item, grace, key, number=number / 6 + (0.1 if number % 2 else 0))
    rate(QueueItemFactory(queue=queue), ada, key, number=4.0)
    [found] = report(queue)
    assert found.headline.statistic == "krippendorff_alpha"
    assert found.headline.value > 0.9
    [pair] = found.pairs
    assert pair.agreement.statistic == "icc_a1"
    assert pair.agreement.value == pytest.approx(found.headline.companions["icc_a_1"])
    assert found.headline.companions["mae"] == pytest.approx(0.05)
    assert found.excluded.invalid == 1
    assert found.n_disputed == 3


def test_disputed_items_come_furthest_apart_first(queue, ada, grace, alan) -> None:
    key = RubricItemFactory(queue=queue)
    same, near, far = (QueueItemFactory(queue=queue) for _ in range(3))
    for item, codes in ((same, (1, 1, 1)), (near, (1, 2, 2)), (far, (0, 2, 0))):
        for reviewer, code in zip((ada, grace, alan), codes, strict=True):
            rate(item, reviewer, key, code)
    found = list(calibration.disputed_items(queue, key))
    assert [row["item_id"] for row in found] == [far.pk, near.pk]
    assert found[0] == {
        "item_id": far.pk,
        "item__uuid": far.uuid,
        "item__run_id": far.run_id,
        "spread": 2.0,
        "n_values": 2,
        "n_ratings": 3,
    }


def test_an_edit_and_a_deletion_are_seen_at_once(queue, ada, grace) -> None:
    key = RubricItemFactory(queue=queue)
    for number in range(4):
        item = QueueItemFactory(queue=queue)
        rate(item, ada, key, number % 2)
        last = rate(item, grace, key, number % 2)
    assert report(queue)[0].headline.value == 1
    last.code = 0
    last.save()
    assert report(queue)[0].headline.value == pytest.approx(0.5)
    last.delete()
    assert report(queue)[0].headline.value == 1
    assert report(queue)[0].headline.n_overlap == 3


def test_queries_do_not_grow_with_items_or_reviewers(queue, acme, ada, grace) -> None:
    key = RubricItemFactory(queue=queue)

    def n_queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            report(queue)
        return len(seen)

    item = QueueItemFactory(queue=queue)
    rate(item, ada, key, 1)
    rate(item, grace, key, 1)
    before = n_queries()
    others = [member(acme, f"reviewer{n}", "reviewer") for n in range(5)]
    for _ in range(5):
        item = QueueItemFactory(queue=queue)
        for reviewer in others:
            rate(item, reviewer, key, 2)
    assert n_queries() == before == 8


def test_all_pairs_from_one_product_equal_counting_pair_by_pair() -> None:
    rng = np.random.default_rng(3)
    k, n_reviewers = 3, 6
    ratings = {
        (i, r): int(rng.integers(k))
        for i in range(60)
        for r in range(n_reviewers)
        if rng.random() < 0.4
    }
    items = np.array([i for i, _ in ratings])
    columns = np.array([r * k + code for (_, r), code in ratings.items()])
    pairs, tables = pairs_of.pair_tables(items, columns, k)
    for (first, second), table in zip(pairs, tables, strict=True):
        expected = np.zeros((k, k), dtype=int)
        for i in range(60):
            if (i, first) in ratings and (i, second) in ratings:
                expected[ratings[i, first], ratings[i, second]] += 1
        assert (table == expected).all()


def test_another_wording_starts_no_new_series_and_another_scale_does(queue, ada, grace) -> None:
    [wrong, right] = [{"value": 0, "label": "Wrong"}, {"value": 1, "label": "Right"}]
    question = {"feedback_key": "correct", "categories": [wrong, right]}
    rubric_editing.set_rubric(queue, [question], now=NOON)
    key = queue.rubric_items.get()
    item = QueueItemFactory(queue=queue)
    for reviewer in (ada, grace):
        rate(item, reviewer, key, 1, rubric_version=queue.rubric_version)
    rubric_editing.set_rubric(
        queue, [{**question, "title": "Is it right?"}, {"feedback_key": "tone"}], now=NOON
    )
    assert report(queue)[0].headline.n_overlap == 1
    unsure = {"value": 2, "label": "Unsure"}
    rubric_editing.set_rubric(queue, [{**question, "categories": [wrong, right, unsure]}], now=NOON)
    [found] = report(queue)
    assert found.headline.n_overlap == 0
    assert found.excluded.other_scale == 2


def test_a_third_reviewer_changes_neither_the_statistic_nor_by_much_its_value(
    queue, ada, grace, alan
) -> None:
    key = RubricItemFactory(queue=queue)
    for number in range(60):
        item = QueueItemFactory(queue=queue)
        rate(item, ada, key, number % 3)
        rate(item, grace, key, number % 3 if number % 6 else (number + 1) % 3)
    [before] = report(queue)
    assert before.headline.statistic == "cohen_kappa"
    assert before.headline.value == pytest.approx(before.pairs[0].agreement.value)
    assert before.headline.ci.low == pytest.approx(before.pairs[0].agreement.ci.low)
    rate(item, alan, key, 1)
    [after] = report(queue)
    assert after.headline.statistic == "conger_kappa"
    assert after.sentence.split(":")[1].split()[0] == "kappa"
    assert after.headline.value == pytest.approx(before.headline.value, abs=0.02)
    assert after.headline.companions.keys() >= {"ac1", "bp", "kappa_max", "bias_index"}


def test_what_is_left_out_is_counted_with_its_reason(queue, acme, ada, grace) -> None:
    key = RubricItemFactory(queue=queue)
    for state in ("completed", "removed", "completed"):
        item = QueueItemFactory(queue=queue)
        rate(item, ada, key, 1)
        rate(item, grace, key, 1)
        QueueItem.objects.filter(pk=item.pk).update(state=state)
    unable = {key.feedback_key: {"score": None, "value": None, "cant_judge": "torn off"}}
    Rating.objects.filter(item=item, reviewer=grace).delete()
    Review.objects.filter(item=item, reviewer=grace).update(scores=unable)
    for run_id in QueueItem.objects.filter(queue=queue).values_list("run_id", flat=True):
        judged = {"key": key.feedback_key, "score": 1, "source_type": "model", "user": None}
        Feedback.objects.create(workspace=acme, run_id=run_id, **judged)
    [found] = report(queue)
    assert found.group.n_ratings == 3
    assert (found.excluded.removed, found.excluded.cant_judge) == (2, 1)
    assert found.excluded.not_of_a_reviewer == 2  # one of the three runs was removed
    assert found.excluded.n_ratings == 2


def test_weights_of_the_question_are_those_of_its_kappa(queue, ada, grace) -> None:
    key = RubricItemFactory(queue=queue, level=RubricItem.Level.ORDINAL, weights="linear")
    answers = [(0, 0), (0, 1), (1, 1), (2, 2), (2, 0), (1, 1), (2, 2)]
    for first, second in answers:
        item = QueueItemFactory(queue=queue)
        rate(item, ada, key, first)
        rate(item, grace, key, second)
    [found] = report(queue)
    expected = cohen_kappa_score(*zip(*answers, strict=True), labels=[0, 1, 2], weights="linear")
    assert found.headline.value == pytest.approx(expected)
    assert found.headline.statistic == "cohen_kappa_linear"
    assert "linearly weighted kappa" in found.sentence
