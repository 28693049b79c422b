"""/likes: who likes a prompt."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.prompts import schemas as shapes
from observatory.api.prompts.repos import repo_or_404
from observatory.prompts.models import Like


class Likes(WorkspaceView):
    """POST /likes/{owner}/{name} (like_prompt, unlike_prompt): how many like it now."""

    @endpoint(body=shapes.Like, answer=shapes.Likes)
    def post(self, request: Request, owner: str, repo_handle: str, body: shapes.Like) -> Response:
        repo = repo_or_404(self, owner, repo_handle, is_read=True)
        user = self.caller.key.created_by
        if body.like:
            Like.objects.get_or_create(repo=repo, user=user)
        else:
            Like.objects.filter(repo=repo, user=user).delete()
        return Response({"likes": Like.objects.filter(repo=repo).count()})
