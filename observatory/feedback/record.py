"""Create, update, delete feedback, and give the feedback that waited to its run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction

from observatory import exact
from observatory.db import prepared
from observatory.db.columns import Columns
from observatory.events import announce
from observatory.extensions import Additions
from observatory.feedback import scales, signals
from observatory.feedback.judgement import FeedbackInput, InvalidFeedback, OfAReview
from observatory.feedback.models import Feedback, FeedbackConfig
from observatory.runs import changes
from observatory.runs.models import Change, Project
from observatory.workspaces.models import ApiKey, User, Workspace

__all__ = [
    "FeedbackInput",
    "InvalidFeedback",
    "OfAReview",
    "Recorded",
    "attach",
    "delete",
    "record",
    "record_many",
    "store",
    "update",
]


SEALERS: Final = Additions[Callable[[Workspace, Sequence[Feedback]], None]]()
"""Called with what was stored, in the same transaction: rooms above seal what only its author may
read yet."""


@dataclass(frozen=True)
class Recorded:
    """What `record_many` stored, and what it refused with the reason."""

    stored: list[Feedback]
    refused: list[tuple[FeedbackInput, InvalidFeedback]]


_CONFIG = Columns(FeedbackConfig, "c")
_DECLARED = (
    f"SELECT {_CONFIG.sql} FROM feedback_feedbackconfig c"
    " WHERE c.workspace_id = %s AND c.key = ANY(%s::text[])"
)

# One statement: the run and the project are looked up as the rows go in. A row that belongs to
# another person or to a review is left alone (the WHERE of the update): RETURNING lacks it.
_FEEDBACK = Columns(Feedback, "feedback_feedback")
_UPSERT = f"""
INSERT INTO feedback_feedback (
    workspace_id, uuid, run_id, trace_id, project_id, run_start_time, is_root, key, score, value,
    comment, correction, source_type, source_metadata, user_id, api_key_id, config, scale,
    is_error, is_off_scale, comparative_experiment_id, feedback_group_id, feedback_thread_id, extra,
    review_uuid, is_sealed, created_at, modified_at)
SELECT %(workspace)s, f.uuid, f.run_id, coalesce(r.trace_id, f.trace_id),
    coalesce(r.project_id, p.id), r.start_time,
    CASE WHEN r.id IS NOT NULL THEN r.parent_run_id IS NULL END,
    f.key, f.score, f.value, f.comment, f.correction, f.source_type, f.source_metadata,
    %(user)s::bigint, %(api_key)s::bigint, f.config, f.scale, f.is_error, f.is_off_scale,
    f.comparative_experiment_id, f.feedback_group_id, f.feedback_thread_id, f.extra,
    f.review_uuid, f.is_sealed,
    least(coalesce(f.created_at, %(now)s::timestamptz), %(now)s::timestamptz), %(now)s::timestamptz
FROM jsonb_to_recordset(%(rows)s::jsonb) AS f(
    uuid uuid, run_id uuid, trace_id uuid, session_id uuid, key text, score double precision,
    value jsonb, comment text, correction jsonb, source_type text, source_metadata jsonb,
    config jsonb, scale jsonb, is_error boolean, is_off_scale boolean,
    comparative_experiment_id uuid, feedback_group_id uuid, feedback_thread_id text,
    extra jsonb, review_uuid uuid, is_sealed boolean, created_at timestamptz)
LEFT JOIN runs_run r ON r.workspace_id = %(workspace)s AND r.id = f.run_id
LEFT JOIN runs_project p ON p.workspace_id = %(workspace)s AND p.uuid = f.session_id
ORDER BY f.uuid
ON CONFLICT (workspace_id, uuid) DO UPDATE SET
    run_id = excluded.run_id, trace_id = excluded.trace_id, project_id = excluded.project_id,
    run_start_time = excluded.run_start_time, is_root = excluded.is_root, key = excluded.key,
    score = excluded.score, value = excluded.value, comment = excluded.comment,
    correction = excluded.correction, source_type = excluded.source_type,
    source_metadata = excluded.source_metadata, config = excluded.config,
    scale = excluded.scale,
    is_error = excluded.is_error, is_off_scale = excluded.is_off_scale,
    comparative_experiment_id = excluded.comparative_experiment_id,
    feedback_group_id = excluded.feedback_group_id,
    feedback_thread_id = excluded.feedback_thread_id, extra = excluded.extra,
    is_sealed = excluded.is_sealed, modified_at = excluded.modified_at
WHERE feedback_feedback.user_id IS NOT DISTINCT FROM excluded.user_id
  AND feedback_feedback.review_uuid IS NOT DISTINCT FROM excluded.review_uuid
RETURNING {_FEEDBACK.sql}
"""


def _note(workspace: Workspace, run_ids: Iterable[UUID | None]) -> None:
    """Note the judged runs in the outbox and announce them after commit."""
    judged = [run_id for run_id in run_ids if run_id is not None]
    changes.note(workspace, Change.Kind.FEEDBACK, judged)
    announce(signals.feedback_recorded, Feedback, workspace_id=workspace.pk)


def _row(
    sent: FeedbackInput, uuid: UUID, *, declared: FeedbackConfig | None, is_off_scale: bool
) -> dict[str, Any]:
    def text(value: UUID | datetime | None) -> str | None:
        return None if value is None else str(value)

    return {
        "uuid": str(uuid),
        "run_id": text(sent.run_id),
        "trace_id": text(sent.trace_id),
        "session_id": text(sent.session_id),
        "key": sent.key,
        "score": sent.score,
        "value": sent.value,
        "comment": sent.comment,
        "correction": sent.correction,
        "source_type": sent.source_type,
        "source_metadata": sent.source_metadata,
        "config": sent.config,
        "scale": _scale(declared, sent.scale, sent.config),
        "is_error": sent.is_error,
        "is_off_scale": is_off_scale,
        "comparative_experiment_id": text(sent.comparative_experiment_id),
        "feedback_group_id": text(sent.feedback_group_id),
        "feedback_thread_id": sent.feedback_thread_id,
        "extra": sent.extra,
        "review_uuid": text(sent.review),
        "is_sealed": sent.is_sealed,
        "created_at": text(sent.created_at),
    }


def _scale(
    declared: FeedbackConfig | None,
    known: Mapping[str, Any] | None,
    sent: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    """Return the scale to keep: the one it was given on, else the declared, else the sent one."""
    config = known or (declared.config if declared is not None else sent)
    if config is None:
        return None
    is_lower = declared.is_lower_score_better if declared is not None else None
    return scales.kept(config, is_lower_better=is_lower)


def _is_off_scale(
    declared: FeedbackConfig | None, sent: Mapping[str, Any] | None, score: float | None, value: Any
) -> bool:
    """Return whether a score misses its scale. Raises InvalidFeedback if that is enforced."""
    if declared is not None:
        complaint = scales.complaint(declared.config, score, value)
        if complaint and declared.is_enforced:
            field, _, reason = complaint.partition(": ")
            raise InvalidFeedback(field, f"{reason}; the scale of {declared.key!r} is enforced")
        if complaint:
            return True
    return sent is not None and scales.complaint(sent, score, value) is not None


def _check_projects(workspace: Workspace, inputs: Sequence[FeedbackInput]) -> set[UUID]:
    """Return the projects that feedback without a run names and this workspace does not have."""
    wanted = {f.session_id for f in inputs if f.run_id is None and f.session_id is not None}
    if not wanted:
        return set()
    return wanted - set(
        Project.objects.filter(workspace=workspace, uuid__in=wanted).values_list("uuid", flat=True)
    )


@transaction.atomic(savepoint=False)  # nothing is caught here that a savepoint would undo
def record_many(
    workspace: Workspace,
    inputs: Sequence[FeedbackInput],
    *,
    now: datetime,
    user: User | None = None,
    api_key: ApiKey | None = None,
) -> Recorded:
    """Do what `store` does, and note the judged runs as changed.

    A scale sent with feedback whose key has none is the declared one from then on.
    """
    recorded = store(workspace, inputs, now=now, user=user, api_key=api_key)
    refused = {id(sent) for sent, _ in recorded.refused}
    _declare(workspace, [sent for sent in inputs if id(sent) not in refused], now)
    if recorded.stored:
        _note(workspace, (feedback.run_id for feedback in recorded.stored))
    return recorded


def store(
    workspace: Workspace,
    inputs: Sequence[FeedbackInput],
    *,
    now: datetime,
    user: User | None = None,
    api_key: ApiKey | None = None,
) -> Recorded:
    """Store feedback, a row an id, in the caller's transaction. Twice equals once.

    An id that exists is overwritten (an SDK repeats what it is not sure of), keeping author and
    creation time; of one id twice in `inputs` the later wins. `user` is the author. Another
    person's feedback is never touched, whatever key or run it is about. A run that is unknown
    may arrive later: see `attach`. Refused, with a reason, and not costing the others: a score
    off an enforced scale, the id of another person's feedback or of a review's (OfAReview),
    feedback on no run and no project.
    """
    keys = {sent.key for sent in inputs}
    with prepared.cursor() as cursor:
        cursor.execute(_DECLARED, [workspace.pk, sorted(keys)])
        configs = [_CONFIG.instance(_CONFIG.take(list(row))) for row in cursor.fetchall()]
    declared: dict[str, FeedbackConfig] = {config.key: config for config in configs}
    unknown = _check_projects(workspace, inputs)
    rows: dict[str, dict[str, Any]] = {}
    of_row: dict[str, FeedbackInput] = {}
    refused: list[tuple[FeedbackInput, InvalidFeedback]] = []
    for sent in inputs:
        try:
            if sent.run_id is None and (sent.session_id is None or sent.session_id in unknown):
                raise InvalidFeedback("session_id", "names no project, and there is no run_id")
            is_off = _is_off_scale(declared.get(sent.key), sent.config, sent.score, sent.value)
        except InvalidFeedback as error:
            refused.append((sent, error))
            continue
        row = _row(sent, sent.id or uuid4(), declared=declared.get(sent.key), is_off_scale=is_off)
        rows[row["uuid"]] = row
        of_row[row["uuid"]] = sent
    if not rows:
        return Recorded([], refused)
    parameters = {
        "workspace": workspace.pk,
        "user": user.pk if user else None,
        "api_key": api_key.pk if api_key else None,
        "now": now,
        "rows": exact.jsonb(list(rows.values())),
    }
    with prepared.cursor() as cursor:
        cursor.execute(_UPSERT, parameters)
        stored: list[Feedback] = [
            _FEEDBACK.instance(_FEEDBACK.take(list(row))) for row in cursor.fetchall()
        ]
    taken = sorted(set(rows) - {str(feedback.uuid) for feedback in stored})
    refused += [(of_row[uuid], error) for uuid, error in _taken(workspace, taken).items()]
    for seal in SEALERS:
        seal(workspace, stored)
    return Recorded(stored, refused)


def _taken(workspace: Workspace, uuids: Sequence[str]) -> dict[str, InvalidFeedback]:
    """Return why each of these ids cannot be written: a review's, or another person's."""
    if not uuids:
        return {}
    reviewed = Feedback.objects.filter(workspace=workspace, uuid__in=uuids)
    of_reviews = set(map(str, reviewed.exclude(review_uuid=None).values_list("uuid", flat=True)))
    return {
        uuid: OfAReview()
        if uuid in of_reviews
        else InvalidFeedback("id", "is the id of another person's feedback")
        for uuid in uuids
    }


def _declare(workspace: Workspace, inputs: Sequence[FeedbackInput], now: datetime) -> None:
    """Declare the scale that came with each key which has none. One query, none without a scale."""
    sent = {one.key: one.config for one in reversed(inputs) if one.config is not None}
    if sent:
        FeedbackConfig.objects.bulk_create(
            [
                FeedbackConfig(
                    workspace=workspace, key=key, config=config, created_at=now, modified_at=now
                )
                for key, config in sorted(sent.items())
            ],
            ignore_conflicts=True,
        )


def record(
    workspace: Workspace,
    sent: FeedbackInput,
    *,
    now: datetime,
    user: User | None = None,
    api_key: ApiKey | None = None,
) -> Feedback:
    """Store one feedback as `record_many` does. Raises InvalidFeedback when it is refused."""
    recorded = record_many(workspace, [sent], now=now, user=user, api_key=api_key)
    if recorded.refused:
        raise recorded.refused[0][1]
    return recorded.stored[0]


@transaction.atomic
def update(
    workspace: Workspace, uuid: UUID, changed: Mapping[str, Any], *, now: datetime
) -> Feedback:
    """Change those of score, value, correction, comment and config that `changed` names.

    Raises Feedback.DoesNotExist, InvalidFeedback when the scale is enforced, and OfAReview for
    what a review wrote.
    """
    feedback = Feedback.objects.select_for_update(no_key=True).get(workspace=workspace, uuid=uuid)
    if feedback.review_uuid is not None:
        raise OfAReview
    declared = FeedbackConfig.objects.filter(workspace=workspace, key=feedback.key).first()
    for name, value in changed.items():
        setattr(feedback, name, value)
    feedback.is_off_scale = _is_off_scale(declared, feedback.config, feedback.score, feedback.value)
    if "config" in changed:
        feedback.scale = _scale(declared, None, feedback.config)
    feedback.modified_at = now
    feedback.save(update_fields=[*changed, "scale", "is_off_scale", "modified_at"])
    for seal in SEALERS:
        seal(workspace, [feedback])
    _note(workspace, [feedback.run_id])
    return feedback


@transaction.atomic
def delete(workspace: Workspace, uuid: UUID) -> bool:
    """Delete one feedback. Return False if there is none. Raises OfAReview for a review's."""
    rows = Feedback.objects.select_for_update().filter(workspace=workspace, uuid=uuid)
    feedback = rows.first()
    if feedback is None:
        return False
    if feedback.review_uuid is not None:
        raise OfAReview
    feedback.delete()
    _note(workspace, [feedback.run_id])
    return True


@transaction.atomic
def withdraw(workspace: Workspace, review: UUID, written: Iterable[UUID]) -> None:
    """Delete the feedback `written` (ids) by a review, and note the runs it judged.

    What the review only took for its answer goes back to the program that sent it.
    """
    rows = Feedback.objects.filter(workspace=workspace, review_uuid=review)
    judged = list(rows.values_list("run_id", flat=True))
    rows.filter(uuid__in=list(written)).delete()
    rows.update(review_uuid=None)
    if judged:
        _note(workspace, judged)


ANY_WAITS: Final = (
    "exists(SELECT FROM (SELECT 1 FROM feedback_feedback f"
    " WHERE f.workspace_id = change.workspace_id AND f.run_start_time IS NULL"
    " AND f.run_id IS NOT NULL ORDER BY f.workspace_id, f.run_id LIMIT 1) waits)"
)
"""For `ingest.store`: whether any feedback of the workspace waits for its run."""
_WAITS = "f.run_start_time IS NULL"
_DIFFERS = """
(f.run_start_time IS DISTINCT FROM r.start_time
 OR f.project_id IS DISTINCT FROM coalesce(r.project_id, f.project_id))
"""


def attach(workspace: Workspace, run_ids: Sequence[UUID], *, is_thorough: bool = False) -> int:
    """Give the feedback that waited for these runs their project, start and place in the trace.

    `is_thorough`: give it to feedback whose run has moved since, too; it looks at all of theirs.

    Return how many rows changed. Called where runs are stored, and again where a Change is
    acted on: of a run and a feedback stored at the same moment neither sees the other, but both
    left a Change, and the later of the two is acted on when both are there.
    """
    if not run_ids:
        return 0
    with prepared.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE feedback_feedback f
            SET project_id = coalesce(r.project_id, f.project_id), run_start_time = r.start_time,
                is_root = r.parent_run_id IS NULL, trace_id = coalesce(r.trace_id, f.trace_id)
            FROM runs_run r
            WHERE f.workspace_id = %(workspace)s AND f.run_id = ANY(%(runs)s::uuid[])
              AND {_DIFFERS if is_thorough else _WAITS}
              AND r.workspace_id = f.workspace_id AND r.id = f.run_id
            """,
            {"workspace": workspace.pk, "runs": prepared.uuid_array(run_ids)},
        )
        n_attached: int = cursor.rowcount
    return n_attached
