"""Runs: in, found, counted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.types import Moment, Object

Filter = Annotated[str, Meta(description="The filter language: docs/reference/filters.md")]


class RunFields(TypedDict, total=False):
    """What a run may say of itself. Null and absent leave what is stored."""

    trace_id: UUID | None
    dotted_order: str | None
    parent_run_id: UUID | None
    name: str | None
    run_type: str | None
    start_time: Moment | None
    end_time: Moment | None
    inputs: Object | None
    outputs: Object | None
    events: list[Object] | None
    extra: Object | None
    error: str | None
    serialized: Object | None
    tags: list[str] | None
    session_name: str | None
    session_id: UUID | None
    reference_example_id: UUID | None


class RunCreate(RunFields):
    """A run to store; the same id again merges."""

    id: UUID


class RunChange(RunFields):
    """What a run adds later."""

    id: NotRequired[UUID]


class RunsCreate(TypedDict, total=False):
    """Runs to store and to change, in one request."""

    post: list[RunCreate] | None
    patch: list[RunCreate] | None


class SetAside(TypedDict):
    """An item that could not be stored: it is in the quarantine."""

    kind: str
    id: str
    code: str
    reason: str


class Taken(TypedDict):
    """What was stored, and what was set aside."""

    message: str
    rejected: NotRequired[list[SetAside]]


class TakenRun(TypedDict):
    """The run that was stored: its own id, or the one it was given."""

    message: str
    id: UUID


class FeedbackStats(TypedDict):
    """What was thought under one key."""

    n: int
    avg: float | None
    min: float | None
    max: float | None
    stdev: float | None
    errors: int
    values: dict[str, int]
    comments: list[str]
    sources: list[str | None]
    contains_thread_feedback: bool | None


class Run(TypedDict):
    """A run. Beside the required fields it has those that were selected."""

    id: UUID
    name: str
    run_type: str
    start_time: datetime
    trace_id: UUID
    dotted_order: str
    session_id: UUID | None
    parent_run_id: UUID | None
    status: str
    app_path: NotRequired[str]
    end_time: NotRequired[datetime | None]
    first_token_time: NotRequired[datetime | None]
    latency: NotRequired[float | None]
    inputs_preview: NotRequired[str | None]
    outputs_preview: NotRequired[str | None]
    messages: NotRequired[list[Object] | None]
    reference_dataset_id: NotRequired[UUID | None]
    direct_child_run_ids: NotRequired[list[UUID]]
    execution_order: NotRequired[int]
    last_queued_at: NotRequired[datetime | None]
    share_token: NotRequired[UUID | None]
    inserted_at: NotRequired[datetime | None]
    error: NotRequired[str | None]
    inputs: NotRequired[Object]
    outputs: NotRequired[Object | None]
    events: NotRequired[list[Any] | None]
    extra: NotRequired[Object]
    metadata: NotRequired[Object]
    serialized: NotRequired[Object | None]
    tags: NotRequired[list[str] | None]
    reference_example_id: NotRequired[UUID | None]
    thread_id: NotRequired[str | None]
    parent_run_ids: NotRequired[list[UUID]]
    child_run_ids: NotRequired[list[UUID]]
    in_dataset: NotRequired[bool]
    s3_urls: NotRequired[Object]
    feedback_stats: NotRequired[dict[str, FeedbackStats]]
    prompt_tokens: NotRequired[int | None]
    completion_tokens: NotRequired[int | None]
    total_tokens: NotRequired[int | None]
    prompt_cost: NotRequired[float | None]
    completion_cost: NotRequired[float | None]
    total_cost: NotRequired[float | None]
    prompt_token_details: NotRequired[Object | None]
    completion_token_details: NotRequired[Object | None]
    prompt_cost_details: NotRequired[Object | None]
    completion_cost_details: NotRequired[Object | None]


class RunReadQuery(TypedDict, total=False):
    """How a run is told. `start_time` is a hint of where the hosted service keeps it."""

    session_id: Annotated[UUID, Meta(description="The project that the run must be in")]
    start_time: Moment
    include_messages: bool
    exclude_serialized: bool
    exclude_s3_stored_attributes: Annotated[bool, Meta(description="No `s3_urls`")]


class RunQueryFields(TypedDict, total=False):
    """Which runs are meant. With `id` nothing else counts; with `trace` all runs of it."""

    session: list[UUID] | None
    id: list[UUID] | None
    trace: UUID | None
    parent_run: UUID | None
    run_type: str | None
    reference_example: list[UUID] | None
    reference_dataset_id: UUID | None
    is_root: bool | None
    error: bool | None
    start_time: Moment | None
    end_time: Moment | None
    query: str | None
    filter: Filter | None
    trace_filter: Filter | None
    tree_filter: Filter | None
    search_filter: Filter | None
    execution_order: Annotated[int, Meta(ge=1, le=1, description="1: root runs")] | None
    data_source_type: (
        Annotated[
            Literal["current", "historical", "lite", "root_lite", "runs_feedbacks_rmt_wide"],
            Meta(description="The hosted service's tables; root_lite means root runs"),
        ]
        | None
    )
    skip_pagination: Annotated[bool, Meta(description="One page, without a cursor")] | None


class RunQuery(RunQueryFields, total=False):
    """A page of runs."""

    include_messages: Annotated[bool, Meta(description="Tell `messages` too")] | None
    skip_prev_cursor: bool | None

    select: list[str] | None
    order: Literal["asc", "desc"] | None
    limit: Annotated[int, Meta(ge=1, description="At most 100 are given")] | None
    cursor: str | None


class Cursors(TypedDict):
    """Where the next page begins; null at the end."""

    next: str | None
    prev: str | None


class Runs(TypedDict):
    """A page of runs, newest first unless asked otherwise."""

    runs: list[Run]
    cursors: Cursors


class GroupBy(TypedDict, total=False):
    """What to group by; `path` names the key of the metadata."""

    attribute: Literal["name", "run_type", "tag", "metadata"]
    path: str | None
    max_groups: Annotated[int, Meta(ge=1, description="5 if absent, at most 100")] | None


class RunStatsQuery(RunQueryFields, total=False):
    """The runs to count."""

    group_by: GroupBy | None
    groups: (
        Annotated[
            list[str | None],
            Meta(max_length=100, description="Groups to tell of; null: without the attribute"),
        ]
        | None
    )
    select: list[str] | None
    include_details: Annotated[bool, Meta(description="Tokens and costs by category")] | None
    use_experimental_search: bool | None


class Facet(TypedDict):
    """A value that runs of the set have in common, and the filter that finds them."""

    key: Literal["name", "run_type", "status", "tag"]
    value: str
    n: int
    query: Filter


class RunStats(TypedDict, total=False):
    """Counts, percentiles (seconds), tokens and costs (US dollars); grouped, a map of them."""

    run_count: int
    group_count: Annotated[int, Meta(description="Groups, those beyond max_groups too")]
    latency_p50: float | None
    latency_p99: float | None
    latency_avg: float | None
    first_token_p50: float | None
    first_token_p99: float | None
    median_tokens: int | None
    tokens_p99: int | None
    prompt_tokens_p50: int | None
    prompt_tokens_p99: int | None
    completion_tokens_p50: int | None
    completion_tokens_p99: int | None
    cost_p50: float | None
    cost_p99: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_cost: float | None
    completion_cost: float | None
    total_cost: float | None
    error_rate: float | None
    streaming_rate: float | None
    last_run_start_time: datetime | None
    feedback_stats: dict[str, FeedbackStats]
    session_feedback_stats: dict[str, FeedbackStats]
    thread_feedback_stats: dict[str, FeedbackStats]
    run_facets: list[Facet]
    prompt_token_details: dict[str, float]
    completion_token_details: dict[str, float]
    prompt_cost_details: dict[str, float]
    completion_cost_details: dict[str, float]


class RunShareCreate(TypedDict, total=False):
    """A run to share, under a token that its owner may choose."""

    run_id: UUID | None
    share_token: UUID | None


class RunShare(TypedDict):
    """A shared run, and the token that opens it."""

    run_id: UUID
    share_token: UUID


class SharedRun(Run):
    """A run that is shared, with its `share_token`: it tells nothing of the workspace."""


class SharedRuns(TypedDict):
    """A page of shared runs."""

    runs: list[SharedRun]
    cursors: Cursors


class SharedRunQuery(TypedDict, total=False):
    """Which of the shared runs are meant."""

    id: list[UUID] | None
    select: list[str] | None
    limit: Annotated[int, Meta(ge=1)] | None
    cursor: str | None


class SharedRunsQuery(TypedDict, total=False):
    """Which of the shared runs are meant."""

    id: list[UUID]


class ThreadQuery(TypedDict):
    """The threads of a project."""

    session_id: UUID
    group_by: NotRequired[Literal["conversation"] | None]
    filter: NotRequired[Filter | None]
    start_time: NotRequired[Moment | None]
    end_time: NotRequired[Moment | None]
    limit: NotRequired[Annotated[int, Meta(ge=1)] | None]
    offset: NotRequired[Annotated[int, Meta(ge=0, le=10_000_000)] | None]


class Thread(TypedDict):
    """The traces of one conversation."""

    group_key: str
    thread_id: str
    filter: str
    count: int
    total_tokens: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_cost: float | None
    prompt_cost: float | None
    completion_cost: float | None
    min_start_time: datetime | None
    max_start_time: datetime | None
    latency_p50: float | None
    latency_p99: float | None
    feedback_stats: dict[str, FeedbackStats]
    first_trace_id: UUID | None
    last_trace_id: UUID | None
    first_inputs: str
    last_outputs: str
    last_error: str | None


class ThreadPreviewQuery(TypedDict, total=False):
    """The project of the thread, and what to return of it: only `all_messages` is supported."""

    session_id: Annotated[UUID, Meta(description="The project; required")]
    select: list[str]


class ThreadPreviews(TypedDict):
    """`all_messages` holds one JSON object a message, with an empty line between them."""

    all_messages: str


class ThreadPreview(TypedDict):
    """What was said in a thread."""

    previews: ThreadPreviews


class Threads(TypedDict):
    """A page of threads, and how many there are."""

    groups: list[Thread]
    total: int
