"""The runs of experiments, example by example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from datasets_app import comparisons, experiments, files
from datasets_app.experiments import Asked, ExampleRuns, Place
from observatory.api.datasets.datasets import dataset_or_404
from observatory.api.datasets.examples import shown as example_shown
from observatory.api.kit import cursors, streamed
from observatory.api.kit.base import WorkspaceView, base_url
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import TooSlow, filter_of, text_of, uuid_of, uuids_of
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.api.v2.bodies import body_of, whole_number
from observatory.runs import search
from observatory.runs.filters.grammar import Node

MAX_EXPERIMENTS = 20
MAX_PAGE = 100
PAGE = 20


def _filters(body: Mapping[str, Any]) -> dict[UUID, Node | None]:
    given = body.get("filters")
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(v, list) for v in given.values()):
        raise ParseError("filters: must map the id of an experiment to an array of filters")
    found: dict[UUID, Node | None] = {}
    for text, expressions in given.items():
        uuid = uuid_of({"filters": text}, "filters")
        nodes = [filter_of({"filters": expression}, "filters") for expression in expressions]
        if uuid is not None:
            found[uuid] = search.all_of([node for node in nodes if node is not None])
    return found


def _sorting(body: Mapping[str, Any], n_experiments: int) -> tuple[str | None, bool]:
    """Return what is sorted by (feedback.<key>) and whether ascending."""
    given = body.get("sort")
    if given is None:
        return None, False
    if not isinstance(given, dict):
        raise ParseError("sort: must be an object")
    by, order = text_of(given, "by"), text_of(given, "order") or "DESC"
    if order.upper() not in {"ASC", "DESC"}:
        raise ParseError("sort.order: must be ASC or DESC")
    if by is None:
        return None, False
    if n_experiments > 1:
        raise ParseError("sort: works for one experiment alone")
    return f"feedback.{by.removeprefix('feedback.')}", order.upper() == "ASC"


def asked_of(body: Mapping[str, Any]) -> Asked:
    """Return what the body asks, the cursor included. Raises ParseError (400)."""
    wanted = uuids_of(body, "experiment_ids")
    if not wanted:
        raise ParseError("experiment_ids: is required")
    if len(wanted) > MAX_EXPERIMENTS:
        raise ParseError(f"experiment_ids: at most {MAX_EXPERIMENTS}")
    sort_by, is_ascending = _sorting(body, len(wanted))
    cursor = text_of(body, "cursor")
    return Asked(
        experiments=list(dict.fromkeys(wanted)),
        filters=_filters(body),
        example_ids=uuids_of(body, "example_ids"),
        sort_by=sort_by,
        is_ascending=is_ascending,
        limit=whole_number(body, "page_size", PAGE, 1, MAX_PAGE),
        after=None if cursor is None else Place(*cursors.read(cursor, float, datetime, int)),
    )


class ExperimentRuns(WorkspaceView):
    """POST /api/v2/datasets/{id}/experiment-runs (client.datasets.experiment_runs.query)."""

    @endpoint(body=shapes.ExperimentRunQuery, answer=shapes.ExperimentRunPage)
    def post(self, request: Request, dataset_id: str) -> HttpResponseBase:
        dataset = dataset_or_404(self, dataset_id)
        body = body_of(request)
        asked, selected = asked_of(body), fields.selected(body)
        comparison = uuid_of(body, "comparative_experiment_id")
        assert asked.limit is not None  # asked_of always cuts the page
        more = replace(asked, limit=asked.limit + 1)
        try:
            chosen = experiments.placed(dataset, more)
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        page = chosen[: asked.limit]
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
        told = fields.runs_out(
            self.workspace, runs, selected, self.request, grant=self.caller.grant
        )
        if comparison is not None and "FEEDBACK_STATS" in selected:
            ids = [run.id for run in runs]
            judged = comparisons.run_stats(self.workspace.pk, comparison, ids)
            for run_id, run in zip(ids, told, strict=True):
                run["feedback_stats"] = {**run["feedback_stats"], **judged.get(run_id, {})}
        base = base_url(self.request)
        urls = files.urls([row.revision for row in page], base, grant=self.caller.grant)
        waiting = iter(told)
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
