"""The runs of experiments, example by example."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from datasets_app import comparisons, experiments, files
from datasets_app.experiments import ExampleRuns, ExampleRunsQuery, Place
from observatory.api.datasets.datasets import dataset_or_404
from observatory.api.datasets.examples import shown as example_shown
from observatory.api.kit import cursors, streamed
from observatory.api.kit.base import WorkspaceView, base_url
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import query_errors
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.runs import search

PAGE = 20


def asked_of(body: shapes.ExperimentRunQuery, limit: int) -> ExampleRunsQuery:
    """Return the query of a body, its cursor included, for `limit` examples. Raises ParseError."""
    sort_by, is_ascending = None, False
    if body.sort and body.sort.by:
        sort_by = f"feedback.{body.sort.by.removeprefix('feedback.')}"
        is_ascending = (body.sort.order or "").upper() == "ASC"
    position = cursors.read(body.cursor, float, datetime, int) if body.cursor else None
    return ExampleRunsQuery(
        experiments=list(dict.fromkeys(body.experiment_ids or ())),
        filters={
            experiment: search.all_of([node for node in nodes if node is not None])
            for experiment, nodes in (body.filters or {}).items()
        },
        example_ids=body.example_ids,
        sort_by=sort_by,
        is_ascending=is_ascending,
        limit=limit,
        after=None if position is None else Place(*position),
    )


class ExperimentRuns(WorkspaceView):
    """POST /api/v2/datasets/{id}/experiment-runs (client.datasets.experiment_runs.query)."""

    @endpoint(body=shapes.ExperimentRunQuery, answer=shapes.ExperimentRunPage)
    def post(
        self, request: Request, dataset_id: str, body: shapes.ExperimentRunQuery
    ) -> HttpResponseBase:
        dataset, selected = dataset_or_404(self, dataset_id), fields.selected(body.selects)
        comparison, size = body.comparative_experiment_id, body.page_size or PAGE
        with query_errors():
            chosen = experiments.placed(dataset, asked_of(body, size + 1))
        page = chosen[:size]
        last = page[-1].place if len(chosen) > len(page) else None
        cursor = None if last is None else cursors.written(last.rank, last.created_at, last.pk)
        columns = fields.payloads(selected)
        items = (
            item
            for rows in experiments.chunked(self.workspace, page, payloads=columns)
            for item in self._items(rows, selected, comparison)
        )
        return streamed.answer(streamed.members(items=items, next_cursor=cursor))

    def _items(
        self, page: list[ExampleRuns], selected: frozenset[str], comparison: UUID | None
    ) -> list[dict[str, Any]]:
        """Return examples with their runs, at a constant number of queries."""
        runs = [run for row in page for run in row.runs]
        shown = fields.runs_out(
            self.workspace, runs, selected, self.request, grant=self.caller.grant
        )
        if comparison is not None and "FEEDBACK_STATS" in selected:
            ids = [run.id for run in runs]
            feedback = comparisons.run_stats(self.workspace.pk, comparison, ids)
            for run_id, run in zip(ids, shown, strict=True):
                run["feedback_stats"] = {**run["feedback_stats"], **feedback.get(run_id, {})}
        base = base_url(self.request)
        urls = files.urls([row.revision for row in page], base, grant=self.caller.grant)
        waiting = iter(shown)
        return [
            {
                **example_shown(row.revision),
                "attachment_urls": {
                    name.removeprefix("attachment."): file["presigned_url"]
                    for name, file in of_example.items()
                },
                "runs": [next(waiting) for _ in row.runs],
            }
            for row, of_example in zip(page, urls, strict=True)
        ]
