"""Projects: the list, with recent figures of each."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from observatory.runs import listing
from observatory.web.first_steps import first_steps
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces.roles import Permission


@require_GET
@require(Permission.VIEW)
def project_list(request: WebRequest) -> HttpResponse:
    """List the projects with runs, errors, latency and tokens of the last 7 days."""
    context = {
        "workspace": request.workspace,
        "rows": listing.project_rows(request.workspace, now=timezone.now()),
        **first_steps(request),
    }
    return render_page(
        request,
        "runs/project_list.html",
        "runs/_project_rows.html",
        context,
        section="projects",
    )
