"""Experiments are compared by example, and a difference is named only when a test shows it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from datasets_app import differences, examples
from datasets_app.examples import ExampleInput
from observatory.feedback.models import FeedbackConfig
from tests import scenes
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(acme):
    return scenes.build(acme, timezone.now())


@pytest.fixture
def many(scene) -> list:
    """Twenty examples of the scene's dataset."""
    examples.create(
        scene.dataset,
        [ExampleInput(inputs=f'{{"question": {n}}}', outputs=None) for n in range(19)],
        now=timezone.now(),
    )
    return list(scene.dataset.examples.order_by("pk"))


def experiment(scene, name: str):
    return ProjectFactory(
        workspace=scene.project.workspace, name=name, reference_dataset_id=scene.dataset.uuid
    )


def run_all(project, examples_run, scores, key: str = "correct") -> None:
    for example, score in zip(examples_run, scores, strict=True):
        judge(make_run(project, reference_example_id=example.uuid), key, score)


def test_one_more_right_answer_of_twenty_is_no_difference(scene, many) -> None:
    a, b = experiment(scene, "A"), experiment(scene, "B")
    run_all(a, many, [1.0] * 10 + [0.0] * 10)
    run_all(b, many, [1.0] * 11 + [0.0] * 9)
    (row,) = differences.from_first(scene.dataset, [a, b]).rows
    assert (row.word, row.p_value) == ("NEUTRAL", 1.0)
    assert (row.paired.n, row.paired.n_improved, row.paired.n_regressed) == (20, 1, 0)


def test_thirty_runs_of_one_example_count_as_one(scene, many) -> None:
    a, b = experiment(scene, "A"), experiment(scene, "B")
    run_all(a, many, [0.0] * 20)
    run_all(b, many, [0.0] * 20)
    run_all(b, [many[0]] * 30, [1.0] * 30)
    (row,) = differences.from_first(scene.dataset, [a, b]).rows
    assert row.paired.n == 20
    assert row.word == "NEUTRAL"
    assert row.paired.difference == pytest.approx(30 / 31 / 20)


def test_a_regression_comes_first_and_lower_may_be_better(scene, many) -> None:
    FeedbackConfig.objects.create(
        workspace=scene.project.workspace,
        key="toxic",
        config={"type": "continuous", "min": 0, "max": 1},
        is_lower_score_better=True,
    )
    a, b = experiment(scene, "A"), experiment(scene, "B")
    run_all(a, many, [0.0] * 20)
    run_all(b, many, [1.0] * 20)
    run_all(a, many, [0.1] * 20, "toxic")
    run_all(b, many, [0.9] * 20, "toxic")
    rows = differences.from_first(scene.dataset, [a, b]).rows
    assert [(row.key, row.word) for row in rows] == [
        ("toxic", "REGRESSED"),
        ("correct", "IMPROVED"),
    ]
    assert rows[0].paired.is_lower_better


def test_examples_of_one_side_are_counted_and_left_out(scene, many) -> None:
    a, b = experiment(scene, "A"), experiment(scene, "B")
    run_all(a, many, [1.0] * 20)
    run_all(b, many[:5], [1.0] * 5)
    make_run(b, reference_example_id=many[7].uuid, error="boom")
    tested = differences.from_first(scene.dataset, [a, b])
    (row,) = tested.rows
    assert (row.paired.n, row.paired.n_only_baseline, row.paired.n_only_candidate) == (5, 15, 0)
    assert row.word == "insufficient_data"
    assert tested.n_failed == 1


def test_p_values_are_adjusted_for_every_key_and_candidate(scene, many) -> None:
    a, b, c = (experiment(scene, name) for name in "ABC")
    for project, n_right in ((a, 6), (b, 12), (c, 6)):
        run_all(project, many, [1.0] * n_right + [0.0] * (20 - n_right))
    rows = {row.candidate: row for row in differences.from_first(scene.dataset, [a, b, c]).rows}
    assert rows[b].paired.p_value == pytest.approx(0.03125)  # six discordant examples, one way
    assert rows[b].p_value == pytest.approx(0.0625)
    assert rows[b].word == "NEUTRAL"


def test_the_number_of_queries_does_not_grow_with_keys(
    scene, many, django_assert_num_queries
) -> None:
    a, b = experiment(scene, "A"), experiment(scene, "B")
    for key in ("one", "two", "three"):
        run_all(a, many[:6], [1.0] * 6, key)
        run_all(b, many[:6], [0.0] * 6, key)
    differences.from_first(scene.dataset, [a, b])
    with django_assert_num_queries(
        5
    ):  # the scores within a savepoint and a timeout, and directions
        assert len(differences.from_first(scene.dataset, [a, b]).rows) == 3
