"""Multipart bodies as the SDKs write them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID


def multipart(
    parts: Iterable[tuple[Any, ...]], boundary: str, *, with_length: bool = False
) -> bytes:
    """Return the body of (name, content[, content type]) parts; content is bytes or JSON."""
    out = []
    for name, content, *kind in parts:
        raw = content if isinstance(content, bytes) else json.dumps(content, default=str).encode()
        length = f"Content-Length: {len(raw)}\r\n" if with_length else ""
        out.append(
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
                f"Content-Type: {kind[0] if kind else 'application/json'}\r\n{length}\r\n"
            ).encode()
            + raw
            + b"\r\n"
        )
    return b"".join(out) + f"--{boundary}--\r\n".encode()


def run_parts(run_id: UUID | str, **said: Any) -> list[tuple[str, Any]]:
    """Return the parts of one finished root run as the Python SDK posts it."""
    main = {
        "id": run_id,
        "trace_id": run_id,
        "dotted_order": f"20260101T000000000000Z{run_id}",
        "parent_run_id": None,
        "name": "answer",
        "run_type": "chain",
        "start_time": "2026-01-01T00:00:00.000000+00:00",
        "end_time": "2026-01-01T00:00:01.000000+00:00",
        "session_name": "bot",
        "tags": ["a"],
    }
    big = {"inputs": {"q": "why"}, "outputs": {"a": "because"}, "extra": {"metadata": {"tier": 1}}}
    documents = {name: said.pop(name, value) for name, value in big.items()}
    main |= said
    return [
        (f"post.{run_id}", {key: value for key, value in main.items() if value is not None}),
        *(
            (f"post.{run_id}.{name}", value)
            for name, value in documents.items()
            if value is not None
        ),
    ]
