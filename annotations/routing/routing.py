"""Route changed runs to items in queues, each with the reason.

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

BATCH = 250  # Change rows per transaction
CHUNK = 5_000  # runs per statement
MAX_FAILING_RUNS = 16  # bad runs found one by one before a rule may be given up for the chunk

# Caused by a rule's filter, not by the server's state: a statement that timed out.
_QUERY_CANCELED = "57014"

Pair = tuple[int, UUID]  # queue, run
_ROOTS = Term("eq", "is_root", True)


class Runs:
    """Some run ids, encoded for SQL once for all rules."""

    def __init__(self, ids: list[UUID]) -> None:
        self.ids = ids

    @cached_property
    def array(self) -> str:
        return "{" + ",".join(map(str, self.ids)) + "}"


@dataclass(frozen=True)
class ActiveRule:
    """An enabled rule, ready to be evaluated. `projects` None means every application's."""

    rule: RoutingRule
    node: Node
    projects: list[int] | None

    @property
    def is_of_roots(self) -> bool:
        """Return whether the filter explicitly requires roots."""
        return _ROOTS in (self.node.args if isinstance(self.node, And) else (self.node,))


@dataclass(frozen=True)
class Held:
    """A rule's filter matched a run. `draw` decides whether the rule selects it."""

    rule: ActiveRule
    run_id: UUID
    draw: float

    @property
    def is_selected(self) -> bool:
        return self.draw < self.rule.rule.sampling_rate


@dataclass
class Standing:
    """The stored row of an open item, with the sampling rates of its decisions."""

    id: int
    priority: int
    rates: dict[UUID, float] = field(default_factory=dict)
    inclusion_probability: float = 0.0


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
    active, broken = _active_rules(workspace_id)
    if broken:
        failures.update(dict.fromkeys(run_ids, broken))
    for start in range(0, len(run_ids), CHUNK) if active else ():
        ended, roots = _ended(workspace_id, list(run_ids[start : start + CHUNK]))
        held: list[Held] = []
        for rule in active:
            matches, failed = _ask(rule, workspace_id, roots if rule.is_of_roots else ended)
            held += matches
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
    """Return the enabled rules with a queue in use, and the error of a rule, if any.

    A rule whose stored text cannot be read must not lose runs: it is reported as the error, the
    runs are postponed, and they are routed once the rule is fixed or switched off.
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
    """Return the runs that match the rule, and those on which it failed, found by bisection.

    A rule that fails on nearly everything is given up early, and its runs are postponed together.
    """
    matches: list[Held] = []
    failed: dict[UUID, str] = {}
    waiting = [runs] if runs.ids else []
    n_answered = 0
    while waiting:
        part = waiting.pop()
        try:
            matches += _ask_once(rule, workspace_id, part)
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
    return matches, failed


def _is_of_the_rule(error: DatabaseError) -> bool:
    """Return whether the filter or a run caused the error, not the connection or the server."""
    if not isinstance(error, OperationalError):
        return True
    return getattr(error.__cause__, "sqlstate", None) == _QUERY_CANCELED


# A rule without projects covers applications only: experiments repeat examples, and evaluators
# judge. A rule that names such a project covers their runs.
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
    """Add sampled runs to the queues, with the decisions, and raise the priority of open items."""
    by_pair: dict[Pair, list[Held]] = defaultdict(list)
    for match in held:
        by_pair[match.rule.rule.queue_id, match.run_id].append(match)
    new_items = {
        pair: max(match.rule.rule.priority for match in several if match.is_selected)
        for pair, several in sorted(by_pair.items())
        if any(match.is_selected for match in several)
    }
    if new_items:
        with connection.cursor() as cursor:
            cursor.execute(
                _ADD,
                {
                    "wanted_queues": [queue_id for queue_id, _ in new_items],
                    "wanted_runs": [run_id for _, run_id in new_items],
                    "wanted_priorities": list(new_items.values()),
                    "queues": sorted({queue_id for queue_id, _ in new_items}),
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
            for pair, priority in new_items.items()
            if pair in standing and priority > standing[pair].priority
        }
    )


def _standing(pairs: Iterable[Pair]) -> dict[Pair, Standing]:
    """Return the open items among `pairs`; reviewed and removed ones are not touched."""
    ordered = list(pairs)
    if not ordered:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [[q for q, _ in ordered], [r for _, r in ordered]])
        open_items = {
            (queue_id, run_id): Standing(item_id, priority)
            for item_id, queue_id, run_id, priority in cursor.fetchall()
        }
    by_id = {item.id: item for item in open_items.values()}
    for item_id, rule_id, rate, probability in RoutingDecision.objects.filter(
        item__in=list(by_id)
    ).values_list("item", "rule_uuid", "sampling_rate", "inclusion_probability"):
        item = by_id[item_id]
        item.rates[rule_id] = rate
        item.inclusion_probability = max(item.inclusion_probability, probability)
    return open_items


def _decide(
    workspace_id: int,
    by_pair: dict[Pair, list[Held]],
    standing: dict[Pair, Standing],
    now: datetime,
) -> None:
    """Write the new decisions, and the items' probabilities."""
    new: list[tuple[Standing, Held, float]] = []
    raised: dict[int, float] = {}
    for pair, item in standing.items():
        rates = item.rates | {
            match.rule.rule.uuid: match.rule.rule.sampling_rate for match in by_pair[pair]
        }
        probability = sampling.inclusion_probability(sorted(rates.values()))
        new += [
            (item, match, probability)
            for match in by_pair[pair]
            if match.is_selected and match.rule.rule.uuid not in item.rates
        ]
        if item.rates and probability > item.inclusion_probability + 1e-12:
            raised[item.id] = probability
    if new:
        facts = facts_of(workspace_id, sorted({match.run_id for _, match, _ in new}))
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
    """Return the clauses of a filter that matched a run, with the actual values, as JSON.

    If the explanation itself fails, the run is still routed: one clause then states the failure,
    and the log has the error.
    """
    try:
        held = clauses(node, facts)
    except Exception:
        log.exception("run %s was routed, but its reason could not be computed", facts.id)
        return [{"text": "the reason could not be computed: see the log"}]
    return [{name: _storable(value) for name, value in each.as_dict().items()} for each in held]


def _storable(value: Any) -> Any:
    """Return the JSON value `value` without what `jsonb` refuses: NUL and half characters."""
    if isinstance(value, str):
        text = value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        return text.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value


def _raise_priority(raised: dict[int, int]) -> None:
    """Raise the priority of open items (id -> priority) that a graver rule has selected later.

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
