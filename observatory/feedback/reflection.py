"""Keep the feedback that a run's attributes are in step with the run.

Done where a Change is acted on, never where runs are stored: the run's row is the truth, and
this may run twice, late or beside others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from observatory import exact
from observatory.feedback import attributes, record
from observatory.feedback.attributes import Told
from observatory.feedback.judgement import FeedbackInput
from observatory.feedback.models import Feedback
from observatory.runs import ingest
from observatory.runs.models import Rejected
from observatory.workspaces.models import Workspace

# The rows stay locked until the caller's transaction ends: what is read here is the newest, and
# a concurrent change of the run leaves its own Change, handled after this one.
_CARRIERS = """
SELECT r.id, r.modified_at, coalesce(r.tags, '{}'),
    (SELECT jsonb_object_agg(key, value) FROM jsonb_each(r.metadata) WHERE key = ANY(%(names)s))
FROM runs_run r
WHERE r.workspace_id = %(workspace)s AND r.id = ANY(%(runs)s::uuid[])
  AND (r.metadata ?| %(names)s OR r.tags && %(tags)s OR EXISTS (
        SELECT FROM feedback_feedback f
        WHERE f.workspace_id = r.workspace_id AND f.run_id = r.id AND f.is_attribute))
ORDER BY r.id FOR NO KEY UPDATE OF r
"""
# Also when the user gave it: until then the row's time was when it was first read.
_MARK = """
UPDATE feedback_feedback f
SET is_attribute = true, is_off_scale = f.is_off_scale OR v.is_odd,
    created_at = least(coalesce(v.given_at, f.created_at), %(now)s)
FROM unnest(%(uuids)s::uuid[], %(given)s::timestamptz[], %(odd)s::boolean[])
    v(uuid, given_at, is_odd)
WHERE f.workspace_id = %(workspace)s AND f.uuid = v.uuid
"""


@dataclass(frozen=True)
class _Carrier:
    """A run that carries such attributes now, or did."""

    id: UUID
    modified_at: datetime
    told: list[Told]


def sync_feedback_from_attributes(
    workspace: Workspace, run_ids: Sequence[UUID], now: datetime
) -> int:
    """Make one feedback row of each attribute of these runs; return how many rows changed.

    Source app, no author. The row of an attribute is updated in place when the attribute
    changes and deleted when it is gone. A word that an enforced taxonomy does not know makes no
    row; the quarantine says so. No Change is noted: the caller is acting on one. Call it in a
    transaction. Runs without such attributes cost one query together.
    """
    carriers = _carriers(workspace, run_ids)
    if not carriers:
        return 0
    standing = {
        feedback.uuid: feedback
        for feedback in Feedback.objects.filter(
            workspace=workspace, run_id__in=[carrier.id for carrier in carriers], is_attribute=True
        )
    }
    wanted = {
        attributes.feedback_id(workspace.uuid, carrier.id, one.key): (carrier, one)
        for carrier in carriers
        for one in carrier.told
    }
    gone = [uuid for uuid in standing if uuid not in wanted]
    changed = {
        uuid: pair
        for uuid, pair in wanted.items()
        if uuid not in standing or not _is_same(standing[uuid], pair[1])
    }
    refused = _write(workspace, changed, now)
    gone += [uuid for uuid in refused if uuid in standing]
    Feedback.objects.filter(workspace=workspace, uuid__in=gone).delete()
    return len(gone) + len(changed) - len(refused)


def _carriers(workspace: Workspace, run_ids: Iterable[UUID]) -> list[_Carrier]:
    parameters: dict[str, Any] = {
        "workspace": workspace.pk,
        "runs": "{" + ",".join(map(str, run_ids)) + "}",
        "names": list(attributes.NAMES),
        "tags": list(attributes.TAGS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CARRIERS, parameters)
        return [
            _Carrier(run_id, modified_at, attributes.told(exact.loads(found or "{}"), tags))
            for run_id, modified_at, tags, found in cursor.fetchall()
        ]


def _is_same(row: Feedback, one: Told) -> bool:
    is_dated = one.given_at is None or row.created_at == one.given_at
    return (row.score, row.value, row.comment) == (one.score, one.value, one.comment) and is_dated


def _write(
    workspace: Workspace, changed: dict[UUID, tuple[_Carrier, Told]], now: datetime
) -> list[UUID]:
    """Store the rows and return the ids of those that an enforced scale refuses."""
    if not changed:
        return []
    inputs = [
        FeedbackInput(
            id=uuid,
            run_id=carrier.id,
            key=one.key,
            score=one.score,
            value=one.value,
            comment=one.comment,
            source_type=Feedback.Source.APP,
            source_metadata={"attribute": one.key},
            config=attributes.SCALES.get(one.key),
        )
        for uuid, (carrier, one) in changed.items()
    ]
    recorded = record.store(workspace, inputs, now=now)
    marked = [feedback.uuid for feedback in recorded.stored]
    with connection.cursor() as cursor:
        cursor.execute(
            _MARK,
            {
                "workspace": workspace.pk,
                "uuids": marked,
                "given": [changed[uuid][1].given_at for uuid in marked],
                "odd": [changed[uuid][1].is_odd for uuid in marked],
                "now": now,
            },
        )
    refused = []
    for sent, error in recorded.refused:
        if sent.id is not None:
            refused.append(sent.id)
            _quarantine(workspace, changed[sent.id][0], sent.id, str(error), sent.value)
    return refused


def _quarantine(
    workspace: Workspace, carrier: _Carrier, uuid: UUID, reason: str, value: Any
) -> None:
    """Keep the refusal, once for each time the run was changed."""
    told_before = Rejected.objects.filter(
        workspace=workspace, received_at__gte=carrier.modified_at, item_id=str(uuid)
    )
    if not told_before.exists():
        why = f"run {carrier.id}: {reason}"
        ingest.quarantine(workspace, "feedback", str(uuid), "off_taxonomy", why, exact.dumps(value))
