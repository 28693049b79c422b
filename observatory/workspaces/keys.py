"""API keys: mint, find, revoke. The secret is shown once; only its SHA-256 digest is stored.

A key is 256 random bits, so a plain digest is enough: it cannot be guessed.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from observatory.db import prepared
from observatory.workspaces.models import ApiKey, User, Workspace

PREFIX = "obs_"
LAST_USED_EVERY = timedelta(minutes=1)


_KEY_FIELDS = [field.attname for field in ApiKey._meta.concrete_fields]
_WORKSPACE_FIELDS = [field.attname for field in Workspace._meta.concrete_fields]
# Plain SQL: every API request runs this, and the ORM takes longer to build it than
# PostgreSQL to run it.
_FIND = (
    f"SELECT {', '.join(f'k.{field.column}' for field in ApiKey._meta.concrete_fields)}, "
    + ", ".join(f"w.{field.column}" for field in Workspace._meta.concrete_fields)
    + " FROM workspaces_apikey k JOIN workspaces_workspace w ON w.id = k.workspace_id"
    " WHERE k.digest = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %s)"
)


def digest_of(token: str) -> bytes:
    """Return the 32 bytes that are stored in place of `token`."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def mint(
    workspace: Workspace,
    name: str,
    *,
    created_by: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key of `workspace` and return it with its secret, which cannot be read again.

    The secret is `obs_`, 43 random characters and 8 hex digits of CRC-32 over them, by which secret
    scanners recognise it.
    """
    body = secrets.token_urlsafe(32)
    token = f"{PREFIX}{body}_{zlib.crc32(body.encode()):08x}"
    key = ApiKey.objects.create(
        workspace=workspace,
        name=name,
        prefix=token[:10],
        digest=digest_of(token),
        created_by=created_by,
        expires_at=expires_at,
    )
    return key, token


def find(token: str, now: datetime) -> ApiKey | None:
    """Return the live key of `token` with its workspace, or None: unknown, revoked or expired.

    Nothing is cached, so a revoked key fails on the next request. The time of use is written at
    most once per minute.
    """
    if not token:
        return None
    with prepared.cursor() as cursor:
        cursor.execute(_FIND, [digest_of(token), now])
        row = cursor.fetchone()
    key = None
    if row is not None:
        key = ApiKey.from_db("default", _KEY_FIELDS, row[: len(_KEY_FIELDS)])
        key.workspace = Workspace.from_db("default", _WORKSPACE_FIELDS, row[len(_KEY_FIELDS) :])
    if key is not None and (key.last_used_at is None or now - key.last_used_at >= LAST_USED_EVERY):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def is_live(uuid: UUID, workspace_id: int, now: datetime) -> bool:
    """Return whether the workspace has a key of this id that is neither revoked nor expired."""
    key = ApiKey.objects.filter(uuid=uuid, workspace_id=workspace_id, revoked_at=None)
    return key.filter(Q(expires_at=None) | Q(expires_at__gt=now)).exists()


def revoke(key: ApiKey, now: datetime) -> None:
    """Revoke `key` from the next request on. Revoking twice changes nothing."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
