"""Rubrics over the wire: what a client leaves alone stays as the lead set it."""

from __future__ import annotations

import pytest

from tests.factories import AnnotationQueueFactory, RubricItemFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(acme):
    queue = AnnotationQueueFactory(workspace=acme)
    queue.rubric_items.all().delete()
    RubricItemFactory(queue=queue, feedback_key="stars", kind="rating", level="ordinal",
                      categories=[], minimum=1, maximum=4)  # fmt: skip
    RubricItemFactory(queue=queue, feedback_key="safe", kind="boolean", categories=[])
    return queue


def kinds(queue) -> dict[str, tuple[str, str, list]]:
    return {
        item.feedback_key: (item.kind, item.level, item.categories)
        for item in queue.rubric_items.all()
    }


def test_a_rubric_that_a_client_reads_and_writes_back_stays_what_it_was(api, queue) -> None:
    path, before = f"/annotation-queues/{queue.uuid}", kinds(queue)
    items = api.get(path).json()["rubric_items"]
    config = {item["feedback_key"]: item["feedback_config"]["feedback_config"] for item in items}
    assert config["stars"]["type"] == "continuous"
    assert config["safe"]["type"] == "categorical"
    assert api.patch(path, {"rubric_items": items}).status_code == 200
    assert kinds(queue) == before


def test_a_client_that_sends_another_scale_gets_that_scale(api, queue) -> None:
    path = f"/annotation-queues/{queue.uuid}"
    items = api.get(path).json()["rubric_items"]
    items[0]["feedback_config"] = {"type": "continuous", "min": 1, "max": 10}
    items[1]["feedback_config"]["feedback_config"]["categories"].append({"value": 2, "label": "?"})
    assert api.patch(path, {"rubric_items": items}).status_code == 200
    assert [kind for kind, _, _ in kinds(queue).values()] == ["continuous", "categorical"]


def test_a_client_chooses_the_weights_of_a_question_and_they_stay(api, queue) -> None:
    path = f"/annotation-queues/{queue.uuid}"
    items = api.get(path).json()["rubric_items"]
    assert items[0]["agreement_weights"] == "quadratic"
    items[0]["agreement_weights"] = "linear"
    assert api.patch(path, {"rubric_items": items}).status_code == 200
    del items[0]["agreement_weights"]
    assert api.patch(path, {"rubric_items": items}).status_code == 200
    assert [item.weights for item in queue.rubric_items.all()] == ["linear", "quadratic"]
    items[0]["agreement_weights"] = "cubic"
    assert api.patch(path, {"rubric_items": items}).status_code == 422


def test_a_queue_names_its_gate(api, queue) -> None:
    path = f"/annotation-queues/{queue.uuid}"
    gate = {"gate_statistic": "kappa", "gate_target": 0.7}
    assert gate.items() <= api.get(path).json().items()
    gate = {"gate_statistic": "ac1", "gate_target": 0.8}
    assert gate.items() <= api.patch(path, gate).json().items()
    [first, _] = api.get(f"{path}/agreement").json()
    assert first["gate"]["target"] == 0.8
    assert first["headline"]["statistic"] == "gwet_ac2_quadratic"
    for wrong in ({"gate_target": 1}, {"gate_target": -1}, {"gate_statistic": "icc"}):
        assert api.patch(path, wrong).status_code == 422
