"""The context pane: an item's run in tabs, beside the form that judges it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse

from annotations.models import QueueItem
from observatory.runs import listing
from observatory.runs.models import Run
from observatory.web.http import WebRequest
from observatory.web.runs import payload_context, span_rows

TABS = [
    ("conversation", "Conversation"),
    ("inputs", "Inputs"),
    ("outputs", "Outputs"),
    ("trace", "Trace"),
    ("metadata", "Metadata"),
]


def context_tab(
    request: WebRequest, item: QueueItem, run: Run | None, tab: str, chosen: UUID | None = None
) -> dict[str, Any]:
    """Return what annotations/_context.html draws: the tabs, and the chosen one's payload."""
    tab = tab if tab in dict(TABS) else "conversation"
    found: dict[str, Any] = {"workspace": request.workspace, "tab": tab, "bench_tabs": TABS}
    if run is None:
        return found
    if tab != "trace":
        return found | payload_context(request, run, tab)
    steps = list(listing.steps_of(request.workspace, run.trace_id)[: listing.TRACE_ROWS])
    step = listing.stored(request.workspace, chosen) if chosen else None
    if step is None or step.trace_id != run.trace_id:
        step = run
    spans = span_rows(request, steps, chosen=step.id, tab="io")
    address = reverse("review-context", args=[request.workspace.slug, item.queue.uuid, item.uuid])
    for span in spans:
        span.href = f"{address}?tab=trace&run={span.id}"
        span.target = "#ctx"
    payload = payload_context(request, step, "io")
    return found | {"spans": spans, "step": step, "step_payload": payload}
