"""feedback_stats: the wire's summary of what was thought of runs and projects."""

from __future__ import annotations

import statistics
from uuid import UUID, uuid4

import pytest

from observatory.feedback.record import FeedbackInput, record_many
from observatory.feedback.summary import MAX_COMMENTS, MAX_LABELS, feedback_stats, project_stats
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

RUN, OTHER = UUID(int=1), UUID(int=2)


def judged(workspace, *inputs) -> None:
    assert record_many(workspace, inputs, now=NOON).refused == []


def test_a_key_is_summed_up_with_its_scores_labels_comments_and_sources(acme) -> None:
    judged(
        acme,
        FeedbackInput(key="helpful", run_id=RUN, score=1.0, value="yes", comment="fine"),
        FeedbackInput(key="helpful", run_id=RUN, score=0.0, value="no", source_type="app"),
        FeedbackInput(key="helpful", run_id=RUN, score=0.5, value="yes", is_error=True),
        FeedbackInput(key="note", run_id=RUN, comment="only words"),
        FeedbackInput(key="helpful", run_id=OTHER, value={"sub": 1}, feedback_thread_id="t"),
    )
    stats = feedback_stats(acme.pk, [RUN, OTHER, uuid4()])
    helpful = stats[RUN]["helpful"]
    assert helpful.pop("stdev") == pytest.approx(statistics.pstdev([1, 0, 0.5]))
    assert helpful == {
        "n": 3,
        "avg": 0.5,
        "min": 0.0,
        "max": 1.0,
        "errors": 1,
        "values": {"yes": 2, "no": 1},
        "comments": ["fine"],
        "sources": ["api", "app"],
        "contains_thread_feedback": False,
    }
    assert stats[RUN]["note"]["avg"] is None
    assert stats[RUN]["note"]["comments"] == ["only words"]
    assert stats[OTHER]["helpful"]["contains_thread_feedback"]
    assert stats[OTHER]["helpful"]["values"] == {}
    assert set(stats) == {RUN, OTHER}


def test_comparative_feedback_stays_out_and_so_does_another_workspace(acme, rival) -> None:
    judged(
        acme, FeedbackInput(key="better", run_id=RUN, score=1.0, comparative_experiment_id=uuid4())
    )
    judged(rival, FeedbackInput(key="theirs", run_id=RUN, score=1.0))
    assert feedback_stats(acme.pk, [RUN]) == {}


def test_scores_near_the_largest_float_are_counted_without_a_mean(acme) -> None:
    judged(
        acme,
        *(FeedbackInput(key="big", run_id=RUN, score=score) for score in (1e308, 1e308, -1e308)),
    )
    big = feedback_stats(acme.pk, [RUN])[RUN]["big"]
    assert (big["n"], big["avg"], big["stdev"], big["min"], big["max"]) == (
        3,
        None,
        None,
        -1e308,
        1e308,
    )


def test_labels_and_comments_are_bounded(acme) -> None:
    judged(
        acme,
        *(
            FeedbackInput(
                id=UUID(int=n),
                key="k",
                run_id=RUN,
                value=f"label {n}",
                comment=f"comment {n}" + "x" * 5_000,
            )
            for n in range(60)
        ),
    )
    stats = feedback_stats(acme.pk, [RUN])[RUN]["k"]
    assert len(stats["values"]) == MAX_LABELS
    assert len(stats["comments"]) == MAX_COMMENTS
    assert stats["comments"][0].startswith("comment 59")
    assert max(map(len, stats["comments"])) <= 2_000


def test_a_project_sums_up_its_runs_and_apart_from_them_itself(acme) -> None:
    project = ProjectFactory(workspace=acme)
    judged(
        acme,
        FeedbackInput(key="k", run_id=RUN, session_id=project.uuid, score=1.0),
        FeedbackInput(key="k", run_id=OTHER, session_id=project.uuid, score=0.0),
        FeedbackInput(key="overall", session_id=project.uuid, score=0.75),
    )
    assert project_stats(acme.pk, [project.pk])[project.pk]["k"]["avg"] == 0.5
    assert set(project_stats(acme.pk, [project.pk])[project.pk]) == {"k"}
    overall = project_stats(acme.pk, [project.pk], level="session")
    assert overall[project.pk]["overall"]["avg"] == 0.75


def test_any_number_of_runs_takes_one_query(acme, django_assert_num_queries) -> None:
    runs = [uuid4() for _ in range(50)]
    judged(acme, *(FeedbackInput(key="k", run_id=run, score=1.0) for run in runs))
    with django_assert_num_queries(1):
        assert len(feedback_stats(acme.pk, runs)) == 50
    with django_assert_num_queries(0):
        assert feedback_stats(acme.pk, []) == {}
        assert project_stats(acme.pk, []) == {}


def test_sealed_feedback_does_not_count(acme) -> None:
    project = ProjectFactory(workspace=acme)
    run = make_run(project)
    judge(run, "tone", 1.0, is_sealed=True)
    judge(run, "tone", 0.0, extra={"review": "hidden"})
    judge(run, "tone", 0.5)
    stats = project_stats(acme.pk, [project.pk])
    assert (stats[project.pk]["tone"]["n"], stats[project.pk]["tone"]["avg"]) == (2, 0.25)
