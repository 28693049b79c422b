"""Daily limits of rules. The row of a rule and a day (UTC) counts, and its lock makes it exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID

from django.db import connection

from annotations.models import RoutingRule, RuleDay, RuleMatch
from annotations.routing import rule_matches
from annotations.routing.matching import Held

Place = tuple[str, int, UUID]  # "queue" and its id, or "rule" and its id, and the run

_PRESENT = """
SELECT i.queue_id, i.run_id FROM unnest(%s::bigint[], %s::uuid[]) w(queue_id, run_id)
JOIN annotations_queueitem i ON i.queue_id = w.queue_id AND i.run_id = w.run_id
"""
_SENT = """
SELECT m.rule_id, m.run_id FROM unnest(%s::bigint[], %s::uuid[]) w(rule_id, run_id)
JOIN annotations_rulematch m ON m.rule_id = w.rule_id AND m.run_id = w.run_id
WHERE m.outcome IN ('sent', 'refused')
"""
_COUNT = """
UPDATE annotations_ruleday d
SET n_sent = d.n_sent + c.n_sent, n_held_back = d.n_held_back + c.n_held_back
FROM unnest(%s::bigint[], %s::int[], %s::int[]) c(rule_id, n_sent, n_held_back)
WHERE d.rule_id = c.rule_id AND d.day = %s
"""


@dataclass
class Ceilings:
    """What the rules with a daily limit may still send on `day`: rule id -> runs."""

    day: date
    now: datetime
    left: dict[int, int]

    @classmethod
    def lock(cls, rules: Iterable[RoutingRule], now: datetime) -> Ceilings:
        """Lock the day's rows of the limited ones among `rules` until the transaction ends.

        Call it before anything of these rules is written: workers then take the locks in one order.
        """
        day = now.astimezone(UTC).date()
        limits = {rule.pk: rule.daily_limit for rule in rules if rule.daily_limit is not None}
        if not limits:
            return cls(day, now, {})
        RuleDay.objects.bulk_create(
            [
                RuleDay(rule_id=rule_id, day=day, n_sent=0, n_held_back=0)
                for rule_id in sorted(limits)
            ],
            ignore_conflicts=True,
        )
        rows = (
            RuleDay.objects.select_for_update(no_key=True)
            .filter(rule__in=limits, day=day)
            .order_by("rule_id")
        )
        return cls(
            day, now, {row.rule_id: max(0, limits[row.rule_id] - row.n_sent) for row in rows}
        )

    def apply(self, matches: Sequence[Held]) -> list[Held]:
        """Return `matches`, those above a limit marked as held back; count and record both.

        The lowest draws go first. A run that is in the queue already, or that another rule adds to
        it, costs nothing.
        """
        limited = [
            match for match in matches if match.is_selected and match.rule.rule.pk in self.left
        ]
        if not limited:
            return list(matches)
        arrived = _present(limited) | {
            _place_of(match)
            for match in matches
            if match.is_selected and match.rule.rule.pk not in self.left
        }
        n_sent: Counter[int] = Counter()
        for match in sorted(limited, key=lambda each: (each.rule.rule.pk, each.draw, each.run_id)):
            rule_id, place = match.rule.rule.pk, _place_of(match)
            if place not in arrived and self.left[rule_id] > 0:
                self.left[rule_id] -= 1
                n_sent[rule_id] += 1
                arrived.add(place)
        held_back = {id(match) for match in limited if _place_of(match) not in arrived}
        self._count(n_sent, [match for match in limited if id(match) in held_back])
        return [
            replace(match, is_held_back=True) if id(match) in held_back else match
            for match in matches
        ]

    def _count(self, n_sent: Counter[int], held_back: Sequence[Held]) -> None:
        new = rule_matches.record(held_back, RuleMatch.Outcome.HELD_BACK, self.now)
        n_held = Counter(rule_id for rule_id, _ in new)
        rules = sorted(set(n_sent) | set(n_held))
        if rules:
            with connection.cursor() as cursor:
                cursor.execute(
                    _COUNT,
                    [rules, [n_sent[pk] for pk in rules], [n_held[pk] for pk in rules], self.day],
                )


def _place_of(match: Held) -> Place:
    rule = match.rule.rule
    if rule.queue_id is not None:
        return "queue", rule.queue_id, match.run_id
    return "rule", rule.pk, match.run_id


def _present(matches: Sequence[Held]) -> set[Place]:
    """Return the places of `matches` that are taken, whatever the state of the item."""
    places = {_place_of(match) for match in matches}
    present: set[Place] = set()
    with connection.cursor() as cursor:
        for kind, sql in (("queue", _PRESENT), ("rule", _SENT)):
            wanted = sorted(place for place in places if place[0] == kind)
            if wanted:
                cursor.execute(sql, [[each[1] for each in wanted], [each[2] for each in wanted]])
                present |= {(kind, owner, run_id) for owner, run_id in cursor.fetchall()}
    return present
