"""`observatory up`: database, migrations, web server, worker and beat, in one foreground tree."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from observatory.console import first_start
from observatory.console.supervisor import Child, Program, Supervisor, listening
from observatory.embedded import postgres

START_PATIENCE_S = 120.0
ANY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not bound to


class Command(BaseCommand):
    """Run everything until Ctrl-C or SIGTERM."""

    help = "Run Observatory: database, web server, worker and beat, in the foreground."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="0: any free port")
        parser.add_argument("--no-demo", action="store_true", help="first start without demo data")
        parser.add_argument(
            "--data",
            help=f"directory of the embedded database and files (now {settings.DATA_DIR})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with contextlib.ExitStack() as stack:
            try:
                bound = stack.enter_context(listening(options["host"], options["port"]))
            except (OSError, OverflowError) as error:
                raise CommandError(
                    f"cannot listen on {options['host']}:{options['port']}"
                    f" ({getattr(error, 'strerror', None) or error}); choose with --host and --port"
                ) from None
            if settings.IS_EMBEDDED:
                try:
                    stack.enter_context(postgres.owned(settings.DATA_DIR))
                except postgres.InUse as error:
                    raise CommandError(str(error)) from None
            supervisor = stack.enter_context(Supervisor(log=sys.stderr))
            _Tree(supervisor, bound, options["host"], options["verbosity"]).run(
                with_demo=not options["no_demo"]
            )


class _Tree:
    """The programs of one installation, in the order of their dependencies."""

    def __init__(
        self, supervisor: Supervisor, bound: socket.socket, host: str, verbosity: int
    ) -> None:
        self.supervisor = supervisor
        self.bound = bound
        self.verbosity = verbosity
        self.port: int = bound.getsockname()[1]
        self.address = "127.0.0.1" if host in ANY_ADDRESS else host
        self.url = settings.PUBLIC_URL or f"http://{_in_url(self.address)}:{self.port}"
        self.environment = self._environment(host)

    def _environment(self, host: str) -> dict[str, str]:
        level = "INFO" if self.verbosity > 1 else "WARNING"
        names = set(settings.ALLOWED_HOSTS) | {self.address}
        if host in ANY_ADDRESS:
            names |= _names_of_this_machine()
        environment = dict(os.environ) | {
            "OBSERVATORY_DATA": str(settings.DATA_DIR),
            "ALLOWED_HOSTS": ",".join(sorted(_in_url(name) for name in names)),
            "OBSERVATORY_BIND": f"fd://{self.bound.fileno()}",
            "PYTHONUNBUFFERED": "1",
            # Root in a container is expected, and the worker may do no more than `up`.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
        }
        environment.setdefault("OBSERVATORY_LOG_LEVEL", level)
        environment.setdefault("OBSERVATORY_GRACEFUL_TIMEOUT_S", "5")
        return environment

    def run(self, *, with_demo: bool) -> None:
        """Start everything, print the address, and supervise it until a signal asks to stop."""
        if settings.IS_EMBEDDED and not self._start_database():
            return
        # Checked once here rather than by each child process.
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        call_command("collectstatic", interactive=False, verbosity=0)
        shown_once = first_start.prepare()
        connections.close_all()
        if self.supervisor.is_stopping:
            self._print(shown_once)
            return
        web = self._start_web()
        is_ready = self.supervisor.wait_for(self._answers, START_PATIENCE_S, web)
        self._print(shown_once)
        if not is_ready and not self.supervisor.is_stopping:
            raise CommandError("the web server did not become ready; its output is above")
        self._start_worker()  # after the first page, so that it does not compete for the processor
        if with_demo and shown_once is not None and "demo" in get_commands():
            self.supervisor.start(
                self._observatory("demo", "demo", f"--url={self._local_url}", runs_once=True)
            )
        self.supervisor.run()

    def _start_database(self) -> bool:
        data: Path = settings.DATA_DIR
        postgres.clear_stale_lock(data)
        _empty_broker(data / "broker")
        database = self.supervisor.start(
            Program(
                "db",
                postgres.server_command(data),
                stop_signal=signal.SIGINT,  # a fast shutdown: open connections are ended
                orphan_signal=signal.SIGINT,
                account=postgres.server_user(),
                is_worth_showing=_is_news_of_the_database if self.verbosity < 2 else _is_any,
            )
        )
        if not self.supervisor.wait_for(
            lambda: postgres.is_running(data), START_PATIENCE_S, database
        ):
            if self.supervisor.is_stopping:
                return False
            raise CommandError("the database did not start; its output is above")
        postgres.make_database(data)
        return True

    def _start_web(self) -> Child:
        command = [sys.executable, "-m", "gunicorn", "-c", "python:observatory.gunicorn"]
        return self.supervisor.start(
            Program("web", command, self.environment, inherited=(self.bound.fileno(),))
        )

    def _start_worker(self) -> None:
        """Start the worker and the beat.

        The worker uses threads: its tasks wait for the database, and one process instead of three
        keeps an idle installation small. Threads cannot limit a task's time; the database's
        statement timeout bounds it instead.
        """
        level = self.environment["OBSERVATORY_LOG_LEVEL"]
        celery = [sys.executable, "-m", "celery", "--quiet", "-A", "observatory"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        pool = ["--pool=threads", "--concurrency=4"]
        (settings.DATA_DIR / "beat").mkdir(parents=True, exist_ok=True)
        schedule = settings.DATA_DIR / "beat" / "schedule"
        self.supervisor.start(
            Program(
                "worker",
                [*celery, "worker", *pool, *quiet, f"--loglevel={level}"],
                self.environment,
                is_worth_showing=_is_line,
            )
        )
        self.supervisor.start(
            Program(
                "beat",
                [*celery, "beat", f"--schedule={schedule}", "--pidfile=", f"--loglevel={level}"],
                self.environment,
                is_worth_showing=_is_line,
            )
        )

    def _observatory(self, name: str, *words: str, runs_once: bool) -> Program:
        command = [sys.executable, "-m", "observatory", *words]
        return Program(name, command, self.environment, runs_once=runs_once)

    @property
    def _local_url(self) -> str:
        return f"http://{_in_url(self.address)}:{self.port}"

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=2.0)
        try:
            connection.request("GET", "/readyz", headers={"X-Forwarded-Proto": "https"})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _print(self, shown_once: first_start.Secrets | None) -> None:
        lines = ["", f"  Observatory is at {self.url}", ""]
        if shown_once is not None:
            lines += [
                f"  Sign in as   {shown_once.login}",
                f"  Password     {shown_once.password}",
                "",
                "  Send your traces here (shown once: only digests are stored):",
                "",
                f"export LANGSMITH_ENDPOINT={self.url}/api",
                f"export LANGSMITH_API_KEY={shown_once.api_key}",
                "",
            ]
        lines += [
            "  New key:       observatory apikey create NAME",
            "  New password:  observatory user password NAME",
            "  Stop:          Ctrl-C",
            "",
        ]
        print("\n".join(lines), flush=True)


def _in_url(host: str) -> str:
    """Return `host` as it is written in a URL and in a Host header."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _names_of_this_machine() -> set[str]:
    addresses = {
        address.address.split("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in {socket.AF_INET, socket.AF_INET6}
    }
    return addresses | {socket.gethostname(), socket.getfqdn()}


def _empty_broker(folder: Path) -> None:
    """Delete the messages of the last start: they are nudges, and the sweepers find the rows.

    A message cut short by a kill could stop the worker again and again.
    """
    for part in ("messages", "control"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)


def _is_any(line: str) -> bool:
    return True


def _is_line(line: str) -> bool:
    return bool(line.strip()) and "Warm shutdown" not in line


def _is_news_of_the_database(line: str) -> bool:
    """Return whether a line of PostgreSQL's log is worth showing to the operator."""
    if "PANIC:" in line:
        return True
    return "FATAL:" in line and not any(
        usual in line for usual in ("is starting up", "is shutting down", "due to administrator")
    )
