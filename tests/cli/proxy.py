"""The shipped nginx.conf, run by a real nginx on a free port."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.live import ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def shipped_proxy(place: Path, upstream: int) -> Iterator[int]:
    """Run nginx before the local port `upstream` and yield its own port; its files are in `place`."""
    port = free_port()
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
    text = text.replace("server web:8000", f"server 127.0.0.1:{upstream}")
    (place / "nginx.conf").write_text(text.replace("/tmp/", f"{place}/"))
    proxy = subprocess.Popen(
        ["/usr/sbin/nginx", "-p", place, "-c", place / "nginx.conf", "-g", "daemon off;"]
    )
    try:
        yield port
    finally:
        proxy.terminate()
        proxy.wait(10)
