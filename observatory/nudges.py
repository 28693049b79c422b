"""Send messages to a worker without waiting for the broker.

Receivers run after the commit but before the response is sent, so they only set a flag here; a
thread of the process publishes. One nudge covers every change before it, so while one is on its way
further ones are dropped. A lost nudge costs seconds: each task has a sweeper.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from django.conf import settings

log = logging.getLogger(__name__)

SPACING_S = 0.05  # between two nudges of a process
PAUSE_S = 2.0  # after one that failed
MAX_UNREAD_FILES = 200  # of the filesystem broker, which reads its whole folder for each message


class Nudger:
    """Publishes from its own thread: `nudge` never blocks and never raises."""

    def __init__(self, publish: Callable[[], None]) -> None:
        self._publish = publish
        self._is_wanted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def nudge(self) -> None:
        """Request that one message is sent soon."""
        self._is_wanted.set()
        if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid() and self._thread is not None and self._thread.is_alive():
                return
            self._pid = os.getpid()  # a forked worker inherits the flag, but not the thread
            self._thread = threading.Thread(target=self._run, name="nudges", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        is_failing = False
        while True:
            self._is_wanted.wait()
            self._is_wanted.clear()
            try:
                self._publish()
            except Exception as error:
                # Any error of the broker's library: the sweeper finds the rows anyway.
                if not is_failing:
                    log.warning("the broker accepts no nudge (the sweeper continues): %s", error)
                is_failing = True
                pause.wait(PAUSE_S)
                continue
            if is_failing:
                log.warning("the broker accepts nudges again")
            is_failing = False
            pause.wait(SPACING_S)


def is_backlogged() -> bool:
    """Return whether unread messages pile up in the folder of the filesystem broker."""
    folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("data_folder_out")
    if not isinstance(folder, str):
        return False
    with os.scandir(folder) as entries:
        return sum(1 for _ in entries) > MAX_UNREAD_FILES
