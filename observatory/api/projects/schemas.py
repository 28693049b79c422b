"""Projects and experiments, and what the server offers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from observatory import exact
from observatory.api.kit.bodies import NOT_BLANK, JSONText, Moment, Prose, Query, UntaggedBody
from observatory.api.kit.types import Object
from observatory.api.runs.members import Instant
from observatory.api.runs.schemas import Facet, FeedbackStats, Filter
from observatory.runs.projects import MAX_NAME_LENGTH
from observatory.wire_values import InvalidField

MAX_LISTED = 100
SessionName = Annotated[str, Meta(max_length=MAX_NAME_LENGTH, pattern=NOT_BLANK)]
Planned = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Switchboard(TypedDict):
    """What this server offers, as the SDKs ask before their first trace."""

    version: str
    batch_ingest_config: Object
    instance_flags: dict[str, bool]


def refuse_nul(name: str, document: Any) -> None:
    """Raise InvalidField when a JSON document holds a NUL character, in a key or a text."""
    if document and exact.has_nul(exact.dumps(document)):
        raise InvalidField(name, "must not contain a NUL character")


class SessionFields(UntaggedBody):
    """The fields of a project. Null and absent leave what is stored."""

    description: Annotated[str, Meta(max_length=65_536)] | UnsetType | None = UNSET
    extra: Object | UnsetType | None = UNSET
    start_time: Instant | None = None
    end_time: Instant | UnsetType | None = UNSET
    reference_dataset_id: UUID | None = None
    default_dataset_id: UUID | UnsetType | None = UNSET
    trace_tier: Annotated[str, Meta(max_length=32)] | None = None

    def __post_init__(self) -> None:
        refuse_nul("extra", None if self.extra is UNSET else self.extra)


class NewSession(SessionFields):
    """A project to create, and the size of the experiment it is planned for."""

    id: UUID | None = None
    num_examples: Planned | None = None
    num_repetitions: Planned | None = None
    evaluator_keys: (
        Annotated[list[Annotated[str, Meta(max_length=180)]], Meta(max_length=MAX_LISTED)] | None
    ) = None


class SessionCreate(NewSession, kw_only=True):
    """A project to create; an experiment names a reference dataset."""

    name: SessionName


class SessionChange(SessionFields):
    """Changes of a project."""

    name: SessionName | None = None


class SessionHead(TypedDict):
    """The fields of a project that both versions of the API return alike."""

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
    """A project; with `include_stats`, its statistics."""

    trace_tier: str | None
    feedback_stats: NotRequired[dict[str, FeedbackStats]]
    session_feedback_stats: NotRequired[dict[str, FeedbackStats]]


class SessionUpsertQuery(Query):
    """Query parameters of POST /sessions."""

    upsert: Annotated[bool, Meta(description="Change the project of that name, if any")] = False


class StatsQuery(Query):
    """Which statistics of a project to return, and of which of its runs."""

    include_stats: bool = False
    stats_start_time: Moment | None = None
    stats_select: list[str] | None = None
    stats_filter: Filter | None = None


class SessionReadQuery(StatsQuery):
    """Query parameters of GET /sessions/{session_id}."""

    facets: Annotated[bool, Meta(description="Count `run_facets`, too")] = False


class SessionQuery(SessionReadQuery):
    """Query parameters of GET /sessions."""

    id: list[UUID] | None = None
    name: str | None = None
    name_contains: str | None = None
    reference_dataset: list[UUID] | None = None
    reference_free: bool | None = None
    dataset_version: str | None = None
    metadata: JSONText | None = None
    filter: Filter | None = None
    sort_by: Literal[
        "name",
        "start_time",
        "last_run_start_time",
        "latency_p50",
        "latency_p99",
        "error_rate",
        "feedback",
    ] = "start_time"
    sort_by_desc: bool = True
    sort_by_feedback_key: str = ""
    tag_value_id: list[str] | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0

    def __post_init__(self) -> None:
        refuse_nul("metadata", self.metadata)


class SessionResolutionQuery(Query, kw_only=True):
    """An address: `id` of an experiment; evaluators have none, and agents are not kept."""

    kind: Literal["AGENT", "EXPERIMENT", "EVALUATOR"]
    id: str | None = None
    environment: Prose | None = None


class Resolved(TypedDict):
    """The project of the address."""

    session_id: UUID
