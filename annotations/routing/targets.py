"""Targets of rules other than a queue: a dataset, a tag, feedback. A rule sends a run once.

A tag or a feedback that a user has taken away again is not put back: `RuleMatch` remembers it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID, uuid5

from annotations.models import RoutingRule, RuleMatch
from annotations.routing import rule_matches
from annotations.routing.matching import Held
from observatory.extensions import Slot
from observatory.feedback import record
from observatory.feedback.judgement import FeedbackInput
from observatory.runs import amend
from observatory.workspaces.models import Workspace

Refusals = Mapping[UUID, str]  # run -> reason


class DatasetTarget(Protocol):
    """What the room of datasets does for rules."""

    def exists(self, workspace: Workspace, dataset_uuid: UUID) -> bool: ...

    def name_of(self, workspace: Workspace, dataset_uuid: UUID) -> str: ...

    def add(
        self, workspace: Workspace, dataset_uuid: UUID, run_ids: Sequence[UUID], now: datetime
    ) -> Refusals: ...


DATASETS: Final = Slot[DatasetTarget]("how rules add runs to datasets")


def send(workspace: Workspace, matches: Sequence[Held], now: datetime) -> int:
    """Send each match to the target of its rule, unless that was done; return how many."""
    new = rule_matches.record(matches, RuleMatch.Outcome.SENT, now)
    run_ids_by_rule: dict[RoutingRule, list[UUID]] = defaultdict(list)
    for match in matches:
        if (match.rule.rule.pk, match.run_id) in new:
            run_ids_by_rule[match.rule.rule].append(match.run_id)
    n_refused = 0
    for rule, run_ids in sorted(run_ids_by_rule.items(), key=lambda each: each[0].pk):
        refusals = _SENDERS[RoutingRule.Target(rule.target)](workspace, rule, sorted(run_ids), now)
        rule_matches.refuse({(rule.pk, run_id): why for run_id, why in refusals.items()})
        n_refused += len(refusals)
    return len(new) - n_refused


def _add_tag(
    workspace: Workspace, rule: RoutingRule, run_ids: Sequence[UUID], now: datetime
) -> Refusals:
    amend.add_tag(workspace, run_ids, rule.tag, now=now)
    return {}


def _give_feedback(
    workspace: Workspace, rule: RoutingRule, run_ids: Sequence[UUID], now: datetime
) -> Refusals:
    recorded = record.record_many(
        workspace,
        [
            FeedbackInput(
                id=uuid5(rule.uuid, str(run_id)),
                run_id=run_id,
                key=rule.feedback_key,
                score=rule.feedback_score,
                source_type="auto_eval",
                source_metadata={"rule": str(rule.uuid), "rule_version": rule.version},
            )
            for run_id in run_ids
        ],
        now=now,
    )
    return {sent.run_id: str(error) for sent, error in recorded.refused if sent.run_id is not None}


def _add_to_dataset(
    workspace: Workspace, rule: RoutingRule, run_ids: Sequence[UUID], now: datetime
) -> Refusals:
    assert rule.dataset_uuid is not None  # the constraint rule_names_its_target
    return DATASETS.get().add(workspace, rule.dataset_uuid, run_ids, now)


_Sender = Callable[[Workspace, RoutingRule, Sequence[UUID], datetime], Refusals]
_SENDERS: dict[RoutingRule.Target, _Sender] = {
    RoutingRule.Target.TAG: _add_tag,
    RoutingRule.Target.FEEDBACK: _give_feedback,
    RoutingRule.Target.DATASET: _add_to_dataset,
}
