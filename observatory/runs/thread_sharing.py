"""Sharing a thread: whoever holds the token reads the traces of one conversation."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from django.db.models import QuerySet

from observatory.runs import search
from observatory.runs.filters.grammar import Term
from observatory.runs.models import Project, Run, ThreadShare
from observatory.runs.search import RunQuery, RunRow
from observatory.runs.sharing import MAX_SHARED


def share(project: Project, thread_id: str) -> ThreadShare | None:
    """Share the thread and return the share, the same one again when it is shared already.

    None when the project has no trace of this thread.
    """
    if not _roots(project, thread_id).exists():
        return None
    found, _ = ThreadShare.objects.get_or_create(
        project=project, thread_id=thread_id, defaults={"token": uuid4()}
    )
    return found


def unshare(project: Project, thread_id: str) -> None:
    """Make the thread's token worthless, if it has one."""
    ThreadShare.objects.filter(project=project, thread_id=thread_id).delete()


def of_thread(project: Project, thread_id: str) -> ThreadShare | None:
    """Return the share of a thread, None when it is not shared."""
    return ThreadShare.objects.filter(project=project, thread_id=thread_id).first()


def shared(token: UUID) -> ThreadShare | None:
    """Return what `token` opens, None when it opens no thread."""
    found = ThreadShare.objects.select_related("project__workspace").filter(token=token)
    return found.first()


def run_ids(found: ThreadShare) -> list[UUID]:
    """Return the ids of all runs of the thread's traces, oldest first, at most MAX_SHARED.

    Raises search.TooSlow.
    """
    wanted = RunQuery(
        projects=[found.project.uuid], filter=_in_thread(found), order="asc", limit=MAX_SHARED
    )
    return search.ids_of(found.project.workspace, wanted)


def roots(found: ThreadShare, window: slice) -> tuple[list[RunRow], int]:
    """Return the roots of the thread, oldest first, those of `window`, and how many there are."""
    every = _roots(found.project, found.thread_id).exclude(start_time=None)
    ids = list(every.order_by("start_time", "id").values_list("id", flat=True)[window])
    rows = search.by_ids(found.project.workspace, ids, payloads=("inputs", "outputs"))
    return [rows[run_id] for run_id in ids if run_id in rows], every.count()


def trace(found: ThreadShare, trace_id: UUID, most: int) -> tuple[list[RunRow], int]:
    """Return the first `most` runs of one of its traces, without payloads, and how many it has."""
    every = Run.objects.filter(workspace=found.project.workspace_id, trace_id=trace_id)
    ids = list(
        every.order_by("dotted_order", "start_time", "id").values_list("id", flat=True)[:most]
    )
    rows = search.by_ids(found.project.workspace, ids, payloads=())
    return [rows[run_id] for run_id in ids if run_id in rows], every.count()


def read(found: ThreadShare, run_id: UUID) -> RunRow | None:
    """Return one run of the thread's traces as stored, None for any other."""
    wanted = RunQuery(
        projects=[found.project.uuid],
        ids=[run_id],
        is_narrowed=True,
        filter=_in_thread(found),
        limit=1,
    )
    return next(iter(search.query(found.project.workspace, wanted).runs), None)


def as_shared(row: RunRow) -> RunRow:
    """Return `row` as a visitor may see it: the project is not told."""
    return replace(row, project=None, project_id=None, project_name=None)


def _in_thread(found: ThreadShare) -> Term:
    roots = _roots(found.project, found.thread_id).values_list("id", flat=True)
    return Term("in", "trace_id", tuple(str(root) for root in roots[:MAX_SHARED]))


def _roots(project: Project, thread_id: str) -> QuerySet[Run]:
    return Run.objects.filter(
        project=project,
        workspace=project.workspace_id,
        thread_id=thread_id,
        parent_run_id=None,
    )
