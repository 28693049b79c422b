"""URLs that the SDKs print, and LangSmith's own: each redirects to a page.

`/o/<tenant>/...` names a workspace by its id, `/prompts/...` and `/hub/...` a prompt by its name.
404 for an unknown object and for visitors who are not members.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from observatory.prompts.models import PromptRepo
from observatory.web.http import WebRequest, signed_in
from observatory.workspaces.models import Workspace


def _workspace(request: WebRequest, tenant: UUID) -> Workspace:
    workspace = Workspace.objects.filter(uuid=tenant, memberships__user=request.user).first()
    if workspace is None:
        raise Http404("no such workspace")
    return workspace


def _to_page(name: str) -> Callable[..., HttpResponseBase]:
    """Return a view that redirects members of the URL's tenant to the page `name`."""

    @require_GET
    @signed_in
    def view(request: WebRequest, /, tenant: UUID, **parameters: Any) -> HttpResponse:
        slug = _workspace(request, tenant).slug
        query = request.META.get("QUERY_STRING", "")
        address = reverse(name, kwargs={"slug": slug, **parameters})
        return redirect(f"{address}?{query}" if query else address)

    view.__doc__ = f"Send members of the tenant to the page {name}."
    return view


to_workspace = _to_page("workspace-home")
to_projects = _to_page("project-list")
to_project = _to_page("run-list")
to_datasets = _to_page("dataset-list")
to_dataset = _to_page("dataset-detail")
to_compare = _to_page("compare")
_to_run = _to_page("run-detail")


def to_run(request: HttpRequest, tenant: UUID, project_uuid: UUID, run_id: UUID) -> Any:
    """Redirect members to a run; its project in the URL is ignored."""
    return _to_run(request, tenant=tenant, run_id=run_id)


to_run.permission = "signed in"  # type: ignore[attr-defined]


@require_GET
@signed_in
def to_example(
    request: WebRequest, tenant: UUID, dataset_uuid: UUID, example_uuid: UUID
) -> HttpResponse:
    """Redirect members to a dataset, with one example of it."""
    slug = _workspace(request, tenant).slug
    return redirect(
        f"{reverse('dataset-detail', args=[slug, dataset_uuid])}?example={example_uuid}"
    )


@require_GET
@signed_in
def to_prompt(request: WebRequest, handle: str, commit: str = "", owner: str = "") -> HttpResponse:
    """Redirect members to a prompt, or to a commit of it: the workspace is `organizationId`.

    By default the first of the user's workspaces that has a prompt of that name.
    """
    mine = PromptRepo.objects.filter(workspace__memberships__user=request.user, handle=handle)
    tenant = request.GET.get("organizationId", "")
    if tenant:
        try:
            mine = mine.filter(workspace__uuid=UUID(tenant))
        except ValueError:
            raise Http404("no such workspace") from None
    prompt = mine.select_related("workspace").order_by("workspace__slug").first()
    if prompt is None:
        raise Http404("no such prompt")
    slug = prompt.workspace.slug
    if commit:
        return redirect("prompt-commit", slug, handle, commit)
    return redirect("prompt", slug, handle)
