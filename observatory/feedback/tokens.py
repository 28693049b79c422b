"""Presigned tokens: a URL by which somebody without a key gives one feedback.

The secret is a UUID derived from the row by HMAC with SECRET_KEY, so that a listing can show
the URL again while the database holds only its SHA-256: a dump gives nobody a usable token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from observatory.feedback import scales
from observatory.feedback.judgement import FeedbackInput, InvalidFeedback
from observatory.feedback.models import Feedback, PresignedToken
from observatory.feedback.record import record
from observatory.workspaces.models import Workspace

LIVES = timedelta(hours=3)
MAX_LIFE = timedelta(days=365)
MAX_USES = 100
MAX_AT_ONCE = 1_000


class UnknownToken(Exception):
    """No such token, or it expired, was revoked or used up: the caller cannot tell which."""


@dataclass(frozen=True, kw_only=True)
class TokenInput:
    """What a token is for. `expires_at` None: LIVES from now."""

    run_id: UUID
    key: str
    id: UUID | None = None
    config: dict[str, Any] | None = None
    expires_at: datetime | None = None


def _digest(secret: UUID) -> bytes:
    return hashlib.sha256(secret.bytes).digest()


def _derive(workspace: Workspace, uuid: UUID, key: str) -> UUID:
    """Return the secret of a token's id. The workspace is part of it, for ids are client-chosen."""
    seed = b"presigned-token\x00" + workspace.uuid.bytes + uuid.bytes
    return UUID(bytes=hmac.digest(key.encode(), seed, "sha256")[:16], version=4)


def secret_of(workspace: Workspace, token: PresignedToken) -> UUID | None:
    """Return the secret of `token`, or None if SECRET_KEY changed and the old one is not kept."""
    for key in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]:
        secret = _derive(workspace, token.uuid, key)
        if hmac.compare_digest(_digest(secret), bytes(token.digest)):
            return secret
    return None


@transaction.atomic
def mint(
    workspace: Workspace, wanted: Sequence[TokenInput], *, now: datetime
) -> list[PresignedToken]:
    """Create tokens, in the order asked for. Raises InvalidFeedback.

    An id sent again for the same run and key is the same token with the new expiry; for another
    it is refused, as is the id of a revoked token and an expiry more than MAX_LIFE ahead.
    """
    if len(wanted) > MAX_AT_ONCE:
        raise InvalidFeedback("tokens", f"more than {MAX_AT_ONCE} at once")
    known = {
        token.uuid: token
        for token in PresignedToken.objects.select_for_update().filter(
            workspace=workspace, uuid__in=[w.id for w in wanted if w.id]
        )
    }
    said = {
        feedback.uuid: (feedback.run_id, feedback.key)
        for feedback in Feedback.objects.filter(
            workspace=workspace, uuid__in=[w.id for w in wanted if w.id and w.id not in known]
        )
    }
    fresh: dict[UUID, PresignedToken] = {}
    minted: list[PresignedToken] = []
    for want in wanted:
        expires_at = want.expires_at or now + LIVES
        if expires_at - now > MAX_LIFE:
            raise InvalidFeedback("expires_at", f"more than {MAX_LIFE.days} days ahead")
        uuid = want.id or uuid4()
        token = known.get(uuid) or fresh.get(uuid)
        if said.get(uuid, (want.run_id, want.key)) != (want.run_id, want.key):
            raise InvalidFeedback("id", "is the id of other feedback")
        if token is None:
            token = PresignedToken(
                workspace=workspace,
                uuid=uuid,
                feedback_uuid=uuid,  # the SDK's `feedback_id`: the id of the feedback to create
                digest=_digest(_derive(workspace, uuid, settings.SECRET_KEY)),
                run_id=want.run_id,
                key=want.key,
                created_at=now,
            )
            fresh[uuid] = token
        elif (token.run_id, token.key) != (want.run_id, want.key) or token.revoked_at:
            raise InvalidFeedback("id", "is the id of another token")
        token.config, token.expires_at = want.config, expires_at
        minted.append(token)
    try:
        with transaction.atomic():
            PresignedToken.objects.bulk_create(fresh.values())
    except IntegrityError:
        raise InvalidFeedback("id", "is being created by another request") from None
    PresignedToken.objects.bulk_update(known.values(), ["config", "expires_at"])
    return minted


def redeem(secret: UUID, given: Mapping[str, Any], *, now: datetime) -> Feedback:
    """Write the feedback of a token; what was given before and is not given now stays.

    `given` holds any of score, value, comment, correction and source_metadata, cleaned. Raises
    UnknownToken, and InvalidFeedback when nothing is given or it is off the token's scale.
    """
    with transaction.atomic():
        token = (
            PresignedToken.objects.select_related("workspace")
            .select_for_update(of=("self",), no_key=True)
            .filter(digest=_digest(secret), revoked_at=None, expires_at__gt=now)
            .filter(n_uses__lt=MAX_USES)
            .first()
        )
        if token is None:
            raise UnknownToken
        parts = {name: part for name, part in given.items() if part is not None}
        if not parts.keys() - {"source_metadata"}:
            raise InvalidFeedback("score", "give a score, value, comment or correction")
        before = Feedback.objects.filter(
            workspace=token.workspace, uuid=token.feedback_uuid
        ).values(*_PARTS)
        merged = {**(before.first() or {}), **parts}
        _check_scale(token, merged)
        PresignedToken.objects.filter(pk=token.pk).update(n_uses=F("n_uses") + 1)
        sent = FeedbackInput(
            id=token.feedback_uuid,
            run_id=token.run_id,
            key=token.key,
            config=token.config,
            **merged,
        )
        return record(token.workspace, sent, now=now)


_PARTS = ("score", "value", "comment", "correction", "source_metadata")


def _check_scale(token: PresignedToken, parts: Mapping[str, Any]) -> None:
    """Refuse what is off the scale the token was made for: the public is held to it."""
    if token.config is None:
        return
    complaint = scales.complaint(token.config, parts.get("score"), parts.get("value"))
    if complaint is not None:
        field, _, reason = complaint.partition(": ")
        raise InvalidFeedback(field, reason)


def revoke(workspace: Workspace, uuid: UUID, now: datetime) -> bool:
    """Make a token useless from the next request on. Return False if there is none."""
    tokens = PresignedToken.objects.filter(workspace=workspace, uuid=uuid)
    return bool(tokens.filter(revoked_at=None).update(revoked_at=now)) or tokens.exists()
