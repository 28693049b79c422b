"""A queue of requests for threads: clients take turns, and one thread is left for others."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Generic, TypeVar

Job = TypeVar("Job")


class FairQueue(Generic[Job]):
    """A queue that serves clients in turn, however many requests one of them has sent.

    One client holds at most `n_for_one` threads at a time. The thread that became idle last is
    woken first, so that a quiet server uses few of them, each with its database connection.
    """

    def __init__(self, n_for_one: int) -> None:
        self._n_for_one = n_for_one
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Job]] = {}  # of clients in their order
        self._n_running: Counter[str] = Counter()
        self._idle: list[threading.Lock] = []  # one held lock per waiting thread

    def put(self, client: str, job: Job) -> None:
        """Add a request of `client`."""
        with self._lock:
            self._waiting.setdefault(client, deque()).append(job)
            self._wake_one()

    def get(self) -> tuple[str, Job]:
        """Wait for the next request; call `done` when it is answered."""
        bell = threading.Lock()
        bell.acquire()
        while True:
            with self._lock:
                client = self._next()
                if client is not None:
                    return client, self._take(client)
                self._idle.append(bell)
            bell.acquire()

    def done(self, client: str) -> None:
        """Release one thread of `client`."""
        with self._lock:
            self._n_running[client] -= 1
            if not self._n_running[client]:
                del self._n_running[client]
            self._wake_one()

    def _wake_one(self) -> None:
        if self._idle and self._next() is not None:
            self._idle.pop().release()

    def _take(self, client: str) -> Job:
        jobs = self._waiting.pop(client)
        job = jobs.popleft()
        if jobs:
            self._waiting[client] = jobs  # behind the others
        self._n_running[client] += 1
        return job

    def _next(self) -> str | None:
        for client in self._waiting:
            if self._n_running[client] < self._n_for_one:
                return client
        return None
