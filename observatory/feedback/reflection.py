"""Keep feedback from run attributes in step with the runs.

Runs where a Change is handled, never where runs are stored: the run's row is the record, and this
may run twice, late or concurrently.
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
from observatory.feedback.attributes import AttributeFeedback
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
    """A run that has such attributes now, or had them."""

    id: UUID
    modified_at: datetime
    reported: list[AttributeFeedback]


def sync_feedback_from_attributes(
    workspace: Workspace, run_ids: Sequence[UUID], now: datetime
) -> int:
    """Write one feedback row per attribute of these runs; return how many rows changed.

    Source app, no author. The row of an attribute is updated in place when the attribute changes
    and deleted when it is gone. A word outside an enforced taxonomy makes no row; it is quarantined
    instead. No Change is noted: the caller is handling one. Call it in a transaction. Runs without
    such attributes cost one query together.
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
    current = {
        attributes.feedback_id(workspace.uuid, carrier.id, attribute.key): (carrier, attribute)
        for carrier in carriers
        for attribute in carrier.reported
    }
    gone = [uuid for uuid in standing if uuid not in current]
    changed = {
        uuid: pair
        for uuid, pair in current.items()
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
            _Carrier(
                run_id, modified_at, attributes.feedback_in(exact.loads(metadata or "{}"), tags)
            )
            for run_id, modified_at, tags, metadata in cursor.fetchall()
        ]


def _is_same(row: Feedback, attribute: AttributeFeedback) -> bool:
    is_dated = attribute.given_at is None or row.created_at == attribute.given_at
    return (row.score, row.value, row.comment) == (
        attribute.score,
        attribute.value,
        attribute.comment,
    ) and is_dated


def _write(
    workspace: Workspace, changed: dict[UUID, tuple[_Carrier, AttributeFeedback]], now: datetime
) -> list[UUID]:
    """Store the rows and return the ids of those that an enforced scale rejects."""
    if not changed:
        return []
    inputs = [
        FeedbackInput(
            id=uuid,
            run_id=carrier.id,
            key=attribute.key,
            score=attribute.score,
            value=attribute.value,
            comment=attribute.comment,
            source_type=Feedback.Source.APP,
            source_metadata={"attribute": attribute.key},
            config=attributes.SCALES.get(attribute.key),
        )
        for uuid, (carrier, attribute) in changed.items()
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
    for refused_input, error in recorded.refused:
        if refused_input.id is not None:
            refused.append(refused_input.id)
            _quarantine(
                workspace,
                changed[refused_input.id][0],
                refused_input.id,
                str(error),
                refused_input.value,
            )
    return refused


def _quarantine(
    workspace: Workspace, carrier: _Carrier, uuid: UUID, reason: str, value: Any
) -> None:
    """Quarantine the rejected value, once per change of the run."""
    told_before = Rejected.objects.filter(
        workspace=workspace, received_at__gte=carrier.modified_at, item_id=str(uuid)
    )
    if not told_before.exists():
        why = f"run {carrier.id}: {reason}"
        ingest.quarantine(workspace, "feedback", str(uuid), "off_taxonomy", why, exact.dumps(value))
