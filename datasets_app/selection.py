"""Select the examples to read, at a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import MD5, Cast, Concat

from datasets_app.models import Dataset, ExampleRevision
from observatory.workspaces.models import Workspace

ORDERS = ("recent", "recently_created", "random", "id")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to read. All conditions must hold; an unknown id matches nothing."""

    dataset: Dataset | None = None
    as_of: datetime | None = None  # None: now
    ids: Sequence[UUID] = ()
    splits: Sequence[str] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    condition: Q | None = None  # of example_filters
    texts: Sequence[str] = ()  # each must occur in the inputs or the outputs
    order: str = "recently_created"
    is_ascending: bool = False
    seed: str = ""


def revisions(workspace: Workspace, selection: Selection) -> QuerySet[ExampleRevision]:
    """Return one revision per example, with example and dataset, in a stable order.

    The order is total (newest example first, then its row id), so pages never overlap.
    """
    matching = ExampleRevision.objects.at(selection.as_of).filter(example__workspace=workspace)
    if selection.dataset is not None:
        matching = matching.filter(example__dataset=selection.dataset)
    if selection.ids:
        matching = matching.filter(example__uuid__in=selection.ids)
    if selection.splits:
        matching = matching.filter(splits__overlap=list(selection.splits))
    if selection.metadata:
        matching = matching.filter(metadata__contains=selection.metadata)
    if selection.condition is not None:
        matching = matching.filter(selection.condition)
    if selection.texts:
        both = Concat(
            Cast("inputs", TextField()),
            Value(" "),
            Cast("outputs", TextField()),
            output_field=TextField(),
        )
        matching = matching.annotate(document=both)
        for text in selection.texts:
            matching = matching.filter(Q(document__icontains=text))
    return _ordered(matching, selection).select_related("example__dataset")


def _ordered(
    matching: QuerySet[ExampleRevision], selection: Selection
) -> QuerySet[ExampleRevision]:
    if selection.order == "random":
        mixed = MD5(
            Concat(
                Cast("example__uuid", TextField()), Value(selection.seed), output_field=TextField()
            )
        )
        return matching.annotate(mixed=mixed).order_by("mixed", "example_id")
    if selection.order == "id":
        return matching.order_by("example__uuid" if selection.is_ascending else "-example__uuid")
    column = "valid_from" if selection.order == "recent" else "example__created_at"
    newest = F(column).asc() if selection.is_ascending else F(column).desc()
    return matching.order_by(newest, "example_id")
