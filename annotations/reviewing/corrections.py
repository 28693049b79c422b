"""Arithmetic: the editable text of a run's outputs, and the difference that an edit made.

`outputs` is a JSON value as Python reads it, or None when the run has none. Only one text of it is
edited when that is clear; the rest of the document stays as it was.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from rapidfuzz.distance import Indel

from observatory import exact
from observatory.runs.documents import mend_surrogates
from observatory.runs.messages import Message, message

Path = tuple[str | int, ...]


class Shape(StrEnum):
    TEXT = "text"  # one string of the outputs
    CHAT = "chat"  # the content of the last assistant message
    JSON = "json"  # the whole document
    RAW = "raw"  # there are no outputs: any text


@dataclass(frozen=True)
class Editable:
    """The editor's initial text. `path` leads from the outputs to the edited text."""

    shape: Shape
    path: Path
    text: str


class InvalidCorrection(ValueError):
    """An edit that is not JSON where JSON is required. `line` and `column` count from 1."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


# Usual keys of an application's answer, the likelier first.
ANSWER_KEYS = ("output", "answer", "response", "text", "content", "result", "completion", "message")


def editable(outputs: Any) -> Editable:
    """Return the part of `outputs` that a reviewer corrects, as text."""
    if outputs is None:
        return Editable(Shape.RAW, (), "")
    path = _chat_path(outputs)
    if path is not None:
        return Editable(Shape.CHAT, path, _at(outputs, path))
    path = _text_path(outputs)
    if path is not None:
        return Editable(Shape.TEXT, path, _at(outputs, path))
    return Editable(Shape.JSON, (), exact.dumps(outputs, indent=True).decode())


def editable_text(outputs: Any) -> str:
    """Return the text the correction editor starts with."""
    return editable(outputs).text


def apply(outputs: Any, edited: str) -> Any:
    """Return `outputs` with `edited` in place of the editable text; `outputs` is not changed.

    Raises InvalidCorrection when the whole document is edited and `edited` is not JSON, or no
    object although `outputs` is one. Without outputs, text that is not a JSON object becomes
    `{"output": text}`.
    """
    part = editable(outputs)
    if part.shape is Shape.RAW:
        try:
            document = _read_json(edited)
        except InvalidCorrection:
            document = None
        return document if isinstance(document, dict) else {"output": edited}
    if part.shape is Shape.JSON:
        document = _read_json(edited)
        if isinstance(outputs, dict) and not isinstance(document, dict):
            raise InvalidCorrection("This must stay a JSON object: { ... }")
        return document
    if "\r\n" in edited and "\r\n" not in part.text:
        edited = edited.replace("\r\n", "\n")  # browsers send text areas with CRLF
    return _replaced(outputs, part.path, edited)


def differs(outputs: Any, corrected: Any) -> bool:
    """Return whether `corrected` differs in meaning from `outputs`.

    Line ends, space at the end of lines and of texts, the Unicode form of a character, the order of
    keys and 1 against 1.0 make no difference.
    """
    return bool(_normal(outputs) != _normal(corrected))


def _read_json(edited: str) -> Any:
    def refuse(constant: str) -> Any:
        raise InvalidCorrection(f"{constant} is not JSON")

    try:
        return exact.loads(mend_surrogates(edited.encode(errors="replace")))
    except exact.NotJSON as error:
        reason = str(error)
    try:  # only Python's json reports the position of the error
        json.loads(edited, parse_constant=refuse, parse_int=len)
    except json.JSONDecodeError as error:
        raise InvalidCorrection(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise InvalidCorrection("nested too deep") from None
    raise InvalidCorrection(reason)


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _replaced(document: Any, path: Path, text: str) -> Any:
    if not path:
        return text
    step, rest = path[0], path[1:]
    if isinstance(document, list):
        assert isinstance(step, int)
        copy = list(document)
        copy[step] = _replaced(document[step], rest, text)
        return copy
    return {**document, step: _replaced(document[step], rest, text)}


def _text_path(outputs: Any) -> Path | None:
    """Return the path to the only string of `outputs`, or to the one under a usual key."""
    if isinstance(outputs, str):
        return ()
    if not isinstance(outputs, dict):
        return None
    texts = [key for key, value in outputs.items() if isinstance(value, str)]
    if len(texts) == 1 and not any(isinstance(v, dict | list) for v in outputs.values()):
        return (texts[0],)
    return next(((key,) for key in ANSWER_KEYS if key in texts), None)


def _chat_path(outputs: Any) -> Path | None:
    """Return the path to the content of the last assistant message in the usual chat shapes."""
    for path, answer in _answers(outputs, ()):
        content = _content_path(answer)
        if content is not None:
            return path + content
    return None


def _answers(node: Any, path: Path) -> Iterator[tuple[Path, Message]]:
    """Yield candidates for the last assistant message, the likeliest first."""
    if not isinstance(node, dict):
        return
    read = message(node)
    if read is not None and read.role == "assistant":
        yield path, read
    for key in ("messages", "choices", "generations"):
        children = node.get(key)
        if not isinstance(children, list):
            continue
        order = reversed(range(len(children))) if key == "messages" else range(len(children))
        for field in order:
            child = children[field]
            if isinstance(child, list) and child:  # generations: [[{...}]]
                yield from _answers(child[0], (*path, key, field, 0))
            else:
                yield from _answers(child, (*path, key, field))
    for key in ("message", "output"):
        if isinstance(node.get(key), dict):
            yield from _answers(node[key], (*path, key))


def _content_path(message: Message) -> Path | None:
    content = message.fields.get("content")
    if isinstance(content, str) and (content or not message.fields.get("tool_calls")):
        return (*message.path, "content")
    if isinstance(content, list):
        texts = [
            position
            for position, part in enumerate(content)
            if isinstance(part, dict) and isinstance(part.get("text"), str)
        ]
        if len(texts) == 1:
            return (*message.path, "content", texts[0], "text")
    return None


def _normal(node: Any) -> Any:
    """Return `node` so that equal meaning is equal by `==` (True is not 1, but 1 is 1.0)."""
    if isinstance(node, str):
        text = unicodedata.normalize("NFC", node.replace("\r\n", "\n").replace("\r", "\n"))
        return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()
    if isinstance(node, bool):
        return ("bool", node)
    if isinstance(node, Mapping):
        return {key: _normal(child) for key, child in node.items()}
    if isinstance(node, list | tuple):
        return [_normal(child) for child in node]
    return node


# Difference -------------------------------------------------------------------------------------

MAX_TOKENS = 4_000  # of one side; the alignment takes its product in bits
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Span:
    """A piece of text that was kept, deleted or inserted."""

    kind: Literal["equal", "delete", "insert"]
    text: str


@dataclass(frozen=True)
class Diff:
    """The difference that an edit made, as spans.

    Those without `insert` are the old text, those without `delete` the new. `similarity` in [0, 1]
    is the fraction of words (or lines, `unit`) that both have in common, in order; `n_deleted` and
    `n_inserted` count words. `unit` is "text" when both sides were too large to align: one span is
    deleted, one inserted.
    """

    spans: list[Span]
    n_deleted: int
    n_inserted: int
    similarity: float
    unit: Literal["word", "line", "text"]


def diff(before: str, after: str) -> Diff:
    """Return the difference of two texts by words; of long ones by lines, of huge ones as wholes.

    Alignment: longest common subsequence (Indel distance).
    """
    unit: Literal["word", "line", "text"] = "word"
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(old), len(new)) > MAX_TOKENS:
        unit = "line"
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(len(old), len(new)) > MAX_TOKENS:
        unit = "text"
        old, new = [before], [after]
    spans = _align(old, new)
    similarity = Indel.normalized_similarity(old, new)
    return Diff(
        spans=spans,
        n_deleted=sum(_n_words(span.text) for span in spans if span.kind == "delete"),
        n_inserted=sum(_n_words(span.text) for span in spans if span.kind == "insert"),
        similarity=similarity,
        unit=unit,
    )


def _n_words(text: str) -> int:
    return len(re.findall(r"\w+", text))


def _align(old: Sequence[str], new: Sequence[str]) -> list[Span]:
    """Return the spans; changes parted by mere spaces are one deletion and one insertion."""
    spans: list[Span] = []
    deleted: list[str] = []
    inserted: list[str] = []
    between = ""  # spaces since the last change: they join it if another change follows

    def flush() -> None:
        nonlocal between
        if deleted:
            spans.append(Span("delete", "".join(deleted)))
        if inserted:
            spans.append(Span("insert", "".join(inserted)))
        deleted.clear()
        inserted.clear()
        if between:
            spans.append(Span("equal", between))
            between = ""

    for code in Indel.opcodes(old, new):
        gone, added = old[code.src_start : code.src_end], new[code.dest_start : code.dest_end]
        if code.tag == "equal":
            same = "".join(gone)
            if (deleted or inserted) and same.isspace() and "\n" not in same:
                between = same
                continue
            flush()
            spans.append(Span("equal", same))
            continue
        if between and deleted and inserted:
            deleted.append(between)
            inserted.append(between)
            between = ""
        elif between:
            flush()
        if code.tag == "delete":
            deleted.extend(gone)
        else:
            inserted.extend(added)
    flush()
    return spans
