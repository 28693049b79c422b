"""Rules in shadow, daily limits, and targets other than a queue."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from annotations.models import QueueItem, RoutingDecision, RuleDay, RuleMatch, RuleSwitch
from annotations.routing.routing import drain
from annotations.routing.rules import RuleDefinition, set_rule, set_state
from datasets_app.models import Example, ExampleRevision
from observatory.feedback.models import Feedback
from observatory.runs import changes
from observatory.runs.models import Change, Run
from tests.annotations.routing_world import drain_all, make_rule, make_run
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, DatasetFactory

ROOTS = "eq(is_root, true)"


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme)


def counts(rule) -> tuple[int, int]:
    day = RuleDay.objects.get(rule=rule)
    return day.n_sent, day.n_held_back


def outcomes(rule, outcome: str) -> set:
    return set(
        RuleMatch.objects.filter(rule=rule, outcome=outcome).values_list("run_id", flat=True)
    )


# Shadow -------------------------------------------------------------------------------------------


def test_a_rule_in_shadow_lists_what_it_would_send_once_and_sends_nothing(acme, queue) -> None:
    rule = make_rule(queue, 'eq(status, "error")', is_enabled=False)
    set_state(rule, "shadow", now=NOON)
    failed = make_run(acme, error="Timeout")
    make_run(acme)
    drain_all()
    changes.note(acme, Change.Kind.RUN, [failed.id])
    drain_all()
    assert not QueueItem.objects.exists()
    match = RuleMatch.objects.get()
    assert (match.rule, match.run_id, match.outcome) == (rule, failed.id, "shadow")
    assert (match.rule_version, match.matched_at) == (1, NOON)


def test_a_rule_in_shadow_takes_no_part_in_the_inclusion_probability(acme, queue) -> None:
    make_rule(queue, ROOTS, name="live")
    make_rule(queue, ROOTS, name="shadow", is_enabled=False, sampling_rate=0.5, priority=90)
    set_state(queue.rules.get(name="shadow"), "shadow", now=NOON)
    make_run(acme)
    drain_all()
    decision = RoutingDecision.objects.get()
    assert (decision.rule_name, decision.inclusion_probability) == ("live", 1.0)
    assert QueueItem.objects.get().priority == 0


def test_a_rule_switched_from_shadow_to_on_sends_what_changes_from_then_on(acme, queue) -> None:
    rule = make_rule(queue, ROOTS, is_enabled=False)
    set_state(rule, "shadow", now=NOON)
    make_run(acme)
    drain_all()
    set_state(rule, "on", now=NOON)
    later = make_run(acme)
    drain_all()
    assert [item.run_id for item in QueueItem.objects.all()] == [later.id]
    assert len(outcomes(rule, "shadow")) == 1


def test_every_switch_is_kept_with_its_user_and_reason(acme, queue, ada) -> None:
    rule = make_rule(queue, ROOTS, is_enabled=False)
    assert set_state(rule, "shadow", now=NOON, by=ada, reason="try it")
    assert not set_state(rule, "shadow", now=NOON, by=ada)
    assert set_state(rule, "on", now=NOON, by=ada)
    assert set_state(rule, "off", now=NOON, by=ada, reason="too many")
    kept = RuleSwitch.objects.filter(rule=rule).order_by("pk")
    assert [(each.state, each.switched_by, each.reason) for each in kept] == [
        ("shadow", ada, "try it"),
        ("on", ada, ""),
        ("off", ada, "too many"),
    ]
    with pytest.raises(ValueError, match="sideways"):
        set_state(rule, "sideways", now=NOON)


# Ceiling ------------------------------------------------------------------------------------------


def test_a_daily_limit_holds_back_the_rest_and_counts_it(acme, queue) -> None:
    rule = make_rule(queue, ROOTS, daily_limit=3)
    runs = {make_run(acme).id for _ in range(8)}
    drain_all()
    sent = set(queue.items.values_list("run_id", flat=True))
    assert len(sent) == 3
    assert counts(rule) == (3, 5)
    assert outcomes(rule, "held_back") == runs - sent


def test_the_limit_counts_anew_on_the_next_day(acme, queue) -> None:
    rule = make_rule(queue, ROOTS, daily_limit=1)
    runs = [make_run(acme).id for _ in range(2)]
    drain_all()
    changes.note(acme, Change.Kind.RUN, runs)
    assert drain(250, NOON + timedelta(days=1)) == 1
    assert queue.items.count() == 2
    assert set(RuleDay.objects.filter(rule=rule).values_list("n_sent", flat=True)) == {1}


def test_a_run_that_another_rule_adds_costs_nothing(acme, queue) -> None:
    rule = make_rule(queue, ROOTS, daily_limit=1)
    make_rule(queue, 'eq(status, "error")')
    for _ in range(3):
        make_run(acme, error="Timeout")
    plain = make_run(acme)
    drain_all()
    assert queue.items.count() == 4
    assert counts(rule) == (1, 0)
    assert RoutingDecision.objects.filter(rule=rule).count() == 4
    assert queue.items.filter(run_id=plain.id).exists()


def test_a_run_that_is_routed_again_costs_nothing(acme, queue) -> None:
    rule = make_rule(queue, ROOTS, daily_limit=2)
    run = make_run(acme)
    for _ in range(3):
        drain_all()
        changes.note(acme, Change.Kind.RUN, [run.id])
    assert counts(rule) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_send_exactly_the_limit(acme, queue) -> None:
    rule = make_rule(queue, ROOTS, daily_limit=25)
    other = make_rule(AnnotationQueueFactory(workspace=acme), ROOTS, daily_limit=10)
    for _ in range(80):
        make_run(acme)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while drain(5, NOON):
                pass
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    drain_all()
    assert not errors
    assert queue.items.count() == 25
    assert counts(rule) == (25, 55)
    assert counts(other) == (10, 70)


# Targets ------------------------------------------------------------------------------------------


def rule_for(workspace, **fields):
    definition = RuleDefinition(name=uuid4().hex, filter='eq(status, "error")', **fields)
    return set_rule(workspace, definition, now=NOON, is_enabled=True)


def test_a_rule_tags_a_run_once_and_other_rules_see_the_tag(acme, queue) -> None:
    rule = rule_for(acme, tag="look")
    make_rule(queue, 'has(tags, "look")')
    run = make_run(acme, error="Timeout", tags=["a"])
    make_run(acme)
    drain_all()
    run = Run.objects.get(workspace=acme, id=run.id)
    assert run.tags == ["a", "look"]
    assert queue.items.get().run_id == run.id
    Run.objects.filter(workspace=acme, id=run.id).update(tags=["a"])  # a user removes it
    changes.note(acme, Change.Kind.RUN, [run.id])
    drain_all()
    assert Run.objects.get(workspace=acme, id=run.id).tags == ["a"]
    assert outcomes(rule, "sent") == {run.id}


def test_a_rule_gives_feedback_once_in_its_own_name(acme) -> None:
    rule = rule_for(acme, feedback_key="auto_flag", feedback_score=0.0)
    run = make_run(acme, error="Timeout")
    drain_all()
    changes.note(acme, Change.Kind.RUN, [run.id])
    drain_all()
    feedback = Feedback.objects.get()
    assert (feedback.run_id, feedback.key, feedback.score) == (run.id, "auto_flag", 0.0)
    assert (feedback.source_type, feedback.user) == ("auto_eval", None)
    assert feedback.source_metadata == {"rule": str(rule.uuid), "rule_version": 1}


def test_a_rule_adds_runs_to_a_dataset_in_one_version(acme) -> None:
    dataset = DatasetFactory(workspace=acme)
    rule = rule_for(acme, dataset_uuid=dataset.uuid)
    runs = {make_run(acme, error="Timeout").id for _ in range(3)}
    drain_all()
    assert set(Example.objects.values_list("source_run_id", flat=True)) == runs
    assert ExampleRevision.objects.first().inputs == '{"question": "Where is my parcel?"}'
    changes.note(acme, Change.Kind.RUN, runs)
    drain_all()
    assert ExampleRevision.objects.count() == 3
    assert outcomes(rule, "sent") == runs


def test_runs_that_a_dataset_refuses_are_kept_with_the_reason(acme) -> None:
    schema = {
        "type": "object",
        "required": ["answer"],
        "properties": {"answer": {"type": "string"}},
    }
    dataset = DatasetFactory(workspace=acme, outputs_schema_definition=schema)
    rule = rule_for(acme, dataset_uuid=dataset.uuid)
    good = make_run(acme, error="Timeout")
    bad = make_run(acme, error="Timeout", outputs={"text": 1})
    drain_all()
    assert Example.objects.get().source_run_id == good.id
    refused = RuleMatch.objects.get(rule=rule, outcome="refused")
    assert refused.run_id == bad.id
    assert "answer" in refused.reason
    changes.note(acme, Change.Kind.RUN, [bad.id])
    drain_all()
    assert RuleMatch.objects.filter(rule=rule).count() == 2


def test_a_deleted_dataset_delays_no_other_rule(acme, queue) -> None:
    dataset = DatasetFactory(workspace=acme)
    rule_for(acme, dataset_uuid=dataset.uuid)
    make_rule(queue, 'eq(status, "error")')
    dataset.delete()
    make_run(acme, error="Timeout")
    drain_all()
    assert queue.items.count() == 1
    assert RuleMatch.objects.get().reason == "the dataset was deleted"
    assert not Change.objects.exists()


def test_a_daily_limit_counts_other_targets_too(acme) -> None:
    rule = rule_for(acme, tag="look", daily_limit=2)
    for _ in range(5):
        make_run(acme, error="Timeout")
    drain_all()
    assert counts(rule) == (2, 3)
    assert Run.objects.filter(workspace=acme, tags__contains=["look"]).count() == 2


def test_a_rule_has_exactly_one_target_of_its_workspace(acme, rival, queue) -> None:
    theirs = DatasetFactory(workspace=rival)
    for fields, words in (
        ({}, "one target"),
        ({"queue": queue, "tag": "look"}, "one target"),
        ({"dataset_uuid": theirs.uuid}, "own workspace"),
        ({"queue": AnnotationQueueFactory(workspace=rival)}, "own workspace"),
        ({"tag": "look", "feedback_score": 1.0}, "feedback key"),
        ({"feedback_key": "a", "feedback_score": float("nan")}, "finite"),
        ({"tag": "look", "daily_limit": 0}, "daily limit"),
    ):
        with pytest.raises(ValueError, match=words):
            rule_for(acme, **fields)
