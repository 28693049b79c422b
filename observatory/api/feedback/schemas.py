"""Feedback, presigned tokens, declared scales."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.types import Moment, Object, PageQuery

Key = Annotated[str, Meta(min_length=1, max_length=180)]
Score = float | bool | None
Value = float | bool | str | Object | None
Correction = Object | str | None


class Category(TypedDict):
    """One of the labels of a scale."""

    value: float
    label: NotRequired[str | None]


class Scale(TypedDict):
    """What scores and values a key takes."""

    type: Literal["continuous", "categorical", "freeform"]
    min: NotRequired[float | None]
    max: NotRequired[float | None]
    categories: NotRequired[list[Category] | None]
    allows_multiple_categories: NotRequired[bool | None]


class FeedbackSourceCreate(TypedDict, total=False):
    """Where a judgement comes from."""

    type: str
    metadata: Object | None


class FeedbackChange(TypedDict, total=False):
    """What to change of a feedback; null keeps."""

    score: Score
    value: Value
    comment: str | None
    correction: Correction
    feedback_config: Scale | None


class FeedbackCreate(FeedbackChange):
    """A judgement of a run, of a trace or of a project. The same id again replaces."""

    key: Key
    id: NotRequired[UUID | None]
    run_id: NotRequired[UUID | None]
    trace_id: NotRequired[UUID | None]
    session_id: NotRequired[UUID | None]
    feedback_source: NotRequired[FeedbackSourceCreate | None]
    error: NotRequired[bool | None]
    comparative_experiment_id: NotRequired[UUID | None]
    feedback_group_id: NotRequired[UUID | None]
    feedback_thread_id: NotRequired[str | None]
    extra: NotRequired[Object | None]
    created_at: NotRequired[Moment | None]


class FeedbackSource(TypedDict):
    """Where a judgement came from, and who gave it."""

    type: str | None
    metadata: Object | None
    user_id: UUID | None
    ls_user_id: UUID | None
    user_name: str | None


class Feedback(TypedDict):
    """A judgement."""

    id: UUID
    created_at: datetime
    modified_at: datetime
    key: str
    run_id: UUID | None
    trace_id: UUID | None
    session_id: UUID | None
    start_time: datetime | None
    is_root: bool | None
    score: Score
    value: Any
    comment: str | None
    correction: Any
    feedback_source: FeedbackSource
    comparative_experiment_id: UUID | None
    feedback_group_id: UUID | None
    feedback_thread_id: str | None
    extra: Object | None


class FeedbackReadQuery(TypedDict, total=False):
    """Whether to name people."""

    include_user_names: bool


class FeedbackQuery(PageQuery, FeedbackReadQuery, total=False):
    """Which feedback is meant."""

    run: list[UUID]
    session: list[UUID]
    user: list[UUID]
    key: list[str]
    source: list[str]
    comparative_experiment_id: UUID
    feedback_thread_id: str
    min_created_at: datetime
    max_created_at: datetime
    has_score: bool
    has_comment: bool
    level: Literal["run", "session"]


class FeedbackBatch(TypedDict):
    """Feedback to store; a bad one costs only itself."""

    feedback: list[FeedbackCreate]


class FeedbackError(TypedDict, total=False):
    """Why one feedback of a batch was not stored."""

    index: int
    id: UUID | None
    detail: str


class FeedbackStored(TypedDict):
    """What became of a batch."""

    n_stored: int
    errors: list[FeedbackError]


class Lifetime(TypedDict, total=False):
    """How long a token lives."""

    days: float | None
    hours: float | None
    minutes: float | None


class TokenCreate(TypedDict):
    """A token that lets its holder judge one run under one key."""

    run_id: UUID
    feedback_key: Key
    id: NotRequired[UUID | None]
    feedback_config: NotRequired[Scale | None]
    expires_in: NotRequired[Lifetime | None]
    expires_at: NotRequired[datetime | None]


class Token(TypedDict):
    """A presigned token and the URL that redeems it."""

    id: UUID
    url: str
    run_id: UUID
    feedback_key: str
    expires_at: datetime


class TokenQuery(PageQuery, total=False):
    """Of which run."""

    run_id: UUID


class TokenUse(TypedDict, total=False):
    """What the holder of a token thinks. Sent again under the same `id` it is one feedback."""

    id: UUID | None
    score: Score
    value: Value
    comment: str | None
    correction: Correction
    metadata: Object | None


class TokenUseQuery(TypedDict, total=False):
    """The same in a link."""

    id: UUID
    score: str
    value: str
    comment: str
    correction: str


class FeedbackConfigChange(TypedDict):
    """A declared scale to change; null keeps. Categories are added at the end, removed by value."""

    feedback_key: Key
    id: NotRequired[UUID | None]
    feedback_config: NotRequired[Scale | None]
    add_categories: NotRequired[list[Category] | None]
    remove_categories: NotRequired[list[float] | None]
    is_lower_score_better: NotRequired[bool | None]
    is_enforced: NotRequired[bool | None]


class FeedbackConfigCreate(TypedDict):
    """A scale to declare for a key."""

    feedback_key: Key
    feedback_config: Scale
    is_lower_score_better: NotRequired[bool | None]
    is_enforced: NotRequired[bool | None]


class FeedbackConfig(TypedDict):
    """A declared scale."""

    id: UUID
    feedback_key: str
    feedback_config: Object
    tenant_id: UUID
    modified_at: datetime
    is_lower_score_better: bool | None
    is_enforced: bool
    is_first: bool
    is_deleted: bool


class FeedbackConfigQuery(PageQuery, total=False):
    """Which scales are meant."""

    key: list[str]
    name_contains: str
    is_enforced: bool
    include_all_configs: bool


class FeedbackConfigNamed(TypedDict, total=False):
    """The scale to withdraw, by exactly one of both."""

    feedback_key: str
    id: UUID
