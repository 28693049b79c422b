"""Presigned tokens: a URL by which a client without a key gives one feedback.

The secret is a UUID derived from the row by HMAC with SECRET_KEY, so that a listing can show
the URL again while the database holds only its SHA-256: a dump contains no usable token.

The id of a token can be redeemed as its URL can, as the SDK's authors do. A token whose maker chose
no id is known by its secret. A chosen id is stored as it is and is also that of the first feedback
given with the token, so public answers show other ids (api.feedback.shown_publicly).
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
from django.db.models import F, Q

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


def id_of(workspace: Workspace, token: PresignedToken) -> UUID:
    """Return the id that a token is known by: the one its maker chose, else its secret."""
    if names_its_feedback(token):
        return token.uuid
    return secret_of(workspace, token) or token.uuid


def names_its_feedback(token: PresignedToken) -> bool:
    """Return whether the token's maker chose its id, which is that of its first feedback."""
    return token.uuid == token.feedback_uuid


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
                # The SDK's `feedback_id`: the id of the first feedback to create.
                feedback_uuid=want.id or uuid4(),
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


def redeem(
    secret: UUID, given: Mapping[str, Any], *, now: datetime, feedback_id: UUID | None = None
) -> Feedback:
    """Write feedback with a token, given its secret or its id.

    Each redemption is feedback of its own: the first under the id that the token's maker chose,
    if one was. With `feedback_id` it is written under that id, and of feedback that is there what
    is not given now stays. `given` holds any of score, value, comment, correction and
    source_metadata, cleaned. Raises UnknownToken, and InvalidFeedback when nothing is given, it
    is off the token's scale, or `feedback_id` is not that of feedback which this run and key got
    by a token.
    """
    with transaction.atomic():
        token = _live(secret, now)
        parts = {name: part for name, part in given.items() if part is not None}
        if not parts.keys() - {"source_metadata"}:
            raise InvalidFeedback("score", "give a score, value, comment or correction")
        uuid = feedback_id or _next_id(token)
        merged = {**_before(token, uuid), **parts}
        _check_scale(token, merged)
        PresignedToken.objects.filter(pk=token.pk).update(n_uses=F("n_uses") + 1)
        sent = FeedbackInput(
            id=uuid,
            run_id=token.run_id,
            key=token.key,
            config=token.config,
            **merged,
        )
        return record(token.workspace, sent, now=now)


def _live(secret: UUID, now: datetime) -> PresignedToken:
    """Return the token of a secret or an id, locked. Raises UnknownToken.

    An id that two workspaces chose names neither.
    """
    live = (
        PresignedToken.objects.select_related("workspace")
        .select_for_update(of=("self",), no_key=True)
        .filter(revoked_at=None, expires_at__gt=now, n_uses__lt=MAX_USES)
    )
    found = list(live.filter(digest=_digest(secret))) or list(
        live.filter(uuid=secret, feedback_uuid=secret)[:2]
    )
    if len(found) != 1:
        raise UnknownToken
    return found[0]


def _next_id(token: PresignedToken) -> UUID:
    """Return the id of the next feedback of a token: the chosen one for the first."""
    if not names_its_feedback(token):
        return uuid4()
    taken = Feedback.objects.filter(workspace=token.workspace, uuid=token.feedback_uuid)
    return uuid4() if taken.exists() else token.feedback_uuid


def _before(token: PresignedToken, uuid: UUID) -> dict[str, Any]:
    """Return the parts of the feedback that is to be written again; none if it is new."""
    before = Feedback.objects.filter(workspace=token.workspace, uuid=uuid).first()
    if before is None:
        return {}
    is_of_a_token = before.api_key_id is None and before.user_id is None
    if not is_of_a_token or (before.run_id, before.key) != (token.run_id, token.key):
        raise InvalidFeedback("id", "is the id of other feedback")
    return {name: getattr(before, name) for name in _PARTS}


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
    """Make the token of this id useless from the next request on. Return False if there is none."""
    tokens = PresignedToken.objects.filter(workspace=workspace).filter(
        Q(uuid=uuid) | Q(digest=_digest(uuid))
    )
    return bool(tokens.filter(revoked_at=None).update(revoked_at=now)) or tokens.exists()
