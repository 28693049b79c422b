"""B4: one poison run or rule never blocks others, and waits where it can be tried again."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from annotations.models import RoutingRule
from annotations.routing import matching, placing, routing
from observatory.runs import changes
from observatory.runs.models import Change
from tests.annotations.routing_world import make_rule, make_run
from tests.factories import AnnotationQueueFactory


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme)


@pytest.fixture
def poison(monkeypatch):
    """Make the filter of rules on run_type "chain" fail on runs named poison, as a bug would."""
    honest = matching.where

    def where(node, alias):
        sql, parameters = honest(node, alias)
        if "run_type" in sql:
            sql += f" AND 1 / (CASE WHEN {alias}.name = 'poison' THEN 0 ELSE 1 END) = 1"
        return sql, parameters

    monkeypatch.setattr(matching, "where", where)
    return lambda: monkeypatch.setattr(matching, "where", honest)


def drain_all() -> int:
    """Route what is due by the real clock, which decides when a failed change is due again."""
    return routing.drain(250, timezone.now())


def attempts() -> list[int]:
    return list(Change.objects.order_by("id").values_list("attempts", flat=True))


def due_now() -> None:
    Change.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_b4_a_poison_run_is_put_off_and_its_neighbours_are_routed(acme, queue, poison) -> None:
    make_rule(queue, 'eq(run_type, "chain")')
    good = [make_run(acme, is_noted=False) for _ in range(30)]
    bad = make_run(acme, name="poison", is_noted=False)
    changes.note(acme, Change.Kind.RUN, [run.id for run in (*good[:15], bad, *good[15:])])
    changes.note(acme, Change.Kind.RUN, [good[0].id])
    assert drain_all() == 2
    assert set(queue.items.values_list("run_id", flat=True)) == {run.id for run in good}
    left = Change.objects.get()
    assert (left.run_ids, left.attempts, left.is_dead) == ([bad.id], 1, False)
    assert "division by zero" in left.last_error


def test_b4_many_poison_runs_cost_their_good_neighbours_nothing(acme, queue, poison) -> None:
    make_rule(queue, 'eq(run_type, "chain")')
    runs = [
        make_run(acme, name="poison" if n % 5 == 0 else "good", is_noted=False) for n in range(200)
    ]
    changes.note(acme, Change.Kind.RUN, [run.id for run in runs])
    drain_all()
    good = {run.id for run in runs if run.name == "good"}
    assert set(queue.items.values_list("run_id", flat=True)) == good
    assert set(Change.objects.get().run_ids) == {run.id for run in runs} - good


def test_b4_other_rules_route_the_poison_run_of_one(acme, queue, poison) -> None:
    make_rule(queue, 'eq(run_type, "chain")')
    make_rule(queue, 'eq(name, "poison")')
    bad = make_run(acme, name="poison")
    drain_all()
    assert queue.items.get().run_id == bad.id
    assert attempts() == [1]


def test_b4_it_is_dead_after_five_attempts_and_redrive_brings_it_back(acme, queue, poison) -> None:
    make_rule(queue, 'eq(run_type, "chain")', name="Chains")
    bad = make_run(acme, name="poison")
    for _ in range(5):
        assert drain_all() == 1
        due_now()
    assert drain_all() == 0
    assert Change.objects.get().is_dead
    out = StringIO()
    call_command("redrive", "--list", stdout=out)
    assert "rule 'Chains'" in out.getvalue()
    poison()  # mended
    out = StringIO()
    call_command("redrive", stdout=out)
    assert "1 changes are due again" in out.getvalue()
    assert drain_all() == 1
    assert queue.items.get().run_id == bad.id
    assert not Change.objects.exists()


def test_b4_it_is_tried_again_later_and_later(acme, queue, poison) -> None:
    make_rule(queue, 'eq(run_type, "chain")')
    make_run(acme, name="poison")
    waits = []
    for _ in range(4):
        drain_all()
        waits.append(round((Change.objects.get().due_at - timezone.now()).total_seconds()))
        due_now()
    assert waits == [5, 10, 20, 40]


def test_b4_a_rule_that_cannot_be_read_keeps_its_runs_and_holds_up_no_other(acme, queue) -> None:
    broken = make_rule(queue, "eq(is_root, true)", name="Broken")
    RoutingRule.objects.filter(pk=broken.pk).update(filter="eq(is_root,")
    make_rule(queue, 'eq(run_type, "chain")')
    run = make_run(acme)
    drain_all()
    assert queue.items.get().run_id == run.id
    assert "Broken" in Change.objects.get().last_error
    RoutingRule.objects.filter(pk=broken.pk).update(filter="eq(is_root, true)")
    due_now()
    drain_all()
    assert queue.items.get().decisions.count() == 2
    assert not Change.objects.exists()


def test_b4_a_rule_that_fails_on_everything_costs_a_bounded_number_of_statements(
    acme, queue, poison, django_assert_max_num_queries
) -> None:
    make_rule(queue, 'eq(run_type, "chain")')
    runs = [make_run(acme, name="poison", is_noted=False).id for _ in range(300)]
    changes.note(acme, Change.Kind.RUN, runs)
    with django_assert_max_num_queries(200):
        drain_all()
    assert sorted(Change.objects.get().run_ids) == sorted(runs)


def test_b4_a_lost_connection_is_nobodys_fault_and_the_changes_stay_as_they_were(
    acme, queue, monkeypatch
) -> None:
    make_rule(queue, 'eq(run_type, "chain")')
    make_run(acme)

    def fail(*args):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(matching, "_ask_once", fail)
    with pytest.raises(OperationalError):
        drain_all()
    assert attempts() == [0]


def test_b4_a_run_is_routed_even_if_its_reason_cannot_be_computed(acme, queue, monkeypatch) -> None:
    make_rule(queue, 'eq(run_type, "chain")')
    run = make_run(acme)

    def fail(*args):
        raise RecursionError

    monkeypatch.setattr(placing, "clauses", fail)
    drain_all()
    item = queue.items.get()
    assert item.run_id == run.id
    assert "could not be computed" in item.decisions.get().clauses[0]["text"]


def test_actual_values_with_nul_and_half_characters_are_kept_readable() -> None:
    assert placing._storable({"a\x00": ["\ud800", "\x00", 1.5, None]}) == {
        "a\N{REPLACEMENT CHARACTER}": ["?", "\N{REPLACEMENT CHARACTER}", 1.5, None]
    }
