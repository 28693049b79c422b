"""Share a run: the token opens the run and the runs below it, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction

from observatory.runs import search
from observatory.runs.models import Run, RunShare
from observatory.runs.search import PAYLOADS, Page, RunQuery, RunRow
from observatory.workspaces.models import Workspace

RANDOM_VERSIONS: Final = (4, 7)
MAX_SHARED: Final = 50_000
"""Runs of a shared tree that are shown; a trace beyond it is cut in the order of execution."""


class GuessableToken(ValueError):
    """The client's token is not a random UUID, so it could be guessed."""


def share(workspace: Workspace, run_id: UUID, *, token: UUID | None = None) -> RunShare | None:
    """Share the run under the client's `token` (a new one if None) and return the share.

    A run that is shared already keeps its token, so that a repeated request returns the same link.
    A token that is taken is replaced by a new one: the response does not reveal whether another
    workspace uses it. None when this workspace has no such run. Raises GuessableToken unless
    `token` is a UUID of version 4 or 7.
    """
    if token is not None and token.version not in RANDOM_VERSIONS:
        raise GuessableToken("share_token: must be a random UUID (version 4 or 7)")
    if not Run.objects.filter(workspace=workspace, id=run_id).exists():
        return None
    for candidate in (token or uuid4(), uuid4()):
        try:
            with transaction.atomic():
                run_share, _ = RunShare.objects.get_or_create(
                    workspace=workspace, run_id=run_id, defaults={"token": candidate}
                )
        except IntegrityError:
            continue  # the token is taken
        return run_share
    raise AssertionError("unreachable: two random tokens were taken")


def unshare(workspace: Workspace, run_id: UUID) -> bool:
    """Delete the run's share; return whether it had one."""
    n_deleted, _ = RunShare.objects.filter(workspace=workspace, run_id=run_id).delete()
    return n_deleted > 0


def of_run(workspace: Workspace, run_id: UUID) -> RunShare | None:
    """Return the share of a run, None when it is not shared."""
    return RunShare.objects.filter(workspace=workspace, run_id=run_id).first()


def tokens_of(workspace: Workspace, run_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the token of each of `run_ids` that is shared, in one query."""
    shares = RunShare.objects.filter(workspace=workspace, run_id__in=run_ids)
    return dict(shares.values_list("run_id", "token"))


def shared(token: UUID) -> RunShare | None:
    """Return the share with `token`, None for an unknown one."""
    return RunShare.objects.select_related("workspace").filter(token=token).first()


# Below a run: by parent ids, or by dotted_order where a parent has not arrived.
_BELOW = """
WITH RECURSIVE top AS (
    SELECT id, trace_id FROM runs_run WHERE workspace_id = %(workspace)s AND id = %(run)s
), below AS (
    SELECT id FROM top
    UNION
    SELECT r.id FROM below, top, runs_run r
    WHERE r.workspace_id = %(workspace)s AND r.trace_id = top.trace_id
        AND r.parent_run_id = below.id AND top.trace_id <> top.id
)
SELECT r.id FROM top, runs_run r
WHERE r.workspace_id = %(workspace)s AND r.trace_id = top.trace_id
    AND (top.trace_id = top.id OR r.id IN (SELECT id FROM below)
         OR strpos(r.dotted_order, %(run)s::text) > 0)
ORDER BY r.dotted_order, r.start_time, r.id LIMIT %(most)s
"""


def run_ids(run_share: RunShare) -> list[UUID]:
    """Return the ids that a share opens: its run and the runs below it, in order of execution."""
    with connection.cursor() as cursor:
        cursor.execute(
            _BELOW,
            {"workspace": run_share.workspace_id, "run": run_share.run_id, "most": MAX_SHARED},
        )
        return [row[0] for row in cursor.fetchall()]


def read(run_share: RunShare, run_id: UUID | None = None) -> RunRow | None:
    """Return the shared run, or one below it, as stored (see `as_root`); None for any other."""
    opened_id = run_share.run_id if run_id is None else run_id
    if opened_id != run_share.run_id and opened_id not in run_ids(run_share):
        return None
    return search.get(run_share.workspace, opened_id)


def query(
    run_share: RunShare,
    *,
    ids: Sequence[UUID] | None = None,
    limit: int = search.MAX_LIMIT,
    cursor: str | None = None,
    payloads: Sequence[str] = PAYLOADS,
) -> Page:
    """Return a page of the runs that `run_share` opens, as stored, oldest first; `ids` limits it.

    Raises search.BadCursor and search.TooSlow.
    """
    return search.query(
        run_share.workspace,
        RunQuery(
            ids=_visible(run_share, ids), order="asc", limit=limit, cursor=cursor, payloads=payloads
        ),
    )


def ordered_ids(run_share: RunShare, ids: Sequence[UUID] | None = None) -> list[UUID]:
    """Return the ids of all runs that `run_share` opens, oldest first; `ids` limits them.

    Raises search.TooSlow.
    """
    run_query = RunQuery(ids=_visible(run_share, ids), order="asc")
    return search.ids_of(run_share.workspace, run_query)


def _visible(run_share: RunShare, ids: Sequence[UUID] | None) -> list[UUID]:
    visible = run_ids(run_share)
    if ids is None:
        return visible
    requested = set(ids)
    return [run_id for run_id in visible if run_id in requested]


def as_root(run_share: RunShare, row: RunRow) -> RunRow:
    """Return `row` as a visitor may see it: part of a tree that begins at the shared run.

    The project and everything above that run are left out. Look up what is stored elsewhere
    (feedback, children) with the row as stored.
    """
    order, mark = row.dotted_order, str(run_share.run_id)
    if order is not None and (at := order.find(mark)) > 0:
        order = order[order.rfind(".", 0, at) + 1 :]
    return replace(
        row,
        trace_id=run_share.run_id,
        parent_run_id=None if row.id == run_share.run_id else row.parent_run_id,
        dotted_order=order,
        project=None,
        project_id=None,
        project_name=None,
    )
