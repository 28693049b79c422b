"""/commits: the versions of a prompt."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from observatory import exact
from observatory.api.kit import streamed
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict
from observatory.api.prompts import schemas as shapes
from observatory.api.prompts.repos import repo_or_404
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

    @endpoint(query=shapes.CommitQuery, answer=shapes.Commits)
    def get(
        self, request: Request, owner: str, repo_handle: str, query: shapes.CommitQuery
    ) -> HttpResponseBase:
        repo = repo_or_404(self, owner, repo_handle, is_read=True)
        every = Commit.objects.select_related("parent").defer("parent__manifest", "parent__prompt")
        pages = streamed.rows_of(
            repo.commits.order_by("-pk"), query.window, ("manifest", "prompt"), every
        )
        has_model = query.include_model
        listed = (shown(repo, commit, has_model=has_model) for page in pages for commit in page)
        return streamed.answer(streamed.members(commits=listed, total=repo.num_commits))

    @endpoint(body=shapes.CommitCreate, answer=shapes.CommitAnswer, errors=(409,))
    def post(
        self, request: Request, owner: str, repo_handle: str, body: shapes.CommitCreate
    ) -> Response:
        repo = repo_or_404(self, owner, repo_handle)
        try:
            commit = commits.push(
                repo,
                body.manifest,
                parent=body.parent_commit or None,
                description=body.description or "",
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

    @endpoint(query=shapes.ModelQuery, answer=shapes.Commit)
    def get(
        self, request: Request, owner: str, repo_handle: str, commit: str, query: shapes.ModelQuery
    ) -> Response:
        repo = repo_or_404(self, owner, repo_handle, is_read=True)
        resolved = commits.resolve(repo, commit.replace("\x00", ""))
        if resolved is None:
            raise NotFound("Commit not found")
        PromptRepo.objects.filter(pk=repo.pk).update(num_downloads=F("num_downloads") + 1)
        return Response(shown(repo, resolved, has_model=query.include_model))
