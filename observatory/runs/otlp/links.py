"""Store spans as runs, each below its parent and with its dotted_order, whenever they arrive.

A span ends, and so arrives, before the one above it; and the id of a root is its trace's, not
its span's. So a child stored before its root names a parent that is none, until the root comes.
Whatever the order and number of requests, the rows end alike.
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

LOCKS: Final = 1_869_900_912  # the class of our advisory locks: "otlp" in ASCII
N_LOCKS: Final = 4_096
MAX_DEPTH: Final = 200  # of the trees whose dotted_order is filled in
MAX_ORDER: Final = 65_536


def store(workspace: Workspace, sent: Sequence[Mapped], *, now: datetime, mode: Mode) -> Stored:
    """Store `sent` in the caller's transaction (`ingest.transact`) and return what was done.

    Requests of one trace are stored one after the other.
    """
    _lock(sorted({one.trace for one in sent}))
    roots = _roots(workspace, list({one.trace for one in sent}))
    fresh = [replace(one, op=replace(one.op)) for one in sent]  # the caller may do it all again
    _place(fresh, roots)
    stored = ingest.store(workspace, [one.op for one in fresh], now=now, mode=mode)
    if stored.run_ids:
        new = [one for one in fresh if one.is_root or one.has_own_id]
        _reparent(workspace, new)
        _fill_orders(workspace, stored.run_ids)
    return stored


def _lock(traces: list[UUID]) -> None:
    """Let no other request of these traces in until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_advisory_xact_lock({LOCKS}, n) FROM"
            f" (SELECT DISTINCT abs(hashtext(trace::text) %% {N_LOCKS}) AS n"
            " FROM unnest(%s::uuid[]) trace ORDER BY 1) locks",
            [traces],
        )


def _roots(workspace: Workspace, traces: list[UUID]) -> dict[UUID, str]:
    """Return trace -> its root's span, in hexadecimal."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, coalesce(metadata ->> '{OTEL_SPAN_ID}', '') FROM runs_run"
            " WHERE workspace_id = %s AND id = ANY(%s) AND parent_run_id IS NULL",
            [workspace.pk, traces],
        )
        return dict(cursor.fetchall())


def _place(sent: Sequence[Mapped], roots: dict[UUID, str]) -> None:
    """Give each op the parent and the trace that can be known now."""
    for one in sorted(sent, key=lambda one: (one.op.start_time is None, one.op.start_time or 0)):
        if not one.is_root or one.has_own_id:
            continue
        first = roots.setdefault(one.trace, one.span_id.hex())
        if first != one.span_id.hex():  # a second root: the trace has one, it stands below
            one.op.id = run_id(one.trace.bytes, one.span_id)
            one.op.parent_run_id = one.op.trace_id = one.trace
            one.op.dotted_order = None
    by_span = {(one.trace, one.span_id): one for one in sent}
    for one in sent:
        if one.is_root or one.has_own_parent:
            continue
        parent = by_span.get((one.trace, one.parent_span_id))
        if parent is not None:
            one.op.parent_run_id = parent.op.id
            if not one.has_own_trace and (parent.has_own_trace or parent.has_own_id):
                one.op.trace_id = None  # the parent's, when it is stored
        elif roots.get(one.trace) == one.parent_span_id.hex():
            one.op.parent_run_id = one.trace


def _reparent(workspace: Workspace, new: Sequence[Mapped]) -> None:
    """Hang runs that came before their parent below it, where its id is not its span's."""
    moved = [
        (expected, one.op.id)
        for one in new
        if (expected := run_id(one.trace.bytes, one.span_id)) != one.op.id
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
                [one.trace for one in new],
            ],
        )


def _fill_orders(workspace: Workspace, run_ids: list[UUID]) -> None:
    """Give the runs of these traces that have none the dotted_order that their parents tell."""
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
