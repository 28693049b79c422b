"""Annotation queues, their rubrics and what is in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.feedback.schemas import Key, Scale
from observatory.api.kit.bodies import Query
from observatory.api.kit.types import Object, PageQuery
from observatory.api.runs.schemas import Run

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
    assigned_reviewers: list[UUID | Object] | None


class QueueCreate(QueueFields):
    """A queue to make."""

    name: Name
    id: NotRequired[UUID | None]
    queue_type: NotRequired[Literal["single", "pairwise"] | None]
    session_ids: NotRequired[list[UUID] | None]
    created_at: NotRequired[datetime | None]


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
    rubric_instructions: NotRequired[str | None]
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
    include_rubric_keys: bool
    tag_value_id: list[UUID]
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
    item_type: Literal["RUN", "THREAD", "PAIR"]
    paired_run_id: NotRequired[UUID]


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


class ItemTimes(TypedDict, total=False):
    """When an item was added and last reviewed. Null and absent keep."""

    added_at: datetime | None
    last_reviewed_time: datetime | None


class RunsDelete(TypedDict, total=False):
    """Which runs leave the queue: those named, or all but those spared."""

    run_ids: list[UUID] | None
    delete_all: bool | None
    exclude_run_ids: list[UUID] | None


class QueueExport(TypedDict, total=False):
    """Which completed items are exported, and whether each reviewer has columns.

    `spreadsheet: false` gives cells as they are, without a guard against formulas.
    """

    start_time: datetime | None
    end_time: datetime | None
    include_annotator_detail: bool | None
    spreadsheet: bool | None


class Populate(TypedDict):
    """Which experiments fill which queue."""

    queue_id: UUID
    session_ids: list[UUID]


class ItemStatus(TypedDict, total=False):
    """The caller's own status on an item; null shows it to them again."""

    status: Literal["viewed", "completed"] | None
    override_added_at: datetime | None


class ItemStatusSet(TypedDict):
    """The caller's status on an item as it is now."""

    queue_item_id: UUID
    status: Literal["viewed", "completed"] | None
    is_archived: bool
    override_added_at: datetime | None


class ItemCreate(TypedDict):
    """A run or a thread to add. A thread needs its project."""

    item_type: NotRequired[Literal["RUN", "THREAD"] | None]
    run_id: NotRequired[UUID | None]
    thread_id: NotRequired[str | None]
    project_id: NotRequired[UUID | None]
    session_id: NotRequired[UUID | None]
    start_time: NotRequired[datetime | None]
    source_proposed_example_id: NotRequired[UUID | None]


class ItemsCreate(TypedDict):
    """Items to add, each once."""

    items: Annotated[list[ItemCreate], Meta(max_length=10_000)]


class Item(TypedDict):
    """An item of a queue, without its run."""

    id: UUID
    queue_id: UUID
    item_type: Literal["RUN", "THREAD"]
    run_id: UUID | None
    thread_id: str | None
    project_id: UUID | None
    start_time: datetime | None
    added_at: datetime
    last_reviewed_time: datetime | None
    source_proposed_example_id: UUID | None


class ListedItem(Item):
    """An item, and who has it or is done with it."""

    effective_added_at: datetime
    completed_by: list[UUID]
    reserved_by: list[UUID]


class ItemsCreated(TypedDict):
    """The items of what was added."""

    items: list[Item]


class ItemPage(TypedDict):
    """Items of a section, and the cursor of those that follow."""

    items: list[ListedItem]
    next_cursor: str | None


Section = Literal["needs_my_review", "needs_others_review", "archived"]


class ItemQuery(TypedDict, total=False):
    """Which items are meant."""

    status: Section
    cursor: str
    direction: Literal["forward", "backward"]
    item_type: Literal["RUN", "THREAD"]
    min_start_time: datetime
    max_start_time: datetime
    page_size: Annotated[int, Meta(ge=1, le=100)]


class ItemCountQuery(TypedDict, total=False):
    """Which items are counted; the archived between two times."""

    status: Literal["all", "needs_my_review", "needs_others_review", "archived"]
    item_type: Literal["RUN", "THREAD"]
    start_time: datetime
    end_time: datetime
    min_start_time: datetime
    max_start_time: datetime


class ItemCount(TypedDict):
    """How many items."""

    count: int


class ItemsDelete(TypedDict, total=False):
    """Which items leave the queue."""

    item_ids: list[UUID] | None


class Placement(TypedDict):
    """Where an item is: its section, its place there from 0, and a cursor that begins with it."""

    item_type: Literal["RUN", "THREAD"]
    section: Section
    position: int
    cursor: str


class AgreementQuery(Query):
    """Query parameters of GET /annotation-queues/{id}/agreement."""

    days: Annotated[int, Meta(ge=1, le=3_650, description="Leave out older ratings")] | None = None


class AgreementInterval(TypedDict):
    """The interval of a coefficient: its ends, how it was computed, its level."""

    low: float
    high: float
    method: str
    level: float
    seed: int | None


class Agreement(TypedDict):
    """A coefficient with everything needed to read it. `reason` says why there is no value."""

    statistic: str
    value: float | None
    reason: str | None
    n_items: int
    n_ratings: int
    n_overlap: int
    ci: AgreementInterval | None
    se: float | None
    percent_agreement: float | None
    companions: dict[str, float | None]
    warnings: list[str]
    params: Object
    data_version: str
    computed_at: datetime | None


class AgreementOfPair(TypedDict):
    """Two reviewers on one question: `table[i][j]` counts i by the first and j by the second."""

    reviewers: list[str]
    agreement: Agreement
    table: list[list[int]] | None
    mean_difference: float | None


class AgreementGate(TypedDict):
    """Whether the interval of the headline is above the target."""

    statistic: str
    target: float
    lower_bound: float | None
    upper_bound: float | None
    n_items: int
    verdict: Literal["undefined", "few", "met", "below", "open"]


class ExcludedRatings(TypedDict):
    """How many ratings were not compared, by reason."""

    other_scale: int
    not_blind: int
    invalid: int
    before_window: int


class AgreementOnKey(TypedDict):
    """The agreement on one question of a rubric."""

    feedback_key: str
    categories: list[str]
    reviewers: list[str]
    headline: Agreement
    group: Agreement
    pairs: list[AgreementOfPair]
    gate: AgreementGate
    excluded: ExcludedRatings
    n_disputed: int
    sentence: str
