"""The fields of a run that `selects` may name, and runs as the generated clients read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

from annotations.queues import queue_items
from observatory.api.kit.base import base_url
from observatory.api.runs import read as run_read
from observatory.api.v2.bodies import choices_of
from observatory.runs import sharing
from observatory.runs.grants import Grant
from observatory.runs.previews import MAX_PREVIEW, preview
from observatory.runs.search import PAYLOADS, RunRow
from observatory.workspaces.models import Workspace

_DETAILS = (
    *("prompt_token_details", "completion_token_details"),
    *("prompt_cost_details", "completion_cost_details"),
)
_SAME = (
    *("id", "name", "start_time", "end_time", "first_token_time", "error", "extra", "metadata"),
    *("events", "inputs", "outputs", "parent_run_ids", "parent_run_id", "trace_id", "thread_id"),
    *("dotted_order", "reference_example_id", "total_tokens", "prompt_tokens", "tags"),
    *("completion_tokens", "total_cost", "prompt_cost", "completion_cost", "app_path"),
    *("feedback_stats", *_DETAILS),
)
_RENAMED = {
    "LATENCY_SECONDS": "latency",
    "MANIFEST": "serialized",
    "PROJECT_ID": "session_id",
    "ATTACHMENTS": "s3_urls",
    "IS_IN_DATASET": "in_dataset",
}
_FROM = {name.upper(): name for name in _SAME} | _RENAMED
"""Field -> the field of a run of version 1 that it is made of."""
_OF_THE_ROW = ("RUN_TYPE", "STATUS", "IS_ROOT", "ERROR_PREVIEW", "INPUTS_PREVIEW")
_HOSTED_ONLY_FIELDS = ("PRICE_MODEL_ID", "THREAD_EVALUATION_TIME", "LS_USER_ID")
"""Fields of the hosted service: they may be selected, and are never returned."""
_FROM_OTHER_TABLES = ("REFERENCE_DATASET_ID", "LAST_QUEUED_AT", "SHARE_URL")
FIELDS = frozenset(
    {*_FROM, *_OF_THE_ROW, "OUTPUTS_PREVIEW", *_HOSTED_ONLY_FIELDS, *_FROM_OTHER_TABLES}
    - {"PARENT_RUN_ID"}
)
"""Fields that a query may select: langsmith.types.RunSelectField."""
PUBLIC = frozenset(
    (FIELDS | {"PARENT_RUN_ID"})
    - {"APP_PATH", "IS_IN_DATASET", "REFERENCE_EXAMPLE_ID", *_FROM_OTHER_TABLES, "LS_USER_ID"}
    | {"REFERENCE_DATASET_ID"}
)
"""Fields that a visitor with a token may select."""
AGGREGATES = frozenset({"TOTAL_TOKENS", "TOTAL_COST", "FIRST_TOKEN_TIME"})
_USAGE = AGGREGATES | {
    *("PROMPT_TOKENS", "COMPLETION_TOKENS", "PROMPT_COST", "COMPLETION_COST"),
    *(name.upper() for name in _DETAILS),
}


def selected(names: list[str] | None, known: Iterable[str] = FIELDS) -> frozenset[str]:
    """Return the fields that `selects` names; none means the id alone. Raises ParseError."""
    return frozenset(choices_of("selects", names, known)) or frozenset({"ID"})


def has_usage(fields: frozenset[str]) -> bool:
    """Return whether tokens, costs or the time of the first token are among `fields`."""
    return bool(fields & _USAGE)


def has_details(fields: frozenset[str]) -> bool:
    """Return whether tokens or costs by category are among `fields`."""
    return any(name.upper() in fields for name in _DETAILS)


def payloads(fields: frozenset[str]) -> list[str]:
    """Return the JSON columns that the fields are made of."""
    columns = set(run_read.payloads(_needed(fields)))
    columns |= {name for name in PAYLOADS if f"{name.upper()}_PREVIEW" in fields}
    return sorted(columns)


def _needed(fields: frozenset[str]) -> frozenset[str]:
    return frozenset(_FROM[field] for field in fields if field in _FROM)


def runs_out(
    workspace: Workspace,
    rows: Sequence[RunRow],
    fields: frozenset[str],
    request: HttpRequest | Request,
    *,
    grant: Grant,
    seen_as: Callable[[RunRow], RunRow] = lambda row: row,
) -> list[dict[str, Any]]:
    """Return runs with the selected fields alone, at a constant number of queries.

    Usage is each run's own, unless the rows hold the totals of its subtree.
    """
    needed = _needed(fields) | run_read.REQUIRED
    base = base_url(request)
    stored = run_read.extras_of(workspace, rows, needed, base, grant=grant)
    runs_v1 = [run_read.run_out(seen_as(row), workspace, needed, stored) for row in rows]
    extras = _extras(workspace, rows, fields, base)
    return [
        {**_run(row, run_v1, fields), **extras.get(row.id, {})}
        for row, run_v1 in zip(rows, runs_v1, strict=True)
    ]


def _run(row: RunRow, run_v1: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    run = {_name(field): _value(field, run_v1[_FROM[field]]) for field in fields if field in _FROM}
    made: dict[str, Any] = {
        "RUN_TYPE": run_v1["run_type"].upper(),
        "STATUS": row.status.upper(),
        "IS_ROOT": run_v1["parent_run_id"] is None,
        "ERROR_PREVIEW": None if row.error is None else row.error[:MAX_PREVIEW],
    }
    run |= {field.lower(): value for field, value in made.items() if field in fields}
    for field, document in (("INPUTS_PREVIEW", row.inputs), ("OUTPUTS_PREVIEW", row.outputs)):
        if field in fields:
            run[field.lower()] = preview(document)
    return run


def _name(field: str) -> str:
    return {"LATENCY_SECONDS": "latency_seconds", "PROJECT_ID": "project_id"}.get(
        field, field.lower()
    )


def _value(field: str, value: Any) -> Any:
    if field == "ATTACHMENTS":
        return {
            name.removeprefix("attachment."): file["presigned_url"] for name, file in value.items()
        }
    if field.lower() in _DETAILS:
        return None if value is None else {"raw": value}
    return value


def _extras(
    workspace: Workspace,
    rows: Sequence[RunRow],
    fields: frozenset[str],
    base: str,
) -> dict[UUID, dict[str, Any]]:
    """Return the fields that other tables hold, by run, in one query per field."""
    ids = [row.id for row in rows]
    extras: dict[UUID, dict[str, Any]] = {run_id: {} for run_id in ids}
    if "SHARE_URL" in fields:
        for run_id, token in sharing.tokens_of(workspace, ids).items():
            extras[run_id]["share_url"] = f"{base}/public/{token}/r"
    if "LAST_QUEUED_AT" in fields:
        for run_id, at in queue_items.last_added(workspace, ids).items():
            extras[run_id]["last_queued_at"] = at
    if "REFERENCE_DATASET_ID" in fields:
        for row in rows:
            extras[row.id]["reference_dataset_id"] = row.reference_dataset_id
    return extras
