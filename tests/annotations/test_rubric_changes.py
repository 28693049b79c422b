"""What reviewers said is kept, however the rubric and the people around it change."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import models
from django.db.models import ProtectedError

from annotations.agreement import calibration
from annotations.models import QueueItem, Rating, Review, RubricItem
from annotations.queues import queues, rubric_editing
from annotations.reviewing import reviews
from annotations.reviewing.reviews import Submission
from tests.admin.console import page, signed_in
from tests.admin.test_queues import QUESTION, queue_form, rubric
from tests.conftest import NOON
from tests.factories import QueueItemFactory

YES_NO = {"kind": "boolean", "description": "Does the answer name the right document?"}
CORRECT = {"feedback_key": "correct", **YES_NO}


@pytest.fixture
def queue(acme, ada, grace):
    """Two people judged three items under `correct`, and agreed on all."""
    made = queues.create_queue(acme, "Refunds", now=NOON, rubric=[CORRECT], reviewers_per_item=2)
    for score in (0, 1, 1):
        item = QueueItemFactory(queue=made)
        for person in (ada, grace):
            sent = Submission(submission_id=uuid4(), scores={"correct": {"score": score}})
            reviews.submit(QueueItem.objects.get(pk=item.pk), person, sent, NOON)
    return made


def overlap(queue) -> dict[str, int]:
    return {found.key: found.headline.n_overlap for found in calibration.report(queue, now=NOON)}


def test_a_question_that_is_only_renamed_keeps_its_ratings(queue) -> None:
    rubric_editing.set_rubric(queue, [{**CORRECT, "feedback_key": "right_document"}], now=NOON)
    assert overlap(queue) == {"right_document": 3}
    assert Rating.objects.count() == 6


def test_a_question_that_is_taken_out_has_its_ratings_again_when_it_comes_back(queue) -> None:
    rubric_editing.set_rubric(queue, [{"feedback_key": "tone", "kind": "boolean"}], now=NOON)
    assert overlap(queue) == {"tone": 0}
    assert Rating.objects.count() == 6
    rubric_editing.set_rubric(queue, [], now=NOON)
    rubric_editing.set_rubric(queue, [CORRECT], now=NOON)
    assert overlap(queue) == {"correct": 3}
    assert [item.feedback_key for item in RubricItem.objects.all()] == ["correct"]


def test_another_question_at_the_same_position_is_not_a_rename(queue) -> None:
    other = {"feedback_key": "tone", "kind": "boolean", "description": "Is the answer polite?"}
    rubric_editing.set_rubric(queue, [other], now=NOON)
    assert overlap(queue) == {"tone": 0}


def test_a_key_renamed_and_named_back_by_the_api_loses_nothing(api, queue) -> None:
    path = f"/annotation-queues/{queue.uuid}"
    for key, description in (("accuracy", "Another question"), ("correct", CORRECT["description"])):
        item = {"feedback_key": key, "description": description, "is_assertion": True}
        assert api.patch(path, {"rubric_items": [item]}).status_code == 200
    queue.refresh_from_db()
    assert Rating.objects.count() == 6
    assert overlap(queue) == {"correct": 3}


def test_the_admin_renames_takes_out_and_brings_back_a_question(acme, ada, queue) -> None:
    client = signed_in(ada)
    change = page("annotations_annotationqueue_change", queue.pk)

    def post(*rows, n_old) -> None:
        form = queue_form(acme, **rubric(rows=rows)) | {"rubric_items-INITIAL_FORMS": n_old}
        answer = client.post(change, form)
        assert answer.status_code == 302, answer.context["errors"]
        queue.refresh_from_db()

    row = {**QUESTION, "description": CORRECT["description"], "is_required": ""}
    known = {**row, "id": queue.rubric_items.get().pk, "queue": queue.pk}
    post({**known, "feedback_key": "right"}, n_old=1)
    assert overlap(queue) == {"right": 3}
    post({**known, "feedback_key": "right", "DELETE": "on"}, n_old=1)
    assert overlap(queue) == {}
    assert Rating.objects.count() == 6
    post({**row, "feedback_key": "right"}, n_old=0)
    assert overlap(queue) == {"right": 3}


def test_answers_to_a_question_no_longer_asked_are_shown_and_exported(
    api, ada, client, queue
) -> None:
    rubric_editing.set_rubric(queue, [{"feedback_key": "tone", "kind": "boolean"}], now=NOON)
    export = api.post(f"/annotation-queues/{queue.uuid}/export", {})
    head = b"".join(export.streaming_content).decode().splitlines()[0].split(",")
    keys = ["tone", "tone comment", "correct", "correct comment"]
    assert head[-6:] == [*keys, "note", "correction"]
    item = queue.items.first()
    client.force_login(ada)
    shown = client.get(f"/w/acme/queues/{queue.uuid}/items/{item.uuid}/").content.decode()
    assert "correct (no longer asked)" in shown


def test_deleting_a_person_who_reviewed_is_refused(queue, grace) -> None:
    with pytest.raises(ProtectedError):
        grace.delete()
    assert Rating.objects.filter(reviewer=grace).count() == 3


def test_reviews_are_only_deleted_with_their_queue_or_item() -> None:
    """A new foreign key that would take reviews along must be thought about here."""
    may_take = {"Workspace", "AnnotationQueue", "QueueItem", "Review", "RubricItem"}
    taking = {
        field.related_model.__name__
        for model in (Review, Rating)
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is models.CASCADE
    }
    assert taking <= may_take
