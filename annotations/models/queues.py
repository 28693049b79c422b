"""Queues, their rubrics and their items."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from annotations import question_kinds
from observatory.runs.models import DocumentField
from observatory.workspaces.models import User, Workspace


class AnnotationQueue(models.Model):
    """Holds items for reviewers to judge against its rubric."""

    class Access(models.TextChoices):
        ANY = "any", "any reviewer of the workspace"
        ASSIGNED = "assigned", "assigned reviewers only"

    class QueueType(models.TextChoices):
        SINGLE = "single", "single: a run or a thread an item"
        PAIRWISE = "pairwise", "pairwise: two runs of one example, A or B"

    class GateStatistic(models.TextChoices):
        """What of all reviewers together is compared with the target, on every key.

        Numbers have Krippendorff's alpha, whatever is chosen.
        """

        KAPPA = "kappa", "kappa: Cohen's, of more than two reviewers Conger's"
        ALPHA = "alpha", "alpha: Krippendorff's"
        AC1 = "ac1", "AC1: Gwet's, AC2 on an ordered scale"
        FLEISS = "fleiss", "Fleiss's kappa"
        UNIFORM = "brennan_prediger", "Brennan and Prediger's kappa"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="annotation_queues")
    uuid = models.UUIDField(default=uuid4, editable=False)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    instructions = models.TextField(blank=True, help_text="Markdown, shown beside every item")
    queue_type = models.CharField(
        max_length=8, choices=QueueType, default=QueueType.SINGLE, db_default=QueueType.SINGLE
    )
    reviewers_per_item = models.PositiveSmallIntegerField(default=1)
    asks_everybody = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Reviewers per item follow the assigned reviewers (none: all who may review)",
    )
    access = models.CharField(max_length=10, choices=Access, default=Access.ANY)
    assigned_reviewers = models.ManyToManyField(User, blank=True, related_name="assigned_queues")
    is_reserving = models.BooleanField(default=True, help_text="Reserve an item while it is open")
    reservation_minutes = models.PositiveIntegerField(default=10)
    is_blind = models.BooleanField(default=True, help_text="Hide others' answers until mine is in")
    is_paused = models.BooleanField(default=False)
    gold_rate = models.FloatField(
        default=0.05,
        db_default=0.05,
        help_text="Share of a reviewer's items that are gold items, 0 to 1; 0: none",
    )
    gate_statistic = models.CharField(
        max_length=16,
        choices=GateStatistic,
        default=GateStatistic.KAPPA,
        db_default=GateStatistic.KAPPA,
        help_text="Of agreement: the headline, which must be above the target",
    )
    gate_target = models.FloatField(
        default=0.7, db_default=0.7, help_text="Of agreement, from 0 to below 1"
    )
    drift_checked_at = models.DateTimeField(null=True, editable=False)
    rubric_version = models.PositiveIntegerField(default=1, editable=False)
    metadata = DocumentField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    is_demo = models.BooleanField(db_default=False, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "uuid"], name="queue_uuid_is_unique"),
            models.CheckConstraint(
                condition=Q(reviewers_per_item__gte=1, reviewers_per_item__lte=20),
                name="queue_has_1_to_20_reviewers_per_item",
            ),
            models.CheckConstraint(
                condition=Q(reservation_minutes__gte=1, reservation_minutes__lte=1440),
                name="queue_reserves_for_1_minute_to_1_day",
            ),
            models.CheckConstraint(
                condition=Q(gold_rate__gte=0, gold_rate__lte=1), name="queue_gold_rate_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(gate_target__gte=0, gate_target__lt=1),
                name="queue_targets_0_to_below_1",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AskedQuestions(models.Manager["RubricItem"]):
    """The current questions of the rubrics, without retired ones."""

    def get_queryset(self) -> models.QuerySet[RubricItem]:
        return super().get_queryset().filter(retired_at=None)


class RubricItem(models.Model):
    """One question of a queue's rubric; its answers are feedback under `feedback_key`.

    A question that is taken out of the rubric is retired and keeps its ratings. It comes back
    with them when a question with its key is added again. `every` has the retired ones, too.
    """

    class Level(models.TextChoices):
        NOMINAL = "nominal"
        ORDINAL = "ordinal"
        INTERVAL = "interval"
        RATIO = "ratio"
        TEXT = "text"

    class Weights(models.TextChoices):
        """How much less a disagreement over more places of an ordered scale counts."""

        QUADRATIC = "quadratic"
        LINEAR = "linear"

    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="rubric_items")
    position = models.PositiveSmallIntegerField(default=0)
    feedback_key = models.CharField(max_length=180)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    kind = models.CharField(
        max_length=12, choices=question_kinds.choices, default=question_kinds.Categorical.name
    )
    level = models.CharField(max_length=10, choices=Level, default=Level.NOMINAL)
    weights = models.CharField(
        max_length=9,
        choices=Weights,
        default=Weights.QUADRATIC,
        db_default=Weights.QUADRATIC,
        help_text="Of kappa on an ordered scale",
    )
    categories = DocumentField(
        default=list,
        blank=True,
        help_text='In order: [{"value": number, "label": text, "description": text}]',
    )
    minimum = models.FloatField(null=True, blank=True)
    maximum = models.FloatField(null=True, blank=True)
    is_required = models.BooleanField(default=False)
    extra = DocumentField(
        default=dict,
        blank=True,
        help_text="Wire fields kept as sent: visible_if, regex_validator ...",
    )
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AskedQuestions()
    every: models.Manager[RubricItem] = models.Manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "feedback_key"],
                name="rubric_key_once_per_queue",
                condition=Q(retired_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.feedback_key


class RubricVersion(models.Model):
    """A version of the rubric; every review names the version it answered.

    `items` are the fields of each question with the `id` of its row, which a new key keeps.
    """

    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="rubric_versions")
    version = models.PositiveIntegerField()
    items = DocumentField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "version"], name="rubric_version_once_per_queue"
            )
        ]


class QueueItem(models.Model):
    """One run in one queue, once. A removed item stays as a tombstone: rules cannot re-add it.

    Of a thread or a pair `run_id` is an id made of what they are: see `subjects`. A gold item has
    a known answer, and is given to each reviewer once (see `annotations.quality`): it is reviewed
    like an open item and shown as one, but never counted, completed or settled.
    """

    class ItemType(models.TextChoices):
        RUN = "run"
        THREAD = "thread"
        PAIR = "pair"

    class State(models.TextChoices):
        OPEN = "open"
        COMPLETED = "completed"
        REMOVED = "removed"
        GOLD = "gold"

    class Source(models.TextChoices):
        RULE = "rule"
        API = "api"
        PERSON = "person"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="items", db_index=False)
    run_id = models.UUIDField()
    item_type = models.CharField(max_length=6, choices=ItemType, db_default=ItemType.RUN)
    project_uuid = models.UUIDField(null=True, help_text="Of a thread")
    thread_id = models.TextField(null=True)
    first_run_id = models.UUIDField(null=True, help_text="Of a pair")
    second_run_id = models.UUIDField(null=True)
    example_id = models.UUIDField(null=True, help_text="Both runs of a pair answer it")
    comparison_id = models.UUIDField(null=True, help_text="Comparative experiment of a pair")
    is_swapped = models.BooleanField(db_default=False, help_text="The second run is shown as A")
    state = models.CharField(max_length=9, choices=State, db_default=State.OPEN)
    source = models.CharField(max_length=6, choices=Source)
    priority = models.SmallIntegerField(db_default=0)
    added_at = models.DateTimeField(db_default=Now())
    added_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", db_index=False)
    n_reviews = models.SmallIntegerField(db_default=0, help_text="Counted reviews")
    last_reviewed_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    reopened_at = models.DateTimeField(
        null=True, help_text="Answers were visible before this; reviews after it are not blind"
    )
    removed_at = models.DateTimeField(null=True)
    extra = DocumentField(null=True, help_text="Wire fields kept as sent")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "run_id"], name="queue_item_run_once_per_queue"
            ),
            models.CheckConstraint(
                condition=Q(item_type="run")
                | Q(item_type="thread", thread_id__isnull=False, project_uuid__isnull=False)
                | Q(item_type="pair", first_run_id__isnull=False, second_run_id__isnull=False),
                name="queue_item_says_its_subject",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "run_id"], name="queue_item_run"),
            models.Index(
                F("queue"), F("state"), F("priority").desc(), F("id"), name="queue_item_order"
            ),
            models.Index(
                fields=["workspace", "first_run_id"],
                name="queue_item_first_of_pair",
                condition=~Q(first_run_id=None),
            ),
            models.Index(
                fields=["workspace", "thread_id"],
                name="queue_item_of_thread",
                condition=~Q(thread_id=None),
            ),
            models.Index(
                fields=["workspace", "second_run_id"],
                name="queue_item_second_of_pair",
                condition=~Q(second_run_id=None),
            ),
            models.Index(
                F("queue"),
                F("completed_at").desc(),
                name="queue_item_done",
                condition=~Q(completed_at=None),
            ),
        ]

    def __str__(self) -> str:
        if self.item_type == self.ItemType.THREAD:
            return f"thread {self.thread_id}"
        return " and ".join(f"run {run_id}" for run_id in self.judged_runs)

    @property
    def is_reviewable(self) -> bool:
        """Whether a review may be made for which a seat is held."""
        return self.state in REVIEWABLE

    @property
    def shown_state(self) -> str:
        """The state as reviewers see it: gold items must look like open ones."""
        return self.State.OPEN if self.state == self.State.GOLD else self.state

    @property
    def n_reviews_shown(self) -> int:
        """The counted reviews as reviewers see them: an open item never has all it needs."""
        if self.state != self.State.GOLD:
            return self.n_reviews
        return min(self.n_reviews, self.queue.reviewers_per_item - 1)

    @property
    def judged_runs(self) -> list[UUID]:
        """The runs that a review is about; a thread's change, so it names none."""
        pair = [run_id for run_id in (self.first_run_id, self.second_run_id) if run_id]
        return [self.run_id] if self.item_type == self.ItemType.RUN else pair

    @property
    def is_pair(self) -> bool:
        """Whether the item compares two runs."""
        return self.item_type == self.ItemType.PAIR


REVIEWABLE = (QueueItem.State.OPEN, QueueItem.State.GOLD)


class GoldAnswer(models.Model):
    """A version of the expected answers of a gold item; the newest is the one that counts."""

    item = models.ForeignKey(QueueItem, models.CASCADE, related_name="gold_answers", db_index=False)
    version = models.PositiveIntegerField()
    answers = DocumentField(help_text="{feedback key: {score, value}}, as a review has them")
    reason = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "version"], name="gold_version_once_per_item")
        ]
