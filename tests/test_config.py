"""Promise S1: a bad environment stops the start, with one line per mistake and no traceback."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from kombu import serialization
from kombu.exceptions import ContentDisallowed
from kombu.serialization import prepare_accept_content

from observatory.celery import app
from observatory.config import Environment
from tests.live import ROOT

KEY = "v8Yh2kQ0pLw7rT5nXz3bC9dF1gJ4mS6aEuHiOqPsWtVxZyAb" + "BcKlMnRj"
GOOD = {
    "DATABASE_URL": "postgresql://obs:xK3-92ms@db.example.com:5432/observatory?sslmode=require",
    "CELERY_BROKER_URL": "redis://cache.example.com:6379/0",
    "SECRET_KEY": KEY,
    "OBSERVATORY_PUBLIC_URL": "https://obs.example.com",
}
BAD = [
    ({"SECRET_KEY": ""}, "SECRET_KEY: needed with DATABASE_URL"),
    ({"SECRET_KEY": "short"}, "SECRET_KEY: must have at least 50 characters"),
    ({"SECRET_KEY": "django-insecure-" + KEY}, "SECRET_KEY: must be random"),
    ({"SECRET_KEY": "x" * 64}, "SECRET_KEY: must be random"),
    ({"SECRET_KEY_FALLBACKS": f"{KEY},old"}, "SECRET_KEY_FALLBACKS: must have at least 50"),
    (
        {"SECRET_KEY_FALLBACKS_FILE": "/nowhere/key"},
        "SECRET_KEY_FALLBACKS_FILE: cannot read /nowhere/key",
    ),
    ({"DATABASE_URL": "mysql://db/observatory"}, "DATABASE_URL: must start with postgresql://"),
    ({"DATABASE_URL": "db.example.com"}, "DATABASE_URL: must start with postgresql://"),
    ({"DATABASE_URL": "postgresql://db:port/x"}, "DATABASE_URL: is not a URL"),
    ({"DATABASE_URL": "postgresql://db"}, "DATABASE_URL: names no database"),
    ({"DATABASE_URL": "postgresql://u:postgres@db/x"}, "DATABASE_URL: its password"),
    ({"DATABASE_URL": "postgresql://u:ChangeMe@db/x"}, "DATABASE_URL: its password"),
    ({"CELERY_BROKER_URL": ""}, "CELERY_BROKER_URL: needed with DATABASE_URL"),
    ({"CELERY_BROKER_URL": "kafka://k"}, "CELERY_BROKER_URL: must start with redis://"),
    ({"CELERY_BROKER_URL": "amqp://"}, "CELERY_BROKER_URL: names no host"),
    ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS: name the hosts"),
    ({"ALLOWED_HOSTS": "obs.example.com,https://a.example.com"}, "must be a host name only"),
    ({"ALLOWED_HOSTS": "other.example.com"}, "ALLOWED_HOSTS: must include obs.example.com"),
    ({"OBSERVATORY_PUBLIC_URL": "obs.example.com"}, "OBSERVATORY_PUBLIC_URL: must be like"),
    ({"OBSERVATORY_PUBLIC_URL": "https://h/obs"}, "OBSERVATORY_PUBLIC_URL: must be like"),
    ({"CSRF_TRUSTED_ORIGINS": "obs.example.com"}, "CSRF_TRUSTED_ORIGINS: 'obs.example.com' must"),
    ({"DEBUG": "true"}, "DEBUG: shows secrets"),
    ({"DEBUG": "maybe"}, "DEBUG: must be true or false, got 'maybe'"),
    ({"OBSERVATORY_WEB_WORKERS": "two"}, "OBSERVATORY_WEB_WORKERS: must be a whole number"),
    ({"OBSERVATORY_WEB_THREADS": "0"}, "OBSERVATORY_WEB_THREADS: must be 1 to 64, got 0"),
    ({"OBSERVATORY_STATEMENT_TIMEOUT_S": "-1"}, "must be 1 to 3600, got -1"),
    ({"OBSERVATORY_LOG_LEVEL": "loud"}, "OBSERVATORY_LOG_LEVEL: must be one of"),
    ({"OBSERVATORY_WEB_WORKER": "4"}, "no such setting, do you mean OBSERVATORY_WEB_WORKERS?"),
]


def start(changes: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the production environment GOOD with `changes`."""
    names = {"PATH", "PYTHONPATH", "HOME", "LANG"}
    variables = {name: os.environ[name] for name in names if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "observatory", *words],
        env=variables | GOOD | changes,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def answers() -> list[subprocess.CompletedProcess[str]]:
    """What `observatory check` said in each bad environment; two at a time, to save time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda case: start(case[0], "check"), BAD))


@pytest.mark.parametrize("number", range(len(BAD)), ids=[line for _, line in BAD])
def test_s1_a_bad_environment_is_refused_with_one_line(answers, number) -> None:
    answer, line = answers[number], BAD[number][1]
    assert answer.returncode == 1
    heading, *mistakes = answer.stderr.splitlines()
    assert heading == "observatory: the environment is not right"
    assert len(mistakes) == 1, mistakes
    assert line in mistakes[0]
    assert KEY not in answer.stderr


def test_all_mistakes_are_named_at_once() -> None:
    answer = start({"SECRET_KEY": "short", "ALLOWED_HOSTS": "*", "DEBUG": "perhaps"}, "check")
    assert {line.split(":")[0] for line in answer.stderr.splitlines()[1:]} == {
        *("SECRET_KEY", "ALLOWED_HOSTS", "DEBUG")
    }


def test_the_deployment_check_passes_in_production() -> None:
    answer = start({}, "check", "--deploy", "--fail-level", "WARNING")
    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout + answer.stderr


def test_a_database_that_does_not_answer_is_one_line() -> None:
    answer = start({"DATABASE_URL": "postgresql://obs:x@127.0.0.1:9/observatory"}, "migrate")
    assert answer.returncode == 1
    assert answer.stderr.startswith("observatory: the database does not answer")
    assert "Traceback" not in answer.stderr


def test_a_secret_can_come_from_a_file(tmp_path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    env = Environment({"SECRET_KEY_FILE": str(tmp_path / "key")})
    assert env.secret("SECRET_KEY") == KEY
    env.check()


def test_s8_a_worker_refuses_a_pickled_message() -> None:
    accepted = prepare_accept_content(app.conf.accept_content)
    message = pickle.dumps({"task": "annotations.tasks.drain_changes"})
    with pytest.raises(ContentDisallowed):
        serialization.loads(message, "application/x-python-serialize", "binary", accept=accepted)
    assert serialization.loads(b"{}", "application/json", "utf-8", accept=accepted) == {}
