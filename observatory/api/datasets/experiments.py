"""Experiments by example (/datasets/{id}/runs) and against each other (/datasets/comparative)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from datasets_app import comparisons, experiments
from datasets_app.experiments import ExampleRuns, ExampleRunsQuery, Placed
from datasets_app.models import Comparison, Dataset
from observatory import csv_lines, exact
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import dataset_or_404
from observatory.api.datasets.examples import shown as example_shown
from observatory.api.kit import streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import JSON, endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.api.runs.query import TooSlow
from observatory.api.runs.read import DEFAULT, REQUIRED, payloads, runs_out
from observatory.exact import dumps
from observatory.feedback import summary
from observatory.runs import search
from observatory.runs.filters.grammar import FilterError, Node, parse
from observatory.workspaces.models import Workspace

PREVIEW = 300  # characters
_BRIEF = REQUIRED | {
    *("end_time", "error", "feedback_stats", "reference_example_id", "tags", "total_tokens"),
    *("total_cost", "prompt_tokens", "completion_tokens", "app_path", "inputs", "outputs"),
}


def _filters(body: shapes.ExperimentRunsQuery) -> dict[UUID, Node | None]:
    """Return the filter of each experiment that has some. Raises 422."""
    try:
        return {
            uuid: search.all_of([parse(expression) for expression in expressions])
            for uuid, expressions in (body.filters or {}).items()
        }
    except FilterError as error:
        raise Unprocessable(f"filters: {error}") from None


def _sort_key(sorting: shapes.Sorting) -> str | None:
    """Return what to sort by, None for the default. Raises 422."""
    known = [*experiments.RANKS, "created_at"]
    key = sorting.sort_by
    if key is None or key in known or key.startswith("feedback."):
        return key
    raise Unprocessable(f"sort_params.sort_by: must be {', '.join(known)} or feedback.<key>")


def asked_of(body: shapes.ExperimentRunsQuery, *, is_whole: bool) -> ExampleRunsQuery:
    """Return what the body of POST /datasets/{id}/runs asks; `is_whole`: no page. Raises 422."""
    sorting = body.sort_params or shapes.Sorting()
    limit = 100 if body.limit is None else body.limit
    return ExampleRunsQuery(
        experiments=list(dict.fromkeys(body.session_ids)),
        filters=_filters(body),
        example_ids=None if body.example_ids is None else list(dict.fromkeys(body.example_ids)),
        sort_by=_sort_key(sorting),
        is_ascending=(sorting.sort_order or "DESC").upper() == "ASC",
        offset=body.offset or 0,
        limit=None if is_whole else limit,
    )


def _preview(document: Any) -> str | None:
    """Return the beginning of a document, as text."""
    if document is None:
        return None
    text = dumps(document).decode()
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]}..."


def _brief(shown: dict[str, Any]) -> dict[str, Any]:
    """Return an example or a run with the beginnings of its documents in their place."""
    rest = {name: value for name, value in shown.items() if name not in ("inputs", "outputs")}
    return rest | {
        "inputs": {},
        "inputs_preview": _preview(shown.get("inputs")),
        "outputs_preview": _preview(shown.get("outputs")),
    }


def rows_out(
    view: WorkspaceView, rows: list[ExampleRuns], *, is_preview: bool, comparison: UUID | None
) -> list[dict[str, Any]]:
    """Return examples with their runs as the wire shows them, at a constant number of queries."""
    runs = [run for row in rows for run in row.runs]
    selected = _BRIEF if is_preview else DEFAULT
    runs_shown = runs_out(view.workspace, runs, selected, view.request, grant=view.caller.grant)
    if comparison is not None:
        stats = comparisons.run_stats(view.workspace.pk, comparison, [run.id for run in runs])
        for run in runs_shown:
            run["feedback_stats"] = {**run["feedback_stats"], **stats.get(run["id"], {})}
    if is_preview:
        runs_shown = [_brief(run) for run in runs_shown]
    waiting = iter(runs_shown)
    answer = []
    for row in rows:
        example = example_shown(row.revision)
        if is_preview:
            example = _brief(example)
        answer.append({**example, "runs": [next(waiting) for _ in row.runs]})
    return answer


class DatasetRuns(WorkspaceView):
    """POST /datasets/{id}/runs (get_experiment_results): the runs of experiments, by example."""

    @endpoint(
        query=shapes.FormatQuery,
        body=shapes.ExperimentRunsQuery,
        answer=list[shapes.ExampleWithRuns],
        gives=(JSON, "text/csv"),
    )
    def post(
        self,
        request: Request,
        dataset_id: str,
        body: shapes.ExperimentRunsQuery,
        query: shapes.FormatQuery,
    ) -> HttpResponseBase:
        dataset = dataset_or_404(self, dataset_id)
        is_csv = query.format == "csv"
        selection = asked_of(body, is_whole=is_csv and body.limit is None)
        comparison, is_preview = body.comparative_experiment_id, body.preview is True
        try:
            chosen = experiments.placed(dataset, selection)
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        columns = payloads(_BRIEF if is_preview else DEFAULT)
        rows = (
            row
            for chunk in experiments.chunked(self.workspace, chosen, payloads=columns)
            for row in rows_out(self, chunk, is_preview=is_preview, comparison=comparison)
        )
        if not is_csv:
            return streamed.answer(streamed.array(rows))
        stats = _columns(self.workspace, chosen, comparison)
        return _csv(dataset, rows, stats, is_guarded=query.spreadsheet)


def _latency_s(run: dict[str, Any]) -> float | None:
    """Return the seconds from start to end; None where they are unknown or impossible."""
    start, end = run.get("start_time"), run.get("end_time")
    if start is None or end is None or end < start:
        return None
    return float((end - start).total_seconds())


_OF_A_RUN = (
    *("error", "latency_s", "status", "total_tokens", "total_cost", "run_name", "start_time"),
    *("end_time", "prompt_tokens", "completion_tokens", "prompt_cost", "completion_cost"),
    *("tags", "run_metadata"),
)


def _columns(
    workspace: Workspace, chosen: list[Placed], comparison: UUID | None
) -> dict[str, dict[str, None]]:
    """Return by feedback key of the runs what is known of it besides its mean."""
    ids = [run_id for each in chosen for run_id in each.run_ids]
    stats_of_runs = summary.feedback_stats(workspace.pk, ids)
    stats_of_comparison = (
        {} if comparison is None else comparisons.run_stats(workspace.pk, comparison, ids)
    )
    stats: dict[str, dict[str, None]] = {}
    for run_id in ids:
        both = {
            **stats_of_runs.get(run_id, {}),
            **stats_of_comparison.get(run_id, {}),
        }
        for key, known in both.items():
            more = (name for name, value in known.items() if name != "avg" and value)
            stats.setdefault(key, {}).update(dict.fromkeys(more))
    return stats


def _csv(
    dataset: Dataset,
    examples: Iterable[dict[str, Any]],
    stats: Mapping[str, Mapping[str, None]],
    *,
    is_guarded: bool,
) -> HttpResponse | StreamingHttpResponse:
    """Return one line a run: the example, the run, and columns for each feedback key.

    `feedback.KEY` is the mean; `feedback.KEY.n` and its like are whatever else is known of it.
    """
    head: list[Any] = [
        *("example_id", "inputs", "reference_outputs", "session_id", "run_id", "outputs"),
        *_OF_A_RUN,
        *("example_metadata", "example_created_at", "example_source_run_id"),
    ]
    for key in sorted(stats):
        head += [f"feedback.{key}", *(f"feedback.{key}.{name}" for name in stats[key])]
    rows = (_cells(row, run, stats) for row in examples for run in row["runs"])
    lines = csv_lines.written(chain([head], rows), is_guarded=is_guarded)
    answer = streamed.answer(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="experiment-{dataset.uuid}.csv"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _cells(
    row: dict[str, Any], run: dict[str, Any], stats: Mapping[str, Mapping[str, None]]
) -> list[Any]:
    ended = run.get("end_time")
    extra = run.get("extra")
    cells = [
        *(str(row["id"]), _text(row.get("inputs")), _text(row.get("outputs"))),
        *(str(run["session_id"]), str(run["id"]), _text(run.get("outputs"))),
        run.get("error"),
        _latency_s(run),
        *(run["status"], run.get("total_tokens"), run.get("total_cost"), run.get("name")),
        *(_time(run["start_time"]), _time(ended)),
        *(run.get("prompt_tokens"), run.get("completion_tokens")),
        *(run.get("prompt_cost"), run.get("completion_cost")),
        *(run.get("tags") or None, extra.get("metadata") if isinstance(extra, dict) else None),
        *(row.get("metadata"), _time(row.get("created_at"))),
        None if row.get("source_run_id") is None else str(row["source_run_id"]),
    ]
    for key in sorted(stats):
        known = run["feedback_stats"].get(key, {})
        cells += [known.get("avg"), *(known.get(name) for name in stats[key])]
    return cells


def _time(moment: Any) -> str | None:
    return None if moment is None else exact.timestamp(moment)


def _text(document: Any) -> str | None:
    return None if document is None else dumps(document).decode()


# Comparisons -----------------------------------------------------------------------------------


def comparisons_shown(workspace: Workspace, rows: list[Comparison]) -> list[dict[str, Any]]:
    """Return comparisons as the wire shows them; one query for all their feedback."""
    stats = comparisons.feedback_stats(workspace.pk, [comparison.uuid for comparison in rows])
    return [
        {
            "id": comparison.uuid,
            "tenant_id": workspace.uuid,
            "name": comparison.name or None,
            "description": comparison.description,
            "created_at": comparison.created_at,
            "modified_at": comparison.modified_at,
            "reference_dataset_id": comparison.dataset.uuid,
            "extra": comparison.extra,
            "experiments_info": [
                {"id": project.uuid, "name": project.name} for project in comparison.in_order()
            ],
            "feedback_stats": stats.get(comparison.uuid, {}),
        }
        for comparison in rows
    ]


class Comparisons(WorkspaceView):
    """POST /datasets/comparative (create_comparative_experiment, evaluate_comparative)."""

    @endpoint(body=shapes.ComparisonCreate, answer=shapes.Comparison, errors=(404, 409))
    def post(self, request: Request, body: shapes.ComparisonCreate) -> Response:
        if exact.has_nul(exact.dumps(body.extra)):
            raise Unprocessable("extra: must not contain a NUL character")
        try:
            comparison = comparisons.create(
                dataset_or_404(self, body.reference_dataset_id),
                list(dict.fromkeys(body.experiment_ids)),
                now=timezone.now(),
                uuid=body.id,
                name=body.name or "",
                description=body.description,
                extra=body.extra,
                created_at=body.created_at,
            )
        except comparisons.UnknownExperiment:
            raise NotFound("Experiment not found") from None
        except comparisons.IdTaken:
            raise Conflict("A comparative experiment with this id already exists") from None
        return Response(comparisons_shown(self.workspace, [comparison])[0])


class ComparisonDetail(WorkspaceView):
    """DELETE /datasets/comparative/{id}, with what was judged in it."""

    @endpoint(answer=Message)
    def delete(self, request: Request, comparison_id: str) -> Response:
        comparison = Comparison.objects.filter(
            workspace=self.workspace, uuid=uuid_or_404(comparison_id)
        ).first()
        if comparison is None:
            raise NotFound("Comparative experiment not found")
        comparisons.remove(comparison)
        return Response({"message": "Comparative experiment deleted"})


class DatasetComparisons(WorkspaceView):
    """GET /datasets/{id}/comparative: the comparisons of a dataset, newest first."""

    @endpoint(query=shapes.ComparisonQuery, answer=list[shapes.Comparison])
    def get(self, request: Request, dataset_id: str, query: shapes.ComparisonQuery) -> Response:
        rows = (
            dataset_or_404(self, dataset_id)
            .comparisons.select_related("dataset")
            .prefetch_related("projects")
        )
        if query.name:
            rows = rows.filter(name=query.name)
        if query.name_contains:
            rows = rows.filter(name__icontains=query.name_contains)
        if query.id:
            rows = rows.filter(uuid__in=query.id)
        page = rows.order_by("-created_at", "-pk")[query.window]
        return Response(comparisons_shown(self.workspace, list(page)))
