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
from datasets_app.experiments import Asked, ExampleRuns, Placed
from datasets_app.models import Comparison, Dataset
from observatory import csv_lines, exact
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import body_of, dataset_or_404
from observatory.api.datasets.examples import shown as example_shown
from observatory.api.kit import parameters, streamed
from observatory.api.kit.base import WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import JSON, endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.api.runs.query import TooSlow
from observatory.api.runs.read import DEFAULT, REQUIRED, payloads, runs_out
from observatory.exact import dumps
from observatory.feedback import summary
from observatory.runs import search
from observatory.runs.documents import BadItem
from observatory.runs.filters.grammar import FilterError, Node, parse
from observatory.runs.times import parse_time
from observatory.workspaces.models import Workspace

MAX_EXPERIMENTS = 20
MAX_EXAMPLES = 1_000
PREVIEW = 300  # characters
_BRIEF = REQUIRED | {
    *("end_time", "error", "feedback_stats", "reference_example_id", "tags", "total_tokens"),
    *("total_cost", "prompt_tokens", "completion_tokens", "app_path", "inputs", "outputs"),
}


def _ids(body: Mapping[str, Any], name: str, most: int) -> list[UUID]:
    given = body.get(name)
    if not isinstance(given, list) or not 0 < len(given) <= most:
        raise Unprocessable(f"{name}: must be an array of 1 to {most} ids")
    found = (parameters.sent_uuid({name: text}, name) for text in given)
    return list(dict.fromkeys(uuid for uuid in found if uuid is not None))


def _number(body: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    given = body.get(name)
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise Unprocessable(f"{name}: must be a whole number, {low} to {high}")
    return given


def _filters(body: Mapping[str, Any]) -> dict[UUID, Node | None]:
    given = body.get("filters")
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(v, list) for v in given.values()):
        raise Unprocessable("filters: must map the id of a session to an array of filters")
    found: dict[UUID, Node | None] = {}
    for text, expressions in given.items():
        uuid = parameters.sent_uuid({"filters": text}, "filters")
        assert uuid is not None
        try:
            nodes = [parse(expression) for expression in expressions]
        except (FilterError, TypeError, AttributeError) as error:
            raise Unprocessable(f"filters: {error}") from None
        found[uuid] = search.all_of(nodes)
    return found


def _sorting(body: Mapping[str, Any]) -> tuple[str | None, bool]:
    given = body.get("sort_params")
    if given is None:
        return None, False
    if not isinstance(given, dict):
        raise Unprocessable("sort_params: must be an object")
    by, order = given.get("sort_by"), given.get("sort_order") or "DESC"
    known = [*experiments.RANKS, "created_at"]
    if by is not None and not (
        isinstance(by, str) and (by in known or by.startswith("feedback.")) and "\x00" not in by
    ):
        raise Unprocessable(f"sort_params.sort_by: one of {', '.join(known)}, feedback.<key>")
    if not isinstance(order, str) or order.upper() not in {"ASC", "DESC"}:
        raise Unprocessable("sort_params.sort_order: must be ASC or DESC")
    return by, order.upper() == "ASC"


def asked_of(body: Mapping[str, Any], *, is_whole: bool) -> Asked:
    """Return what the body of POST /datasets/{id}/runs asks; `is_whole`: no page. Raises 422."""
    sort_by, is_ascending = _sorting(body)
    return Asked(
        experiments=_ids(body, "session_ids", MAX_EXPERIMENTS),
        filters=_filters(body),
        example_ids=(
            None if body.get("example_ids") is None else _ids(body, "example_ids", MAX_EXAMPLES)
        ),
        sort_by=sort_by,
        is_ascending=is_ascending,
        offset=_number(body, "offset", 0, 0, 10_000_000),
        limit=None if is_whole else _number(body, "limit", 100, 1, 100),
    )


def _preview(document: Any) -> str | None:
    """Return the beginning of a document, as text."""
    if document is None:
        return None
    text = dumps(document).decode()
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]}..."


def _brief(told: dict[str, Any]) -> dict[str, Any]:
    """Return an example or a run with the beginnings of its documents in their place."""
    rest = {name: value for name, value in told.items() if name not in ("inputs", "outputs")}
    return rest | {
        "inputs": {},
        "inputs_preview": _preview(told.get("inputs")),
        "outputs_preview": _preview(told.get("outputs")),
    }


def rows_out(
    view: WorkspaceView, rows: list[ExampleRuns], *, is_preview: bool, comparison: UUID | None
) -> list[dict[str, Any]]:
    """Return examples with their runs as the wire shows them, at a constant number of queries."""
    runs = [run for row in rows for run in row.runs]
    selected = _BRIEF if is_preview else DEFAULT
    told = runs_out(view.workspace, runs, selected, view.request, grant=view.caller.grant)
    if comparison is not None:
        judged = comparisons.run_stats(view.workspace.pk, comparison, [run.id for run in runs])
        for run in told:
            run["feedback_stats"] = {**run["feedback_stats"], **judged.get(run["id"], {})}
    if is_preview:
        told = [_brief(run) for run in told]
    waiting = iter(told)
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
    def post(self, request: Request, dataset_id: str) -> HttpResponseBase:
        dataset = dataset_or_404(self, dataset_id)
        body = body_of(request)
        form = request.query_params.get("format")
        if form not in {None, "", "csv"}:
            raise Unprocessable("format: only csv is known")
        asked = asked_of(body, is_whole=form == "csv" and body.get("limit") is None)
        comparison = parameters.sent_uuid(body, "comparative_experiment_id")
        is_preview = body.get("preview") is True
        try:
            chosen = experiments.placed(dataset, asked)
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        columns = payloads(_BRIEF if is_preview else DEFAULT)
        told = (
            row
            for rows in experiments.chunked(self.workspace, chosen, payloads=columns)
            for row in rows_out(self, rows, is_preview=is_preview, comparison=comparison)
        )
        if form != "csv":
            return streamed.answer(streamed.array(told))
        is_guarded = parameters.flag(request, "spreadsheet") is not False
        stats = _columns(self.workspace, chosen, comparison)
        return _csv(dataset, told, stats, is_guarded=is_guarded)


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
    told = summary.feedback_stats(workspace.pk, ids)
    judged = {} if comparison is None else comparisons.run_stats(workspace.pk, comparison, ids)
    stats: dict[str, dict[str, None]] = {}
    for run_id in ids:
        for key, known in {**told.get(run_id, {}), **judged.get(run_id, {})}.items():
            more = (name for name, value in known.items() if name != "avg" and value)
            stats.setdefault(key, {}).update(dict.fromkeys(more))
    return stats


def _csv(
    dataset: Dataset,
    told: Iterable[dict[str, Any]],
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
    rows = (_cells(row, run, stats) for row in told for run in row["runs"])
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


def comparisons_shown(workspace: Any, found: list[Comparison]) -> list[dict[str, Any]]:
    """Return comparisons as the wire shows them; one query for all their feedback."""
    judged = comparisons.feedback_stats(workspace.pk, [one.uuid for one in found])
    return [
        {
            "id": one.uuid,
            "tenant_id": workspace.uuid,
            "name": one.name or None,
            "description": one.description,
            "created_at": one.created_at,
            "modified_at": one.modified_at,
            "reference_dataset_id": one.dataset.uuid,
            "extra": one.extra,
            "experiments_info": [
                {"id": project.uuid, "name": project.name} for project in one.in_order()
            ],
            "feedback_stats": judged.get(one.uuid, {}),
        }
        for one in found
    ]


def _optional_text(body: Mapping[str, Any], name: str, most: int) -> str | None:
    given = body.get(name)
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > most:
        raise Unprocessable(f"{name}: must be a text of at most {most} characters")
    return parameters.without_nul(name, given)


class Comparisons(WorkspaceView):
    """POST /datasets/comparative (create_comparative_experiment, evaluate_comparative)."""

    @endpoint(body=shapes.ComparisonCreate, answer=shapes.Comparison, errors=(404, 409))
    def post(self, request: Request) -> Response:
        body = body_of(request)
        dataset_id = parameters.sent_uuid(body, "reference_dataset_id")
        if dataset_id is None:
            raise Unprocessable("reference_dataset_id: is required")
        wanted = _ids(body, "experiment_ids", MAX_EXPERIMENTS)
        fields: dict[str, Any] = {
            "name": _optional_text(body, "name", 512) or "",
            "description": _optional_text(body, "description", 65_536),
        }
        extra = body.get("extra")
        if extra is not None and (not isinstance(extra, dict) or exact.has_nul(exact.dumps(extra))):
            raise Unprocessable("extra: must be an object without NUL")
        fields["extra"] = extra
        if (uuid := parameters.sent_uuid(body, "id")) is not None:
            fields["uuid"] = uuid
        if body.get("created_at") is not None:
            try:
                fields["created_at"] = parse_time(body["created_at"])
            except (BadItem, TypeError):
                raise Unprocessable("created_at: must be a time") from None
        try:
            made = comparisons.create(
                dataset_or_404(self, dataset_id), wanted, now=timezone.now(), **fields
            )
        except comparisons.UnknownExperiment:
            raise NotFound("Experiment not found") from None
        except comparisons.IdTaken:
            raise Conflict("A comparative experiment with this id already exists") from None
        return Response(comparisons_shown(self.workspace, [made])[0])


class ComparisonDetail(WorkspaceView):
    """DELETE /datasets/comparative/{id}, with what was judged in it."""

    @endpoint(answer=Message)
    def delete(self, request: Request, comparison_id: str) -> Response:
        found = Comparison.objects.filter(
            workspace=self.workspace, uuid=uuid_or_404(comparison_id)
        ).first()
        if found is None:
            raise NotFound("Comparative experiment not found")
        comparisons.remove(found)
        return Response({"message": "Comparative experiment deleted"})


class DatasetComparisons(WorkspaceView):
    """GET /datasets/{id}/comparative: the comparisons of a dataset, newest first."""

    @endpoint(query=shapes.ComparisonQuery, answer=list[shapes.Comparison])
    def get(self, request: Request, dataset_id: str) -> Response:
        found = (
            dataset_or_404(self, dataset_id)
            .comparisons.select_related("dataset")
            .prefetch_related("projects")
        )
        if name := parameters.one(request, "name"):
            found = found.filter(name=name)
        if text := parameters.one(request, "name_contains"):
            found = found.filter(name__icontains=text)
        if ids := parameters.uuids(request, "id"):
            found = found.filter(uuid__in=ids)
        page = found.order_by("-created_at", "-pk")[parameters.window(request)]
        return Response(comparisons_shown(self.workspace, list(page)))
