"""Annotation queues, their rubrics and items."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from annotations.queues.reviewer_count import MAX_REVIEWERS
from observatory.api.feedback.schemas import Key
from observatory.api.kit.bodies import (
    NOT_BLANK,
    Body,
    Bound,
    Moment,
    PageQuery,
    Prose,
    Query,
    UntaggedBody,
)
from observatory.api.kit.members import Id
from observatory.api.kit.types import Object
from observatory.api.queues.members import Condition, Document, Scale
from observatory.api.runs.schemas import Run
from observatory.feedback import judgement
from observatory.feedback.judgement import MAX_KEY, InvalidFeedback
from observatory.runs.ops import MAX_THREAD_ID

MAX_RUBRIC_ITEMS: Final = 100
MAX_ADDED: Final = 10_000
MAX_ASSIGNED: Final = 200
MAX_EXPERIMENTS: Final = 20

Weights = Annotated[
    Literal["quadratic", "linear"], Meta(description="Of weighted kappa on an ordered scale")
]
GateStatistic = Annotated[
    Literal["kappa", "alpha", "ac1", "fleiss", "brennan_prediger"],
    Meta(description="Of agreement: what is compared with the target"),
]
Name = Annotated[Prose, Meta(max_length=200, pattern=NOT_BLANK)]
LongText = Annotated[Prose, Meta(max_length=100_000)]
QuestionText = Annotated[Prose, Meta(max_length=20_000)]
Ids = Annotated[list[UUID], Meta(max_length=MAX_ADDED)]
ExperimentIds = Annotated[list[UUID], Meta(max_length=MAX_EXPERIMENTS)]


class RubricItemCreate(Struct, kw_only=True):
    """A question to ask."""

    feedback_key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY)]
    description: QuestionText | None = None
    value_descriptions: dict[Prose, Prose] | None = None
    score_descriptions: dict[Prose, Prose] | None = None
    is_required: bool | None = None
    is_assertion: bool | None = None
    feedback_config: Scale | None = None
    feedback_config_id: QuestionText | None = None
    regex_validator: Prose | None = None
    required_if: Condition | None = None
    visible_if: Condition | None = None
    agreement_weights: Weights | None = None

    def __post_init__(self) -> None:
        judgement.clean_document("value_descriptions", self.value_descriptions)
        judgement.clean_document("score_descriptions", self.score_descriptions)


class RubricItem(TypedDict):
    """A question of a rubric, its scale as the record of a feedback config."""

    feedback_key: Key
    description: NotRequired[str | None]
    value_descriptions: NotRequired[dict[str, str] | None]
    score_descriptions: NotRequired[dict[str, str] | None]
    is_required: NotRequired[bool | None]
    is_assertion: NotRequired[bool | None]
    feedback_config: Object
    feedback_config_id: NotRequired[str | None]
    regex_validator: NotRequired[str | None]
    required_if: NotRequired[Object | None]
    visible_if: NotRequired[Object | None]
    agreement_weights: NotRequired[Weights]


class AssignedReviewer(Struct):
    """A member of the workspace, by id."""

    id: UUID


class QueueFields(UntaggedBody, kw_only=True):
    """The fields of a queue that may be set. Null leaves them alone where nothing else is said.

    A null `default_dataset` stands for none, a null `num_reviewers_per_item` for every reviewer.
    """

    description: LongText | None = None
    rubric_instructions: LongText | None = None
    rubric_items: Annotated[list[RubricItemCreate], Meta(max_length=MAX_RUBRIC_ITEMS)] | None = None
    default_dataset: UUID | UnsetType | None = UNSET
    num_reviewers_per_item: Annotated[int, Meta(ge=1, le=MAX_REVIEWERS)] | UnsetType | None = UNSET
    enable_reservations: bool | None = None
    reservation_minutes: Annotated[int, Meta(ge=1, le=1_440)] | None = None
    reviewer_access_mode: Literal["any", "assigned"] | None = None
    metadata: Document | None = None
    assigned_reviewers: (
        Annotated[list[UUID | AssignedReviewer], Meta(max_length=MAX_ASSIGNED)] | None
    ) = None
    queue_type: Literal["single", "pairwise", ""] | None = None
    gate_statistic: GateStatistic | None = None
    gate_target: (
        Annotated[float, Meta(ge=0, lt=1, description="Of agreement; 0.7 by default")] | None
    ) = None


class QueueCreate(QueueFields, kw_only=True):
    """A queue to create."""

    name: Name
    id: UUID | None = None
    session_ids: ExperimentIds | None = None
    created_at: Moment | None = None


class QueueChange(QueueFields, kw_only=True):
    """The fields of a queue to change. Its type cannot be changed."""

    name: Name | None = None


class Reviewer(TypedDict):
    """An assigned reviewer."""

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
    gate_statistic: NotRequired[GateStatistic]
    gate_target: NotRequired[float]
    run_rule_id: UUID | None
    source_rule_id: UUID | None
    total_runs: int


class QueueWithRubric(Queue):
    """A queue with its rubric."""

    rubric_items: list[RubricItem]


class QueueQuery(PageQuery):
    """Query parameters of GET /annotation-queues."""

    ids: list[UUID] | None = None
    name: str | None = None
    name_contains: str | None = None
    queue_type: str | None = None
    dataset_id: UUID | None = None
    assigned_to_me: bool = False
    include_rubric_keys: bool = False
    tag_value_id: list[str] | None = None
    sort_by: str | None = None
    sort_by_desc: bool = True


class QueueRunCreate(Body, kw_only=True):
    """A run to add, and the example that is proposed for it."""

    run_id: UUID
    source_proposed_example_id: UUID | None = None


QueueRunsCreate = Annotated[list[UUID | QueueRunCreate], Meta(max_length=MAX_ADDED)]


class QueueEntry(TypedDict):
    """An item of a queue and its run; `id` is the item's."""

    id: UUID
    queue_id: UUID
    run_id: UUID
    added_at: datetime
    last_reviewed_time: datetime | None
    source_proposed_example_id: UUID | None


class QueueRun(Run):
    """A run in a queue. The name and status of one that has not arrived yet are `pending`."""

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


class QueueRunQuery(PageQuery):
    """Query parameters of GET /annotation-queues/{queue_id}/runs."""

    status: Status | None = None
    archived: bool | None = None
    include_stats: bool = False


class QueueSizeQuery(Query):
    """Query parameters of GET /annotation-queues/{queue_id}/size, total_size and total_archived.

    `size` is filtered by status, `total_archived` by the times between which items were completed.
    """

    status: Status | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None


class ItemTimes(Body):
    """When an item was added and last reviewed. Null and absent leave a time alone."""

    added_at: Moment | None = None
    last_reviewed_time: Moment | None = None


class RunsDelete(Body):
    """The runs to remove from a queue: those of `run_ids`, or all but those of `exclude_run_ids`.

    Each id is that of a run or of its item.
    """

    run_ids: Ids | None = None
    delete_all: bool | None = None
    exclude_run_ids: Ids | None = None


class QueueExport(Body):
    """Which completed items to export, and whether each reviewer has columns.

    `spreadsheet: false` gives cells as they are, without a guard against formulas.
    """

    start_time: Moment | None = None
    end_time: Moment | None = None
    include_annotator_detail: bool | None = None
    spreadsheet: bool | None = None


class Populate(Body, kw_only=True):
    """The experiments to fill a queue with."""

    queue_id: UUID
    session_ids: ExperimentIds


class ItemStatus(Body):
    """The caller's own status on an item; null shows it to them again."""

    status: Literal["viewed", "completed"] | None = None
    override_added_at: Moment | None = None


class ItemStatusSet(TypedDict):
    """The caller's current status on an item."""

    queue_item_id: UUID
    status: Literal["viewed", "completed"] | None
    is_archived: bool
    override_added_at: datetime | None


class ItemCreate(Struct, kw_only=True):
    """A run or a thread to add. A thread needs `thread_id` and `project_id` (or `session_id`)."""

    item_type: Literal["RUN", "THREAD", ""] | None = None
    run_id: Id | None = None
    thread_id: Annotated[Prose, Meta(max_length=MAX_THREAD_ID)] | None = None
    project_id: Id | None = None
    session_id: Id | None = None
    start_time: Moment | None = None
    source_proposed_example_id: UUID | None = None

    def __post_init__(self) -> None:
        self.project_id = self.project_id or self.session_id
        required = ("thread_id", "project_id") if self.item_type == "THREAD" else ("run_id",)
        for name in required:
            if not getattr(self, name):
                raise InvalidFeedback(name, "is required")


class ItemsCreate(Body, kw_only=True):
    """Items to add, each once."""

    items: Annotated[list[ItemCreate], Meta(max_length=MAX_ADDED)]


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
    """An item, and who has reserved or completed it."""

    effective_added_at: datetime
    completed_by: list[UUID]
    reserved_by: list[UUID]


class ItemsCreated(TypedDict):
    """The items of the runs and threads that were added."""

    items: list[Item]


class ItemPage(TypedDict):
    """A page of a section, and the cursor of the next."""

    items: list[ListedItem]
    next_cursor: str | None


Section = Literal["needs_my_review", "needs_others_review", "archived"]


class ItemFilter(Query):
    """Query parameters that choose items by type and by the start of their trace."""

    item_type: Literal["RUN", "THREAD"] | None = None
    min_start_time: Bound | None = None
    max_start_time: Bound | None = None
    agreement: Annotated[str, Meta(description="Not offered here: refused")] | None = None
    has_unresolved_keys: Annotated[str, Meta(description="Not offered here: refused")] | None = None

    def __post_init__(self) -> None:
        for name in ("agreement", "has_unresolved_keys"):
            if getattr(self, name) is not None:
                raise InvalidFeedback(name, "items cannot be filtered by agreement here")


class ItemQuery(ItemFilter, kw_only=True):
    """Query parameters of GET /platform/annotation-queues/{queue_id}/items."""

    status: Section
    cursor: str | None = None
    direction: Literal["forward", "backward"] = "forward"
    page_size: Annotated[int, Meta(ge=1, le=100)] = 20


class ItemCountQuery(ItemFilter, kw_only=True):
    """Query parameters of GET /platform/annotation-queues/{queue_id}/items/count.

    `start_time` and `end_time` choose archived items by when they were completed.
    """

    status: Section | Literal["all"]
    start_time: Moment | None = None
    end_time: Moment | None = None


class ItemCount(TypedDict):
    """A number of items."""

    count: int


class ItemsDelete(Body):
    """The items to remove from a queue."""

    item_ids: Ids | None = None


class Placement(TypedDict):
    """Where an item is: its section, its place there from 0, and a cursor that begins with it."""

    item_type: Literal["RUN", "THREAD"]
    section: Section
    position: int
    cursor: str
