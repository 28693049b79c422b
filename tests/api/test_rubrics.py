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
