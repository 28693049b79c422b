"""Queries of the pages about datasets."""

from __future__ import annotations

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery

from datasets_app.models import Dataset, DatasetVersion, ExampleRevision
from observatory.workspaces.models import Workspace


def datasets_of(workspace: Workspace) -> QuerySet[Dataset]:
    """Return the datasets with `n_examples` of the newest version and `changed_at`."""
    current = (
        ExampleRevision.objects.filter(dataset=OuterRef("pk"), valid_to=None)
        .order_by()
        .values("dataset")
        .annotate(n=Count("pk"))
        .values("n")
    )
    newest = (
        DatasetVersion.objects.filter(dataset=OuterRef("pk"))
        .order_by()
        .values("dataset")
        .annotate(at=Max("as_of"))
        .values("at")
    )
    return (
        Dataset.objects.filter(workspace=workspace)
        .annotate(n_examples=Subquery(current), changed_at=Subquery(newest))
        .order_by("name", "pk")
    )


def current_examples(dataset: Dataset) -> QuerySet[ExampleRevision]:
    """Return the examples of the newest version, newest change first, identities loaded."""
    revisions = ExampleRevision.objects.filter(dataset=dataset, valid_to=None)
    return revisions.select_related("example").order_by("-valid_from", "example_id")
