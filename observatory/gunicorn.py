"""gunicorn's configuration, the same for `observatory up`, production and the benchmarks.

    gunicorn -c python:observatory.gunicorn observatory.wsgi

Every knob is an environment variable: docs/reference/settings.md.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from observatory.config import Environment
from observatory.leash import fasten

_env = Environment(os.environ)

wsgi_app = "observatory.wsgi:application"
bind = _env.items("OBSERVATORY_BIND", ["127.0.0.1:8000"])
worker_class = "gthread"
workers = _env.integer("OBSERVATORY_WEB_WORKERS", 2, 1, 64)
threads = _env.integer("OBSERVATORY_WEB_THREADS", 4, 1, 64)
# Workers share the pages of the code loaded before they are forked.
preload_app = True
# A worker whose main thread has said nothing for this long is replaced. The threads that
# serve requests do not count: a long download is not cut.
timeout = 60
graceful_timeout = _env.integer("OBSERVATORY_GRACEFUL_TIMEOUT_S", 25, 1, 300)
keepalive = 75  # longer than a proxy keeps its idle connections, so that it closes them first
backlog = 1024
limit_request_line = 8190  # filters travel in the query string
# The heartbeat file of a worker must not wait for a busy disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - not a temporary file of ours
control_socket_disable = True
loglevel = _env.text("OBSERVATORY_LOG_LEVEL", "INFO").lower()
accesslog = "-" if _env.flag("OBSERVATORY_ACCESS_LOG", False) else None
_env.check()


def post_fork(server: Any, worker: Any) -> None:
    """A worker never outlives its arbiter."""
    fasten(server.pid, signal.SIGKILL)
