"""Share a thread: the token opens the traces of one conversation."""

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
    """Share the thread and return the share; an existing one is returned again.

    None when the project has no trace of this thread.
    """
    if not _roots(project, thread_id).exists():
        return None
    thread_share, _ = ThreadShare.objects.get_or_create(
        project=project, thread_id=thread_id, defaults={"token": uuid4()}
    )
    return thread_share


def unshare(project: Project, thread_id: str) -> None:
    """Delete the thread's share, if it has one."""
    ThreadShare.objects.filter(project=project, thread_id=thread_id).delete()


def of_thread(project: Project, thread_id: str) -> ThreadShare | None:
    """Return the share of a thread, None when it is not shared."""
    return ThreadShare.objects.filter(project=project, thread_id=thread_id).first()


def shared(token: UUID) -> ThreadShare | None:
    """Return the thread's share with `token`, None for an unknown one."""
    shares = ThreadShare.objects.select_related("project__workspace").filter(token=token)
    return shares.first()


def run_ids(thread_share: ThreadShare) -> list[UUID]:
    """Return the ids of all runs of the thread's traces, oldest first, at most MAX_SHARED.

    Raises search.TooSlow.
    """
    run_query = RunQuery(
        projects=[thread_share.project.uuid],
        filter=_in_thread(thread_share),
        order="asc",
        limit=MAX_SHARED,
    )
    return search.ids_of(thread_share.project.workspace, run_query)


def roots(thread_share: ThreadShare, window: slice) -> tuple[list[RunRow], int]:
    """Return the thread's roots in `window`, oldest first, and their total number."""
    every = _roots(thread_share.project, thread_share.thread_id).exclude(start_time=None)
    ids = list(every.order_by("start_time", "id").values_list("id", flat=True)[window])
    rows = search.by_ids(thread_share.project.workspace, ids, payloads=("inputs", "outputs"))
    return [rows[run_id] for run_id in ids if run_id in rows], every.count()


def trace(thread_share: ThreadShare, trace_id: UUID, most: int) -> tuple[list[RunRow], int]:
    """Return the first `most` runs of one of its traces, without payloads, and the total number."""
    every = Run.objects.filter(workspace=thread_share.project.workspace_id, trace_id=trace_id)
    ids = list(
        every.order_by("dotted_order", "start_time", "id").values_list("id", flat=True)[:most]
    )
    rows = search.by_ids(thread_share.project.workspace, ids, payloads=())
    return [rows[run_id] for run_id in ids if run_id in rows], every.count()


def read(thread_share: ThreadShare, run_id: UUID) -> RunRow | None:
    """Return one run of the thread's traces as stored, None for any other."""
    run_query = RunQuery(
        projects=[thread_share.project.uuid],
        ids=[run_id],
        is_narrowed=True,
        filter=_in_thread(thread_share),
        limit=1,
    )
    return next(iter(search.query(thread_share.project.workspace, run_query).runs), None)


def as_shared(row: RunRow) -> RunRow:
    """Return `row` as a visitor may see it: without the project."""
    return replace(row, project=None, project_id=None, project_name=None)


def _in_thread(thread_share: ThreadShare) -> Term:
    roots = _roots(thread_share.project, thread_share.thread_id).values_list("id", flat=True)
    return Term("in", "trace_id", tuple(str(root) for root in roots[:MAX_SHARED]))


def _roots(project: Project, thread_id: str) -> QuerySet[Run]:
    return Run.objects.filter(
        project=project,
        workspace=project.workspace_id,
        thread_id=thread_id,
        parent_run_id=None,
    )
