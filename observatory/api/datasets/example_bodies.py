"""Examples as the wire sends them. `inputs` and `outputs` stay the bytes that were sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from rest_framework.request import Request

from datasets_app.examples import ExampleChange, ExampleInput
from observatory import exact
from observatory.api.datasets import schemas as shapes
from observatory.api.kit import bodies, body
from observatory.api.kit.errors import Unprocessable
from observatory.runs import documents
from observatory.runs.attachments import Saved
from observatory.runs.documents import BadItem

DOCUMENTS = ("inputs", "outputs")
MAX_EXAMPLES = 50_000  # the SDKs cut a batch by its bytes (20 MB), however many examples that is

MAX_FILE_NAME = 1_000  # characters

E = TypeVar("E", bound=shapes.ExampleFields)
C = TypeVar("C", shapes.ExampleCreate, shapes.ExampleBulkChange)

_array = msgspec.json.Decoder(list[msgspec.Raw])


def raw_body(request: Request) -> bytes:
    """Return the decoded body, lone surrogates as U+FFFD. Raises 400, 413 and 415."""
    with body.received(request._request) as content:
        return documents.mend_surrogates(bytes(content[:]))


def members_of(raw: bytes, where: str = "body") -> dict[str, bytes]:
    """Return the members of a JSON object as bytes. Raises 422, naming `where` it stands."""
    try:
        return documents.members(documents.mend_surrogates(raw))
    except BadItem as error:
        is_object = not raw.strip() or raw.lstrip().startswith(b"{")
        reason = error.reason if is_object else "must be an object"
        raise Unprocessable(f"{where}: {reason}") from None


def read(kind: type[E], members: Mapping[str, bytes]) -> E:
    """Return the members of an example as `kind`. Raises 422."""
    values: dict[str, Any] = {}
    for name, raw in members.items():
        if name in DOCUMENTS:
            text = raw.strip()
            values[name] = None if text == b"null" else text
            continue
        try:
            clean, _ = documents.sanitize(raw)
            documents.check(clean)
            values[name] = exact.loads(clean)
        except (BadItem, exact.NotJSON) as error:
            raise Unprocessable(f"{name}: {error}") from None
    return bodies.read(kind, values)


def read_array(kind: type[C], raw: bytes) -> list[C]:
    """Return the examples of a JSON array as `kind`, each of them once. Raises 422."""
    try:
        items = _array.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unprocessable("body: must be an array of examples") from None
    if len(items) > MAX_EXAMPLES:
        raise Unprocessable(f"body: must have at most {MAX_EXAMPLES} examples")
    examples: list[C] = []
    places: dict[UUID, int] = {}
    for index, item in enumerate(items):
        members = members_of(bytes(item), str(index))
        try:
            example = read(kind, members)
        except Unprocessable as error:
            raise Unprocessable(f"{index}.{error.detail}") from None
        if example.id is not None and places.setdefault(example.id, index) != index:
            raise Unprocessable(f"{index}.id: is the id of example {places[example.id]} too")
        examples.append(example)
    return examples


def input_of(
    example: shapes.ExampleContent, files: Mapping[str, Saved] | None = None
) -> ExampleInput:
    """Return an example to create, with its files."""
    return ExampleInput(
        id=example.id,
        inputs=example.inputs,
        outputs=example.outputs,
        metadata=example.metadata,
        splits=_splits(example),
        source_run_id=example.source_run_id,
        uses_source_run_io=example.use_source_run_io is True,
        created_at=example.created_at,
        files=files or {},
        source_run_files=example.use_source_run_attachments or (),
    )


def change_of(
    example_id: UUID, change: shapes.ExampleChange, files: Mapping[str, Saved] | None = None
) -> ExampleChange:
    """Return a change of an example, with its new files. Raises 422."""
    renamed: dict[str, str] | None = None
    retained: list[str] | None = None
    if (operations := change.attachments_operations) is not None:
        renamed = {
            old: file_name(f"attachments_operations.rename.{old}", new)
            for old, new in (operations.rename or {}).items()
        }
        retained = operations.retain or []
        names = Counter([*dict.fromkeys(retained), *renamed.values()])
        if twice := next((name for name, n in names.items() if n > 1), None):
            raise Unprocessable(f"attachments_operations: two files would be named {twice[:100]!r}")
    return ExampleChange(
        id=example_id,
        inputs=change.inputs,
        outputs=change.outputs,
        metadata=change.metadata,
        splits=_splits(change),
        files=files or {},
        renamed=renamed,
        retained=retained,
    )


def _splits(example: shapes.ExampleFields) -> list[str] | None:
    return [example.split] if isinstance(example.split, str) else example.split


def file_name(where: str, name: str) -> str:
    """Return the name of a file as it is stored. Raises 422, naming `where` it was sent."""
    if not name or len(name) > MAX_FILE_NAME:
        raise Unprocessable(
            f"{where[:100]}: must be a file name of 1 to {MAX_FILE_NAME} characters"
        )
    return name.replace("\x00", "\ufffd")
