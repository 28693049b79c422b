"""Pages that need no account: a run or a dataset that was shared, by the token in the address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from datasets_app import overview
from datasets_app import sharing as dataset_sharing
from observatory.feedback.summary import feedback_stats
from observatory.runs import listing, sharing, spending, tree
from observatory.runs.models import RunShare
from observatory.runs.search import RunQuery, RunRow, query
from observatory.web import rendering, shapes
from observatory.web.http import WebRequest, public, require
from observatory.web.runs import run_or_404
from observatory.workspaces.roles import Permission

EXAMPLES = 25


def _answer(request: HttpRequest, page: str, context: dict[str, Any]) -> HttpResponse:
    """Answer with a page that no cache keeps and no search engine lists: sharing may end."""
    response = render(request, page, context)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


@require_GET
@public
def shared_run(request: HttpRequest, token: UUID, run_id: UUID | None = None) -> HttpResponse:
    """Show a shared run, or one below it, beside the tree of what is shared."""
    found = sharing.shared(token)
    row = None if found is None else sharing.read(found, run_id)
    if found is None or row is None:
        raise Http404("nothing is shared here")
    run = spending.summed(found.workspace_id, [row])[0]
    inputs, outputs = shapes.load(run.inputs), shapes.load(run.outputs)
    context = {
        "token": token,
        "run": run,
        "branches": _tree(found),
        "turns": shapes.conversation(inputs, outputs),
        "parts": [
            (title, rendering.payload(text) if text is not None else None)
            for title, text in (("Inputs", run.inputs), ("Outputs", run.outputs))
        ],
        "stats": feedback_stats(found.workspace_id, [run.id]).get(run.id, {}),
    }
    return _answer(request, "public/run.html", context)


def _tree(found: RunShare) -> list[tree.Branch[RunRow]]:
    """Return what is shared as rows of a tree, at most listing.TRACE_ROWS."""
    ids = sharing.run_ids(found)[: listing.TRACE_ROWS]
    page = query(found.workspace, RunQuery(ids=ids, limit=len(ids) or 1, payloads=()))
    return list(tree.flatten(tree.assemble(sharing.as_root(found, row) for row in page.runs)))


@require_GET
@public
def shared_dataset(request: HttpRequest, token: UUID) -> HttpResponse:
    """Show the examples of a shared dataset, as they are now."""
    found = dataset_sharing.shared(token)
    if found is None:
        raise Http404("nothing is shared here")
    page = Paginator(overview.current_examples(found.dataset), per_page=EXAMPLES).get_page(
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
    context = {"token": token, "dataset": found.dataset, "page": page, "rows": rows}
    return _answer(request, "public/dataset.html", context)


@require_POST
@require(Permission.MANAGE_QUEUES)
def run_share(request: WebRequest, run_id: UUID) -> HttpResponse:
    """Share a run by link, or end it: whoever had the link finds nothing from then on."""
    run = run_or_404(request, run_id)
    if request.POST.get("action") == "end":
        sharing.unshare(request.workspace, run.id)
        messages.success(request, "Not shared any more. The link leads nowhere from now on.")
    else:
        sharing.share(request.workspace, run.id)
        messages.success(request, "Shared. Whoever has the link reads this run and those below it.")
    return redirect("run-detail", request.workspace.slug, run.id)
