"""Who may open or do what: the table that a change of permissions shows up in."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from tests import routes, scenes
from tests.factories import member

pytestmark = pytest.mark.django_db
RANKS = ["viewer", "reviewer", "manager", "owner"]
LEAST = {  # route: the least role that may
    "workspace-home": "viewer",
    "project-list": "viewer",
    "run-list": "viewer",
    "run-detail": "viewer",
    "run-field": "viewer",
    "run-enqueue": "manager",
    "run-share-link": "manager",
    "queue-list": "viewer",
    "queue-detail": "viewer",
    "agreement": "viewer",
    "agreement-file": "viewer",
    "judges": "viewer",
    "item-detail": "viewer",
    "quality": "manager",
    "item-gold": "manager",
    "item-action": "manager",
    "review": "reviewer",
    "review-next": "reviewer",
    "review-context": "reviewer",
    "review-draft": "reviewer",
    "review-submit": "reviewer",
    "review-skip": "reviewer",
    "review-requeue": "reviewer",
    "review-heartbeat": "reviewer",
    "review-release": "reviewer",
    "review-diff": "reviewer",
    "review-undo": "reviewer",
    "review-back": "reviewer",
    "dataset-list": "viewer",
    "dataset-detail": "viewer",
    "compare": "viewer",
    "prompt-list": "viewer",
    "prompt": "viewer",
    "prompt-commit": "viewer",
    "trends": "viewer",
    "settings": "viewer",
    "security": "viewer",
    "password-change": "viewer",
    "session-end": "viewer",
    "session-end-all": "viewer",
    "taxonomies": "manager",
    "key-list": "manager",
    "key-mint": "manager",
    "key-revoke": "manager",
}
PUBLIC = {
    *("home", "login", "logout", "favicon"),
    *(
        "shared-run-page",
        "shared-run-below",
        "shared-thread-page",
        "shared-thread-run",
        "shared-dataset-page",
    ),  # by token: tests/web/test_links
}
# They ask who is there and send members on: tests/web/test_links
LINKS = {
    *("to-workspace", "to-projects", "to-project", "to-run", "to-datasets", "to-dataset"),
    *("to-compare", "to-example", "to-prompt", "to-prompt-commit"),
    *("to-hub", "to-hub-commit", "to-hub-hash"),
}


def test_the_table_names_every_page() -> None:
    named = {route.name for route in routes.of_pages()} - routes.MACHINES
    assert named == set(LEAST) | PUBLIC | LINKS


@pytest.mark.parametrize("role", RANKS)
def test_a_role_reaches_the_views_in_the_table(role, acme) -> None:
    person = member(acme, f"the-{role}", role)
    scene = scenes.build(acme, timezone.now(), n_items=2)
    if role != "viewer":
        scene.answer(person, scene.items[0], 2, timezone.now())
    values = routes.fill(scene, person)
    client = Client(raise_request_exception=True)
    client.force_login(person)
    for route in routes.of_pages():
        if route.name not in LEAST:
            continue
        may = RANKS.index(role) >= RANKS.index(LEAST[route.name])
        statuses = set()
        for send in (client.get, client.post):
            client.force_login(person)  # one of the routes signs out
            with transaction.atomic():
                statuses.add(send(routes.address(route, values)).status_code)
                transaction.set_rollback(True)
        statuses.discard(405)
        if may:
            assert 403 not in statuses, (role, route.name)
        else:
            assert statuses == {403}, (role, route.name)


def test_a_refusal_names_the_roles_that_can_change_it(acme, ada, grace) -> None:
    client = Client()
    client.force_login(grace)
    answer = client.get("/w/acme/settings/keys/")
    assert answer.status_code == 403
    assert "manager or owner" in answer.content.decode()
    assert "ada can change your role" in answer.content.decode()


def test_a_reviewer_sees_only_queues_they_may_work_on(acme, ada, grace, alan) -> None:
    scene = scenes.build(acme, timezone.now(), n_items=1)
    scene.queue.access = "assigned"
    scene.queue.save()
    scene.queue.assigned_reviewers.set([alan])
    address = f"/w/acme/queues/{scene.queue.uuid}/"
    answers = {}
    for person in (ada, grace, alan):
        client = Client()
        client.force_login(person)
        answers[person.username] = client.get(address).status_code
    assert answers == {"ada": 200, "grace": 404, "alan": 200}
