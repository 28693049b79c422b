"""Route changed runs to the targets of the rules that select them, each with the reason.

`drain` claims Change rows, evaluates every active rule of their workspaces in one statement per
rule, and adds the sampled runs to the queues in one statement. The claimed rows are deleted in the
same transaction, so a crash anywhere repeats the whole step and repeating it changes nothing:
(queue, run) is unique, the draw is a hash, a decision is written once per rule and item.

Evaluating and adding are separate because the inclusion probability of an item depends on all rules
that matched, also those that did not select the run; and because one ordered insert for all queues
cannot deadlock with the insert of another worker.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from annotations.routing import delivery, run_status
from annotations.routing.ceilings import Ceilings
from annotations.routing.matching import Held, active_rules, ask, ended
from observatory.feedback import record, reflection
from observatory.runs import changes
from observatory.runs.models import Change
from observatory.workspaces.models import Workspace

log = logging.getLogger(__name__)

BATCH = 250  # Change rows per transaction
CHUNK = 5_000  # runs per statement


def drain(limit: int, now: datetime) -> int:
    """Route the runs of up to `limit` due Change rows; return how many rows were claimed.

    0 means that nothing is due (or claimed by other workers). May be called by any number of
    workers at once. A rule that fails on some runs delays no other: those runs are tried again
    later, five times, and then wait in the dead letters for `redrive`.
    """
    with transaction.atomic():
        claimed = changes.claim(limit)
        by_workspace: dict[int, list[Change]] = defaultdict(list)
        for change in claimed:
            by_workspace[change.workspace_id].append(change)
        acted_on: list[int] = []
        for workspace_id, group in sorted(by_workspace.items()):
            run_ids = sorted({run_id for change in group for run_id in change.run_ids})
            failures = route(workspace_id, run_ids, now)
            acted_on += _settle(group, failures, now)
        Change.objects.filter(pk__in=acted_on).delete()
    return len(claimed)


def _settle(group: Sequence[Change], failures: dict[UUID, str], now: datetime) -> list[int]:
    """Postpone the failing runs of failed changes, and return the rows that are done."""
    done = []
    for change in group:
        bad = [run_id for run_id in change.run_ids if run_id in failures]
        if not bad:
            done.append(change.pk)
            continue
        Change.objects.filter(pk=change.pk).update(run_ids=bad)
        changes.fail(change, failures[bad[0]], now)
        log.warning("change %d put off: %s", change.pk, failures[bad[0]])
    return done


def route(workspace_id: int, run_ids: Sequence[UUID], now: datetime) -> dict[UUID, str]:
    """Apply the workspace's rules to these runs, in the caller's transaction.

    Only runs that have ended are evaluated. Returns the runs on which a rule failed, with the
    error; everything else is in its queue.
    """
    workspace = Workspace.objects.get(pk=workspace_id)
    record.attach(workspace, run_ids, is_thorough=True)
    run_status.sync_annotation_status(workspace, run_ids, now)
    reflection.sync_feedback_from_attributes(workspace, run_ids, now)
    failures: dict[UUID, str] = {}
    active, broken = active_rules(workspace_id)
    if broken:
        failures.update(dict.fromkeys(run_ids, broken))
    ceilings = Ceilings.lock([rule.rule for rule in active if rule.rule.is_enabled], now)
    for start in range(0, len(run_ids), CHUNK) if active else ():
        runs, roots = ended(workspace_id, list(run_ids[start : start + CHUNK]))
        held: list[Held] = []
        for rule in active:
            matches, failed = ask(rule, workspace_id, roots if rule.is_of_roots else runs)
            held += matches
            failures.update(failed)
        delivery.deliver(workspace, held, now, ceilings=ceilings)
    return failures


def redrive(now: datetime) -> int:
    """Make every dead change due again; return how many."""
    return changes.revive(now)
