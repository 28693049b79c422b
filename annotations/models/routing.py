"""Tables of rules that add runs to queues, and of their decisions."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotations.models.queues import AnnotationQueue, QueueItem
from observatory.runs.models import DocumentField, Project
from observatory.workspaces.models import User, Workspace


class RoutingRule(models.Model):
    """Runs that match `filter` in `projects` go to `queue`, `sampling_rate` of them.

    Without projects it looks at all but experiments and the project of evaluators.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="routing_rules")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    preset = models.SlugField(max_length=60, blank=True, editable=False)
    projects = models.ManyToManyField(Project, blank=True, related_name="+")
    filter = models.TextField(help_text="The filter language of runs; it must hold on the run")
    sampling_rate = models.FloatField(default=1.0)
    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="rules")
    priority = models.SmallIntegerField(default=0, help_text="Higher is reviewed first")
    is_enabled = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="rule_name_is_unique"),
            models.CheckConstraint(
                condition=Q(sampling_rate__gte=0, sampling_rate__lte=1), name="rule_rate_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RuleVersion(models.Model):
    """A version of a rule, so that old decisions stay readable after the rule was edited."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    definition = DocumentField(help_text="{name, filter, projects, sampling_rate, queue, priority}")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "version"], name="rule_version_is_unique")
        ]


class RoutingDecision(models.Model):
    """Why an item is in its queue. This cannot be recomputed later, so it is stored."""

    item = models.ForeignKey(QueueItem, models.CASCADE, related_name="decisions")
    rule = models.ForeignKey(RoutingRule, models.SET_NULL, null=True, related_name="+")
    rule_uuid = models.UUIDField()
    rule_name = models.CharField(max_length=200)
    rule_version = models.PositiveIntegerField()
    filter = models.TextField()
    clauses = DocumentField(
        help_text="[{text, field, operator, expected, actual}] of the clauses that held"
    )
    draw = models.FloatField(help_text="In [0, 1): sha256(rule uuid, run id)")
    sampling_rate = models.FloatField()
    inclusion_probability = models.FloatField()
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "rule_uuid"], name="routing_decision_once_per_rule"
            )
        ]
