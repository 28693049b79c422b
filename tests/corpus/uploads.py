"""Bodies that are not plain JSON: multipart forms and OpenTelemetry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

FORM = "multipart/form-data; boundary=edge"
Part = tuple[str, str, str, str | None]  # name, content, type, file name

_START = "2026-11-20T11:00:00Z"
_RUN = {
    "id": "{fresh}",
    "trace_id": "{fresh}",
    "dotted_order": "20261120T110000000000Z{fresh}",
    "name": "a run",
    "run_type": "chain",
    "start_time": _START,
    "session_name": "a project",
}
_EXAMPLE = {"created_at": _START, "metadata": {"a": 1}, "split": "base"}
_JSON, _TEXT = "application/json", "text/plain"


def _part(name: str, content: Any, kind: str = _JSON, file: str | None = None) -> Part:
    return name, content if isinstance(content, str) else json.dumps(content), kind, file


_DATASET_FILE = [
    _part("file", "question,answer\nwhy,because\n", "text/csv", "rows.csv"),
    _part("input_keys", "question", _TEXT),
    _part("name", "a new dataset", _TEXT),
    _part("data_type", "kv", _TEXT),
    _part("output_keys", "answer", _TEXT),
    _part("description", "some text", _TEXT),
]
FORMS: dict[str, list[Part]] = {
    "POST /api/v1/datasets/upload": _DATASET_FILE,
    "POST /api/v1/examples/upload/{dataset_id}": [
        part for part in _DATASET_FILE if part[0] in {"file", "input_keys", "output_keys"}
    ],
    "POST /api/v1/runs/multipart": [
        _part("post.{fresh}", _RUN),
        _part("post.{fresh}.inputs", {"a": 1}),
        _part("post.{fresh}.outputs", {"a": 1}),
        _part("post.{fresh}.extra", {"metadata": {"a": 1}}),
        _part("post.{fresh}.events", [{"name": "start", "time": _START}]),
        _part("post.{fresh}.serialized", {"a": 1}),
        _part("attachment.{fresh}.file", "some text", _TEXT),
        _part("feedback.{run}", {"run_id": "{run}", "key": "k", "score": 1, "id": "{child}"}),
        _part("patch.{run}", {"trace_id": "{run}", "end_time": _START}),
    ],
    "POST /api/v1/platform/datasets/{dataset_id}/examples": [
        _part("{fresh}", _EXAMPLE),
        _part("{fresh}.inputs", {"a": 1}),
        _part("{fresh}.outputs", {"a": 1}),
        _part("{fresh}.attachment.file", "some text", _TEXT, "file.txt"),
    ],
    "PATCH /api/v1/platform/datasets/{dataset_id}/examples": [
        _part("{example}", {"metadata": {"a": 1}, "split": "base"}),
        _part("{example}.inputs", {"a": 1}),
        _part("{example}.outputs", {"a": 1}),
        _part("{example}.attachments_operations", {"rename": {}, "retain": []}),
        _part("{example}.attachment.file", "some text", _TEXT, "file.txt"),
    ],
    "POST /api/v1/platform/examples/multipart": [
        _part("{fresh}", _EXAMPLE | {"dataset_id": "{dataset}"}),
        _part("{fresh}.inputs", {"a": 1}),
        _part("{fresh}.outputs", {"a": 1}),
        _part("{fresh}.attachment.file", "some text", _TEXT, "file.txt"),
    ],
}
CONTENTS = {
    "nothing": "",
    "not JSON": "{not json",
    "null": "null",
    "true": "true",
    "number": "7",
    "text": '"some text"',
    "list": "[]",
    "object": "{}",
}
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 7,
    "text": "some text",
    "list": [],
    "object": {},
    "NUL": "a\0b",
    "too long": "x" * 70_000,
    "unknown id": "{unknown}",
}
_SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "a span",
    "kind": 1,
    "startTimeUnixNano": "1795172400000000000",
    "endTimeUnixNano": "1795172401000000000",
    "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
    "status": {"code": 1},
}


def bodies(operation: str) -> Iterator[tuple[str, str, bytes, str]]:
    """Yield (subject, name, content, content type) of an upload; the first is a right one."""
    if operation not in FORMS:
        yield from _traces()
        return
    parts = FORMS[operation]
    yield "right", "full", _form(parts), FORM
    yield "right", "minimal", _form(parts[:2]), FORM
    whole = _form(parts)
    yield "body", "cut short", whole[: len(whole) // 2], FORM
    yield "body", "without boundary", whole, "multipart/form-data"
    yield "body", "another boundary", whole, "multipart/form-data; boundary=other"
    yield "body", "nothing", b"", FORM
    yield "body", "no part", _form([]), FORM
    yield "body", "JSON", b"{}", _JSON
    yield "body", "twice", _form([*parts, *parts]), FORM
    yield "body", "unknown part", _form([*parts, _part("no.such.part", {})]), FORM
    yield "body", "nameless part", _form([*parts, _part("", {})]), FORM
    for place, (name, content, kind, file) in enumerate(parts):
        others = parts[:place], parts[place + 1 :]

        def put(*changed: Part, others: tuple[list[Part], list[Part]] = others) -> bytes:
            return _form([*others[0], *changed, *others[1]])

        subject = f"part {name}"
        yield subject, "missing", put(), FORM
        yield subject, "alone", _form([parts[place]]), FORM
        yield subject, "twice", put(parts[place], parts[place]), FORM
        yield subject, "of another type", put((name, content, "image/png", file)), FORM
        yield subject, "with file name", put((name, content, kind, "x.bin")), FORM
        for wrong, text in CONTENTS.items():
            yield subject, wrong, put((name, text, kind, file)), FORM
        if kind == _JSON and content.startswith("{"):
            told = json.loads(content)
            for key in told:
                less = {each: value for each, value in told.items() if each != key}
                yield (
                    f"{subject} .{key}",
                    "missing",
                    put((name, json.dumps(less), kind, file)),
                    FORM,
                )
                for wrong, value in VALUES.items():
                    text = json.dumps(told | {key: value})
                    yield f"{subject} .{key}", wrong, put((name, text, kind, file)), FORM


def _form(parts: list[Part]) -> bytes:
    text = "".join(
        f'--edge\r\nContent-Disposition: form-data; name="{name}"'
        + (f'; filename="{file}"' if file else "")
        + f"\r\nContent-Type: {kind}\r\n\r\n{content}\r\n"
        for name, content, kind, file in parts
    )
    return f"{text}--edge--\r\n".encode()


def _traces() -> Iterator[tuple[str, str, bytes, str]]:
    """Yield bodies of OTLP's traces, as JSON and as protobuf."""

    def batch(span: Any) -> bytes:
        scope = {"scopeSpans": [{"spans": [span]}]}
        return json.dumps({"resourceSpans": [scope]}).encode()

    yield "right", "JSON", batch(_SPAN), _JSON
    yield "right", "protobuf", b"\x0a\x00", "application/x-protobuf"
    yield "body", "bad protobuf", b"\x0a\xff\xff\xff", "application/x-protobuf"
    yield "body", "JSON as protobuf", batch(_SPAN), "application/x-protobuf"
    for name, text in CONTENTS.items():
        yield "body", name, text.encode(), _JSON
    for name, value in VALUES.items():
        yield "body .resourceSpans", name, json.dumps({"resourceSpans": value}).encode(), _JSON
        yield "body span", name, batch(value), _JSON
        for key in _SPAN:
            yield f"body span .{key}", name, batch(_SPAN | {key: value}), _JSON
    for key in _SPAN:
        yield (
            f"body span .{key}",
            "missing",
            batch({k: v for k, v in _SPAN.items() if k != key}),
            _JSON,
        )
