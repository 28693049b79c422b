"""People review: queues, rubrics, rules, items, seats and reviews."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from observatory.runs.models import DocumentField, Project
from observatory.workspaces.models import User, Workspace


class AnnotationQueue(models.Model):
    """Holds items for reviewers to judge against its rubric."""

    class Access(models.TextChoices):
        ANY = "any", "any reviewer of the workspace"
        ASSIGNED = "assigned", "assigned reviewers only"

    class QueueType(models.TextChoices):
        SINGLE = "single", "single: a run or a thread an item"
        PAIRWISE = "pairwise", "pairwise: two runs of one example, A or B"

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
        ]

    def __str__(self) -> str:
        return self.name


class AskedQuestions(models.Manager["RubricItem"]):
    """The questions of the rubrics as they are now, without those taken out of them."""

    def get_queryset(self) -> models.QuerySet[RubricItem]:
        return super().get_queryset().filter(retired_at=None)


class RubricItem(models.Model):
    """One question of a queue's rubric; its answers are feedback under `feedback_key`.

    A question that is taken out of the rubric is retired and keeps its ratings. It comes back
    with them when a question with its key is added again. `every` has the retired ones, too.
    """

    class Kind(models.TextChoices):
        CATEGORICAL = "categorical"
        CONTINUOUS = "continuous"
        BOOLEAN = "boolean"
        FREEFORM = "freeform"

    class Level(models.TextChoices):
        NOMINAL = "nominal"
        ORDINAL = "ordinal"
        INTERVAL = "interval"
        TEXT = "text"

    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="rubric_items")
    position = models.PositiveSmallIntegerField(default=0)
    feedback_key = models.CharField(max_length=180)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.CATEGORICAL)
    level = models.CharField(max_length=10, choices=Level, default=Level.NOMINAL)
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
    """The rubric as it stood: every review names the version it answered.

    `items` are the fields of each question with the `id` of its row, which a new key leaves.
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
    """A rule as it stood, so that an old decision can be read after the rule was edited."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    definition = DocumentField(help_text="{name, filter, projects, sampling_rate, queue, priority}")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "version"], name="rule_version_is_unique")
        ]


class QueueItem(models.Model):
    """One run in one queue, once. A removed item stays as a tombstone: rules cannot re-add it.

    Of a thread or a pair `run_id` is an id made of what they are: see `subjects`.
    """

    class ItemType(models.TextChoices):
        RUN = "run"
        THREAD = "thread"
        PAIR = "pair"

    class State(models.TextChoices):
        OPEN = "open"
        COMPLETED = "completed"
        REMOVED = "removed"

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
    def judged_runs(self) -> list[UUID]:
        """The runs that a review judges; a thread's change, so it names none."""
        pair = [run_id for run_id in (self.first_run_id, self.second_run_id) if run_id]
        return [self.run_id] if self.item_type == self.ItemType.RUN else pair


class RoutingDecision(models.Model):
    """Why an item is in its queue. None of this can be rebuilt later, so it is kept."""

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


class Seat(models.Model):
    """One of the reviews an item needs: free, reserved by a reviewer until a time, or taken.

    Narrow, so that the next item is one probe of `seat_open`. A lapsed reservation stays.
    `is_returned` marks a seat that came open again after reviewers may have passed it (a review
    taken back, an item brought back): bookmarks do not hide it.
    """

    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="+", db_index=False)
    item = models.ForeignKey(QueueItem, models.CASCADE, related_name="seats", db_index=False)
    number = models.SmallIntegerField(help_text="1 .. reviewers per item")
    priority = models.SmallIntegerField(db_default=0)
    reviewer = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", db_index=False)
    lease = models.UUIDField(null=True, help_text="Token of the live reservation")
    reserved_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    is_taken = models.BooleanField(db_default=False, help_text="A counted review fills it")
    is_returned = models.BooleanField(db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "number"], name="seat_number_once_per_item"),
            models.UniqueConstraint(
                fields=["item", "reviewer"],
                name="seat_one_per_item_and_reviewer",
                condition=~Q(reviewer=None),
            ),
            models.CheckConstraint(
                condition=Q(lease=None, expires_at=None, reserved_at=None)
                | ~Q(lease=None) & ~Q(expires_at=None) & ~Q(reserved_at=None),
                name="seat_reservation_is_whole",
            ),
        ]
        indexes = [
            models.Index(
                F("queue"),
                F("priority").desc(),
                F("item"),
                F("number"),
                name="seat_open",
                condition=Q(is_taken=False),
            ),
            models.Index(
                F("queue"),
                F("priority").desc(),
                F("item"),
                name="seat_returned",
                condition=Q(is_taken=False, is_returned=True),
            ),
            models.Index(
                fields=["reviewer", "queue"],
                name="seat_held",
                condition=Q(is_taken=False) & ~Q(reviewer=None),
            ),
        ]


class Bookmark(models.Model):
    """How far one reviewer is in one queue, and the lock that makes their steps come one by one.

    `places` maps a priority (as text) to an item id: every item of that priority up to it is
    done by this reviewer or closed, save for returned seats: there the next search starts.
    """

    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="+", db_index=False)
    reviewer = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    places = DocumentField(default=dict)
    searched_at = models.DateTimeField(null=True, help_text="Last search that ignored `places`")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "reviewer"], name="bookmark_one_per_queue_and_reviewer"
            )
        ]


class Deferral(models.Model):
    """A reviewer passed an item over: skipped it for good, or put it at the end of their order."""

    class Kind(models.TextChoices):
        SKIP = "skip"
        REQUEUE = "requeue"

    class Reason(models.TextChoices):
        UNCLEAR = "unclear", "Unclear"
        NOT_MY_FIELD = "not_my_field", "Not my field"
        NEEDS_CONTEXT = "needs_context", "Needs more context"
        BROKEN = "broken", "Broken"
        DISTURBING = "disturbing", "Disturbing content"

    item = models.ForeignKey(QueueItem, models.CASCADE, related_name="deferrals", db_index=False)
    reviewer = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    reason = models.CharField(max_length=14, choices=Reason, blank=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "reviewer"], name="deferral_once_per_reviewer")
        ]
        indexes = [
            models.Index(
                fields=["reviewer", "created_at"],
                name="deferral_requeued",
                condition=Q(kind="requeue"),
            ),
            models.Index(fields=["reviewer", "-created_at"], name="deferral_newest"),
        ]


class Review(models.Model):
    """One reviewer's answers on one item. A late extra is kept, and not counted."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    submission_id = models.UUIDField(unique=True, help_text="The same one twice is one review")
    queue = models.ForeignKey(
        AnnotationQueue, models.CASCADE, related_name="reviews", db_index=False
    )
    item = models.ForeignKey(QueueItem, models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(User, models.PROTECT, related_name="reviews", db_index=False)
    rubric_version = models.PositiveIntegerField()
    scores = DocumentField(
        help_text="{feedback key: {score, value, comment}}, or {cant_judge: reason}"
    )
    correction = DocumentField(null=True, help_text='{"outputs": ...}, only if it differs')
    note = models.TextField(blank=True)
    is_counted = models.BooleanField(default=True)
    is_blind = models.BooleanField(default=True)
    dwell_ms = models.PositiveIntegerField(null=True)
    submitted_at = models.DateTimeField(db_default=Now())
    retracted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "reviewer"],
                name="review_one_standing_per_reviewer",
                condition=Q(retracted_at=None),
            )
        ]
        indexes = [
            models.Index(
                F("reviewer"),
                F("queue"),
                F("submitted_at").desc(),
                name="review_newest_of_reviewer",
            ),
            models.Index(F("queue"), F("submitted_at").desc(), name="review_newest_of_queue"),
        ]


class Rating(models.Model):
    """One current answer in numbers: what agreement is computed from. Narrow; one index serves it.

    `code` is the place of a category on the declared scale (0-based), 0/1 for boolean; `number`
    the answer on a continuous scale. Free text has no rating.
    """

    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="+", db_index=False)
    rubric_item = models.ForeignKey(RubricItem, models.CASCADE, related_name="+", db_index=False)
    rubric_version = models.PositiveIntegerField()
    item = models.ForeignKey(QueueItem, models.CASCADE, related_name="+", db_index=False)
    reviewer = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    review = models.ForeignKey(Review, models.CASCADE, related_name="ratings")
    code = models.SmallIntegerField(null=True)
    number = models.FloatField(null=True)
    is_blind = models.BooleanField(default=True)
    rated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rubric_item", "item", "reviewer"],
                include=["code", "number"],
                name="rating_one_per_key_item_and_reviewer",
            )
        ]


class ReviewDraft(models.Model):
    """What a reviewer has typed and not submitted; restored when the item is opened again."""

    item = models.ForeignKey(QueueItem, models.CASCADE, related_name="drafts", db_index=False)
    reviewer = models.ForeignKey(User, models.CASCADE, related_name="+")
    version = models.PositiveIntegerField(default=1)
    content = DocumentField(help_text="{scores, correction_text, note}")
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "reviewer"], name="draft_one_per_item_and_reviewer"
            )
        ]
