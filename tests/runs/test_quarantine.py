"""Rejected items do not stay for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from observatory.runs import quarantine
from observatory.runs.models import Rejected
from tests.conftest import NOON
from tests.factories import WorkspaceFactory

pytestmark = pytest.mark.django_db


def reject(workspace, *, days: int, size: int = 10) -> Rejected:
    return Rejected.objects.create(
        workspace=workspace,
        kind="run",
        code="depth",
        reason="too deep",
        raw=b"x" * size,
        received_at=NOON - timedelta(days=days),
    )


def test_a3_a_rejected_item_is_kept_for_thirty_days() -> None:
    workspace = WorkspaceFactory()
    reject(workspace, days=31)
    kept = reject(workspace, days=29)
    assert quarantine.sweep(NOON) == 1
    assert list(Rejected.objects.all()) == [kept]


def test_a_workspace_keeps_its_newest_rejected_items_up_to_a_size(monkeypatch) -> None:
    monkeypatch.setattr(quarantine, "KEPT_BYTES", 25)
    busy, other = WorkspaceFactory(slug="busy"), WorkspaceFactory(slug="other")
    kept = {reject(busy, days=day).pk for day in (0, 1)} | {reject(other, days=20).pk}
    for day in (2, 3, 4):
        reject(busy, days=day)
    assert quarantine.sweep(NOON) == 3
    assert set(Rejected.objects.values_list("pk", flat=True)) == kept
