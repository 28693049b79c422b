"""Prompts: the list, one prompt with its commits, and the messages of a commit."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from observatory.prompts import commits
from observatory.prompts.models import PromptRepo
from observatory.web import rendering, shapes
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces.roles import Permission

COMMITS = 50
PROMPTS = 50
READABLE_CHARS = 1 << 20


@require_GET
@require(Permission.VIEW)
def prompt_list(request: WebRequest) -> HttpResponse:
    """List the prompts with their number of commits, the last changed first."""
    prompts = (
        PromptRepo.objects.filter(workspace=request.workspace, is_archived=False)
        .annotate(n_commits=Count("commits"))
        .order_by("-updated_at", "-pk")
    )
    context = {
        "workspace": request.workspace,
        "page": Paginator(prompts, PROMPTS).get_page(request.GET.get("page")),
        "endpoint": request.build_absolute_uri("/api"),
    }
    return render_page(
        request, "prompts/prompt_list.html", "prompts/_prompt_rows.html", context, section="prompts"
    )


@require_GET
@require(Permission.VIEW)
def prompt(request: WebRequest, handle: str, commit: str = "latest") -> HttpResponse:
    """Show the manifest of a commit (by hash, hash prefix or tag) and the newest commits."""
    repo = PromptRepo.objects.filter(workspace=request.workspace, handle=handle).first()
    if repo is None:
        raise Http404("no such prompt")
    chosen = commits.resolve(repo, commit)
    if chosen is None and commit != "latest":
        raise Http404("no such commit")
    text = chosen.manifest if chosen else ""
    context = {
        "workspace": request.workspace,
        "prompt": repo,
        "commit": chosen,
        "turns": shapes.templates_of(shapes.load(text)) if len(text) <= READABLE_CHARS else [],
        "manifest": rendering.payload(chosen.manifest) if chosen else None,
        "tags": list(chosen.tags.order_by("name")) if chosen else [],
        "commits": repo.commits.prefetch_related("tags").order_by("-created_at", "-pk")[:COMMITS],
        "n_commits": repo.commits.count(),
    }
    return render_page(
        request, "prompts/prompt.html", "prompts/_commit.html", context, section="prompts"
    )
