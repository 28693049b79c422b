"""The outbox of changes."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from observatory.runs import changes, signals
from observatory.runs.models import Change

pytestmark = pytest.mark.django_db


def test_a_change_is_announced_after_commit_and_names_its_runs(
    acme, django_capture_on_commit_callbacks
) -> None:
    heard: list[int] = []

    def hear(workspace_id: int, **_: object) -> None:
        heard.append(workspace_id)

    signals.runs_settled.connect(hear)
    try:
        ids = [uuid4(), uuid4()]
        with django_capture_on_commit_callbacks(execute=True):
            changes.note(acme, Change.Kind.RUN, ids)
            changes.note(acme, Change.Kind.RUN, [])
            assert heard == []
        assert heard == [acme.pk]
    finally:
        signals.runs_settled.disconnect(hear)
    assert sorted(Change.objects.get().run_ids) == sorted(ids)


def test_claims_come_oldest_first_and_only_when_due(acme, now) -> None:
    for _ in range(3):
        changes.note(acme, Change.Kind.FEEDBACK, [uuid4()])
    first, second, third = Change.objects.order_by("pk")
    Change.objects.filter(pk=second.pk).update(due_at=first.due_at + timedelta(days=1))
    Change.objects.filter(pk=third.pk).update(is_dead=True)
    with transaction.atomic():
        assert [change.pk for change in changes.claim(10)] == [first.pk]


def test_b5_a_backlog_is_claimed_in_batches_of_the_size_asked_for(acme) -> None:
    for _ in range(5):
        changes.note(acme, Change.Kind.RUN, [uuid4()])
    sizes = []
    for _ in range(3):
        with transaction.atomic():
            claimed = changes.claim(2)
            Change.objects.filter(pk__in=[change.pk for change in claimed]).delete()
        sizes.append(len(claimed))
    assert sizes == [2, 2, 1]


def test_a_change_that_keeps_failing_is_put_off_and_dies_at_the_fifth_attempt(acme, now) -> None:
    changes.note(acme, Change.Kind.RUN, [uuid4()])
    change = Change.objects.get()
    delays = []
    for _ in range(5):
        changes.fail(change, "it broke \x00", now)
        delays.append((change.due_at - now).total_seconds())
    assert delays == [5, 10, 20, 40, 80]
    change.refresh_from_db()
    assert change.is_dead
    assert change.last_error == "it broke \N{REPLACEMENT CHARACTER}"
    assert changes.revive(now) == 1
    change.refresh_from_db()
    assert (change.is_dead, change.attempts, change.due_at) == (False, 0, now)
