"""Tables of back-tests and backfills: rules applied to past runs."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotations.models.routing import RoutingRule
from observatory.runs.models import DocumentField
from observatory.workspaces.models import User, Workspace


class RuleWork(models.Model):
    """Shared by back-tests and backfills: a walk over stored runs, resumed from `cursor`.

    The worker that holds the row's lock works on it; each step moves the cursor in its
    transaction.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        STOPPED = "stopped", "stopped at the time limit"
        CANCELED = "canceled"
        FAILED = "failed"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    state = models.CharField(max_length=8, choices=State, db_default=State.WAITING)
    started_from = models.DateTimeField(help_text="Of runs that started from here")
    started_before = models.DateTimeField()
    cursor = DocumentField(null=True, help_text="{day, project, start_time, run}")
    n_looked_at = models.PositiveBigIntegerField(db_default=0)
    worked_s = models.FloatField(db_default=0.0)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    requested_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def is_over(self) -> bool:
        """Whether no further step will be taken."""
        return self.state not in (self.State.WAITING, self.State.RUNNING)


class BackTest(RuleWork):
    """What a rule would have selected in the past: `result` as `backtests.Result`."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    rule_uuid = models.UUIDField(db_index=True, help_text="Draws are made with it, saved or not")
    definition = DocumentField(help_text="As in RuleVersion")
    result = DocumentField(default=dict)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                name="back_test_unfinished",
                condition=Q(state__in=("waiting", "running")),
            )
        ]


class Backfill(RuleWork):
    """A rule applied to past runs by request of a user; `log` has a row a step."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="backfills")
    rule_version = models.PositiveIntegerField()
    n_selected = models.PositiveBigIntegerField(db_default=0)
    n_sent = models.PositiveBigIntegerField(db_default=0)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                name="backfill_unfinished",
                condition=Q(state__in=("waiting", "running")),
            )
        ]


class BackfillStep(models.Model):
    """One step of a backfill: which runs it looked at and how many it sent."""

    backfill = models.ForeignKey(Backfill, models.CASCADE, related_name="log")
    at = models.DateTimeField(db_default=Now())
    newest = models.DateTimeField(help_text="Start of the newest run of the step")
    oldest = models.DateTimeField()
    n_looked_at = models.PositiveIntegerField()
    n_selected = models.PositiveIntegerField()
    n_sent = models.PositiveIntegerField()
