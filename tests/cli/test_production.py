"""Production: the same code and migrations on PostgreSQL 15 with Redis, and with RabbitMQ.

`.ci/services.sh` installs and starts the three; nothing here is skipped without them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import kombu
import psycopg
import pytest

from tests.cli.proxy import free_port, shipped_proxy
from tests.live import ROOT, child_environment, open_directory

SERVER = "postgresql://observatory_test:only-for-tests-here@127.0.0.1:5432"
BROKERS = {
    "redis": "redis://127.0.0.1:6379/9",
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//",
}
KEY_QUEUE_AND_RULE = """
from django.utils import timezone
from annotations.models import RoutingRule
from annotations.queues.queues import create_queue
from observatory.workspaces import keys
from observatory.workspaces.models import Workspace
workspace = Workspace.objects.get(slug="acme")
queue = create_queue(workspace, "doubtful", now=timezone.now())
RoutingRule.objects.create(
    workspace=workspace, name="errors", filter='eq(status, "error")', queue=queue, is_enabled=True
)
print(keys.mint(workspace, "application")[1])
"""


@dataclass
class Production:
    """A database, a broker and the environment that names them."""

    environment: dict[str, str]
    database_url: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def observatory(self, *words: str, text: str | None = None) -> str:
        """Run a command and return what it printed."""
        ended = subprocess.run(
            [sys.executable, "-m", "observatory", *words],
            env=self.environment,
            cwd=ROOT,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextlib.contextmanager
    def running(self, *names: str, log: Path) -> Iterator[None]:
        """Run `web`, `worker` and `beat` as a production host would."""
        commands = {
            "web": ["gunicorn", "-c", "python:observatory.gunicorn"],
            "worker": [
                "celery",
                "-A",
                "observatory",
                "worker",
                "--concurrency=1",
                "--loglevel=INFO",
            ],
            "beat": [
                *("celery", "-A", "observatory", "beat", "--pidfile="),
                f"--schedule={log.parent / 'schedule'}",
            ],
        }
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(log.open("a"))
            for name in names:
                process = subprocess.Popen(
                    [sys.executable, "-m", *commands[name]],
                    env=self.environment,
                    cwd=ROOT,
                    stdout=file,
                    stderr=file,
                    stdin=subprocess.DEVNULL,
                )
                stack.callback(process.wait, 30)
                stack.callback(process.terminate)
            yield

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request; return status, headers and body, or status 0 if nothing answers."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} | headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()
        except OSError:
            return 0, {}, b""

    def wait_for(self, path: str, status: int, log: Path) -> None:
        deadline = time.monotonic() + 60
        while self.ask("GET", path)[0] != status:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query).fetchall()


@contextlib.contextmanager
def new_database() -> Iterator[str]:
    name = f"observatory_{uuid4().hex[:12]}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{SERVER}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def production(data: Path, database_url: str, broker_url: str) -> Production:
    port = free_port()
    environment = child_environment(data) | {
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": broker_url,
        "SECRET_KEY": "pR0ducti0n-in-a-test-9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        "OBSERVATORY_BIND": f"127.0.0.1:{port}",
        "OBSERVATORY_GRACEFUL_TIMEOUT_S": "3",
        "OBSERVATORY_STATIC_ROOT": str(data / "static"),
        "OBSERVATORY_ATTACHMENTS_DIR": str(data / "attachments"),
    }
    return Production(environment, database_url, port)


@contextlib.contextmanager
def clean_broker(url: str) -> Iterator[None]:
    """No message of an earlier test, and none left for a later one."""

    def sweep() -> None:
        with kombu.Connection(url) as connection:
            for name in ("queue_delete", "exchange_delete"):
                # Unknown ones: an error on some versions, which closes the channel.
                with (
                    contextlib.suppress(*connection.channel_errors),
                    connection.channel() as channel,
                ):
                    getattr(channel, name)("observatory")

    sweep()
    try:
        yield
    finally:
        sweep()


@pytest.fixture
def place() -> Iterator[Path]:
    with open_directory() as directory:
        directory.chmod(0o755)  # the proxy's workers have an account of their own
        yield directory


@pytest.mark.parametrize("broker", BROKERS)
def test_a_run_goes_from_the_wire_to_a_queue_item(place, broker) -> None:
    log = place / "log"
    with new_database() as database_url, clean_broker(BROKERS[broker]):
        site = production(place, database_url, BROKERS[broker])
        site.observatory("migrate")
        site.observatory("workspace", "create", "acme")
        key = site.observatory("shell", text=KEY_QUEUE_AND_RULE).split()[-1]
        # Without a beat: the item comes by the message through the broker, not by the sweeper.
        with site.running("web", "worker", log=log):
            site.wait_for("/readyz", 200, log)
            deadline = time.monotonic() + 60
            while "ready." not in log.read_text():
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            run_id = str(uuid4())
            run = {
                "id": run_id,
                "name": "answer",
                "run_type": "chain",
                "start_time": "2026-11-20T12:00:00Z",
                "end_time": "2026-11-20T12:00:01Z",
                "inputs": {"question": "?"},
                "error": "no answer",
                "session_name": "bot",
                "trace_id": run_id,
                "dotted_order": f"20261120T120000000000Z{run_id}",
            }
            status, _, body = site.ask("POST", "/api/runs", run, **{"x-api-key": key})
            assert status in {200, 201, 202}, body
            deadline = time.monotonic() + 30
            while not site.rows("SELECT 1 FROM annotations_queueitem"):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            assert site.rows("SELECT run_id::text FROM annotations_queueitem") == [(run_id,)]
            status, _, body = site.ask("GET", "/healthz", **{"x-api-key": key})
            assert status == 200
            assert json.loads(body)["broker"] == "answers"
            assert json.loads(body)["database"]["version"].startswith("15.")


def test_a_database_that_is_away_is_503_with_retry_after_and_back_it_is_ready(place) -> None:
    log = place / "log"
    with new_database() as database_url:
        site = production(place, database_url, "redis://127.0.0.1:9/0")  # no broker at all
        site.observatory("migrate")
        site.observatory("workspace", "create", "acme")
        key = site.observatory("apikey", "create", "application", "--workspace", "acme").strip()
        with site.running("web", log=log):
            site.wait_for("/readyz", 200, log)  # the dead broker does not matter
            with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
                name = database_url.rpartition("/")[2]
                server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )
                assert site.ask("GET", "/livez")[0] == 200
                for method, path in [("GET", "/readyz"), ("POST", "/api/runs"), ("GET", "/")]:
                    body = {} if method == "POST" else None
                    status, headers, _ = site.ask(method, path, body, **{"x-api-key": key})
                    if path != "/":  # the first page may need no database to send one to sign in
                        assert (status, headers.get("Retry-After")) == (503, "20"), path
                    assert status != 500
                server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            site.wait_for("/readyz", 200, log)


def test_the_shipped_proxy_answers_503_with_retry_after_while_no_web_process_does(place) -> None:
    """And passes everything on when one does."""
    log = place / "log"
    with new_database() as database_url:
        site = production(place, database_url, "redis://127.0.0.1:9/0")
        site.observatory("migrate")
        site.observatory("collectstatic", "--noinput")
        with shipped_proxy(place, site.port) as port:
            behind = Production(site.environment, database_url, port)
            behind.wait_for("/readyz", 503, log=place / "nginx.conf")
            status, headers, body = behind.ask("POST", "/api/runs/multipart", {})
            assert (status, headers.get("Retry-After")) == (503, "20")
            assert json.loads(body)["code"] == "unavailable"
            with site.running("web", log=log):
                behind.wait_for("/readyz", 200, log)
                assert json.loads(behind.ask("GET", "/api/info")[2])["version"]
                assert behind.ask("GET", "/static/../observatory/settings.py")[0] == 404
                body = {"text": "x" * 23_000_000}  # the application decides on it, not the proxy
                assert behind.ask("POST", "/api/runs", body)[0] == 401
