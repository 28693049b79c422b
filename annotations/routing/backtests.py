"""Back-tests: what a rule would have selected of past runs, by the code of the live router."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from annotations.models import BackTest, QueueItem, RoutingRule
from annotations.routing import known_failures, past_runs, thresholds
from annotations.routing.matching import ActiveRule, Held, Runs, active_rules, ask, ended
from annotations.routing.placing import explain
from annotations.routing.presets import PRESETS
from annotations.routing.rules import RuleDefinition, check_definition
from observatory.runs.facts import facts_of
from observatory.runs.filters.grammar import parse
from observatory.runs.models import Project
from observatory.workspaces.models import User, Workspace

MAX_DAYS = 90
MAX_WORK_S = 600.0  # of a back-test; it then stops with what it has
N_SAMPLES = 20
State = BackTest.State
OnSelected = Callable[[Sequence[UUID]], None]


def request(
    workspace: Workspace,
    definition: RuleDefinition,
    *,
    days: int,
    now: datetime,
    by: User | None = None,
    has_curve: bool = False,
) -> BackTest:
    """Store a back-test of `definition` over the runs started in the last `days` (1 to MAX_DAYS).

    With `has_curve` it also tries other values of the first numeric bound of the filter, which
    takes several times as long. Raises ValueError for a filter without one.
    The rule need not exist: create it with the uuid of the back-test's rule, and it selects the
    same runs. Raises what `rules.set_rule` raises for an invalid definition, and ValueError for
    other numbers of days.
    """
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"a back-test covers 1 to {MAX_DAYS} days, got {days}")
    check_definition(workspace, definition)
    if has_curve and thresholds.bound_of(parse(definition.filter)) is None:
        raise ValueError("a curve needs a filter with a bound on a number, such as lt(latency, 5)")
    queue = definition.queue
    return BackTest.objects.create(
        workspace=workspace,
        rule_uuid=definition.uuid or uuid4(),
        definition={
            "name": definition.name,
            "filter": definition.filter,
            "projects": sorted(project.pk for project in definition.projects),
            "sampling_rate": definition.sampling_rate,
            "daily_limit": definition.daily_limit,
            "queue": queue.pk if queue is not None else None,
            "has_curve": has_curve,
        },
        started_from=now - timedelta(days=days),
        started_before=now,
        requested_by=by,
        requested_at=now,
        result={
            "days": {},
            "overlap": {},
            "n_in_queue": 0,
            "n_failed_on": 0,
            "failures": {"known": 0, "caught": 0},
            "reviewed": {"selected": 0, "wrong": 0},
            "curve": {},
            "samples": [],
        },
    )


def cancel(test: BackTest, now: datetime) -> bool:
    """Stop a back-test after its present step; return False when it was over."""
    unfinished = BackTest.objects.filter(pk=test.pk, state__in=(State.WAITING, State.RUNNING))
    return unfinished.update(state=State.CANCELED, finished_at=now) == 1


@transaction.atomic
def step(test_id: int, now: datetime, on_selected: OnSelected | None = None) -> bool:
    """Take the next step of a back-test; return whether there is more to do.

    Nothing is done while another worker is at it. The result and the cursor are written in the
    transaction of the step, so a step that is interrupted is taken again and counted once.
    `on_selected` gets the selected runs of the step.
    """
    test = (
        BackTest.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk=test_id, state__in=(State.WAITING, State.RUNNING))
        .select_related("workspace")
        .first()
    )
    if test is None:
        return BackTest.objects.filter(
            pk=test_id, state__in=(State.WAITING, State.RUNNING)
        ).exists()
    begun_at = time.monotonic()
    rule = _rule(test)
    part = past_runs.next_step(test.workspace_id, rule, test)
    if part.runs:
        selected = _evaluate(test, rule, part)
        if on_selected is not None:
            on_selected(selected)
        test.cursor, test.state = part.cursor, State.RUNNING
        test.n_looked_at += len(part.runs)
    test.worked_s += time.monotonic() - begun_at
    if len(part.runs) < past_runs.STEP:
        test.state, test.finished_at = State.DONE, now
    elif test.worked_s > MAX_WORK_S:
        test.state, test.finished_at = State.STOPPED, now
    test.save()
    return not test.is_over


def _rule(test: BackTest) -> ActiveRule:
    """Return the tested rule as the router would see it."""
    definition = test.definition
    rule = RoutingRule(
        workspace_id=test.workspace_id,
        uuid=test.rule_uuid,
        name=definition["name"],
        filter=definition["filter"],
        sampling_rate=definition["sampling_rate"],
        queue_id=definition["queue"],
        is_enabled=True,
    )
    projects = Project.objects.filter(workspace=test.workspace_id, pk__in=definition["projects"])
    pks = list(projects.values_list("pk", flat=True)) if definition["projects"] else None
    return ActiveRule(rule, parse(rule.filter), pks)


def _evaluate(test: BackTest, rule: ActiveRule, part: past_runs.Step) -> list[UUID]:
    """Add a step to the result; return the runs that the rule selects."""
    workspace_id = test.workspace_id
    runs, _ = ended(workspace_id, [run_id for _, run_id in part.runs])
    matches, failed = ask(rule, workspace_id, runs)
    selected = {match.run_id for match in matches if match.is_selected}
    result = test.result
    result["n_failed_on"] += len(failed)
    _count_days(result, part, matches)
    _count_overlap(result, rule, workspace_id, Runs(sorted(selected)))
    has_curve = test.definition["has_curve"]
    _count_failures(result, rule, workspace_id, runs, selected, has_curve)
    if rule.rule.queue_id is not None and selected:
        result["n_in_queue"] += QueueItem.objects.filter(
            queue=rule.rule.queue_id, run_id__in=selected
        ).count()
    newest = [run_id for _, run_id in part.runs if run_id in selected]
    wanted = newest[: N_SAMPLES - len(result["samples"])]
    facts = facts_of(workspace_id, wanted) if wanted else {}
    result["samples"] += [
        {"run": str(run_id), "clauses": explain(rule.node, facts[run_id])} for run_id in wanted
    ]
    return newest


def _count_days(result: dict[str, Any], part: past_runs.Step, matches: Sequence[Held]) -> None:
    started = {run_id: start_time for start_time, run_id in part.runs}
    days = result["days"]

    def add(run_id: UUID, name: str) -> None:
        day = started[run_id].astimezone(UTC).date().isoformat()
        counts = days.setdefault(day, {"runs": 0, "matched": 0, "selected": 0})
        counts[name] += 1

    for run_id in started:
        add(run_id, "runs")
    for match in matches:
        add(match.run_id, "matched")
        if match.is_selected:
            add(match.run_id, "selected")


def _count_overlap(
    result: dict[str, Any], rule: ActiveRule, workspace_id: int, selected: Runs
) -> None:
    """Count the runs that each other rule, on or in shadow, selects as well."""
    others, _ = active_rules(workspace_id)
    for other in others:
        if other.rule.uuid != rule.rule.uuid:
            matches, _ = ask(other, workspace_id, selected)
            name = str(other.rule.uuid)
            n_before = result["overlap"].get(name, 0)
            result["overlap"][name] = n_before + sum(match.is_selected for match in matches)


def _count_failures(
    result: dict[str, Any],
    rule: ActiveRule,
    workspace_id: int,
    runs: Runs,
    selected: set[UUID],
    has_curve: bool,
) -> None:
    """Count known failures and those caught, and of the reviewed runs how many are wrong."""
    preset = PRESETS["negative-feedback"]
    every = RoutingRule(uuid=rule.rule.uuid, name=preset.title, filter=preset.filter)
    negative, _ = ask(ActiveRule(every, parse(preset.filter), rule.projects), workspace_id, runs)
    reviewed = known_failures.reviewed(workspace_id, runs.ids)
    wrong = {run_id for run_id, is_wrong in reviewed.items() if is_wrong}
    failures = {match.run_id for match in negative} | wrong
    result["failures"]["known"] += len(failures)
    result["failures"]["caught"] += len(failures & selected)
    result["reviewed"]["selected"] += len(selected & reviewed.keys())
    result["reviewed"]["wrong"] += len(selected & wrong)
    if has_curve:
        _count_thresholds(result["curve"], rule, workspace_id, runs, failures)


def _count_thresholds(
    curve: dict[str, Any], rule: ActiveRule, workspace_id: int, runs: Runs, failures: set[UUID]
) -> None:
    """Count the runs selected, and the failures among them, at each value of the bound.

    From the loosest value to the strictest, each of which selects some of those before it.
    """
    bound = thresholds.bound_of(rule.node)
    assert bound is not None  # `request` has checked it
    for value in thresholds.thresholds(bound):
        matches, _ = ask(
            replace(rule, node=thresholds.at(rule.node, bound, value)), workspace_id, runs
        )
        runs = Runs(sorted(match.run_id for match in matches))
        selected = {match.run_id for match in matches if match.is_selected}
        counts = curve.setdefault(f"{value:g}", {"selected": 0, "caught": 0})
        counts["selected"] += len(selected)
        counts["caught"] += len(selected & failures)


_MEDIAN = """
SELECT q.reviewers_per_item, (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY newest.dwell_ms) / 1000.0 FROM (
        SELECT v.dwell_ms FROM annotations_review v
        WHERE v.queue_id = q.id AND v.retracted_at IS NULL AND v.dwell_ms IS NOT NULL
        ORDER BY v.submitted_at DESC LIMIT 1000) newest)
FROM annotations_annotationqueue q WHERE q.workspace_id = %s AND q.id = %s
"""


def reviewer_hours(test: BackTest) -> float | None:
    """Return the hours that reviewing what the rule would have added takes; None if unknown.

    Runs that were not in the queue, times its reviewers per item, times the median time of its
    newest 1,000 reviews. None for a rule without a queue, or a queue without timed reviews.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MEDIAN, [test.workspace_id, test.definition["queue"]])
        row = cursor.fetchone()
    if row is None or row[1] is None:
        return None
    n_new = sum(sent_of(test).values()) - test.result["n_in_queue"]
    return float(max(0, n_new) * row[0] * row[1] / 3600)


def sent_of(test: BackTest) -> dict[str, int]:
    """Return the runs selected per day (UTC), up to the daily limit."""
    limit = test.definition["daily_limit"]
    return {
        day: counts["selected"] if limit is None else min(counts["selected"], limit)
        for day, counts in sorted(test.result["days"].items())
    }
