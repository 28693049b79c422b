"""GET /api/v2/datasets: the datasets of a workspace, by cursor."""

from __future__ import annotations

from django.db.models import F
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import catalogue
from datasets_app.models import Dataset
from observatory.api.datasets.datasets import shown
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.v2 import list_schemas as shapes
from observatory.api.v2 import pages


class DatasetsV2(WorkspaceView):
    """GET /api/v2/datasets (client.datasets.list_v2)."""

    @endpoint(query=shapes.DatasetQueryV2, answer=shapes.DatasetPageV2)
    def get(self, request: Request, query: shapes.DatasetQueryV2) -> Response:
        everything = Dataset.objects.filter(workspace=self.workspace)
        window = pages.place_of(query.cursor, query.page_size, everything)
        datasets = catalogue.matching(
            catalogue.of_workspace(self.workspace).filter(pk__lte=window.newest),
            ids=query.id,
            name=query.name,
            name_contains=query.name_contains,
            data_types=query.data_type,
            metadata=query.metadata or {},
        )
        if query.tag_value_id:  # no dataset has a resource tag
            datasets = datasets.none()
        column = F(catalogue.SORTABLE[query.sort_by])
        order, last = column.desc(nulls_last=True), "-pk"
        if query.sort_order == "asc":
            order, last = column.asc(nulls_last=True), "pk"
        rows = datasets.select_related("workspace").order_by(order, last)[window.window]
        page, cursor = window.page(list(rows))
        items = [shown(dataset) for dataset in page]
        if "example_count" in query.exclude:
            items = [item | {"example_count": None} for item in items]
        return Response({"items": items, "next_cursor": cursor})
