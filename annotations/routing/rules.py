"""Create and edit rules: validated before they are stored, every change a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from annotations.models import AnnotationQueue, RoutingRule, RuleVersion
from observatory.runs.filters.compile import where
from observatory.runs.filters.grammar import parse
from observatory.runs.models import Project
from observatory.workspaces.models import User, Workspace

NO_PAIRS = "a pairwise queue is filled from experiments, not by rules"


@dataclass(frozen=True)
class RuleDefinition:
    """The content of a rule. `sampling_rate` is a fraction in [0, 1].

    No `projects` means all but experiments and the project of evaluators.
    """

    name: str
    filter: str
    queue: AnnotationQueue
    projects: Sequence[Project] = ()
    sampling_rate: float = 1.0
    priority: int = 0
    preset: str = ""


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
    invalid filter, ValueError for a rate outside [0, 1], a pairwise queue, or a queue or project of
    another workspace, IntegrityError for a name already taken.
    """
    check_filter(definition.filter)
    if not 0 <= definition.sampling_rate <= 1:
        raise ValueError(f"a sampling rate is a share in [0, 1], got {definition.sampling_rate}")
    owners = {project.workspace_id for project in definition.projects}
    if owners | {definition.queue.workspace_id} != {workspace.pk}:
        raise ValueError("the queue and the projects of a rule are of its own workspace")
    if definition.queue.queue_type == AnnotationQueue.QueueType.PAIRWISE:
        raise ValueError(NO_PAIRS)
    if rule is None:
        rule = RoutingRule(workspace=workspace, preset=definition.preset, created_at=now)
    rule.name = definition.name
    rule.filter = definition.filter
    rule.queue = definition.queue
    rule.sampling_rate = definition.sampling_rate
    rule.priority = definition.priority
    if is_enabled is not None:
        rule.is_enabled = is_enabled
    rule.save()
    rule.projects.set(definition.projects)
    keep_version(rule, now=now, by=by)
    return rule


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
    """Return the content of `rule` as plain values, for `RuleVersion.definition`."""
    return {
        "name": rule.name,
        "filter": rule.filter,
        "projects": sorted(str(project.uuid) for project in rule.projects.all()),
        "sampling_rate": rule.sampling_rate,
        "queue": str(rule.queue.uuid),
        "priority": rule.priority,
    }


def set_enabled(rule: RoutingRule, is_enabled: bool) -> None:
    """Switch a rule on or off."""
    RoutingRule.objects.filter(pk=rule.pk).update(is_enabled=is_enabled)
    rule.is_enabled = is_enabled


def rules_of(queue: AnnotationQueue) -> QuerySet[RoutingRule]:
    """Return the rules that feed `queue`, enabled ones first, then by name."""
    return RoutingRule.objects.filter(queue=queue).order_by("-is_enabled", "name")
