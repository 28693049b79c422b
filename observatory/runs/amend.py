"""Change a stored run: single metadata members and tags, its end time, its error.

An op folds into a row and never removes anything (see merge.py). An amendment is made by a client
or reviewer who has seen the row, so it may remove. What it sets outranks every op that ended
before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from observatory import exact
from observatory.runs import changes, merge
from observatory.runs.models import Change
from observatory.workspaces.models import Workspace


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """What to set and what to remove. None leaves a field as it is.

    `error` "" means that the run did not fail. `extra` sets single members.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    metadata_gone: frozenset[str] = frozenset()
    tags: tuple[str, ...] = ()
    tags_gone: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)
    end_time: datetime | None = None
    error: str | None = None


_AMEND = """
UPDATE runs_run SET
    metadata = (metadata - %(metadata_gone)s::text[]) || %(metadata)s::jsonb,
    tags = CASE WHEN %(has_tags)s THEN (
        SELECT coalesce(array_agg(tag ORDER BY place), '{}') FROM (
            SELECT tag, min(place) AS place
            FROM unnest(coalesce(tags, '{}') || %(tags)s::text[])
                WITH ORDINALITY said(tag, place)
            WHERE tag <> ALL(%(tags_gone)s::text[]) GROUP BY tag
        ) kept) ELSE tags END,
    extra = CASE WHEN %(extra)s::jsonb = '{}' THEN extra
        ELSE coalesce(extra, '{}'::jsonb) || %(extra)s::jsonb END,
    end_time = coalesce(%(end_time)s::timestamptz, end_time),
    error = CASE WHEN %(error)s::text IS NULL THEN error ELSE nullif(%(error)s::text, '') END,
    clock = coalesce(clock, '{}'::jsonb) || %(clock)s::jsonb,
    modified_at = %(now)s
WHERE workspace_id = %(workspace)s AND id = %(run)s
"""

# An equal rank was set for the same moment: write only if the value differs.
_SET = """
WITH wanted AS (
    SELECT r.workspace_id, r.id, v.value, v.rank
    FROM unnest(%(runs)s::uuid[], %(values)s::text[], %(ranks)s::text[]) v(id, value, rank)
    JOIN runs_run r ON r.workspace_id = %(workspace)s AND r.id = v.id
    WHERE r.metadata ->> %(key)s IS DISTINCT FROM v.value
      AND coalesce(r.clock ->> %(member)s, '') COLLATE "C" <= v.rank COLLATE "C"
    ORDER BY r.id FOR NO KEY UPDATE OF r
)
UPDATE runs_run r SET
    metadata = r.metadata || jsonb_build_object(%(key)s::text, w.value),
    clock = coalesce(r.clock, '{}'::jsonb) || jsonb_build_object(%(member)s::text, w.rank),
    modified_at = %(now)s
FROM wanted w WHERE r.workspace_id = w.workspace_id AND r.id = w.id
"""


@transaction.atomic
def amend(workspace: Workspace, run_id: UUID, amendment: Amendment, *, now: datetime) -> bool:
    """Apply `amendment` in one statement and note the change. Return False for an unknown run."""
    rank = merge.stamp(now)
    ranked = [merge.METADATA + key for key in amendment.metadata]
    has_tags = bool(amendment.tags or amendment.tags_gone)
    for name, is_set in (
        ("tags", has_tags),
        ("extra", bool(amendment.extra)),
        ("end_time", amendment.end_time is not None),
        ("error", amendment.error is not None),
    ):
        ranked += [name] if is_set else []
    parameters: dict[str, Any] = {
        "workspace": workspace.pk,
        "run": run_id,
        "metadata": Jsonb(dict(amendment.metadata), exact.jsonb),
        "metadata_gone": sorted(amendment.metadata_gone),
        "has_tags": has_tags,
        "tags": list(amendment.tags),
        "tags_gone": sorted(amendment.tags_gone),
        "extra": Jsonb(dict(amendment.extra), exact.jsonb),
        "end_time": amendment.end_time,
        "error": amendment.error,
        "clock": Jsonb(dict.fromkeys(ranked, rank)),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_AMEND, parameters)
        if cursor.rowcount == 0:
            return False
    changes.note(workspace, Change.Kind.RUN, [run_id])
    return True


def set_metadata(
    workspace: Workspace, key: str, values: Mapping[UUID, tuple[str, datetime]], *, now: datetime
) -> int:
    """Set one metadata member of many runs; return how many changed.

    `values` maps each run id to the text and the time from which it holds. A value set for a later
    time, by an op or an amendment, stays. Unknown runs are skipped. Writes no Change row: the
    caller is already handling one.
    """
    if not values:
        return 0
    ordered = sorted(values.items())
    with connection.cursor() as cursor:
        cursor.execute(
            _SET,
            {
                "workspace": workspace.pk,
                "key": key,
                "member": merge.METADATA + key,
                "runs": [run_id for run_id, _ in ordered],
                "values": [value for _, (value, _) in ordered],
                "ranks": [merge.stamp(as_of.astimezone(UTC)) for _, (_, as_of) in ordered],
                "now": now,
            },
        )
        n_changed: int = cursor.rowcount
    return n_changed


_ADD_TAG = """
WITH wanted AS (
    SELECT workspace_id, id FROM runs_run
    WHERE workspace_id = %(workspace)s AND id = ANY(%(runs)s::uuid[])
      AND NOT coalesce(tags, '{}') @> ARRAY[%(tag)s::text]
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE runs_run r SET
    tags = coalesce(r.tags, '{}') || ARRAY[%(tag)s::text],
    clock = coalesce(r.clock, '{}'::jsonb) || jsonb_build_object('tags', %(rank)s::text),
    modified_at = %(now)s
FROM wanted w WHERE r.workspace_id = w.workspace_id AND r.id = w.id
RETURNING r.id
"""


@transaction.atomic
def add_tag(workspace: Workspace, run_ids: Sequence[UUID], tag: str, *, now: datetime) -> int:
    """Add `tag` to the stored runs that lack it, and note them as changed; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD_TAG,
            {
                "workspace": workspace.pk,
                "runs": sorted(run_ids),
                "tag": tag,
                "rank": merge.stamp(now),
                "now": now,
            },
        )
        tagged = [run_id for (run_id,) in cursor.fetchall()]
    changes.note(workspace, Change.Kind.RUN, tagged)
    return len(tagged)
