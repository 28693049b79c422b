"""Prompts and their commits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.types import Object, PageQuery


class Settings(TypedDict):
    """Whose prompts `-` are."""

    id: UUID
    display_name: str
    created_at: datetime
    tenant_handle: str


class RepoFields(TypedDict, total=False):
    """What a prompt may say of itself. Null and absent keep."""

    description: str | None
    readme: str | None
    tags: list[str] | None
    is_public: bool | None
    is_archived: bool | None


class RepoCreate(RepoFields):
    """A prompt to make."""

    repo_handle: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,255}$")]


class Repo(TypedDict):
    """A prompt."""

    id: UUID
    repo_handle: str
    tenant_id: UUID
    owner: str | None
    full_name: str
    description: str | None
    readme: str | None
    tags: list[str]
    is_public: bool
    is_archived: bool
    repo_type: str
    num_likes: int
    num_downloads: int
    num_views: int
    num_commits: int
    liked_by_auth_user: bool
    last_commit_hash: str | None
    created_at: datetime
    updated_at: datetime


class RepoAnswer(TypedDict):
    """A prompt, alone."""

    repo: Repo


class Repos(TypedDict):
    """A page of prompts, and how many there are."""

    repos: list[Repo]
    total: int


class RepoQuery(PageQuery, total=False):
    """Which prompts are meant."""

    query: str
    is_public: bool
    is_archived: Literal["true", "false", "allow"]
    sort_field: str
    sort_direction: Literal["asc", "desc"]
    repo_type: str


class TagCreate(TypedDict):
    """A tag, and the commit it is to name."""

    tag_name: Annotated[str, Meta(min_length=1, max_length=200)]
    commit_id: UUID


class RepoTag(TypedDict):
    """A tag of a prompt."""

    id: UUID
    repo_id: UUID
    tag_name: str
    commit_id: UUID
    commit_hash: str


class CommitCreate(TypedDict):
    """A version to push onto `parent_commit`."""

    manifest: Object
    parent_commit: NotRequired[str | None]
    description: NotRequired[str | None]


class Commit(TypedDict):
    """A version of a prompt."""

    id: UUID
    repo_id: UUID
    commit_hash: str
    parent_id: UUID | None
    parent_commit_hash: str | None
    manifest: Object
    description: str | None
    created_at: datetime
    updated_at: datetime
    examples: list[Any]


class CommitAnswer(TypedDict):
    """A version, alone."""

    commit: Commit
    commit_hash: str


class Commits(TypedDict):
    """A page of versions, newest first, and how many there are."""

    commits: list[Commit]
    total: int


class ModelQuery(TypedDict, total=False):
    """Whether the model belongs to it."""

    include_model: bool


class CommitQuery(PageQuery, ModelQuery, total=False):
    """Which versions are meant."""


class Like(TypedDict):
    """Whether it is liked."""

    like: bool


class Likes(TypedDict):
    """How many like it."""

    likes: int
