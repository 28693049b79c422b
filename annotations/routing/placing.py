"""Add selected runs to the queues of their rules, with the decisions."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from annotations.models import QueueItem, RoutingDecision
from annotations.queues.queue_items import ADD_ITEMS
from annotations.routing import sampling
from annotations.routing.matching import Held
from observatory.runs.facts import facts_of
from observatory.runs.filters.explain import Facts, clauses
from observatory.runs.filters.grammar import Node

log = logging.getLogger(__name__)

Pair = tuple[int, UUID]  # queue, run


@dataclass
class Standing:
    """The stored row of an open item, with the sampling rates of its decisions."""

    id: int
    priority: int
    rates: dict[UUID, float] = field(default_factory=dict)
    inclusion_probability: float = 0.0


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


def place(workspace_id: int, held: Iterable[Held], now: datetime) -> int:
    """Add selected runs to the queues, with the decisions, and raise the priority of open items.

    Return the number of new items.
    """
    n_new = 0
    by_pair: dict[Pair, list[Held]] = defaultdict(list)
    for match in held:
        queue_id = match.rule.rule.queue_id
        assert queue_id is not None  # the caller gives rules of queues only
        by_pair[queue_id, match.run_id].append(match)
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
            (n_new,) = cursor.fetchone()
    standing = _standing(by_pair)
    if not standing:
        return n_new
    _decide(workspace_id, by_pair, standing, now)
    _raise_priority(
        {
            standing[pair].id: priority
            for pair, priority in new_items.items()
            if pair in standing and priority > standing[pair].priority
        }
    )
    return n_new


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
