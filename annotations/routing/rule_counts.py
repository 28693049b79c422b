"""What the rules of a workspace have sent, held back and listed since a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from annotations.models import RoutingDecision, RoutingRule, RuleMatch
from observatory.workspaces.models import Workspace

Outcome = RuleMatch.Outcome


@dataclass(frozen=True)
class Counted:
    """A rule with its counts of runs. Each run counts once per rule and outcome."""

    rule: RoutingRule
    n_sent: int
    n_held_back: int
    n_shadow: int
    n_refused: int


def of_workspace(workspace: Workspace, since: datetime) -> list[Counted]:
    """Return the rules, those on first, then in shadow, by name; three statements."""
    rules = list(
        RoutingRule.objects.filter(workspace=workspace)
        .select_related("queue")
        .order_by("-is_enabled", "-is_shadow", "name")
    )
    decided = dict(
        RoutingDecision.objects.filter(rule__in=rules, decided_at__gte=since)
        .values_list("rule")
        .annotate(n=Count("pk"))
    )
    matched = {
        (rule_id, outcome): n
        for rule_id, outcome, n in RuleMatch.objects.filter(rule__in=rules, matched_at__gte=since)
        .values_list("rule", "outcome")
        .annotate(n=Count("pk"))
    }
    return [
        Counted(
            rule,
            decided.get(rule.pk, 0) + matched.get((rule.pk, Outcome.SENT), 0),
            matched.get((rule.pk, Outcome.HELD_BACK), 0),
            matched.get((rule.pk, Outcome.SHADOW), 0),
            matched.get((rule.pk, Outcome.REFUSED), 0),
        )
        for rule in rules
    ]
