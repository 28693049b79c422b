"""The outbox: which runs changed, noted in the transaction that changed them.

A Celery message only starts the work early; these rows are the record of it. A task claims a
change, acts on it and deletes it in one transaction, so a crash in between leaves the row for the
next task.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from observatory.db import prepared
from observatory.events import announce
from observatory.runs import signals
from observatory.runs.models import Change
from observatory.wire_values import clean_text
from observatory.workspaces.models import Workspace

MAX_ATTEMPTS = 5
FIRST_DELAY = timedelta(seconds=5)
ERROR_LENGTH = 2_000


def note(
    workspace: Workspace,
    kind: Change.Kind | str,
    run_ids: Iterable[UUID],
    *,
    asking: Sequence[str] = ("true",),
    values: Sequence[Any] = (),
) -> tuple[bool, ...]:
    """Write one Change row that names `run_ids` and announce it after commit.

    Call it in the transaction that changed the rows: both are stored or neither is. Nothing
    is written for no runs. `asking` are conditions in SQL over the new row, called `change`, that
    the same statement answers, with their `values`: ingestion saves round trips by it. Return the
    answers, none if nothing was written.
    """
    ids = {run_id.int: run_id for run_id in run_ids}
    if not ids:
        return ()
    with prepared.cursor() as cursor:  # plain SQL: this runs once in every ingest request
        cursor.execute(
            "INSERT INTO runs_change AS change (workspace_id, kind, run_ids)"
            f" VALUES (%s, %s, %s::uuid[]) RETURNING {', '.join(asking)}",
            [
                workspace.pk,
                str(kind),
                prepared.uuid_array(ids[number] for number in sorted(ids)),
                *values,
            ],
        )
        answers: tuple[bool, ...] = cursor.fetchone()
    announce(signals.runs_settled, Change, workspace_id=workspace.pk)
    return answers


def claim(limit: int) -> list[Change]:
    """Lock and return up to `limit` due changes, oldest first; those others hold are passed over.

    Call it in a transaction: the claim lasts until its end. Delete what was acted on there.
    """
    return list(
        Change.objects.select_for_update(skip_locked=True)
        .filter(is_dead=False, due_at__lte=Now())
        .order_by("due_at", "pk")[:limit]
    )


def fail(change: Change, error: str, now: datetime) -> None:
    """Put `change` off: 5 s, 10 s, 20 s ... and dead, with its error, after the fifth attempt.

    A dead change is never claimed again; `revive` brings it back.
    """
    change.attempts += 1
    change.last_error = clean_text(error[:ERROR_LENGTH])
    change.is_dead = change.attempts >= MAX_ATTEMPTS
    change.due_at = now + FIRST_DELAY * 2 ** (change.attempts - 1)
    change.save(update_fields=["attempts", "last_error", "is_dead", "due_at"])


def revive(now: datetime, among: QuerySet[Change] | None = None) -> int:
    """Make the dead changes (`among` these, if given) due again and return how many there were."""
    changes = Change.objects.all() if among is None else among
    return changes.filter(is_dead=True).update(is_dead=False, attempts=0, due_at=now)
