"""/commits: the versions of a prompt."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from observatory import exact
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import describe
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.prompts import schemas as shapes
from observatory.api.prompts.repos import object_of, repo_or_404
from observatory.prompts import commits
from observatory.prompts.models import Commit, PromptRepo


def shown(repo: PromptRepo, commit: Commit, *, has_model: bool) -> dict[str, Any]:
    manifest = commit.manifest if has_model else commit.prompt or commit.manifest
    return {
        "id": commit.uuid,
        "repo_id": repo.uuid,
        "commit_hash": commit.commit_hash,
        "parent_id": commit.parent.uuid if commit.parent else None,
        "parent_commit_hash": commit.parent.commit_hash if commit.parent else None,
        "manifest": exact.Fragment(manifest),
        "description": commit.description or None,
        "created_at": commit.created_at,
        "updated_at": commit.created_at,
        "examples": [],
    }


class Commits(WorkspaceView):
    """GET (list_prompt_commits) and POST (create_commit, push_prompt) /commits/{owner}/{name}."""

    @describe(query=shapes.CommitQuery, answer=shapes.Commits)
    def get(self, request: Request, owner: str, repo_handle: str) -> Response:
        repo = repo_or_404(self, owner, repo_handle, is_read=True)
        has_model = bool(parameters.flag(request, "include_model"))
        page = repo.commits.select_related("parent").order_by("-pk")[parameters.window(request)]
        listed = [shown(repo, commit, has_model=has_model) for commit in page]
        return Response({"commits": listed, "total": repo.num_commits})

    @describe(body=shapes.CommitCreate, answer=shapes.CommitAnswer, errors=(409,))
    def post(self, request: Request, owner: str, repo_handle: str) -> Response:
        repo = repo_or_404(self, owner, repo_handle)
        body = object_of(request)
        manifest, parent = body.get("manifest"), body.get("parent_commit")
        description = body.get("description") or ""
        if not isinstance(manifest, dict):
            raise Unprocessable("manifest: must be an object")
        if parent is not None and not isinstance(parent, str):
            raise Unprocessable("parent_commit: must be a commit hash or null")
        if not isinstance(description, str):
            raise Unprocessable("description: must be a text")
        try:
            commit = commits.push(
                repo,
                manifest,
                parent=parameters.without_nul("parent_commit", parent) if parent else None,
                description=parameters.without_nul("description", description),
            )
        except commits.StaleParent:
            raise Conflict("Parent commit does not match the latest commit") from None
        except commits.Unchanged:
            raise Conflict(
                "Nothing to commit: prompt has not changed since latest commit"
            ) from None
        # The JavaScript SDK 0.3 looks for the hash beside the commit, not in it.
        told = {"commit": shown(repo, commit, has_model=True), "commit_hash": commit.commit_hash}
        return Response(told)


class CommitDetail(WorkspaceView):
    """GET /commits/{owner}/{name}/{hash, tag or latest} (pull_prompt, pull_prompt_commit)."""

    @describe(query=shapes.ModelQuery, answer=shapes.Commit)
    def get(self, request: Request, owner: str, repo_handle: str, commit: str) -> Response:
        repo = repo_or_404(self, owner, repo_handle, is_read=True)
        found = commits.resolve(repo, commit.replace("\x00", ""))
        if found is None:
            raise NotFound("Commit not found")
        PromptRepo.objects.filter(pk=repo.pk).update(num_downloads=F("num_downloads") + 1)
        has_model = bool(parameters.flag(request, "include_model"))
        return Response(shown(repo, found, has_model=has_model))
