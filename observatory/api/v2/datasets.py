"""GET /api/v2/datasets: the datasets of a workspace, by cursor."""

from __future__ import annotations

from django.db.models import F
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import catalogue
from datasets_app.models import Dataset
from observatory.api.datasets.datasets import shown
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.v2 import list_schemas as shapes
from observatory.api.v2 import pages


class DatasetsV2(WorkspaceView):
    """GET /api/v2/datasets (client.datasets.list_v2)."""

    @endpoint(query=shapes.DatasetQueryV2, answer=shapes.DatasetPageV2)
    def get(self, request: Request) -> Response:
        sort = parameters.one(request, "sort_by") or "created_at"
        if sort not in catalogue.SORTABLE:
            raise ParseError(f"sort_by: expects one of {', '.join(catalogue.SORTABLE)}")
        place = pages.place_of(request, Dataset.objects.filter(workspace=self.workspace))
        found = catalogue.matching(
            catalogue.of_workspace(self.workspace).filter(pk__lte=place.newest),
            ids=parameters.uuids(request, "id"),
            name=parameters.one(request, "name"),
            name_contains=parameters.one(request, "name_contains"),
            data_types=parameters.listed(request, "data_type"),
            metadata=parameters.document(request, "metadata"),
        )
        if parameters.listed(request, "tag_value_id"):  # no dataset has a resource tag
            found = found.none()
        by, last = F(catalogue.SORTABLE[sort]), "-pk"
        order = by.desc(nulls_last=True)
        if not pages.is_descending(request):
            order, last = by.asc(nulls_last=True), "pk"
        rows = found.select_related("workspace").order_by(order, last)[place.window]
        page, cursor = place.page(list(rows))
        items = [shown(dataset) for dataset in page]
        if "example_count" in parameters.listed(request, "exclude"):
            items = [item | {"example_count": None} for item in items]
        return Response({"items": items, "next_cursor": cursor})
