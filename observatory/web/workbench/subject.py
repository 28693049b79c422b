"""What an item shows beside its form: a run in tabs, a thread turn by turn, a pair as A and B.

A pair is shown in the order drawn for it, without the names of runs or experiments.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse

from annotations.models import QueueItem
from annotations.queues.item_subjects import Shown
from observatory.runs import listing
from observatory.runs.models import Run
from observatory.web import payloads, shapes
from observatory.web.http import WebRequest
from observatory.web.titles import OPENING_CHARS, TITLE_CHARS, title_of
from observatory.web.workbench import pairs

TABS = [
    ("conversation", "Conversation"),
    ("inputs", "Inputs"),
    ("outputs", "Outputs"),
    ("trace", "Trace"),
    ("metadata", "Metadata"),
]


def drawn(
    request: WebRequest, item: QueueItem, shown: Shown, tab: str, chosen: UUID | None = None
) -> dict[str, Any]:
    """Return the context pane of an item, its title included.

    `tab` is one of TABS, else the first; `chosen` is the step that the trace's tab opens.
    """
    if item.is_pair:
        return _pair(shown)
    tab = tab if tab in dict(TABS) else "conversation"
    context: dict[str, Any] = {
        "workspace": request.workspace,
        "tab": tab,
        "workbench_tabs": TABS,
        "item_title": _title(item, shown.run),
    }
    if shown.run is None:
        return context
    if tab == "trace":
        return context | _trace(request, item, shown.run, chosen)
    context |= payloads.payload_context(request, shown.run, tab)
    if item.item_type == QueueItem.ItemType.THREAD and tab == "conversation":
        context["thread"] = [
            {"run": turn, **payloads.payload_context(request, turn, tab)} for turn in shown.turns
        ]
    return context


def _title(item: QueueItem, run: Run | None) -> str:
    if item.item_type == QueueItem.ItemType.THREAD:
        return f"Thread {item.thread_id}"
    if run is None:
        return "Run not received yet"
    return title_of(run.name, (run.inputs or "")[:OPENING_CHARS] or None)


def _trace(request: WebRequest, item: QueueItem, run: Run, chosen: UUID | None) -> dict[str, Any]:
    """Return the steps of the run's trace and the payload of the chosen one."""
    steps = list(listing.steps_of(request.workspace, run.trace_id)[: listing.TRACE_ROWS])
    step = listing.stored(request.workspace, chosen) if chosen else None
    if step is None or step.trace_id != run.trace_id:
        step = run
    spans = payloads.span_rows(request, steps, chosen=step.id, tab="io")
    address = reverse("review-context", args=[request.workspace.slug, item.queue.uuid, item.uuid])
    for span in spans:
        span.href = f"{address}?tab=trace&run={span.id}"
        span.target = "#ctx"
    payload = payloads.payload_context(request, step, "io")
    return {"spans": spans, "step": step, "step_payload": payload}


def _pair(shown: Shown) -> dict[str, Any]:
    """Return the question both runs answer, and each one's answer under its letter."""
    stored = [run for run in shown.pair if run is not None]
    inputs = shapes.load(stored[0].inputs) if stored else None
    question = shapes.line_of(inputs, shapes.QUESTION_KEYS)
    words = " ".join((question or "").split())[:TITLE_CHARS]
    sides = [
        {
            "letter": letter,
            "is_here": run is not None,
            "error": run.error if run else None,
            "turns": shapes.answer_turns(shapes.load(run.outputs) if run else None),
        }
        for letter, run in zip(pairs.LETTERS, shown.pair, strict=True)
    ]
    pair = {"turns": shapes.question_turns(inputs), "inputs": inputs, "sides": sides}
    return {"pair": pair, "item_title": f"Which is better? {words}".strip()}
