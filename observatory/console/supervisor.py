"""Run several programs as one tree: restart dead ones, pass on their output, stop them together.

One thread only, so that a child can be tied to this process between fork and exec (see
`observatory.embedded.child_guard`): however the supervisor ends, even by SIGKILL, its children end
too.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import TextIO

from observatory.embedded.child_guard import guard_child

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 30.0
STEADY_AFTER_S = 60.0  # alive this long: the next exit counts as the first
KEPT_LINES = 30
_STOPPERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Program:
    """A program to run and how to stop it.

    `stop_signal` asks it to end in good order, `orphan_signal` is sent when the supervisor is gone.
    Lines of its output that `is_worth_showing` rejects are kept, and shown when it dies.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    account: pwd.struct_passwd | None = None
    inherited: tuple[int, ...] = ()
    runs_once: bool = False
    is_worth_showing: Callable[[str], bool] = lambda line: True


class Child:
    """A program and its process, if it is running."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.restart_at: float | None = None
        self.n_deaths = 0
        self.unfinished_line = b""
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> int:
        """Start the process and return the descriptor of its output."""
        program = self.program
        account = program.account
        self.process = subprocess.Popen(  # noqa: S603 - Observatory's own programs
            list(program.command),
            env=dict(program.environment),
            cwd="/" if account else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Not in the terminal's group: the supervisor passes Ctrl-C on, in the right order.
            start_new_session=True,
            pass_fds=program.inherited,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=guard_child(program.orphan_signal),  # safe: this process has one thread
        )
        self.started_at = time.monotonic()
        self.restart_at = None
        self.unfinished_line = b""
        self.last_lines.clear()
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        return self.process.stdout.fileno()

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to the process, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End the process and its whole session at once."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def next_delay_s(self, now: float) -> float:
        """Return the seconds until the restart: 0.5, 1, 2 ... 30."""
        if now - self.started_at >= STEADY_AFTER_S:
            self.n_deaths = 0
        self.n_deaths += 1
        return float(min(BACKOFF_FIRST_S * 2 ** (self.n_deaths - 1), BACKOFF_MOST_S))


class Supervisor:
    """Starts programs, restarts those that die, and stops them in the reverse order.

    Use as a context manager: stop signals are handled inside the block, and no child runs after it.
    """

    def __init__(self, log: TextIO = sys.stderr, patience_s: float = 6.0) -> None:
        self.children: list[Child] = []
        self.is_stopping = False
        self._log = log
        self._patience_s = patience_s
        self._selector = selectors.DefaultSelector()
        self._owners: dict[int, Child] = {}
        self._n_requests = 0
        self._ear, self._mouth = socket.socketpair()
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Supervisor:
        for end in (self._ear, self._mouth):
            end.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        # Any signal, including SIGCHLD, ends the wait of `turn` at once.
        self._old_wakeup = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        for number in _STOPPERS:
            self._handlers[number] = signal.signal(number, self._request_stop)
        self._handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            signal.set_wakeup_fd(self._old_wakeup)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            self._selector.close()
            self._ear.close()
            self._mouth.close()

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True
        self._n_requests += 1

    def say(self, name: str, line: str) -> None:
        """Write one line of the program `name`."""
        print(f"{name:<7}| {line}", file=self._log, flush=True)

    def start(self, program: Program) -> Child:
        """Start `program`; from now on it is looked after."""
        child = Child(program)
        self.children.append(child)
        self._start(child)
        return child

    def _start(self, child: Child) -> None:
        handle = child.start()
        self._owners[handle] = child
        self._selector.register(handle, selectors.EVENT_READ)

    def wait_for(self, is_true: Callable[[], bool], timeout_s: float, child: Child) -> bool:
        """Supervise until `is_true`; False when a stop signal or the time limit comes first.

        Also False when `child`, which should make it true, has died.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_stopping and time.monotonic() < deadline and child.is_alive:
            if is_true():
                return True
            self.turn(0.05)
        return False

    def run(self) -> None:
        """Supervise until a stop signal arrives."""
        while not self.is_stopping:
            self.turn(1.0)

    def turn(self, timeout_s: float) -> None:
        """Pass on output, note exits and restart due programs; wait at most `timeout_s`."""
        due = [c.restart_at for c in self.children if c.restart_at is not None]
        if due:
            timeout_s = max(0.0, min(timeout_s, min(due) - time.monotonic()))
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._ear:
                with contextlib.suppress(BlockingIOError):
                    self._ear.recv(4096)
            else:
                self._read(key.fd)
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._mark_exited(child, now)
            elif child.restart_at is not None and now >= child.restart_at and not self.is_stopping:
                self._start(child)

    def _read(self, handle: int) -> None:
        child = self._owners[handle]
        try:
            text = os.read(handle, 65_536)
        except BlockingIOError:
            return
        if not text:
            self._selector.unregister(handle)
            del self._owners[handle]
            return
        *lines, child.unfinished_line = (child.unfinished_line + text).split(b"\n")
        for line in lines:
            self._pass_on(child, line.decode(errors="replace").rstrip())

    def _pass_on(self, child: Child, line: str) -> None:
        if child.program.is_worth_showing(line):
            self.say(child.program.name, line)
        elif line:
            child.last_lines.append(line)

    def _mark_exited(self, child: Child, now: float) -> None:
        process = child.process
        assert process is not None
        assert process.stdout is not None
        handle = process.stdout.fileno()
        if handle in self._owners:
            self._read(handle)  # the rest of its output
        if handle in self._owners:  # a grandchild still holds the pipe
            self._selector.unregister(handle)
            del self._owners[handle]
        process.stdout.close()
        child.process = None
        if self.is_stopping or (child.program.runs_once and process.returncode == 0):
            return
        for line in child.last_lines:
            self.say(child.program.name, line)
        end = (
            f"was ended by signal {-process.returncode}"
            if process.returncode < 0
            else f"ended with status {process.returncode}"
        )
        if child.program.runs_once:
            self.say(child.program.name, end)
            return
        delay_s = child.next_delay_s(now)
        child.restart_at = now + delay_s
        self.say(child.program.name, f"{end}; it is started again in {delay_s:g} s")

    def stop(self) -> None:
        """Ask all programs to end, the last started first; kill those that exceed the time limit.

        The first program (the database) is asked when the others have ended.
        """
        self.is_stopping = True
        self._n_requests = 0
        for child in reversed(self.children[1:]):
            child.signal(child.program.stop_signal)
        self._await_end(self.children[1:], self._patience_s)
        for child in self.children[:1]:
            child.signal(child.program.stop_signal)
        self._await_end(self.children[:1], self._patience_s / 2)
        for handle in list(self._owners):
            self._selector.unregister(handle)
        self._owners.clear()

    def _await_end(self, children: list[Child], patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while any(child.is_alive for child in children):
            if time.monotonic() >= deadline or self._n_requests:  # a second signal: kill at once
                for child in children:
                    if child.is_alive:
                        self.say(child.program.name, "did not end in time and is killed")
                    child.kill()
                deadline = time.monotonic() + 0.2
                self._n_requests = 0
            self.turn(0.05)
        self.turn(0.0)


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a bound TCP socket, opened before any program starts so that a taken port fails early.

    The supervisor keeps it: while the web server restarts, connections wait in its backlog instead
    of being refused. Raises OSError.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        yield bound
