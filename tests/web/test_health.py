"""What /livez, /readyz and /healthz answer, and what happens when the database is away."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client, override_settings
from django.urls import path

import observatory.urls
from observatory.runs.models import Change
from observatory.web import health
from tests.conftest import NOON
from tests.factories import PASSWORD


@pytest.fixture
def away(monkeypatch):
    """A database that does not answer."""

    def refuse(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", refuse)


@pytest.mark.django_db
def test_all_answer_200_on_a_healthy_installation(client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


@pytest.mark.django_db
def test_without_the_database_it_lives_but_is_not_ready(client, away) -> None:
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "20")
    assert answer.json()["reasons"] == ["the database does not answer"]


@pytest.mark.django_db
def test_a_dead_broker_does_not_make_it_unready(client, api) -> None:
    from observatory.celery import app

    old = app.conf.broker_write_url
    app.conf.broker_write_url = "redis://127.0.0.1:9/0"
    app.pool.force_close_all()
    try:
        assert client.get("/readyz").status_code == 200
        answer = api.get("/healthz")
        assert answer.status_code == 200
        assert answer.json()["broker"].startswith("does not answer")
    finally:
        app.conf.broker_write_url = old


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["as it was", "removed", "a file is in its place"])
def test_an_embedded_broker_answers_when_its_folder_takes_messages(api, tmp_path, state) -> None:
    from observatory.celery import app

    folder = tmp_path / "broker" / "messages"
    folder.mkdir(parents=True)
    if state == "removed":
        shutil.rmtree(folder.parent)
    elif state == "a file is in its place":
        folder.rmdir()
        folder.write_text("not a folder")
    old = app.conf.broker_write_url, app.conf.broker_transport_options
    app.conf.broker_write_url = "filesystem://localhost"
    app.conf.broker_transport_options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder.parent / "control"),
    }
    app.pool.force_close_all()
    try:
        answer = api.get("/healthz").json()["broker"]
        assert answer.startswith("does not answer" if folder.is_file() else "answers"), answer
        assert folder.is_file() or not list(folder.iterdir())
    finally:
        app.conf.broker_write_url, app.conf.broker_transport_options = old
        app.pool.force_close_all()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_database_that_may_lose_acknowledged_runs_is_not_ready(monkeypatch, client, name) -> None:
    # fsync cannot be switched off for one session, so the question is turned instead.
    monkeypatch.setattr(health, "MUST_BE_ON", [name, "jit"])
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "jit = off" in answer.json()["reasons"][0]
    if name == "synchronous_commit":
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        monkeypatch.undo()
        assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_missing_migrations_make_it_unready(monkeypatch, client) -> None:
    monkeypatch.setattr(health._Migrations, "are_applied", False)
    monkeypatch.setattr(
        "django.db.migrations.recorder.MigrationRecorder.applied_migrations", lambda self: {}
    )
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "observatory migrate" in answer.json()["reasons"][0]


@pytest.mark.django_db
def test_the_detail_is_for_operators_and_keys_only(client, api, rival_api, ada) -> None:
    Change.objects.create(
        workspace=api.workspace, kind="run", run_ids=[], created_at=NOON - timedelta(hours=1)
    )
    assert client.get("/healthz").status_code == 401
    assert client.get("/healthz", headers={"x-api-key": "obs_wrong"}).status_code == 401
    assert client.login(username="ada", password=PASSWORD)
    assert client.get("/healthz").status_code == 401  # a lead is no operator
    assert api.get("/healthz").json()["routing"]["n_waiting"] == 1
    assert rival_api.get("/healthz").json()["routing"]["n_waiting"] == 0
    ada.is_superuser = True
    ada.save()
    detail = client.get("/healthz").json()
    assert detail["routing"]["n_waiting"] == 1
    assert detail["disk_free_bytes"] > 0


def _broken_page(request):
    raise OperationalError("server closed the connection unexpectedly")


class _Urls:
    handler500 = observatory.urls.handler500
    urlpatterns = [path("page", _broken_page)]


@override_settings(ROOT_URLCONF=_Urls)
@pytest.mark.parametrize(("accept", "kind"), [("text/html", "text/html"), ("*/*", "application")])
def test_a_page_whose_database_is_away_is_503_with_retry_after(accept, kind) -> None:
    answer = Client().get("/page", headers={"accept": accept})
    assert (answer.status_code, answer["Retry-After"]) == (503, "20")
    assert answer["Content-Type"].startswith(kind)


@pytest.mark.django_db
def test_an_outage_met_in_a_middleware_is_503_too(client, ada, away, monkeypatch) -> None:
    monkeypatch.setattr(
        "django.contrib.sessions.middleware.SessionMiddleware.process_request",
        lambda self, request: _broken_page(request),
    )
    client.raise_request_exception = False
    answer = client.get("/livez", headers={"accept": "text/html"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "20")
    assert b"The database does not answer" in answer.content
