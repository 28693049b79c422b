"""The feedback that attributes are follows the run: made, changed in place, gone."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction

from observatory.feedback.models import Feedback, FeedbackConfig
from observatory.feedback.record import delete, update
from observatory.feedback.reflection import sync_feedback_from_attributes
from observatory.runs import ingest
from observatory.runs.amend import Amendment, amend
from observatory.runs.models import Change, Rejected, Run
from observatory.runs.ops import parse_op
from tests.conftest import NOON
from tests.factories import ProjectFactory

RUN = UUID(int=1)


@pytest.fixture
def run(acme) -> Run:
    return Run.objects.create(
        workspace=acme,
        id=RUN,
        trace_id=RUN,
        project=ProjectFactory(workspace=acme),
        name="answer",
        run_type="chain",
        start_time=NOON,
    )


def rows(workspace) -> dict[str, Feedback]:
    found = list(Feedback.objects.filter(workspace=workspace))
    assert len({row.key for row in found}) == len(found)
    return {row.key: row for row in found}


def say(workspace, metadata=None, **wish) -> int:
    assert amend(workspace, RUN, Amendment(metadata=metadata or {}, **wish), now=NOON)
    with transaction.atomic():
        return sync_feedback_from_attributes(workspace, [RUN], NOON)


def test_attributes_become_feedback_of_the_run_from_the_app(acme, run) -> None:
    n = say(acme, {"user_feedback": "negative", "user_feedback_rating": 2}, tags=("thumbs-down",))
    assert n == 3
    found = rows(acme)
    assert (found["user_feedback"].score, found["user_feedback"].value) == (0.0, "negative")
    assert found["user_feedback_rating"].score == 2.0
    assert found["thumbs"].score == 0.0
    for row in found.values():
        assert (row.source_type, row.user, row.is_attribute) == ("app", None, True)
        assert (row.run_id, row.project, row.is_root) == (RUN, run.project, True)
        assert not row.is_off_scale


def test_reflecting_again_changes_nothing_and_notes_nothing(acme, run) -> None:
    say(acme, {"user_feedback": "positive"})
    before = rows(acme)["user_feedback"]
    Change.objects.all().delete()
    with transaction.atomic():
        assert sync_feedback_from_attributes(acme, [RUN], NOON + timedelta(hours=1)) == 0
    assert rows(acme)["user_feedback"].modified_at == before.modified_at
    assert not Change.objects.exists()


def test_a_changed_attribute_changes_its_row_in_place_and_a_removed_one_removes_it(
    acme, run
) -> None:
    say(acme, {"user_feedback": "negative", "user_feedback_comment": "wrong"})
    first = rows(acme)
    say(acme, {"user_feedback": "positive"}, metadata_gone=frozenset({"user_feedback_comment"}))
    second = rows(acme)
    assert set(second) == {"user_feedback"}
    assert second["user_feedback"].pk == first["user_feedback"].pk
    assert second["user_feedback"].score == 1.0
    assert say(acme, metadata_gone=frozenset({"user_feedback"})) == 1
    assert not Feedback.objects.exists()


def test_the_time_the_user_gave_it_is_the_time_of_the_row_but_never_the_future(acme, run) -> None:
    given = NOON - timedelta(days=2)
    say(acme, {"user_feedback": "positive"})
    assert rows(acme)["user_feedback"].created_at == NOON
    say(acme, {"user_feedback_timestamp": given.isoformat()})
    assert rows(acme)["user_feedback"].created_at == given
    say(acme, {"user_feedback_timestamp": (NOON + timedelta(days=2)).isoformat()})
    assert rows(acme)["user_feedback"].created_at == NOON


def test_feedback_of_people_and_programs_is_never_changed(acme, run, ada) -> None:
    theirs = Feedback.objects.create(
        workspace=acme, run_id=RUN, key="user_feedback", value="positive", user=ada
    )
    say(acme, {"user_feedback": "negative"})
    say(acme, metadata_gone=frozenset({"user_feedback"}))
    assert list(Feedback.objects.all()) == [theirs]


def test_an_edited_row_lasts_until_the_run_changes(acme, run) -> None:
    say(acme, {"user_feedback": "negative"})
    row = rows(acme)["user_feedback"]
    update(acme, row.uuid, {"score": 0.5}, now=NOON)
    with transaction.atomic():
        assert sync_feedback_from_attributes(acme, [RUN], NOON) == 1
    assert rows(acme)["user_feedback"].score == 0.0
    delete(acme, row.uuid)
    with transaction.atomic():
        sync_feedback_from_attributes(acme, [RUN], NOON)
    assert rows(acme)["user_feedback"].uuid == row.uuid


def test_a_word_off_the_taxonomy_is_flagged_and_kept(acme, run) -> None:
    declare(acme, "feedback_reason", ["wrong_policy", "hallucination"])
    say(acme, {"feedback_reason": "bad mood"})
    assert rows(acme)["feedback_reason"].is_off_scale
    say(acme, {"feedback_reason": "hallucination"})
    assert not rows(acme)["feedback_reason"].is_off_scale


def test_a_word_off_an_enforced_taxonomy_makes_no_row_and_is_quarantined_once(acme, run) -> None:
    declare(acme, "feedback_reason", ["wrong_policy", "hallucination"], is_enforced=True)
    say(acme, {"feedback_reason": "hallucination", "user_feedback": "negative"})
    assert set(rows(acme)) == {"feedback_reason", "user_feedback"}
    say(acme, {"feedback_reason": "bad mood"})
    with transaction.atomic():
        sync_feedback_from_attributes(acme, [RUN], NOON)
    assert set(rows(acme)) == {"user_feedback"}
    told = Rejected.objects.get()
    assert (told.kind, told.code) == ("feedback", "off_taxonomy")
    assert str(RUN) in told.reason
    assert "wrong_policy, hallucination" in told.reason


def test_a_late_patch_of_the_sdk_has_the_same_effect(acme, run) -> None:
    patch = {"id": str(RUN), "extra": {"metadata": {"user_feedback": "negative"}}, "tags": ["x"]}
    ingest.store(acme, [parse_op("patch", patch)], now=NOON)
    with transaction.atomic():
        sync_feedback_from_attributes(acme, [RUN], NOON)
    assert rows(acme)["user_feedback"].score == 0.0


def test_runs_without_such_attributes_cost_one_query_together(
    acme, django_assert_num_queries
) -> None:
    project = ProjectFactory(workspace=acme)
    ids = [UUID(int=n) for n in range(10, 60)]
    Run.objects.bulk_create(
        Run(workspace=acme, id=i, trace_id=i, project=project, metadata={"a": 1}) for i in ids
    )
    with transaction.atomic(), django_assert_num_queries(1):
        assert sync_feedback_from_attributes(acme, ids, NOON) == 0


def test_any_number_of_runs_with_attributes_costs_the_same(acme, django_assert_num_queries) -> None:
    project = ProjectFactory(workspace=acme)
    ids = [UUID(int=n) for n in range(10, 60)]
    Run.objects.bulk_create(
        Run(
            workspace=acme,
            id=i,
            trace_id=i,
            project=project,
            metadata={"user_feedback": "negative"},
        )
        for i in ids
    )
    with transaction.atomic(), django_assert_num_queries(5):
        assert sync_feedback_from_attributes(acme, ids, NOON) == 50


def test_another_workspaces_run_of_the_same_id_is_left_alone(acme, rival, run) -> None:
    Run.objects.create(
        workspace=rival, id=RUN, trace_id=RUN, metadata={"user_feedback": "positive"}
    )
    say(acme, {"user_feedback": "negative"})
    assert not Feedback.objects.filter(workspace=rival).exists()


def declare(workspace, key, words, **flags) -> FeedbackConfig:
    categories = [{"value": place, "label": word} for place, word in enumerate(words)]
    return FeedbackConfig.objects.create(
        workspace=workspace,
        key=key,
        config={"type": "categorical", "categories": categories},
        **flags,
    )
