"""Examples as the wire sends them. `inputs` and `outputs` stay the bytes that were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from rest_framework.request import Request

from datasets_app import versions
from datasets_app.examples import ExampleChange, ExampleInput
from observatory import exact
from observatory.api.kit import body
from observatory.api.kit.errors import Unprocessable
from observatory.runs import documents
from observatory.runs.attachments import Saved
from observatory.runs.documents import BadItem

DOCUMENTS = ("inputs", "outputs")
MAX_EXAMPLES = 50_000  # the SDKs cut a batch by its bytes (20 MB), however many examples that is

MAX_FILE_NAME = 1_000  # characters

_array = msgspec.json.Decoder(list[msgspec.Raw])


def raw_body(request: Request) -> bytes:
    """Return the decoded body, lone surrogates as U+FFFD. Raises 400, 413 and 415."""
    with body.received(request._request) as content:
        return documents.mend_surrogates(bytes(content[:]))


def members_of(raw: bytes, where: str = "") -> dict[str, bytes]:
    """Return the members of a JSON object as bytes. Raises 422."""
    try:
        return documents.members(documents.mend_surrogates(raw))
    except BadItem as error:
        raise Unprocessable(f"{where}{error.reason}") from None


def array_of(raw: bytes) -> list[dict[str, bytes]]:
    """Return the members of each object of a JSON array. Raises 422."""
    try:
        items = _array.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unprocessable("The body must be an array of examples") from None
    if len(items) > MAX_EXAMPLES:
        raise Unprocessable(f"More than {MAX_EXAMPLES} examples at once")
    sent = [members_of(bytes(item), f"[{place}]: ") for place, item in enumerate(items)]
    places: dict[UUID, int] = {}
    for place, members in enumerate(sent):
        uuid = id_of(members, "id")
        if uuid is not None and places.setdefault(uuid, place) != place:
            raise Unprocessable(f"[{place}].id: [{places[uuid]}] is the same example")
    return sent


def input_of(members: dict[str, bytes], files: Mapping[str, Saved] | None = None) -> ExampleInput:
    """Return an example to create from its members and its files. Raises 422."""
    plain = _plain(members)
    return ExampleInput(
        id=_uuid(plain, "id"),
        inputs=_document(members, "inputs"),
        outputs=_document(members, "outputs"),
        metadata=_metadata(plain),
        splits=_splits(plain),
        source_run_id=_uuid(plain, "source_run_id"),
        uses_source_run_io=plain.get("use_source_run_io") is True,
        created_at=_created_at(plain),
        files=files or {},
        source_run_files=_names(plain, "use_source_run_attachments") or (),
    )


def change_of(
    example_id: UUID, members: dict[str, bytes], files: Mapping[str, Saved] | None = None
) -> ExampleChange:
    """Return a change of an example from its members; null and absent keep. Raises 422."""
    plain = _plain(members)
    operations = plain.get("attachments_operations")
    if operations is not None and not isinstance(operations, dict):
        raise Unprocessable("attachments_operations: must be an object")
    renamed = None if operations is None else _renamed(operations)
    retained = None if operations is None else _retained(operations)
    after = [*dict.fromkeys(retained or ()), *(renamed or {}).values()]
    if twice := [name for place, name in enumerate(after) if name in after[:place]]:
        raise Unprocessable(f"attachments_operations: two files would be called {twice[0][:100]!r}")
    return ExampleChange(
        id=example_id,
        inputs=_document(members, "inputs"),
        outputs=_document(members, "outputs"),
        metadata=_metadata(plain),
        splits=_splits(plain),
        files=files or {},
        renamed=renamed,
        retained=retained,
    )


def _renamed(operations: dict[str, Any]) -> dict[str, str]:
    value = operations.get("rename") or {}
    if not isinstance(value, dict) or not all(isinstance(new, str) for new in value.values()):
        raise Unprocessable("attachments_operations.rename: must map names to names")
    return {
        old: file_name(f"attachments_operations.rename.{old}", new) for old, new in value.items()
    }


def _retained(operations: dict[str, Any]) -> Sequence[str]:
    try:
        return _names(operations, "retain") or ()
    except Unprocessable as error:
        raise Unprocessable(f"attachments_operations.{error.detail}") from None


def file_name(where: str, name: str) -> str:
    """Return the name of a file as it is stored. Raises 422, naming `where` it was sent."""
    if not name or len(name) > MAX_FILE_NAME:
        raise Unprocessable(
            f"{where[:100]}: a file needs a name of 1 to {MAX_FILE_NAME} characters"
        )
    return name.replace("\x00", "\ufffd")


def _names(plain: dict[str, Any], name: str) -> list[str] | None:
    value = plain.get(name)
    if value is None or value is False:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unprocessable(f"{name}: must be an array of names")
    return value


def id_of(members: dict[str, bytes], name: str) -> UUID | None:
    """Return a UUID member, None if absent or null. Raises 422."""
    return _uuid(_plain({name: members[name]} if name in members else {}), name)


def _plain(members: dict[str, bytes]) -> dict[str, Any]:
    """Return the small members as values."""
    values = {}
    for name, raw in members.items():
        if name in DOCUMENTS:
            continue
        try:
            clean, _ = documents.sanitize(raw)
            documents.check(clean)
            values[name] = exact.loads(clean)
        except (BadItem, exact.NotJSON) as error:
            raise Unprocessable(f"{name}: {error}") from None
    return values


def _document(members: dict[str, bytes], name: str) -> str | None:
    raw = members.get(name, b"null").strip()
    if raw == b"null":
        return None
    if not raw.startswith(b"{"):
        raise Unprocessable(f"{name}: must be an object or null")
    try:
        clean, _ = documents.sanitize(raw)
        documents.check(clean)
    except BadItem as error:
        raise Unprocessable(f"{name}: {error.reason}") from None
    return clean.decode()


def _uuid(plain: dict[str, Any], name: str) -> UUID | None:
    value = plain.get(name)
    if value is None:
        return None
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise Unprocessable(f"{name}: must be a UUID") from None


def _metadata(plain: dict[str, Any]) -> dict[str, Any] | None:
    value = plain.get("metadata")
    if value is not None and not isinstance(value, dict):
        raise Unprocessable("metadata: must be an object")
    return value


def _splits(plain: dict[str, Any]) -> list[str] | None:
    value = plain.get("split")
    names = [value] if isinstance(value, str) else value
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Unprocessable("split: must be a text or an array of texts")
    return names


def _created_at(plain: dict[str, Any]) -> Any:
    value = plain.get("created_at")
    if value is None:
        return None
    found = versions.parse_time(value) if isinstance(value, str) else None
    if found is None:
        raise Unprocessable("created_at: must be a time")
    return found
