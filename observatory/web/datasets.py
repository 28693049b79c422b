"""Datasets: the list, and one dataset with its examples and their sources."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from datasets_app import overview
from datasets_app.harvest import held_back
from datasets_app.models import Dataset, ExampleRevision
from observatory.web import rendering, shapes
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces.roles import Permission


@require_GET
@require(Permission.VIEW)
def dataset_list(request: WebRequest) -> HttpResponse:
    """List the datasets with their number of examples and last change."""
    context = {
        "workspace": request.workspace,
        "datasets": overview.datasets_of(request.workspace),
        "endpoint": request.build_absolute_uri("/api"),
    }
    return render_page(
        request,
        "datasets/dataset_list.html",
        "datasets/_dataset_rows.html",
        context,
        section="datasets",
    )


def _example(revision: ExampleRevision) -> dict[str, Any]:
    metadata = revision.metadata or {}
    provenance = metadata.get("observatory") or metadata.get("provenance") or {}
    return {
        "revision": revision,
        "example": revision.example,
        "question": shapes.glance(revision.inputs, shapes.QUESTION_KEYS),
        "answer": shapes.glance(revision.outputs, shapes.ANSWER_KEYS),
        "is_harvested": revision.example.origin.startswith("harvest:"),
        "is_disputed": metadata.get("disputed") is True,
        "inputs": rendering.payload(revision.inputs) if revision.inputs else None,
        "outputs": rendering.payload(revision.outputs) if revision.outputs else None,
        "provenance": provenance,
    }


@require_GET
@require(Permission.VIEW)
def dataset_detail(request: WebRequest, dataset_uuid: UUID) -> HttpResponse:
    """Show the examples of the newest version: inputs, reference outputs, provenance.

    `?example=` shows that one only.
    """
    dataset = Dataset.objects.filter(workspace=request.workspace, uuid=dataset_uuid).first()
    if dataset is None:
        raise Http404("no such dataset")
    revisions, only = overview.current_examples(dataset), request.GET.get("example", "")
    if only:
        try:
            revisions = revisions.filter(example__uuid=UUID(only))
        except ValueError:
            raise Http404("no such example") from None
        if not revisions:
            raise Http404("no such example")
    page = Paginator(revisions, per_page=25).get_page(request.GET.get("page"))
    context = {
        "workspace": request.workspace,
        "dataset": dataset,
        "page": page,
        "is_one": bool(only),
        "rows": [_example(revision) for revision in page],
        "versions": dataset.versions.order_by("-as_of")[:20],
        "n_versions": dataset.versions.count(),
        "n_held_back": held_back(dataset=dataset),
    }
    return render_page(
        request,
        "datasets/dataset_detail.html",
        "datasets/_example_rows.html",
        context,
        section="datasets",
    )
