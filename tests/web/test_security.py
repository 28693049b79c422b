"""The user's password and sessions, and when a session expires."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone

from observatory.workspaces import sessions
from observatory.workspaces.models import BrowserSession
from tests.factories import PASSWORD, member
from tests.web.test_pages import NAMES, pages

pytestmark = pytest.mark.django_db
PAGE = "/w/acme/settings/security/"
NEW = "correct horse battery staple"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signed_in(name: str, **headers: str) -> Client:
    client = Client(headers=headers)
    client.post("/accounts/login/", {"username": name, "password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return bool(client.get(PAGE).status_code == 200)


def change(client: Client, old: str, new: str):
    body = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(f"{PAGE}password", body)


@pytest.mark.parametrize("role", ["viewer", "reviewer", "manager", "owner"])
def test_everybody_can_change_their_password_and_is_signed_out_elsewhere(acme, role) -> None:
    member(acme, "vera", role)
    here, there = signed_in("vera"), signed_in("vera")
    answer = change(here, PASSWORD, NEW)
    assert answer["Location"] == PAGE
    assert is_in(here)
    assert not is_in(there)
    assert BrowserSession.objects.count() == 1
    fresh = Client()
    fresh.post("/accounts/login/", {"username": "vera", "password": NEW})
    assert is_in(fresh)
    assert not is_in(signed_in("vera"))


def test_a_weak_or_wrong_password_changes_nothing_and_says_why(grace) -> None:
    client, other = signed_in("grace"), signed_in("grace")
    wrong = change(client, "not it", NEW)
    assert wrong.status_code == 422
    assert "entered incorrectly" in wrong.content.decode()
    weak = change(client, PASSWORD, "short")
    assert weak.status_code == 422
    assert "at least 12 characters" in weak.content.decode()
    assert NEW not in wrong.content.decode()
    assert is_in(other)


def test_guessing_the_current_password_is_slowed_like_signing_in(grace) -> None:
    client = signed_in("grace")
    for _ in range(10):
        change(client, "guess", NEW)
    assert "Too many wrong passwords" in change(client, PASSWORD, NEW).content.decode()


def test_the_page_lists_only_the_users_sessions(grace, alan) -> None:
    client = signed_in("grace", user_agent=FIREFOX)
    signed_in("alan")
    text = client.get(PAGE).content.decode()
    assert text.count("Firefox on Linux") == 2  # the cell, and the name of its button
    assert text.count("127.0.0.1") == 1
    assert text.count("this browser") == 1
    assert client.session.session_key not in text


def test_one_session_all_others_or_all_are_ended(grace, alan) -> None:
    here, there, elsewhere = (signed_in("grace") for _ in range(3))
    alans = signed_in("alan")
    row = BrowserSession.objects.get(session_key=there.session.session_key)
    assert alans.post(f"{PAGE}{row.uuid}/end").status_code == 404
    assert is_in(there)
    here.post(f"{PAGE}{row.uuid}/end")
    assert not is_in(there)
    assert is_in(elsewhere)
    here.post(f"{PAGE}end", {"keep": "this"})
    assert not is_in(elsewhere)
    assert is_in(here)
    back = signed_in("grace")
    assert here.post(f"{PAGE}end")["Location"] == "/accounts/login/"
    assert not is_in(here)
    assert not is_in(back)
    assert is_in(alans)


def age(client: Client, idle: timedelta, old: timedelta | None = None) -> None:
    """Make the client's session one that was not used for `idle` and began `old` ago."""
    now = timezone.now()
    BrowserSession.objects.filter(session_key=client.session.session_key).update(
        seen_at=now - idle,
        created_at=now - (old or idle),
        expire_date=now - idle + sessions.idle_limit(),
    )


def test_a_session_ends_twelve_hours_after_it_was_used_last(grace) -> None:
    used, left = signed_in("grace"), signed_in("grace")
    for client in (used, left):
        age(client, timedelta(hours=11))
    assert is_in(used)
    for client in (used, left):
        row = BrowserSession.objects.filter(session_key=client.session.session_key)
        row.update(expire_date=row.get().expire_date - timedelta(hours=2))
    assert is_in(used)
    assert not is_in(left)


def test_a_session_ends_after_seven_days_even_in_use(grace) -> None:
    client = signed_in("grace")
    age(client, timedelta(hours=1), old=timedelta(days=6, hours=23))
    assert is_in(client)
    row = BrowserSession.objects.get()
    assert row.expire_date == row.created_at + timedelta(days=7)


def test_polls_do_not_extend_a_session(grace) -> None:
    client = signed_in("grace")
    age(client, timedelta(hours=1))
    before = BrowserSession.objects.get().expire_date
    client.get("/w/acme/queues/?seen=x", headers={"HX-Request": "true"})
    assert BrowserSession.objects.get().expire_date == before
    client.get("/w/acme/queues/")
    assert BrowserSession.objects.get().expire_date > before


def test_activity_is_written_every_few_minutes_only(grace, django_assert_max_num_queries) -> None:
    client = signed_in("grace")
    client.get(PAGE)
    before = BrowserSession.objects.get().seen_at
    client.get(PAGE)
    assert BrowserSession.objects.get().seen_at == before


@pytest.mark.django_db(transaction=True)
def test_sessions_from_before_go_on_and_end_when_they_are_idle(grace) -> None:
    """An upgrade keeps all sessions; their users are stored on the next use."""
    client = signed_in("grace")
    row = BrowserSession.objects.get()
    executor = MigrationExecutor(connection)
    executor.migrate([("workspaces", "0002_sign_in_failure")])
    Session.objects.create(
        session_key=row.session_key,
        session_data=row.session_data,
        expire_date=timezone.now() + timedelta(days=6),
    )
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())  # of every app: others depend on it
    taken = BrowserSession.objects.get()
    assert taken.user is None
    assert taken.expire_date <= timezone.now() + sessions.idle_limit()
    assert is_in(client)
    assert BrowserSession.objects.get().user == grace


def test_ended_sessions_are_deleted_at_sign_in(grace, alan) -> None:
    signed_in("grace")
    BrowserSession.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    signed_in("alan")
    assert [session.user for session in BrowserSession.objects.all()] == [alan]


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_compressed_with_padding(name, ada, scene, as_user) -> None:
    client, address = as_user(ada), pages(scene)[name]
    plain = client.get(address)
    sizes, bodies = set(), set()
    for _ in range(8):
        packed = client.get(address, headers={"Accept-Encoding": "gzip"})
        assert packed["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed["Vary"]
        sizes.add(len(packed.content))
        bodies.add(gzip.decompress(packed.content)[:80])
    assert len(bodies) == 1
    assert len(sizes) > 1  # the same page has another length each time
    assert max(sizes) < len(plain.content) / 2


def test_only_pages_are_compressed(grace) -> None:
    client = signed_in("grace")
    for path in ("/api/v1/info", "/favicon.ico"):
        assert "Content-Encoding" not in client.get(path, headers={"Accept-Encoding": "gzip"})
