"""Recording feedback: upsert by id, before or after its run, without overwriting another author's."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from observatory.feedback.models import Feedback, FeedbackConfig
from observatory.feedback.record import (
    FeedbackInput,
    InvalidFeedback,
    attach,
    delete,
    record,
    record_many,
    update,
)
from observatory.runs.models import Change, Run
from tests.conftest import NOON
from tests.factories import ProjectFactory

RUN = UUID(int=1)


def add_run(workspace, run_id=RUN, **fields) -> Run:
    fields.setdefault("project", ProjectFactory(workspace=workspace))
    fields.setdefault("trace_id", run_id)
    return Run.objects.create(
        workspace=workspace,
        id=run_id,
        **{"name": "answer", "run_type": "chain", "start_time": NOON, **fields},
    )


def test_feedback_of_a_known_run_carries_its_project_start_and_place_in_the_trace(acme) -> None:
    root = add_run(acme)
    child = add_run(acme, UUID(int=2), parent_run_id=RUN, trace_id=RUN, project=root.project)
    on_root = record(acme, FeedbackInput(key="k", run_id=RUN, score=1.0), now=NOON)
    on_child = record(acme, FeedbackInput(key="k", run_id=child.id), now=NOON)
    assert (on_root.project_id, on_root.run_start_time, on_root.is_root) == (
        root.project_id,
        NOON,
        True,
    )
    assert (on_child.is_root, on_child.trace_id) == (False, RUN)


def test_feedback_may_precede_its_run_and_is_attached_when_it_comes(acme, rival) -> None:
    early = record(acme, FeedbackInput(key="k", run_id=RUN), now=NOON)
    theirs = record(rival, FeedbackInput(key="k", run_id=RUN), now=NOON)
    assert (early.project_id, early.run_start_time, early.is_root) == (None, None, None)
    run = add_run(acme)
    assert attach(acme, [RUN]) == 1
    assert attach(acme, [RUN]) == 0
    early.refresh_from_db()
    theirs.refresh_from_db()
    assert (early.project_id, early.run_start_time, early.is_root, early.trace_id) == (
        run.project_id,
        NOON,
        True,
        RUN,
    )
    assert theirs.project_id is None


def test_the_project_comes_from_the_session_while_the_run_is_unknown(acme, rival) -> None:
    project, foreign = ProjectFactory(workspace=acme), ProjectFactory(workspace=rival)
    waiting = record(acme, FeedbackInput(key="k", run_id=RUN, session_id=project.uuid), now=NOON)
    assert waiting.project == project
    elsewhere = record(acme, FeedbackInput(key="k", run_id=RUN, session_id=foreign.uuid), now=NOON)
    assert elsewhere.project is None


def test_feedback_on_a_project_needs_a_project_of_this_workspace(acme, rival) -> None:
    project, foreign = ProjectFactory(workspace=acme), ProjectFactory(workspace=rival)
    assert (
        record(acme, FeedbackInput(key="k", session_id=project.uuid), now=NOON).project == project
    )
    for unknown in (foreign.uuid, uuid4()):
        with pytest.raises(InvalidFeedback) as caught:
            record(acme, FeedbackInput(key="k", session_id=unknown), now=NOON)
        assert str(caught.value) == "session_id: names no project, and there is no run_id"


def test_the_same_id_again_overwrites_and_keeps_the_creation_time(acme) -> None:
    first = FeedbackInput(id=uuid4(), key="k", run_id=RUN, score=1.0, comment="good")
    record(acme, first, now=NOON)
    later = FeedbackInput(id=first.id, key="k", run_id=RUN, score=0.0)
    again = record(acme, later, now=NOON + timedelta(hours=1))
    assert Feedback.objects.count() == 1
    assert (again.score, again.comment, again.created_at) == (0.0, None, NOON)
    assert again.modified_at == NOON + timedelta(hours=1)


def test_one_id_is_two_rows_in_two_workspaces(acme, rival) -> None:
    same = FeedbackInput(id=uuid4(), key="k", run_id=RUN, score=1.0)
    record(acme, same, now=NOON)
    record(rival, FeedbackInput(id=same.id, key="k", run_id=RUN, score=0.0), now=NOON)
    assert sorted(Feedback.objects.values_list("workspace__slug", "score")) == [
        ("acme", 1.0),
        ("rival", 0.0),
    ]


def test_two_peoples_feedback_on_one_key_is_kept_apart(acme, ada, grace) -> None:
    mine = record(
        acme, FeedbackInput(id=uuid4(), key="k", run_id=RUN, score=1.0), now=NOON, user=ada
    )
    record(acme, FeedbackInput(key="k", run_id=RUN, score=0.0), now=NOON, user=grace)
    with pytest.raises(InvalidFeedback, match="another person's"):
        record(
            acme, FeedbackInput(id=mine.uuid, key="k", run_id=RUN, score=0.5), now=NOON, user=grace
        )
    with pytest.raises(InvalidFeedback, match="another person's"):
        record(acme, FeedbackInput(id=mine.uuid, key="k", run_id=RUN, score=0.5), now=NOON)
    assert sorted(Feedback.objects.values_list("user__username", "score")) == [
        ("ada", 1.0),
        ("grace", 0.0),
    ]


def test_every_write_leaves_one_change_naming_the_judged_runs(acme) -> None:
    other = UUID(int=9)
    project = ProjectFactory(workspace=acme)
    inputs = [
        FeedbackInput(key="a", run_id=RUN),
        FeedbackInput(key="b", run_id=RUN),
        FeedbackInput(key="a", run_id=other),
        FeedbackInput(key="summary", session_id=project.uuid),
    ]
    recorded = record_many(acme, inputs, now=NOON)
    first = next(feedback for feedback in recorded.stored if feedback.run_id == RUN)
    update(acme, first.uuid, {"score": 1.0}, now=NOON)
    delete(acme, first.uuid)
    kinds_and_runs = Change.objects.order_by("id").values_list("kind", "run_ids")
    assert list(kinds_and_runs) == [
        ("feedback", [RUN, other]),
        ("feedback", [RUN]),
        ("feedback", [RUN]),
    ]


def test_a_score_off_an_enforced_scale_is_refused_and_costs_its_neighbours_nothing(acme) -> None:
    FeedbackConfig.objects.create(
        workspace=acme,
        key="stars",
        config={"type": "continuous", "min": 1, "max": 5},
        is_enforced=True,
    )
    good, bad = (
        FeedbackInput(key="stars", run_id=RUN, score=5.0),
        FeedbackInput(key="stars", run_id=RUN, score=6.0),
    )
    recorded = record_many(acme, [bad, good], now=NOON)
    assert [feedback.score for feedback in recorded.stored] == [5.0]
    assert [(sent, error.field) for sent, error in recorded.refused] == [(bad, "score")]
    with pytest.raises(
        InvalidFeedback, match="above the maximum 5; the scale of 'stars' is enforced"
    ):
        update(acme, recorded.stored[0].uuid, {"score": 5.5}, now=NOON)


def test_a_score_off_a_scale_that_is_not_enforced_is_kept_and_flagged(acme) -> None:
    FeedbackConfig.objects.create(
        workspace=acme, key="stars", config={"type": "continuous", "min": 1, "max": 5}
    )
    declared = record(acme, FeedbackInput(key="stars", run_id=RUN, score=6.0), now=NOON)
    sent_with = FeedbackInput(
        key="x", run_id=RUN, score=6.0, config={"type": "continuous", "min": 0, "max": 1}
    )
    assert declared.is_off_scale
    assert record(acme, sent_with, now=NOON).is_off_scale
    assert not update(acme, declared.uuid, {"score": 3.0}, now=NOON).is_off_scale


def test_of_one_id_twice_in_a_batch_the_later_wins(acme) -> None:
    same = uuid4()
    inputs = [FeedbackInput(id=same, key="k", run_id=RUN, score=float(n)) for n in (1, 2)]
    assert [feedback.score for feedback in record_many(acme, inputs, now=NOON).stored] == [2.0]


def test_a_creation_time_is_kept_but_never_lies_in_the_future(acme) -> None:
    past = FeedbackInput(key="k", run_id=RUN, created_at=NOON - timedelta(days=3))
    future = FeedbackInput(key="k", run_id=RUN, created_at=NOON + timedelta(days=3))
    assert record(acme, past, now=NOON).created_at == NOON - timedelta(days=3)
    assert record(acme, future, now=NOON).created_at == NOON


def test_every_kind_of_value_and_correction_comes_back_as_it_went_in(acme) -> None:
    for value in (None, 0, 1.5, True, False, "", "text", {"a": [1, None, {"b": "c"}]}):
        kept = record(acme, FeedbackInput(key="k", run_id=RUN, value=value, score=-1e308), now=NOON)
        kept.refresh_from_db()
        assert kept.value == value
        assert type(kept.value) is type(value)
        assert kept.score == -1e308
    for correction in ("as text", {"outputs": {"answer": "it is"}}):
        kept = record(acme, FeedbackInput(key="k", run_id=RUN, correction=correction), now=NOON)
        kept.refresh_from_db()
        assert kept.correction == correction


def test_recording_takes_the_same_number_of_queries_however_many(
    acme, django_assert_num_queries
) -> None:
    for count in (1, 50):
        inputs = [FeedbackInput(key=f"k{n}", run_id=UUID(int=n + 1)) for n in range(count)]
        with django_assert_num_queries(3):  # scales, upsert, change
            record_many(acme, inputs, now=NOON)


@pytest.mark.django_db(transaction=True)
def test_racing_retries_of_one_feedback_store_one_row(acme) -> None:
    project = ProjectFactory(workspace=acme)
    add_run(acme, project=project)
    ids = [uuid4() for _ in range(20)]
    gate = Barrier(4)
    errors: list[BaseException] = []

    def retry(number: int) -> None:
        try:
            gate.wait()
            order = ids if number % 2 else ids[::-1]
            record_many(acme, [FeedbackInput(id=i, key="k", run_id=RUN) for i in order], now=NOON)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=retry, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Feedback.objects.count() == 20
    assert Change.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_feedback_and_a_run_stored_at_the_same_moment_find_each_other_by_their_changes(
    acme,
) -> None:
    project = ProjectFactory(workspace=acme)

    def judge() -> None:
        record(acme, FeedbackInput(key="k", run_id=RUN), now=NOON)
        connection.close()

    with transaction.atomic():
        add_run(acme, project=project)
        attach(acme, [RUN])
        judging = Thread(target=judge)
        judging.start()
        judging.join()
    feedback = Feedback.objects.get()
    assert feedback.project is None
    change = Change.objects.get()
    assert attach(acme, change.run_ids) == 1
    feedback.refresh_from_db()
    assert feedback.project == project
