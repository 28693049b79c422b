"""Tables of rules that add runs to queues, and of their decisions."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from annotations.models.queues import AnnotationQueue, QueueItem
from observatory.runs.models import DocumentField, Project
from observatory.workspaces.models import User, Workspace


class RoutingRule(models.Model):
    """Runs that match `filter` in `projects` go to the rule's target, `sampling_rate` of them.

    Without projects it looks at all but experiments and the project of evaluators. In shadow it
    records what it would have sent, and sends nothing.
    """

    class Target(models.TextChoices):
        QUEUE = "queue", "add to a queue"
        DATASET = "dataset", "add to a dataset"
        TAG = "tag", "set a tag"
        FEEDBACK = "feedback", "give feedback"

    class State(models.TextChoices):
        ON = "on", "on"
        SHADOW = "shadow", "shadow"
        OFF = "off", "off"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="routing_rules")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    preset = models.SlugField(max_length=60, blank=True, editable=False)
    projects = models.ManyToManyField(Project, blank=True, related_name="+")
    filter = models.TextField(help_text="The filter language of runs; it must hold on the run")
    sampling_rate = models.FloatField(default=1.0)
    target = models.CharField(
        max_length=8, choices=Target, default=Target.QUEUE, db_default="queue"
    )
    queue = models.ForeignKey(
        AnnotationQueue, models.CASCADE, related_name="rules", null=True, blank=True
    )
    dataset_uuid = models.UUIDField(null=True, blank=True, editable=False)
    tag = models.CharField(max_length=200, blank=True, db_default="", editable=False)
    feedback_key = models.CharField(max_length=180, blank=True, db_default="", editable=False)
    feedback_score = models.FloatField(null=True, blank=True, editable=False)
    priority = models.SmallIntegerField(default=0, help_text="Higher is reviewed first")
    daily_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Runs it sends per day (UTC) at most; empty: all"
    )
    is_enabled = models.BooleanField(default=False)
    is_shadow = models.BooleanField(
        default=False, db_default=False, help_text="Record what it would send, and send nothing"
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="rule_name_is_unique"),
            models.CheckConstraint(
                condition=Q(sampling_rate__gte=0, sampling_rate__lte=1), name="rule_rate_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(is_enabled=False) | Q(is_shadow=False), name="rule_is_on_or_in_shadow"
            ),
            models.CheckConstraint(
                condition=Q(target="queue", queue__isnull=False)
                | Q(target="dataset", dataset_uuid__isnull=False)
                | Q(target="tag") & ~Q(tag="")
                | Q(target="feedback") & ~Q(feedback_key=""),
                name="rule_names_its_target",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> State:
        """On, in shadow, or off."""
        if self.is_enabled:
            return self.State.ON
        return self.State.SHADOW if self.is_shadow else self.State.OFF


class RuleVersion(models.Model):
    """A version of a rule, so that old decisions stay readable after the rule was edited."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    definition = DocumentField(
        help_text="{name, filter, projects, sampling_rate, queue, priority}, and what else is set"
    )
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
        indexes = [models.Index(F("rule"), F("decided_at").desc(), name="routing_decision_newest")]


class RuleSwitch(models.Model):
    """A rule was switched on, to shadow, or off: when, by which user, and why."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="switches")
    state = models.CharField(max_length=6, choices=RoutingRule.State)
    reason = models.CharField(max_length=500, blank=True)
    switched_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    switched_at = models.DateTimeField(db_default=Now())


class RuleMatch(models.Model):
    """A run that a rule selected, where no decision on an item records it. Each outcome once."""

    class Outcome(models.TextChoices):
        SHADOW = "shadow", "would have been sent"
        HELD_BACK = "held_back", "held back by the daily limit"
        SENT = "sent", "sent"
        REFUSED = "refused", "refused by the target"

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="matches", db_index=False)
    rule_version = models.PositiveIntegerField()
    run_id = models.UUIDField()
    outcome = models.CharField(max_length=9, choices=Outcome)
    draw = models.FloatField()
    reason = models.TextField(blank=True, help_text="Why the target refused it")
    matched_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "run_id", "outcome"], name="rule_match_once_per_outcome"
            )
        ]
        indexes = [
            models.Index(
                F("rule"),
                F("outcome"),
                F("matched_at").desc(),
                F("id").desc(),
                name="rule_match_newest",
            )
        ]


class RuleDay(models.Model):
    """What a rule with a daily limit has sent on a day (UTC). Its row is the limit's lock."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="days", db_index=False)
    day = models.DateField()
    n_sent = models.PositiveIntegerField(db_default=0)
    n_held_back = models.PositiveIntegerField(db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "day"], name="rule_day_once")]
