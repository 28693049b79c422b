"""Runs that changed -> items in queues, each with the reason why.

`drain` takes Change rows, asks every active rule of their workspaces in one statement a rule
which of the runs it holds on, and adds the sampled ones to the queues in one statement. The
claimed rows are deleted in the same transaction, so a crash anywhere repeats the whole step and
repeating it changes nothing: (queue, run) is unique, the draw is a hash, a decision is written
once a rule and item.

Asking and adding are apart because the inclusion probability of an item needs to know all rules
that held, also those that did not take the run; and because one ordered insert for all queues
cannot deadlock with the insert of another worker.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from django.db import DatabaseError, OperationalError, connection, transaction

from annotations.models import QueueItem, RoutingDecision, RoutingRule
from annotations.queues.queue_items import ADD_ITEMS
from annotations.routing import run_status, sampling
from observatory.feedback import record, reflection
from observatory.runs import changes
from observatory.runs.facts import facts_of
from observatory.runs.filters.compile import where
from observatory.runs.filters.explain import Facts, clauses
from observatory.runs.filters.grammar import And, FilterError, Node, Term, parse
from observatory.runs.models import Change
from observatory.runs.projects import EVALUATORS
from observatory.workspaces.models import Workspace

log = logging.getLogger(__name__)

BATCH = 250  # Change rows a transaction
CHUNK = 5_000  # runs a statement
MAX_FAILING_RUNS = 16  # bad runs found one by one before a rule may be given up for the chunk

# Of a rule's filter, not of the server's state: a statement cancelled for taking too long.
_QUERY_CANCELED = "57014"

Pair = tuple[int, UUID]  # queue, run
_ROOTS = Term("eq", "is_root", True)


class Runs:
    """Some run ids, written for SQL once however many rules are asked about them."""

    def __init__(self, ids: list[UUID]) -> None:
        self.ids = ids

    @cached_property
    def array(self) -> str:
        return "{" + ",".join(map(str, self.ids)) + "}"


@dataclass(frozen=True)
class ActiveRule:
    """A rule that is on, ready to be asked. `projects` None means every application's."""

    rule: RoutingRule
    node: Node
    projects: list[int] | None

    @property
    def is_of_roots(self) -> bool:
        """Return whether the filter says outright that it holds on roots only."""
        return _ROOTS in (self.node.args if isinstance(self.node, And) else (self.node,))


@dataclass(frozen=True)
class Held:
    """A rule's filter held on a run. `draw` decides whether the rule takes it."""

    rule: ActiveRule
    run_id: UUID
    draw: float

    @property
    def is_selected(self) -> bool:
        return self.draw < self.rule.rule.sampling_rate


@dataclass
class Standing:
    """An open item, as the database has it, with the sampling rates of its decisions."""

    id: int
    priority: int
    rates: dict[UUID, float] = field(default_factory=dict)
    inclusion_probability: float = 0.0


def drain(limit: int, now: datetime) -> int:
    """Route the runs of up to `limit` due Change rows; return how many rows were taken.

    0 means that nothing is due (or that others hold what is). May be called by any number of
    workers at once. A rule that fails on some runs delays no other: those runs are tried
    again later, five times, and then wait in the dead letters for `redrive`.
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
    """Put off what failed, only the failing runs of it, and return the rows that are done."""
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

    Only runs that have ended are looked at. Returns the runs on which a rule could not be
    asked, with the error; everything else is in its queue.
    """
    workspace = Workspace.objects.get(pk=workspace_id)
    record.attach(workspace, run_ids, is_thorough=True)
    run_status.sync_annotation_status(workspace, run_ids, now)
    reflection.reflect(workspace, run_ids, now)
    failures: dict[UUID, str] = {}
    active, broken = _active_rules(workspace_id)
    if broken:
        failures.update(dict.fromkeys(run_ids, broken))
    for start in range(0, len(run_ids), CHUNK) if active else ():
        ended, roots = _ended(workspace_id, list(run_ids[start : start + CHUNK]))
        held: list[Held] = []
        for rule in active:
            found, failed = _ask(rule, workspace_id, roots if rule.is_of_roots else ended)
            held += found
            failures.update(failed)
        _place(workspace_id, held, now)
    return failures


def redrive(now: datetime) -> int:
    """Make every dead change due again; return how many."""
    return changes.revive(now)


# Asking ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> Node:
    return parse(text)


def _active_rules(workspace_id: int) -> tuple[list[ActiveRule], str]:
    """Return the rules that are on and feed a queue that is in use; and what is wrong with one.

    A rule whose stored text cannot be read is no reason to lose runs: it is reported as the
    error, the runs are put off, and they are routed once the rule is mended or switched off.
    """
    rows = (
        RoutingRule.objects.filter(
            workspace_id=workspace_id, is_enabled=True, queue__archived_at=None
        )
        .order_by("pk")
        .prefetch_related("projects")
    )
    active, broken = [], ""
    for rule in rows:
        try:
            node = _parsed(rule.filter)
        except FilterError as error:
            broken = f"rule {rule.name!r}: {error}"
            continue
        projects = [project.pk for project in rule.projects.all()]
        active.append(ActiveRule(rule, node, projects or None))
    return active, broken


def _ended(workspace_id: int, run_ids: list[UUID]) -> tuple[Runs, Runs]:
    """Return those of the runs that have ended, and the roots among them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id, r.parent_run_id IS NULL FROM runs_run r"
            " WHERE r.workspace_id = %s AND r.id = ANY(%s::uuid[]) AND r.end_time IS NOT NULL",
            [workspace_id, Runs(run_ids).array],
        )
        rows = cursor.fetchall()
    return Runs([run_id for run_id, _ in rows]), Runs(
        [run_id for run_id, is_root in rows if is_root]
    )


def _ask(rule: ActiveRule, workspace_id: int, runs: Runs) -> tuple[list[Held], dict[UUID, str]]:
    """Return on which runs the rule holds, and on which asking failed, found by halving.

    A rule that fails on nearly everything is given up early, and its runs are put off together.
    """
    found: list[Held] = []
    failed: dict[UUID, str] = {}
    waiting = [runs] if runs.ids else []
    n_answered = 0
    while waiting:
        part = waiting.pop()
        try:
            found += _ask_once(rule, workspace_id, part)
            n_answered += len(part.ids)
        except DatabaseError as error:
            if not _is_of_the_rule(error):
                raise
            is_hopeless = len(failed) >= MAX_FAILING_RUNS and len(failed) > n_answered
            if len(part.ids) == 1 or is_hopeless:
                reason = f"rule {rule.rule.name!r}: {type(error).__name__}: {error}"
                failed.update(dict.fromkeys(part.ids, reason))
            else:
                middle = len(part.ids) // 2
                waiting += [Runs(part.ids[middle:]), Runs(part.ids[:middle])]
    return found, failed


def _is_of_the_rule(error: DatabaseError) -> bool:
    """Return whether the filter or a run is to blame, not the connection, a deadlock, a disk."""
    if not isinstance(error, OperationalError):
        return True
    return getattr(error.__cause__, "sqlstate", None) == _QUERY_CANCELED


# A rule that names no project is about what applications do: experiments answer examples again,
# and evaluators judge. A rule that names such a project takes their runs.
_OF_APPLICATIONS = """
 AND NOT EXISTS (SELECT FROM runs_project p WHERE p.id = r.project_id
                 AND (p.reference_dataset_id IS NOT NULL OR p.name = %s))
"""


def _ask_once(rule: ActiveRule, workspace_id: int, runs: Runs) -> list[Held]:
    condition, parameters = where(rule.node, "r")
    draw = sampling.DRAW_SQL.format(rule="%s", run="r.id")
    in_projects = _OF_APPLICATIONS if rule.projects is None else " AND r.project_id = ANY(%s)"
    sql = (
        f"SELECT r.id, {draw} FROM runs_run r"
        " WHERE r.workspace_id = %s AND r.id = ANY(%s::uuid[]) AND r.end_time IS NOT NULL"
        f"{in_projects} AND ({condition})"
    )
    scope: list[Any] = [rule.rule.uuid, workspace_id, runs.array]
    scope.append(EVALUATORS if rule.projects is None else rule.projects)
    with transaction.atomic(), connection.cursor() as cursor:  # a savepoint
        cursor.execute(sql, [*scope, *parameters])
        return [Held(rule, run_id, number) for run_id, number in cursor.fetchall()]


# Adding ---------------------------------------------------------------------------------------

_ADD = f"""
WITH wanted AS (
    SELECT * FROM unnest(%(wanted_queues)s::bigint[], %(wanted_runs)s::uuid[],
                         %(wanted_priorities)s::smallint[])
        WITH ORDINALITY w(queue_id, run_id, priority, ord)
),
{ADD_ITEMS}
SELECT count(*) FROM added
"""
_STANDING = """
SELECT i.id, i.queue_id, i.run_id, i.priority
FROM unnest(%s::bigint[], %s::uuid[]) w(queue_id, run_id)
JOIN annotations_queueitem i ON i.queue_id = w.queue_id AND i.run_id = w.run_id
WHERE i.state = 'open'
"""


def _place(workspace_id: int, held: Iterable[Held], now: datetime) -> None:
    """Put what was sampled into the queues, with the decisions, and raise what is open there."""
    by_pair: dict[Pair, list[Held]] = defaultdict(list)
    for one in held:
        by_pair[one.rule.rule.queue_id, one.run_id].append(one)
    wanted = {
        pair: max(one.rule.rule.priority for one in several if one.is_selected)
        for pair, several in sorted(by_pair.items())
        if any(one.is_selected for one in several)
    }
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute(
                _ADD,
                {
                    "wanted_queues": [queue_id for queue_id, _ in wanted],
                    "wanted_runs": [run_id for _, run_id in wanted],
                    "wanted_priorities": list(wanted.values()),
                    "queues": sorted({queue_id for queue_id, _ in wanted}),
                    "source": QueueItem.Source.RULE,
                    "now": now,
                    "added_by": None,
                },
            )
    standing = _standing(by_pair)
    if not standing:
        return
    _decide(workspace_id, by_pair, standing, now)
    _raise_priority(
        {
            standing[pair].id: priority
            for pair, priority in wanted.items()
            if pair in standing and priority > standing[pair].priority
        }
    )


def _standing(pairs: Iterable[Pair]) -> dict[Pair, Standing]:
    """Return the open items among `pairs`; reviewed and removed ones are left in peace."""
    ordered = list(pairs)
    if not ordered:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [[q for q, _ in ordered], [r for _, r in ordered]])
        found = {
            (queue_id, run_id): Standing(item_id, priority)
            for item_id, queue_id, run_id, priority in cursor.fetchall()
        }
    by_id = {item.id: item for item in found.values()}
    for item_id, rule_id, rate, probability in RoutingDecision.objects.filter(
        item__in=list(by_id)
    ).values_list("item", "rule_uuid", "sampling_rate", "inclusion_probability"):
        item = by_id[item_id]
        item.rates[rule_id] = rate
        item.inclusion_probability = max(item.inclusion_probability, probability)
    return found


def _decide(
    workspace_id: int,
    by_pair: dict[Pair, list[Held]],
    standing: dict[Pair, Standing],
    now: datetime,
) -> None:
    """Write the decisions that are new, and what they mean for the items' probabilities."""
    new: list[tuple[Standing, Held, float]] = []
    raised: dict[int, float] = {}
    for pair, item in standing.items():
        rates = item.rates | {
            one.rule.rule.uuid: one.rule.rule.sampling_rate for one in by_pair[pair]
        }
        probability = sampling.inclusion_probability(sorted(rates.values()))
        new += [
            (item, one, probability)
            for one in by_pair[pair]
            if one.is_selected and one.rule.rule.uuid not in item.rates
        ]
        if item.rates and probability > item.inclusion_probability + 1e-12:
            raised[item.id] = probability
    if new:
        facts = facts_of(workspace_id, sorted({one.run_id for _, one, _ in new}))
        RoutingDecision.objects.bulk_create(
            [_decision(*each, facts.get(each[1].run_id), now) for each in new],
            ignore_conflicts=True,
        )
    if raised:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE annotations_routingdecision d SET inclusion_probability = v.probability"
                " FROM unnest(%s::bigint[], %s::double precision[]) v(item_id, probability)"
                " WHERE d.item_id = v.item_id",
                [list(raised), list(raised.values())],
            )


def _decision(
    item: Standing, held: Held, probability: float, facts: Facts | None, now: datetime
) -> RoutingDecision:
    rule = held.rule.rule
    return RoutingDecision(
        item_id=item.id,
        rule=rule,
        rule_uuid=rule.uuid,
        rule_name=rule.name,
        rule_version=rule.version,
        filter=rule.filter,
        clauses=[] if facts is None else explain(held.rule.node, facts),
        draw=held.draw,
        sampling_rate=rule.sampling_rate,
        inclusion_probability=probability,
        decided_at=now,
    )


def explain(node: Node, facts: Facts) -> list[dict[str, Any]]:
    """Return the clauses of a filter that held on a run, with the actual values, as JSON.

    Should the explanation itself fail, the run is routed all the same: one clause then says
    so, and the log says why.
    """
    try:
        held = clauses(node, facts)
    except Exception:
        log.exception("run %s was routed, but its reason could not be told", facts.id)
        return [{"text": "the reason could not be told: see the log"}]
    return [{name: _storable(value) for name, value in each.as_dict().items()} for each in held]


def _storable(value: Any) -> Any:
    """Return the JSON value `value` without what `jsonb` refuses: NUL and half characters."""
    if isinstance(value, str):
        text = value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        return text.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    return value


def _raise_priority(raised: dict[int, int]) -> None:
    """Move open items (id -> priority) forward: a later, graver rule took them, too.

    The seats count as returned: at the new priority, reviewers' bookmarks may be past them.
    """
    if not raised:
        return
    pairs = [sorted(raised), [raised[item_id] for item_id in sorted(raised)]]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM annotations_queueitem WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [pairs[0]],
        )
        values = " FROM unnest(%s::bigint[], %s::smallint[]) v(id, priority)"
        cursor.execute(
            f"UPDATE annotations_queueitem i SET priority = v.priority{values} WHERE i.id = v.id",
            pairs,
        )
        cursor.execute(
            "UPDATE annotations_seat s SET priority = v.priority, is_returned = true"
            f"{values} WHERE s.item_id = v.id AND NOT s.is_taken",
            pairs,
        )
