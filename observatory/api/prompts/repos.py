"""/repos: prompts, and the tags of their commits; /settings: whose they are."""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Object
from observatory.api.prompts import schemas as shapes
from observatory.prompts import commits
from observatory.prompts.models import Commit, Like, PromptRepo

HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,255}")
SORTABLE = ("updated_at", "created_at", "num_likes", "num_downloads")
MAX_QUERY = 200  # characters
_ESCAPED = re.compile(r"[^\w\s-]")  # what a regular expression could take for more than itself


def _count(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.filter(repo=OuterRef("pk")).order_by().values("repo").annotate(n=Count("pk"))
    return Coalesce(Subquery(counted.values("n")), 0)


def counted(view: WorkspaceView, repos: QuerySet[PromptRepo]) -> QuerySet[Any]:
    """Return prompts with what the wire counts of them, and whether the caller likes them."""
    newest = Commit.objects.filter(repo=OuterRef("pk")).order_by("-pk").values("commit_hash")[:1]
    mine = Like.objects.filter(repo=OuterRef("pk"), user=view.caller.key.created_by)
    return repos.select_related("workspace").annotate(
        num_likes=_count(Like.objects.all()),
        num_commits=_count(Commit.objects.all()),
        last_commit_hash=Subquery(newest),
        is_liked=Exists(mine),
    )


def of_workspace(view: WorkspaceView) -> QuerySet[Any]:
    """Return the workspace's prompts, counted."""
    return counted(view, PromptRepo.objects.filter(workspace=view.workspace))


def repo_or_404(view: WorkspaceView, owner: str, name: str, *, is_read: bool = False) -> Any:
    """Return the workspace's prompt; one of another owner is as unknown as none.

    With `is_read` another workspace's too, under that workspace's name, if it is public.
    """
    repo = None
    if "\x00" not in name + owner:
        if owner in {"-", view.workspace.slug}:
            repo = of_workspace(view).filter(handle=name).first()
        elif is_read:
            public = PromptRepo.objects.filter(workspace__slug=owner, is_public=True)
            repo = counted(view, public).filter(handle=name).first()
    if repo is None:
        raise NotFound("Prompt not found")
    return repo


def shown(repo: Any) -> dict[str, Any]:
    owner = repo.workspace.slug
    return {
        "id": repo.uuid,
        "repo_handle": repo.handle,
        "tenant_id": repo.workspace.uuid,
        "owner": owner,
        "full_name": f"{owner}/{repo.handle}",
        "description": repo.description,
        "readme": repo.readme,
        "tags": repo.tags,
        "is_public": repo.is_public,
        "is_archived": repo.is_archived,
        "repo_type": "prompt",
        "num_likes": repo.num_likes,
        "num_downloads": repo.num_downloads,
        "num_views": 0,  # the SDK demands it; nothing here counts who looks
        "num_commits": repo.num_commits,
        "last_commit_hash": repo.last_commit_hash,
        "liked_by_auth_user": repo.is_liked,
        "created_at": repo.created_at,
        "updated_at": repo.updated_at,
    }


def _matching(query: str, *, is_prefix: bool) -> Q:
    """Return the condition of prompts that `query` finds, by handle or description.

    Anywhere in them; with `is_prefix` only where a word of them begins, or the whole.
    """
    if not is_prefix:
        return Q(handle__icontains=query) | Q(description__icontains=query)
    beginning = rf"(^|[^[:alnum:]]){_ESCAPED.sub(_escape, query)}"
    return Q(handle__iregex=beginning) | Q(description__iregex=beginning)


def _escape(match: re.Match[str]) -> str:
    return rf"\{match[0]}"


def _fields(body: shapes.RepoFields) -> dict[str, Any]:
    names = ("description", "readme", "is_public", "is_archived", "tags")
    return {name: value for name, value in body.given().items() if name in names}


class Settings(WorkspaceView):
    """GET /settings, as both SDKs ask whose prompts `-` are."""

    @endpoint(answer=shapes.Settings)
    def get(self, request: Request) -> Response:
        workspace = self.workspace
        return Response(
            {
                "id": workspace.uuid,
                "display_name": workspace.name,
                "created_at": workspace.created_at,
                "tenant_handle": workspace.slug,
            }
        )


class Repos(WorkspaceView):
    """GET /repos (list_prompts) and POST /repos (create_prompt)."""

    @endpoint(query=shapes.RepoQuery, answer=shapes.Repos, errors=(404,))
    def get(self, request: Request, query: shapes.RepoQuery) -> Response:
        if query.repo_type not in {None, "prompt"}:
            raise NotFound("Only prompts are kept here")
        repos = of_workspace(self)
        if query.tag_value_id:  # no prompt has a resource tag
            repos = repos.none()
        if query.is_public is not None:
            repos = repos.filter(is_public=query.is_public)
        if query.is_archived != "allow":
            repos = repos.filter(is_archived=query.is_archived)
        if query.query is not None:
            text = query.query[:MAX_QUERY]
            repos = repos.filter(_matching(text, is_prefix=query.match_prefix))
        sort = query.sort_field if query.sort_field in SORTABLE else "updated_at"
        sign = "" if query.sort_direction == "asc" else "-"
        page = repos.order_by(f"{sign}{sort}", "-pk")[query.window]
        return Response({"repos": [shown(repo) for repo in page], "total": repos.count()})

    @endpoint(body=shapes.RepoCreate, answer=shapes.RepoAnswer, errors=(404, 409))
    def post(self, request: Request, body: shapes.RepoCreate) -> Response:
        if body.repo_type not in {None, "prompt"}:
            raise NotFound("Only prompts are kept here")
        handle, fields = body.repo_handle, _fields(body)
        try:
            with transaction.atomic():
                PromptRepo.objects.create(workspace=self.workspace, handle=handle, **fields)
        except IntegrityError:
            raise Conflict("Prompt with this name already exists") from None
        return Response({"repo": shown(repo_or_404(self, "-", handle))})


class RepoDetail(WorkspaceView):
    """GET (get_prompt), PATCH (update_prompt) and DELETE (delete_prompt) /repos/{owner}/{name}."""

    @endpoint(answer=shapes.RepoAnswer)
    def get(self, request: Request, owner: str, repo_handle: str) -> Response:
        repo = repo_or_404(self, owner, repo_handle, is_read=True)
        return Response({"repo": shown(repo)})

    @endpoint(body=shapes.RepoFields, answer=shapes.RepoAnswer)
    def patch(
        self, request: Request, owner: str, repo_handle: str, body: shapes.RepoFields
    ) -> Response:
        repo = repo_or_404(self, owner, repo_handle)
        PromptRepo.objects.filter(pk=repo.pk).update(updated_at=timezone.now(), **_fields(body))
        return Response({"repo": shown(repo_or_404(self, owner, repo_handle))})

    @endpoint(answer=Object)
    def delete(self, request: Request, owner: str, repo_handle: str) -> Response:
        repo_or_404(self, owner, repo_handle).delete()
        return Response({})


class RepoTags(WorkspaceView):
    """POST /repos/{owner}/{name}/tags: point a tag at a commit (commit_tags of push_prompt)."""

    @endpoint(body=shapes.TagCreate, answer=shapes.RepoTag)
    def post(
        self, request: Request, owner: str, repo_handle: str, body: shapes.TagCreate
    ) -> Response:
        repo = repo_or_404(self, owner, repo_handle)
        name = body.tag_name
        if name == commits.LATEST:
            raise Unprocessable("tag_name: latest always names the newest commit")
        commit = repo.commits.filter(uuid=body.commit_id).first()
        if commit is None:
            raise NotFound("Commit not found")
        tag = commits.tag(commit, name)
        return Response(
            {
                "id": tag.uuid,
                "repo_id": repo.uuid,
                "tag_name": name,
                "commit_id": commit.uuid,
                "commit_hash": commit.commit_hash,
            }
        )
