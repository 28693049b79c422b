"""gunicorn's configuration, the same for `observatory up`, production and the benchmarks.

    gunicorn -c python:observatory.gunicorn observatory.wsgi

Every knob is an environment variable: docs/reference/settings.md.
"""

from __future__ import annotations

import ctypes
import gc
import signal
from pathlib import Path
from typing import Any

from observatory import settings
from observatory.embedded.child_guard import kill_with_parent

wsgi_app = "observatory.wsgi:application"
bind = settings.BIND
worker_class = "observatory.server.worker.BufferedWorker"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
# Workers share the pages of the code loaded before they are forked.
preload_app = True
# A worker whose main thread sends no heartbeat for this long is replaced. The threads that
# serve requests do not count: a long download is not cut off.
timeout = 60
graceful_timeout = settings.GRACEFUL_TIMEOUT_S
keepalive = 75  # longer than a proxy keeps its idle connections, so that it closes them first
backlog = 1024
limit_request_line = 8190  # filters travel in the query string
# The heartbeat file of a worker must not wait for a busy disk.
_memory = Path("/dev/shm")  # noqa: S108 - nothing is kept there
worker_tmp_dir = str(_memory) if _memory.is_dir() else None
control_socket_disable = True
loglevel = settings.LOG_LEVEL.lower()
accesslog = "-" if settings.HAS_ACCESS_LOG else None


def when_ready(server: Any) -> None:
    """Compile every template once for all workers; exempt shared pages from garbage collection."""
    from django.template.loader import get_template  # not before the application is loaded

    for path in settings.TEMPLATES_DIR.rglob("*.html"):
        get_template(str(path.relative_to(settings.TEMPLATES_DIR)))
    gc.freeze()


# A batch of a hundred runs stays below it: to map and unmap its pages takes longer than to
# parse it.
_LARGE = 1024 * 1024
# Few objects are in cycles, and a batch creates thousands that are not: collecting every 700
# costs a tenth of ingestion's processor time.
_GC_EVERY = 20_000
# From <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def _give_memory_back() -> None:
    """Return large buffers to the system, so that a large body is freed with its request.

    By default glibc raises the threshold to the largest buffer freed so far, keeps such buffers on
    the heap from then on, and has an arena per thread to keep them in.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE)
        mallopt(_M_ARENA_MAX, 2)


def post_fork(server: Any, worker: Any) -> None:
    """Tie the worker's life to its arbiter's, and limit its memory."""
    kill_with_parent(server.pid, signal.SIGKILL)
    _give_memory_back()
    gc.set_threshold(_GC_EVERY, 10, 10)
