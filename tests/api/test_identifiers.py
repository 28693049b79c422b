"""An identifier is kept whole, or refused by its name: two that differ never become one."""

from __future__ import annotations

from uuid import uuid4

import pytest

from observatory.feedback.models import Feedback
from observatory.feedback.summary import feedback_stats
from observatory.runs.models import Run

pytestmark = pytest.mark.django_db
RUN = {"name": "n", "run_type": "chain", "session_name": "p", "start_time": "2026-11-20T12:00:00Z"}
KEYS = ["session_id", "thread_id", "conversation_id"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["x" * 201, "é" * 201, [list(range(100))]], ids=str)
def test_a_thread_id_past_the_limit_is_refused_by_name(api, key, value) -> None:
    sent = RUN | {"id": str(uuid4()), "extra": {"metadata": {key: value}}}
    answer = api.post("/runs", sent)
    assert answer.status_code == 422
    assert f"metadata.{key}" in answer.json()["detail"]
    assert "200" in answer.json()["detail"]
    good = RUN | {"id": str(uuid4())}
    answer = api.post("/runs/batch", {"post": [sent, good]})
    assert [each["code"] for each in answer.json()["rejected"]] == ["thread_id_too_long"]
    assert [str(run.id) for run in Run.objects.all()] == [good["id"]]


@pytest.mark.parametrize("key", KEYS)
def test_the_longest_thread_id_is_kept_whole(api, key) -> None:
    ids = ["é" * 199 + letter for letter in "ab"]
    for thread_id in ids:
        api.post("/runs", RUN | {"id": str(uuid4()), "extra": {"metadata": {key: thread_id}}})
    assert sorted(Run.objects.values_list("thread_id", flat=True)) == ids


def test_two_values_with_the_same_beginning_are_counted_apart(api, acme) -> None:
    run_id = uuid4()
    for end in "ab":
        body = {"key": "k", "run_id": str(run_id), "value": "x" * 300 + end}
        assert api.post("/feedback", body).status_code < 300
    assert Feedback.objects.count() == 2
    stats = feedback_stats(acme.pk, [run_id])[run_id]["k"]
    assert sorted(stats["values"].values()) == [1, 1]


LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/sessions", {"name": LONG}, "name"),
        ("/datasets", {"name": LONG}, "name"),
        ("/annotation-queues", {"name": LONG}, "name"),
        ("/feedback", {"key": LONG, "run_id": str(uuid4())}, "key"),
        ("/feedback-configs", {"feedback_key": LONG, "feedback_config": {}}, "feedback_key"),
        ("/feedback/tokens", {"feedback_key": LONG, "run_id": str(uuid4())}, "feedback_key"),
        ("/repos", {"repo_handle": LONG, "is_public": False}, "repo_handle"),
        ("/runs", RUN | {"session_name": LONG}, "session_name"),
    ],
)
def test_a_name_past_its_limit_is_refused_by_its_name(api, path, body, field) -> None:
    answer = api.post(path, body)
    assert answer.status_code in {400, 422}, answer.content[:200]
    assert field in answer.json()["detail"]
