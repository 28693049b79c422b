"""Experiments side by side, with the answers of reviewers."""

from __future__ import annotations

import pytest
from django.utils import timezone

from observatory.runs.models import Project, Run

pytestmark = pytest.mark.django_db


def test_a_blind_answer_is_in_no_figure_before_its_item_is_settled(
    scene, ada, grace, alan, as_user
) -> None:
    example = scene.dataset.examples.get()
    Project.objects.filter(pk=scene.project.pk).update(reference_dataset_id=scene.dataset.uuid)
    Run.objects.filter(id=scene.runs[0].id).update(reference_example_id=example.uuid)
    address = f"/w/acme/datasets/{scene.dataset.uuid}/compare/"

    def keys_shown(person) -> set[str]:
        context = as_user(person).get(address, {"selectedSessions": scene.project.uuid}).context
        (one,) = context["experiments"]
        ((_, [cell]),) = context["rows"][0]["cells"]
        assert {row["key"] for row in one["judged"]} == set(cell["stats"])
        return set(cell["stats"])

    before = keys_shown(alan)
    assert "user_rating" in before
    scene.answer(grace, scene.items[0], 2, timezone.now(), note="the-secret-note")
    assert keys_shown(alan) == keys_shown(grace) == before
    scene.answer(ada, scene.items[0], 2, timezone.now())
    assert keys_shown(alan) == before | {"correctness", "polite", "note"}
