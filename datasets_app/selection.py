"""Which examples a reader asks for, at which version."""

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
    """What to read. Everything given must hold; an id nobody has matches nothing."""

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


def revisions(workspace: Workspace, asked: Selection) -> QuerySet[ExampleRevision]:
    """Return one revision an example, with example and dataset, in a stable order.

    The order is total (newest example first, then its row id), so pages never overlap.
    """
    found = ExampleRevision.objects.at(asked.as_of).filter(example__workspace=workspace)
    if asked.dataset is not None:
        found = found.filter(example__dataset=asked.dataset)
    if asked.ids:
        found = found.filter(example__uuid__in=asked.ids)
    if asked.splits:
        found = found.filter(splits__overlap=list(asked.splits))
    if asked.metadata:
        found = found.filter(metadata__contains=asked.metadata)
    if asked.condition is not None:
        found = found.filter(asked.condition)
    if asked.texts:
        both = Concat(
            Cast("inputs", TextField()),
            Value(" "),
            Cast("outputs", TextField()),
            output_field=TextField(),
        )
        found = found.annotate(document=both)
        for text in asked.texts:
            found = found.filter(Q(document__icontains=text))
    return _ordered(found, asked).select_related("example__dataset")


def _ordered(found: QuerySet[ExampleRevision], asked: Selection) -> QuerySet[ExampleRevision]:
    if asked.order == "random":
        mixed = MD5(
            Concat(Cast("example__uuid", TextField()), Value(asked.seed), output_field=TextField())
        )
        return found.annotate(mixed=mixed).order_by("mixed", "example_id")
    if asked.order == "id":
        return found.order_by("example__uuid" if asked.is_ascending else "-example__uuid")
    column = "valid_from" if asked.order == "recent" else "example__created_at"
    newest = F(column).asc() if asked.is_ascending else F(column).desc()
    return found.order_by(newest, "example_id")
