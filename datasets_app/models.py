"""Tables of datasets and examples, where each change is a revision at a version."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from annotations.models import AnnotationQueue, QueueItem
from observatory.runs.models import DocumentField, Project, RawJSONField
from observatory.workspaces.models import User, Workspace


class Dataset(models.Model):
    class DataType(models.TextChoices):
        KV = "kv"
        LLM = "llm"
        CHAT = "chat"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="datasets")
    uuid = models.UUIDField(default=uuid4, editable=False)
    name = models.CharField(max_length=512)
    description = models.TextField(null=True, blank=True)
    data_type = models.CharField(max_length=4, choices=DataType, default=DataType.KV)
    inputs_schema_definition = DocumentField(null=True, blank=True)
    outputs_schema_definition = DocumentField(null=True, blank=True)
    transformations = DocumentField(null=True, blank=True)
    metadata = DocumentField(null=True, blank=True)
    extra = DocumentField(null=True, blank=True)
    is_externally_managed = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    modified_at = models.DateTimeField(db_default=Now(), editable=False)
    is_demo = models.BooleanField(db_default=False, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "uuid"], name="dataset_uuid_is_unique"),
            models.UniqueConstraint(fields=["workspace", "name"], name="dataset_name_is_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """One write transaction of a dataset. `as_of` is its name on the wire, to the microsecond."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="versions", db_index=False)
    as_of = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "as_of"], name="dataset_version_is_unique")
        ]

    def __str__(self) -> str:
        return self.as_of.isoformat()


class DatasetTag(models.Model):
    """A movable name of a version. `latest` is not stored: it is always the newest."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="tags", db_index=False)
    name = models.CharField(max_length=200)
    version = models.ForeignKey(DatasetVersion, models.CASCADE, related_name="tags")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "name"], name="dataset_tag_is_unique")
        ]


class Example(models.Model):
    """The identity of an example; its content is in its revisions."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="examples")
    uuid = models.UUIDField(default=uuid4)
    created_at = models.DateTimeField(db_default=Now())
    source_run_id = models.UUIDField(null=True)
    origin = models.CharField(
        max_length=64, blank=True, help_text="harvest: and the item, or empty"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "uuid"], name="example_uuid_is_unique"),
            models.UniqueConstraint(
                fields=["dataset", "origin"],
                name="example_origin_once_per_dataset",
                condition=~Q(origin=""),
            ),
        ]
        indexes = [
            models.Index(F("dataset"), F("created_at").desc(), F("id"), name="example_newest"),
        ]

    def __str__(self) -> str:
        return f"example {self.uuid}"


class ExampleRevisionQuerySet(models.QuerySet["ExampleRevision"]):
    def at(self, as_of: datetime | None) -> Self:
        """Return the state of every example at `as_of` (None: now), one revision each."""
        if as_of is None:
            return self.filter(valid_to=None)
        return self.filter(Q(valid_to=None) | Q(valid_to__gt=as_of), valid_from__lte=as_of)


class ExampleRevision(models.Model):
    """The content of an example from `valid_from` until `valid_to` (null: now). Never edited.

    A deletion ends the last revision and adds none. The state at T is every revision with
    valid_from <= T < valid_to.
    """

    example = models.ForeignKey(Example, models.CASCADE, related_name="revisions", db_index=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="+", db_index=False)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)
    inputs = RawJSONField(null=True)
    outputs = RawJSONField(null=True)
    metadata = DocumentField(null=True)
    splits = ArrayField(models.TextField(), default=list)
    files = DocumentField(
        default=dict, db_default=RawSQL("'{}'::jsonb", []), help_text="name -> uuid of ExampleFile"
    )
    objects = ExampleRevisionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["example", "valid_from"], name="example_revision_is_unique"
            ),
            models.UniqueConstraint(
                fields=["example"],
                name="example_has_one_current_revision",
                condition=Q(valid_to=None),
            ),
        ]
        indexes = [
            models.Index(
                F("dataset"), F("valid_from").desc(), F("example"), name="example_revision_as_of"
            ),
        ]

    def __str__(self) -> str:
        return f"from {self.valid_from.isoformat()}"


class ExampleFile(models.Model):
    """A file of an example. Never changed; revisions map names to files."""

    example = models.ForeignKey(Example, models.CASCADE, related_name="files")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    mime_type = models.TextField()
    size = models.BigIntegerField(help_text="bytes")
    sha256 = models.BinaryField(max_length=32)
    path = models.TextField(help_text="Name in the storage; ours, never the sender's")

    def __str__(self) -> str:
        return f"file {self.uuid}"


class DatasetShare(models.Model):
    """A token that opens a dataset, at any version, to anyone with the link."""

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="share")
    token = models.UUIDField(default=uuid4, unique=True, editable=False)
    shows_experiments = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"share of {self.dataset}"


class Experiment(models.Model):
    """The announced size of a project run over a dataset; the project names the dataset."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="experiment")
    n_examples = models.PositiveIntegerField(null=True)
    n_repetitions = models.PositiveIntegerField(null=True)
    evaluator_keys = ArrayField(models.TextField(), default=list)

    def __str__(self) -> str:
        return str(self.project)


class Comparison(models.Model):
    """Experiments of one dataset, compared by feedback. Wire: comparative experiment."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="comparisons")
    uuid = models.UUIDField(default=uuid4, editable=False)
    name = models.CharField(max_length=512, blank=True)
    description = models.TextField(null=True, blank=True)
    extra = DocumentField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    modified_at = models.DateTimeField(db_default=Now())
    projects = models.ManyToManyField(Project, related_name="comparisons")
    order = ArrayField(
        models.UUIDField(), default=list, help_text="uuids of the projects, as they were given"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "uuid"], name="comparison_uuid_is_unique"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.uuid)

    def in_order(self) -> list[Project]:
        """Return the experiments in their stored order: the first is the baseline."""
        places = {uuid: position for position, uuid in enumerate(self.order)}
        return sorted(self.projects.all(), key=lambda one: places.get(one.uuid, len(places)))


class Harvest(models.Model):
    """Connects a queue to a dataset: completed items become its examples."""

    queue = models.OneToOneField(AnnotationQueue, models.CASCADE, related_name="harvest")
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="harvests")
    accepts_unchanged = models.BooleanField(
        default=False, help_text="Also items that every reviewer left as they were"
    )
    accepts_disputed = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Also items whose reviewers differ, with the newest correction of them",
    )
    is_enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"{self.queue} -> {self.dataset}"


class HarvestedItem(models.Model):
    """An item that `harvest` has processed, and the result. Exactly one row per item."""

    class Outcome(models.TextChoices):
        EXAMPLE = "example", "became an example"
        UNCHANGED = "unchanged", "left as it was, and the queue keeps only corrections"
        DISPUTED = "disputed", "its reviewers differ, and the queue keeps only what they agree on"
        NO_RUN = "no_run", "its run is not stored"
        RETRACTED = "retracted", "reopened after it was completed"

    item = models.OneToOneField(QueueItem, models.CASCADE, related_name="harvested")
    example = models.ForeignKey(Example, models.SET_NULL, null=True, related_name="+")
    outcome = models.CharField(max_length=24, choices=Outcome)
    harvested_at = models.DateTimeField(db_default=Now())
    reviewed_at = models.DateTimeField(
        null=True, help_text="The item's newest review when it was looked at"
    )
    n_reviews = models.SmallIntegerField(null=True, help_text="The item's counted reviews then")


class TrainingExport(models.Model):
    """A file of training data that was written, and what was proven of its labels then."""

    class Form(models.TextChoices):
        SFT = "sft", "conversations (SFT)"
        DPO = "dpo", "preferences (DPO)"
        KTO = "kto", "good and bad answers (KTO)"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="training_exports")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(
        Dataset, models.SET_NULL, null=True, related_name="training_exports"
    )
    dataset_name = models.CharField(max_length=512, help_text="Kept when the dataset is deleted")
    form = models.CharField(max_length=8, choices=Form)
    as_of = models.DateTimeField(null=True, help_text="The version; empty: it had none")
    exported_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    exported_at = models.DateTimeField()
    gate = DocumentField(default=list, help_text="Each question's agreement at the time")
    override_reason = models.TextField(
        blank=True, help_text="Why it was exported although agreement was not proven"
    )
    n_lines = models.PositiveBigIntegerField()
    left_out = DocumentField(default=dict, help_text="Examples without a line, by reason")
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.form} of {self.dataset_name}"
