"""Drift: a fall is noticed, another mix of items is not, and nothing is raised twice."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from scipy import stats
from sklearn.utils import check_random_state

from annotations import tasks
from annotations.models import AnnotationQueue, DriftAlarm, QueueItem, Rating, Review
from annotations.quality import drift, drift_watch
from annotations.queues import queues
from tests.conftest import NOON
from tests.factories import QueueItemFactory

REVIEWED = {"feedback_key": "right", "kind": "boolean", "title": "Is it right?"}


def walked(outcomes, rates) -> float:
    """Return the peak of the CUSUM step by step, as Steiner et al. write it."""
    highest = level = 0.0
    for outcome, rate in zip(outcomes, rates, strict=True):
        worse = rate - drift.SHIFT
        level += np.log(worse / rate) if outcome else np.log((1 - worse) / (1 - rate))
        level = max(0.0, level)
        highest = max(highest, level)
    return highest


def test_the_peak_is_that_of_the_recursion() -> None:
    rng = check_random_state(3)
    rates = rng.uniform(0.5, 0.95, 200)
    outcomes = rng.uniform(size=200) < rates
    assert float(drift.peak(outcomes, rates)) == pytest.approx(walked(outcomes, rates))


def test_under_no_change_p_values_are_uniform_or_larger() -> None:
    rng = check_random_state(5)
    values = []
    for _ in range(200):
        outcomes = rng.uniform(size=260) < 0.85
        zeros = np.zeros(260, np.int64)
        values.append(
            drift.accuracy_p(outcomes[:160], zeros[:160], outcomes[160:], zeros[160:], draws=499)
        )
    for level in (0.05, 0.2, 0.5):
        reached = sum(value <= level for value in values)
        assert stats.binomtest(reached, 200, level, alternative="greater").pvalue > 0.001


def test_a_fall_of_15_points_is_found_and_a_harder_mix_is_not() -> None:
    rng = check_random_state(7)
    easy, hard = np.zeros(200, np.int64), np.ones(200, np.int64)
    right = {0: 0.95, 1: 0.7}
    past_strata = np.concatenate([easy, hard])
    past = rng.uniform(size=400) < np.array([right[s] for s in past_strata])
    harder = rng.uniform(size=200) < right[1]
    assert drift.accuracy_p(past, past_strata, harder, hard) > 0.05
    fallen = rng.uniform(size=200) < right[1] - 0.15
    assert drift.accuracy_p(past, past_strata, fallen, hard) < 0.005


def test_few_answers_have_no_p_value() -> None:
    few = np.ones(10, bool)
    assert drift.accuracy_p(few, few.astype(int), few, few.astype(int)) is None
    assert drift.label_mix_p([5, 5], [5, 5], [50, 50], [50, 50]) is None
    assert drift.pace_p([1.0] * 10, [1.0] * 10) is None


def test_labels_that_all_reviewers_change_are_no_drift() -> None:
    assert drift.label_mix_p([80, 20], [20, 80], [800, 200], [200, 800]) > 0.9
    assert drift.label_mix_p([80, 20], [40, 60], [800, 200], [800, 200]) < 1e-4
    assert drift.label_mix_p([80, 20], [80, 20], [500, 500], [500, 500]) > 0.9


def test_the_change_of_labels_is_the_interaction_of_a_log_linear_model() -> None:
    """With constant others the test is close to that of two rows, which scipy has."""
    value = drift.label_mix_p([60, 40], [45, 55], [600_000, 400_000], [600_000, 400_000])
    table = [[60, 40], [45, 55]]
    known = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    assert value == pytest.approx(known, abs=0.02)


def test_alarms_are_benjamini_and_hochberg() -> None:
    assert drift.alarms([0.001, 0.02, 0.9, 0.04]).tolist() == [True, True, False, False]
    assert drift.alarms([]).tolist() == []


def test_the_rest_is_what_most_others_say() -> None:
    items = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3])
    codes = np.array([1, 1, 0, 0, 1, 1, 0, 1, 2])
    rest = drift_watch.rest_of(items, codes, 3)
    #      of 1,0  1,0  1,1  1  0  none  ties
    assert rest.tolist() == [-1, -1, 1, 1, 0, -1, -1, -1, -1]


# In the database -----------------------------------------------------------------------------------


@pytest.fixture
def queue(acme) -> AnnotationQueue:
    return queues.create_queue(
        acme, "Refunds", now=NOON, rubric=[REVIEWED], reviewers_per_item=2, gold_rate=0
    )


def answered(queue, mine, other, *, n: int, share: float, at, dwell: int = 20_000) -> None:
    """Store `n` completed items on which `mine` agrees with `other` in `share` of cases."""
    question = queue.rubric_items.get()
    rng = check_random_state(n)
    for number in range(n):
        item = QueueItemFactory(queue=queue)
        QueueItem.objects.filter(pk=item.pk).update(state="completed", completed_at=at)
        truth = number % 2
        for person in (mine, other):
            agrees = person == other or rng.uniform() < share
            code = truth if agrees else 1 - truth
            review = Review.objects.create(
                workspace=queue.workspace,
                submission_id=uuid4(),
                queue=queue,
                item=item,
                reviewer=person,
                rubric_version=queue.rubric_version,
                scores={"right": {"score": code}},
                dwell_ms=(dwell if person == mine else 20_000) + number % 7,
                submitted_at=at,
            )
            Rating.objects.create(
                queue=queue,
                rubric_item=question,
                rubric_version=queue.rubric_version,
                item=item,
                reviewer=person,
                review=review,
                code=code,
                rated_at=at,
            )


@pytest.mark.django_db
def test_a_reviewer_who_drifts_raises_one_alarm(queue, grace, alan) -> None:
    answered(queue, grace, alan, n=120, share=0.95, at=NOON - timedelta(weeks=8))
    answered(queue, grace, alan, n=80, share=0.6, at=NOON - timedelta(weeks=1))
    assert drift_watch.look(queue, NOON) >= 1
    alarm = DriftAlarm.objects.get(reviewer=grace, kind="agreement")
    assert alarm.before > 0.9
    assert alarm.after < 0.75
    assert (alarm.n_before, alarm.n_after) == (120, 80)
    assert drift_watch.look(queue, NOON + timedelta(hours=1)) == 0  # the same week


@pytest.mark.django_db
def test_steady_reviewers_raise_none_and_a_look_comes_once_a_week(queue, grace, alan) -> None:
    answered(queue, grace, alan, n=100, share=0.9, at=NOON - timedelta(weeks=8))
    answered(queue, grace, alan, n=60, share=0.9, at=NOON - timedelta(weeks=1))
    assert drift_watch.look_at_due(NOON) == 0
    queue.refresh_from_db()
    assert queue.drift_checked_at == NOON
    drift_watch.look_at_due(NOON + timedelta(days=6))
    queue.refresh_from_db()
    assert queue.drift_checked_at == NOON
    drift_watch.look_at_due(NOON + timedelta(days=7))
    queue.refresh_from_db()
    assert queue.drift_checked_at == NOON + timedelta(days=7)


@pytest.mark.django_db
def test_two_looks_at_once_are_one(queue) -> None:
    stale = AnnotationQueue.objects.get(pk=queue.pk)
    drift_watch.look(queue, NOON)
    assert drift_watch.look(stale, NOON + timedelta(seconds=1)) == 0
    stale.refresh_from_db()
    assert stale.drift_checked_at == NOON


@pytest.mark.django_db
def test_a_reviewer_who_rushes_is_noticed(queue, grace, alan) -> None:
    answered(queue, grace, alan, n=60, share=0.9, at=NOON - timedelta(weeks=8), dwell=30_000)
    answered(queue, grace, alan, n=40, share=0.9, at=NOON - timedelta(weeks=1), dwell=4_000)
    drift_watch.look(queue, NOON)
    alarm = DriftAlarm.objects.get(reviewer=grace, kind="pace")
    assert alarm.rubric_item is None
    assert alarm.after < 5 < alarm.before


@pytest.mark.django_db
def test_an_alarm_is_shown_until_it_is_noted(queue, client, api, ada, grace, alan) -> None:
    DriftAlarm.objects.create(
        queue=queue,
        reviewer=grace,
        kind="pace",
        week=NOON.date(),
        p_value=0.001,
        before=30.0,
        after=4.0,
        n_before=60,
        n_after=40,
        raised_at=tasks.timezone.now(),
    )
    path = f"/annotation-queues/{queue.uuid}/quality"
    assert [row["kind"] for row in api.get(path).json()["drift"]] == ["pace"]
    client.force_login(ada)
    address = f"/w/acme/queues/{queue.uuid}/quality/"
    assert "a median of 4 s per review, 30 s before" in client.get(address).content.decode()
    client.post(address, {"alarm": "no number"})
    assert DriftAlarm.objects.get().noted_at is None
    client.post(address, {"alarm": DriftAlarm.objects.get().pk})
    assert "a median of 4 s" not in client.get(address).content.decode()
    assert DriftAlarm.objects.get().noted_by == ada
