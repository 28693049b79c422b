"""Back-tests equal the live router item for item; backfills resume and may run twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotations.models import BackfillStep, BackTest, QueueItem, Review, RoutingDecision, RuleMatch
from annotations.routing import backfills, backtests, past_runs, thresholds
from annotations.routing.presets import PRESETS
from annotations.routing.rules import RuleDefinition, definition_from, set_rule, set_state
from annotations.tasks import continue_rule_work
from observatory.runs import changes
from observatory.runs.filters.grammar import FilterError, parse, unparse
from observatory.runs.models import Change, Run
from tests.annotations.routing_world import drain_all, judge, make_rule, make_run, random_runs
from tests.conftest import NOON
from tests.factories import (
    AnnotationQueueFactory,
    ProjectFactory,
    QueueItemFactory,
    UserFactory,
)

ROOTS = "eq(is_root, true)"


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme, reviewers_per_item=2)


def back_test(workspace, definition, days: int = 1) -> tuple[BackTest, list]:
    """Run a back-test to its end; return it with the selected runs."""
    test = backtests.request(workspace, definition, days=days, now=NOON)
    selected: list = []
    while backtests.step(test.pk, NOON, selected.extend):
        pass
    test.refresh_from_db()
    return test, selected


def routed(queue) -> set:
    return set(queue.items.values_list("run_id", flat=True))


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("rate", [1.0, 0.4])
def test_b9_the_back_test_of_a_day_equals_the_live_router_item_for_item(
    acme, queue, monkeypatch, preset, rate
) -> None:
    monkeypatch.setattr(past_runs, "STEP", 17)
    ids = random_runs(acme, 120, seed=11)
    experiment = ProjectFactory(workspace=acme, reference_dataset_id=uuid4())
    application = ProjectFactory(workspace=acme)
    ids += [make_run(acme, project=project, error="E").id for project in (experiment, application)]
    drain_all()
    definition = RuleDefinition(
        name="tested",
        filter=PRESETS[preset].filter,
        queue=queue,
        sampling_rate=rate,
        uuid=uuid4(),
    )
    _, selected = back_test(acme, definition)
    assert len(selected) == len(set(selected))
    set_rule(acme, definition, now=NOON, is_enabled=True)
    changes.note(acme, Change.Kind.RUN, ids)
    drain_all()
    assert set(selected) == routed(queue)


def test_b9_a_rule_of_some_projects_is_tested_on_these(acme, queue) -> None:
    here, there = ProjectFactory.create_batch(2, workspace=acme)
    wanted = make_run(acme, project=here)
    make_run(acme, project=there)
    make_run(acme)
    _, selected = back_test(acme, RuleDefinition("a", ROOTS, queue, projects=[here]))
    assert selected == [wanted.id]


def test_a_back_test_counts_days_and_stops_at_the_daily_limit(acme, queue) -> None:
    for hours in (1, 2, 3, 30):
        run = make_run(acme)
        Run.objects.filter(workspace=acme, id=run.id).update(
            start_time=NOON - timedelta(hours=hours)
        )
    test, _ = back_test(acme, RuleDefinition("a", ROOTS, queue, daily_limit=2), days=3)
    counts = [
        (day["runs"], day["matched"], day["selected"]) for day in test.result["days"].values()
    ]
    assert counts == [(1, 1, 1), (3, 3, 3)]
    assert list(backtests.sent_of(test).values()) == [1, 2]


def test_a_back_test_sends_nothing(acme, queue) -> None:
    make_run(acme)
    drain_all()
    back_test(acme, RuleDefinition("a", ROOTS, queue))
    assert not QueueItem.objects.exists()
    assert not RuleMatch.objects.exists()
    assert not RoutingDecision.objects.exists()
    assert not Change.objects.exists()


def test_it_tells_the_overlap_with_other_rules_and_what_is_in_the_queue(acme, queue) -> None:
    other = make_rule(AnnotationQueueFactory(workspace=acme), 'eq(status, "error")')
    failed = make_run(acme, error="Timeout")
    make_run(acme)
    QueueItemFactory(queue=queue, run_id=failed.id)
    test, _ = back_test(acme, RuleDefinition("a", ROOTS, queue))
    assert test.result["overlap"] == {str(other.uuid): 1}
    assert test.result["n_in_queue"] == 1


def review(queue, run_id, *, correction=None, state="completed", dwell_ms=60_000) -> None:
    item = QueueItemFactory(queue=queue, run_id=run_id, state=state)
    Review.objects.create(
        workspace=queue.workspace,
        submission_id=uuid4(),
        queue=queue,
        item=item,
        reviewer=UserFactory(),
        rubric_version=1,
        scores={},
        correction=correction,
        dwell_ms=dwell_ms,
        submitted_at=NOON,
    )


def test_it_counts_known_failures_and_the_precision_among_completed_items_only(acme, queue) -> None:
    elsewhere = AnnotationQueueFactory(workspace=acme)
    runs = [make_run(acme, error=error) for error in ("E", "E", "E", None, None)]
    review(elsewhere, runs[0].id, correction={"outputs": 1})
    review(elsewhere, runs[1].id)
    review(elsewhere, runs[2].id, correction={"outputs": 1}, state="open")  # still to be judged
    judge(acme, runs[3].id, "user_rating", score=0.0)
    test, _ = back_test(acme, RuleDefinition("a", f'and({ROOTS}, eq(status, "error"))', queue))
    assert test.result["failures"] == {"known": 2, "caught": 1}
    assert test.result["reviewed"] == {"selected": 2, "wrong": 1}


def test_reviewer_hours_come_from_the_median_of_the_queues_reviews(acme, queue) -> None:
    for dwell_ms in (30_000, 60_000, 600_000):
        review(queue, make_run(acme, is_ended=False).id, dwell_ms=dwell_ms)
    for _ in range(3):
        make_run(acme)
    test, selected = back_test(acme, RuleDefinition("a", ROOTS, queue))
    assert len(selected) == 3
    assert backtests.reviewer_hours(test) == pytest.approx(3 * 2 * 60 / 3600)
    bare = AnnotationQueueFactory(workspace=acme)
    test, _ = back_test(acme, RuleDefinition("a", ROOTS, bare))
    assert backtests.reviewer_hours(test) is None


def test_samples_say_why_each_run_matched(acme, queue) -> None:
    run = make_run(acme, metadata={"confidence": 0.5})
    definition = RuleDefinition("a", PRESETS["low-confidence"].filter, queue)
    test, _ = back_test(acme, definition)
    (sample,) = test.result["samples"]
    assert sample["run"] == str(run.id)
    assert any(clause["actual"] == 0.5 for clause in sample["clauses"])


def test_an_interrupted_back_test_goes_on_and_counts_each_run_once(
    acme, queue, monkeypatch
) -> None:
    monkeypatch.setattr(past_runs, "STEP", 2)
    for _ in range(5):
        make_run(acme)
    test = backtests.request(acme, RuleDefinition("a", ROOTS, queue), days=1, now=NOON)
    assert backtests.step(test.pk, NOON)
    with pytest.raises(RuntimeError):
        backtests.step(test.pk, NOON, fail)
    continue_rule_work()
    test.refresh_from_db()
    assert (test.state, test.n_looked_at) == ("done", 5)
    assert sum(backtests.sent_of(test).values()) == 5


def fail(run_ids) -> None:
    raise RuntimeError("killed")


def test_a_back_test_stops_at_its_time_limit_with_what_it_has(acme, queue, monkeypatch) -> None:
    monkeypatch.setattr(past_runs, "STEP", 2)
    monkeypatch.setattr(backtests, "MAX_WORK_S", 0.0)
    for _ in range(5):
        make_run(acme)
    test, selected = back_test(acme, RuleDefinition("a", ROOTS, queue))
    assert (test.state, len(selected)) == ("stopped", 2)


def test_a_canceled_back_test_takes_no_further_step(acme, queue) -> None:
    make_run(acme)
    test = backtests.request(acme, RuleDefinition("a", ROOTS, queue), days=1, now=NOON)
    assert backtests.cancel(test, NOON)
    assert not backtests.step(test.pk, NOON)
    assert not backtests.cancel(test, NOON)
    test.refresh_from_db()
    assert (test.state, test.n_looked_at) == ("canceled", 0)


def test_runs_of_another_workspace_are_never_looked_at(acme, rival, queue) -> None:
    make_run(rival)
    test, selected = back_test(acme, RuleDefinition("a", ROOTS, queue))
    assert (selected, test.n_looked_at) == ([], 0)


def test_an_invalid_rule_is_refused_before_it_is_tested(acme, rival, queue) -> None:
    theirs = AnnotationQueueFactory(workspace=rival)
    with pytest.raises(FilterError):
        backtests.request(acme, RuleDefinition("a", "eq(", queue), days=1, now=NOON)
    with pytest.raises(ValueError, match="own workspace"):
        backtests.request(acme, RuleDefinition("a", ROOTS, theirs), days=1, now=NOON)
    with pytest.raises(ValueError, match="1 to 90 days"):
        backtests.request(acme, RuleDefinition("a", ROOTS, queue), days=91, now=NOON)


# The curve ----------------------------------------------------------------------------------------


def test_the_curve_counts_what_the_rule_would_select_at_each_threshold(
    acme, queue, monkeypatch
) -> None:
    monkeypatch.setattr(past_runs, "STEP", 25)
    random_runs(acme, 100, seed=3)
    text = PRESETS["low-confidence"].filter
    definition = RuleDefinition("a", text, queue, sampling_rate=0.6, uuid=uuid4())
    test = backtests.request(acme, definition, days=1, now=NOON, has_curve=True)
    while backtests.step(test.pk, NOON):
        pass
    test.refresh_from_db()
    curve = test.result["curve"]
    for value in (0.35, 0.7, 0.85):
        moved = text.replace("0.7", str(value)).replace(" 70)", f" {value * 100:g})")
        alone, selected = back_test(acme, replace(definition, filter=moved))
        assert curve[f"{value:g}"] == {
            "selected": len(selected),
            "caught": alone.result["failures"]["caught"],
        }
    assert curve["1"]["selected"] > curve["0.7"]["selected"] > curve["0.05"]["selected"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PRESETS["low-confidence"].filter, (True, 0.7)),
        ("gt(latency, 5)", (False, 5.0)),
        ('and(eq(feedback_key, "a"), lte(feedback_score, 0.25))', (True, 0.25)),
        ("not(gt(latency, 5))", None),
        (ROOTS, None),
        ("gt(latency, 0)", None),
    ],
)
def test_the_bound_of_a_curve_is_the_first_number_that_may_be_loosened(text, expected) -> None:
    bound = thresholds.bound_of(parse(text))
    assert (bound and (bound.is_upper, bound.value)) == expected


def test_a_filter_at_its_own_threshold_is_itself() -> None:
    for text in (PRESETS["low-confidence"].filter, "and(gt(latency, 5), lt(total_cost, 2))"):
        node = parse(text)
        bound = thresholds.bound_of(node)
        assert thresholds.at(node, bound, bound.value) == node
    node = parse("and(gt(latency, 5), lt(total_cost, 5))")
    assert unparse(thresholds.at(node, thresholds.bound_of(node), 2.5)) == (
        "and(gt(latency, 2.5), lt(total_cost, 5))"
    )


def test_a_curve_needs_a_bound(acme, queue) -> None:
    with pytest.raises(ValueError, match="bound on a number"):
        backtests.request(acme, RuleDefinition("a", ROOTS, queue), days=1, now=NOON, has_curve=True)


# Backfills ----------------------------------------------------------------------------------------


def filled(rule, **window):
    return backfills.request(
        rule, started_from=NOON - timedelta(days=1), started_before=NOON, now=NOON, **window
    )


def test_a_backfill_sends_what_the_back_test_has_shown_with_reasons_and_a_log(
    acme, queue, monkeypatch
) -> None:
    monkeypatch.setattr(past_runs, "STEP", 40)
    random_runs(acme, 100, seed=5)
    drain_all()
    rule = make_rule(queue, PRESETS["low-confidence"].filter, sampling_rate=0.7, daily_limit=1)
    _, selected = back_test(acme, definition_from(rule))
    backfill = filled(rule)
    while backfills.step(backfill.pk, NOON):
        pass
    backfill.refresh_from_db()
    assert routed(queue) == set(selected)
    assert (backfill.state, backfill.n_sent) == ("done", len(selected))
    assert RoutingDecision.objects.filter(rule=rule, rule_version=1).count() == len(selected)
    log = BackfillStep.objects.filter(backfill=backfill)
    assert sum(row.n_sent for row in log) == len(selected)
    assert sum(row.n_looked_at for row in log) == backfill.n_looked_at


def test_a_second_backfill_changes_nothing(acme, queue) -> None:
    make_run(acme)
    drain_all()
    rule = make_rule(queue, ROOTS)
    for n_sent in (1, 0):
        backfill = filled(rule)
        continue_rule_work()
        backfill.refresh_from_db()
        assert (backfill.state, backfill.n_sent) == ("done", n_sent)
    assert RoutingDecision.objects.count() == 1


def test_a_backfill_is_canceled_between_steps_and_keeps_what_it_has_sent(
    acme, queue, monkeypatch
) -> None:
    monkeypatch.setattr(past_runs, "STEP", 2)
    for _ in range(5):
        make_run(acme)
    drain_all()
    backfill = filled(make_rule(queue, ROOTS))
    assert backfills.step(backfill.pk, NOON)
    assert backfills.cancel(backfill, NOON)
    assert not backfills.step(backfill.pk, NOON)
    assert queue.items.count() == 2


def test_a_backfill_ends_when_its_rule_is_edited_or_off(acme, queue) -> None:
    make_run(acme)
    drain_all()
    rule = make_rule(queue, ROOTS)
    backfill = filled(rule)
    with pytest.raises(ValueError, match="not over"):
        filled(rule)
    set_state(rule, "off", now=NOON)
    assert not backfills.step(backfill.pk, NOON)
    backfill.refresh_from_db()
    assert (backfill.state, backfill.error) == ("failed", "the rule was switched off or edited")
    assert not queue.items.exists()
    with pytest.raises(ValueError, match="that is on"):
        filled(rule)


# The command --------------------------------------------------------------------------------------


def said(*words: str) -> str:
    out = StringIO()
    call_command("rules", *words, stdout=out)
    return out.getvalue()


def test_the_command_tests_switches_fills_and_lists(acme, queue) -> None:
    rule = make_rule(queue, 'eq(status, "error")', name="Errors", is_enabled=False)
    run = make_run(acme, error="Timeout")
    drain_all()
    days = ["--days", "2"]
    recently = timezone.now() - timedelta(minutes=5)
    Run.objects.filter(workspace=acme).update(start_time=recently)
    tested_by_name = said("test", acme.slug, "Errors", "--runs", *days)
    assert str(run.id) in tested_by_name
    assert "Done: 1 runs" in tested_by_name
    unsaved = said("test", acme.slug, "--filter", ROOTS, "--queue", queue.name, *days)
    assert "known failures caught: 0 of 0" in unsaved
    assert said("switch", acme.slug, "Errors", "on", "--reason", "tested") == "Errors: on\n"
    assert "1 sent" in said("backfill", acme.slug, "Errors", *days)
    assert "v1   Errors: 1 sent, 0 held back" in said("list", acme.slug)
    assert rule.switches.get(state="on").reason == "tested"
    for words in (("list", "elsewhere"), ("test", acme.slug, "None"), ("test", acme.slug)):
        with pytest.raises(CommandError):
            said(*words)
