"""`observatory demo` against a running server, and its removal without a trace."""

from __future__ import annotations

import json
import urllib.request
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from annotations.agreement import calibration
from annotations.models import AnnotationQueue, QueueItem, Review, RoutingDecision
from annotations.queues import queue_items, queue_progress
from datasets_app.models import Dataset, Example
from observatory.console import first_start
from observatory.feedback.models import Feedback
from observatory.runs.models import Change, Project, Rejected, Run
from observatory.workspaces.models import ApiKey
from tests.annotations.routing_world import make_run
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory

pytestmark = pytest.mark.django_db(transaction=True)
N = 90


@pytest.fixture
def default():
    return first_start.create_workspace("default")


def demo(live_server, *words: str) -> str:
    err = StringIO()
    call_command("demo", f"--url={live_server.url}", f"--traces={N}", *words, stderr=err)
    return err.getvalue()


def counts() -> dict[str, int]:
    rooms = ("workspaces", "runs", "feedback", "annotations", "datasets")
    return {
        model._meta.label: model._default_manager.count()
        for room in rooms
        for model in apps.get_app_config(room).get_models(include_auto_created=True)
    }


def test_the_demo_fills_every_page_and_goes_away_without_a_trace(live_server, default) -> None:
    own = make_run(default, project=Project.objects.get(workspace=default), is_noted=False)
    own_queue = AnnotationQueueFactory(workspace=default)
    before = counts()

    said = demo(live_server)
    assert f"sent {5 * N:,} of {5 * N:,} runs" in said

    queue = AnnotationQueue.objects.get(is_demo=True)
    project = Project.objects.get(is_demo=True)
    assert Run.objects.filter(project=project).count() == 5 * N
    assert not Rejected.objects.exists()
    assert not Change.objects.filter(attempts__gt=0).exists()
    assert Run.objects.filter(project=project, status="error").exists()
    assert Run.objects.filter(project=project, total_tokens__gt=0).count() == N
    assert set(Feedback.objects.values_list("key", flat=True)) >= {"user_rating", "correctness"}
    assert RoutingDecision.objects.filter(item__queue=queue).exists()
    assert QueueItem.objects.filter(run_id=own.id).count() == 0  # rules of the demo's project only
    progress = queue_progress.progress(queue)
    assert progress.completed > 20
    assert progress.open > 0
    assert {person.username for person in progress.reviewers} == {"ada-demo", "grace-demo"}
    assert Review.objects.exclude(correction=None).exists()
    assert Example.objects.filter(dataset__is_demo=True).exists()
    assert not ApiKey.objects.exists()  # the key of the moment is gone
    report = {key.rubric_item.feedback_key: key for key in calibration.report(queue, now=NOON)}
    assert report["correctness"].pairs[0].agreement.n_overlap > 20

    assert "already" in demo(live_server)
    assert Run.objects.filter(project=project).count() == 5 * N

    own_item = queue_items.add_runs(
        own_queue, [QueueItem.objects.filter(queue=queue).first().run_id], source="person", now=NOON
    )
    assert own_item
    call_command("demo", "--remove", stderr=StringIO())
    assert counts() == before
    assert not Dataset.objects.exists()


def test_the_same_seed_makes_the_same_runs_and_reviews(live_server, default) -> None:
    def content() -> tuple:
        items = QueueItem.objects.filter(queue__is_demo=True).order_by("run_id")
        scores = Review.objects.order_by("item__run_id", "reviewer__username")
        return (
            sorted(Run.objects.values_list("id", "name", "outputs")),
            list(items.values_list("run_id", "state")),
            list(scores.values_list("item__run_id", "reviewer__username", "scores")),
        )

    demo(live_server, "--seed=3")
    first = content()
    call_command("demo", "--remove", stderr=StringIO())
    demo(live_server, "--seed=3")
    assert content() == first


def test_a_demo_that_cannot_be_sent_leaves_nothing_behind(default, monkeypatch) -> None:
    from observatory.console.demo import wire

    monkeypatch.setattr(wire, "PATIENCE_S", 0.2)
    before = counts()
    with pytest.raises(CommandError, match="removed again"):
        call_command("demo", "--url=http://127.0.0.1:9", "--traces=5", stderr=StringIO())
    assert counts() == before


@pytest.mark.parametrize("words", [["--workspace=nowhere"], ["--key=obs_nonsense"]])
def test_an_unknown_workspace_or_key_is_refused(default, words) -> None:
    with pytest.raises(CommandError):
        call_command("demo", *words, stderr=StringIO())


def test_what_was_sent_reads_back_over_the_wire(live_server, default) -> None:
    from observatory.workspaces import keys

    _, token = keys.mint(default, "reader")
    demo(live_server, f"--key={token}")
    root = Run.objects.filter(parent_run_id=None, error=None).first()
    request = urllib.request.Request(
        f"{live_server.url}/api/feedback?run={root.id}", headers={"x-api-key": token}
    )
    with urllib.request.urlopen(request) as answer:
        assert isinstance(json.load(answer), list)
