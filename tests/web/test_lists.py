"""Lists: filters, pages, polls, and what managers do from them."""

from __future__ import annotations

import pytest
from django.utils import timezone

from annotations.models import QueueItem, Seat
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey
from tests import scenes

pytestmark = pytest.mark.django_db
PART = {"HX-Request": "true"}


def test_runs_are_narrowed_by_the_filter_language(scene, ada, as_user) -> None:
    address = f"/w/acme/projects/{scene.project.uuid}/"
    client = as_user(ada)
    text = client.get(address, {"filter": "eq(status, 'error')"}, headers=PART).content.decode()
    assert text.count("row-link") == 1
    assert "answer 4" in text
    assert client.get(address, {"all": "1"}, headers=PART).content.decode().count("row-link") == 24
    none = client.get(address, {"filter": "eq(name, 'nothing')"}).content.decode()
    assert "No run matches" in none
    assert "Clear the filter" in none


def test_a_filter_error_is_shown_at_its_position(scene, ada, as_user) -> None:
    address = f"/w/acme/projects/{scene.project.uuid}/"
    answer = as_user(ada).get(address, {"filter": "eq(status 'error')"})
    assert answer.status_code == 422
    assert "at character" in answer.content.decode()
    part = as_user(ada).get(address, {"filter": "eq(<script>alert(1)</script>"}, headers=PART)
    assert part.status_code == 200
    assert "<script>alert" not in part.content.decode()


def test_more_runs_are_loaded_from_where_the_list_ended(acme, scene, ada, as_user) -> None:
    for number in range(60):
        scenes.make_run(acme, scene.project, timezone.now(), name=f"more {number}")
    client = as_user(ada)
    address = f"/w/acme/projects/{scene.project.uuid}/"
    first = client.get(address)
    assert first.content.decode().count("row-link") == 50
    assert "Load 50 more" in first.content.decode()
    rest = client.get(
        f"{address}?{first.context['next_query']}&more=1", headers=PART
    ).content.decode()
    assert rest.count("row-link") == 18
    assert 'hx-swap-oob="beforeend:#run-body"' in rest
    assert client.get(address, {"cursor": "rubbish"}).status_code == 404


@pytest.mark.parametrize("page", ["", "queues/"])
def test_an_unchanged_poll_is_204(page, scene, grace, alan, as_user) -> None:
    client = as_user(grace)
    seen = client.get(f"/w/acme/{page}").context["version"]
    assert client.get(f"/w/acme/{page}", {"seen": seen}, headers=PART).status_code == 204
    scene.answer(grace, scene.items[0], 2, timezone.now())
    assert client.get(f"/w/acme/{page}", {"seen": seen}, headers=PART).status_code == 200


def test_a_list_costs_the_same_however_long_it_is(
    acme, scene, grace, as_user, django_assert_max_num_queries
) -> None:
    for number in range(12):
        scenes.build(acme, timezone.now(), n_items=1, mark=f"q{number}") if number == 0 else None
    client = as_user(grace)
    for address in ("/w/acme/", "/w/acme/queues/", "/w/acme/projects/", "/w/acme/datasets/"):
        with django_assert_max_num_queries(16):
            client.get(address)
    with django_assert_max_num_queries(16):
        client.get(f"/w/acme/projects/{scene.project.uuid}/")
    with django_assert_max_num_queries(24):
        client.get(f"/w/acme/queues/{scene.queue.uuid}/")
    with django_assert_max_num_queries(22):
        client.get(f"/w/acme/runs/{scene.runs[0].id}/")


def test_a_manager_releases_offers_again_and_removes(scene, ada, grace, as_user) -> None:
    from annotations.reviewing import reservations

    item = scene.items[0]
    reservations.reserve(item, grace, timezone.now())
    client = as_user(ada)
    address = f"/w/acme/queues/{scene.queue.uuid}/items/{item.uuid}/action"
    assert "grace" in client.get(f"/w/acme/queues/{scene.queue.uuid}/").content.decode()
    assert client.post(address, {"action": "release"}).status_code == 302
    assert Seat.objects.filter(item=item).exclude(reviewer=None).count() == 0
    client.post(address, {"action": "remove"})
    assert QueueItem.objects.get(pk=item.pk).state == "removed"
    client.post(address, {"action": "requeue"})
    assert QueueItem.objects.get(pk=item.pk).state == "open"
    assert client.post(address, {"action": "explode"}).status_code == 404
    removed = client.get(f"/w/acme/queues/{scene.queue.uuid}/?state=removed").content.decode()
    assert "No item is removed" in removed


def test_a_run_is_put_into_a_queue_by_hand(scene, ada, as_user) -> None:
    child = scene.queue.items.model.objects.count()
    run = scenes.make_run(scene.workspace, scene.project, timezone.now())
    client = as_user(ada)
    client.post(f"/w/acme/runs/{run.id}/queue", {"queue": str(scene.queue.uuid)})
    item = QueueItem.objects.get(run_id=run.id)
    assert (item.source, item.added_by) == ("person", ada)
    assert QueueItem.objects.count() == child + 1
    assert client.post(f"/w/acme/runs/{run.id}/queue", {"queue": "x"}).status_code == 404


def test_a_field_is_served_whole_as_text_that_nothing_runs(scene, ada, as_user) -> None:
    run = scenes.make_run(
        scene.workspace, scene.project, timezone.now(), inputs={"x": "<script>" + "y" * 100_000}
    )
    client = as_user(ada)
    page = client.get(f"/w/acme/runs/{run.id}/?tab=io").content.decode()
    assert "Open the rest as text" in page
    assert len(page) < 150_000
    whole = client.get(f"/w/acme/runs/{run.id}/fields/inputs")
    assert whole["Content-Type"] == "text/plain; charset=utf-8"
    assert whole["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in whole["Content-Security-Policy"]
    assert len(whole.content) > 100_000
    assert client.get(f"/w/acme/runs/{run.id}/fields/metadata").status_code == 404


def test_a_key_is_shown_once_and_can_be_revoked(acme, ada, as_user) -> None:
    client = as_user(ada)
    made = client.post("/w/acme/settings/keys/mint", {"name": "bot"})
    secret = made.context["secret"]
    assert secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert keys.find(secret, timezone.now()) is not None
    assert secret not in client.get("/w/acme/settings/keys/").content.decode()
    key = ApiKey.objects.get(name="bot")
    client.post(f"/w/acme/settings/keys/{key.uuid}/revoke")
    assert keys.find(secret, timezone.now()) is None
    assert client.post("/w/acme/settings/keys/mint", {"name": ""}).status_code == 422


def test_my_settings_change_only_me(grace, as_user) -> None:
    client = as_user(grace)
    client.post(
        "/w/acme/settings/",
        {"theme": "dark", "first_name": "Grace", "username": "root", "is_staff": "on"},
    )
    grace.refresh_from_db()
    assert (grace.theme, grace.first_name, grace.username, grace.is_staff) == (
        "dark",
        "Grace",
        "grace",
        False,
    )
    assert not grace.has_single_key_shortcuts
    page = client.get("/w/acme/").content.decode()
    assert 'data-theme="dark"' in page
    assert 'data-keys="off"' in page
    assert client.post("/w/acme/settings/", {"theme": "pink"}).status_code == 422


def test_agreement_is_shown_in_words_and_drawn(scene, grace, alan, ada, as_user) -> None:
    for place, item in enumerate(scene.items):
        scene.answer(grace, item, place % 3, timezone.now())
        scene.answer(alan, item, place % 3 if place else 2, timezone.now())
    text = as_user(ada).get(f"/w/acme/queues/{scene.queue.uuid}/agreement/").content.decode()
    assert "8 items rated by two or more" in text
    assert 'class="floor"' in text
    assert "target 0.7" in text
    assert "Disputed items" in text
    assert "every rating is the same value" in text  # polite: always yes
    assert "free text has no scale" in text
    assert "What grace and alan said" in text
