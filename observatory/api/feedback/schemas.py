"""Feedback, presigned tokens, declared scales."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

from msgspec import Meta, Struct, field

from observatory.api.feedback.members import (
    Categories,
    CategoryValues,
    Comment,
    Config,
    Correction,
    Document,
    IsTrue,
    Length,
    LinkScore,
    Score,
    Source,
    Value,
)
from observatory.api.kit.bodies import Body, Moment, PageQuery, Prose, Query
from observatory.api.kit.members import AnyUUID
from observatory.api.kit.types import Object
from observatory.feedback import configs
from observatory.feedback.judgement import MAX_KEY, MAX_TEXT, FeedbackInput, InvalidFeedback
from observatory.feedback.tokens import TokenInput

Key = Annotated[Prose, Meta(min_length=1, max_length=MAX_KEY)]


class FeedbackSourceCreate(Struct, kw_only=True):
    """The source of feedback to create. The API key alone decides who sent it."""

    type: Source = "api"
    metadata: Document | None = None


class FeedbackChange(Body):
    """Changes of feedback. Null and absent members stay as they are."""

    score: Score | None = None
    value: Value | None = None
    comment: Comment | None = None
    correction: Correction | None = None
    feedback_config: Config | None = None
    config_of_javascript: Config | None = field(default=None, name="feedbackConfig")

    @property
    def config(self) -> dict[str, Any] | None:
        return self.config_of_javascript if self.feedback_config is None else self.feedback_config

    def changes(self) -> dict[str, Any]:
        """Return what is to change, as `feedback.record.update` takes it."""
        members = {
            "score": self.score,
            "value": self.value,
            "comment": self.comment,
            "correction": self.correction,
            "config": self.config,
        }
        return {name: member for name, member in members.items() if member is not None}


class FeedbackCreate(FeedbackChange, kw_only=True):
    """Feedback on a run, a trace (its root) or a project. The same id again replaces it."""

    key: Key
    id: AnyUUID | None = None
    run_id: AnyUUID | None = None
    trace_id: AnyUUID | None = None
    session_id: AnyUUID | None = None
    feedback_source: FeedbackSourceCreate | None = None
    error: IsTrue | None = None
    comparative_experiment_id: AnyUUID | None = None
    feedback_group_id: AnyUUID | None = None
    feedback_thread_id: Annotated[Prose, Meta(max_length=MAX_TEXT)] | None = None
    extra: Document | None = None
    created_at: Moment | None = None

    def __post_init__(self) -> None:
        if self.run_id is None and self.trace_id is None and self.session_id is None:
            raise InvalidFeedback("run_id", "either run_id or session_id is needed")

    def to_input(self) -> FeedbackInput:
        """Return the feedback as `feedback.record` takes it."""
        source = self.feedback_source or FeedbackSourceCreate()
        return FeedbackInput(
            key=self.key,
            id=self.id,
            run_id=self.run_id or self.trace_id,
            trace_id=self.trace_id,
            session_id=self.session_id,
            score=self.score,
            value=self.value,
            comment=self.comment,
            correction=self.correction,
            source_type=source.type,
            source_metadata=source.metadata,
            config=self.config,
            is_error=self.error is True,
            comparative_experiment_id=self.comparative_experiment_id,
            feedback_group_id=self.feedback_group_id,
            feedback_thread_id=self.feedback_thread_id,
            extra=self.extra,
            created_at=self.created_at,
        )


class FeedbackSource(TypedDict):
    """The source of feedback, and its author."""

    type: str | None
    metadata: Object | None
    user_id: UUID | None
    ls_user_id: UUID | None
    user_name: str | None


class Feedback(TypedDict):
    """Feedback on a run or a project."""

    id: UUID
    created_at: datetime
    modified_at: datetime
    key: str
    run_id: UUID | None
    trace_id: UUID | None
    session_id: UUID | None
    start_time: datetime | None
    is_root: bool | None
    score: float | None
    value: Any
    comment: str | None
    correction: Any
    feedback_source: FeedbackSource
    comparative_experiment_id: UUID | None
    feedback_group_id: UUID | None
    feedback_thread_id: str | None
    extra: Object | None


class FeedbackReadQuery(Query):
    """Query parameters of GET /feedback/{id}."""

    include_user_names: bool = False


class FeedbackFilter(PageQuery):
    """Query parameters that choose feedback."""

    run: list[AnyUUID] | None = None
    session: list[AnyUUID] | None = None
    user: list[AnyUUID] | None = None
    key: list[str] | None = None
    source: list[str] | None = None
    comparative_experiment_id: AnyUUID | None = None
    feedback_thread_id: str | None = None
    min_created_at: Moment | None = None
    max_created_at: Moment | None = None
    has_score: bool | None = None
    has_comment: bool | None = None
    level: Literal["run", "session"] | None = None


class FeedbackQuery(FeedbackFilter):
    """Query parameters of GET /feedback."""

    include_user_names: bool = False


class FeedbackBatch(Body):
    """Feedback to create. One that is refused does not cost the others."""

    is_read_by_handler = True

    feedback: list[FeedbackCreate]


class FeedbackError(TypedDict, total=False):
    """Refusal of one feedback of a batch."""

    index: int
    id: UUID | None
    detail: str


class FeedbackStored(TypedDict):
    """Result of a batch."""

    n_stored: int
    errors: list[FeedbackError]


class Lifetime(Struct, kw_only=True):
    """How long a token lives: the sum of its members, each a number of at least 0."""

    days: Length | None = None
    hours: Length | None = None
    minutes: Length | None = None

    def to_timedelta(self) -> timedelta:
        return timedelta(days=self.days or 0, hours=self.hours or 0, minutes=self.minutes or 0)


class TokenCreate(Body, kw_only=True):
    """A token to create, which admits feedback on one run under one key without an API key."""

    run_id: AnyUUID
    feedback_key: Key
    id: AnyUUID | None = None
    feedback_config: Config | None = None
    config_of_javascript: Config | None = field(default=None, name="feedbackConfig")
    expires_in: Lifetime | None = None
    expires_at: Moment | None = None

    def to_input(self, now: datetime) -> TokenInput:
        """Return the token as `feedback.tokens.mint` takes it."""
        config = self.config_of_javascript if self.feedback_config is None else self.feedback_config
        expires_at = self.expires_at
        if expires_at is None and self.expires_in and (lifetime := self.expires_in.to_timedelta()):
            expires_at = now + lifetime
        return TokenInput(
            run_id=self.run_id,
            key=self.feedback_key,
            id=self.id,
            config=config,
            expires_at=expires_at,
        )


class Token(TypedDict):
    """A presigned token and the URL that redeems it."""

    id: UUID
    url: str
    run_id: UUID
    feedback_key: str
    expires_at: datetime


class TokenQuery(PageQuery):
    """Query parameters of GET /feedback/tokens."""

    run_id: AnyUUID | None = None


class TokenUse(Body):
    """Feedback given with a token. Sent again under the same `id` it changes that feedback."""

    is_read_by_handler = True

    id: AnyUUID | None = None
    score: Score | None = None
    value: Value | None = None
    comment: Comment | None = None
    correction: Correction | None = None
    metadata: Document | None = None


class TokenUseQuery(Query):
    """Query parameters of GET /feedback/tokens/{token}: feedback given by a link."""

    is_read_by_handler = True
    keeps_empty = True

    id: AnyUUID | None = None
    score: LinkScore | None = None
    value: Value | None = None
    comment: Comment | None = None
    correction: Correction | None = None


class FeedbackConfigFlags(Body, kw_only=True):
    """The key of a declared scale, and its flags."""

    feedback_key: Key
    is_lower_score_better: bool | None = None
    is_enforced: bool | None = None

    def flags(self) -> dict[str, bool]:
        """Return the flags that are neither absent nor null, as `feedback.configs` takes them."""
        flags = {name: getattr(self, name) for name in configs.FLAGS}
        return {name: flag for name, flag in flags.items() if flag is not None}


class FeedbackConfigCreate(FeedbackConfigFlags, kw_only=True):
    """A scale to declare for a key."""

    feedback_config: Config


class FeedbackConfigChange(FeedbackConfigFlags, kw_only=True):
    """Changes of a declared scale. Null and absent members stay as they are.

    Categories are added at the end, and removed by their values.
    """

    id: AnyUUID | None = None
    feedback_config: Config | None = None
    add_categories: Categories | None = None
    remove_categories: CategoryValues | None = None


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


class FeedbackConfigQuery(PageQuery):
    """Query parameters of GET /feedback-configs."""

    key: list[str] | None = None
    name_contains: str | None = None
    is_enforced: bool | None = None
    include_all_configs: bool | None = None  # no effect: a key has one scale here


class FeedbackConfigNamed(Query):
    """Query parameters of DELETE /feedback-configs: exactly one of both."""

    feedback_key: str | None = None
    id: AnyUUID | None = None
