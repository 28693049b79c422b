"""Feedback that a review wrote: no key changes it, and no client's `extra` passes for it."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from annotations.models import QueueItem
from observatory.feedback.models import Feedback
from observatory.workspaces import keys
from tests import scenes
from tests.conftest import NOON
from tests.factories import WireClient
from tests.multipart import multipart

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(acme):
    return scenes.build(acme, NOON - timedelta(days=1), n_items=2, reviewers=1)


@pytest.fixture
def reviewed(scene, grace) -> Feedback:
    """Feedback of a settled review, so that keys may read it."""
    scene.answer(grace, scene.items[0], 1, NOON, note="the reviewer's words")
    assert QueueItem.objects.get(pk=scene.items[0].pk).state == "completed"
    return Feedback.objects.get(run_id=scene.runs[0].id, key="correctness")


def columns(feedback: Feedback) -> dict:
    return Feedback.objects.filter(pk=feedback.pk).values().get()


def test_a_key_neither_changes_nor_deletes_what_a_review_wrote(api, reviewed) -> None:
    before = columns(reviewed)
    body = {
        "id": str(reviewed.uuid),
        "run_id": str(reviewed.run_id),
        "key": "correctness",
        "score": 0,
    }
    path = f"/feedback/{reviewed.uuid}"
    for answer in (api.patch(path, {"score": 0}), api.delete(path), api.post("/feedback", body)):
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "review" in answer.json()["detail"]
    batch = api.post("/feedback/batch", [body, {**body, "id": str(uuid4())}])
    assert batch.json()["n_stored"] == 1
    assert "review" in batch.json()["errors"][0]["detail"]
    assert columns(reviewed) == before


def test_a_feedback_part_leaves_what_a_review_wrote(api, reviewed) -> None:
    before = columns(reviewed)
    body = {"run_id": str(reviewed.run_id), "key": "correctness", "score": 0}
    sent = api.client.generic(
        "POST",
        "/runs/multipart",
        multipart([(f"feedback.{reviewed.uuid}", body)], "b0undary"),
        content_type="multipart/form-data; boundary=b0undary",
    )
    assert sent.status_code == 202
    assert "review" in sent.json()["rejected"][0]["reason"]
    assert columns(reviewed) == before


def test_a_token_writes_no_review(api, reviewed) -> None:
    before = columns(reviewed)
    body = {
        "run_id": str(reviewed.run_id),
        "feedback_key": "correctness",
        "feedback_id": str(reviewed.uuid),
        "id": str(reviewed.uuid),
    }
    made = api.post("/feedback/tokens", body)
    if made.status_code == 200:
        url = made.json()["url"].partition("/feedback/tokens/")[2]
        given = Client().post(
            f"/feedback/tokens/{url}", json.dumps({"score": 0}), content_type="application/json"
        )
        assert given.status_code >= 200
    assert columns(reviewed) == before


def test_feedback_adopted_by_a_review_is_no_longer_the_keys(acme, scene, grace, alan) -> None:
    api = WireClient(acme)
    _, token = keys.mint(acme, "grace's", created_by=grace)
    client = Client(headers={"x-api-key": token})
    ids = []
    for key, score in (("correctness", 1), ("polite", 1)):
        body = {"run_id": str(scene.runs[1].id), "key": key, "score": score}
        sent = client.post("/feedback", json.dumps(body), content_type="application/json")
        ids.append(sent.json()["id"])
    assert (
        client.get(f"/feedback/{ids[0]}").status_code == 200
    )  # the reviewer's own, while it is sealed
    assert api.get(f"/feedback/{ids[0]}").status_code == 404
    assert api.patch(f"/feedback/{ids[0]}", {"score": 0}).status_code == 404
    assert api.delete(f"/feedback/{ids[0]}").status_code == 404
    status = f"/platform/annotation-queues/items/{scene.items[1].uuid}/status"
    done = client.post(status, json.dumps({"status": "completed"}), content_type="application/json")
    assert done.status_code == 200
    assert api.get(f"/feedback/{ids[0]}").status_code == 200  # one reviewer an item: settled
    assert client.delete(f"/feedback/{ids[0]}").status_code == 409


@pytest.mark.parametrize("forged", ["x", ["list"], {"an": "object"}, None, 7, "uuid"])
def test_a_clients_extra_review_is_plain_text_of_theirs(api, scene, ada, reviewed, forged) -> None:
    """Neither the admin nor a page breaks, and the feedback is neither hidden nor protected."""
    review = str(reviewed.review_uuid) if forged == "uuid" else forged
    body = {
        "run_id": str(scene.runs[0].id),
        "key": "forged",
        "score": 1,
        "extra": {"review": review},
    }
    made = api.post("/feedback", body).json()
    assert made["extra"] == {"review": review}
    client = Client()
    client.force_login(ada)
    listed = client.get("/admin/feedback/feedback/")
    assert listed.status_code == 200
    assert "forged" in listed.content.decode()
    page = client.get(f"/w/acme/runs/{scene.runs[0].id}/?tab=feedback")
    assert page.status_code == 200
    assert "forged" in page.content.decode()
    assert api.get(f"/runs/{scene.runs[0].id}").json()["feedback_stats"]["forged"]["n"] == 1
    assert api.patch(f"/feedback/{made['id']}", {"score": 0}).status_code == 200
    assert api.delete(f"/feedback/{made['id']}").status_code == 200
