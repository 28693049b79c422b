"""Files of runs, served by signed URLs that expire with the access they were made for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.core import signing
from django.core.files.base import File
from django.core.files.storage import storages
from django.db import connection, transaction

from observatory.db import prepared
from observatory.db.columns import Columns
from observatory.runs.grants import Grant
from observatory.runs.models import Attachment
from observatory.workspaces.models import Workspace

SALT: Final = "observatory.runs.attachments"
URL_LIFETIME: Final = timedelta(minutes=10)
STORAGE: Final = "attachments"
INLINE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "text/plain"})


@dataclass(frozen=True)
class Saved:
    """A file in the storage whose row is not written yet."""

    run_id: UUID
    name: str
    mime_type: str
    path: str
    size: int
    sha256: bytes


class _Stream(File):  # type: ignore[type-arg]
    """A readable file over chunks of bytes, hashed on the way."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__(None, name="attachment")
        self._pieces = pieces
        self.digest = hashlib.sha256()
        self.n_bytes = 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        for piece in self._pieces:
            self.digest.update(piece)
            self.n_bytes += len(piece)
            yield piece


def save(run_id: UUID, name: str, mime_type: str, pieces: Iterable[bytes]) -> Saved:
    """Store a file of a run under a generated path. `record` writes its row."""
    stream = _Stream(pieces)
    uuid = uuid4().hex
    path = storages[STORAGE].save(f"{uuid[:2]}/{uuid}", stream)
    return Saved(run_id, name, mime_type, path, stream.n_bytes, stream.digest.digest())


def discard(saved: Iterable[Saved]) -> None:
    """Delete stored files whose rows will not be written."""
    for file in saved:
        storages[STORAGE].delete(file.path)


@contextmanager
def kept_on_success() -> Iterator[list[Saved]]:
    """Yield a list for saved files; they are deleted if the block raises."""
    saved: list[Saved] = []
    try:
        yield saved
    except BaseException:
        discard(saved)
        raise


def record(workspace: Workspace, saved: Sequence[Saved]) -> None:
    """Write the rows of saved files, in the caller's transaction.

    (run, name) is unique. Of two different files with one name the greater digest stays, so that
    repeated and reordered requests end alike. The other file is deleted after commit.
    """
    for file in sorted(saved, key=lambda file: (file.run_id, file.name)):
        with connection.cursor() as cursor:
            cursor.execute(
                _UPSERT,
                {
                    "workspace": workspace.pk,
                    "uuid": uuid4(),
                    "run": file.run_id,
                    "name": file.name,
                    "mime_type": file.mime_type,
                    "size": file.size,
                    "sha256": file.sha256,
                    "path": file.path,
                },
            )
            stays, before = cursor.fetchone()
        loser = before if stays == file.path else file.path
        if loser is not None:
            transaction.on_commit(_deletion(loser), robust=True)


def _deletion(path: str) -> Any:
    def delete() -> None:
        storages[STORAGE].delete(path)

    return delete


_UPSERT = """
WITH before AS (
    SELECT id, path FROM runs_attachment
    WHERE workspace_id = %(workspace)s AND run_id = %(run)s AND name = %(name)s FOR UPDATE
), written AS (
    INSERT INTO runs_attachment AS a
        (workspace_id, uuid, run_id, name, mime_type, size, sha256, path)
    VALUES (%(workspace)s, %(uuid)s, %(run)s, %(name)s, %(mime_type)s, %(size)s, %(sha256)s,
        %(path)s)
    ON CONFLICT (workspace_id, run_id, name) DO UPDATE SET
        (mime_type, size, sha256, path) = (SELECT w.* FROM (
            SELECT a.mime_type, a.size, a.sha256, a.path
            WHERE a.sha256 >= excluded.sha256
            UNION ALL SELECT excluded.mime_type, excluded.size, excluded.sha256, excluded.path
            WHERE a.sha256 < excluded.sha256) w)
    RETURNING path
)
SELECT written.path, before.path FROM written LEFT JOIN before ON true
"""


_ATTACHMENT = Columns(Attachment, "a")
_OF_RUNS = (
    f"SELECT {_ATTACHMENT.sql} FROM runs_attachment a"
    " WHERE a.workspace_id = %s AND a.run_id = ANY(%s::uuid[]) ORDER BY a.name"
)


def s3_urls(
    workspace_id: int, run_ids: Sequence[UUID], *, grant: Grant, base_url: str | None = None
) -> dict[UUID, dict[str, dict[str, str]]]:
    """Return run id -> {"attachment.<name>": {"presigned_url", "mime_type"}}.

    Runs without attachments are left out. `base_url` (scheme and host) makes the URLs absolute; the
    default is OBSERVATORY_PUBLIC_URL, and without that they are paths. They work as long as `grant`
    does.
    """
    urls: dict[UUID, dict[str, dict[str, str]]] = {}
    base = (settings.PUBLIC_URL if base_url is None else base_url).rstrip("/")
    with prepared.cursor() as cursor:  # runs on every page of runs, and attachments are rare
        cursor.execute(_OF_RUNS, [workspace_id, prepared.uuid_array(run_ids)])
        attachments = [_ATTACHMENT.instance(_ATTACHMENT.take(list(row))) for row in cursor]
    for attachment in attachments:
        urls.setdefault(attachment.run_id, {})[f"attachment.{attachment.name}"] = {
            "presigned_url": f"{base}/api/attachments/{sign(attachment, grant)}",
            "mime_type": attachment.mime_type,
        }
    return urls


def sign(attachment: Attachment, grant: Grant) -> str:
    """Return the token that opens `attachment` for URL_LIFETIME, as long as `grant` is valid."""
    return signing.dumps([attachment.uuid.hex, str(grant)], salt=SALT)


def opened(token: str) -> Attachment | None:
    """Return the attachment that `token` opens.

    None when the token is forged or expired, the file is gone, or the grant has been revoked.
    """
    try:
        uuid, grant = signing.loads(token, salt=SALT, max_age=URL_LIFETIME)
    except (signing.BadSignature, ValueError):
        return None
    attachment = Attachment.objects.filter(uuid=UUID(uuid)).first()
    if attachment is None or not Grant.parse(grant).is_open(attachment.workspace_id):
        return None
    return attachment


def content(attachment: Attachment) -> File[bytes]:
    """Open the file of `attachment` for reading. Raises FileNotFoundError."""
    return storages[STORAGE].open(attachment.path)
