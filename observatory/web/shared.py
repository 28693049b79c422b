"""Pages that need no account: a shared run, thread or dataset, by its token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from datasets_app import overview
from datasets_app import sharing as dataset_sharing
from observatory.feedback.summary import feedback_stats
from observatory.runs import listing, sharing, spending, thread_sharing, tree
from observatory.runs.search import RunQuery, RunRow, query
from observatory.web import rendering, shapes
from observatory.web.http import WebRequest, public, require
from observatory.web.runs import run_or_404
from observatory.workspaces.models import Workspace
from observatory.workspaces.roles import Permission

EXAMPLES = 25
TURNS = 25


def _answer(request: HttpRequest, page: str, context: dict[str, Any]) -> HttpResponse:
    """Respond with a page that is neither cached nor indexed: sharing may end."""
    response = render(request, page, context)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


@require_GET
@public
def shared_run(request: HttpRequest, token: UUID, run_id: UUID | None = None) -> HttpResponse:
    """Show a shared run, or one below it, with the tree of shared runs.

    A token of a thread redirects to the thread.
    """
    share = sharing.shared(token)
    if share is None and run_id is None and thread_sharing.shared(token) is not None:
        return redirect("shared-thread-page", token)
    row = None if share is None else sharing.read(share, run_id)
    if share is None or row is None:
        raise Http404("nothing is shared here")
    ids, number = sharing.run_ids(share), _page(request)
    known = ids[: number * listing.TRACE_ROWS]
    shown = query(share.workspace, RunQuery(ids=known, limit=len(known) or 1, payloads=()))
    rows = [sharing.as_root(share, run) for run in shown.runs]

    def address(run_id_: UUID) -> str:
        if run_id_ == share.run_id:
            return reverse("shared-run-page", args=[token])
        return reverse("shared-run-below", args=[token, run_id_])

    context = {
        **_run(share.workspace, row),
        **_tree(rows, number, len(ids), address),
        "what": "Shared runs",
    }
    return _answer(request, "public/run.html", context)


def _page(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _run(workspace: Workspace, row: RunRow) -> dict[str, Any]:
    """Return the context of one run."""
    run = spending.with_subtree_usage(workspace.pk, [row])[0]
    stats = feedback_stats(workspace.pk, [run.id]).get(run.id, {})
    return {
        "run": run,
        "turns": shapes.conversation(shapes.load(run.inputs), shapes.load(run.outputs)),
        "parts": [
            (title, rendering.payload(text) if text is not None else None)
            for title, text in (("Inputs", run.inputs), ("Outputs", run.outputs))
        ],
        "stats": stats,
    }


def _tree(
    rows: list[RunRow], number: int, n_runs: int, address: Callable[[UUID], str]
) -> dict[str, Any]:
    """Return page `number` of a tree, listing.TRACE_ROWS per page; `rows` are those up to its end.

    A page is assembled with all pages before it, so that levels and parents are right.
    """
    size = listing.TRACE_ROWS
    first = (number - 1) * size
    branches = list(tree.flatten(tree.assemble(rows)))[first : first + size]
    return {
        "branches": [(branch, address(branch.run.id)) for branch in branches],
        "n_runs": n_runs,
        "first": first + 1,
        "last": first + len(branches),
        "page_number": number,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if first + size < n_runs else None,
    }


@require_GET
@public
def shared_thread(request: HttpRequest, token: UUID) -> HttpResponse:
    """Show the turns of a shared thread, oldest first, including later ones."""
    share = thread_sharing.shared(token)
    if share is None:
        raise Http404("nothing is shared here")
    number = _page(request)
    first = (number - 1) * TURNS
    rows, n_turns = thread_sharing.roots(share, slice(first, first + TURNS))
    whole = spending.with_subtree_usage(share.project.workspace_id, rows)
    turns = [
        {
            "number": position,
            "run": run,
            "messages": shapes.conversation(shapes.load(run.inputs), shapes.load(run.outputs)),
        }
        for position, run in enumerate(whole, first + 1)
    ]
    context = {
        "token": token,
        "thread_id": share.thread_id,
        "turns": turns,
        "n_turns": n_turns,
        "page_number": number,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if first + TURNS < n_turns else None,
    }
    return _answer(request, "public/thread.html", context)


@require_GET
@public
def shared_thread_run(request: HttpRequest, token: UUID, run_id: UUID) -> HttpResponse:
    """Show one run of a shared thread, with the runs of its trace."""
    share = thread_sharing.shared(token)
    row = None if share is None else thread_sharing.read(share, run_id)
    if share is None or row is None:
        raise Http404("nothing is shared here")
    number = _page(request)
    rows, n_runs = thread_sharing.trace(share, row.trace_id, number * listing.TRACE_ROWS)

    def address(run_id_: UUID) -> str:
        return reverse("shared-thread-run", args=[token, run_id_])

    context = {
        **_run(share.project.workspace, thread_sharing.as_shared(row)),
        **_tree([thread_sharing.as_shared(run) for run in rows], number, n_runs, address),
        "what": "Runs of this turn",
        "thread": share.thread_id,
        "thread_address": reverse("shared-thread-page", args=[token]),
    }
    return _answer(request, "public/run.html", context)


@require_GET
@public
def shared_dataset(request: HttpRequest, token: UUID) -> HttpResponse:
    """Show the current examples of a shared dataset."""
    dataset_share = dataset_sharing.shared(token)
    if dataset_share is None:
        raise Http404("nothing is shared here")
    page = Paginator(overview.current_examples(dataset_share.dataset), per_page=EXAMPLES).get_page(
        request.GET.get("page")
    )
    rows = [
        {
            "example": revision.example,
            "question": shapes.glance(revision.inputs, shapes.QUESTION_KEYS),
            "answer": shapes.glance(revision.outputs, shapes.ANSWER_KEYS),
            "inputs": rendering.payload(revision.inputs) if revision.inputs else None,
            "outputs": rendering.payload(revision.outputs) if revision.outputs else None,
        }
        for revision in page
    ]
    context = {"token": token, "dataset": dataset_share.dataset, "page": page, "rows": rows}
    return _answer(request, "public/dataset.html", context)


@require_POST
@require(Permission.MANAGE_QUEUES)
def run_share(request: WebRequest, run_id: UUID) -> HttpResponse:
    """Share a run by link, or delete its link."""
    run = run_or_404(request, run_id)
    if request.POST.get("action") == "end":
        sharing.unshare(request.workspace, run.id)
        messages.success(request, "Not shared any more. The link no longer works.")
    else:
        sharing.share(request.workspace, run.id)
        words = "Shared. Anyone with the link can view this run and its child runs."
        messages.success(request, words)
    return redirect("run-detail", request.workspace.slug, run.id)
