"""/feedback/tokens: presigned URLs, created with a key and redeemed without one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.feedback import schemas as shapes
from observatory.api.kit import bodies
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Message
from observatory.feedback import rates, tokens
from observatory.feedback.judgement import InvalidFeedback
from observatory.feedback.models import PresignedToken
from observatory.feedback.tokens import UnknownToken

PER_TOKEN = 10  # redemptions a minute
PER_ADDRESS = 60
# Clients that fetch a link without a click: link previews of chats, mail scanners, crawlers.
LINK_PREVIEW = re.compile(
    r"bot\b|crawler|spider|preview|facebookexternalhit|whatsapp|slack|discord|embedly|skype",
    re.IGNORECASE,
)


class FeedbackTokens(WorkspaceView):
    """POST (create_presigned_feedback_token, one or an array) and GET /feedback/tokens."""

    @endpoint(query=shapes.TokenQuery, answer=list[shapes.Token])
    def get(self, request: Request, query: shapes.TokenQuery) -> Response:
        live = PresignedToken.objects.filter(workspace=self.workspace, revoked_at=None)
        if query.run_id is not None:
            live = live.filter(run_id=query.run_id)
        page = live.order_by("-created_at", "-id")[query.window]
        return Response([self._shown(token) for token in page])

    @endpoint(
        body=shapes.TokenCreate | list[shapes.TokenCreate], answer=shapes.Token | list[shapes.Token]
    )
    def post(
        self, request: Request, body: shapes.TokenCreate | list[shapes.TokenCreate]
    ) -> Response:
        now = timezone.now()
        inputs = [token.to_input(now) for token in (body if isinstance(body, list) else [body])]
        try:
            minted = tokens.mint(self.workspace, inputs, now=now)
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        answers = [self._shown(token) for token in minted]
        return Response(answers if isinstance(body, list) else answers[0])

    def _shown(self, token: PresignedToken) -> dict[str, Any]:
        """Return a token with its URL; after a change of SECRET_KEY the URL cannot be shown."""
        secret = tokens.secret_of(self.workspace, token)
        path = f"/api/feedback/tokens/{secret}"
        base = settings.PUBLIC_URL
        url = f"{base}{path}" if base else self.request.build_absolute_uri(path)
        return {
            "id": tokens.id_of(self.workspace, token),
            "url": url if secret else "",
            "run_id": token.run_id,
            "feedback_key": token.key,
            "expires_at": token.expires_at,
        }


class FeedbackToken(WorkspaceView):
    """POST and GET /feedback/tokens/{token}: public, the token is the credential.

    DELETE takes the token's id and needs a key: it revokes. The SDKs have no call for it.
    """

    max_body_bytes = 2_000_000

    def get_authenticators(self) -> list[BaseAuthentication]:
        return super().get_authenticators() if self.request.method == "DELETE" else []

    def get_permissions(self) -> Sequence[Any]:
        return super().get_permissions() if self.request.method == "DELETE" else []

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Let pages of other origins post here; no cookie or key is involved."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        response["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        response["Access-Control-Allow-Headers"] = "Content-Type"
        response["Access-Control-Max-Age"] = "86400"
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        return response

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        return Response(status=204)

    @endpoint(body=shapes.TokenUse, answer=Message, errors=(429,))
    def post(self, request: Request, token: str) -> Response:
        secret = self._limited(request, token)
        return _redeem(secret, bodies.read(shapes.TokenUse, request.data))

    @endpoint(query=shapes.TokenUseQuery, answer=Message, errors=(429,))
    def get(self, request: Request, token: str) -> Response:
        """Redeem by a link in a mail. HEAD, prefetching and link previews do not vote."""
        agent = request.headers.get("user-agent", "")
        purpose = " ".join(
            request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz")
        )
        if request.method == "HEAD" or "prefetch" in purpose or LINK_PREVIEW.search(agent):
            return Response({"message": "Open this link yourself to give the feedback"})
        secret = self._limited(request, token)
        return _redeem(secret, bodies.read_query(shapes.TokenUseQuery, request.GET))

    @endpoint(answer=Message)
    def delete(self, request: Request, token: str) -> Response:
        if not tokens.revoke(self.workspace, uuid_or_404(token), timezone.now()):
            raise NotFound("Not found")
        return Response({"message": "Token revoked"})

    def _limited(self, request: Request, token: str) -> UUID:
        """Return the secret in the URL. Raises Throttled, and NotFound for what is not a UUID."""
        now = timezone.now()
        _limit("address", request.META.get("REMOTE_ADDR", ""), PER_ADDRESS, now)
        secret = uuid_or_404(token)
        _limit("token", str(secret), PER_TOKEN, now)
        return secret


def _limit(kind: str, name: str, limit: int, now: datetime) -> None:
    wait_s = rates.seconds_to_wait(rates.subject_of(kind, name), limit, now)
    if wait_s:
        raise Throttled(wait_s)


def _redeem(secret: UUID, feedback: shapes.TokenUse | shapes.TokenUseQuery) -> Response:
    members = {
        "score": feedback.score,
        "value": feedback.value,
        "comment": feedback.comment,
        "correction": feedback.correction,
        "source_metadata": feedback.metadata if isinstance(feedback, shapes.TokenUse) else None,
    }
    try:
        tokens.redeem(secret, members, now=timezone.now(), feedback_id=feedback.id)
    except UnknownToken:
        raise NotFound("Not found") from None
    except InvalidFeedback as error:
        raise Unprocessable(str(error)) from None
    return Response({"message": "Feedback recorded"})
