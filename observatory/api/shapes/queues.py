"""Annotation queues, their rubrics and what is in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.shapes import Object, PageQuery
from observatory.api.shapes.feedback import Key, Scale
from observatory.api.shapes.runs import Run

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class RubricItemFields(TypedDict):
    """A question to reviewers."""

    feedback_key: Key
    description: NotRequired[str | None]
    value_descriptions: NotRequired[dict[str, str] | None]
    score_descriptions: NotRequired[dict[str, str] | None]
    is_required: NotRequired[bool | None]
    is_assertion: NotRequired[bool | None]
    feedback_config_id: NotRequired[str | None]
    regex_validator: NotRequired[str | None]
    required_if: NotRequired[Object | None]
    visible_if: NotRequired[Object | None]


class RubricItemCreate(RubricItemFields):
    """A question to ask."""

    feedback_config: NotRequired[Scale | None]


class RubricItem(RubricItemFields):
    """A question that is asked; its scale as the record of a config."""

    feedback_config: Object


class QueueFields(TypedDict, total=False):
    """What a queue may say of itself. Null and absent keep."""

    description: str | None
    rubric_instructions: str | None
    rubric_items: list[RubricItemCreate] | None
    default_dataset: UUID | None
    num_reviewers_per_item: Annotated[int, Meta(ge=1, le=20)] | None
    enable_reservations: bool | None
    reservation_minutes: Annotated[int, Meta(ge=1, le=1_440)] | None
    reviewer_access_mode: Literal["any", "assigned"] | None
    metadata: Object | None


class QueueCreate(QueueFields):
    """A queue to make."""

    name: Name
    id: NotRequired[UUID | None]


class QueueChange(QueueFields):
    """What to change of a queue."""

    name: NotRequired[Name | None]


class Reviewer(TypedDict):
    """Somebody who may review."""

    id: UUID
    name: str
    email: str


class Queue(TypedDict):
    """A queue."""

    id: UUID
    name: str
    description: str | None
    tenant_id: UUID
    created_at: datetime
    updated_at: datetime
    queue_type: str
    default_dataset: UUID | None
    num_reviewers_per_item: int | None
    enable_reservations: bool
    reservation_minutes: int | None
    reviewer_access_mode: str
    assigned_reviewers: list[Reviewer]
    rubric_instructions: str | None
    metadata: Object | None
    run_rule_id: UUID | None
    source_rule_id: UUID | None
    total_runs: int


class QueueWithRubric(Queue):
    """A queue with its questions."""

    rubric_items: list[RubricItem]


class QueueQuery(PageQuery, total=False):
    """Which queues are meant."""

    ids: list[UUID]
    name: str
    name_contains: str
    queue_type: str
    dataset_id: UUID
    assigned_to_me: bool
    sort_by: str
    sort_by_desc: bool


class QueueRunCreate(TypedDict):
    """A run to add, and the example that is proposed for it."""

    run_id: UUID
    source_proposed_example_id: NotRequired[UUID | None]


class QueueEntry(TypedDict):
    """A run's place in a queue; `id` is the place's own."""

    id: UUID
    queue_id: UUID
    run_id: UUID
    added_at: datetime
    last_reviewed_time: datetime | None
    source_proposed_example_id: UUID | None


class QueueRun(Run):
    """A run in a queue. One that has not arrived yet is called `pending`."""

    queue_run_id: UUID
    added_at: datetime
    effective_added_at: datetime
    last_reviewed_time: datetime | None
    completed_by: list[UUID]
    reserved_by: list[UUID]
    source_proposed_example_id: UUID | None


Status = Literal["needs_my_review", "needs_others_review", "completed"]


class QueueRunQuery(PageQuery, total=False):
    """Which items are meant."""

    status: Status
    archived: bool
    include_stats: bool


class QueueSizeQuery(TypedDict, total=False):
    """Which items are counted."""

    status: Status
    start_time: datetime
    end_time: datetime
