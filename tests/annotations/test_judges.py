"""A judge is compared with the consensus of people, and with nothing that still waits."""

from __future__ import annotations

from collections import Counter

import pytest
from sklearn.metrics import cohen_kappa_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from annotations.agreement import judges
from annotations.models import QueueItem
from observatory.feedback.models import Feedback
from tests.annotations.test_calibration import rate
from tests.factories import AnnotationQueueFactory, QueueItemFactory, RubricItemFactory

# (people's consensus, judge's score)
ANSWERS = [(1, 0.9), (1, 1.0), (1, 0.2), (0, 0.0), (0, 0.6), (0, 0.1), (0, 0.3), (1, 0.5)]


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)


@pytest.fixture
def right(queue):
    return RubricItemFactory(queue=queue, feedback_key="right", kind="boolean", categories=[])


def judge(item, score, version="1", **fields) -> None:
    Feedback.objects.create(
        workspace=item.workspace,
        run_id=item.run_id,
        key="right",
        score=score,
        source_type=fields.pop("source_type", "model"),
        source_metadata={"evaluator": "strict", "version": version},
        **fields,
    )


def answered(queue, right, people, *codes):
    item = QueueItemFactory(queue=queue)
    for person, code in zip(people, codes, strict=True):
        rate(item, person, right, code)
    return item


def test_kappa_and_rates_equal_those_of_other_libraries(queue, right, ada, grace) -> None:
    for code, score in ANSWERS:
        judge(answered(queue, right, (ada, grace), code, code), score)
    [found] = judges.align(queue, right)
    people, machine = [c for c, _ in ANSWERS], [int(s >= 0.5) for _, s in ANSWERS]
    assert found.judge == "strict 1"
    assert found.agreement.value == pytest.approx(cohen_kappa_score(people, machine))
    assert found.sensitivity.value == pytest.approx(recall_score(people, machine))
    assert found.specificity.value == pytest.approx(recall_score(people, machine, pos_label=0))
    assert found.sensitivity.interval == pytest.approx(proportion_confint(3, 4, method="wilson"))
    assert found.table == ((3, 1), (1, 3))
    assert len(found.disagreements) == 2


def test_an_item_that_still_waits_for_a_blind_answer_is_left_out(queue, right, ada, grace) -> None:
    item = answered(queue, right, (ada, grace), 1, 1)
    judge(item, 0.0)
    QueueItem.objects.filter(pk=item.pk).update(state="open", completed_at=None)
    assert judges.align(queue, right) == []


def test_there_is_no_consensus_of_one_person_nor_of_a_tie(queue, right, ada, grace) -> None:
    judge(answered(queue, right, (ada,), 1), 1.0)
    judge(answered(queue, right, (ada, grace), 1, 0), 1.0)
    assert judges.align(queue, right) == []
    assert judges.majority(Counter({0: 2, 1: 2})) is None
    assert judges.majority(Counter({0: 2, 1: 1})) == 0


def test_versions_are_apart_and_the_newest_answer_of_each_counts(queue, right, ada, grace) -> None:
    item = answered(queue, right, (ada, grace), 1, 1)
    judge(item, 0.0)
    judge(item, 1.0)
    judge(item, 0.0, version="2")
    first, second = judges.align(queue, right)
    assert (first.judge, first.table) == ("strict 1", ((0, 0), (0, 1)))
    assert (second.judge, second.table) == ("strict 2", ((0, 0), (1, 0)))


def test_people_failed_calls_and_scores_off_the_scale_are_no_judges(
    queue, right, ada, grace
) -> None:
    item = answered(queue, right, (ada, grace), 1, 1)
    judge(item, 1.0, source_type="api")
    judge(item, 1.0, is_error=True)
    judge(item, 7.0, version="3")
    [found] = judges.align(queue, right)
    assert (found.n_off_scale, found.agreement.value) == (1, None)


def test_the_page_shows_the_judge_beside_people_with_links(
    acme, queue, right, ada, grace, client
) -> None:
    for code, score in ANSWERS:
        judge(answered(queue, right, (ada, grace), code, code), score)
    client.force_login(ada)
    path = f"/w/acme/queues/{queue.uuid}/judges/?window=all"
    text = " ".join(client.get(path).content.decode().split())
    assert "strict 1" in text
    assert "0.75 (0.30 to 0.95)" in text
    [found] = judges.align(queue, right)
    assert all(str(row.item_uuid) in text for row in found.disagreements)
    assert "No judge has answered" not in text
