"""Getting in, getting out, and being slowed down when guessing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from observatory.workspaces import sign_in
from tests.conftest import NOON
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def attempt(client: Client, name: str, password: str, **more: str):
    return client.post("/accounts/login/", {"username": name, "password": password, **more})


def test_a_member_lands_in_their_workspace(grace) -> None:
    client = Client()
    assert client.get("/")["Location"] == "/accounts/login/"
    assert attempt(client, "grace", PASSWORD)["Location"] == "/"
    assert client.get("/")["Location"] == "/w/acme/"
    assert client.get("/accounts/login/").status_code == 302


def test_s5_scripts_and_other_sites_never_get_the_session_cookie(grace) -> None:
    client = Client()
    attempt(client, "grace", PASSWORD)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"


def test_a_user_without_a_workspace_sees_a_message(db) -> None:
    client = Client()
    client.force_login(UserFactory(username="nobody"))
    assert "not in a workspace yet" in client.get("/").content.decode()


def test_a_page_that_needs_a_session_is_opened_after_signing_in(grace) -> None:
    client = Client()
    asked = client.get("/w/acme/queues/?x=1")
    assert asked["Location"] == "/accounts/login/?next=/w/acme/queues/%3Fx%3D1"
    done = attempt(client, "grace", PASSWORD, next="/w/acme/queues/?x=1")
    assert done["Location"] == "/w/acme/queues/?x=1"
    away = attempt(Client(), "grace", PASSWORD, next="https://evil.example/")
    assert away["Location"] == "/"


def test_fragments_and_scripts_get_401_after_signing_out(acme) -> None:
    part = Client().get(
        "/w/acme/queues/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/w/acme/queues/?a=1&b"},
    )
    assert part["HX-Redirect"] == "/accounts/login/?next=/w/acme/queues/%3Fa%3D1%26b"
    assert Client().get("/w/acme/queues/", headers={"X-Obs-Fetch": "1"}).status_code == 401


def test_ten_wrong_passwords_make_the_next_attempt_wait(grace) -> None:
    client = Client()
    for _ in range(10):
        answer = attempt(client, "grace", "wrong")
        assert "do not match" in answer.content.decode()
    slowed = attempt(client, "Grace ", PASSWORD)
    assert "Too many wrong passwords" in slowed.content.decode()
    other = Client(REMOTE_ADDR="10.0.0.9")
    assert attempt(other, "grace", PASSWORD).status_code == 302


def test_an_unknown_name_is_answered_like_a_known_one(grace) -> None:
    def told(name: str) -> str:
        client = Client()
        return [
            attempt(client, name, "wrong").context["form"].non_field_errors() for _ in range(11)
        ]

    assert told("grace") == told("nobody-at-all")


def test_the_wait_ends_when_the_oldest_failure_is_a_quarter_of_an_hour_old(db) -> None:
    for minute in range(10):
        assert sign_in.begin("grace", "10.0.0.1", NOON + timedelta(minutes=minute)) is None
    at = NOON + timedelta(minutes=10)
    assert sign_in.begin("grace", "10.0.0.1", at) == timedelta(minutes=5)
    assert sign_in.begin("grace", "10.0.0.2", at) is None
    later = NOON + timedelta(minutes=15)
    assert sign_in.begin("grace", "10.0.0.1", later) is None
    sign_in.succeed("grace", "10.0.0.1", later)
    assert [sign_in.begin("grace", "10.0.0.1", later) for _ in range(10)] == [None] * 10


def test_one_password_for_many_names_is_slowed_by_its_address(db) -> None:
    waits = [sign_in.begin(f"name{n}", "10.0.0.1", NOON) for n in range(60)]
    assert waits.count(None) == sign_in.PER_ADDRESS
    assert sign_in.begin("name0", "10.0.0.2", NOON) is None
    assert sign_in.begin("x", "2001:db8::1", NOON) is None


def test_guesses_from_many_addresses_are_slowed_until_unlocked(db, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sign_in, "IN_ALL", 20)
    waits = [sign_in.begin("grace", f"10.0.0.{n}", NOON) for n in range(30)]
    assert waits.count(None) == 20
    call_command("user", "unlock")
    assert "forgotten" in capsys.readouterr().out
    assert sign_in.begin("grace", "10.0.0.99", NOON) is None


def test_an_address_of_ipv6_is_counted_by_its_network(db) -> None:
    waits = [sign_in.begin(f"name{n}", f"2001:db8::{n:x}", NOON) for n in range(60)]
    assert waits.count(None) == sign_in.PER_ADDRESS


def test_an_empty_password_does_not_start_the_count_anew(grace) -> None:
    client = Client()
    for _ in range(10):
        attempt(client, "grace", "wrong")
        attempt(client, "grace", "")
    assert "Too many wrong passwords" in attempt(client, "grace", PASSWORD).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_forty_attempts_at_once_ten_are_looked_at(monkeypatch) -> None:
    UserFactory(username="grace")
    looked_at: list[str] = []

    def authenticate(request, **credentials):
        looked_at.append(credentials["username"])

    monkeypatch.setattr("django.contrib.auth.forms.authenticate", authenticate)

    def guess(_: int) -> None:
        attempt(Client(), "grace", "wrong")
        connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(40)))
    assert len(looked_at) == 10


def test_signing_out_needs_a_form(grace) -> None:
    client = Client()
    client.force_login(grace)
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert client.get("/w/acme/").status_code == 302


def test_every_change_needs_the_csrf_token(grace) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(grace)
    assert client.post("/w/acme/settings/", {"theme": "dark"}).status_code == 403
    assert client.post("/accounts/logout/").status_code == 403


def test_pages_carry_the_strict_policy(grace) -> None:
    client = Client()
    client.force_login(grace)
    for address in ("/w/acme/", "/accounts/login/", "/w/acme/nowhere/"):
        policy = client.get(address)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_a_form_older_than_the_session_leads_back(grace) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(grace)
    answer = client.post(
        "/w/acme/settings/",
        {"first_name": "Grace"},
        headers={"Referer": "http://testserver/w/acme/settings/"},
    )
    assert answer.status_code == 403
    text = answer.content.decode()
    assert "This form is out of date" in text
    assert 'href="/w/acme/settings/"' in text
    script = client.post("/w/acme/settings/", {}, headers={"X-Obs-Fetch": "1"})
    assert (script.status_code, script["X-Obs-Token"]) == (403, "stale")


@pytest.mark.parametrize(
    ("referer", "path"),
    [
        ("http://testserver/w/acme/settings/keys/", "/w/acme/settings/keys/"),
        ("http://evil.example/w/acme/", "/"),
        ("http://testserver//evil.example/", "/evil.example/"),
        ("", "/"),
    ],
)
def test_a_form_sent_without_a_session_leads_back_to_its_page(acme, referer, path) -> None:
    sent = Client().post(
        "/w/acme/settings/keys/mint", {"name": "bot"}, headers={"Referer": referer}
    )
    assert sent["Location"] == f"/accounts/login/?next={path}"


def test_a_script_of_one_users_page_is_refused_as_another(grace, alan) -> None:
    client = Client()
    client.force_login(alan)
    ours = {"X-Obs-Fetch": "1", "X-Obs-User": str(grace.uuid)}
    answer = client.get("/w/acme/queues/", headers=ours)
    assert (answer.status_code, answer["X-Obs-Sign-In"]) == (401, "other")
    mine = {"X-Obs-Fetch": "1", "X-Obs-User": str(alan.uuid)}
    assert client.get("/w/acme/queues/", headers=mine).status_code == 200
