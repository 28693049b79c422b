"""/likes: who likes a prompt."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import describe
from observatory.api.kit.errors import Unprocessable
from observatory.api.prompts import schemas as shapes
from observatory.api.prompts.repos import object_of, repo_or_404
from observatory.prompts.models import Like


class Likes(WorkspaceView):
    """POST /likes/{owner}/{name} (like_prompt, unlike_prompt): how many like it now."""

    @describe(body=shapes.Like, answer=shapes.Likes)
    def post(self, request: Request, owner: str, repo_handle: str) -> Response:
        repo = repo_or_404(self, owner, repo_handle, is_read=True)
        like = object_of(request).get("like")
        if not isinstance(like, bool):
            raise Unprocessable("like: must be true or false")
        user = self.caller.key.created_by
        if like:
            Like.objects.get_or_create(repo=repo, user=user)
        else:
            Like.objects.filter(repo=repo, user=user).delete()
        return Response({"likes": Like.objects.filter(repo=repo).count()})
