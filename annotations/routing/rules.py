"""Create and edit rules: validated before they are stored, every change a version."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from annotations.models import AnnotationQueue, RoutingRule, RuleSwitch, RuleVersion
from annotations.routing.targets import DATASETS
from observatory.runs.filters.compile import where
from observatory.runs.filters.grammar import parse
from observatory.runs.models import Project
from observatory.workspaces.models import User, Workspace

NO_PAIRS = "a pairwise queue is filled from experiments, not by rules"


MAX_LIMIT = 1_000_000  # runs per day
MAX_REASON = 500  # characters


@dataclass(frozen=True)
class RuleDefinition:
    """The content of a rule. `sampling_rate` is a fraction in [0, 1].

    Of the targets exactly one is set: `queue`, `dataset_uuid`, `tag`, or `feedback_key` with its
    `feedback_score`. `daily_limit` counts runs per day (UTC), None: all. No `projects` means all
    but experiments and the project of evaluators. `uuid` is of a rule that was tested before it is
    created: its draws are made with it.
    """

    name: str
    filter: str
    queue: AnnotationQueue | None = None
    projects: Sequence[Project] = ()
    sampling_rate: float = 1.0
    priority: int = 0
    daily_limit: int | None = None
    dataset_uuid: UUID | None = None
    tag: str = ""
    feedback_key: str = ""
    feedback_score: float | None = None
    preset: str = ""
    uuid: UUID | None = None

    @property
    def target(self) -> RoutingRule.Target:
        """The one target. Raises ValueError when it is none or several."""
        named = [
            target
            for target, is_named in (
                (RoutingRule.Target.QUEUE, self.queue is not None),
                (RoutingRule.Target.DATASET, self.dataset_uuid is not None),
                (RoutingRule.Target.TAG, bool(self.tag)),
                (RoutingRule.Target.FEEDBACK, bool(self.feedback_key)),
            )
            if is_named
        ]
        if len(named) != 1:
            raise ValueError("a rule has one target: a queue, a dataset, a tag or feedback")
        return named[0]


def check_filter(text: str) -> None:
    """Raise FilterError, with the position, unless `text` is a valid filter.

    Blank is an error, too: a rule for every run must be explicit, as `eq(is_root, true)`.
    """
    where(parse(text))


@transaction.atomic
def set_rule(
    workspace: Workspace,
    definition: RuleDefinition,
    *,
    now: datetime,
    rule: RoutingRule | None = None,
    by: User | None = None,
    is_enabled: bool | None = None,
) -> RoutingRule:
    """Create a rule, or set the content of `rule` to `definition`; return it.

    A new rule is off unless `is_enabled`; None leaves an existing one as it is. The change applies
    to runs that change from now on: earlier runs are not evaluated again. Raises FilterError for an
    invalid filter, ValueError for a rate outside [0, 1], a daily limit outside [1, MAX_LIMIT], not
    exactly one target, a pairwise queue, or a queue, project or dataset of another workspace,
    IntegrityError for a name already taken.
    """
    check_definition(workspace, definition)
    if rule is None:
        rule = RoutingRule(workspace=workspace, preset=definition.preset, created_at=now)
        if definition.uuid is not None:
            rule.uuid = definition.uuid
    for name in _COPIED:
        setattr(rule, name, getattr(definition, name))
    before = rule.state if rule.pk else RoutingRule.State.OFF
    if is_enabled is not None:
        rule.is_enabled, rule.is_shadow = is_enabled, rule.is_shadow and not is_enabled
    rule.save()
    rule.projects.set(definition.projects)
    keep_version(rule, now=now, by=by)
    if rule.state != before:
        note_switch(rule, now=now, by=by)
    return rule


_COPIED = (
    *("name", "filter", "target", "queue", "sampling_rate", "priority", "daily_limit"),
    *("dataset_uuid", "tag", "feedback_key", "feedback_score"),
)


def check_definition(workspace: Workspace, definition: RuleDefinition) -> None:
    """Raise FilterError or ValueError, as `set_rule` does, unless the content is valid."""
    check_filter(definition.filter)
    if not 0 <= definition.sampling_rate <= 1:
        raise ValueError(f"a sampling rate is a share in [0, 1], got {definition.sampling_rate}")
    if definition.daily_limit is not None and not 1 <= definition.daily_limit <= MAX_LIMIT:
        raise ValueError(f"a daily limit is from 1 to {MAX_LIMIT:,} runs")
    target, queue = definition.target, definition.queue
    owners = {project.workspace_id for project in definition.projects}
    owners |= {queue.workspace_id} if queue is not None else set()
    if not owners <= {workspace.pk}:
        raise ValueError("the queue and the projects of a rule are of its own workspace")
    if queue is not None and queue.queue_type == AnnotationQueue.QueueType.PAIRWISE:
        raise ValueError(NO_PAIRS)
    if target == RoutingRule.Target.DATASET:
        assert definition.dataset_uuid is not None
        if not DATASETS.get().exists(workspace, definition.dataset_uuid):
            raise ValueError("the dataset of a rule is of its own workspace")
    if definition.feedback_score is not None:
        if target != RoutingRule.Target.FEEDBACK:
            raise ValueError("a feedback score needs a feedback key")
        if not math.isfinite(definition.feedback_score):
            raise ValueError("a feedback score is a finite number")


@transaction.atomic
def keep_version(rule: RoutingRule, *, now: datetime, by: User | None = None) -> bool:
    """Write a version of `rule` if it differs from the newest one; return whether it does.

    Must be called after every save of a rule and its projects (the admin saves them itself).
    Switching a rule on or off does not change its content.
    """
    locked = RoutingRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    newest = RuleVersion.objects.filter(rule=locked).order_by("-version").first()
    content = definition_of(locked)
    if newest is not None and newest.definition == content:
        return False
    version = 1 if newest is None else newest.version + 1
    RuleVersion.objects.create(
        rule=locked, version=version, definition=content, created_by=by, created_at=now
    )
    RoutingRule.objects.filter(pk=rule.pk).update(version=version)
    rule.version = version
    return True


def definition_of(rule: RoutingRule) -> dict[str, Any]:
    """Return the content of `rule` as plain values, for `RuleVersion.definition`.

    Without a limit, dataset, tag or feedback that it does not have.
    """
    content = {
        "name": rule.name,
        "filter": rule.filter,
        "projects": sorted(str(project.uuid) for project in rule.projects.all()),
        "sampling_rate": rule.sampling_rate,
        "priority": rule.priority,
    }
    queue = rule.queue
    rest = {
        "queue": str(queue.uuid) if queue is not None else None,
        "daily_limit": rule.daily_limit,
        "dataset": str(rule.dataset_uuid) if rule.dataset_uuid else None,
        "tag": rule.tag or None,
        "feedback_key": rule.feedback_key or None,
        "feedback_score": rule.feedback_score,
    }
    return content | {name: value for name, value in rest.items() if value is not None}


def definition_from(rule: RoutingRule, *, filter: str | None = None) -> RuleDefinition:
    """Return the stored content of `rule`, with another filter if one is given."""
    return RuleDefinition(
        projects=list(rule.projects.all()),
        filter=rule.filter if filter is None else filter,
        uuid=rule.uuid,
        preset=rule.preset,
        **{name: getattr(rule, name) for name in _COPIED if name not in ("filter", "target")},
    )


@transaction.atomic
def set_state(
    rule: RoutingRule,
    state: RoutingRule.State | str,
    *,
    now: datetime,
    by: User | None = None,
    reason: str = "",
) -> bool:
    """Switch a rule on, to shadow, or off, and keep who did and why; return whether it changed.

    Applies to runs that change from now on. Raises ValueError for another state.
    """
    wanted = RoutingRule.State(state)
    locked = RoutingRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    rule.is_enabled = wanted == RoutingRule.State.ON
    rule.is_shadow = wanted == RoutingRule.State.SHADOW
    if locked.state == wanted:
        return False
    RoutingRule.objects.filter(pk=rule.pk).update(
        is_enabled=rule.is_enabled, is_shadow=rule.is_shadow
    )
    note_switch(rule, now=now, by=by, reason=reason)
    return True


def note_switch(rule: RoutingRule, *, now: datetime, by: User | None, reason: str = "") -> None:
    """Keep the present state of `rule` as a switch."""
    RuleSwitch.objects.create(
        rule=rule, state=rule.state, switched_by=by, switched_at=now, reason=reason[:MAX_REASON]
    )


def rules_of(queue: AnnotationQueue) -> QuerySet[RoutingRule]:
    """Return the rules that feed `queue`, enabled ones first, then by name."""
    return RoutingRule.objects.filter(queue=queue).order_by("-is_enabled", "-is_shadow", "name")
