"""GET /runs/{id}, and how a run looks on the wire."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from annotations.queues import queue_items
from datasets_app.messages import extracted
from datasets_app.models import Example
from observatory import exact
from observatory.api.kit.base import base_url, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs import schemas as shapes
from observatory.api.runs.ingest import RunPatch
from observatory.exact import dumps
from observatory.feedback import summary
from observatory.runs import attachments, children, search, sharing, spending, sums, totals, tree
from observatory.runs.grants import Grant
from observatory.runs.previews import preview
from observatory.runs.search import RunRow
from observatory.workspaces.models import Workspace

REQUIRED = frozenset(
    {"id", "name", "start_time", "run_type", "trace_id", "dotted_order", "session_id", "status"}
    | {"parent_run_id"}
)
"""In every answer, selected or not: without them the SDKs' models fail."""
_DETAILS = (
    *("prompt_token_details", "completion_token_details"),
    *("prompt_cost_details", "completion_cost_details"),
)
DEFAULT = REQUIRED | {
    *("app_path", "end_time", "error", "events", "extra", "feedback_stats", "first_token_time"),
    *("inputs", "outputs", "parent_run_ids", "reference_example_id", "s3_urls", "tags"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "thread_id"),
    *("prompt_cost", "completion_cost", "total_cost"),
    *_DETAILS,
}
"""Returned when nothing is selected: the SDK's own default."""
WHOLE = DEFAULT | {"serialized", "child_run_ids", "in_dataset"}
"""Returned of a single run."""
_MADE_OF = {
    "extra": ("extra", "metadata"),
    "inputs_preview": ("inputs",),
    "outputs_preview": ("outputs",),
    "messages": ("inputs", "outputs"),
    **dict.fromkeys(_DETAILS, ("usage_details",)),
}
HOSTED_ONLY_FIELDS = frozenset(
    {"manifest", "manifest_id", "manifest_s3_id", "price_model_id", "ttl_seconds", "trace_upgrade"}
    | {"trace_tier", "trace_first_received_at", "trace_min_max_start_time"}
    | {"inputs_s3_urls", "outputs_s3_urls"}
    | {f"{name}_or_signed_url" for name in ("inputs", "outputs", "error", "events")}
    | {"extra_or_signed_url", "serialized_or_signed_url"}
)
"""Fields of the hosted service's storage: they may be selected, and are never returned."""


def details_of(selected: Iterable[str]) -> frozenset[str]:
    """Return the details of the tokens and costs among `selected`."""
    return frozenset(
        name
        for name in _DETAILS
        if name.replace("token_", "tokens_", 1).removesuffix("_details") in selected
    )


def payloads(selected: frozenset[str]) -> list[str]:
    """Return the JSON columns that the selected wire fields are made of."""
    columns = {name for name in search.PAYLOADS if name in selected}
    for name in selected & _MADE_OF.keys():
        columns.update(_MADE_OF[name])
    return sorted(columns)


@dataclass(frozen=True)
class RunExtras:
    """Fields of runs that other tables hold, by run id; read in one query each."""

    feedback_stats: Mapping[UUID, Any] = field(default_factory=dict)
    child_run_ids: Mapping[UUID, Any] = field(default_factory=dict)
    in_dataset: frozenset[UUID] = frozenset()
    s3_urls: Mapping[UUID, Any] = field(default_factory=dict)
    share_tokens: Mapping[UUID, UUID] = field(default_factory=dict)
    last_queued_at: Mapping[UUID, Any] = field(default_factory=dict)


def extras_of(
    workspace: Workspace,
    rows: Iterable[RunRow],
    selected: frozenset[str],
    base_url: str,
    *,
    grant: Grant,
) -> RunExtras:
    """Return the selected fields of `rows` that are not columns of theirs.

    Files are at `base_url`, as long as `grant` is open.
    """
    runs = list(rows)
    ids = [run.id for run in runs]
    return RunExtras(
        feedback_stats=(
            summary.feedback_stats(workspace.pk, ids) if "feedback_stats" in selected else {}
        ),
        child_run_ids=(
            children.children_of(workspace.pk, runs)
            if selected & {"child_run_ids", "direct_child_run_ids"}
            else {}
        ),
        in_dataset=_in_dataset(workspace, ids) if "in_dataset" in selected else frozenset(),
        s3_urls=(
            attachments.s3_urls(workspace.pk, ids, grant=grant, base_url=base_url)
            if "s3_urls" in selected
            else {}
        ),
        share_tokens=sharing.tokens_of(workspace, ids) if "share_token" in selected else {},
        last_queued_at=queue_items.last_added(workspace, ids)
        if "last_queued_at" in selected
        else {},
    )


def _in_dataset(workspace: Workspace, ids: list[UUID]) -> frozenset[UUID]:
    examples = Example.objects.filter(workspace=workspace, source_run_id__in=ids)
    return frozenset(
        run_id for run_id in examples.values_list("source_run_id", flat=True) if run_id
    )


def run_out(
    row: RunRow, workspace: Workspace, selected: frozenset[str], extras: RunExtras
) -> dict[str, Any]:
    """Return a run as the wire shows it: the selected fields and the required ones.

    Documents are embedded as they were stored. There is no key `attachments`: the SDK passes
    that argument itself. A run that has only been patched so far gets a name and a time.
    """
    start = row.start_time or row.received_at
    assert start is not None
    run = {
        "id": row.id,
        "name": row.name or "unnamed",
        "start_time": start,
        "run_type": row.run_type or "chain",
        "trace_id": row.trace_id,
        "dotted_order": row.dotted_order or tree.segment(start, row.id),
        "session_id": row.project,
        "status": row.status,
        "parent_run_id": row.parent_run_id,
    }
    for name in selected - REQUIRED:
        if name in _PLAIN:
            run[name] = getattr(row, name)
        elif name in _MADE:
            run[name] = _MADE[name](row)
        elif name in _FROM_EXTRAS:
            run[name] = _FROM_EXTRAS[name](row, extras)
    if "app_path" in selected:
        run["app_path"] = app_path(workspace, row.project, row.id, row.trace_id)
    return run


_PLAIN = frozenset(
    {
        *("end_time", "error", "first_token_time", "tags", "reference_example_id", "thread_id"),
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        *("prompt_cost", "completion_cost", "total_cost"),
        "reference_dataset_id",
    }
)


def _object(text: str | None, key: str) -> Any:
    """Return a stored document as an object, which both SDKs demand; None stays None."""
    if text is None or text == "null":
        return None
    document = exact.Fragment(text)
    return document if text.lstrip()[:1] == "{" else {key: document}


def _extra(row: RunRow) -> exact.Fragment:
    """Return `extra` with its `metadata`, which is stored beside it. Nothing is parsed."""
    rest = (row.extra or "{}").strip()
    inner = rest[1:-1].strip() if rest.startswith("{") else ""
    metadata = f'{{"metadata": {row.metadata or "{}"}'
    return exact.Fragment(f"{metadata}, {inner}}}" if inner else f"{metadata}}}")


def _list(text: str | None) -> exact.Fragment | None:
    return exact.Fragment(text) if text and text.lstrip()[:1] == "[" else None


def _details(name: str, row: RunRow) -> dict[str, Any] | None:
    details = exact.loads(row.usage_details or "{}").get(name)
    if not isinstance(details, dict):
        return None
    return {key: value for key, value in details.items() if value is not None}


def _messages(row: RunRow) -> list[Any] | None:
    """Return the messages of the inputs and of the outputs in OpenAI's form; None if none."""
    messages: list[Any] = []
    for text in (row.inputs, row.outputs):
        document = exact.loads(text) if text and text.lstrip()[:1] == "{" else None
        parts = None if document is None else extracted(document)
        messages += parts[0] if parts else []
    return messages or None


def app_path(workspace: Workspace, project: UUID | None, run_id: UUID, trace_id: UUID) -> str:
    """Return the path of the page of a run."""
    return f"/o/{workspace.uuid}/projects/p/{project}/r/{run_id}?trace_id={trace_id}"


_MADE: dict[str, Callable[[RunRow], Any]] = {
    "inputs": lambda row: _object(row.inputs, "input") or {},
    "outputs": lambda row: _object(row.outputs, "output"),
    "events": lambda row: _list(row.events),
    "serialized": lambda row: _object(row.serialized, "serialized"),
    "extra": _extra,
    "metadata": lambda row: exact.Fragment(row.metadata or "{}"),
    "parent_run_ids": lambda row: tree.path_ids(row.dotted_order, row.parent_run_id),
    "inserted_at": lambda row: row.received_at,
    "execution_order": lambda row: 1 if row.is_root else 2,
    "inputs_preview": lambda row: preview(row.inputs),
    "outputs_preview": lambda row: preview(row.outputs),
    "messages": _messages,
    "latency": lambda row: row.latency_s,
} | {name: functools.partial(_details, name) for name in _DETAILS}
_FROM_EXTRAS: dict[str, Callable[[RunRow, RunExtras], Any]] = {
    "feedback_stats": lambda row, extras: extras.feedback_stats.get(row.id, {}),
    "direct_child_run_ids": lambda row, extras: extras.child_run_ids.get(row.id, []),
    "child_run_ids": lambda row, extras: extras.child_run_ids.get(row.id, []),
    "in_dataset": lambda row, extras: row.id in extras.in_dataset,
    "s3_urls": lambda row, extras: extras.s3_urls.get(row.id, {}),
    "share_token": lambda row, extras: extras.share_tokens.get(row.id),
    "last_queued_at": lambda row, extras: extras.last_queued_at.get(row.id),
}
SELECTABLE = frozenset({*REQUIRED, *_PLAIN, *_MADE, *_FROM_EXTRAS, "app_path", *HOSTED_ONLY_FIELDS})
"""Fields that a query of runs may select."""


def runs_out(
    workspace: Workspace,
    rows: Iterable[RunRow],
    selected: frozenset[str],
    request: HttpRequest | Request,
    *,
    grant: Grant,
    seen_as: Callable[[RunRow], RunRow] = lambda row: row,
) -> list[dict[str, Any]]:
    """Return runs as the wire shows them, at a constant number of queries.

    Files are linked to OBSERVATORY_PUBLIC_URL, or to the host that was asked, as long as
    `grant` is open. `seen_as` changes each row after what is stored beside it was read.
    """
    listed = list(rows)
    extras = extras_of(workspace, listed, selected, base_url(request), grant=grant)
    if selected.intersection(sums.USAGE):
        listed = spending.with_subtree_usage(workspace.pk, listed)
    if selected.intersection(_DETAILS):
        listed = totals.with_details(workspace.pk, listed)
    return [run_out(seen_as(row), workspace, selected, extras) for row in listed]


class RunDetail(RunPatch):
    """/runs/{id}: GET, as both SDKs' read_run sends it, and PATCH. A run answered for is there."""

    @endpoint(query=shapes.RunReadQuery, answer=shapes.Run)
    def get(self, request: HttpRequest, run_id: str, query: shapes.RunReadQuery) -> HttpResponse:
        row = search.get(self.workspace, uuid_or_404(run_id))
        if row is None or (query.session_id is not None and row.project != query.session_id):
            raise NotFound("Run not found")
        fields = set(WHOLE)
        if query.include_messages:
            fields.add("messages")
        if query.exclude_serialized:
            fields.remove("serialized")
        if query.exclude_s3_stored_attributes:
            fields.remove("s3_urls")
        (run,) = runs_out(
            self.workspace, [row], frozenset(fields), request, grant=self.caller.grant
        )
        return HttpResponse(dumps(run), content_type="application/json")
