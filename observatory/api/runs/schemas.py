"""Runs: stored, queried, counted, shared; and the threads of a project."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta, Struct

from observatory.api.kit import types
from observatory.api.kit.bodies import Body, Moment, Query
from observatory.api.kit.members import Flag, Id, Ids, Names
from observatory.api.kit.types import Object
from observatory.api.runs.members import (
    LANGUAGE,
    Instant,
    RunFilter,
    RunsBody,
    RunsQuery,
    Text,
)
from observatory.runs.search import MAX_LIMIT
from observatory.runs.stats import MAX_GROUPS
from observatory.wire_values import InvalidField

Filter = Annotated[str, Meta(description=LANGUAGE)]
"""The text of a filter."""


class RunFields(TypedDict, total=False):
    """The fields of a run. Null and absent leave what is stored."""

    trace_id: UUID | None
    dotted_order: str | None
    parent_run_id: UUID | None
    name: str | None
    run_type: str | None
    start_time: types.Moment | None
    end_time: types.Moment | None
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
    """A later part of a run, merged into what is stored."""

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
    """The receipt of a batch, with the items that were set aside."""

    message: str
    rejected: NotRequired[list[SetAside]]


class TakenRun(TypedDict):
    """The receipt of one run, with its id."""

    message: str
    id: UUID


class FeedbackStats(TypedDict):
    """The feedback of one key."""

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
    """A run: the required fields and those that were selected."""

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


class RunReadQuery(Query):
    """Query parameters of GET /runs/{run_id}."""

    session_id: Annotated[UUID, Meta(description="The project that the run must be in")] | None = (
        None
    )
    start_time: Annotated[Moment, Meta(description="A hint that is not needed here")] | None = None
    include_messages: bool = False
    exclude_serialized: bool = False
    exclude_s3_stored_attributes: Annotated[bool, Meta(description="Leave `s3_urls` out")] = False


class RunQueryFields(RunsBody):
    """Conditions on runs. With `id` no other counts; with `trace` the answer is a whole trace."""

    session: Ids | None = None
    id: Ids | None = None
    trace: Id | None = None
    parent_run: Id | None = None
    run_type: Text | None = None
    reference_example: Ids | None = None
    reference_dataset_id: Id | None = None
    is_root: Flag | None = None
    error: Flag | None = None
    start_time: Instant | None = None
    end_time: Instant | None = None
    query: Text | None = None
    filter: RunFilter | None = None
    trace_filter: RunFilter | None = None
    tree_filter: RunFilter | None = None
    search_filter: RunFilter | None = None
    execution_order: Annotated[Literal[1], Meta(description="1: root runs")] | None = None
    data_source_type: (
        Annotated[
            Literal["current", "historical", "lite", "root_lite", "runs_feedbacks_rmt_wide"],
            Meta(description="The hosted service's tables; root_lite means root runs"),
        ]
        | None
    ) = None
    skip_pagination: Annotated[Flag, Meta(description="One page, without a cursor")] | None = None


Limit = Annotated[int, Meta(ge=1, description=f"At most {MAX_LIMIT} are returned")]


class RunQuery(RunQueryFields):
    """A query of runs, page by page."""

    include_messages: Annotated[Flag, Meta(description="Return `messages` too")] | None = None
    skip_prev_cursor: Flag | None = None
    select: Names | None = None
    order: Annotated[Any, Meta(extra_json_schema={"enum": ["asc", "desc"]})] = None
    limit: Limit | None = None
    cursor: Text | None = None

    def __post_init__(self) -> None:
        if self.order and self.order not in ("asc", "desc"):  # anything empty counts as absent
            raise InvalidField("order", "must be asc or desc")


class Cursors(TypedDict):
    """The cursor of the next page; null after the last one."""

    next: str | None
    prev: str | None


class Runs(TypedDict):
    """A page of runs, newest first unless `order` is asc."""

    runs: list[Run]
    cursors: Cursors


class GroupBy(Struct, kw_only=True):
    """The attribute to group by; of metadata, `path` is the key."""

    attribute: Literal["name", "run_type", "tag", "metadata"]
    path: Text | None = None
    max_groups: Annotated[int, Meta(ge=1, description="5 if absent, at most 100")] | None = None


class RunStatsQuery(RunQueryFields):
    """Runs to count, and the figures to return."""

    group_by: GroupBy | None = None
    groups: (
        Annotated[
            list[Text | None],
            Meta(
                max_length=MAX_GROUPS,
                description="The only groups to return; null: without the attribute",
            ),
        ]
        | None
    ) = None
    select: Names | None = None
    include_details: Annotated[Flag, Meta(description="Tokens and costs by category")] | None = None
    use_experimental_search: Flag | None = None


class Facet(TypedDict):
    """A value that several of the runs have, and the filter that finds them."""

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


class RunShareCreate(Body):
    """A run to share, under a token that the client may choose.

    `run_id`, which SDKs send too, is ignored: the path names the run.
    """

    share_token: UUID | None = None


class RunShare(TypedDict):
    """A shared run, and the token that opens it."""

    run_id: UUID
    share_token: UUID


class SharedRun(Run):
    """A shared run, with its `share_token` and nothing of its workspace."""


class SharedRuns(TypedDict):
    """A page of shared runs."""

    runs: list[SharedRun]
    cursors: Cursors


class SharedRunQuery(RunsBody):
    """A query of shared runs, page by page."""

    id: Ids | None = None
    select: Names | None = None
    limit: Limit | None = None
    cursor: Text | None = None


class SharedRunsQuery(RunsQuery):
    """Query parameters of GET /public/{token}/runs."""

    id: list[UUID] | None = None


class ThreadQuery(RunsBody, kw_only=True):
    """A page of the threads of a project."""

    session_id: UUID
    group_by: Literal["conversation"] | None = None
    filter: RunFilter | None = None
    start_time: Instant | None = None
    end_time: Instant | None = None
    limit: Limit | None = None
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None


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


class ThreadPreviewQuery(Query):
    """Query parameters of GET /runs/threads/{thread_id}."""

    session_id: Annotated[UUID, Meta(description="The project; required")] | None = None
    select: list[str] | None = None


class ThreadPreviews(TypedDict):
    """`all_messages`: one JSON object per message, with an empty line between them."""

    all_messages: str


class ThreadPreview(TypedDict):
    """The messages of a thread."""

    previews: ThreadPreviews


class Threads(TypedDict):
    """A page of threads, and the total number."""

    groups: list[Thread]
    total: int
