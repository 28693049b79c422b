"""Send what rules selected to their targets; what rules in shadow selected is only recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from annotations.models import RoutingRule, RuleMatch
from annotations.routing import placing, rule_matches, targets
from annotations.routing.ceilings import Ceilings
from annotations.routing.matching import Held
from observatory.workspaces.models import Workspace


def deliver(
    workspace: Workspace,
    matches: Sequence[Held],
    now: datetime,
    *,
    ceilings: Ceilings | None = None,
) -> int:
    """Send the selected runs, within `ceilings` if given; return how many arrived anew.

    `matches` are all matches of the rules on some runs, since those that did not select a run count
    for the inclusion probability of its item. Rules in shadow count for none.
    """
    in_shadow = [match for match in matches if match.rule.rule.is_shadow and match.is_selected]
    rule_matches.record(in_shadow, RuleMatch.Outcome.SHADOW, now)
    live = [match for match in matches if not match.rule.rule.is_shadow]
    if ceilings is not None:
        live = ceilings.apply(live)
    to_queues = [match for match in live if match.rule.rule.target == RoutingRule.Target.QUEUE]
    others = [
        match
        for match in live
        if match.rule.rule.target != RoutingRule.Target.QUEUE and match.is_selected
    ]
    return placing.place(workspace.pk, to_queues, now) + targets.send(workspace, others, now)
