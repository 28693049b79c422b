"""Send the demo as an SDK would: multipart batches of runs, feedback, over HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

BATCH = 100  # runs per request, as the SDKs send them
PATIENCE_S = 30.0
_SAME = ("id", "trace_id", "dotted_order")
_ENDS = ("outputs", "end_time", "error")
_DOCUMENTS = ("inputs", "outputs", "events", "extra", "error")


class Refused(Exception):
    """The server refused or timed out; the text is shown to the operator."""


class Sender:
    """A client connection to an Observatory server. Use as a context manager."""

    def __init__(self, url: str, key: str, patience_s: float | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Refused(f"{url!r} is not an http:// or https:// address")
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self.url = url
        self._connection = kind(parts.hostname, parts.port, timeout=PATIENCE_S)
        self._prefix = parts.path.rstrip("/").removesuffix("/api") + "/api"
        self._key = key
        self._patience_s = PATIENCE_S if patience_s is None else patience_s

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send_runs(self, runs: Sequence[dict[str, Any]]) -> Iterator[int]:
        """Send runs in multipart batches; yield how many were accepted so far.

        Every fifth root goes as a start and an end (post, then patch), as long traces do.
        """
        late: list[dict[str, Any]] = []
        for start in range(0, len(runs), BATCH):
            batch = []
            for run in runs[start : start + BATCH]:
                if run["parent_run_id"] is None and int(run["id"][:2], 16) % 5 == 0:
                    late.append({name: run[name] for name in (*_SAME, *_ENDS) if name in run})
                    run = {name: value for name, value in run.items() if name not in _ENDS}
                batch.append(run)
            self._multipart([*_parts("post", batch)])
            yield start + len(batch)
        for start in range(0, len(late), BATCH):
            self._multipart([*_parts("patch", late[start : start + BATCH])])

    def send_feedback(self, rows: Sequence[dict[str, Any]]) -> Iterator[int]:
        """Send feedback, some with the batches of the Python SDK, some one by one."""
        n_batched = len(rows) * 2 // 3
        for start in range(0, n_batched, BATCH):
            part = rows[start : min(start + BATCH, n_batched)]
            self._multipart([(f"feedback.{row['id']}", row) for row in part])
            yield start + len(part)
        for number, row in enumerate(rows[n_batched:], start=n_batched + 1):
            self._post("/feedback", json.dumps(row).encode(), "application/json")
            if number % 50 == 0:
                yield number

    def _multipart(self, parts: Iterable[tuple[str, Any]]) -> None:
        boundary = uuid4().hex
        body = bytearray()
        for name, value in parts:
            text = json.dumps(value, ensure_ascii=False).encode()
            body += (
                f"--{boundary}\r\n"
                f'Content-Disposition: form-data; name="{name}"\r\n'
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            ).encode()
            body += text + b"\r\n"
        body += f"--{boundary}--\r\n".encode()
        self._post("/runs/multipart", bytes(body), f"multipart/form-data; boundary={boundary}")

    def _post(self, path: str, body: bytes, content_type: str) -> None:
        """Send one request; retry while the server starts or is busy. Raises Refused."""
        headers = {"Content-Type": content_type, "x-api-key": self._key}
        ends_at = time.monotonic() + self._patience_s
        while True:
            try:
                self._connection.request("POST", self._prefix + path, body, headers)
                answer = self._connection.getresponse()
                text = answer.read()
                if answer.status < 300:
                    return
                reason = f"{answer.status} {text[:300].decode(errors='replace')}"
                is_final = answer.status not in {429, 502, 503, 504}
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                reason, is_final = f"{type(error).__name__}: {error}", False
            if is_final or time.monotonic() > ends_at:
                raise Refused(f"POST {self.url}{path}: {reason}")
            time.sleep(0.5)


def _parts(kind: str, runs: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for run in runs:
        main = {name: value for name, value in run.items() if name not in _DOCUMENTS}
        yield f"{kind}.{run['id']}", main
        for name in _DOCUMENTS:
            if run.get(name) is not None:
                yield f"{kind}.{run['id']}.{name}", run[name]
