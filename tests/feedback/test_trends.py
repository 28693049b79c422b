"""Trends: the figures are those of the rows, counted another way."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from statistics import mean
from uuid import UUID, uuid4

import pytest

from observatory.feedback import scales, tokens, trends
from observatory.feedback.models import Feedback, FeedbackConfig
from observatory.feedback.trends import Window
from observatory.workspaces import keys
from tests.conftest import NOON
from tests.factories import ProjectFactory

STARS = {"type": "continuous", "min": 1, "max": 5, "categories": None}
ANSWER = {
    "type": "categorical",
    "categories": [{"value": 0, "label": "Wrong"}, {"value": 2, "label": "Right"}],
}
LATER = NOON + timedelta(hours=1)
WEEK = Window(since=NOON - timedelta(days=7), until=NOON + timedelta(days=1))


def give(workspace, key="helpful", at=NOON, **fields) -> Feedback:
    fields.setdefault("run_id", uuid4())
    return Feedback.objects.create(workspace=workspace, key=key, created_at=at, **fields)


def one(workspace, window=WEEK) -> trends.Trend:
    (found,) = trends.read(workspace, window)
    return found


def test_a_day_has_its_number_mean_and_positive_share(acme) -> None:
    for score in (1, 1, 0, None):
        give(acme, score=score)
    give(acme, score=0, at=NOON - timedelta(days=2))
    found = one(acme)
    today, before = found.days[NOON.date()], found.days[(NOON - timedelta(days=2)).date()]
    assert (today.n, today.n_scored, today.mean) == (4, 3, pytest.approx(2 / 3))
    assert today.share_positive == pytest.approx(2 / 3)
    assert (before.n, before.share_positive) == (1, 0.0)
    assert (found.whole.n, found.whole.share_positive) == (5, 0.5)


def test_where_lower_is_better_the_lower_half_is_positive(acme) -> None:
    config = {"type": "continuous", "min": 0, "max": 10}
    declared = FeedbackConfig.objects.create(workspace=acme, key="toxicity", config=config)
    for score in (1, 2, 9):
        give(acme, "toxicity", score=score)
    assert one(acme).whole.n_positive == 1
    FeedbackConfig.objects.filter(pk=declared.pk).update(is_lower_score_better=True)
    found = one(acme)
    assert (found.whole.n_positive, found.is_lower_better) == (2, True)
    assert found.whole.level == pytest.approx(0.6)
    assert found.whole.mean == 4.0


def test_a_score_off_its_scale_counts_and_is_not_judged(acme) -> None:
    give(acme, score=7)
    give(acme, score=3, config={"type": "freeform"})
    give(acme, score=5, config={"type": "continuous", "min": 1, "max": None})
    found = one(acme).whole
    assert (found.n, found.n_scored, found.n_placed, found.share_positive) == (3, 3, 0, None)


def test_words_are_counted_without_unscored_feedback(acme) -> None:
    for word in ("hallucination", "hallucination", "wrong_policy"):
        give(acme, "feedback_reason", value=word)
    give(acme, "annotation_status", value="filled")
    give(acme, "user_feedback_timestamp", value="2026-03-01")
    assert one(acme).words == [("hallucination", 2), ("wrong_policy", 1)]
    status = Window(since=WEEK.since, until=WEEK.until, key="annotation_status")
    assert one(acme, status).words == [("filled", 1)]


def test_only_what_the_window_names_is_counted(acme, rival) -> None:
    project, other = ProjectFactory.create_batch(2, workspace=acme)
    mine = give(acme, project=project, source_type="app", review_uuid=uuid4(), score=1)
    give(acme, project=other, source_type="app", review_uuid=uuid4(), score=0)
    give(acme, project=project, source_type="model", score=0)
    give(acme, project=project, source_type="app", review_uuid=uuid4(), score=0, key="other")
    give(
        acme,
        project=project,
        source_type="app",
        review_uuid=uuid4(),
        score=0,
        at=NOON - timedelta(days=8),
    )
    give(
        acme,
        project=project,
        source_type="app",
        review_uuid=uuid4(),
        score=0,
        comparative_experiment_id=uuid4(),
    )
    give(acme, project=project, source_type="app", review_uuid=uuid4(), score=0, run_id=None)
    give(acme, project=project, source_type="app", review_uuid=uuid4(), score=0, is_sealed=True)
    give(rival, source_type="app", review_uuid=uuid4(), score=0)
    window = Window(
        since=WEEK.since,
        until=WEEK.until,
        project=project.pk,
        key="helpful",
        source="app",
    )
    assert one(acme, window).whole == trends.Figures(1, 1, mine.score, 1, 1, 1.0)
    assert trends.keys(acme, window) == ["helpful", "other"]


def test_people_are_reviewers_and_those_with_a_presigned_link(acme) -> None:
    """A key that calls its source `app` counts with the API, and so do attributes of runs."""
    key, _ = keys.mint(acme, "a program")
    give(acme, score=1, source_type="app", review_uuid=uuid4())
    run_id = uuid4()
    (token,) = tokens.mint(
        acme, [tokens.TokenInput(run_id=run_id, key="helpful", expires_at=LATER)], now=NOON
    )
    secret = tokens.secret_of(acme, token)
    assert secret is not None
    tokens.redeem(secret, {"score": 0.0}, now=NOON)
    give(acme, score=0, source_type="app", api_key=key)
    give(acme, score=0, source_type="api", api_key=key, run_id=run_id)
    give(acme, score=0, source_type="app", is_attribute=True)
    give(acme, score=0, source_type="model", api_key=key)
    seen = {
        source: one(acme, replace(WEEK, source=source)).whole.n
        for source in ("app", "api", "model")
    }
    assert seen == {"app": 2, "api": 3, "model": 1}


def test_the_figures_are_those_of_the_rows(acme) -> None:
    """A thousand random rows, summed up in Python by scales.normalise."""
    dice = random.Random(7)
    FeedbackConfig.objects.create(
        workspace=acme, key="declared", config=STARS, is_lower_score_better=True
    )
    rows = [
        Feedback(
            workspace=acme,
            run_id=UUID(int=n + 1),
            key=dice.choice(["declared", "sent", "plain"]),
            score=dice.choice([None, 0, 0.25, 0.5, 1, 2, 3, 5, 6]),
            config=dice.choice([None, STARS, ANSWER, {"type": "freeform"}]),
            created_at=NOON - timedelta(hours=dice.randrange(24 * 9)),
        )
        for n in range(1_000)
    ]
    Feedback.objects.bulk_create(rows)
    expected: dict[tuple[str, date | None], list[Feedback]] = defaultdict(list)
    for row in rows:
        if WEEK.since <= row.created_at < WEEK.until:
            expected[row.key, row.created_at.date()].append(row)
            expected[row.key, None].append(row)
    found = {}
    for trend in trends.read(acme, WEEK):
        found[trend.key, None] = trend.whole
        found |= {(trend.key, day): figures for day, figures in trend.days.items()}
    assert found.keys() == expected.keys()
    for (key, _day), group in expected.items():
        figures = found[key, _day]
        scores = [row.score for row in group if row.score is not None]
        levels = []
        for row in group:
            if row.score is None:
                continue
            place = scales.normalise(STARS if key == "declared" else row.config, row.score)
            if place is not None:
                levels.append(1 - place if key == "declared" else place)
        assert (figures.n, figures.n_scored, figures.n_placed) == (
            *(len(group), len(scores)),
            len(levels),
        )
        assert figures.mean == (pytest.approx(mean(scores)) if scores else None)
        assert figures.n_positive == sum(level > 0.5 for level in levels)
        assert figures.level == (pytest.approx(mean(levels)) if levels else None)


def test_any_amount_takes_four_queries(acme, django_assert_num_queries) -> None:
    for n in range(30):
        give(acme, f"key {n}", score=1, value="word")
    with django_assert_num_queries(4):
        assert len(trends.read(acme, WEEK)) == trends.MAX_KEYS
