"""A run's documents, fields and steps for the run page and the workbench."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse

from observatory.runs import search, spending
from observatory.runs.models import Run
from observatory.web import rendering, shapes, traces
from observatory.web.http import WebRequest
from observatory.workspaces.models import Workspace

RAW_FIELDS = ("inputs", "outputs", "events", "serialized")


def payload_context(request: WebRequest, run: Run, tab: str) -> dict[str, Any]:
    """Return the context of runs/_payload.html for `tab` of `run`."""
    if tab == "conversation":
        inputs, outputs = shapes.load(run.inputs), shapes.load(run.outputs)
        documents = shapes.documents_of(outputs) if run.run_type == "retriever" else []
        questions = shapes.question_turns(inputs)
        turns = questions if documents else questions + shapes.answer_turns(outputs, questions)
        return {"turns": turns, "documents": documents}
    if tab in {"io", "inputs", "outputs"}:
        names = ("inputs", "outputs") if tab == "io" else (tab,)
        return {"parts": [_part(request, run, name, is_raw=False) for name in names]}
    if tab == "metadata":
        return {"facts": facts(request.workspace, run)}
    if tab == "raw":
        return {"parts": [_part(request, run, name, is_raw=True) for name in RAW_FIELDS]}
    return {}


def _part(request: WebRequest, run: Run, name: str, *, is_raw: bool) -> dict[str, Any]:
    document: str | None = getattr(run, name)
    part: dict[str, Any] = {
        "title": name.capitalize(),
        "value": None,
        "raw_href": reverse("run-field", args=[request.workspace.slug, run.id, name]),
        "shown": rendering.HEAD_CHARS,
    }
    if document is None:
        return part
    part["n_chars"], part["is_cut"] = len(document), len(document) > rendering.HEAD_CHARS
    part["value"] = document if part["is_cut"] or is_raw else shapes.load(document)
    if part["is_cut"] or is_raw:
        part["html"] = rendering.payload(document).html
    return part


def facts(workspace: Workspace, run: Run) -> list[tuple[str, str]]:
    """Return the plain fields of a run that are set, as (name, text).

    Tokens and costs of a parent are the sum of the llm runs below, as everywhere.
    """
    figures = spent(workspace, run)
    values = {
        "Run id": run.id,
        "Trace id": run.trace_id,
        "Parent run": run.parent_run_id,
        "Type": run.run_type,
        "Status": run.status,
        "Start": run.start_time,
        "First token": run.first_token_time,
        "End": run.end_time,
        "Prompt tokens": figures.prompt_tokens,
        "Completion tokens": figures.completion_tokens,
        "Total tokens": figures.total_tokens,
        "Total cost": figures.total_cost,
        "Thread": run.thread_id,
        "Reference example": run.reference_example_id,
        "Received": run.received_at,
    }
    return [(name, str(value)) for name, value in values.items() if value is not None]


def spent(workspace: Workspace, run: Run) -> search.RunRow:
    """Return `run` with tokens and costs, a parent's summed over the runs below."""
    rows = search.by_ids(workspace, [run.id], payloads=()).values()
    return spending.with_subtree_usage(workspace.pk, rows)[0]


def span_rows(
    request: WebRequest, steps: list[Run], *, chosen: UUID, tab: str
) -> list[traces.Span]:
    """Return the tree's rows with the URL of each run's pane."""
    spans = traces.arrange(steps)
    for span in spans:
        address = reverse("run-detail", args=[request.workspace.slug, span.id])
        span.href = f"{address}?tab={tab}"
        span.is_chosen = span.id == chosen
    return spans
