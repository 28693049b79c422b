"""Tables of feedback on runs, declared scales and presigned tokens."""

from __future__ import annotations

from typing import Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from observatory.runs.models import DocumentField, Project
from observatory.workspaces.models import ApiKey, Workspace


class FeedbackQuerySet(models.QuerySet["Feedback"]):
    def readable(self) -> Self:
        """Leave out the answers that are hidden by blind reviewing: see sealed.py."""
        return self.filter(is_sealed=False)


class Feedback(models.Model):
    """One judgement under one key. It may precede its run, or judge a whole project.

    `project`, `run_start_time` and `is_root` repeat the run's, so that "the newest negatively
    rated roots" is one index scan; they are null until the run is known (`record.attach`).
    """

    class Source(models.TextChoices):
        API = "api"
        MODEL = "model"
        APP = "app"
        AUTO_EVAL = "auto_eval"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    uuid = models.UUIDField(default=uuid4)
    run_id = models.UUIDField(null=True)
    trace_id = models.UUIDField(null=True)
    project = models.ForeignKey(
        Project, models.CASCADE, related_name="feedback", null=True, db_index=False
    )
    run_start_time = models.DateTimeField(null=True)
    is_root = models.BooleanField(null=True)
    key = models.CharField(max_length=180)
    score = models.FloatField(null=True)
    value = DocumentField(null=True)
    comment = models.TextField(null=True)
    correction = DocumentField(null=True)
    source_type = models.CharField(max_length=16, choices=Source, default=Source.API)
    source_metadata = DocumentField(null=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="feedback"
    )
    api_key = models.ForeignKey(
        ApiKey, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    config = DocumentField(null=True, help_text="feedback_config as sent with it")
    scale = DocumentField(
        null=True, help_text="The scale it was given on, as it was then: see scales.kept"
    )
    is_error = models.BooleanField(db_default=False)
    is_off_scale = models.BooleanField(
        db_default=False, help_text="Does not fit the config sent with it or declared for its key"
    )
    is_attribute = models.BooleanField(
        db_default=False, help_text="Says what an attribute of its run says: see reflection.py"
    )
    review_uuid = models.UUIDField(
        null=True, help_text="The review that wrote it, or took it for its answer"
    )
    is_sealed = models.BooleanField(
        db_default=False, help_text="Answers a blind item that others have yet to review"
    )
    comparative_experiment_id = models.UUIDField(null=True)
    feedback_group_id = models.UUIDField(null=True)
    feedback_thread_id = models.TextField(null=True)
    extra = DocumentField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    modified_at = models.DateTimeField(db_default=Now())
    objects = FeedbackQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "uuid"], name="feedback_uuid_is_unique")
        ]
        indexes = [
            models.Index(fields=["workspace", "run_id"], name="feedback_run"),
            models.Index(
                F("project"),
                F("key"),
                F("score"),
                F("run_start_time").desc(),
                name="feedback_project_key_score",
            ),
            models.Index(  # searches of runs by feedback start here: see runs/search.py
                F("project"),
                F("key"),
                F("run_start_time").desc(),
                F("run_id").desc(),
                include=["score"],
                name="feedback_project_key_readable",
                condition=Q(comparative_experiment_id=None, is_sealed=False),
            ),
            models.Index(
                F("workspace"), F("created_at").desc(), F("id").desc(), name="feedback_newest"
            ),
            models.Index(
                fields=["workspace", "run_id"],
                name="feedback_waits_for_its_run",
                condition=Q(run_start_time=None) & ~Q(run_id=None),
            ),
            models.Index(
                fields=["workspace", "run_id"],
                name="feedback_of_attributes",
                condition=Q(is_attribute=True),
            ),
            models.Index(
                fields=["workspace", "review_uuid"],
                name="feedback_of_review",
                condition=~Q(review_uuid=None),
            ),
            models.Index(
                fields=["workspace", "run_id"],
                name="feedback_sealed",
                condition=Q(is_sealed=True),
            ),
        ]


class FeedbackConfig(models.Model):
    """The declared scale of a key in a workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="feedback_configs")
    key = models.CharField(max_length=180)
    config = DocumentField(
        help_text="{type: continuous|categorical|freeform, min, max, categories}"
    )
    is_lower_score_better = models.BooleanField(default=False)
    is_enforced = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    modified_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "key"], name="feedback_config_key_is_unique"
            )
        ]


class PresignedToken(models.Model):
    """A bearer URL by which an end user gives one feedback. Only its digest is stored."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    uuid = models.UUIDField(default=uuid4)
    digest = models.BinaryField(max_length=32, unique=True)
    run_id = models.UUIDField()
    key = models.CharField(max_length=180)
    config = DocumentField(null=True)
    feedback_uuid = models.UUIDField(default=uuid4, help_text="The id of the first feedback")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    n_uses = models.IntegerField(db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "uuid"], name="presigned_token_uuid_is_unique"
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "run_id"], name="presigned_token_run"),
            models.Index(fields=["uuid"], name="presigned_token_by_its_id"),
        ]


class RateWindow(models.Model):
    """How many requests a subject made in the current minute.

    In PostgreSQL: one count for all web processes, and a public endpoint has no other store to rely
    on.
    """

    subject = models.BinaryField(max_length=32, primary_key=True, help_text="Digest of what")
    started_at = models.DateTimeField()
    n_hits = models.IntegerField()

    class Meta:
        indexes = [models.Index(fields=["started_at"], name="rate_window_oldest")]
