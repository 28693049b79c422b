"""The requests of one operation: right ones, and each wrong in one way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.corpus import uploads
from tests.corpus.plan import METHODS

JSON = "application/json"
MISSING = object()
# Of each field: every JSON type. The answer shows which one is right.
TYPES: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 7,
    "text": "some text",
    "list": [7],
    "object": {},
}
TEXTS: dict[str, Any] = {
    "empty": "",
    "too long": "x" * 70_000,
    "NUL": "a\0b",
}
TEXTS_ONCE = {"too long", "list of an object", "number as text"}  # not nested
NUMBERS: dict[str, Any] = {
    "zero": 0,
    "negative": -1,
    "fraction": 1.5,
    "huge": 10**20,
    "number as text": "7",
}
UUIDS: dict[str, Any] = {"unknown id": "{unknown}", "almost an id": "{almost}"}
TIMES: dict[str, Any] = {
    "bad time": "2026-13-45T99:00:00Z",
    "date": "2026-11-20",
    "time without zone": "2026-11-20T12:00:00",
    "year 10000": "10000-01-01T00:00:00Z",
}
EXTRA: dict[str, dict[str, Any]] = {
    "uuid": UUIDS | TEXTS,
    "time": TIMES | TEXTS,
    "text": TEXTS,
    "integer": NUMBERS,
    "number": NUMBERS,
    "boolean": {"word true": "true"},
    "any": TEXTS,
    "array": {"list of null": [None], "list of an object": [{}], "empty list": []},
    "object": {"object of anything": {"a": {"b": [None]}}},
}
QUERY: dict[str, list[str]] = {
    "empty": [""],
    "text": ["some text"],
    "NUL": ["a\0b"],
    "null": ["null"],
    "list": ["[]"],
    "repeated": ["{right}", "{right}"],
}
QUERY_EXTRA: dict[str, dict[str, list[str]]] = {
    "uuid": {"unknown id": ["{unknown}"], "almost an id": ["{almost}"]},
    "time": {name: [value] for name, value in TIMES.items()},
    "text": {"too long": ["x" * 20_000]},
    "integer": {
        "zero": ["0"],
        "negative": ["-1"],
        "huge": ["1" + "0" * 20],
        "fraction": ["1.5"],
        "hundred thousand": ["100000"],
    },
    "number": {"negative": ["-1"], "not a number": ["NaN"]},
    "boolean": {"false": ["false"], "one": ["1"], "capital": ["True"]},
}
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{not json",
    "null": b"null",
    "list": b"[]",
    "list of a number": b"[7]",
    "list of null": b"[null]",
    "object": b"{}",
    "text": b'"some text"',
    "number": b"7",
    "true": b"true",
    "not UTF-8": b'{"name": "\xff"}',
    "too deep": b'{"a":' * 400 + b"1" + b"}" * 400,
    "number out of range": b'{"name": 1e999}',
    "lone surrogate": b'{"name": "a\\ud800"}',
}


@dataclass(frozen=True)
class Case:
    """One request. `subject` is what is wrong: "body .name", "query limit", "path run_id", ..."""

    subject: str
    name: str
    method: str
    path: str  # with {run_id} and such
    query: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    key: str = "key"  # "key", "rival", "wrong", "none"
    overrides: tuple[tuple[str, str], ...] = ()  # of the path's parameters

    @property
    def blamed(self) -> str:
        """The name that a refusal should say."""
        return re.split(r"[ .]", self.subject)[-1].replace("[]", "")


def of(operation: str, entry: dict[str, Any], is_first: bool) -> Iterator[Case]:
    """Yield the cases of an operation. `is_first` of its path's: it brings the wrong methods."""
    method, path = operation.split(" ")
    bodies = list(_bodies(entry, method, path))
    content, content_type = (bodies[0][2], bodies[0][3]) if bodies else (b"", JSON)
    plain = {"method": method, "path": path, "content": content, "content_type": content_type}
    needed = tuple(
        (name, text)
        for name, parameter in entry["query"].items()
        if parameter["required"]
        for text in _texts(parameter["right"])
    )
    yield Case("right", "plain", **plain, query=needed)
    yield Case("right", "trailing slash", **{**plain, "path": f"{path}/"}, query=needed)
    for key in ("none", "wrong", "rival", "bearer"):
        yield Case("key", key, **plain, query=needed, key=key)
    yield Case("key", "other tenant", **plain, query=needed, headers={"x-tenant-id": "{unknown}"})
    yield Case("accept", "xml", **plain, query=needed, headers={"accept": "application/xml"})
    for subject, name, body, kind in bodies:
        yield Case(subject, name, method, path, needed, body, kind)
    if entry["bodies"] or entry["media"]:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            yield Case("content type", kind, **{**plain, "content_type": kind}, query=needed)
        for encoding in ("gzip", "br"):
            headers = {"content-encoding": encoding}
            yield Case("content encoding", encoding, **plain, query=needed, headers=headers)
    else:
        for name in ("not JSON", "list", "object"):
            yield Case("body", name, method, path, needed, BODIES[name])
    for subject, name, query in _queries(entry["query"], needed):
        yield Case(subject, name, **plain, query=query)
    for name in re.findall(r"{(\w+)}", path):
        for wrong, value in {
            "unknown": "{unknown}",
            "malformed": "not-an-id",
            "almost": "{almost}",
            "nil": "00000000-0000-0000-0000-000000000000",
            "upper case": "{upper}",
            "of another kind": "{person}",
            "NUL": "a%00b",
            "number": "7",
            "negative": "-1",
            "long": "x" * 300,
        }.items():
            yield Case(f"path {name}", wrong, **plain, query=needed, overrides=((name, value),))
    if method == "GET":
        yield Case("method", "HEAD", **{**plain, "method": "HEAD"}, query=needed)
    if is_first:
        yield Case("method", "OPTIONS", **{**plain, "method": "OPTIONS"}, query=needed)
        for other in METHODS:
            yield Case("method", other.upper(), **{**plain, "method": other.upper()}, query=needed)


def _texts(value: Any) -> list[str]:
    """Return a query parameter's texts: of a list each."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value if isinstance(value, str) else json.dumps(value)]


def _queries(
    parameters: dict[str, Any], needed: tuple[tuple[str, str], ...]
) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    if not parameters:
        yield "query", "unknown", (*needed, ("no_such_parameter", "1"))
        return
    whole = tuple(
        (name, text)
        for name, parameter in parameters.items()
        if not parameter["left_out"]
        for text in _texts(parameter["right"])
    )
    yield "right", "every parameter", whole
    yield "query", "unknown", (*needed, ("no_such_parameter", "1"))
    for name, parameter in parameters.items():
        subject = f"query {name}"
        others = tuple(pair for pair in needed if pair[0] != name)
        if parameter["required"]:
            yield subject, "missing", others
        right = _texts(parameter["right"])
        yield subject, "right", (*others, *((name, text) for text in right))
        kind = parameter["kind"].removeprefix("array of ")
        if "time" in name or name.endswith(("_at", "_before", "_after")):
            kind = "time"
        for wrong, values in (QUERY | QUERY_EXTRA.get(kind, {})).items():
            texts = [value.replace("{right}", right[0]) for value in values]
            yield subject, wrong, (*others, *((name, text) for text in texts))


def _bodies(entry: dict[str, Any], method: str, path: str) -> Iterator[tuple[str, str, bytes, str]]:
    """Yield (subject, name, content, content type); the first is a right one."""
    if not entry["bodies"]:
        if entry["media"]:
            yield from uploads.bodies(f"{method} {path}")
        return
    for number, body in enumerate(entry["bodies"]):
        mark = "" if not number else f" {number + 1}"
        fields = body["fields"]
        if number:  # the same fields again: those at the top, to see that they are read alike
            fields = {path: kind for path, kind in fields.items() if path.count(".") == 1}
        yield f"right{mark}", "minimal", _json(body["minimal"]), JSON
        yield f"right{mark}", "full", _json(body["full"]), JSON
        yield f"body{mark}", "unknown field", _json(_set(body["minimal"], _at(body, "x"), 1)), JSON
        for path_of_field in body["required"]:
            content = _set(body["minimal"], path_of_field, MISSING)
            yield f"body{mark} {path_of_field}", "missing", _json(content), JSON
        for path_of_field, kind in fields.items():
            base = _base(body, path_of_field)
            if path_of_field.count(".") == 1 and not path_of_field.endswith("[]"):
                yield f"body{mark} {path_of_field}", "right", _json(base), JSON
            last = path_of_field.rsplit(".", 1)[-1].replace("[]", "")
            if kind == "text" and re.search(r"(_at|_time|_after|_before)$", last):
                kind = "time"
            extra = EXTRA.get(kind, EXTRA["array"] if kind.startswith("array") else {})
            for name, value in (TYPES | extra).items():
                if name in TEXTS_ONCE and path_of_field.count(".") > 1:
                    continue
                content = _set(base, path_of_field, value)
                yield f"body{mark} {path_of_field}", name, _json(content), JSON
            if path_of_field.count(".") > 1 and not path_of_field.endswith("[]"):
                content = _set(base, path_of_field, MISSING)
                yield f"body{mark} {path_of_field}", "missing", _json(content), JSON
    for name, raw in BODIES.items():
        yield "body", name, raw, JSON


def _at(body: dict[str, Any], name: str) -> str:
    return f"{'[]' if body['list'] else ''}.{name}"


def _base(body: dict[str, Any], path: str) -> Any:
    """Return the minimal body with the field at the top of `path` as the full one has it."""
    if not isinstance(body["full"], (dict, list)):
        return body["full"]
    full = body["full"][0] if body["list"] else body["full"]
    minimal = body["minimal"][0] if body["list"] else body["minimal"]
    if not isinstance(full, dict) or not isinstance(minimal, dict):
        return body["full"]
    top = path.removeprefix("[]").split(".")[1].replace("[]", "")
    one = minimal | ({top: full[top]} if top in full else {})
    return [one] if body["list"] else one


def _set(body: Any, path: str, value: Any) -> Any:
    """Return a copy of `body` with `value` at `path`; parts of the path that are missing are made."""
    if not path:
        return value
    step, rest = re.fullmatch(r"(\[\]|\.[^.\[]+)(.*)", path, re.DOTALL).groups()  # type: ignore[union-attr]
    if step == "[]":
        members = body if isinstance(body, list) and body else [{}]
        return [_set(members[0], rest, value), *members[1:]]
    old = body if isinstance(body, dict) else {}
    name = step[1:]
    if not rest and value is MISSING:
        return {key: each for key, each in old.items() if key != name}
    return old | {name: _set(old.get(name), rest, value)}


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
