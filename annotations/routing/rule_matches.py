"""Runs that a rule selected, where no decision on an item records it: shadow, held back, sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from annotations.models import RuleMatch
from annotations.routing.matching import Held

Sent = tuple[int, UUID]  # rule, run

# A run that a target has refused is not offered to it again.
_RECORD = """
INSERT INTO annotations_rulematch
    (rule_id, rule_version, run_id, outcome, draw, reason, matched_at)
SELECT m.rule_id, m.version, m.run_id, %(outcome)s, m.draw, '', %(now)s
FROM unnest(%(rules)s::bigint[], %(versions)s::int[], %(runs)s::uuid[],
            %(draws)s::double precision[]) m(rule_id, version, run_id, draw)
WHERE %(outcome)s <> 'sent' OR NOT EXISTS (
    SELECT FROM annotations_rulematch refused WHERE refused.rule_id = m.rule_id
      AND refused.run_id = m.run_id AND refused.outcome = 'refused')
ORDER BY m.rule_id, m.run_id
ON CONFLICT (rule_id, run_id, outcome) DO NOTHING
RETURNING rule_id, run_id
"""


def record(matches: Sequence[Held], outcome: RuleMatch.Outcome, now: datetime) -> set[Sent]:
    """Record `outcome` for each match, and return those for which it is new."""
    if not matches:
        return set()
    rules = [match.rule.rule for match in matches]
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            {
                "rules": [rule.pk for rule in rules],
                "versions": [rule.version for rule in rules],
                "runs": [match.run_id for match in matches],
                "draws": [match.draw for match in matches],
                "outcome": outcome.value,
                "now": now,
            },
        )
        return set(cursor.fetchall())


def refuse(reasons: Mapping[Sent, str]) -> None:
    """Turn what was recorded as sent into refused, each with the target's reason."""
    for (rule_id, run_id), reason in sorted(reasons.items()):
        RuleMatch.objects.filter(
            rule_id=rule_id, run_id=run_id, outcome=RuleMatch.Outcome.SENT
        ).update(outcome=RuleMatch.Outcome.REFUSED, reason=reason)
