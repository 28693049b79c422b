"""Tables of projects, runs and the outbox of changed runs.

No table has a foreign key to a run: feedback and queue items may arrive before it, so they name it
by (workspace, run id). References upward (example, dataset) are plain UUIDs.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from observatory.exact import Decoder, Encoder
from observatory.workspaces.models import Workspace


class RawJSONField(models.Field):  # type: ignore[type-arg]
    """A JSON document kept as the bytes that were sent: PostgreSQL `json`, read as `str`.

    `json`, not `jsonb`: numbers of any size and the order of keys survive, and nothing is
    parsed between the request and the page. The database still refuses what is not JSON.
    """

    def db_type(self, connection: Any) -> str:
        return "json"

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return f"{sql}::text", params


class DocumentField(models.JSONField):
    """A `jsonb` document that keeps every number exactly (`observatory/exact.py`).

    Migrations see the JSONField that it extends: the column is the same.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(encoder=Encoder, decoder=Decoder, **options)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, _, args, options = super().deconstruct()
        del options["encoder"], options["decoder"]
        return name, "django.db.models.JSONField", list(args), options


class Project(models.Model):
    """Groups traces; an experiment is a project with a reference dataset. Wire: session."""

    id = models.AutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="projects")
    uuid = models.UUIDField(default=uuid4, editable=False)
    name = models.CharField(max_length=512)
    description = models.TextField(null=True, blank=True)
    extra = DocumentField(default=dict, blank=True)
    reference_dataset_id = models.UUIDField(null=True, blank=True)
    default_dataset_id = models.UUIDField(null=True, blank=True)
    trace_tier = models.CharField(max_length=32, null=True, blank=True)
    start_time = models.DateTimeField(db_default=Now())
    end_time = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    is_demo = models.BooleanField(db_default=False, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="project_name_is_unique"),
            models.UniqueConstraint(fields=["workspace", "uuid"], name="project_uuid_is_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One step. Several ops (creates and patches) in any order fold into one row: see merge.py.

    Rows are inserted by `ingest` alone and changed by this room only: `amend`, `adoption`,
    `prices`, `otlp.links`. `workspace` and `project` carry no foreign key constraint: a check per
    row costs a tenth of the ingest rate, and `ingest` holds a lock on the project rows it names.
    """

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = models.ForeignKey(
        Workspace, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    id = models.UUIDField()
    project = models.ForeignKey(
        Project,
        models.DO_NOTHING,
        related_name="runs",
        null=True,
        db_constraint=False,
        db_index=False,
    )
    trace_id = models.UUIDField()
    parent_run_id = models.UUIDField(null=True)
    dotted_order = models.TextField(null=True)
    name = models.TextField(null=True)
    run_type = models.TextField(null=True)
    start_time = models.DateTimeField(null=True)
    end_time = models.DateTimeField(null=True)
    first_token_time = models.DateTimeField(null=True)
    error = models.TextField(null=True)
    inputs = RawJSONField(null=True)
    outputs = RawJSONField(null=True)
    events = RawJSONField(null=True)
    serialized = RawJSONField(null=True)
    extra = DocumentField(null=True, help_text="`extra` as sent, without its `metadata`")
    metadata = DocumentField(db_default=RawSQL("'{}'::jsonb", []))
    tags = ArrayField(models.TextField(), null=True)
    reference_example_id = models.UUIDField(null=True)
    prompt_tokens = models.BigIntegerField(null=True)
    completion_tokens = models.BigIntegerField(null=True)
    total_tokens = models.BigIntegerField(null=True)
    prompt_cost = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    completion_cost = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    total_cost = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    usage_details = DocumentField(null=True)
    clock = DocumentField(null=True, help_text="Field -> stamp of the patch that set it")
    is_sanitized = models.BooleanField(
        db_default=False, help_text="NUL or lone surrogates were replaced by U+FFFD"
    )
    is_adopted = models.BooleanField(
        db_default=False, help_text="No op named a project: it is the one of its trace"
    )
    is_priced = models.BooleanField(
        db_default=False, help_text="The costs are ours, by the price table: see prices.py"
    )
    received_at = models.DateTimeField(db_default=Now())
    modified_at = models.DateTimeField(db_default=Now())
    status = models.GeneratedField(
        expression=RawSQL(
            "CASE WHEN error IS NOT NULL THEN 'error'"
            " WHEN end_time IS NOT NULL THEN 'success' ELSE 'pending' END",
            [],
        ),
        output_field=models.TextField(),
        db_persist=True,
    )
    elapsed_s = models.GeneratedField(
        expression=RawSQL("extract(epoch from (end_time - start_time))::double precision", []),
        output_field=models.FloatField(),
        db_persist=True,
        db_column="latency_s",
        help_text="Below zero where the sender's clocks disagree: see durations.py",
    )
    thread_id = models.GeneratedField(
        expression=RawSQL(
            "left(coalesce(metadata->>'session_id', metadata->>'thread_id',"
            " metadata->>'conversation_id'), 200)",  # an index entry holds 2,700 bytes
            [],
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    class Meta:
        indexes = [
            models.Index(
                F("project"), F("start_time").desc(), F("id").desc(), name="run_project_newest"
            ),
            models.Index(
                F("project"),
                F("start_time").desc(),
                F("id").desc(),
                name="run_project_newest_root",
                condition=Q(parent_run_id=None),
            ),
            models.Index(fields=["workspace", "trace_id"], name="run_trace"),
            models.Index(
                fields=["project", "thread_id"], name="run_thread", condition=~Q(thread_id=None)
            ),
            models.Index(
                fields=["workspace", "reference_example_id"],
                name="run_example",
                condition=~Q(reference_example_id=None),
            ),
            # Roots only: reviewers search traces, and every index entry costs
            # ingestion time (docs/adr/0002).
            GinIndex(
                OpClass(F("metadata"), "jsonb_path_ops"),
                name="run_root_metadata",
                condition=Q(parent_run_id=None),
            ),
            # These two hold only runs whose parent or root has not arrived: see adoption.py.
            models.Index(
                fields=["workspace", "parent_run_id"],
                name="run_waits_for_its_trace",
                condition=Q(trace_id=F("id")) & ~Q(parent_run_id=None),
            ),
            models.Index(
                fields=["workspace", "trace_id"],
                name="run_waits_for_its_project",
                condition=Q(project=None),
            ),
        ]

    @property
    def latency_s(self) -> float | None:
        """Seconds from start to end; None while it is pending, or if it ended before it began."""
        elapsed: float | None = self.elapsed_s
        return None if elapsed is None or elapsed < 0 else elapsed


class Change(models.Model):
    """The outbox: one row per transaction, naming the runs that changed or got feedback.

    Written in the transaction that changed them, claimed FOR UPDATE SKIP LOCKED and deleted in the
    transaction that acted on it.
    """

    class Kind(models.TextChoices):
        RUN = "run"
        FEEDBACK = "feedback"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    run_ids = ArrayField(models.UUIDField())
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.SmallIntegerField(db_default=0)
    last_error = models.TextField(db_default="")
    is_dead = models.BooleanField(db_default=False)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="change_due", condition=Q(is_dead=False))]


class Rejected(models.Model):
    """Quarantine: an item that could not be stored, with the reason. The rest of its batch was."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, help_text="run, feedback, attachment or part")
    item_id = models.TextField(blank=True)
    code = models.CharField(max_length=40)
    reason = models.TextField()
    raw = models.BinaryField(help_text="What was sent, cut at 1 MiB")
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "rejected items (quarantine)"
        indexes = [models.Index(F("workspace"), F("received_at").desc(), name="rejected_newest")]


class Attachment(models.Model):
    """A file of a run, by (workspace, run id, name). Its bytes are in the attachment storage."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    run_id = models.UUIDField()
    name = models.TextField()
    mime_type = models.TextField()
    size = models.BigIntegerField(help_text="bytes")
    sha256 = models.BinaryField(max_length=32)
    path = models.TextField(help_text="Name in the storage; ours, never the sender's")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "run_id", "name"], name="attachment_name_is_unique_in_its_run"
            )
        ]


class RunShare(models.Model):
    """A token that opens one run and the runs below it to anyone, until it is deleted."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    run_id = models.UUIDField()
    token = models.UUIDField(unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "run_id"], name="run_share_is_one_a_run")
        ]


class ModelPrice(models.Model):
    """What tokens of a model cost from a date on, in US dollars per million tokens."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="prices")
    provider = models.CharField(
        max_length=120,
        blank=True,
        db_default="",
        help_text="As runs name it in ls_provider, such as openai; empty for any",
    )
    model = models.CharField(
        max_length=200,
        help_text="As runs name it in ls_model_name; * stands for anything: gpt-4o-*",
    )
    prompt_price = models.DecimalField(
        max_digits=12, decimal_places=6, help_text="US dollars a million prompt tokens"
    )
    completion_price = models.DecimalField(
        max_digits=12, decimal_places=6, help_text="US dollars a million completion tokens"
    )
    valid_from = models.DateTimeField(
        db_default=Now(), help_text="For runs that start from this moment on"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(prompt_price__gte=0) & Q(completion_price__gte=0),
                name="model_price_is_not_negative",
            ),
            models.UniqueConstraint(
                fields=["workspace", "provider", "model", "valid_from"],
                name="model_price_is_one_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider or 'any provider'}: {self.model}"


class ThreadShare(models.Model):
    """A token that opens all traces of a thread, present and future, to anyone."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    thread_id = models.TextField()
    token = models.UUIDField(unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "thread_id"], name="thread_share_is_one_a_thread"
            )
        ]
