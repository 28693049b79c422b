"""What is kept of an answer: status, headers, shape, a digest of the values, and the words."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.corpus.cases import Case
from tests.corpus.plan import tag_of

HERE = Path(__file__).resolve().parent
ANSWERS, TEXTS = HERE / "answers", HERE / "texts"
KINDS = ("status", "shape", "headers", "code", "field", "values", "text", "case")
_ID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+(?:Z|[+-]\d\d:?\d\d)?|\d{8}T\d{12}Z"
_MILLIS = r"(?<!\d)[12]\d{12}(?!\d)"  # of a row: the database gives its time
_SEALED = r"attachments/[\w:.-]+|tokens/[\w-]{20,}"
_VARYING = re.compile(f"{_ID}|{_TIME}|{_SEALED}|{_MILLIS}", re.IGNORECASE)
_VARYING_BYTES = re.compile(_VARYING.pattern.encode(), re.IGNORECASE)
_IS_ID = re.compile(_ID, re.IGNORECASE)
_IS_TIME = re.compile(_TIME)
_NAME_ONLY = {"Content-Length", "ETag"}
# What these say is written from the code: it changes with every description.
_WRITTEN = {"/api/v1/schema", "/api/v1/docs"}
# These say which version is installed.
_VERSIONED = {"/api/v1/info"}
_MAX_TEXT = 300


@dataclass(frozen=True)
class Answer:
    """An answer as it is kept."""

    status: int
    code: str  # the stable word of a refusal, "" without
    headers: str  # digest, see Corpus.headers
    shape: str  # digest, see Corpus.shapes
    values: str  # digest of what a 2xx says, but for ids and times
    names: bool  # a refusal's words name the field that was wrong
    text: str

    @property
    def fixed(self) -> str:
        names = " names it" if self.names else ""
        values = f" values {self.values}" if self.values else ""
        return f"{self.status} {self.code or '-'} headers {self.headers} shape {self.shape}{values}{names}"


_FIXED = re.compile(
    r"(\d+) (\S+) headers (\w+) shape (\w+)(?: values (\w+))?( names it)?", re.DOTALL
)
Key = tuple[str, str, str]  # operation, subject, name


class Corpus:
    """Answers by case, and the headers and shapes that they refer to by digest."""

    def __init__(self) -> None:
        self.answers: dict[Key, Answer] = {}
        self.headers: dict[str, Any] = {}
        self.shapes: dict[str, Any] = {}

    def add(self, operation: str, case: Case, response: Any) -> None:
        """Keep the answer to `case`."""
        content: bytes = response.content
        kind = response.headers.get("Content-Type", "")
        path = operation.split(" ")[1]
        is_written = path in _WRITTEN and response.status_code < 400
        shape: Any = f"bytes of {kind}" if content else "nothing"
        document: Any = None
        said = content
        if content and "json" in kind and not is_written:
            documents = [json.loads(line) for line in _documents(content, kind)]
            said = json.dumps(_read_whole(documents), sort_keys=True).encode()
            document = documents[0]
            shape = shape_of(document) if len(documents) == 1 else shape_of(documents)
        text, code = _words(document) if response.status_code >= 400 else ("", "")
        headers = {name: _header(name, value) for name, value in sorted(response.headers.items())}
        values = ""
        is_written |= case.method == "OPTIONS"  # REST framework answers with the view's docstring
        if response.status_code < 400 and content and not is_written and path not in _VERSIONED:
            values = _digest(_VARYING_BYTES.sub(b"~", said))
        self.answers[operation, case.subject, case.name] = Answer(
            response.status_code,
            code,
            _kept(self.headers, headers),
            _kept(self.shapes, shape),
            values,
            case.subject[:5] in {"body ", "query"} and _is_named(case.blamed, text),
            text,
        )

    def store(self) -> None:
        """Write the files of answers and texts, and no other there."""
        for folder in (ANSWERS, TEXTS):
            folder.mkdir(exist_ok=True)
            for file in folder.glob("*.json"):
                file.unlink()
        fixed: dict[str, Any] = {}
        texts: dict[str, Any] = {}
        for (operation, subject, name), answer in self.answers.items():
            for table, group in ((fixed, answer.fixed), (texts, answer.text)):
                if group:
                    by_group = table.setdefault(tag_of(operation), {}).setdefault(operation, {})
                    by_group.setdefault(group, {}).setdefault(subject, []).append(name)
        for folder, table in ((ANSWERS, fixed), (TEXTS, texts)):
            for tag, content in table.items():
                (folder / f"{tag}.json").write_text(_pretty(_joined(content)))
        (ANSWERS / "_headers.json").write_text(_pretty(self.headers))
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(self.shapes.items())]
        (ANSWERS / "_shapes.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")

    @classmethod
    def stored(cls, folder: Path = HERE) -> Corpus:
        """Read what `store` wrote, here or as it was copied into `folder`."""
        corpus, answers = cls(), folder / ANSWERS.name
        if not answers.exists():
            return corpus
        corpus.headers = json.loads((answers / "_headers.json").read_text())
        corpus.shapes = json.loads((answers / "_shapes.json").read_text())
        texts = {key: text for text, key in _cases(folder / TEXTS.name)}
        for fixed, key in _cases(answers):
            match = _FIXED.fullmatch(fixed)
            assert match is not None, fixed
            status, code, headers, shape, values, names = match.groups()
            corpus.answers[key] = Answer(
                int(status),
                code.removeprefix("-"),
                headers,
                shape,
                values or "",
                bool(names),
                texts.get(key, ""),
            )
        return corpus

    def differences(self, other: Corpus) -> dict[str, list[str]]:
        """Return what differs in `other`, by kind: one line for each case."""
        found: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for key in sorted(self.answers.keys() | other.answers.keys()):
            label = " | ".join(key)
            old, new = self.answers.get(key), other.answers.get(key)
            if old is None or new is None:
                found["case"].append(f"{label}: {'new' if old is None else 'not sent any more'}")
                continue
            if old.status != new.status:  # all else differs with it
                words = _brief(new.text or old.text)
                found["status"].append(f"{label}: {old.status} -> {new.status} ({words})")
                continue
            pairs = {
                "shape": (self.shapes[old.shape], other.shapes[new.shape]),
                "headers": (self.headers[old.headers], other.headers[new.headers]),
                "code": (old.code, new.code),
                "field": (old.names, old.names and new.names),  # to name it now is no loss
                "values": (old.values, new.values),
                "text": (old.text, new.text),
            }
            for kind, (before, after) in pairs.items():
                if before != after:
                    found[kind].append(f"{label}: {_brief(before)} -> {_brief(after)}")
        return found


def shape_of(value: Any) -> Any:
    """Return keys and types of a JSON value; of a list the distinct shapes of its members."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            if _IS_ID.fullmatch(value):
                return "id"
            return "time" if _IS_TIME.fullmatch(value) else "text"
        case list():
            members = {json.dumps(shape_of(each), sort_keys=True) for each in value}
            return [json.loads(member) for member in sorted(members)]
    return {_VARYING.sub("~", key): shape_of(each) for key, each in sorted(value.items())}


def _holds_row(key: str) -> bool:
    return "cursor" in key or key == "data_version"


def _read_whole(value: Any) -> Any:
    """Return `value` with JSON in texts read: members come in any order, also in a text.

    Of a cursor and of a version of data it is kept that there is one: they may hold the number of
    a row.
    """
    if isinstance(value, dict):
        return {
            key: "~" if _holds_row(key) and isinstance(each, str) else _read_whole(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_read_whole(each) for each in value]
    if isinstance(value, str) and value[:1] in {"{", "["}:
        with contextlib.suppress(ValueError):
            return _read_whole(json.loads(value))
    return value


def _header(name: str, value: str) -> str:
    if name == "Content-Security-Policy":  # its directives come in any order
        return "; ".join(sorted(value.split("; ")))
    return "~" if name in _NAME_ONLY else _VARYING.sub("~", value)


def _documents(content: bytes, kind: str) -> list[bytes]:
    """Return the JSON documents of a body: several when each line is one."""
    is_lines = "jsonl" in kind or "ndjson" in kind or "x-json" in kind
    return [line for line in content.splitlines() if line] if is_lines else [content]


def _words(document: Any) -> tuple[str, str]:
    """Return the words of a refusal and its stable code, in each of the wire's forms."""
    if not isinstance(document, dict):
        return "", ""
    code = document.get("code", "")
    text = document.get("detail", document.get("message", document.get("error", "")))
    whole = text if isinstance(text, str) else json.dumps(text, sort_keys=True)
    whole = _VARYING.sub("~", whole)
    if len(whole) > _MAX_TEXT:
        whole = f"{whole[:_MAX_TEXT]}... ({len(whole)} characters, {_digest(whole.encode())})"
    return whole, re.sub(r"\s", "_", str(code))


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _kept(table: dict[str, Any], value: Any) -> str:
    digest = _digest(json.dumps(value, sort_keys=True).encode())
    table[digest] = value
    return digest


def _joined(content: dict[str, Any]) -> dict[str, Any]:
    return {
        operation: {
            group: {subject: "; ".join(sorted(names)) for subject, names in subjects.items()}
            for group, subjects in groups.items()
        }
        for operation, groups in content.items()
    }


def _cases(folder: Path) -> list[tuple[str, Key]]:
    return [
        (group, (operation, subject, name))
        for file in sorted(folder.glob("[!_]*.json"))
        for operation, groups in json.loads(file.read_text()).items()
        for group, subjects in groups.items()
        for subject, names in subjects.items()
        for name in names.split("; ")
    ]


def _pretty(content: Any) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) < 400 else f"{text[:400]}..."
