"""Version 2 of datasets and projects: listed by cursor, projects with a type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta
from rest_framework.exceptions import ParseError

from datasets_app.catalogue import SORTABLE
from observatory.api.datasets.schemas import DatasetHead
from observatory.api.kit.bodies import JSONText, Prose, Query
from observatory.api.projects import schemas as projects
from observatory.api.projects.schemas import SessionHead, SessionName
from observatory.api.projects.statistics import SORTED_BY_COLUMN, SORTED_BY_STATS
from observatory.api.runs.schemas import FeedbackStats, Filter
from observatory.wire_values import InvalidField

MAX_PAGE = 100
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
SortOrder = Annotated[str, Meta(extra_json_schema={"enum": ["asc", "desc"]})]
SORT_ORDERS = ("asc", "desc")
TraceTier = Literal["LONG_LIVED", "SHORT_LIVED"]
Ignored = Annotated[Prose, Meta(description="Accepted and ignored")]
SessionSort = Annotated[
    str,
    Meta(
        extra_json_schema={
            "enum": [name.upper() for name in (*SORTED_BY_COLUMN, *SORTED_BY_STATS, "feedback")]
        }
    ),
]


def _refuse_unless(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise ParseError (400) unless `value` is one of `choices`; other parameters raise 422."""
    if value not in choices:
        raise ParseError(f"{name}: must be one of {', '.join(choices)}")


class DatasetV2(DatasetHead):
    """A dataset; the count is null if it was excluded."""

    example_count: int | None


class DatasetPageV2(TypedDict):
    """Datasets; a null cursor ends."""

    items: list[DatasetV2]
    next_cursor: str | None


class DatasetQueryV2(Query):
    """Query parameters of GET /api/v2/datasets."""

    id: list[UUID] = []
    name: str | None = None
    name_contains: str | None = None
    data_type: list[str] = []
    metadata: JSONText | None = None
    exclude: Annotated[list[str], Meta(description="example_count: return null for it")] = []
    exclude_corrections_datasets: Ignored | None = None
    sort_by: Annotated[str, Meta(extra_json_schema={"enum": list(SORTABLE)})] = "created_at"
    tag_value_id: list[str] = []
    cursor: str | None = None
    page_size: PageSize = MAX_PAGE
    sort_order: SortOrder = "desc"

    def __post_init__(self) -> None:
        _refuse_unless("sort_by", self.sort_by, SORTABLE)
        _refuse_unless("sort_order", self.sort_order, SORT_ORDERS)


class FeedbackStatsV2(FeedbackStats):
    """The feedback of one key."""

    type: Literal["PRIMARY", "COMPOSITE"]


class SessionV2(SessionHead):
    """A project or an experiment; with `include_stats`, its statistics."""

    type: Literal["PROJECT", "EXPERIMENT"]
    trace_tier: TraceTier | None
    feedback_stats: NotRequired[dict[str, FeedbackStatsV2]]
    session_feedback_stats: NotRequired[dict[str, FeedbackStatsV2]]


class SessionPageV2(TypedDict):
    """Projects; a null cursor ends."""

    items: list[SessionV2]
    next_cursor: str | None


class SessionReadQueryV2(projects.StatsQuery):
    """Query parameters of GET /api/v2/sessions/{session_id}."""

    include_facets: Annotated[bool, Meta(description="Count `run_facets`, too")] = False
    use_approx_stats: Ignored | None = None


class SessionQueryV2(SessionReadQueryV2):
    """Query parameters of GET /api/v2/sessions."""

    id: list[UUID] | None = None
    name: str | None = None
    name_contains: str | None = None
    type: list[Literal["PROJECT", "AGENT", "EXPERIMENT"]] = []
    reference_dataset_id: list[UUID] | None = None
    dataset_version: str | None = None
    metadata: JSONText | None = None
    filter: Filter | None = None
    sort_by: SessionSort = "START_TIME"
    sort_by_feedback_key: str = ""
    sort_by_feedback_source: Literal["RUN", "SESSION"] = "RUN"
    tag_value_id: list[str] = []
    cursor: str | None = None
    page_size: PageSize = MAX_PAGE
    sort_order: SortOrder = "desc"

    def __post_init__(self) -> None:
        projects.refuse_nul("metadata", self.metadata)
        _refuse_unless("sort_order", self.sort_order, SORT_ORDERS)


class SessionUpsertQueryV2(projects.SessionUpsertQuery):
    """Query parameters of POST /api/v2/sessions."""


class SessionCreateV2(projects.NewSession, kw_only=True):
    """A project to create; an experiment, and no other, names a reference dataset."""

    type: Annotated[
        Literal["PROJECT", "EXPERIMENT", "AGENT"], Meta(description="AGENT is not supported")
    ]
    name: SessionName | None = None
    trace_tier: TraceTier | None = None

    def __post_init__(self) -> None:
        if self.type == "AGENT":
            raise InvalidField("type", "this server keeps no agents")
        if (self.type == "EXPERIMENT") != (self.reference_dataset_id is not None):
            raise InvalidField("reference_dataset_id", "an EXPERIMENT has one, a PROJECT has none")


class SessionChangeV2(projects.SessionChange):
    """Changes of a project. Null clears description, extra, end_time and default_dataset_id."""

    trace_tier: TraceTier | None = None
