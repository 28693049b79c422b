"""An example as a line of a file, and back: JSON Lines and CSV; as a conversation: one way.

A CSV file has a column for each key of the inputs and of the outputs. How the cells are read
back is in the column's name, so that nothing is lost: `input_question` holds texts as they are,
`input_note:optional` texts that may be missing (an empty cell), `input_n:json` JSON, and
`inputs:json` the whole document where an example's cannot be identified by keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from datasets_app import messages
from observatory import exact
from observatory.runs import documents

SIDES: Final = {"input": "inputs", "output": "outputs"}
JSON: Final = ":json"
OPTIONAL: Final = ":optional"
OF_THE_EXAMPLE: Final = ("metadata", "split", "created_at", "source_run_id", "attachment_urls")


class BadLine(ValueError):
    """A column or cell that no export writes; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An example as files tell it. `inputs` and `outputs` are JSON text, the times ISO 8601."""

    id: str
    inputs: str | None
    outputs: str | None
    metadata: Mapping[str, Any] | None
    splits: Sequence[str]
    created_at: str
    source_run_id: str | None = None
    attachment_urls: Mapping[str, Any] = field(default_factory=dict)


# JSON Lines -------------------------------------------------------------------------------------


def json_line(example: Exported) -> bytes:
    """Return one line of JSON; the documents are embedded as stored, without their line ends."""
    line = {
        "id": example.id,
        "inputs": _embedded(example.inputs),
        "outputs": _embedded(example.outputs),
        "metadata": {**(example.metadata or {}), "dataset_split": list(example.splits)},
        "created_at": example.created_at,
        "source_run_id": example.source_run_id,
    }
    if example.attachment_urls:
        line["attachment_urls"] = example.attachment_urls
    return exact.dumps(line) + b"\n"


def _embedded(document: str | None) -> Any:
    """Return a document to embed; outside its texts, a line end is only space."""
    if document is None:
        return None
    return exact.Fragment(document.replace("\n", " ").replace("\r", " "))


# CSV --------------------------------------------------------------------------------------------


class Columns:
    """The columns of a CSV file, from a look at every example; then the cells of each."""

    def __init__(self, examples: Iterable[Exported]) -> None:
        self._n = 0
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._whole: dict[str, None] = {}
        self._has_files = False
        for example in examples:
            self._look(example)
        self._forms = {column: seen.form(column[1], self._n) for column, seen in self._seen.items()}

    def _look(self, example: Exported) -> None:
        self._n += 1
        self._has_files = self._has_files or bool(example.attachment_urls)
        for side, document in self._documents(example):
            members = _members(document)
            if document is not None and not members:
                self._whole[side] = None
            for key, value in (members or {}).items():
                self._seen.setdefault((side, key), _Seen()).add(value)

    @staticmethod
    def _documents(example: Exported) -> list[tuple[str, str | None]]:
        return [("input", example.inputs), ("output", example.outputs)]

    @property
    def header(self) -> list[str]:
        """Return the names of the columns."""
        keyed = [f"{side}_{key}{form}" for (side, key), form in self._forms.items()]
        rest = OF_THE_EXAMPLE if self._has_files else OF_THE_EXAMPLE[:-1]
        return ["id", *keyed, *(f"{SIDES[side]}{JSON}" for side in self._whole), *rest]

    def cells(self, example: Exported) -> list[str | None]:
        """Return the cells of one of the examples that were looked at."""
        members = {side: _members(document) for side, document in self._documents(example)}
        cells: list[str | None] = [example.id]
        for (side, key), form in self._forms.items():
            value = (members[side] or {}).get(key)
            cells.append(_plain(value) if value is not None and form != JSON else _text(value))
        documents_ = dict(self._documents(example))
        for side in self._whole:
            document = documents_[side]
            cells.append(document if document is not None and not members[side] else None)
        cells.append(None if example.metadata is None else _text(exact.dumps(example.metadata)))
        cells.append(_split_cell(example.splits))
        cells += [example.created_at, example.source_run_id]
        if self._has_files:
            urls = example.attachment_urls
            cells.append(_text(exact.dumps(urls)) if urls else None)
        return cells


@dataclass(slots=True)
class _Seen:
    """What the values of one key were."""

    n: int = 0
    is_text: bool = True
    is_empty: bool = False

    def add(self, value: bytes) -> None:
        self.n += 1
        self.is_text = self.is_text and value.startswith(b'"')
        self.is_empty = self.is_empty or value == b'""'

    def form(self, key: str, n_examples: int) -> str:
        """Return what the name of the column ends with."""
        if not self.is_text or key.endswith((JSON, OPTIONAL)):
            return JSON
        if self.n == n_examples:
            return ""
        return JSON if self.is_empty else OPTIONAL


def _members(document: str | None) -> dict[str, bytes] | None:
    """Return the members of an object as JSON; None when it is not one that has any."""
    if document is None:
        return None
    text = document.encode()
    return (documents.members(text) or None) if text.lstrip()[:1] == b"{" else None


def _plain(value: bytes) -> str:
    return str(msgspec.json.decode(value))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _split_cell(splits: Sequence[str]) -> str:
    if len(splits) == 1 and not splits[0].startswith("["):
        return splits[0]
    return exact.dumps(list(splits)).decode()


class Column(NamedTuple):
    """A column of an exported file: a key of the inputs or outputs, or (`key` None) a member."""

    member: str
    key: str | None = None
    form: str = ""


def columns_read(names: Sequence[str]) -> list[Column]:
    """Return what each column of an exported file is. Raises BadLine for one that no export has."""
    if not names or names[0] != "id":
        raise BadLine("the first column of an exported file is id")
    return [_column_read(name) for name in names]


def _column_read(name: str) -> Column:
    if name == "id" or name in OF_THE_EXAMPLE:
        return Column(name)
    form = next((end for end in (JSON, OPTIONAL) if name.endswith(end)), "")
    stem = name.removesuffix(form)
    if stem in SIDES.values() and form == JSON:
        return Column(stem, form=JSON)
    side, mark, key = stem.partition("_")
    if side not in SIDES or not mark:
        raise BadLine(f"the column {name[:100]!r} is not of an exported file")
    return Column(SIDES[side], key, form)


def cells_read(columns: Sequence[Column], cells: Sequence[str]) -> dict[str, bytes]:
    """Return the members of an example, each as JSON, as the wire has them. Raises BadLine."""
    sides: dict[str, dict[str, bytes]] = {"inputs": {}, "outputs": {}}
    members: dict[str, bytes] = {}
    for (member, key, form), text in zip(columns, cells, strict=True):
        if form and not text:  # nothing was there
            continue
        if member not in sides:
            if text:
                members[member] = _cell_read(member, text)
        elif key is None:
            members[member] = text.encode()
        elif form == JSON:
            sides[member][key] = text.encode()
        else:
            sides[member][key] = msgspec.json.encode(text)
    for side, parts in sides.items():
        if parts and side in members:
            raise BadLine(f"{side}{JSON} and {side[:-1]}_ columns contain the same document")
        if parts:
            members[side] = _composed(side, parts)
    return members


def _cell_read(member: str, text: str) -> bytes:
    if member in ("metadata", "attachment_urls") or (member == "split" and text.startswith("[")):
        return text.encode()
    return msgspec.json.encode(text)


def _composed(side: str, parts: dict[str, bytes]) -> bytes:
    for key, value in parts.items():
        try:
            documents.check(value)
        except documents.BadItem as error:
            raise BadLine(f"{side[:-1]}_{key[:100]}: {error.reason}") from None
    return documents.compose(parts)


# Conversations ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conversation:
    """A line to fine-tune with, and the names of the fields that it could not hold."""

    line: bytes
    left_out: list[str]


def conversation(inputs: str | None, outputs: str | None) -> Conversation | None:
    """Return an example as `{"messages": [...]}`, or None: nothing asked, or not answered.

    Messages of the inputs and then of the outputs, in every spelling that `messages` knows; the
    `tools` of the inputs are kept. A document without messages is one message of the user, or
    of the assistant: its text if that is all it holds, else the document as JSON.
    """
    turns, beside = said(inputs, "user")
    answered, beside_answer = said(outputs, "assistant")
    if not turns or not answered or answered[-1].get("role") != "assistant":
        return None
    line: dict[str, Any] = {"messages": [*turns, *answered]}
    if (tools := messages.tools(beside.get("tools"))) is not None:
        line["tools"] = tools
    left_out = [f"inputs.{name}" for name in beside if name not in line]
    left_out += [f"outputs.{name}" for name in beside_answer]
    return Conversation(exact.dumps(line) + b"\n", left_out)


def said(document: str | None, role: str) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """Return the messages of a document, and what it holds beside them."""
    value = exact.loads(document) if document else None
    if not isinstance(value, dict) or not value:
        return [], {}
    if (extracted := messages.extracted(value)) is not None:
        return extracted
    members = list(value.values())
    if len(members) > 1:
        return [{"role": role, "content": exact.dumps(value).decode()}], {}
    if isinstance(members[0], str):
        return ([{"role": role, "content": members[0]}] if members[0] else []), {}
    read = messages.messages(members[0])
    return read or [{"role": role, "content": exact.dumps(value).decode()}], {}
