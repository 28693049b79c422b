"""/feedback/tokens: presigned URLs, created with a key and redeemed without one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from observatory import exact
from observatory.api.feedback import schemas as shapes
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Message
from observatory.feedback import judgement, rates, tokens
from observatory.feedback.judgement import InvalidFeedback
from observatory.feedback.models import PresignedToken
from observatory.feedback.tokens import TokenInput, UnknownToken

PER_TOKEN = 10  # redemptions a minute
PER_ADDRESS = 60
# Clients that fetch a link without a click: link previews of chats, mail scanners, crawlers.
LINK_PREVIEW = re.compile(
    r"bot\b|crawler|spider|preview|facebookexternalhit|whatsapp|slack|discord|embedly|skype",
    re.IGNORECASE,
)


def _expiry(body: dict[str, Any], now: datetime) -> datetime | None:
    """Return when a token ends: `expires_at`, or `expires_in` from now, or None for the default."""
    at = judgement.parse_time("expires_at", body.get("expires_at"))
    if at is not None:
        return at
    parts = judgement.parse_object("expires_in", body.get("expires_in")) or {}
    lengths = {}
    for unit in ("days", "hours", "minutes"):
        length = parts.get(unit) or 0
        if isinstance(length, bool) or not isinstance(length, (int, float)) or length < 0:
            raise InvalidFeedback(f"expires_in.{unit}", "must be a number, 0 or more")
        lengths[unit] = min(length, 1e6)
    return now + timedelta(**lengths) if any(lengths.values()) else None


def _wanted(body: Any, now: datetime) -> TokenInput:
    if not isinstance(body, dict):
        raise InvalidFeedback("token", "must be an object")
    run_id = judgement.parse_uuid("run_id", body.get("run_id"))
    if run_id is None:
        raise InvalidFeedback("run_id", "is missing")
    config = body.get("feedback_config")
    return TokenInput(
        run_id=run_id,
        key=judgement.parse_key(body.get("feedback_key"), "feedback_key"),
        id=judgement.parse_uuid("id", body.get("id")),
        config=judgement.parse_config(body.get("feedbackConfig") if config is None else config),
        expires_at=_expiry(body, now),
    )


class FeedbackTokens(WorkspaceView):
    """POST (create_presigned_feedback_token, one or an array) and GET /feedback/tokens."""

    @endpoint(query=shapes.TokenQuery, answer=list[shapes.Token])
    def get(self, request: Request) -> Response:
        found = PresignedToken.objects.filter(workspace=self.workspace, revoked_at=None)
        if run_id := parameters.uuid(request, "run_id"):
            found = found.filter(run_id=run_id)
        page = found.order_by("-created_at", "-id")[parameters.window(request)]
        return Response([self._shown(token) for token in page])

    @endpoint(
        body=shapes.TokenCreate | list[shapes.TokenCreate], answer=shapes.Token | list[shapes.Token]
    )
    def post(self, request: Request) -> Response:
        is_many = isinstance(request.data, list)
        now = timezone.now()
        try:
            wanted = [_wanted(body, now) for body in (request.data if is_many else [request.data])]
            minted = tokens.mint(self.workspace, wanted, now=now)
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        answers = [self._shown(token) for token in minted]
        return Response(answers if is_many else answers[0])

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
        if not isinstance(request.data, dict):
            raise Unprocessable("feedback: must be an object")
        return self._redeem(request, token, request.data)

    @endpoint(query=shapes.TokenUseQuery, answer=Message, errors=(429,))
    def get(self, request: Request, token: str) -> Response:
        """Redeem by a link in a mail. HEAD, prefetching and link previews do not vote."""
        agent = request.headers.get("user-agent", "")
        purpose = " ".join(
            request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz")
        )
        if request.method == "HEAD" or "prefetch" in purpose or LINK_PREVIEW.search(agent):
            return Response({"message": "Open this link yourself to give the feedback"})
        asked = request.query_params
        body: dict[str, Any] = {
            name: asked[name] for name in ("id", "value", "comment", "correction") if name in asked
        }
        if asked.get("score"):
            body["score"] = _query_score(asked["score"])
        return self._redeem(request, token, body)

    @endpoint(answer=Message)
    def delete(self, request: Request, token: str) -> Response:
        if not tokens.revoke(self.workspace, uuid_or_404(token), timezone.now()):
            raise NotFound("Not found")
        return Response({"message": "Token revoked"})

    def _redeem(self, request: Request, token: str, body: dict[str, Any]) -> Response:
        now = timezone.now()
        self._limit("address", request.META.get("REMOTE_ADDR", ""), PER_ADDRESS, now)
        secret = uuid_or_404(token)
        self._limit("token", str(secret), PER_TOKEN, now)
        try:
            given = {
                "score": judgement.parse_score(body.get("score")),
                "value": judgement.parse_value(body.get("value")),
                "comment": judgement.parse_comment(body.get("comment")),
                "correction": judgement.parse_correction(body.get("correction")),
                "source_metadata": judgement.parse_object("metadata", body.get("metadata")),
            }
            feedback_id = judgement.parse_uuid("id", body.get("id"))
            tokens.redeem(secret, given, now=now, feedback_id=feedback_id)
        except UnknownToken:
            raise NotFound("Not found") from None
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        return Response({"message": "Feedback recorded"})

    def _limit(self, kind: str, name: str, limit: int, now: datetime) -> None:
        wait_s = rates.seconds_to_wait(rates.subject_of(kind, name), limit, now)
        if wait_s:
            raise Throttled(wait_s)


def _query_score(text: str) -> Any:
    """Return a score from a URL: a JSON number, true or false; anything else stays text."""
    try:
        return exact.loads(text.lower())
    except exact.NotJSON:
        return text
