"""Prompts and their commits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.bodies import PageQuery, Query, UntaggedBody
from observatory.api.kit.types import Object


class Settings(TypedDict):
    """Whose prompts `-` are."""

    id: UUID
    display_name: str
    created_at: datetime
    tenant_handle: str


Tag = Annotated[str, Meta(max_length=200)]


class RepoFields(UntaggedBody):
    """The fields of a prompt that may be set. Null and absent leave them alone."""

    description: str | None = None
    readme: str | None = None
    tags: list[Tag] | None = None
    is_public: bool | None = None
    is_archived: bool | None = None


class RepoCreate(RepoFields, kw_only=True):
    """A prompt to create."""

    repo_handle: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,255}\Z")]
    repo_type: str | None = None


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


class RepoQuery(PageQuery):
    """Query parameters of GET /repos."""

    query: str | None = None
    match_prefix: bool = False
    is_public: bool | None = None
    is_archived: bool | Literal["allow"] = False
    tag_value_id: list[str] | None = None
    sort_field: str | None = None
    sort_direction: str | None = None
    repo_type: str | None = None


class TagCreate(UntaggedBody, kw_only=True):
    """A tag, and the commit it is to name."""

    tag_name: Annotated[str, Meta(pattern=r"^[^/\x00]{1,200}\Z")]
    commit_id: UUID


class RepoTag(TypedDict):
    """A tag of a prompt."""

    id: UUID
    repo_id: UUID
    tag_name: str
    commit_id: UUID
    commit_hash: str


class CommitCreate(UntaggedBody, kw_only=True):
    """A commit to push onto `parent_commit`."""

    manifest: Object
    parent_commit: str | None = None
    description: str | None = None


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


class ModelQuery(Query):
    """Query parameters of GET /commits/{owner}/{name}/{commit}."""

    include_model: bool = False


class CommitQuery(PageQuery):
    """Query parameters of GET /commits/{owner}/{name}."""

    include_model: bool = False


class Like(UntaggedBody, kw_only=True):
    """Whether the owner of the key likes the prompt."""

    like: bool


class Likes(TypedDict):
    """How many like it."""

    likes: int
