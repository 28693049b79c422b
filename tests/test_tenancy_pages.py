"""T1, the pages' half: nothing of a workspace is seen, counted or guessed from another's session.

Generated from the URL table: a new route is covered without edits, or fails here until its
parameters are known.
"""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from tests import routes, scenes

pytestmark = pytest.mark.django_db
CANARY = "canary-7f3a"


@pytest.fixture
def theirs(acme, ada, grace):
    scene = scenes.build(acme, timezone.now(), n_items=3, mark=CANARY)
    scene.answer(grace, scene.items[0], 2, timezone.now())
    return scene


@pytest.fixture
def intruder(mallory) -> Client:
    client = Client()
    client.force_login(mallory)
    return client


def told(response) -> str:
    """Return the answer without what differs between any two answers: the CSRF token."""
    return re.sub(r'(data-csrf|value)="[A-Za-z0-9]{64}"', "", response.content.decode())


def test_every_view_declares_its_role() -> None:
    undeclared = [
        route.name
        for route in routes.of_pages()
        if not hasattr(route.view, "permission") and route.name not in routes.MACHINES
    ]
    assert undeclared == []
    assert len([route for route in routes.of_pages() if route.is_in_workspace]) >= 25


def test_another_workspace_does_not_exist(theirs, grace, intruder) -> None:
    values = routes.fill(theirs, grace)
    for route in routes.of_pages():
        if not route.is_in_workspace:
            continue
        address = routes.address(route, values)
        answers = [intruder.get(address), intruder.post(address)]
        assert {answer.status_code for answer in answers} <= {404, 405}, route.name
        assert 404 in {answer.status_code for answer in answers}, route.name
        for answer in answers:
            assert CANARY not in answer.content.decode(), route.name
            assert theirs.workspace.name not in answer.content.decode(), route.name


def test_ids_of_another_workspace_look_unknown(theirs, grace, intruder, mallory) -> None:
    stolen = routes.fill(theirs, grace) | {"slug": "rival"}
    unknown = {
        name: uuid4() if isinstance(value, UUID) else value for name, value in stolen.items()
    }
    for route in routes.of_pages():
        if not route.is_in_workspace:
            continue
        has_ids = any(isinstance(stolen[name], UUID) for name in route.parameters)
        intruder.force_login(mallory)  # one of the routes signs out
        for send in (intruder.get, intruder.post):
            answer = send(routes.address(route, stolen))
            assert CANARY not in answer.content.decode(), route.name
            if has_ids:
                guess = send(routes.address(route, unknown))
                assert answer.status_code == guess.status_code in {404, 405}, route.name
                assert told(answer) == told(guess), route.name


def test_ids_in_forms_and_queries_reach_nothing_of_another_workspace(
    theirs, grace, intruder, rival
) -> None:
    mine = scenes.build(rival, timezone.now(), n_items=1)
    base = "/w/rival"
    enqueue = intruder.post(
        f"{base}/runs/{mine.runs[0].id}/queue", {"queue": str(theirs.queue.uuid)}
    )
    assert enqueue.status_code == 404
    assert theirs.queue.items.count() == 3
    bench = f"{base}/queues/{mine.queue.uuid}"
    assert intruder.get(f"{bench}/review/?item={theirs.items[0].uuid}").status_code == 404
    nxt = intruder.get(f"{bench}/review/next?showing={theirs.items[0].uuid}")
    assert CANARY not in nxt.content.decode()
    trace = intruder.get(
        f"{bench}/items/{mine.items[0].uuid}/context?tab=trace&run={theirs.runs[0].id}",
        headers={"HX-Request": "true"},
    )
    assert trace.status_code == 200
    assert CANARY not in trace.content.decode()


def test_a_former_member_is_out_on_the_next_request(theirs, grace) -> None:
    client = Client()
    client.force_login(grace)
    assert client.get("/w/acme/").status_code == 200
    grace.memberships.all().delete()
    assert client.get("/w/acme/").status_code == 404


def test_every_page_requires_a_session(theirs, grace) -> None:
    values = routes.fill(theirs, grace)
    for route in routes.of_pages():
        if route.is_in_workspace:
            answers = [
                Client().get(routes.address(route, values)),
                Client().post(routes.address(route, values)),
            ]
            assert {answer.status_code for answer in answers} <= {302, 405}, route.name
            moved = [answer for answer in answers if answer.status_code == 302]
            assert moved
            assert all(answer["Location"].startswith("/accounts/login/") for answer in moved)
