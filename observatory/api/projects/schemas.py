"""Projects, and the feature switchboard."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.types import JSONText, Moment, Object
from observatory.api.runs.schemas import Facet, FeedbackStats, Filter


class Switchboard(TypedDict):
    """What this server can do, as the SDKs ask before their first trace."""

    version: str
    batch_ingest_config: Object
    instance_flags: dict[str, bool]


class SessionFields(TypedDict, total=False):
    """What a project may say of itself. Null and absent leave what is stored."""

    description: str | None
    extra: Object | None
    start_time: Moment | None
    end_time: Moment | None
    reference_dataset_id: UUID | None
    default_dataset_id: UUID | None
    trace_tier: str | None


class SessionCreate(SessionFields):
    """A project to make; an experiment names a reference dataset."""

    name: Annotated[str, Meta(min_length=1, max_length=512)]
    id: NotRequired[UUID | None]
    num_examples: NotRequired[int | None]
    num_repetitions: NotRequired[int | None]
    evaluator_keys: NotRequired[list[str] | None]


class SessionChange(SessionFields):
    """What to change of a project."""

    name: NotRequired[Annotated[str, Meta(min_length=1, max_length=512)] | None]


class SessionHead(TypedDict):
    """A project, but for what the versions of the wire say differently."""

    id: UUID
    tenant_id: UUID
    name: str
    description: str | None
    start_time: datetime
    end_time: datetime | None
    extra: Object | None
    reference_dataset_id: UUID | None
    default_dataset_id: UUID | None
    run_count: NotRequired[int]
    latency_p50: NotRequired[float | None]
    latency_p99: NotRequired[float | None]
    first_token_p50: NotRequired[float | None]
    first_token_p99: NotRequired[float | None]
    median_tokens: NotRequired[int | None]
    prompt_tokens: NotRequired[int]
    completion_tokens: NotRequired[int]
    total_tokens: NotRequired[int]
    prompt_cost: NotRequired[float | None]
    completion_cost: NotRequired[float | None]
    total_cost: NotRequired[float | None]
    error_rate: NotRequired[float | None]
    streaming_rate: NotRequired[float | None]
    last_run_start_time: NotRequired[datetime | None]
    run_facets: NotRequired[list[Facet]]


class Session(SessionHead):
    """A project. The statistics are there if `include_stats` asked for them."""

    trace_tier: str | None
    feedback_stats: NotRequired[dict[str, FeedbackStats]]
    session_feedback_stats: NotRequired[dict[str, FeedbackStats]]


class SessionUpsertQuery(TypedDict, total=False):
    """Whether a project of that name may be there already."""

    upsert: bool


class SessionReadQuery(TypedDict, total=False):
    """Whether to count."""

    include_stats: bool
    stats_start_time: datetime
    stats_select: list[str]
    stats_filter: Filter
    facets: Annotated[bool, Meta(description="Count `run_facets`, too")]


class SessionQuery(SessionReadQuery, total=False):
    """Which projects are meant."""

    id: list[UUID]
    name: str
    name_contains: str
    reference_dataset: list[UUID]
    reference_free: bool
    dataset_version: str
    metadata: JSONText
    filter: Filter
    sort_by: Literal[
        "name",
        "start_time",
        "last_run_start_time",
        "latency_p50",
        "latency_p99",
        "error_rate",
        "feedback",
    ]
    sort_by_desc: bool
    sort_by_feedback_key: str
    tag_value_id: list[UUID]
    limit: Annotated[int, Meta(ge=1, le=100)]
    offset: Annotated[int, Meta(ge=0, le=1_000_000)]


class AddressKind(TypedDict):
    """What an address names."""

    kind: Literal["AGENT", "EXPERIMENT", "EVALUATOR"]


class SessionResolutionQuery(AddressKind, total=False):
    """An address: `id` of an experiment; evaluators have none, and agents are not kept."""

    id: str
    environment: str


class Resolved(TypedDict):
    """The project that the address names."""

    session_id: UUID
