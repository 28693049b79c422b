"""Projects by name, made on first use."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.db import connection

from observatory import prepared
from observatory.workspaces.models import Workspace

DEFAULT = "default"
MAX_NAME_LENGTH = 512


def resolve(workspace: Workspace, names: set[str]) -> dict[str, int]:
    """Return the project id of each name, making the projects that do not exist yet.

    Call it in a transaction: the projects cannot be deleted until its end (FOR KEY SHARE).
    Names are at most 512 characters, without NUL.
    """
    found = _ids_of(workspace, names)
    missing = sorted(names - found.keys())
    if missing:
        with connection.cursor() as cursor:
            # Sorted, so that two batches that name the same new projects do not deadlock.
            cursor.execute(
                "INSERT INTO runs_project (workspace_id, uuid, name, extra)"
                " SELECT %s, u, n, '{}' FROM unnest(%s::uuid[], %s::text[]) AS new(u, n)"
                " ORDER BY n ON CONFLICT (workspace_id, name) DO NOTHING",
                [workspace.pk, [uuid4() for _ in missing], missing],
            )
        found |= _ids_of(workspace, set(missing))
    return found


def _ids_of(workspace: Workspace, names: set[str]) -> dict[str, int]:
    if not names:
        return {}
    with prepared.cursor() as cursor:
        cursor.execute(
            "SELECT name, id FROM runs_project WHERE workspace_id = %s AND name = ANY(%s)"
            " ORDER BY id FOR KEY SHARE",
            [workspace.pk, list(names)],
        )
        return dict(cursor.fetchall())


def by_uuid(workspace: Workspace, uuids: set[UUID]) -> dict[UUID, int]:
    """Return the project id of each known uuid of `workspace`; unknown ones are left out.

    Like `resolve`, it keeps the projects from being deleted until the transaction ends.
    """
    if not uuids:
        return {}
    with prepared.cursor() as cursor:
        cursor.execute(
            "SELECT uuid, id FROM runs_project WHERE workspace_id = %s AND uuid = ANY(%s::uuid[])"
            " ORDER BY id FOR KEY SHARE",
            [workspace.pk, prepared.uuid_array(uuids)],
        )
        return dict(cursor.fetchall())
