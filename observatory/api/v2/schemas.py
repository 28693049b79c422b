"""Version 2: runs, traces, threads and experiment runs, as the generated clients speak of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.types import Moment, Object
from observatory.api.runs.schemas import FeedbackStats, Filter

Selects = Annotated[
    list[str], Meta(description="Names of fields, in upper case; none means the id alone")
]
PageOf100 = Annotated[int, Meta(ge=1, le=100, description="20 unless asked")]
PageOf1000 = Annotated[int, Meta(ge=1, le=1_000, description="100 unless asked")]
Since = Annotated[Moment, Meta(description="A day ago unless asked")]


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


class RunQueryV2(TypedDict, total=False):
    """Which runs, and which of their fields. One of the first two is required."""

    project_ids: list[UUID] | None
    reference_dataset_id: UUID | None
    ids: list[UUID] | None
    trace_id: UUID | None
    reference_examples: list[UUID] | None
    run_type: str | None
    is_root: bool | None
    has_error: bool | None
    filter: Filter | None
    trace_filter: Filter | None
    tree_filter: Filter | None
    min_start_time: Since | None
    max_start_time: Moment | None
    min_feedback_modified_at: Moment | None
    max_feedback_modified_at: Moment | None
    include_subtree_usage: bool | None
    selects: Selects | None
    page_size: PageOf1000 | None
    cursor: str | None


class RunPageV2(TypedDict):
    """Runs, newest first; a null cursor ends."""

    items: list[RunV2]
    next_cursor: str | None


class RunListV2(TypedDict):
    """All runs of a trace, oldest first."""

    items: list[RunV2]


class OfProject(TypedDict):
    """Which project it is of."""

    project_id: UUID


class RunReadQueryV2(OfProject, total=False):
    """Which project the run is of, and which fields are told."""

    selects: list[str]
    start_time: str


class SharedReadQueryV2(TypedDict, total=False):
    """Which fields are told; `start_time`, if given, must be the run's."""

    selects: list[str]
    start_time: str


class SharedQueryV2(TypedDict, total=False):
    """Which fields are told."""

    selects: Selects | None


class RunAddressQuery(OfProject):
    """Where the run is."""

    trace_id: UUID


class Address(TypedDict):
    """Where a person reads the run."""

    url: str


class RunShareV2(TypedDict):
    """What is shared: the trace, if the run is of it and of the project."""

    session_id: UUID
    trace_id: UUID


class ShareToken(TypedDict):
    """The token that opens it."""

    share_token: UUID


class TraceQuery(TypedDict, total=False):
    """Which traces, and which fields of their roots and totals."""

    project_id: UUID
    trace_ids: list[UUID] | None
    trace_filter: Filter | None
    tree_filter: Filter | None
    min_start_time: Since | None
    max_start_time: Moment | None
    min_feedback_modified_at: Moment | None
    max_feedback_modified_at: Moment | None
    selects: Selects | None
    page_size: PageOf100 | None
    cursor: str | None


class TraceAggregates(TypedDict, total=False):
    """What all runs of a trace came to."""

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


class TraceRunsQuery(OfProject, total=False):
    """Which runs of the trace; both times or neither."""

    filter: Filter
    min_start_time: str
    max_start_time: str
    selects: list[str]


class ThreadQueryV2(TypedDict, total=False):
    """Which threads of a project."""

    project_id: UUID
    filter: Filter | None
    trace_filter: Filter | None
    tree_filter: Filter | None
    min_start_time: Since | None
    max_start_time: Moment | None
    page_size: PageOf100 | None
    cursor: str | None


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


class ThreadTracesQuery(OfProject, total=False):
    """Which traces of the thread, and which fields."""

    filter: Filter
    trace_filter: Filter
    tree_filter: Filter
    selects: list[str]
    page_size: PageOf100
    cursor: str


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


class ThreadStatsOf(TypedDict):
    """Which thread's statistics; at least one of `selects`."""

    session_id: UUID
    selects: list[str]


class ThreadStatsQuery(ThreadStatsOf, total=False):
    """Which thread's statistics, of which of its traces."""

    filter: Filter


class ThreadStats(TypedDict, total=False):
    """What a thread came to: the figures that were selected."""

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


class ThreadAggregateQuery(TypedDict, total=False):
    """Which threads' statistics; at least one of `select`."""

    project_id: UUID
    select: list[str]
    filter: Filter | None
    trace_filter: Filter | None
    tree_filter: Filter | None
    min_start_time: Since | None
    max_start_time: Moment | None


class ThreadAggregateStats(TypedDict, total=False):
    """What threads came to together: the figures that were selected."""

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


class ThreadShareCreate(TypedDict):
    """Which project the thread is of."""

    project_id: UUID


class ThreadShareQuery(OfProject):
    """Which project the thread is of."""


class MaybeShareToken(TypedDict):
    """The token that opens it; absent when it is not shared."""

    share_token: NotRequired[UUID]


class SortV2(TypedDict, total=False):
    """What examples are sorted by: the score of a feedback key, of one experiment alone."""

    by: str | None
    order: Literal["ASC", "DESC"] | None


class ExperimentRunQuery(TypedDict, total=False):
    """Which examples of which experiments, and which fields of their runs."""

    experiment_ids: Annotated[list[UUID], Meta(min_length=1, max_length=20)]
    example_ids: list[UUID] | None
    filters: dict[str, list[str]] | None
    sort: SortV2 | None
    comparative_experiment_id: UUID | None
    selects: Selects | None
    page_size: PageOf100 | None
    cursor: str | None


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
