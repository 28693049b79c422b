"""The workbench's next item is read first and then drawn: see docs/adr/0004."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from django.utils import timezone

from annotations.models import AnnotationQueue, QueueItem
from annotations.reviewing import workbench
from observatory.runs.models import Run
from observatory.web.workbench import screen
from observatory.workspaces.models import Membership
from tests import kinds

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["run", "thread", "pair"])
def queue(request, scene) -> AnnotationQueue:
    workspace, now = scene.queue.workspace, timezone.now()
    if request.param == "thread":
        return kinds.thread(workspace, now, [{"feedback_key": "tone", "kind": "boolean"}])
    if request.param == "pair":
        return kinds.pairs(workspace, now, [("Yes.", "No."), ("Left.", "Right.")])[0].queue
    queue: AnnotationQueue = scene.queue
    return queue


@pytest.fixture
def request_of_grace(rf: RequestFactory, scene, grace):
    request = rf.get("/")
    request.user, request.workspace = grace, scene.queue.workspace
    request.membership = Membership.objects.get(user=grace, workspace=request.workspace)
    return request


def opened_in(queue: AnnotationQueue, request) -> tuple[workbench.Frame, workbench.Opened]:
    now = timezone.now()
    frame = workbench.frame_of(request.membership, queue.uuid, now, n_chars=1_000)
    assert frame is not None
    opened = workbench.open_after(frame, request.user, now)
    assert opened is not None
    return frame, opened


@pytest.mark.parametrize("tab", ["conversation", "inputs", "outputs"])
def test_rendering_the_workbench_makes_no_query(
    queue, request_of_grace, tab, django_assert_num_queries
) -> None:
    frame, opened = opened_in(queue, request_of_grace)
    shown = workbench.shown(opened)
    with django_assert_num_queries(0):
        context = screen.context(
            request_of_grace, frame, opened, shown, now=timezone.now(), tab=tab
        )
    drawn = str(context.get("pair") or context.get("turns") or context.get("parts"))
    runs = [run for run in (shown.run, *shown.turns, *shown.pair) if run is not None]
    assert runs
    assert drawn != "None"
    assert context["item_title"] != "Run not received yet"


def test_a_run_is_shown_as_it_was_opened_without_another_query(
    scene, request_of_grace, django_assert_num_queries
) -> None:
    _, opened = opened_in(scene.queue, request_of_grace)
    with django_assert_num_queries(0):
        assert workbench.shown(opened).run is opened.run
    with django_assert_num_queries(1):
        whole = workbench.shown(opened, is_whole=True).run
    assert isinstance(whole, Run)
    assert whole.start_time is not None


def test_no_second_item_is_reserved_when_few_are_left(scene, request_of_grace) -> None:
    items = QueueItem.objects.filter(queue=scene.queue, state=QueueItem.State.OPEN)
    first, second = items.order_by("-priority", "pk")[:2]
    items.exclude(pk__in=[first.pk, second.pk]).update(state=QueueItem.State.REMOVED)
    now = timezone.now()
    frame = workbench.frame_of(
        request_of_grace.membership, scene.queue.uuid, now, showing=first.uuid, n_chars=10
    )
    assert frame is not None
    assert workbench.open_after(frame, request_of_grace.user, now) is None
