"""Routing: exactly once (B1), the same on every replay (B2), late facts count (B3)."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from itertools import permutations
from uuid import UUID, uuid4, uuid5

import pytest
from django.db import connection

from annotations.models import QueueItem, RoutingDecision, RoutingRule, Seat
from annotations.queues import queue_items, queues
from annotations.routing import sampling
from annotations.routing.presets import install_presets
from annotations.routing.routing import drain
from annotations.routing.rules import RuleDefinition, set_rule, set_state
from observatory.runs import changes
from observatory.runs.facts import facts_of
from observatory.runs.filters.explain import matches
from observatory.runs.filters.grammar import parse
from observatory.runs.models import Change, Run
from tests.annotations.routing_world import drain_all, judge, make_rule, make_run, random_runs
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, ProjectFactory

LOW = 'and(eq(is_root, true), eq(metadata_key, "confidence"), lt(metadata_value, 0.7))'
NEGATIVE = 'and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))'


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)


def routed(queue) -> list:
    return list(queue.items.order_by("id").values_list("run_id", flat=True))


def test_a_run_that_matches_a_rule_is_in_its_queue_with_seats_and_the_reason_why(
    acme, queue
) -> None:
    rule = make_rule(queue, LOW, name="Low confidence", priority=7)
    run = make_run(acme, metadata={"confidence": 0.62, "user_tier": "free"})
    make_run(acme, metadata={"confidence": 0.9})
    assert drain_all() == 2
    item = QueueItem.objects.get()
    assert (item.run_id, item.source, item.priority, item.state) == (run.id, "rule", 7, "open")
    assert Seat.objects.filter(item=item, priority=7).count() == 2
    why = RoutingDecision.objects.get(item=item)
    assert (why.rule_uuid, why.rule_name, why.rule_version) == (rule.uuid, "Low confidence", 1)
    assert (why.filter, why.draw) == (LOW, sampling.draw(rule.uuid, run.id))
    assert (why.sampling_rate, why.inclusion_probability) == (1.0, 1.0)
    told = {clause["field"]: clause["actual"] for clause in why.clauses}
    assert told["is_root"] is True
    assert 0.62 in told.values() or "0.62" in json.dumps(told)
    assert not Change.objects.exists()


def test_runs_of_another_workspace_are_never_seen(acme, rival, queue) -> None:
    make_rule(queue, "eq(is_root, true)")
    shared = uuid4()
    make_run(rival, id=shared)
    changes.note(acme, Change.Kind.RUN, [shared])
    drain_all()
    assert not QueueItem.objects.exists()


def test_a_rule_of_some_projects_leaves_the_others_alone(acme, queue) -> None:
    one, other = ProjectFactory.create_batch(2, workspace=acme)
    make_rule(queue, "eq(is_root, true)", projects=[one])
    run = make_run(acme, project=one)
    make_run(acme, project=other)
    make_run(acme)
    drain_all()
    assert routed(queue) == [run.id]


def test_rules_that_are_off_and_archived_queues_take_nothing(acme, queue) -> None:
    make_rule(queue, "eq(is_root, true)", is_enabled=False)
    old = AnnotationQueueFactory(workspace=acme)
    make_rule(old, "eq(is_root, true)")
    queues.archive(old, now=NOON)
    make_run(acme)
    assert drain_all() == 1
    assert not QueueItem.objects.exists()


def test_a_paused_queue_goes_on_collecting(acme, queue) -> None:
    queue.is_paused = True
    queue.save()
    make_rule(queue, "eq(is_root, true)")
    make_run(acme)
    drain_all()
    assert queue.items.count() == 1


def test_a_run_still_pending_waits_until_it_has_ended(acme, queue) -> None:
    make_rule(queue, LOW)
    run = make_run(acme, is_ended=False, metadata={"confidence": 0.1})
    drain_all()
    assert routed(queue) == []
    Run.objects.filter(workspace=acme, id=run.id).update(end_time=NOON)
    changes.note(acme, Change.Kind.RUN, [run.id])
    drain_all()
    assert routed(queue) == [run.id]


@pytest.mark.parametrize("order", list(permutations(["end", "feedback", "rule"])))
def test_b3_the_run_is_routed_once_in_any_order_of_arrival(acme, queue, order) -> None:
    run = make_run(acme, is_ended=False)

    def end() -> None:
        Run.objects.filter(workspace=acme, id=run.id).update(end_time=NOON)
        changes.note(acme, Change.Kind.RUN, [run.id])

    steps = {
        "end": end,
        "feedback": lambda: judge(acme, run.id, "user_rating", score=0.0),
        "rule": lambda: make_rule(queue, NEGATIVE),
    }
    for step in order:
        steps[step]()
        drain_all()
    if order[-1] == "rule":  # a rule counts for what changes after it
        assert routed(queue) == []
        judge(acme, run.id, "comment", comment="hello?")
        drain_all()
    assert routed(queue) == [run.id]
    assert RoutingDecision.objects.count() == 1


def test_b3_feedback_that_came_before_its_run_counts(acme, queue) -> None:
    make_rule(queue, NEGATIVE)
    early = uuid4()
    judge(acme, early, "user_rating", score=0.0)
    drain_all()
    assert routed(queue) == []
    make_run(acme, id=early)
    drain_all()
    assert routed(queue) == [early]


@pytest.mark.parametrize("state", ["completed", "removed"])
def test_b3_a_reviewed_or_removed_run_is_not_queued_again(acme, queue, state) -> None:
    make_rule(queue, LOW)
    make_rule(queue, NEGATIVE)
    run = make_run(acme, metadata={"confidence": 0.1})
    drain_all()
    item = QueueItem.objects.get()
    if state == "removed":
        queue_items.remove(item, NOON)
    else:
        QueueItem.objects.filter(pk=item.pk).update(state="completed", n_reviews=2)
        Seat.objects.filter(item=item).update(is_taken=True)
    judge(acme, run.id, "user_rating", score=0.0)
    drain_all()
    item.refresh_from_db()
    assert item.state == state
    assert not Seat.objects.filter(is_taken=False).exists()
    assert RoutingDecision.objects.count() == 1


def test_a_second_rule_adds_its_reason_and_moves_an_open_item_forward(acme, queue) -> None:
    make_rule(queue, LOW, name="first", priority=1)
    make_rule(queue, NEGATIVE, name="second", priority=9)
    run = make_run(acme, metadata={"confidence": 0.1})
    drain_all()
    Seat.objects.filter(number=1).update(is_taken=True)
    judge(acme, run.id, "user_rating", score=0.2)
    drain_all()
    item = QueueItem.objects.get()
    assert item.priority == 9
    assert list(item.decisions.order_by("id").values_list("rule_name", flat=True)) == [
        "first",
        "second",
    ]
    taken, free = Seat.objects.order_by("number")
    assert (taken.priority, taken.is_returned) == (1, False)
    assert (free.priority, free.is_returned) == (9, True)


def test_a_later_milder_rule_does_not_move_an_item_back(acme, queue) -> None:
    make_rule(queue, LOW, priority=5)
    make_rule(queue, NEGATIVE, priority=1)
    run = make_run(acme, metadata={"confidence": 0.1})
    drain_all()
    judge(acme, run.id, "user_rating", score=0.2)
    drain_all()
    assert QueueItem.objects.get().priority == 5


def test_one_run_goes_into_every_queue_that_wants_it(acme, queue) -> None:
    other = AnnotationQueueFactory(workspace=acme)
    make_rule(queue, "eq(is_root, true)")
    make_rule(other, "eq(is_root, true)")
    run = make_run(acme)
    drain_all()
    assert routed(queue) == routed(other) == [run.id]


def test_the_inclusion_probability_counts_rules_that_held_and_did_not_take_the_run(
    acme, queue
) -> None:
    a = make_rule(queue, "eq(is_root, true)", sampling_rate=0.5)
    b = make_rule(queue, LOW, sampling_rate=0.2)
    make_rule(queue, 'eq(name, "other")', sampling_rate=0.9)
    for _ in range(40):
        make_run(acme, metadata={"confidence": 0.1})
        make_run(acme)
    drain_all()
    assert RoutingDecision.objects.count() > 20
    for run in Run.objects.filter(workspace=acme):
        drawn = [sampling.draw(a.uuid, run.id) < 0.5]
        if run.metadata:
            drawn.append(sampling.draw(b.uuid, run.id) < 0.2)
        decisions = RoutingDecision.objects.filter(item__run_id=run.id)
        assert decisions.count() == sum(drawn)
        expected = 1 - 0.5 * 0.8 if run.metadata else 0.5
        assert all(d.inclusion_probability == pytest.approx(expected) for d in decisions)


def test_a_rule_that_holds_later_raises_the_probability_even_if_it_takes_nothing(
    acme, queue
) -> None:
    first = make_rule(queue, "eq(is_root, true)", sampling_rate=1.0)
    run = make_run(acme)
    drain_all()
    RoutingDecision.objects.update(sampling_rate=0.1, inclusion_probability=0.1)
    set_state(first, "off", now=NOON)
    make_rule(queue, NEGATIVE, sampling_rate=0.0)
    later = make_rule(queue, NEGATIVE, sampling_rate=0.5)
    judge(acme, run.id, "user_rating", score=0.0)
    drain_all()
    taken = sampling.draw(later.uuid, run.id) < 0.5
    assert RoutingDecision.objects.count() == 1 + taken
    for decision in RoutingDecision.objects.all():
        assert decision.inclusion_probability == pytest.approx(1 - 0.9 * 0.5)


def test_editing_a_rule_leaves_old_reasons_as_they_were(acme, queue) -> None:
    rule = make_rule(queue, LOW, name="Low")
    make_run(acme, metadata={"confidence": 0.1})
    drain_all()
    set_rule(acme, RuleDefinition(name="Lower", filter=LOW, queue=queue), now=NOON, rule=rule)
    run = make_run(acme, metadata={"confidence": 0.2})
    drain_all()
    old, new = RoutingDecision.objects.order_by("id")
    assert (old.rule_name, old.rule_version) == ("Low", 1)
    assert (new.rule_name, new.rule_version, new.item.run_id) == ("Lower", 2, run.id)
    rule.delete()
    old.refresh_from_db()
    assert (old.rule, old.filter) == (None, LOW)


def content() -> tuple:
    return (
        list(QueueItem.objects.order_by("id").values()),
        list(Seat.objects.order_by("id").values()),
        list(RoutingDecision.objects.order_by("id").values()),
    )


def oracle(queue, runs) -> dict:
    """Return run -> names of the rules that take it, by Python alone."""
    facts = facts_of(queue.workspace_id, runs)
    expected: dict = {}
    for rule in RoutingRule.objects.filter(queue=queue, is_enabled=True):
        node = parse(rule.filter)
        for run_id, fact in facts.items():
            if (
                fact.end_time is not None
                and matches(node, fact)
                and sampling.is_selected(rule.uuid, run_id, rule.sampling_rate)
            ):
                expected.setdefault(run_id, set()).add(rule.name)
    return expected


def decided(queue) -> dict:
    found: dict = {}
    for run_id, name in RoutingDecision.objects.filter(item__queue=queue).values_list(
        "item__run_id", "rule_name"
    ):
        found.setdefault(run_id, set()).add(name)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_b1_the_queue_equals_a_python_oracle(acme, queue, seed) -> None:
    install_presets(acme, queue, now=NOON)
    make_rule(queue, 'like(name, "ans%")', name="a fifth", sampling_rate=0.2)
    runs = random_runs(acme, 150, seed)
    drain_all(limit=17)
    expected = oracle(queue, runs)
    assert len(expected) > 40
    assert set(routed(queue)) == set(expected)
    assert decided(queue) == expected


def test_b2_sql_draws_the_same_number_to_the_last_bit(db) -> None:
    pairs = [(uuid5(UUID(int=1), str(n)), uuid5(UUID(int=2), str(n))) for n in range(2_000)]
    sql = sampling.DRAW_SQL.format(rule="pair.rule", run="pair.run")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {sql} FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY pair(rule, run, n)"
            " ORDER BY n",
            [[a for a, _ in pairs], [b for _, b in pairs]],
        )
        assert [row[0] for row in cursor.fetchall()] == [sampling.draw(a, b) for a, b in pairs]


def test_b2_replaying_every_change_twice_changes_nothing(acme, queue) -> None:
    install_presets(acme, queue, now=NOON)
    make_rule(queue, "eq(is_root, true)", sampling_rate=0.3)
    runs = random_runs(acme, 60, 5)
    drain_all()
    before = content()
    for _ in range(2):
        changes.note(acme, Change.Kind.RUN, runs)
        for run_id in runs:
            changes.note(acme, Change.Kind.FEEDBACK, [run_id])
        drain_all(limit=7)
    assert content() == before


def test_b2_a_database_filled_anew_gets_the_same_decisions(acme, queue) -> None:
    make_rule(queue, "eq(is_root, true)", sampling_rate=0.3)
    runs = random_runs(acme, 60, 6)
    drain_all()
    first = set(routed(queue))
    QueueItem.objects.all().delete()
    changes.note(acme, Change.Kind.RUN, reversed(runs))
    drain_all()
    assert set(routed(queue)) == first


@pytest.mark.django_db(transaction=True)
def test_b1_four_workers_draining_at_once_queue_each_run_once(acme, queue) -> None:
    other = AnnotationQueueFactory(workspace=acme)
    install_presets(acme, queue, now=NOON)
    install_presets(acme, other, now=NOON)
    runs = random_runs(acme, 120, 8)
    for run_id in runs:  # every run is named by several changes, so that workers meet
        changes.note(acme, Change.Kind.RUN, [run_id])
    changes.note(acme, Change.Kind.RUN, runs)
    barrier, errors = threading.Barrier(4), []

    def work() -> None:
        try:
            barrier.wait()
            drain_all(limit=5)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain_all()
    assert errors == []
    assert not Change.objects.exists()
    for each in (queue, other):
        assert decided(each) == oracle(each, runs)
    assert Seat.objects.filter(queue=queue).count() == 2 * queue.items.count()


def test_a_batch_of_several_workspaces_is_routed_for_each(acme, rival, queue) -> None:
    theirs = AnnotationQueueFactory(workspace=rival)
    make_rule(queue, "eq(is_root, true)")
    make_rule(theirs, "eq(is_root, true)")
    mine, hers = make_run(acme), make_run(rival)
    assert drain(250, NOON) == 2
    assert (routed(queue), routed(theirs)) == ([mine.id], [hers.id])


def test_a_change_of_unknown_runs_is_done(acme, queue) -> None:
    make_rule(queue, "eq(is_root, true)")
    changes.note(acme, Change.Kind.FEEDBACK, [uuid4()])
    assert drain_all() == 1
    assert not Change.objects.exists()


def test_added_at_is_the_time_of_routing(acme, queue) -> None:
    make_rule(queue, "eq(is_root, true)")
    make_run(acme)
    drain(10, NOON + timedelta(minutes=1))
    assert QueueItem.objects.get().added_at == NOON + timedelta(minutes=1)
