"""Backfills: a rule that is on, applied to past runs. Resumable, logged, safe to run twice."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from annotations.models import Backfill, BackfillStep, RoutingRule
from annotations.routing import delivery, past_runs
from annotations.routing.matching import ActiveRule, Held, Runs, active_rules, ask, ended
from observatory.workspaces.models import User

State = Backfill.State
UNFINISHED = (State.WAITING, State.RUNNING)


def request(
    rule: RoutingRule,
    *,
    started_from: datetime,
    started_before: datetime,
    now: datetime,
    by: User | None = None,
) -> Backfill:
    """Store a backfill of `rule` over the runs started from .. before (exclusive).

    The daily limit does not apply: a user asked for these runs. Raises ValueError when the rule is
    not on, the window is empty, or a backfill of the rule is not over.
    """
    if not rule.is_enabled:
        raise ValueError("only a rule that is on can be backfilled")
    if started_from >= started_before:
        raise ValueError("a backfill starts before it ends")
    with transaction.atomic():
        RoutingRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
        if Backfill.objects.filter(rule=rule, state__in=UNFINISHED).exists():
            raise ValueError("a backfill of this rule is not over yet")
        return Backfill.objects.create(
            rule=rule,
            rule_version=rule.version,
            started_from=started_from,
            started_before=started_before,
            requested_by=by,
            requested_at=now,
        )


def cancel(backfill: Backfill, now: datetime) -> bool:
    """Stop a backfill after its present step; return False when it was over."""
    unfinished = Backfill.objects.filter(pk=backfill.pk, state__in=UNFINISHED)
    return unfinished.update(state=State.CANCELED, finished_at=now) == 1


@transaction.atomic
def step(backfill_id: int, now: datetime) -> bool:
    """Take the next step of a backfill; return whether there is more to do.

    Nothing is done while another worker is at it. What is sent, the log and the cursor are one
    transaction. A rule that was switched off or edited meanwhile fails its backfill.
    """
    backfill = (
        Backfill.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk=backfill_id, state__in=UNFINISHED)
        .select_related("rule__workspace")
        .first()
    )
    if backfill is None:
        return Backfill.objects.filter(pk=backfill_id, state__in=UNFINISHED).exists()
    begun_at = time.monotonic()
    rules, _ = active_rules(backfill.rule.workspace_id)
    rule = next((each for each in rules if each.rule.pk == backfill.rule_id), None)
    if rule is None or not rule.rule.is_enabled or rule.rule.version != backfill.rule_version:
        backfill.state, backfill.finished_at = State.FAILED, now
        backfill.error = "the rule was switched off or edited"
        backfill.save()
        return False
    part = past_runs.next_step(rule.rule.workspace_id, rule, backfill)
    if part.runs:
        _send(backfill, rule, rules, part, now)
        backfill.cursor, backfill.state = part.cursor, State.RUNNING
    if len(part.runs) < past_runs.STEP:
        backfill.state, backfill.finished_at = State.DONE, now
    backfill.worked_s += time.monotonic() - begun_at
    backfill.save()
    return not backfill.is_over


def _send(
    backfill: Backfill,
    rule: ActiveRule,
    rules: list[ActiveRule],
    part: past_runs.Step,
    now: datetime,
) -> None:
    """Send the selected runs of a step and log it.

    The other live rules of the queue are asked about these runs, too: their reasons and rates
    belong to the items, as when the runs were routed live.
    """
    workspace = backfill.rule.workspace
    runs, _ = ended(workspace.pk, [run_id for _, run_id in part.runs])
    matches, failed = ask(rule, workspace.pk, runs)
    selected = [match for match in matches if match.is_selected]
    chosen = Runs(sorted(match.run_id for match in selected))
    sent: list[Held] = list(selected)
    for other in rules:
        is_of_the_queue = rule.rule.queue_id and other.rule.queue_id == rule.rule.queue_id
        if other.rule.pk != rule.rule.pk and is_of_the_queue and other.rule.is_enabled:
            others, _ = ask(other, workspace.pk, chosen)
            is_limited = other.rule.daily_limit is not None
            sent += [replace(match, is_held_back=is_limited) for match in others]
    n_sent = delivery.deliver(workspace, sent, now)
    backfill.n_looked_at += len(part.runs)
    backfill.n_selected += len(selected)
    backfill.n_sent += n_sent
    if failed:
        backfill.error = f"the rule failed on {len(failed)} runs of a step: {min(failed.values())}"
    BackfillStep.objects.create(
        backfill=backfill,
        at=now,
        newest=part.runs[0][0],
        oldest=part.runs[-1][0],
        n_looked_at=len(part.runs),
        n_selected=len(selected),
        n_sent=n_sent,
    )
