"""Version 2: runs, traces, threads and experiment runs, as the generated clients name them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta, Struct

from observatory.api.kit.members import Flag, Id, Ids
from observatory.api.kit.types import Object
from observatory.api.runs.members import Instant, RunFilter, RunsQuery, Text, ThreadFilter
from observatory.api.runs.schemas import FeedbackStats
from observatory.api.v2.bodies import BodyV2, FeedbackWindowBody, SearchBody, WindowBody
from observatory.wire_values import InvalidField

Selects = Annotated[
    list[str], Meta(description="Names of fields, in upper case; none means the id alone")
]
PageOf100 = Annotated[int, Meta(ge=1, le=100, description="20 if absent")]
PageOf1000 = Annotated[int, Meta(ge=1, le=1_000, description="100 if absent")]
MAX_EXPERIMENTS = 20


class IntegerDetails(TypedDict):
    """Tokens by category."""

    raw: dict[str, int]


class CostDetails(TypedDict):
    """US dollars by category."""

    raw: dict[str, float]


class RunV2(TypedDict, total=False):
    """A run: the fields that were selected, and no other."""

    id: UUID
    name: str
    run_type: str
    status: Literal["SUCCESS", "ERROR", "PENDING"]
    start_time: datetime
    end_time: datetime | None
    latency_seconds: float | None
    first_token_time: datetime | None
    error: str | None
    error_preview: str | None
    extra: Object
    metadata: Object
    events: list[Any] | None
    inputs: Object
    inputs_preview: str | None
    outputs: Object | None
    outputs_preview: str | None
    manifest: Object | None
    parent_run_id: UUID | None
    parent_run_ids: list[UUID]
    project_id: UUID | None
    trace_id: UUID
    thread_id: str | None
    dotted_order: str
    is_root: bool
    reference_example_id: UUID | None
    reference_dataset_id: UUID | None
    total_tokens: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_cost: float | None
    prompt_cost: float | None
    completion_cost: float | None
    prompt_token_details: IntegerDetails | None
    completion_token_details: IntegerDetails | None
    prompt_cost_details: CostDetails | None
    completion_cost_details: CostDetails | None
    tags: list[str] | None
    app_path: str
    attachments: dict[str, str]
    is_in_dataset: bool
    last_queued_at: datetime
    share_url: str
    feedback_stats: dict[str, FeedbackStats]


class RunQueryV2(FeedbackWindowBody):
    """A query of runs, with project_ids or with reference_dataset_id."""

    project_ids: Ids | None = None
    reference_dataset_id: Id | None = None
    ids: Ids | None = None
    trace_id: Id | None = None
    reference_examples: Ids | None = None
    run_type: Text | None = None
    is_root: Flag | None = None
    has_error: Flag | None = None
    filter: RunFilter | None = None
    include_subtree_usage: Flag | None = None
    selects: Selects | None = None
    page_size: PageOf1000 | None = None
    cursor: Text | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.project_ids is None and self.reference_dataset_id is None:
            raise InvalidField("project_ids", "is required unless reference_dataset_id is set")
        if self.project_ids is not None and self.reference_dataset_id is not None:
            raise InvalidField("project_ids", "excludes reference_dataset_id")


class RunPageV2(TypedDict):
    """Runs, newest first; a null cursor ends."""

    items: list[RunV2]
    next_cursor: str | None


class RunListV2(TypedDict):
    """All runs of a trace, oldest first."""

    items: list[RunV2]


class OfProjectQuery(RunsQuery, kw_only=True):
    """Query parameters of what belongs to a project."""

    project_id: UUID


class RunReadQueryV2(OfProjectQuery):
    """Query parameters of GET /api/v2/runs/{run_id}."""

    selects: Selects = []
    start_time: Annotated[Instant, Meta(description="A hint that is not needed here")] | None = None


class SharedReadQueryV2(RunsQuery):
    """Query parameters of GET /api/v2/public/{token}/run/{run_id}."""

    selects: Selects = []
    start_time: Annotated[Instant, Meta(description="If set, it must be the run's")] | None = None


class SharedQueryV2(BodyV2):
    """The fields to return of shared runs."""

    selects: Selects | None = None


class RunAddressQuery(OfProjectQuery, kw_only=True):
    """Query parameters of GET /api/v2/runs/{run_id}/url."""

    trace_id: UUID


class Address(TypedDict):
    """The address of the page of a run."""

    url: str


class RunUnshareV2(BodyV2, kw_only=True):
    """The project of the trace to unshare."""

    session_id: UUID


class RunShareV2(RunUnshareV2, kw_only=True):
    """The project and the trace of the run: the whole trace is shared."""

    trace_id: UUID


class ShareToken(TypedDict):
    """The token of a share."""

    share_token: UUID


class TraceQuery(FeedbackWindowBody, kw_only=True):
    """A query of traces, and the fields to return of their roots and totals."""

    project_id: UUID
    trace_ids: Ids | None = None
    selects: Selects | None = None
    page_size: PageOf100 | None = None
    cursor: Text | None = None


class TraceAggregates(TypedDict, total=False):
    """Totals over all runs of a trace."""

    total_tokens: int | None
    total_cost: float | None
    first_token_time: datetime | None


class Trace(TypedDict):
    """A trace: its root, and its totals where one was selected."""

    root_run: RunV2
    trace_aggregates: NotRequired[TraceAggregates]


class TracePage(TypedDict):
    """Traces, newest first; a null cursor ends."""

    items: list[Trace]
    next_cursor: str | None


class TraceRunsQuery(OfProjectQuery):
    """Query parameters of GET /api/v2/traces/{trace_id}/runs; both times or neither."""

    filter: RunFilter | None = None
    min_start_time: Instant | None = None
    max_start_time: Instant | None = None
    selects: Selects = []

    def __post_init__(self) -> None:
        if (self.min_start_time is None) != (self.max_start_time is None):
            raise InvalidField("min_start_time", "needs max_start_time, and the other way round")


class ThreadQueryV2(SearchBody, kw_only=True):
    """A query of the threads of a project."""

    project_id: UUID
    filter: RunFilter | None = None
    thread_filter: ThreadFilter | None = None
    page_size: PageOf100 | None = None
    cursor: Text | None = None


class ThreadV2(TypedDict):
    """A conversation. Latencies in seconds, costs in US dollars."""

    thread_id: str
    count: int
    num_errored_turns: int
    start_time: datetime
    min_start_time: datetime
    max_start_time: datetime
    latency_p50: float | None
    latency_p99: float | None
    total_tokens: int
    total_cost: float | None
    total_token_details: dict[str, int]
    total_cost_details: dict[str, float]
    first_trace_id: UUID
    last_trace_id: UUID
    trace_id: UUID
    first_inputs: str
    last_outputs: str
    last_error: str | None
    feedback_stats: dict[str, FeedbackStats]


class ThreadPageV2(TypedDict):
    """Threads, the most recently used first; a null cursor ends."""

    items: list[ThreadV2]
    next_cursor: str | None


class ThreadTracesQuery(OfProjectQuery):
    """Query parameters of GET /api/v2/threads/{thread_id}/traces."""

    filter: RunFilter | None = None
    trace_filter: RunFilter | None = None
    tree_filter: RunFilter | None = None
    selects: Selects = []
    page_size: PageOf100 | None = None
    cursor: Text | None = None


class ThreadTrace(TypedDict):
    """A turn of a conversation: the fields that were selected. Tokens are of the whole trace."""

    trace_id: UUID
    thread_id: NotRequired[str | None]
    turn_number: NotRequired[int | None]
    name: NotRequired[str]
    start_time: NotRequired[datetime]
    end_time: NotRequired[datetime | None]
    latency: NotRequired[float | None]
    first_token_time: NotRequired[datetime | None]
    error: NotRequired[str | None]
    error_preview: NotRequired[str | None]
    inputs: NotRequired[Object]
    inputs_preview: NotRequired[str | None]
    outputs: NotRequired[Object | None]
    outputs_preview: NotRequired[str | None]
    total_tokens: NotRequired[int | None]
    prompt_tokens: NotRequired[int | None]
    completion_tokens: NotRequired[int | None]
    total_cost: NotRequired[float | None]
    prompt_cost: NotRequired[float | None]
    completion_cost: NotRequired[float | None]
    prompt_token_details: NotRequired[IntegerDetails | None]
    completion_token_details: NotRequired[IntegerDetails | None]
    prompt_cost_details: NotRequired[CostDetails | None]
    completion_cost_details: NotRequired[CostDetails | None]


class ThreadTracePage(TypedDict):
    """The turns of a conversation, oldest first; a null cursor ends."""

    items: list[ThreadTrace]
    next_cursor: str | None


class ThreadStatsQuery(RunsQuery, kw_only=True):
    """Query parameters of GET /api/v2/threads/{thread_id}/stats; at least one of `selects`."""

    session_id: UUID
    selects: list[str] = []
    filter: RunFilter | None = None


class ThreadStats(TypedDict, total=False):
    """Figures of one thread: those that were selected."""

    turns: int
    first_start_time: datetime
    last_start_time: datetime
    last_end_time: datetime | None
    latency_p50_seconds: float | None
    latency_p99_seconds: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_cost: float | None
    completion_cost: float | None
    total_cost: float | None
    prompt_token_details: IntegerDetails
    completion_token_details: IntegerDetails
    prompt_cost_details: CostDetails
    completion_cost_details: CostDetails
    feedback_stats: dict[str, FeedbackStats]


class ThreadAggregateQuery(WindowBody, kw_only=True):
    """Threads whose figures to return together; at least one of `select`."""

    project_id: UUID
    select: list[str] | None = None
    filter: RunFilter | None = None
    thread_filter: ThreadFilter | None = None


class ThreadAggregateStats(TypedDict, total=False):
    """Figures of threads together: those that were selected."""

    thread_count: int
    trace_count: int
    error_rate: float | None
    streaming_rate: float | None
    latency_p50_seconds: float | None
    latency_p99_seconds: float | None
    median_tokens: int | None
    first_token_p50_seconds: float | None
    first_token_p99_seconds: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_cost: float | None
    completion_cost: float | None
    total_cost: float | None
    prompt_token_details: dict[str, int]
    completion_token_details: dict[str, int]
    prompt_cost_details: dict[str, float]
    completion_cost_details: dict[str, float]
    thread_feedback_stats: dict[str, FeedbackStats]


class ThreadShareCreate(BodyV2, kw_only=True):
    """The project of the thread to share."""

    project_id: UUID


class ThreadUnshare(BodyV2):
    """The project of the thread to unshare."""

    project_id: Id | None = None


class ThreadUnshareQuery(RunsQuery):
    """Query parameters of DELETE /api/v2/threads/{thread_id}/share; the body may name it, too."""

    project_id: UUID | None = None


class MaybeShareToken(TypedDict):
    """The token of a share; absent when there is none."""

    share_token: NotRequired[UUID]


class SortV2(Struct, kw_only=True):
    """The order of examples: by the score of a feedback key, of one experiment alone."""

    by: Text | None = None
    order: Annotated[Text, Meta(extra_json_schema={"enum": ["ASC", "DESC"]})] | None = None

    def __post_init__(self) -> None:
        if self.order and self.order.upper() not in {"ASC", "DESC"}:
            raise InvalidField("order", "must be ASC or DESC")


class ExperimentRunQuery(BodyV2, kw_only=True):
    """A query of the examples of experiments, and the fields to return of their runs."""

    experiment_ids: Annotated[Ids, Meta(description=f"1 to {MAX_EXPERIMENTS}")]
    example_ids: Ids | None = None
    filters: (
        Annotated[
            dict[UUID, list[RunFilter | None]],
            Meta(description="Filters of the runs of each experiment, by its id"),
        ]
        | None
    ) = None
    sort: SortV2 | None = None
    comparative_experiment_id: Id | None = None
    selects: Selects | None = None
    page_size: PageOf100 | None = None
    cursor: Text | None = None

    def __post_init__(self) -> None:
        if not self.experiment_ids:
            raise InvalidField("experiment_ids", "is required")
        if len(self.experiment_ids) > MAX_EXPERIMENTS:
            raise InvalidField("experiment_ids", f"must have at most {MAX_EXPERIMENTS} values")
        if self.sort and self.sort.by and len(self.experiment_ids) > 1:
            raise InvalidField("sort", "works for one experiment alone")


class ExampleRunsV2(TypedDict):
    """An example, and the runs that experiments made of it."""

    id: UUID
    dataset_id: UUID
    name: str
    inputs: Object | None
    outputs: Object | None
    metadata: Object
    created_at: datetime
    modified_at: datetime
    source_run_id: UUID | None
    attachment_urls: dict[str, str]
    runs: list[RunV2]


class ExperimentRunPage(TypedDict):
    """Examples with their runs; a null cursor ends."""

    items: list[ExampleRunsV2]
    next_cursor: str | None
