"""Version 2 of datasets and projects: listed by cursor, projects with a type."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.datasets.schemas import DatasetHead
from observatory.api.kit.types import JSONText, Moment, Object
from observatory.api.projects.schemas import SessionHead
from observatory.api.runs.schemas import FeedbackStats, Filter


class DatasetV2(DatasetHead):
    """A dataset; the count is null if it was excluded."""

    example_count: int | None


class DatasetPageV2(TypedDict):
    """Datasets; a null cursor ends."""

    items: list[DatasetV2]
    next_cursor: str | None


class PageQueryV2(TypedDict, total=False):
    """Which page, and in which order."""

    cursor: str
    page_size: Annotated[int, Meta(ge=1, le=100, description="100 unless asked")]
    sort_order: Literal["asc", "desc"]


class DatasetQueryV2(PageQueryV2, total=False):
    """Which datasets are meant."""

    id: list[UUID]
    name: str
    name_contains: str
    data_type: list[str]
    metadata: JSONText
    exclude: list[Literal["example_count"]]
    exclude_corrections_datasets: bool
    sort_by: Literal[
        "name",
        "created_at",
        "modified_at",
        "example_count",
        "session_count",
        "last_session_start_time",
    ]
    tag_value_id: list[UUID]


class FeedbackStatsV2(FeedbackStats):
    """What was thought under one key."""

    type: Literal["PRIMARY", "COMPOSITE"]


class SessionV2(SessionHead):
    """A project or an experiment. The statistics are there if `include_stats` asked for them."""

    type: Literal["PROJECT", "EXPERIMENT"]
    trace_tier: Literal["LONG_LIVED", "SHORT_LIVED"] | None
    feedback_stats: NotRequired[dict[str, FeedbackStatsV2]]
    session_feedback_stats: NotRequired[dict[str, FeedbackStatsV2]]


class SessionPageV2(TypedDict):
    """Projects; a null cursor ends."""

    items: list[SessionV2]
    next_cursor: str | None


class SessionReadQueryV2(TypedDict, total=False):
    """Whether to count."""

    include_stats: bool
    include_facets: bool
    stats_start_time: datetime
    stats_select: list[str]
    stats_filter: Filter
    use_approx_stats: bool


class SessionQueryV2(PageQueryV2, SessionReadQueryV2, total=False):
    """Which projects are meant."""

    id: list[UUID]
    name: str
    name_contains: str
    type: list[Literal["PROJECT", "AGENT", "EXPERIMENT"]]
    reference_dataset_id: list[UUID]
    dataset_version: str
    metadata: JSONText
    filter: Filter
    sort_by: Literal[
        "NAME",
        "START_TIME",
        "LAST_RUN_START_TIME",
        "ERROR_RATE",
        "LATENCY_P50",
        "LATENCY_P99",
        "FEEDBACK",
    ]
    sort_by_feedback_key: str
    sort_by_feedback_source: Literal["RUN", "SESSION"]
    tag_value_id: list[UUID]


class SessionUpsertQueryV2(TypedDict, total=False):
    """Whether a project of that name may be there already."""

    upsert: bool


class SessionFieldsV2(TypedDict, total=False):
    """What a project may say of itself."""

    description: str | None
    extra: Object | None
    end_time: Moment | None
    default_dataset_id: UUID | None
    trace_tier: Literal["LONG_LIVED", "SHORT_LIVED"] | None


class SessionCreateV2(SessionFieldsV2):
    """A project to make; an experiment, and no other, names a reference dataset."""

    type: Literal["PROJECT", "EXPERIMENT"]
    name: NotRequired[Annotated[str, Meta(min_length=1, max_length=512)] | None]
    id: NotRequired[UUID | None]
    start_time: NotRequired[Moment | None]
    reference_dataset_id: NotRequired[UUID | None]
    num_examples: NotRequired[int | None]
    num_repetitions: NotRequired[int | None]
    evaluator_keys: NotRequired[list[str] | None]


class SessionChangeV2(SessionFieldsV2):
    """What to change of a project; a null takes the field away."""

    name: NotRequired[Annotated[str, Meta(min_length=1, max_length=512)]]
