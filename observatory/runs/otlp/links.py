"""Store spans as runs, each below its parent and with its dotted_order, in any order of arrival.

A span ends, and so arrives, before its parent; and the id of a root is its trace's, not its span's.
So a child stored before its root names a parent that does not exist until the root arrives. The
rows end alike whatever the order and number of requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from observatory.runs import ingest
from observatory.runs.ingest import Mode, Stored
from observatory.runs.otlp.mapping import OTEL_SPAN_ID, Mapped, run_id
from observatory.workspaces.models import Workspace

LOCKS: Final = 1_869_900_912  # the class of these advisory locks: "otlp" in ASCII
N_LOCKS: Final = 4_096
MAX_DEPTH: Final = 200  # of the trees whose dotted_order is filled in
MAX_ORDER: Final = 65_536


def store(workspace: Workspace, spans: Sequence[Mapped], *, now: datetime, mode: Mode) -> Stored:
    """Store `spans` in the caller's transaction (`ingest.transact`); return what was done.

    Requests with spans of one trace are stored one after the other.
    """
    _lock(sorted({span.trace for span in spans}))
    roots = _roots(workspace, list({span.trace for span in spans}))
    fresh = [replace(span, op=replace(span.op)) for span in spans]  # the caller may do it all again
    _place(fresh, roots)
    stored = ingest.store(workspace, [span.op for span in fresh], now=now, mode=mode)
    if stored.run_ids:
        new = [span for span in fresh if span.is_root or span.has_own_id]
        _reparent(workspace, new)
        _fill_orders(workspace, stored.run_ids)
    return stored


def _lock(traces: list[UUID]) -> None:
    """Block other requests with these traces until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_advisory_xact_lock({LOCKS}, n) FROM"
            f" (SELECT DISTINCT abs(hashtext(trace::text) %% {N_LOCKS}) AS n"
            " FROM unnest(%s::uuid[]) trace ORDER BY 1) locks",
            [traces],
        )


def _roots(workspace: Workspace, traces: list[UUID]) -> dict[UUID, str]:
    """Return trace -> its root's span id, in hexadecimal."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, coalesce(metadata ->> '{OTEL_SPAN_ID}', '') FROM runs_run"
            " WHERE workspace_id = %s AND id = ANY(%s) AND parent_run_id IS NULL",
            [workspace.pk, traces],
        )
        return dict(cursor.fetchall())


def _place(spans: Sequence[Mapped], roots: dict[UUID, str]) -> None:
    """Set the parent and trace of each op as far as they are known."""
    for span in sorted(
        spans, key=lambda span: (span.op.start_time is None, span.op.start_time or 0)
    ):
        if not span.is_root or span.has_own_id:
            continue
        first = roots.setdefault(span.trace, span.span_id.hex())
        if first != span.span_id.hex():  # a second root goes below the first
            span.op.id = run_id(span.trace.bytes, span.span_id)
            span.op.parent_run_id = span.op.trace_id = span.trace
            span.op.dotted_order = None
    by_span = {(span.trace, span.span_id): span for span in spans}
    for span in spans:
        if span.is_root or span.has_own_parent:
            continue
        parent = by_span.get((span.trace, span.parent_span_id))
        if parent is not None:
            span.op.parent_run_id = parent.op.id
            if not span.has_own_trace and (parent.has_own_trace or parent.has_own_id):
                span.op.trace_id = None  # the parent's, when it is stored
        elif roots.get(span.trace) == span.parent_span_id.hex():
            span.op.parent_run_id = span.trace


def _reparent(workspace: Workspace, new: Sequence[Mapped]) -> None:
    """Move runs that arrived before their parent below it, where its id is not its span's."""
    moved = [
        (expected, span.op.id)
        for span in new
        if (expected := run_id(span.trace.bytes, span.span_id)) != span.op.id
    ]
    if not moved:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE runs_run r SET parent_run_id = named.id FROM"
            " unnest(%s::uuid[], %s::uuid[]) AS named(expected, id)"
            " WHERE r.workspace_id = %s AND r.trace_id = ANY(%s)"
            " AND r.parent_run_id = named.expected",
            [
                [expected for expected, _ in moved],
                [uuid for _, uuid in moved],
                workspace.pk,
                [span.trace for span in new],
            ],
        )


def _fill_orders(workspace: Workspace, run_ids: list[UUID]) -> None:
    """Fill in the missing dotted_order of these traces' runs from their parents."""
    with connection.cursor() as cursor:
        cursor.execute(
            _ORDERS,
            {"workspace": workspace.pk, "runs": run_ids, "depth": MAX_DEPTH, "longest": MAX_ORDER},
        )


_SEGMENT = "to_char({r}.start_time AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISSUS\"Z\"') || {r}.id"
_ORDERS = f"""
WITH RECURSIVE traces AS (
  SELECT DISTINCT trace_id FROM runs_run WHERE workspace_id = %(workspace)s AND id = ANY(%(runs)s)
), members AS MATERIALIZED (
  SELECT r.id, r.parent_run_id, r.dotted_order, {_SEGMENT.format(r="r")} AS segment
    FROM runs_run r JOIN traces USING (trace_id)
   WHERE r.workspace_id = %(workspace)s AND r.start_time IS NOT NULL
), paths AS (
  SELECT m.id, coalesce(m.dotted_order, m.segment) AS path, 1 AS depth
    FROM members m JOIN traces t ON t.trace_id = m.id WHERE m.parent_run_id IS NULL
  UNION ALL
  SELECT m.id, coalesce(m.dotted_order, p.path || '.' || m.segment), p.depth + 1
    FROM members m JOIN paths p ON m.parent_run_id = p.id
   WHERE p.depth < %(depth)s AND length(p.path) < %(longest)s
)
UPDATE runs_run r SET dotted_order = paths.path FROM paths
 WHERE r.workspace_id = %(workspace)s AND r.id = paths.id AND r.dotted_order IS NULL
"""
