"""Prompts: one prompt with its commits, and the manifest of a commit."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from observatory.prompts import commits
from observatory.prompts.models import PromptRepo
from observatory.web import rendering
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces.roles import Permission

COMMITS = 50


@require_GET
@require(Permission.VIEW)
def prompt(request: WebRequest, handle: str, commit: str = "latest") -> HttpResponse:
    """Show the manifest of a commit (by hash, its beginning or a tag) and the newest commits."""
    repo = PromptRepo.objects.filter(workspace=request.workspace, handle=handle).first()
    if repo is None:
        raise Http404("no such prompt")
    chosen = commits.resolve(repo, commit)
    if chosen is None and commit != "latest":
        raise Http404("no such commit")
    context = {
        "workspace": request.workspace,
        "prompt": repo,
        "commit": chosen,
        "manifest": rendering.payload(chosen.manifest) if chosen else None,
        "tags": list(chosen.tags.order_by("name")) if chosen else [],
        "commits": repo.commits.prefetch_related("tags").order_by("-created_at", "-pk")[:COMMITS],
        "n_commits": repo.commits.count(),
    }
    return render_page(
        request, "prompts/prompt.html", "prompts/_commit.html", context, section="prompts"
    )
