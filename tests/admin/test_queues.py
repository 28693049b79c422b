"""Queues in the admin, with their rubric, dataset and reviewers."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from annotations.models import (
    AnnotationQueue,
    RubricItem,
    RubricVersion,
)
from annotations.queues import queue_items, queues
from annotations.routing import presets
from datasets_app.models import Harvest
from tests.admin.console import page, signed_in
from tests.conftest import NOON
from tests.factories import (
    DatasetFactory,
    UserFactory,
)


def rubric(queue_id="", rows=(), **harvest_fields) -> dict:
    form = {"rubric_items-TOTAL_FORMS": len(rows), "rubric_items-INITIAL_FORMS": 0}
    for place, row in enumerate(rows):
        form |= {f"rubric_items-{place}-{name}": value for name, value in row.items()}
    form |= {"harvest-TOTAL_FORMS": 1 if harvest_fields else 0, "harvest-INITIAL_FORMS": 0}
    return form | {f"harvest-0-{name}": value for name, value in harvest_fields.items()}


QUESTION = {
    "position": 0,
    "feedback_key": "correct",
    "kind": "boolean",
    "level": "nominal",
    "weights": "quadratic",
    "categories": "[]",
    "is_required": "on",
}


def queue_form(acme, **fields) -> dict:
    return {
        "workspace": acme.pk,
        "name": "Refunds",
        "queue_type": "single",
        "reviewers_per_item": 2,
        "access": "any",
        "reservation_minutes": 10,
        "gate_statistic": "kappa",
        "gate_target": 0.7,
        "is_reserving": "on",
        "is_blind": "on",
        **fields,
    }


def test_a_queue_is_made_with_its_rubric_and_its_dataset(acme, ada) -> None:
    dataset = DatasetFactory(workspace=acme)
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, **rubric(rows=[QUESTION], dataset=dataset.pk, is_enabled="on")),
    )
    assert answer.status_code == 302, answer.context["errors"]
    queue = AnnotationQueue.objects.get()
    assert RubricItem.objects.get(queue=queue).feedback_key == "correct"
    assert RubricVersion.objects.get(queue=queue).version == 1
    assert Harvest.objects.get(queue=queue).dataset == dataset


WHEN_WRONG = '{"join": "all", "rules": [{"key": "correct", "op": "is", "values": [0]}]}'


def test_conditions_patterns_and_assertions_are_edited_beside_the_question(acme, ada) -> None:
    why = {**QUESTION, "position": 1, "feedback_key": "why", "kind": "freeform", "level": "text"}
    why |= {"visible_if": WHEN_WRONG, "required_if": WHEN_WRONG, "regex_validator": "^[A-Z]"}
    client, add = signed_in(ada), page("annotations_annotationqueue_add")
    rows = [{**QUESTION, "is_assertion": "on"}, why]
    answer = client.post(add, queue_form(acme, **rubric(rows=rows)))
    assert answer.status_code == 302, answer.context["errors"]
    correct, asked = RubricItem.objects.order_by("position")
    assert correct.extra == {"is_assertion": True}
    assert asked.extra == {
        "visible_if": json.loads(WHEN_WRONG),
        "required_if": json.loads(WHEN_WRONG),
        "regex_validator": "^[A-Z]",
    }
    shown = client.get(page("annotations_annotationqueue_change", correct.queue_id))
    assert "is_one_of" not in shown.content.decode()
    assert "&quot;key&quot;: &quot;correct&quot;" in shown.content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"visible_if": "[]"}, "must be an object"),
        ({"visible_if": WHEN_WRONG.replace("correct", "nobody")}, "no question of the rubric"),
        ({"required_if": WHEN_WRONG.replace("all", "xor")}, "must be all or any"),
        ({"regex_validator": "^a"}, "only a freeform question"),
    ],
)
def test_an_invalid_condition_is_refused_by_field(acme, ada, wrong, words) -> None:
    rows = [QUESTION, {**QUESTION, "position": 1, "feedback_key": "polite", **wrong}]
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"), queue_form(acme, **rubric(rows=rows))
    )
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not AnnotationQueue.objects.exists()


def test_a_pairwise_queue_is_made_in_the_admin_and_takes_no_rules(acme, ada) -> None:
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"), queue_form(acme, queue_type="pairwise", **rubric())
    )
    assert answer.status_code == 302, answer.context["errors"]
    queue = AnnotationQueue.objects.get()
    assert queue.rubric_items.get().feedback_key == "preference"
    with pytest.raises(ValueError, match="not by rules"):
        presets.install_presets(acme, queue, now=NOON)


def test_another_rubric_is_a_version_and_another_number_of_reviewers_moves_the_seats(
    acme, ada, grace
) -> None:
    queue = queues.create_queue(
        acme, "Refunds", now=NOON, rubric=[{"feedback_key": "correct"}], reviewers_per_item=2
    )
    item = queue_items.add_runs(queue, [uuid4()], source="api", now=NOON)[0]
    client, path = signed_in(ada), page("annotations_annotationqueue_change", queue.pk)
    same = {
        "rubric_items-TOTAL_FORMS": 1,
        "rubric_items-INITIAL_FORMS": 1,
        "rubric_items-0-id": queue.rubric_items.get().pk,
        "rubric_items-0-queue": queue.pk,
        **{f"rubric_items-0-{name}": value for name, value in QUESTION.items()},
        "harvest-TOTAL_FORMS": 0,
        "harvest-INITIAL_FORMS": 0,
    }
    answer = client.post(
        path, queue_form(acme, assigned_reviewers=[grace.pk], reviewers_per_item=3, **same)
    )
    assert answer.status_code == 302, answer.context["errors"]
    queue.refresh_from_db()
    assert (queue.rubric_version, queue.reviewers_per_item) == (2, 3)
    assert item.seats.count() == 3
    assert list(queue.assigned_reviewers.all()) == [grace]
    client.post(path, queue_form(acme, assigned_reviewers=[grace.pk], reviewers_per_item=3, **same))
    queue.refresh_from_db()
    assert queue.rubric_version == 2


def test_a_stranger_cannot_be_assigned_nor_anothers_dataset_filled(
    acme, rival, ada, mallory
) -> None:
    operator = UserFactory(username="root", is_superuser=True, is_staff=True)
    client = signed_in(operator)
    answer = client.post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, assigned_reviewers=[mallory.pk], **rubric()),
    )
    assert "Not in Acme: mallory" in answer.content.decode()
    theirs = DatasetFactory(workspace=rival)
    answer = client.post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, **rubric(dataset=theirs.pk, is_enabled="on")),
    )
    assert "not in the queue" in answer.content.decode()
    assert not AnnotationQueue.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "categorical", "categories": '[{"value": 1, "label": "Yes"}]'},
        {"categories": '["yes", "no"]'},
        {"kind": "continuous", "minimum": 5, "maximum": 1},
    ],
)
def test_a_question_without_a_usable_scale_is_refused(acme, ada, wrong) -> None:
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, **rubric(rows=[{**QUESTION, **wrong}])),
    )
    assert answer.status_code == 200
    assert not AnnotationQueue.objects.exists()
