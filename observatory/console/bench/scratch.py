"""A temporary database on the configured server, and a web server on it, for a benchmark."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import sql

START_PATIENCE_S = 30.0
SAMPLE_S = 0.05


def connection_string(database: str) -> str:
    """Return the libpq string of `database` on the configured server."""
    configured = connection.settings_dict
    return psycopg.conninfo.make_conninfo(
        dbname=database,
        user=configured["USER"],
        password=configured["PASSWORD"],
        host=configured["HOST"],
        port=configured["PORT"] or "5432",
    )


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Yield the name of a fresh, migrated database that Django uses meanwhile; dropped after."""
    name = f"observatory_bench_{os.getpid()}"
    configured = connection.settings_dict["NAME"]
    with psycopg.connect(connection_string(str(configured)), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        yield name
    finally:
        connection.close()
        connection.settings_dict["NAME"] = configured
        with psycopg.connect(connection_string(str(configured)), autocommit=True) as server:
            command = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            server.execute(command)


@dataclass
class Usage:
    """Processor time (s) of the web and the database, and the web's greatest memory (bytes)."""

    web_s: float = 0.0
    database_s: float = 0.0
    peak_rss: int = 0
    peak_pss: int = 0


@dataclass
class Web:
    """gunicorn as `observatory up` runs it, on the scratch database."""

    address: tuple[str, int]
    process: psutil.Process
    postmaster: psutil.Process | None
    usage: Usage = field(default_factory=Usage)

    def web_processes(self) -> list[psutil.Process]:
        """Return the arbiter and its workers."""
        return [self.process, *self.process.children(recursive=True)]

    @contextlib.contextmanager
    def measured(self) -> Iterator[Usage]:
        """Yield the usage of the block, complete once the block has ended."""
        usage = Usage()
        stop = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(usage, stop), daemon=True)
        web, base = _cpu_s(self.web_processes()), self.database_cpu_s()
        sampler.start()
        try:
            yield usage
        finally:
            stop.set()
            sampler.join()
            usage.web_s = _cpu_s(self.web_processes()) - web
            usage.database_s = self.database_cpu_s() - base

    def _sample(self, usage: Usage, stop: threading.Event) -> None:
        while not stop.wait(SAMPLE_S):
            with contextlib.suppress(psutil.Error):
                workers = self.process.children(recursive=True)
                memory = [worker.memory_full_info() for worker in workers]
                usage.peak_rss = max(usage.peak_rss, sum(m.rss for m in memory))
                usage.peak_pss = max(usage.peak_pss, sum(m.pss for m in memory))

    def database_cpu_s(self) -> float:
        """Return the processor seconds of the database server so far; nan on another machine."""
        if self.postmaster is None:
            return float("nan")
        return _cpu_s([self.postmaster, *self.postmaster.children()])


def _cpu_s(processes: list[psutil.Process]) -> float:
    """Return the processor seconds of `processes` and of their children that have ended."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _postmaster() -> psutil.Process | None:
    """Return the server's first process, None when it is on another machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), inet_server_addr() IS NULL")
        pid, is_local = cursor.fetchone()
    if not is_local and connection.settings_dict["HOST"] not in {"127.0.0.1", "localhost", "::1"}:
        return None
    try:
        return psutil.Process(pid).parent()
    except psutil.Error:
        return None


def environment(name: str, port: int, data: Path | None = None) -> dict[str, str]:
    """Return the environment of Observatory's programs on database `name`.

    `data` is the directory of their files and of the embedded broker; default: this installation's.
    """
    configured = connection.settings_dict
    credentials = f"{quote(configured['USER'])}:{quote(configured['PASSWORD'], safe='')}"
    query = urlencode({"host": configured["HOST"], "port": configured["PORT"] or "5432"})
    return os.environ | {
        "DATABASE_URL": f"postgresql://{credentials}@/{name}?{query}",
        "SECRET_KEY": settings.SECRET_KEY,
        "CELERY_BROKER_URL": "filesystem://",
        "OBSERVATORY_DATA": str(data or settings.DATA_DIR),
        "OBSERVATORY_BIND": f"127.0.0.1:{port}",
        "OBSERVATORY_WEB_WORKERS": "2",
        "OBSERVATORY_WEB_THREADS": "4",
        "OBSERVATORY_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "observatory.settings",
    }


@contextlib.contextmanager
def web(database_name: str, data: Path | None = None) -> Iterator[Web]:
    """Yield a running web server on `database_name`: 2 workers with 4 threads each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:observatory.gunicorn"],
        env=environment(database_name, port, data),
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, port)
        yield Web(("127.0.0.1", port), psutil.Process(process.pid), _postmaster())
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the web server ended with status {process.returncode}")
        with contextlib.suppress(OSError):
            address = f"http://127.0.0.1:{port}/info"
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.1)
    raise SystemExit("the web server did not become ready")


def table(rows: list[list[Any]]) -> str:
    """Return `rows`, the first being the heading, as lines of aligned columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in texts) for n in range(len(texts[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    )
