"""Look up projects by name, creating them on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from django.db import connection

from observatory.db import prepared
from observatory.workspaces.models import Workspace

DEFAULT = "default"
EVALUATORS = "evaluators"
"""The project that the SDKs trace evaluators to."""
MAX_NAME_LENGTH = 512
MOST_REMEMBERED: Final = 10_000
STILL_THERE: Final = (
    "%s = (SELECT count(*) FROM (SELECT 1 FROM runs_project p"
    " WHERE p.workspace_id = change.workspace_id"
    " AND (p.id, p.name) IN (SELECT * FROM unnest(%s::bigint[], %s::text[]))"
    " FOR KEY SHARE OF p) there)"
)
"""For `changes.note`: whether all of these projects, remembered by name, are what they were.

Like `resolve` it keeps them from being deleted until the transaction ends. Its values are
`still_there`'s.
"""

_remembered: dict[tuple[int, str], int] = {}


class Moved(Exception):
    """A remembered project has been deleted or renamed: nothing may be stored in it."""


def recall(workspace: Workspace, names: Iterable[str]) -> dict[str, int]:
    """Return the project id of those of `names` that this process has resolved before.

    Other processes may have deleted or renamed them since. The caller checks STILL_THERE before the
    end of the transaction, and raises Moved if it is false.
    """
    key = workspace.pk
    return {
        name: project_id
        for name in names
        if (project_id := _remembered.get((key, name))) is not None
    }


def remember(workspace: Workspace, ids: Mapping[str, int]) -> None:
    """Remember the result of `resolve`, for `recall`."""
    if len(_remembered) + len(ids) > MOST_REMEMBERED:
        _remembered.clear()
    _remembered.update({(workspace.pk, name): project_id for name, project_id in ids.items()})


def forget(workspace: Workspace) -> None:
    """Forget all remembered projects of `workspace`."""
    for key in [key for key in list(_remembered) if key[0] == workspace.pk]:
        _remembered.pop(key, None)


def still_there(recalled: Mapping[str, int]) -> list[int | list[int] | list[str]]:
    """Return the parameters of STILL_THERE for the result of `recall`."""
    return [len(recalled), list(recalled.values()), list(recalled)]


def resolve(
    workspace: Workspace, names: set[str], *, starts: Mapping[str, datetime] | None = None
) -> dict[str, int]:
    """Return the project id of each name, creating the projects that do not exist yet.

    A new project starts now, or with its first run where `starts` has an earlier time. Call it in a
    transaction: the projects cannot be deleted until its end (FOR KEY SHARE). Names are at most 512
    characters, without NUL.
    """
    ids = _ids_of(workspace, names)
    missing = sorted(names - ids.keys())
    if missing:
        with connection.cursor() as cursor:
            # Sorted, so that two batches that name the same new projects do not deadlock.
            cursor.execute(
                "INSERT INTO runs_project (workspace_id, uuid, name, extra, start_time)"
                " SELECT %s, u, n, '{}', least(s, now())"
                " FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS new(u, n, s)"
                " ORDER BY n ON CONFLICT (workspace_id, name) DO NOTHING",
                [
                    *(workspace.pk, [uuid4() for _ in missing], missing),
                    [(starts or {}).get(name) for name in missing],
                ],
            )
        ids |= _ids_of(workspace, set(missing))
    return ids


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
