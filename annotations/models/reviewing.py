"""Tables of reviewers' seats, deferrals, drafts and reviews."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from annotations.models.queues import AnnotationQueue, QueueItem, RubricItem
from observatory.runs.models import DocumentField
from observatory.workspaces.models import User, Workspace


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
    """A reviewer's progress in a queue, and the lock that serialises their verbs.

    `places` maps a priority (as text) to an item id: every item of that priority up to it is done
    by this reviewer or closed, except returned seats; the next search starts there.
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
    """An item that a reviewer has skipped for good, or moved to the end of their order."""

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
    is_gold = models.BooleanField(
        db_default=False, default=False, help_text="Of a gold item, so it is never counted"
    )
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
            models.Index(fields=["queue"], name="review_of_gold", condition=Q(is_gold=True)),
        ]


class Rating(models.Model):
    """One current answer in numbers: the input of agreement. Narrow; one index serves it.

    `code` is the position of a category on the declared scale (0-based), 0/1 for boolean; `number`
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
    """A reviewer's unsubmitted input; restored when the item is opened again."""

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


class DriftAlarm(models.Model):
    """A change of a reviewer's answers against their own past; `rubric_item` null: of their pace.

    `before` and `after` are shares of agreement with the rest, or seconds per review; of a label
    mix they are null.
    """

    class Kind(models.TextChoices):
        AGREEMENT = "agreement"
        LABEL_MIX = "label_mix"
        PACE = "pace"

    queue = models.ForeignKey(
        AnnotationQueue, models.CASCADE, related_name="drift_alarms", db_index=False
    )
    reviewer = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    rubric_item = models.ForeignKey(RubricItem, models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=9, choices=Kind)
    week = models.DateField(help_text="The Monday of the week in which it was raised")
    p_value = models.FloatField()
    before = models.FloatField(null=True)
    after = models.FloatField(null=True)
    n_before = models.PositiveIntegerField()
    n_after = models.PositiveIntegerField()
    raised_at = models.DateTimeField()
    noted_at = models.DateTimeField(null=True)
    noted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "week", "reviewer", "rubric_item", "kind"],
                name="drift_alarm_once_a_week",
                nulls_distinct=False,
            )
        ]
