"""Runs: the list of a project, and one trace with its tree, payloads and feedback."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import access, blindness, item_subjects, queue_items
from annotations.routing.presets import PRESETS
from observatory.feedback.models import Feedback
from observatory.feedback.summary import feedback_stats
from observatory.runs import listing, search, sharing, spending
from observatory.runs.filters.grammar import FilterError, Node, parse
from observatory.runs.models import Project, Run
from observatory.web import payloads, shapes
from observatory.web.first_steps import first_steps
from observatory.web.http import WebRequest, can, privately, render_page, require
from observatory.workspaces.roles import Permission

TABS = [
    ("conversation", "Conversation"),
    ("io", "Inputs and outputs"),
    ("metadata", "Metadata"),
    ("feedback", "Feedback"),
    ("raw", "Raw"),
]
QUICK = [  # each chip has the filter of the rule preset of the same name
    ("Errors", "circle-x", PRESETS["errors"].filter),
    ("Slow, over 10 s", "timer", "gt(latency, 10)"),
    ("Negative feedback", "thumbs-down", PRESETS["negative-feedback"].filter),
    ("Low confidence", "gauge", PRESETS["low-confidence"].filter),
]
CHIPS = 2


@require_GET
@require(Permission.VIEW)
def run_list(request: WebRequest, project_uuid: UUID) -> HttpResponse:
    """List the runs of a project, newest first, narrowed by the filter language."""
    project = Project.objects.filter(workspace=request.workspace, uuid=project_uuid).first()
    if project is None:
        raise Http404("no such project")
    text = request.GET.get("filter", "").strip()
    shows_all = request.GET.get("all") == "1"
    node, problem = _parsed(text)
    rows: list[dict[str, Any]] = []
    cursor, searched_to, is_slow = None, None, False
    if problem is None:
        run_query = search.RunQuery(
            projects=[project.uuid],
            is_root=None if shows_all else True,
            filter=node,
            limit=listing.PAGE,
            cursor=request.GET.get("cursor") or None,
            payloads=("inputs", "outputs"),
            timeout_s=settings.PAGE_TIMEOUT_S,
        )
        try:
            page = search.query(request.workspace, run_query)
        except search.BadCursor:
            raise Http404("no such page") from None
        except search.TooSlow:
            is_slow = True
        else:
            cursor, rows = page.next_cursor, _rows(request, page.runs)
            searched_to = page.searched_to
    query = {"filter": text, "all": "1" if shows_all else ""}
    context = {
        "workspace": request.workspace,
        "project": project,
        "filter_text": text,
        "shows_all": shows_all,
        "problem": problem,
        "is_slow": is_slow,
        "searched_to": searched_to,
        "rows": rows,
        "has_filter": bool(text),
        **first_steps(request, project.name),
        "next_query": _query({**query, "cursor": cursor}) if cursor else "",
        "quick_filters": [
            {
                "words": words,
                "icon": icon,
                "query": _query({**query, "filter": "" if text == quick else quick}),
                "is_on": text == quick,
            }
            for words, icon, quick in QUICK
        ],
    }
    fragment = "runs/_run_next.html" if request.GET.get("more") else "runs/_run_rows.html"
    return render_page(
        request,
        "runs/run_list.html",
        fragment if request.htmx else "runs/_run_rows.html",
        context,
        section="projects",
        status=422 if problem and not request.htmx else 200,
    )


def _parsed(text: str) -> tuple[Node | None, dict[str, Any] | None]:
    if not text:
        return None, None
    try:
        return parse(text), None
    except FilterError as error:
        return None, describe(text, error)


def describe(text: str, error: FilterError) -> dict[str, Any]:
    """Return a filter error with the surrounding text and a caret below the position."""
    position = error.position
    problem: dict[str, Any] = {"message": error.message, "position": position}
    if position is not None:
        start = max(0, position - 60)
        problem["line"] = text[start : position + 60].replace("\n", " ")
        problem["pointer"] = " " * (position - start) + "^"
    return problem


def _query(values: dict[str, str | None]) -> str:
    return urlencode({name: value for name, value in values.items() if value})


def _rows(request: WebRequest, runs: list[search.RunRow]) -> list[dict[str, Any]]:
    ids = [run.id for run in runs]
    runs = spending.with_subtree_usage(request.workspace.pk, runs)
    judged = feedback_stats(request.workspace.pk, ids)
    rows = []
    for run in runs:
        stats = judged.get(run.id, {})
        rows.append(
            {
                "run": run,
                "input": shapes.glance(run.inputs, shapes.QUESTION_KEYS),
                "output": shapes.glance(run.outputs, shapes.ANSWER_KEYS),
                "chips": [(key, _figure(figures)) for key, figures in list(stats.items())[:CHIPS]],
                "n_more": max(0, len(stats) - CHIPS),
            }
        )
    return rows


def _figure(figures: dict[str, Any]) -> str:
    """Return the one figure of a key for a table cell: its mean, or its first label."""
    if figures["avg"] is not None:
        return f"{figures['avg']:.2f}".rstrip("0").rstrip(".")
    return str(next(iter(figures["values"]), ""))[:24]


def run_or_404(request: WebRequest, run_id: UUID) -> Run:
    run = listing.stored(request.workspace, run_id)
    if run is None:
        raise Http404("no such run")
    return run


@require_GET
@require(Permission.VIEW)
def run_detail(request: WebRequest, run_id: UUID) -> HttpResponse:
    """Show a run in its trace; htmx requests the pane of another run or tab."""
    run = run_or_404(request, run_id)
    tab = request.GET.get("tab", "")
    tab = tab if tab in dict(TABS) else "conversation"
    workspace_id = request.workspace.pk
    about = [run.id, *item_subjects.threads_of(workspace_id, [run.id])]
    context = {
        "workspace": request.workspace,
        "run": run,
        "tab": tab,
        "tabs": TABS,
        "hidden_until_mine": blindness.hides_answers(request.user, workspace_id, about),
        **payloads.payload_context(request, run, tab),
    }
    if tab == "feedback":
        readable = blindness.feedback_visible_to(request.user, workspace_id)
        rows = Feedback.objects.filter(readable, workspace=request.workspace, run_id=run.id)
        context["feedback"] = rows.select_related("user").order_by("-created_at")[:200]
    if not request.htmx or request.htmx.history_restore_request:
        context |= _frame(request, run, tab)
    return render_page(
        request, "runs/run_detail.html", "runs/_pane.html", context, section="projects"
    )


def _frame(request: WebRequest, run: Run, tab: str) -> dict[str, Any]:
    """Return the context around the pane: the trace's root, its tree, its queues."""
    steps = list(listing.steps_of(request.workspace, run.trace_id)[: listing.TRACE_ROWS])
    n_spans = len(steps)
    if n_spans == listing.TRACE_ROWS:
        n_spans = listing.steps_of(request.workspace, run.trace_id).count()
    if run.id not in {step.id for step in steps}:
        steps.append(run)
    root = run
    if run.trace_id != run.id:
        root = listing.stored(request.workspace, run.trace_id) or run
    spans = payloads.span_rows(request, steps, chosen=run.id, tab=tab)
    ids = [step.id for step in steps]
    return {
        "root": root,
        "spent": payloads.spent(request.workspace, root),
        "share": sharing.of_run(request.workspace, run.id),
        "may_share": can(request, Permission.MANAGE_QUEUES),
        "project": run.project,
        "spans": spans,
        "n_spans": n_spans,
        "tree_cut": n_spans > len(spans),
        "is_orphan": any(span.is_orphan for span in spans if span.id == run.id),
        "root_feedback": feedback_stats(request.workspace.pk, [root.id]).get(root.id, {}),
        "queue_items": [
            item
            for item in queue_items.items_by_run(request.workspace, ids)
            if access.visible_to(request.workspace, request.user).filter(pk=item.queue_id).exists()
        ],
        "open_queues": access.visible_to(request.workspace, request.user)
        .filter(archived_at=None, queue_type=AnnotationQueue.QueueType.SINGLE)
        .order_by("name")
        if can(request, Permission.MANAGE_QUEUES)
        else [],
    }


@require_POST
@require(Permission.MANAGE_QUEUES)
def run_enqueue(request: WebRequest, run_id: UUID) -> HttpResponse:
    """Add a run to a queue at a user's request."""
    run = run_or_404(request, run_id)
    try:
        queue_uuid = UUID(request.POST.get("queue", ""))
    except ValueError:
        raise Http404("no such queue") from None
    singles = access.visible_to(request.workspace, request.user).filter(
        queue_type=AnnotationQueue.QueueType.SINGLE
    )
    queue = singles.filter(uuid=queue_uuid).first()
    if queue is None:
        raise Http404("no such queue")
    queue_items.add_runs(
        queue,
        [run.id],
        source=QueueItem.Source.PERSON,
        now=timezone.now(),
        added_by=request.user,
    )
    messages.success(request, f"In the queue {queue.name}.")
    return redirect("run-detail", request.workspace.slug, run.id)


@require_GET
@require(Permission.VIEW)
def run_field(request: WebRequest, run_id: UUID, field: str) -> HttpResponse:
    """Return a whole field as plain text: never HTML, never sniffed."""
    if field not in payloads.RAW_FIELDS:
        raise Http404("no such field")
    document: str | None = getattr(run_or_404(request, run_id), field)
    response = HttpResponse(document or "", content_type="text/plain; charset=utf-8")
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return privately(response)
